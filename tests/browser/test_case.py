"""From upload to result, as a clinician does it, on a laptop and on a phone."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from skin_ai.samples import SAMPLES

SCREENSHOTS = Path(__file__).parent / "screenshots"
SCREENS = {"laptop": (1280, 800), "phone": (390, 844)}
THEMES = ("light", "dark")
WORDS = "I am 67. The shiny bump beside my nose has grown for a year and bled twice."
PATIENCE = 180_000  # milliseconds: the models load, perhaps beside other work
SCROLLING_PART = "[data-testid=stMain]"
expect.set_options(timeout=PATIENCE)


@dataclass
class Visit:
    """One browser page and the hosts that it asked for anything."""

    page: Page
    name: str
    hosts: set[str] = field(default_factory=set)

    def note(self, url: str) -> None:
        if urlsplit(url).scheme not in ("data", "blob"):
            self.hosts.add(urlsplit(url).hostname or url)

    def keep_screenshot(self, moment: str) -> None:
        """The whole page, for people: the app scrolls inside itself, so the window is made as tall as it."""
        size = self.page.viewport_size
        height = self.page.evaluate(f"document.querySelector('{SCROLLING_PART}').scrollHeight")
        self.page.set_viewport_size({"width": size["width"], "height": height + 20})
        self.page.wait_for_timeout(500)
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{self.name}-{moment}.png")
        self.page.set_viewport_size(size)


@pytest.fixture(params=[(screen, theme) for screen in SCREENS for theme in THEMES], ids="-".join)
def visit(request: pytest.FixtureRequest, browser: Browser, address: str) -> Iterator[Visit]:
    screen, theme = request.param
    width, height = SCREENS[screen]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
    context.set_default_timeout(PATIENCE)
    visit = Visit(context.new_page(), f"{screen}-{theme}")
    visit.page.on("request", lambda request: visit.note(request.url))
    visit.page.on("websocket", lambda websocket: visit.note(websocket.url))
    visit.page.goto(address)
    yield visit
    context.close()


@pytest.fixture(scope="session")
def drawn_photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "drawn.jpg"
    Image.fromarray(SAMPLES[0].draw()).save(path, "JPEG")
    return path


def type_words(page: Page) -> None:
    page.get_by_label("In the patient's own words").fill(WORDS)


def upload(page: Page, path: Path) -> None:
    page.locator("input[type=file]").set_input_files(path)


def expect_no_sideways_scrolling(page: Page) -> None:
    widths = page.evaluate(
        f"[document.documentElement, document.querySelector('{SCROLLING_PART}')]"
        ".map(part => part.scrollWidth - part.clientWidth)"
    )
    assert widths == [0, 0]


def test_upload_leads_to_a_result(visit: Visit, drawn_photo: Path) -> None:
    page = visit.page
    expect(page.get_by_text("not a medical device").first).to_be_visible()
    upload(page, drawn_photo)
    expect(page.get_by_text("What the model sees")).to_be_visible()
    type_words(page)
    page.get_by_role("button", name="Diagnose").click()
    expect(page.get_by_role("heading", name="Answer")).to_be_visible()
    for text in (
        "What the photo model recommends",
        "How the options were eliminated",
        "Step 1:",
        "Taken together:",
    ):
        expect(page.get_by_text(text).first).to_be_visible()
    chart = page.locator(".js-plotly-plot")
    expect(chart.get_by_text("remains")).to_be_visible()
    page.get_by_text("Show where the photo model found evidence").click()
    expect(page.get_by_text("Strength of the colours")).to_be_visible()
    expect_no_sideways_scrolling(page)
    visit.keep_screenshot("result")
    assert visit.hosts == {"localhost"}


def test_what_is_no_photo_gives_one_sentence_and_the_words_stay(visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    type_words(page)
    notes = tmp_path / "lesion.jpg"
    notes.write_text("These are notes, not a photo.")
    upload(page, notes)
    expect(page.get_by_text("The file is not a JPEG, PNG, WebP or HEIC photo")).to_be_visible(
        timeout=PATIENCE
    )
    expect(page.get_by_label("In the patient's own words")).to_have_value(WORDS)
    expect(page.get_by_role("button", name="Diagnose")).to_be_enabled()
    visit.keep_screenshot("no-photo")


def test_symptom_form_writes_into_the_words(visit: Visit) -> None:
    page = visit.page
    type_words(page)
    page.get_by_text("Symptom form").click()
    page.get_by_label("Age in years").fill("67")
    page.get_by_text("don't know", exact=True).first.click()
    page.get_by_role("button", name="Add as sentences to the words").click()
    words = page.get_by_label("In the patient's own words")
    expect(words).to_have_value(re.compile(f"^{re.escape(WORDS)} .*67"))
    # The filled field stays in the document, hidden, until the run ends.
    expect(page.get_by_role("spinbutton", name="Age in years")).to_have_value("")


def test_picture_stays_readable_when_the_theme_changes(browser: Browser, address: str) -> None:
    page = browser.new_context(color_scheme="light").new_page()
    page.goto(address)
    type_words(page)
    page.get_by_role("button", name="Diagnose").click()
    text = page.locator(".js-plotly-plot").get_by_text("remains")
    expect(text).to_be_visible()
    colour = "element => getComputedStyle(element.closest('text')).fill"
    before = text.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(1000)
    assert text.evaluate(colour) == page.locator(".stApp").evaluate(
        "element => getComputedStyle(element).color"
    )
    assert text.evaluate(colour) != before


def test_about_fits_the_screen(visit: Visit) -> None:
    page = visit.page
    page.goto(f"{page.url.rstrip('/')}/about")
    expect(page.get_by_role("heading", name="Versions")).to_be_visible()
    expect(page.get_by_text("not a medical device").first).to_be_visible()
    expect_no_sideways_scrolling(page)
    visit.keep_screenshot("about")
    assert visit.hosts == {"localhost"}


def test_first_visit_of_a_fresh_server_passes_the_notice(browser: Browser, fresh_address: str) -> None:
    page = browser.new_context().new_page()
    page.goto(f"{fresh_address}/about")
    expect(page.get_by_role("heading", name="What it is not")).to_be_visible()
    expect(page.get_by_text("Research software, not a medical device")).to_be_visible()
    page.get_by_role("link", name="Case").click()
    expect(page.get_by_role("button", name="Diagnose")).to_be_visible()
