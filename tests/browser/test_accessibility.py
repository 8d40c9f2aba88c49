"""axe-core finds nothing serious on any page, light and dark, on a laptop and on a phone."""

from collections.abc import Iterator

import pytest
from at_the_screen import (
    PASSPHRASE,
    SAVE,
    SCREENS,
    THEMES,
    Server,
    Visit,
    answer,
    beat_the_ai,
    click,
    expect_result,
    finish,
    go_to,
    open_up,
    settle,
    type_words,
    use_sample,
    visiting,
)
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from benchmarks.taps import by_keyboard

AXE = Axe()
ASKED = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
}
# Every element that the Tab key reaches is on the page, not beside it.
OFF_THE_PAGE = """() => [...document.querySelectorAll("a[href], button, input, textarea, summary")]
    .filter(part => part.tabIndex >= 0 && !part.disabled && part.checkVisibility({visibilityProperty: true}))
    .filter(part => {
        const place = part.getBoundingClientRect();
        return place.right < 0 || place.left > innerWidth;
    })
    .map(part => part.outerHTML.slice(0, 200))"""


def expect_accessible(page: Page, what: str) -> None:
    settle(page)
    for width, height in SCREENS.values():
        page.set_viewport_size({"width": width, "height": height})
        for theme in THEMES:
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            settle(page)
            page.keyboard.press("Shift")  # somebody is there: scans on a busy machine outlast the limit
            found = AXE.run(page, options=ASKED).response["violations"]
            serious = [
                f"{what}, {width} px, {theme}: {one['id']}: {node['html'][:300]}\n{node['failureSummary']}"
                for one in found
                if one["impact"] in ("serious", "critical") or one["id"] == "heading-order"
                for node in one["nodes"]
            ]
            assert not serious, "\n".join(serious)
        assert page.evaluate(OFF_THE_PAGE) == [], what


@pytest.fixture
def reader(browser: Browser, study_server: Server) -> Iterator[Visit]:
    with visiting(browser, study_server.address) as visit:
        yield visit


def test_case_from_start_to_feedback(reader: Visit) -> None:
    page = reader.page
    expect(page.get_by_role("button", name=SAVE)).to_be_visible()
    expect_accessible(page, "start")
    page.get_by_text("Tell a patient's story").click()
    type_words(page)
    click(page, SAVE)
    expect(page.get_by_text("Give at least one diagnosis.")).to_be_visible()
    expect_accessible(page, "story")
    page.get_by_text("Show a photo").click()
    use_sample(page)
    answer(page, ["melanoma", "nevus"])
    expect_accessible(page, "result")
    finish(page)
    open_up(page, "Your feedback (optional)")
    expect_accessible(page, "feedback")


@pytest.mark.parametrize("title", ["Deck", "Compare", "Model card", "About"])
def test_page(reader: Visit, title: str) -> None:
    go_to(reader.page, title)
    expect_accessible(reader.page, title)


def test_feedback_of_a_study(reader: Visit) -> None:
    page = reader.page
    go_to(page, "Feedback")
    page.get_by_label("Study passphrase").fill(PASSPHRASE)
    click(page, "Open")
    expect(page.get_by_role("heading", name="Individual readings")).to_be_visible()
    expect_accessible(page, "Feedback")


def test_conference(browser: Browser, stand: Server) -> None:
    with visiting(browser, stand.address) as visit:
        page = visit.page
        expect(page.get_by_role("button", name="Show the AI")).to_be_visible()
        expect_accessible(page, "conference start")
        beat_the_ai(page)
        expect_result(page)
        expect_accessible(page, "conference result")


def test_case_is_answered_by_keyboard_in_twenty_keys(reader: Visit) -> None:
    expect(reader.page.get_by_role("button", name=SAVE)).to_be_visible()
    settle(reader.page)
    assert by_keyboard(reader.page) <= 20
