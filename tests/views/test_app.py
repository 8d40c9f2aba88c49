"""The Case and About pages, run without a browser on the real bundle; others are in test_study_pages.py."""

import gc
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from weakref import ref

import pytest
import streamlit as st
from app_at_work import (
    APP,
    AT_ONCE,
    LATER,
    SAVE,
    TIMEOUT,
    WORDS,
    answer,
    as_drawn_anew,
    button,
    buttons,
    case,
    change,
    confidence,
    finish,
    full_disk,
    give,
    open_heatmap,
    problems,
    ranks,
    rows_of,
    save_change,
    table_of,
    texts,
    type_words,
    upload,
    use_sample,
    words_area,
    words_areas,
)
from drawn_cases import as_jpeg
from drawn_samples import SAMPLES as DRAWN
from sqlalchemy import select
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.testing.v1 import AppTest

from skin_ai.predict import bundle
from skin_ai.predict.narrative import NARRATIVE_LIMIT
from skin_ai.study import flow
from skin_ai.study.store import Store
from skin_ai.study.tables import Answer, Case, Run
from skin_ai.views.answers_download import without_early_references
from skin_ai.views.case import typed
from skin_ai.views.case.elimination import name
from skin_ai.views.case.samples import CREDIT, SAMPLES
from skin_ai.views.session import readers

NAMES = ("case", "deck", "compare", "feedback", "model_card", "about")
PAGES = tuple(f"skin_ai/pages/{name}.py" for name in NAMES)
DISK_IS_FULL = "Not saved: the disk is full; make room. What you entered is still here; try again."

FIRST_PAGE = """
import sys
from streamlit.testing.v1 import AppTest
from skin_ai.predict.bundle import BundleError
from skin_ai.views.case import bundle_choice

def models(name):
    raise BundleError("Not now.")

bundle_choice.models = models
app = AppTest.from_file("{app}", default_timeout={timeout}).run()
print([error.value for error in app.error], {{"torch", "pandas", "scipy", "alembic"}} & set(sys.modules))
"""


@pytest.fixture
def without_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(bundle, "WEIGHTS", tmp_path)
    monkeypatch.setattr(bundle, "load_bundle", partial(bundle.load_bundle, weights=tmp_path))
    st.cache_resource.clear()
    yield tmp_path
    st.cache_resource.clear()


@pytest.mark.parametrize("page", PAGES)
def test_every_page_says_that_it_is_for_research_only(app, page, monkeypatch):
    monkeypatch.setenv("SKIN_AI_STUDY_PASSPHRASE", "a fig on the sill")  # Feedback is offered with one only
    app.run().switch_page(page).run()
    assert not app.exception
    assert "not a medical device" in app.info[0].value


def test_first_page_waits_for_no_slow_library(store):
    script = FIRST_PAGE.format(app=APP, timeout=TIMEOUT)
    run = subprocess.run([sys.executable, "-c", script], cwd=APP.parent, capture_output=True, text=True)
    assert run.stdout == "['Not now.'] set()\n", run.stderr


def test_case_that_was_put_away_leaves_nothing_in_memory(app):
    photos = []
    for _ in range(2):
        upload(app, "photo.jpg", as_jpeg(DRAWN[0].draw()))
        answer(app)
        photos.append(ref(case(app).photo.pixels))
        button(finish(app), "New case").click().run()
    app.run()  # until it streamlit keeps what the session held before
    gc.collect()
    assert [photo() for photo in photos] == [None, None]


# What a case is made of


def test_neither_photo_nor_words_gives_one_sentence(app, store):
    answer(app)
    assert problems(app) == ["Give a photo, the patient's words, or both."]
    assert case(app).diagnosis is None
    assert ranks(app, "before").value == ["melanoma"]
    assert rows_of(store) == {}


def test_words_alone_are_diagnosed(app):
    answer(type_words(app))
    assert not app.exception
    assert "Photo: none" in texts(app)
    assert "Where the photo model looked" not in [expander.label for expander in app.expander]
    assert "The heatmap was on the lesion" not in labels(finish(app))


