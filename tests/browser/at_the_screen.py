"""What a clinician does at the screen, and what the browser is sent meanwhile."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import cv2
import numpy as np
from playwright.sync_api import Browser, BrowserContext, Page, WebSocket, expect

from skin_ai.views.case.samples import SAMPLES

SCREENSHOTS = Path(__file__).parent / "screenshots"
SCREENS = {"laptop": (1280, 800), "phone": (390, 844)}
THEMES = ("light", "dark")
PATIENCE = 180_000  # milliseconds: the models load, perhaps beside other work
SCROLLING_PART = "[data-testid=stMain]"
WORDS = "I am 67. The shiny bump beside my nose has grown for a year and bled twice."
SAVE, AT_ONCE, LATER = "Save my diagnosis and show the AI's", "Show me the AI at once", "Keep for later"
PASSPHRASE = "a fig on the sill"
IDLE_MINUTES = 0.3  # longer than any step of a test takes
expect.set_options(timeout=PATIENCE)


@dataclass(frozen=True)
class Server:
    """Where the app is served, and where it keeps what it keeps."""

    address: str
    data: Path
    process: int


@dataclass
class Visit:
    """One browser window: the hosts that it asked for anything, and what the server sent it since."""

    page: Page
    screen: str
    hosts: set[str] = field(default_factory=set)
    frames: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", lambda request: self._note(request.url))
        self.page.on("websocket", self._listen)

    def _note(self, url: str) -> None:
        if urlsplit(url).scheme not in ("data", "blob"):
            self.hosts.add(urlsplit(url).hostname or url)

    def _listen(self, websocket: WebSocket) -> None:
        self._note(websocket.url)
        websocket.on(
            "framereceived",
            lambda frame: self.frames.append(frame if isinstance(frame, bytes) else frame.encode()),
        )

    def received(self, *texts: str) -> set[str]:
        """Which of these texts the server has sent: a message holds its texts as UTF-8, not compressed."""
        return {text for text in texts if any(text.encode() in frame for frame in self.frames)}

    def reload(self) -> None:
        self.page.reload()
        expect(self.page.get_by_text("not a medical device").first).to_be_visible()

    def keep_screenshots(self, moment: str) -> None:
        """The whole page in both themes, for people: as the app scrolls inside itself, the window grows."""
        settle(self.page)
        size = self.page.viewport_size
        height = self.page.evaluate(f"document.querySelector('{SCROLLING_PART}').scrollHeight")
        self.page.set_viewport_size({"width": size["width"], "height": height + 20})
        SCREENSHOTS.mkdir(exist_ok=True)
        for theme in reversed(THEMES):
            self.page.emulate_media(color_scheme=theme)
            self.page.wait_for_timeout(500)
            self.page.screenshot(path=SCREENSHOTS / f"{self.screen}-{theme}-{moment}.png")
        self.page.set_viewport_size(size)

    def expect_no_sideways_scrolling(self) -> None:
        settle(self.page)
        widths = self.page.evaluate(
            f"[document.documentElement, document.querySelector('{SCROLLING_PART}')]"
            ".map(part => part.scrollWidth - part.clientWidth)"
        )
        assert widths == [0, 0]

    def expect_the_end_in_sight(self) -> None:
        """Scrolled to its end, nothing lies over what the page ends with."""
        settle(self.page)
        covered = self.page.evaluate(
            """part => {
                const main = document.querySelector(part);
                main.scrollTo(0, main.scrollHeight);
                const all = [...main.querySelectorAll("button, summary")];
                const shown = all.filter(one => one.checkVisibility());
                return shown.slice(-4).filter(one => {
                    const {left, top, width, height} = one.getBoundingClientRect();
                    const above = document.elementFromPoint(left + width / 2, top + height / 2);
                    return !one.contains(above);
                }).map(one => one.innerText);
            }""",
            SCROLLING_PART,
        )
        assert covered == []


@contextmanager
def visiting(browser: Browser, address: str, screen: str = "laptop") -> Iterator[Visit]:
    """A browser that was never here before."""
    width, height = SCREENS[screen]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=THEMES[0])
    try:
        yield open_window(context, address, screen)
    finally:
        context.close()


def open_window(context: BrowserContext, address: str, screen: str = "laptop") -> Visit:
    context.set_default_timeout(PATIENCE)
    visit = Visit(context.new_page(), screen)
    visit.page.goto(address)
    return visit


def click(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def settle(page: Page) -> None:
    """Waits until the server has nothing more to do."""
    page.wait_for_timeout(300)
    expect(page.locator("[data-testid=stApp][data-test-script-state=running]")).to_have_count(0)


def expect_connected(page: Page, times: int = 1) -> None:
    """Whether the page has (1) or has lost (0) its server."""
    expect(page.locator("[data-test-connection-state=CONNECTED]")).to_have_count(times)


def sign_in(page: Page, account: str) -> None:
    """At the local identity provider."""
    click(page, "Sign in")
    page.get_by_role("link", name=account, exact=True).click()
    expect(page.get_by_text("Signed in as")).to_be_visible()
    expect(page.get_by_test_id("stTopNavLink").first).to_be_visible()
    settle(page)


def open_up(page: Page, title: str) -> None:
    """Opens an expander and waits until it is: what is in it moves meanwhile, from under a click too."""
    page.get_by_text(title).click()
    page.locator("details[open]").filter(has=page.locator("summary", has_text=title)).evaluate(
        "details => Promise.allSettled(details.getAnimations().map(animation => animation.finished))"
    )


def go_to(page: Page, title: str) -> None:
    menu = page.get_by_test_id("stExpandSidebarButton")
    if menu.is_visible():  # a phone keeps the pages behind it
        menu.click()
    page.get_by_role("link", name=title, exact=True).first.click()
    expect(page.get_by_role("heading", name=title, exact=True).first).to_be_visible()
    settle(page)


def type_words(page: Page, words: str = WORDS) -> None:
    settle(page)  # a run that moves the field shows it twice for a moment
    box = page.get_by_role("textbox", name="In the patient's own words")
    box.fill(words)
    box.press("Control+Enter")


def upload(page: Page, path: Path) -> None:
    page.locator("input[type=file]").set_input_files(path)


def phone_address(page: Page) -> str:
    """What the code on the page says, as a phone's camera reads it."""
    code = page.get_by_role("img", name="QR code")
    expect(code).to_be_visible()
    settle(page)
    end = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < end:  # until it is drawn completely
        if said := said_by_code(cv2.imdecode(np.frombuffer(code.screenshot(), np.uint8), cv2.IMREAD_COLOR)):
            return said
        page.wait_for_timeout(200)
    raise AssertionError("no QR code can be read")


