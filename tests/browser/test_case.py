"""From photo and words to feedback, as a clinician does it, on a laptop and on a phone."""

import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from at_the_screen import (
    LATER,
    SAVE,
    WORDS,
    Server,
    Visit,
    answer,
    case_id,
    change_to,
    click,
    expect_result,
    finish,
    give,
    go_to,
    open_up,
    open_window,
    settle,
    type_words,
    upload,
    use_sample,
    visiting,
)
from playwright.sync_api import Browser, Locator, Page, expect

from skin_ai.diseases import DISEASES
from skin_ai.predict import heatmap_overlay
from skin_ai.predict.bundle import Bundle
from skin_ai.predict.diagnose import Diagnosis, diagnose
from skin_ai.predict.prepared_photo import prepare
from skin_ai.views.case import elimination, funnel
from skin_ai.views.case.elimination import name, percent
from skin_ai.views.case.own_answer import Own
from skin_ai.views.case.samples import SAMPLES

OWN = "granuloma faciale"  # outside the label set, so that no sentence of the AI's names it


@pytest.fixture
def reader(browser: Browser, server: Server) -> Iterator[Visit]:
    """Somebody at a laptop."""
    with visiting(browser, server.address) as visit:
        yield visit


def words_area(page: Page) -> Locator:
    # By its role: one that the page has replaced stays in the document, hidden, until the run ends.
    return page.get_by_role("textbox", name="In the patient's own words")


def test_own_answer_leads_to_the_result_and_on_to_feedback(
    visit: Visit, photo_file: Path, server: Server
) -> None:
    page = visit.page
    expect(page.get_by_text("not a medical device").first).to_be_visible()
    upload(page, photo_file)
    expect(page.get_by_text("What the model sees")).to_be_visible()
    type_words(page)
    give(page, ["rodent ulcer", "melanoma", OWN])
    visit.expect_no_sideways_scrolling()
    visit.keep_screenshots("1-before")
    click(page, SAVE)
    expect_result(page)
    expect(page.locator("#verdict")).to_be_focused()
    for in_sight in ("#verdict", ".st-key-ai", ".st-key-you", ".funnel .count >> nth=0", ".st-key-keep"):
        expect(page.locator(in_sight)).to_be_in_viewport()
    for text in ("Malignant in total", "Basal cell carcinoma 70%", f"2nd Melanoma, 3rd {OWN}", "6 possible"):
        expect(page.get_by_text(text).first).to_be_visible()
    visit.expect_no_sideways_scrolling()
    visit.expect_the_end_in_sight()
    visit.keep_screenshots("2-after")
    open_up(page, "Where the photo model looked")
    expect(page.get_by_text("Strength of the colours")).to_be_visible()
    visit.expect_no_sideways_scrolling()
    finish(page)
    expect(page.locator("#outcome")).to_be_focused()
    expect(page.locator("#outcome")).to_be_in_viewport()
    open_up(page, "Your feedback (optional)")
    page.get_by_role("radio", name="4", exact=True).first.click()
    page.get_by_label("Comment").fill("The steps were clear.")
    click(page, "Send feedback")
    expect(page.get_by_text("Your feedback is saved. Thank you.")).to_be_visible()
    visit.expect_no_sideways_scrolling()
    visit.keep_screenshots("3-feedback")
    assert visit.hosts == {"localhost"}


def test_what_is_no_photo_gives_one_sentence_and_the_words_stay(visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    type_words(page)
    settle(page)  # a file chosen in the middle of a run can be lost in the browser
    notes = tmp_path / "lesion.jpg"
    notes.write_text("These are notes, not a photo.")
    upload(page, notes)
    expect(page.get_by_text("The file is not a JPEG, PNG, WebP or HEIC photo")).to_be_visible()
    expect(words_area(page)).to_have_value(WORDS)
    expect(page.get_by_role("button", name=SAVE)).to_be_enabled()


def test_facts_are_corrected_by_keyboard_and_the_form_follows(visit: Visit) -> None:
    page = visit.page
    type_words(page)
    bled = page.get_by_role("button", name="Has bled", exact=True)
    expect(bled).to_be_visible()
    settle(page)
    bled.focus()
    page.keyboard.press("Enter")
    denied = page.get_by_role("button", name="Has not bled", exact=True)
    expect(denied).to_be_focused()
    expect(page.locator("strong", has_text="and bled")).to_be_visible()
    visit.expect_no_sideways_scrolling()
    open_up(page, "Symptom form")
    asked = page.get_by_role("radiogroup", name="Has it bled?")
    expect(asked.get_by_role("radio", name="no", exact=True)).to_be_checked()
    asked.get_by_role("radio", name="don't know").click()
    expect(page.get_by_role("button", name="Bleeding: not known")).to_be_visible()
    page.get_by_label("Age in years").fill("68")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="68 years")).to_be_visible()
    expect(words_area(page)).to_have_value(WORDS)
    visit.keep_screenshots("facts")