def test_sample_is_diagnosed_step_by_step(app):
    answer(use_sample(app))
    assert not app.exception
    shown = texts(app)
    for number, step in enumerate(case(app).diagnosis.steps, start=1):
        assert f"Step {number}: {len(step.options)} types" in shown
        assert all(name(option.type) in table_of(app) for option in step.options)
    assert "6 possible" in shown
    assert "Photo alone" in table_of(app)


def test_sample_brings_its_words_but_keeps_typed_ones(app):
    use_sample(app)
    assert words_area(app).value == SAMPLES[0].narrative
    button(app, "Remove the photo").click().run()
    type_words(app)
    use_sample(app)
    assert words_area(app).value == WORDS


def test_sample_states_its_age_and_site_and_is_credited(app, store):
    use_sample(app)
    assert CREDIT in app.get("image")[0].proto.imgs[0].caption
    answer(app)
    kept = kept_case(store, case(app).id)
    assert (kept.sample, kept.age_band, kept.body_site) == (SAMPLES[0].name, "60-79", "NOSE")
    assert CREDIT in texts(app)
    button(app, "New case").click().run()
    assert case(app).facts.answer("age") == case(app).facts.answer("site") == "unsaid"


def test_photo_of_ones_own_has_no_reference(app, store, drawn_photo):
    use_sample(app)
    button(app, "Remove the photo").click().run()
    app.segmented_control(key="way").set_value("Upload").run()
    upload(app, "lesion.jpg", drawn_photo)
    answer(app)
    kept = kept_case(store, case(app).id)
    assert (kept.sample, kept.reference) == ("", "")


def test_reference_of_a_sample_is_shown_after_the_final_answer_only(app, store):
    answer(use_sample(app), ["mole"])
    assert "Reference" not in texts(app)
    assert "Reference" not in texts(reload(app))
    assert set(without_early_references(store.answers())["truth"]) == {""}
    finish(app)
    for session in (app, reload(app)):
        assert f"Reference diagnosis: {name(SAMPLES[0].reference)}" in texts(session)
        assert f"Proven by {SAMPLES[0].proven_by}." in texts(session)
    assert set(without_early_references(store.answers())["truth"]) == {SAMPLES[0].reference}


def test_heatmap_is_off_until_asked_for_and_speaks_in_words(app):
    answer(use_sample(app))
    assert "evidence" not in texts(app)
    open_heatmap(app)
    assert not app.exception
    assert "evidence" in texts(app)


def test_overlong_words_give_one_sentence_and_stay(app, store):
    too_long = "It itches. " * NARRATIVE_LIMIT
    type_words(app, too_long)
    assert f"at most {NARRATIVE_LIMIT:,}" in app.error[0].value
    answer(app)
    assert words_area(app).value == too_long
    assert case(app).diagnosis is None
    assert rows_of(store) == {}


def test_bad_file_gives_one_sentence_and_nothing_typed_is_lost(app, drawn_photo):
    type_words(app)
    give(app, ["melanoma"])
    upload(app, "lesion.jpg", b"These are notes, not a photo.")
    assert not app.exception
    assert problems(app) == [
        "The file is not a JPEG, PNG, WebP or HEIC photo: save it as one of these first."
    ]
    assert words_area(app).value == WORDS
    assert ranks(app, "before").value == ["melanoma"]
    upload(app, "lesion.jpg", drawn_photo)
    assert not app.error
    assert case(app).photo is not None


@pytest.mark.parametrize("name", ["lesion.hif", "lesion.jfif", "lesion.jpe", "lesion"])
def test_content_of_a_file_decides_and_not_its_name(app, drawn_photo, name):
    upload(app, name, drawn_photo, "")
    assert not app.exception
    assert not problems(app)
    assert case(app).photo.pixels.shape == (600, 600, 3)


def test_upload_leaves_only_pixels_in_the_session(app, drawn_photo):
    upload(app, "Jane Doe 1950.jpg", drawn_photo)
    assert case(app).photo.pixels.shape == (600, 600, 3)
    kept = repr(app.session_state)
    assert "CaseState" in kept
    assert "UploadedFile" not in kept
    assert "Jane" not in kept