def said_by_code(picture: np.ndarray) -> str:
    """What the QR code in a picture, (h, w, 3), says; "" where none can be read.

    Like a hand that moves the phone: at each single size OpenCV cannot read some clean codes.
    """
    for scale in (1, 1.5, 2, 3):
        shown = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
        shown = cv2.copyMakeBorder(shown, 40, 40, 40, 40, cv2.BORDER_CONSTANT, value=(255, 255, 255))
        if said := cv2.QRCodeDetectorAruco().detectAndDecode(shown)[0]:
            return said
    return ""


def sent_from(phone: Page, address: str, photo: Path) -> None:
    phone.goto(address)
    phone.get_by_label("Take or choose a photo").set_input_files(photo)
    expect(phone.get_by_text("Sent. The photo is on the other screen.")).to_be_visible()


def use_sample(page: Page, number: int = 0) -> None:
    page.get_by_role("radio", name="Sample").click()
    page.locator(f".st-key-sample_{SAMPLES[number].name} button").click()
    expect(page.get_by_text("What the model sees")).to_be_visible()


def give(page: Page, diagnoses: Sequence[str], sure: int | None = 70) -> None:
    """Types an own answer, without saving it."""
    settle(page)
    box = page.get_by_role("combobox", name="Your diagnosis")
    for diagnosis in diagnoses:
        box.click()  # on a phone the first click opens the list only
        page.keyboard.type(diagnosis)
        # Enter takes what the list shows, which follows what is typed.
        expect(page.get_by_role("option", name=diagnosis).first).to_be_visible()
        page.keyboard.press("Enter")
    page.keyboard.press("Tab")  # closes the list; Escape would empty one that is closed already
    if sure is not None:
        page.get_by_role("radio", name=f"{sure}%", exact=True).click()
    settle(page)


def answer(page: Page, diagnoses: Sequence[str] = ("melanoma",), sure: int = 70) -> None:
    """The own diagnosis, saved: the AI's is shown."""
    give(page, diagnoses, sure)
    click(page, SAVE)
    expect_result(page)


def expect_result(page: Page) -> None:
    expect(page.locator("#verdict")).to_be_visible()
    expect(page.locator(".funnel")).to_be_visible()
    settle(page)


def change_to(page: Page, diagnosis: str) -> None:
    """Another diagnosis in the place of the only one that is filled in."""
    click(page, "Change it")
    expect(page.get_by_role("heading", name="Your final answer")).to_be_visible()
    settle(page)
    page.get_by_role("combobox", name="Your diagnosis").click()
    page.keyboard.press("Backspace")
    page.keyboard.press("Tab")
    settle(page)
    give(page, [diagnosis], None)


def finish(page: Page, label: str = "Keep my answer") -> None:
    click(page, label)
    expect(page.get_by_role("heading", name="Your final answer is saved")).to_be_visible()
    settle(page)


def case_id(page: Page) -> str:
    """Of the case that the address names."""
    return parse_qs(urlsplit(page.url).query)["case"][0]


def beat_the_ai(page: Page, diagnosis: str = "Nevus") -> None:
    """The three taps of a visitor at a conference."""
    page.get_by_role("radio", name=diagnosis, exact=True).click()
    page.get_by_role("radio", name="Fairly sure").click()
    click(page, "Show the AI")
