"""A deck of three cases read by two readers, and what Compare and Feedback make of a study."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from app_at_work import deck_zip
from at_the_screen import (
    AT_ONCE,
    PASSPHRASE,
    SAVE,
    Server,
    Visit,
    change_to,
    click,
    expect_result,
    finish,
    give,
    go_to,
    open_up,
    settle,
    visiting,
)
from drawn_samples import SAMPLES
from playwright.sync_api import Browser, Page, expect

NAME = "Three drawn cases"
REFERENCES = ("basal cell carcinoma", "nevus", "melanoma")
EXPLANATION = "Drawn as a {}."
# Each reader's first diagnoses of the three, before and after the AI.
READERS = (
    (
        ("squamous cell carcinoma", "basal cell carcinoma"),
        ("nevus", "nevus"),
        ("melanoma", "actinic keratosis"),
    ),
    (("basal cell carcinoma", "basal cell carcinoma"), ("melanoma", "nevus"), ("melanoma", "melanoma")),
)
RESULT = ('id="verdict"', 'class="funnel', "Malignant in total")


@pytest.fixture
def readers(browser: Browser, server: Server) -> Iterator[list[Visit]]:
    """Two people, each at a laptop of their own."""
    with ExitStack() as open_browsers:
        yield [open_browsers.enter_context(visiting(browser, server.address)) for _ in READERS]


@pytest.fixture
def deck_file(tmp_path: Path) -> Path:
    rows = [
        {
            "photo": f"{sample.name}.jpg",
            "narrative": sample.narrative,
            "reference": reference,
            "explanation": EXPLANATION.format(reference),
        }
        for sample, reference in zip(SAMPLES[:3], REFERENCES, strict=True)
    ]
    path = tmp_path / "three.zip"
    path.write_bytes(deck_zip(rows, f'name = "{NAME}"\nshow_reference = true'))
    return path


def case_on_screen(page: Page) -> int:
    """Which of the three it is, by the patient's words."""
    expect(page.get_by_text(f"Deck “{NAME}”: ")).to_be_visible()
    expect(page.get_by_role("button", name=SAVE)).to_be_visible()
    settle(page)
    shown = [place for place in range(3) if page.get_by_text(SAMPLES[place].narrative).count()]
    assert len(shown) == 1
    return shown[0]


def answer_case(
    visit: Visit, answers: tuple[tuple[str, str], ...], reloads: bool = False, is_last: bool = False
) -> int:
    """The case on screen, before and after the AI; the reference comes after the last only. Which it was."""
    page, number = visit.page, case_on_screen(visit.page)
    explanation = EXPLANATION.format(REFERENCES[number])
    before, after = answers[number]
    expect(page.get_by_role("button", name=AT_ONCE)).to_have_count(0)
    visit.frames.clear()
    if reloads:
        visit.reload()
        assert case_on_screen(page) == number
    give(page, [before], 70)
    assert visit.received(*RESULT, explanation) == set()
    click(page, SAVE)
    expect_result(page)
    assert visit.received(*RESULT) == set(RESULT)
    if reloads:
        visit.reload()
        expect_result(page)
    assert visit.received(explanation) == set()
    if before == after:
        finish(page)
    else:
        change_to(page, after)
        finish(page, "Save my final answer")
    expect(page.get_by_text("Reference diagnosis:")).to_have_count(int(is_last))
    assert visit.received(explanation) == ({explanation} if is_last else set())
    return number


def test_two_readers_of_a_deck_find_their_counts_on_compare(
    readers: list[Visit], deck_file: Path, tmp_path: Path
) -> None:
    page = readers[0].page
    go_to(page, "Deck")
    open_up(page, "Load a deck")
    page.locator("input[type=file]").set_input_files(deck_file)
    click(page, "Check and load")
    expect(page.get_by_text(f"Loaded the deck “{NAME}” with 3 cases.")).to_be_visible()
    for visit, answers in zip(readers, READERS, strict=True):
        page, order = visit.page, []
        go_to(page, "Deck")
        click(page, "Begin")
        order.append(answer_case(visit, answers))
        click(page, "Next case")
        expect(page.get_by_role("button", name=SAVE)).to_be_visible()
        order.append(answer_case(visit, answers, reloads=visit is readers[0]))
        go_to(page, "Compare")
        expect(page.get_by_text(f"Hidden until you have finished: {NAME}.")).to_be_visible()
        go_to(page, "Deck")
        expect(page.get_by_text("2 of 3 cases answered")).to_be_visible()
        click(page, "Continue")
        left = case_on_screen(page)
        click(page, "Pause")
        click(page, "Continue")
        assert case_on_screen(page) == left
        order.append(answer_case(visit, answers, is_last=True))
        assert sorted(order) == [0, 1, 2]
        expect(page.get_by_text("You have answered every case of this deck.")).to_be_visible()
        click(page, "See how I compare")
        expect(page.get_by_role("heading", name="Your summary")).to_be_visible()
    with page.expect_download() as download:
        click(page, "Download as PDF (one page)")
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF")
    page.get_by_role("combobox", name="Show").click()
    page.keyboard.type(f"Deck: {NAME}")
    page.keyboard.press("Enter")
    expect(
        page.get_by_text("6 readings of 3 cases by 2 readers; 6 with a reference diagnosis.")
    ).to_be_visible()
    settle(page)
    for switch, count in (("Beneficial: wrong to right", "2 of 2"), ("Harmful: right to wrong", "1 of 4")):
        row = page.get_by_role("row").filter(has_text=switch).first
        expect(row.get_by_role("cell").nth(1)).to_have_text(count)
    for visit in readers:
        assert visit.hosts == {"localhost"}


# What a study looks like


@pytest.fixture
def guest(browser: Browser, study_server: Server, screen: str) -> Iterator[Visit]:
    with visiting(browser, study_server.address, screen) as visit:
        yield visit


def test_study_fits_the_screen(guest: Visit, study_server: Server) -> None:
    page = guest.page
    page.goto(f"{study_server.address}/deck")
    expect(page.get_by_role("button", name="Begin")).to_be_visible()
    guest.expect_no_sideways_scrolling()
    guest.keep_screenshots("deck")
    page.goto(f"{study_server.address}/feedback")
    page.get_by_label("Study passphrase").fill(PASSPHRASE)
    click(page, "Open")
    expect(page.get_by_role("heading", name="Individual readings")).to_be_visible()
    settle(page)
    guest.expect_no_sideways_scrolling()
    guest.keep_screenshots("study-feedback")
    go_to(page, "Compare")  # whose figures readers see only of decks that they have finished
    expect(page.get_by_role("heading", name="Subgroups")).to_be_visible()
    settle(page)
    guest.expect_no_sideways_scrolling()
    guest.keep_screenshots("compare")
    assert guest.hosts == {"localhost"}