def test_frame_decides_what_the_model_sees(app, store):
    use_sample(app)
    slider(app, "Size").set_value(50).run()
    answer(app)
    assert kept_case(store, case(app).id).crop[2] == 0.5
    button(app, "New case").click().run()
    use_sample(app)
    assert slider(app, "Size").value == 100


def keep_for_later(app: AppTest, words: str = WORDS) -> None:
    button(type_words(app, words), LATER).click().run()


@pytest.mark.parametrize("write", [use_sample, keep_for_later])
def test_browser_that_has_not_seen_what_the_page_wrote_cannot_overwrite_it(app, write):
    sent = app._tree.get_widget_states()
    typed = next(state for state in sent.widgets if state.id == words_area(app).id)
    write(app)
    words = words_area(app).value
    for late in (WORDS, "Typed late.", ""):
        typed.string_value = late
        app._run(sent)
        assert words_area(app).value == words


def test_words_that_were_replaced_are_not_kept_in_the_session(app):
    keep_for_later(app, "My secret words")
    assert "secret" not in repr(app.session_state)


def test_what_was_typed_survives_a_look_at_another_page(app):
    type_words(app)
    give(app, ["melanoma", "my own idea"])
    app.selectbox(key=f"fitzpatrick_{case(app).id}").set_value(5).run()
    app.switch_page("skin_ai/pages/about.py").run()
    app.switch_page("skin_ai/pages/case.py").run()
    assert words_area(app).value == WORDS
    assert ranks(app, "before").value == ["melanoma", "my own idea"]
    assert confidence(app, "before").value == 70
    assert app.selectbox(key=f"fitzpatrick_{case(app).id}").value == 5


def test_browser_that_forgot_what_was_typed_cannot_overwrite_it(app, drawn_photo):
    upload(app, "lesion.jpg", drawn_photo)
    type_words(app)
    give(app, ["melanoma", "my own idea"])
    id_ = case(app).id
    app.text_input(key=f"reason_before_{id_}").set_value("the border")
    app.selectbox(key=f"fitzpatrick_{id_}").set_value(5)
    slider(app, "Size").set_value(50)
    app.checkbox(key=case(app).key("keep_photo")).check().run()
    app._run(as_drawn_anew(app))
    assert not app.exception
    assert words_area(app).value == WORDS
    assert ranks(app, "before").value == ["melanoma", "my own idea"]
    assert confidence(app, "before").value == 70
    assert app.text_input(key=f"reason_before_{id_}").value == "the border"
    assert case(app).fitzpatrick == 5
    assert slider(app, "Size").value == 50
    assert app.checkbox(key=case(app).key("keep_photo")).value


def test_skin_type_is_kept_with_the_case_and_is_no_fact(app, store):
    type_words(app)
    app.selectbox(key=f"fitzpatrick_{case(app).id}").set_value(5).run()
    answer(app)
    kept = kept_case(store, case(app).id)
    assert kept.fitzpatrick == 5
    assert "fitzpatrick" not in kept.facts_confirmed
    assert "skin type V" in texts(app)


# The clinician's own answer comes first


@pytest.mark.parametrize(
    ("diagnoses", "sure", "sentence", "field"),
    [
        ([], 70, "Give at least one diagnosis.", "ranks"),
        (["melanoma"], None, "Say how confident you are.", "confidence"),
    ],
)
def test_incomplete_answer_gives_one_sentence_and_nothing_typed_is_lost(
    app, store, diagnoses, sure, sentence, field
):
    type_words(app)
    app.text_input(key=f"reason_before_{case(app).id}").set_value("the border").run()
    answer(app, diagnoses, sure)
    assert problems(app) == [sentence]
    assert goes_to(app, f"{field}_before_{case(app).id}")
    assert words_area(app).value == WORDS
    assert (ranks(app, "before").value, confidence(app, "before").value) == (diagnoses, sure)
    assert app.text_input(key=f"reason_before_{case(app).id}").value == "the border"
    assert rows_of(store) == {}
    answer(app)
    assert case(app).diagnosis is not None