def test_click_that_leaves_the_words_saves_them_and_their_facts(reader: Visit, server: Server) -> None:
    """Who only types and clicks on meets no further step."""
    page = reader.page
    give(page, ["melanoma"])
    words_area(page).fill(WORDS)
    click(page, SAVE)
    expect_result(page)
    case = case_id(page)
    database = sqlite3.connect(server.data / "study.db")
    try:
        query = "SELECT narrative, facts_extracted FROM cases WHERE id = ?"
        narrative, extracted = database.execute(query, (case,)).fetchone()
    finally:
        database.close()
    assert narrative == WORDS
    assert json.loads(extracted)["facts"]["bleed"]["answer"] == "yes"


def test_diagnosis_that_is_typed_and_left_with_a_click_is_kept(reader: Visit) -> None:
    page = reader.page
    type_words(page)
    settle(page)
    page.get_by_role("combobox", name="Your diagnosis").click()
    page.keyboard.type("granuloma faciale perhaps")
    page.locator("[class*=st-key-confidence] button", has_text="50%").click()  # an open list hides all roles
    expect(page.get_by_text("“granuloma faciale perhaps” is not a known diagnosis")).to_be_visible()
    expect(page.get_by_role("radio", name="50%", exact=True)).to_be_checked()
    page.get_by_role("combobox", name="Your diagnosis").click()
    page.keyboard.type("dermatofibroma")
    page.locator("button", has_text=SAVE).click()
    expect_result(page)
    expect(page.get_by_text("2nd Dermatofibroma", exact=True)).to_be_visible()


def test_what_is_missing_gets_the_focus(reader: Visit) -> None:
    page = reader.page
    type_words(page)
    settle(page)
    click(page, SAVE)
    expect(page.get_by_text("Give at least one diagnosis.")).to_be_visible()
    expect(page.get_by_role("combobox", name="Your diagnosis")).to_be_focused()
    give(page, ["melanoma"], None)
    click(page, SAVE)
    expect(page.get_by_text("Say how confident you are.")).to_be_visible()
    expect(page.get_by_role("radio", name="10%", exact=True)).to_be_focused()


# Blinding


@pytest.fixture(scope="session")
def diagnosis(bundle: Bundle) -> Diagnosis:
    """What the server will show of the first sample."""
    return diagnose(prepare(SAMPLES[0].pixels()), SAMPLES[0].narrative, bundle)


def results(diagnosis: Diagnosis) -> list[str]:
    """All that only a browser may hold that was shown the result."""
    first = diagnosis.answer[0]
    scale = heatmap_overlay.common_scale(diagnosis.heatmaps)
    shown_first = diagnosis.recommendations[0].type
    return [
        'id="verdict"',
        "Malignant in total",
        "Taken together:",
        "The AI does not know your diagnosis",
        f"{name(first.type)} {percent(first.probability)}",
        funnel.html(diagnosis.steps, diagnosis.undecided, Own((OWN,))),
        *elimination.sentences(diagnosis.steps, diagnosis.undecided, Own((OWN,))),
        heatmap_overlay.in_words(diagnosis.heatmaps[shown_first], scale, DISEASES[shown_first].name),
    ]


def test_nothing_of_the_result_is_sent_before_the_own_answer_is_saved(
    reader: Visit, diagnosis: Diagnosis
) -> None:
    page, secrets = reader.page, results(diagnosis)
    use_sample(page)
    open_up(page, "Frame the lesion")
    open_up(page, "Symptom form")
    give(page, [OWN], None)
    click(page, SAVE)
    expect(page.get_by_text("Say how confident you are.")).to_be_visible()
    for title in ("About", "Model card", "Deck", "Compare", "Case"):
        go_to(page, title)
    for go in (page.go_back, page.go_back, page.go_forward):
        go()
        settle(page)  # a page that comes late takes the address back to its own
    expect(page.get_by_role("heading", name="Compare", exact=True)).to_be_visible()
    go_to(page, "Case")
    click(page, LATER)
    open_up(page, "Unfinished cases (1)")
    click(page, "Continue")
    expect(page.get_by_text("What the model sees")).to_be_visible()
    settle(page)  # in the middle of a run the former case's button can be there too
    click(page, SAVE)
    expect(page.get_by_text("Say how confident you are.")).to_be_visible()
    reader.reload()
    expect(page.get_by_text("What the model sees")).to_be_visible()
    second = open_window(page.context, page.url)
    expect(second.page.get_by_text("What the model sees")).to_be_visible()
    settle(second.page)
    click(page, SAVE)
    expect(page.get_by_text("Give at least one diagnosis.")).to_be_visible()
    settle(page)
    assert reader.frames
    assert reader.received("What the model sees")
    assert reader.received(*secrets) == second.received(*secrets) == set()
    answer(page, [OWN])
    open_up(page, "Where the photo model looked")
    expect(page.get_by_text("Strength of the colours")).to_be_visible()
    settle(page)
    assert reader.received(*secrets) == set(secrets)
    assert second.received(*secrets) == set()


