"""Conference mode: nothing of one visitor is left for the next."""

import json
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from at_the_screen import (
    IDLE_MINUTES,
    PATIENCE,
    SAVE,
    Server,
    Visit,
    answer,
    beat_the_ai,
    click,
    finish,
    give,
    open_up,
    settle,
    type_words,
    upload,
    visiting,
)
from playwright.sync_api import Browser, Page, expect

WORDS, GUESS, REASON, COMMENT = "wordsofmine itch", "guessofmine", "reasonofmine", "commentofmine"
IDLE = IDLE_MINUTES * 60_000  # milliseconds
NOTHING = {"texts": [], "photos": 0}
FORM = ".st-key-show_ai, .st-key-others"
SOON = 20  # seconds: a session that may come back is held for minutes
# Everything that a page can hold or keep.
HELD = """async () => JSON.stringify([
    document.documentElement.outerHTML,
    [...document.querySelectorAll('input, textarea')].map(field => field.value),
    document.cookie, {...localStorage}, {...sessionStorage}, history.state, location.href, window.name,
    (await indexedDB.databases()).map(database => database.name), await caches.keys(),
])"""


def start_screen(page: Page) -> None:
    expect(page.get_by_role("heading", name="Can you beat the AI?")).to_be_visible()
    settle(page)


def held(page: Page) -> str:
    return page.evaluate(HELD) + str(page.context.cookies())


def begin_case_of_own(page: Page, photo: Path) -> None:
    click(page, "My own photo")
    expect(page.get_by_role("button", name=SAVE)).to_be_visible()
    upload(page, photo)
    expect(page.get_by_text("What the model sees")).to_be_visible()
    type_words(page, WORDS)
    page.get_by_label("Reason (optional)").fill(REASON)