def test_diagnosis_that_was_typed_and_left_is_kept_as_written(app, store):
    """The page's script fills the hidden field; the first key belongs to the list that was on screen."""
    type_words(app)
    give(app, ["melanoma"])
    app.text_input(key=f"typed_before_{case(app).id}").set_value("dermatofibroma ").run()
    shown = next(field for field in app.multiselect if field.label.startswith("Your diagnosis"))
    assert shown.value == ["melanoma", "dermatofibroma"]
    app.text_input(key=f"typed_before_{case(app).id}_1").set_value("my own idea").run()
    app._run(as_drawn_anew(app))
    button(app, SAVE).click().run()
    row = store.answers().iloc[0]
    assert (row["rank_1"], row["rank_2"], row["rank_3"]) == ("MEL", "DFIB", "my own idea")


def test_nothing_of_the_ai_is_there_before_the_own_answer_is_saved(app, store):
    use_sample(app)
    give(app, ["melanoma"])
    app.switch_page("skin_ai/pages/about.py").run()
    app.switch_page("skin_ai/pages/case.py").run()
    button(app, SAVE)
    assert is_without_result(app)
    assert case(app).diagnosis is None
    assert "runs" not in rows_of(store)
    button(app, SAVE).click().run()
    assert not is_without_result(app)
    assert rows_of(store) == {"clinicians": 1, "cases": 1, "runs": 1, "readings": 1, "answers": 1}


def test_case_is_locked_after_the_own_answer(app, store):
    answer(use_sample(app))
    assert not app.get("file_uploader")
    assert not words_areas(app)
    assert {SAVE, AT_ONCE, LATER, "Remove the photo"}.isdisjoint(buttons(app))
    assert SAMPLES[0].narrative in texts(app)
    app.switch_page("skin_ai/pages/about.py").run()
    app.switch_page("skin_ai/pages/case.py").run()
    assert SAVE not in buttons(app)
    assert rows_of(store)["runs"] == 1


def test_synonym_is_kept_as_its_type_and_marked_in_the_result(app, store):
    answer(use_sample(app), ["rodent ulcer", "mole"])
    row = store.answers().iloc[0]
    assert (row["rank_1"], row["rank_2"], row["confidence"]) == ("BCC", "NEV", 70)
    assert row["seconds"] > 0
    assert "Basal cell carcinoma 70%" in texts(app)
    assert "2nd Nevus" in texts(app)
    assert "◆ Basal cell carcinoma" in texts(app)
    assert any({"1st", "2nd"} <= set(table.value.get("Yours", ())) for table in app.table)


@pytest.mark.parametrize("give_case", [type_words, use_sample])
def test_diagnosis_outside_the_label_set_stays_as_written(app, store, give_case):
    written = "Granuloma *annulare* <b>?"
    answer(give_case(app), [written])
    assert store.answers().iloc[0]["rank_1"] == written
    assert f"{written} 70%" in [text.value for text in app.text]
    assert "not know your diagnosis" in texts(app)
    assert written not in "\n".join(element.value for element in app.markdown)
    assert not any("annulare" in element.proto.body for element in app.get("html"))


def test_who_waits_for_the_ai_is_told_each_step_in_turn(app, monkeypatch):
    told = []

    def note(message):
        if message.delta.new_element.WhichOneof("type") == "markdown":
            told.append(message.delta.new_element.markdown.body)

    type_words(use_sample(app))
    give(app, ["melanoma"])
    monkeypatch.setattr(
        ForwardMsgQueue, "_before_enqueue_msg", note
    )  # the queue itself keeps the latest only
    button(app, SAVE).click().run()
    steps = ["Reading the photo", "Reading the words", "Photo model"]
    steps += [f"Elimination, step {number} of 3" for number in (1, 2, 3)]
    assert [text for text in told if text in steps] == steps


def test_ai_at_once_is_marked_unblinded_for_good(app, store):
    button(use_sample(app), AT_ONCE).click().run()
    assert case(app).diagnosis is not None
    assert "unblinded" in texts(app)
    assert "◆" not in texts(app)
    save_change(give(app, ["melanoma"], stage="after"))
    answers = store.answers()
    assert list(answers["stage"]) == ["after"]
    assert list(answers["blinded"]) == [False]