def test_next_question_is_in_the_first_screenful_of_a_laptop(reader: Visit) -> None:
    page = reader.page
    use_sample(page, 1)
    type_words(page, "I am 60 and it is on my arm.")  # which leaves the answer open
    answer(page)
    expect(page.locator(".funnel .pill").last).to_be_in_viewport(ratio=1)
    for said in ("Yes", "No", "Not known"):
        expect(page.get_by_role("button", name=said, exact=True)).to_be_in_viewport(ratio=1)


# What is saved


def test_double_clicks_save_once_and_a_reload_loses_nothing(reader: Visit, server: Server) -> None:
    page = reader.page
    use_sample(page)
    give(page, ["melanoma"])
    page.get_by_role("button", name=SAVE).dblclick()
    expect_result(page)
    page.get_by_role("button", name="Keep my answer").dblclick()
    expect(page.get_by_role("heading", name="Your final answer is saved")).to_be_visible()
    settle(page)
    open_up(page, "Your feedback (optional)")
    page.get_by_label("Comment").fill("The steps were clear.")
    page.get_by_role("button", name="Send feedback").dblclick()
    expect(page.get_by_text("Your feedback is saved. Thank you.")).to_be_visible()
    settle(page)
    case = case_id(page)
    database = sqlite3.connect(server.data / "study.db")
    try:
        for table, rows in {"answers": 2, "feedback": 1, "runs": 1, "readings": 1}.items():
            found = database.execute(f"SELECT count(*) FROM {table} WHERE case_id = ?", (case,))
            assert found.fetchone() == (rows,), table
    finally:
        database.close()
    reader.reload()
    expect(page.get_by_role("heading", name="Your final answer is saved")).to_be_visible()
    expect(page.get_by_label("Comment")).to_have_value("The steps were clear.")
    assert case_id(page) == case
    click(page, "New case")
    expect(page.get_by_role("button", name=SAVE)).to_be_visible()
    settle(page)
    assert "case=" not in page.url
    expect(words_area(page)).to_have_value("")


# The page around it


def test_funnel_follows_the_theme(reader: Visit) -> None:
    page = reader.page
    type_words(page)
    answer(page)
    pill = page.locator(".funnel .pill.kept").first
    text = page.locator(".stApp").evaluate("element => getComputedStyle(element).color")
    expect(pill).to_have_css("color", text)
    page.emulate_media(color_scheme="dark")
    expect(page.locator(".stApp")).not_to_have_css("color", text)
    after = page.locator(".stApp").evaluate("element => getComputedStyle(element).color")
    expect(pill).to_have_css("color", after)


def test_printed_page_has_the_result_and_nothing_to_click(reader: Visit) -> None:
    page = reader.page
    use_sample(page)
    answer(page)
    page.emulate_media(media="print")
    for text in (
        "not a medical device",
        "Malignant in total",
        "6 possible",
        "History: ",
        "Understood from",
        "Reader's answer",
    ):
        expect(page.get_by_text(text).last).to_be_visible()
    for hidden in (".st-key-bar", ".st-key-details", ".st-key-next", "[data-testid=stHeader]"):
        expect(page.locator(hidden)).to_be_hidden()
    assert pages_printed(page) == {"A4": 1, "Letter": 1}
    page.emulate_media(media="screen")
    change_to(page, "nevus")
    finish(page, "Save my final answer")
    page.emulate_media(media="print")
    expect(page.get_by_text("Reference diagnosis: ")).to_be_visible()
    assert pages_printed(page) == {"A4": 1, "Letter": 1}


def pages_printed(page: Page) -> dict[str, int]:
    papers = ("A4", "Letter")
    return {paper: len(re.findall(rb"/Type\s*/Page\b", page.pdf(format=paper))) for paper in papers}


def test_about_fits_the_screen(visit: Visit) -> None:
    page = visit.page
    page.goto(f"{page.url.rstrip('/')}/about")
    expect(page.get_by_role("heading", name="Versions")).to_be_visible()
    expect(page.get_by_text("not a medical device").first).to_be_visible()
    visit.expect_no_sideways_scrolling()
    visit.keep_screenshots("about")
    assert visit.hosts == {"localhost"}


def test_first_visit_of_a_fresh_server_passes_the_notice(browser: Browser, fresh_server: Server) -> None:
    with visiting(browser, f"{fresh_server.address}/about") as visit:
        page = visit.page
        expect(page.get_by_role("heading", name="What it is not")).to_be_visible()
        expect(page.get_by_text("Research software, not a medical device")).to_be_visible()
        page.get_by_role("link", name="Case").click()
        expect(page.get_by_role("button", name=SAVE)).to_be_visible()