def parts_of_photos(page: Page) -> list[str]:
    """Of every picture on the page a part that no other has."""
    addresses = page.locator("img[src^='data:image']").evaluate_all(
        "images => images.map(image => image.src)"
    )
    return [address[len(address) // 2 :][:80] for address in addresses]


def in_memory(stand: Server, texts: Sequence[str]) -> dict[str, Any]:
    """Which of these texts the server holds, and how many uploaded photos."""
    ask, told = stand.data / "ask.json", stand.data / "tell.json"
    told.unlink(missing_ok=True)
    ask.write_text(json.dumps(texts))
    os.kill(stand.process, signal.SIGUSR1)
    end = time.monotonic() + PATIENCE / 1000
    while not told.exists() and time.monotonic() < end:
        time.sleep(0.1)
    told_now: dict[str, Any] = json.loads(told.read_text())
    return told_now


def test_server_lets_go_of_a_visitor_with_the_next_one(
    browser: Browser, stand: Server, photo_file: Path
) -> None:
    with visiting(browser, stand.address) as visit:
        page = visit.page
        start_screen(page)
        begin_case_of_own(page, photo_file)
        answer(page, [GUESS])
        secrets = [WORDS, GUESS, REASON]
        assert in_memory(stand, secrets) == {"texts": secrets, "photos": 1}
        click(page, "Next visitor")
        start_screen(page)
        end = time.monotonic() + SOON
        while in_memory(stand, secrets) != NOTHING and time.monotonic() < end:
            time.sleep(0.5)
        assert in_memory(stand, secrets) == NOTHING


def test_next_visitor_gets_nothing_of_the_last_one(browser: Browser, stand: Server, photo_file: Path) -> None:
    with visiting(browser, stand.address) as visit:
        page = visit.page
        start_screen(page)
        begin_case_of_own(page, photo_file)
        photos = parts_of_photos(page)
        answer(page, [GUESS])
        photos += parts_of_photos(page)
        finish(page)
        open_up(page, "Your feedback (optional)")
        page.get_by_label("Comment").fill(COMMENT)
        click(page, "Send feedback")
        expect(page.get_by_text("Your feedback is saved. Thank you.")).to_be_visible()
        settle(page)
        secrets = (WORDS, GUESS, REASON, COMMENT, *photos)
        assert photos
        assert visit.received(*photos) == set(photos)
        assert visit.received(WORDS, GUESS) == {WORDS, GUESS}
        assert COMMENT in held(page)
        visit.frames.clear()
        click(page, "Next visitor")
        start_screen(page)
        assert not [secret for secret in secrets if secret in held(page)]
        click(page, "My own photo")
        expect(page.get_by_role("button", name=SAVE)).to_be_visible()
        settle(page)
        expect(page.get_by_role("textbox", name="In the patient's own words")).to_have_value("")
        expect(page.get_by_label("Reason (optional)")).to_have_value("")
        give(page, ["nevus"])
        page.reload()
        start_screen(page)
        assert visit.frames
        assert visit.received(*secrets) == set()
        assert not [secret for secret in secrets if secret in held(page)]
        page.go_back()
        expect(page).to_have_url("about:blank")  # out of the app: no address of the last visitor is left
        assert not [secret for secret in secrets if secret in page.content()]


def test_idle_visitor_is_warned_and_then_forgotten(browser: Browser, stand: Server, photo_file: Path) -> None:
    with visiting(browser, stand.address) as visit:
        page = visit.page
        start_screen(page)
        begin_case_of_own(page, photo_file)
        give(page, [GUESS])
        secrets = (WORDS, GUESS, REASON, *parts_of_photos(page))
        assert not [secret for secret in secrets if secret not in held(page)]
        warning = page.get_by_text("Are you still there?")
        expect(warning).to_be_visible(timeout=2 * IDLE)
        click(page, "I am still here")
        expect(warning).to_have_count(0)
        expect(page.get_by_role("textbox", name="In the patient's own words")).to_have_value(WORDS)
        expect(warning).to_be_visible(timeout=2 * IDLE)
        expect(warning).to_be_in_viewport()
        visit.frames.clear()
        start_screen(page)
        assert visit.frames
        assert visit.received(*secrets) == set()
        assert not [secret for secret in secrets if secret in held(page)]


def test_start_screen_is_one_screenful_and_three_taps_lead_to_the_truth(visitor: Visit) -> None:
    page = visitor.page
    start_screen(page)
    for in_sight in ("Show the AI", "Another case", "My own photo", "Tell a patient's story: 26 diseases"):
        expect(page.get_by_role("button", name=in_sight)).to_be_in_viewport(ratio=1)
    expect(page.get_by_text("Today: ")).to_be_in_viewport()
    photo = page.get_by_role("img", name="The lesion: ")
    expect(photo).to_be_in_viewport(ratio=1)
    assert photo.bounding_box()["width"] >= {"laptop": 300, "phone": 180}[visitor.screen]
    expect(page.get_by_role("button", name="Next visitor")).to_have_count(0)
    expect(page.get_by_role("link", name="Deck")).to_have_count(0)
    visitor.expect_no_sideways_scrolling()
    visitor.keep_screenshots("kiosk")
    beat_the_ai(page)
    expect(page.get_by_text("Today, on the same cases: visitors")).to_be_in_viewport()
    expect(page.locator("#outcome")).to_be_focused()
    expect(page.locator("#verdict")).to_be_in_viewport()
    visitor.expect_no_sideways_scrolling()
    visitor.expect_the_end_in_sight()
    visitor.keep_screenshots("kiosk-result")
    click(page, "Another case")
    start_screen(page)
    assert visitor.hosts == {"localhost"}


def test_visitor_who_only_scrolls_is_not_cleared(browser: Browser, stand: Server) -> None:
    with visiting(browser, stand.address) as visit:
        page = visit.page
        start_screen(page)
        click(page, "My own photo")
        expect(page.get_by_role("button", name=SAVE)).to_be_visible()
        end = time.monotonic() + 1.5 * IDLE_MINUTES * 60
        while time.monotonic() < end:
            page.mouse.wheel(0, 60)
            page.wait_for_timeout(IDLE / 20)
            page.mouse.wheel(0, -60)
            page.wait_for_timeout(IDLE / 20)
        expect(page.get_by_role("button", name=SAVE)).to_be_visible()
        expect(page.get_by_text("Are you still there?")).to_have_count(0)


@contextmanager
def somebody_ahead(stand: Server) -> Iterator[None]:
    """The models are taken within the block."""
    held = stand.data / "hold"
    os.kill(stand.process, signal.SIGUSR2)
    end = time.monotonic() + PATIENCE / 1000
    while not held.exists() and time.monotonic() < end:
        time.sleep(0.1)
    try:
        yield
    finally:
        held.unlink()


def test_form_gives_way_to_what_the_ai_does(browser: Browser, stand: Server) -> None:
    with visiting(browser, stand.address) as visit:
        page = visit.page
        start_screen(page)
        page.evaluate(f"""() => {{
            window.seen = [];
            new MutationObserver(() => {{
                const status = document.querySelector("[data-testid=stExpander] [data-testid=stMarkdown]");
                if (status) seen.push([status.closest("[data-testid=stExpander]").innerText,
                    !!document.querySelector("{FORM}")]);
            }}).observe(document.body, {{childList: true, subtree: true, characterData: true}});
        }}""")
        with somebody_ahead(stand):
            beat_the_ai(page)
            expect(page.get_by_text("1 case ahead of you…")).to_be_visible()
            expect(page.locator(FORM)).to_have_count(0)
        expect(page.locator("#verdict")).to_be_visible()
        # Of quick steps Streamlit may send the last alone, and the browser may draw none.
        assert visit.received("Reading the photo", "Photo model", *(f"step {n} of 3" for n in (1, 2, 3)))
        assert not [text for text, has_form in page.evaluate("seen") if has_form and "working" in text]