def test_case_kept_for_later_can_be_gone_on_with(app, store):
    type_words(app)
    button(app, LATER).click().run()
    former = store_ids(store)
    assert words_area(app).value == ""
    assert f"waiting for your diagnosis: {WORDS[:20]}" in texts(app)
    assert rows_of(store) == {"clinicians": 1, "cases": 1, "readings": 1}
    button(app, "Continue").click().run()
    assert words_area(app).value == WORDS
    assert [case(app).id] == former
    answer(app)
    button(app, "New case").click().run()
    assert "waiting for your final answer" in texts(app)
    button(app, "Continue").click().run()
    finish(app)
    button(app, "New case").click().run()
    assert "Continue" not in buttons(app)
    assert store_ids(store) == former


def test_what_was_begun_of_a_case_is_there_when_it_is_gone_on_with(app):
    use_sample(app)
    give(app, ["melanoma", "my own idea"])
    app.text_input(key=f"reason_before_{case(app).id}").set_value("the border")
    app.button(key=f"chip_bleed_{case(app).id}").click()
    slider(app, "Size").set_value(50).run()
    for _ in range(2):
        button(app, LATER).click().run()
        assert ranks(app, "before").value == []
        button(app, "Continue").click().run()
        assert ranks(app, "before").value == ["melanoma", "my own idea"]
        assert confidence(app, "before").value == 70
        assert app.text_input(key=f"reason_before_{case(app).id}").value == "the border"
        assert case(app).facts.answer("bleed") == "no"
        assert slider(app, "Size").value == 50


# The final answer and feedback


def test_unchanged_answer_is_final_with_one_click(app, store):
    answer(use_sample(app), ["mole", "my own idea"], 70)
    assert button(app, "Keep my answer").key == "keep"
    finish(app)
    assert "Your final answer is saved" in texts(app)
    assert "Before and final: 1st Nevus, 2nd my own idea; 70% confident" in texts(app)
    before, after = store.answers().to_dict("records")
    for column in ("rank_1", "rank_2", "rank_3", "confidence", "ai_answer"):
        assert before[column] == after[column]
    assert (after["stage"], after["rank_1"], after["rank_2"]) == ("after", "NEV", "my own idea")


def test_changed_answer_is_saved_beside_the_first_one(app, store):
    answer(use_sample(app), ["mole"], 70)
    save_change(change(app, ["melanoma"], 90))
    assert list(store.answers()["rank_1"]) == ["NEV", "MEL"]
    assert list(store.answers()["confidence"]) == [70, 90]
    assert "Before: Nevus, 70% confident" in texts(app)
    assert "Final: Melanoma, 90% confident" in texts(app)


def test_feedback_is_saved_and_can_be_changed(app, store):
    finish(answer(use_sample(app)))
    id_ = case(app).id
    app.segmented_control(key=f"agrees_{id_}").set_value(2)
    app.text_area(key=f"comment_{id_}").set_value("Too sure.").run()
    app.button(key="send_feedback").click().run()
    assert [success.value for success in app.success] == ["Your feedback is saved. Thank you."]
    open_heatmap(app)
    app.segmented_control(key=f"agrees_{id_}").set_value(4)
    app.segmented_control(key=f"heatmap_on_lesion_{id_}").set_value(5).run()
    app.button(key="send_feedback").click().run()
    row = store.answers().iloc[-1]
    assert (row["agrees"], row["heatmap_on_lesion"], row["comment"]) == (4, 5, "Too sure.")
    assert rows_of(store)["feedback"] == 1


def test_empty_feedback_is_not_saved(app, store):
    finish(answer(use_sample(app)))
    app.button(key="send_feedback").click().run()
    assert problems(app) == ["Give a rating or write a comment first."]
    assert not app.success
    assert "feedback" not in rows_of(store)


def test_answer_of_the_former_scale_is_kept_as_it_is_and_changed_in_five_steps(app, store):
    """Before there were five steps, 0 to 100 in tens could be chosen."""
    answer(use_sample(app), ["mole"])
    with store.writing() as session:
        session.scalars(select(Answer)).one().confidence = 60
    assert "Nevus 60%" in texts(app.run())
    assert confidence(change(app, ["melanoma"]), "after").value == 70
    again = reload(app)
    finish(again)
    assert list(store.answers()["confidence"]) == [60, 60]


def test_browser_that_forgot_the_feedback_cannot_overwrite_it(app, store):
    finish(answer(use_sample(app)))
    id_ = case(app).id
    app.segmented_control(key=f"agrees_{id_}").set_value(2)
    app.text_area(key=f"comment_{id_}").set_value("Too sure.").run()
    app._run(as_drawn_anew(app))
    app.button(key="send_feedback").click().run()
    app.segmented_control(key=f"agrees_{id_}").set_value(4)
    app.text_area(key=f"comment_{id_}").set_value("Much too sure.").run()
    app._run(as_drawn_anew(app))
    assert not app.exception
    assert app.segmented_control(key=f"agrees_{id_}").value == 4
    row = store.answers().iloc[-1]
    assert (row["agrees"], row["comment"]) == (2, "Too sure.")
    app.button(key="send_feedback").click().run()
    row = store.answers().iloc[-1]
    assert (row["agrees"], row["comment"]) == (4, "Much too sure.")


def test_deleted_case_leaves_nothing(app, store, drawn_photo):
    upload(app, "lesion.jpg", drawn_photo)
    app.checkbox(key=case(app).key("keep_photo")).check().run()
    finish(answer(type_words(app)))
    app.text_area(key=f"comment_{case(app).id}").set_value("No help.").run()
    app.button(key="send_feedback").click().run()
    assert rows_of(store)["photos"] == rows_of(store)["feedback"] == 1
    app.button(key="delete").click().run()
    assert rows_of(store) == {"clinicians": 1}
    assert words_area(app).value == ""
    assert WORDS.encode() not in b"".join(
        file.read_bytes() for file in Path(store.engine.url.database).parent.iterdir()
    )


@pytest.mark.parametrize("is_ticked", [False, True])
def test_photo_is_kept_only_where_ticked(app, store, drawn_photo, is_ticked):
    upload(app, "lesion.jpg", drawn_photo)
    assert "The photo is not kept" in texts(app)
    if is_ticked:
        app.checkbox(key=case(app).key("keep_photo")).check().run()
        assert "The photo is kept" in texts(app)
    answer(app)
    assert rows_of(store).get("photos", 0) == is_ticked
    assert (flow.kept_photo(store, case(app).id) is not None) == is_ticked


# A reload: what was typed, and the result that was kept


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser with a secret, in which a session has ended once the next one begins; AppTest has neither."""
    monkeypatch.setattr(readers, "browser_secret", lambda: "b" * 43)
    monkeypatch.setattr(typed, "_is_active", lambda session: False)


def as_the_same_browser() -> AppTest:
    return AppTest.from_file(APP, default_timeout=TIMEOUT).run()


def test_what_was_typed_survives_a_reload_but_the_photo(browser, app, drawn_photo, monkeypatch):
    upload(app, "lesion.jpg", drawn_photo)
    type_words(app)
    give(app, ["melanoma", "my own idea"])
    app.text_input(key=f"reason_before_{case(app).id}").set_value("the border")
    app.button(key=f"chip_bleed_{case(app).id}").click().run()
    again = as_the_same_browser()
    assert not again.exception
    assert typed.PHOTO_IS_NOT in [info.value for info in again.info]
    assert words_area(again).value == WORDS
    assert ranks(again, "before").value == ["melanoma", "my own idea"]
    assert confidence(again, "before").value == 70
    assert again.text_input(key=f"reason_before_{case(app).id}").value == "the border"
    assert case(again).facts.answer("bleed") == case(app).facts.answer("bleed") == "no"
    monkeypatch.setattr(typed, "_is_active", lambda session: True)
    second_window = AppTest.from_file(APP, default_timeout=TIMEOUT).run()
    assert words_area(second_window).value == ""


def test_what_was_saved_or_taken_back_does_not_come_back(browser, app):
    type_words(app)
    type_words(app, "")
    assert words_area(as_the_same_browser()).value == ""
    answer(type_words(app))
    assert words_area(as_the_same_browser()).value == ""


@pytest.fixture
def no_more_models(monkeypatch: pytest.MonkeyPatch):
    """To be called before a reload: from then on asking the models fails."""

    def asked(*arguments):
        raise AssertionError("The models were asked.")

    return lambda: monkeypatch.setattr("skin_ai.predict.diagnose.verdict", asked)


def reload(app: AppTest) -> AppTest:
    """Another session of the same reader, at the address of the case on screen."""
    reloaded = AppTest.from_file(APP, default_timeout=TIMEOUT)
    reloaded.session_state["reader"] = app.session_state["reader"]
    reloaded.query_params["case"] = case(app).id
    reloaded.run()
    assert not reloaded.exception
    return reloaded


@pytest.mark.parametrize("is_kept", [False, True])
def test_reload_shows_the_kept_result_and_needs_the_photo_for_maps_only(
    app, drawn_photo, no_more_models, is_kept
):
    upload(app, "lesion.jpg", drawn_photo)
    if is_kept:
        app.checkbox(key=case(app).key("keep_photo")).check().run()
    answer(app, ["melanoma"])
    no_more_models()
    reloaded = reload(app)
    assert case(reloaded).id == case(app).id
    assert not is_without_result(reloaded)
    assert case(reloaded).diagnosis.answer == case(app).diagnosis.answer
    assert case(reloaded).diagnosis.steps == case(app).diagnosis.steps
    assert case(reloaded).diagnosis.heatmaps == {}
    open_heatmap(reloaded)
    if not is_kept:
        assert "was not kept" in reloaded.info[1].value
        assert "heatmap_type" not in {box.key for box in reloaded.selectbox}
        upload(reloaded, "lesion.jpg", as_jpeg(DRAWN[1].draw()))
        (problem,) = problems(reloaded)
        assert "choose the same file" in problem
        assert not is_without_result(reloaded)
        upload(reloaded, "lesion.jpg", drawn_photo)
    assert not reloaded.exception
    assert problems(reloaded) == []
    maps, before = case(reloaded).diagnosis.heatmaps, case(app).diagnosis.heatmaps
    assert maps.keys() == before.keys()
    for type_, evidence in before.items():
        assert maps[type_] == pytest.approx(evidence, abs=1e-5)
    assert "evidence" in texts(reloaded)


def test_kept_result_of_another_version_of_the_bundle_is_shown_without_what_needs_it(
    app, store, no_more_models
):
    answer(use_sample(app))
    with store.writing() as session:
        session.scalars(select(Run)).one().bundle_sha256 = "d" * 64
    no_more_models()
    reloaded = reload(app)
    assert "another version of the 6-tumour model" in reloaded.info[1].value
    assert case(reloaded).diagnosis.answer == case(app).diagnosis.answer
    assert not is_without_result(reloaded)
    assert "Where the photo model looked" not in [expander.label for expander in reloaded.expander]
    assert "what_if_symptom" not in {box.key for box in reloaded.selectbox}
    finish(reloaded)
    assert set(store.answers()["bundle_sha256"]) == {"d" * 64}


def test_what_if_can_be_tried_on_a_kept_result(app, no_more_models):
    answer(use_sample(app))
    no_more_models()
    reloaded = reload(app)
    reloaded.selectbox(key="what_if_symptom").set_value("hurt")
    reloaded.segmented_control(key="what_if_answer").set_value("no").run()
    assert not reloaded.exception
    assert ["Type", "Before", "Now"] in [list(table.value.columns) for table in reloaded.table]


def test_imported_result_is_shown_as_far_as_it_was_exported(app, store, no_more_models):
    answer(use_sample(app))
    expected = case(app).diagnosis.answer
    with store.writing() as session:
        run = session.scalars(select(Run)).one()
        run.result = {"answer": run.result["answer"]}
    no_more_models()
    reloaded = reload(app)
    assert case(reloaded).diagnosis.answer == expected
    assert "Only the ranked answer" in texts(reloaded)
    assert case(reloaded).diagnosis.bundle == case(app).diagnosis.bundle


def test_photo_is_asked_for_again_where_there_is_no_result_yet(app, store, drawn_photo):
    upload(app, "lesion.jpg", drawn_photo)
    with full_disk(store, "runs"):
        answer(app, ["melanoma"])
    reloaded = reload(app)
    assert "was not kept" in reloaded.info[1].value
    assert is_without_result(reloaded)
    upload(reloaded, "lesion.jpg", drawn_photo)
    assert not is_without_result(reloaded)


# Where saving fails


@pytest.mark.parametrize("table", ["clinicians", "cases", "answers"])
def test_failed_save_says_so_keeps_what_was_typed_and_can_be_retried(app, store, table):
    use_sample(app)
    type_words(app)
    with full_disk(store, table):
        answer(app, ["melanoma", "my own idea"])
        assert problems(app) == [DISK_IS_FULL]
        assert is_without_result(app)
    words_area(app).set_value(f"{WORDS} It itches.").run()
    assert words_area(app).value == f"{WORDS} It itches."
    assert ranks(app, "before").value == ["melanoma", "my own idea"]
    button(app, SAVE).click().run()
    assert problems(app) == []
    assert not is_without_result(app)
    assert kept_case(store, case(app).id).narrative == f"{WORDS} It itches."
    assert rows_of(store) == {"clinicians": 1, "cases": 1, "runs": 1, "readings": 1, "answers": 1}


def test_result_that_cannot_be_saved_is_not_shown_until_it_is(app, store):
    type_words(app)
    with full_disk(store, "runs"):
        answer(app)
        assert problems(app) == [DISK_IS_FULL]
        assert is_without_result(app)
    button(app, "Try again").click().run()
    assert problems(app) == []
    assert not is_without_result(app)


def test_failed_final_answer_and_feedback_keep_what_was_typed(app, store):
    answer(type_words(app), ["mole"])
    with full_disk(store, "answers"):
        finish(app)
        assert problems(app) == [DISK_IS_FULL]
        save_change(change(app, ["melanoma"], 90))
        assert problems(app) == [DISK_IS_FULL]
    assert ranks(app, "after").value == ["melanoma"]
    save_change(app)
    assert list(store.answers()["rank_1"]) == ["NEV", "MEL"]
    app.text_area(key=f"comment_{case(app).id}").set_value("Too sure.").run()
    with full_disk(store, "feedback"):
        app.button(key="send_feedback").click().run()
        assert problems(app) == [DISK_IS_FULL]
        assert not app.success
    assert app.text_area(key=f"comment_{case(app).id}").value == "Too sure."
    app.button(key="send_feedback").click().run()
    assert store.answers().iloc[-1]["comment"] == "Too sure."


# The About page, and a bundle that is missing


@pytest.mark.parametrize("page", ["skin_ai/pages/case.py", "skin_ai/pages/about.py"])
def test_missing_bundle_gives_one_sentence_that_names_the_file(without_bundle, app, page):
    app.switch_page(page).run()
    assert not app.exception
    assert [str(without_bundle / "pad-ufes-20" / "manifest.json") in error.value for error in app.error] == [
        True
    ]


def goes_to(app: AppTest, key: str) -> bool:
    """Whether the page's script puts the focus on the field with this key."""
    return any(f".st-key-{key} " in element.proto.body for element in app.get("html"))


def slider(app: AppTest, label: str):
    return next(slider for slider in app.slider if slider.label == label)


def labels(app: AppTest) -> list[str]:
    return [control.label for control in app.segmented_control]


def is_without_result(app: AppTest) -> bool:
    """Whether nothing is shown that only the AI could have said."""
    html = "\n".join(element.proto.body for element in app.get("html"))
    return not app.table and not any(part in html for part in ("verdict", "funnel", "Malignant"))


def kept_case(store: Store, case_id: str) -> Case:
    with store.reading() as session:
        return session.get_one(Case, case_id)


def store_ids(store: Store) -> list[str]:
    with store.reading() as session:
        return list(session.scalars(select(Case.id)))
