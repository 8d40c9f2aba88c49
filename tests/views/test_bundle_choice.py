"""Two bundles side by side, one of them made up: which one a case gets, and what the pages say of them."""

from dataclasses import replace
from pathlib import Path

import pytest
import two_bundles
from app_at_work import (
    APP,
    AT_ONCE,
    LATER,
    TIMEOUT,
    answer,
    as_drawn_anew,
    begin_anew,
    button,
    buttons,
    case,
    deck_zip,
    finish,
    give,
    open_heatmap,
    open_symptom_form,
    problems,
    rows_of,
    save_change,
    table_of,
    texts,
    type_words,
    use_sample,
    words_area,
)
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from skin_ai.model_card.labels import label
from skin_ai.model_card.tables import interval
from skin_ai.predict import bundle as bundles
from skin_ai.predict.diagnose import FLAGS
from skin_ai.study import deck as study_deck
from skin_ai.study import flow
from skin_ai.study.flow import FlowError
from skin_ai.study.store import Store
from skin_ai.study.tables import Case, Stage
from skin_ai.views.case import bundle_choice, symptom_form
from skin_ai.vocabulary import DURATIONS, KINDS, MORE_SYMPTOMS, REGIONS

PAD, SKIN = "pad-ufes-20", "skin-26"
TITLE = {PAD: "6-tumour model", SKIN: "26-disease model (history only)"}
HEATMAP = "The heatmap was on the lesion"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, made_up_26: Path) -> Path:
    return two_bundles.lay_out(tmp_path_factory.mktemp("two"), made_up_26)


@pytest.fixture(scope="module")
def refusing_folder(tmp_path_factory: pytest.TempPathFactory, made_up_26: Path) -> Path:
    return two_bundles.lay_out(tmp_path_factory.mktemp("refusing"), made_up_26, gate_threshold=0)


@pytest.fixture
def app_of_two(folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The app with two bundles."""
    monkeypatch.setattr(bundles, "WEIGHTS", folder)
    return AppTest.from_file(APP, default_timeout=TIMEOUT).run()


@pytest.fixture
def refusing_app(refusing_folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The app with two bundles, to one of which every photo is foreign."""
    monkeypatch.setattr(bundles, "WEIGHTS", refusing_folder)
    return AppTest.from_file(APP, default_timeout=TIMEOUT).run()


def choose(app: AppTest, name: str) -> AppTest:
    return app.radio(key=bundle_choice.CHOICE).set_value(name).run()


def reloaded(app: AppTest) -> AppTest:
    """Another session of the same reader that comes back to the case on screen."""
    fresh = AppTest.from_file(APP, default_timeout=TIMEOUT)
    fresh.session_state["reader"] = app.session_state["reader"]
    fresh.query_params["case"] = case(app).id
    return fresh.run()


def in_the_sidebar(app: AppTest) -> str:
    return "\n".join(element.value for element in (*app.sidebar.markdown, *app.sidebar.caption))


def labels(app: AppTest) -> list[str]:
    return [control.label for control in app.segmented_control]


def kept_cases(store: Store) -> list[str]:
    with store.reading() as session:
        return list(session.scalars(select(Case.id)))


def further_fields(app: AppTest) -> list[str]:
    known = ("What is it like?", "For how long?", "All affected sites", "Also present")
    return [one.label for one in (*app.selectbox, *app.multiselect) if one.label in known]


# Without the others


def test_one_bundle_leaves_nothing_to_choose(tmp_path, app, monkeypatch):
    for name in (PAD, bundles.SHARED):
        (tmp_path / name).symlink_to(bundles.WEIGHTS / name)
    monkeypatch.setattr(bundles, "WEIGHTS", tmp_path)
    type_words(app)
    assert not app.radio
    assert not in_the_sidebar(app)
    assert "AI: **" not in texts(app)
    assert further_fields(open_symptom_form(app)) == []
    assert case(answer(app)).diagnosis.bundle == PAD
    app.switch_page("skin_ai/pages/about.py").run()
    assert "The AI models" not in texts(app)


# Which one is asked


@pytest.mark.parametrize(
    ("choice", "give_case", "asked"),
    [
        (None, type_words, SKIN),
        (None, use_sample, PAD),
        (PAD, type_words, PAD),
        (SKIN, use_sample, SKIN),
    ],
)
def test_choice_or_the_photo_decides_and_the_page_says_so_before(app_of_two, store, choice, give_case, asked):
    if choice:
        choose(app_of_two, choice)
    give_case(app_of_two)
    assert f"AI: **{TITLE[asked]}**" in texts(app_of_two)
    assert asked in case(app_of_two).loaded
    answer(app_of_two)
    assert not app_of_two.exception
    assert case(app_of_two).diagnosis.bundle == asked
    assert list(store.answers()["bundle"]) == [asked]
    assert f"This case is answered by the **{TITLE[asked]}**" in in_the_sidebar(app_of_two)
    assert TITLE[asked] in texts(app_of_two)


def test_story_is_told_without_a_photo_and_is_answered_by_the_bundle_for_it(app_of_two, store):
    app_of_two.segmented_control(key=f"begin_with_{case(app_of_two).id}").set_value(True).run()
    assert "Tell a patient's story" in texts(app_of_two)
    assert not app_of_two.file_uploader
    answer(type_words(app_of_two, "Itchy red scaly patches on both elbows."), ["psoriasis"])
    assert not app_of_two.exception
    assert list(store.answers()["bundle"]) == [SKIN]
    button(app_of_two, "New case").click().run()
    assert app_of_two.file_uploader


def test_only_what_will_be_asked_is_loaded(app_of_two):
    assert case(app_of_two).loaded == {SKIN}
    use_sample(app_of_two)
    assert case(app_of_two).loaded == {SKIN, PAD}


@pytest.mark.parametrize("later", [SKIN, bundle_choice.AUTOMATIC])
def test_case_stays_with_the_bundle_that_answered_it(app_of_two, store, later):
    choose(app_of_two, PAD)
    answer(type_words(app_of_two))
    choose(app_of_two, later)
    assert case(app_of_two).diagnosis.bundle == PAD
    fresh = reloaded(app_of_two)
    choose(fresh, later)
    for session in (fresh, reloaded(fresh)):
        assert not session.exception
        assert case(session).diagnosis.bundle == PAD
        assert f"**{TITLE[PAD]}**; another choice applies to the next case" in in_the_sidebar(session)
    assert rows_of(store)["runs"] == 1
    finish(fresh)
    assert set(store.answers()["bundle"]) == {PAD}


def test_choice_survives_a_new_case_and_other_pages(app_of_two):
    choose(app_of_two, SKIN)
    answer(use_sample(app_of_two))
    app_of_two.switch_page("skin_ai/pages/about.py").run()
    app_of_two.switch_page("skin_ai/pages/case.py").run()
    button(app_of_two, "New case").click().run()
    use_sample(app_of_two)
    assert app_of_two.radio(key=bundle_choice.CHOICE).value == SKIN
    assert f"AI: **{TITLE[SKIN]}**" in texts(app_of_two)


def test_browser_that_forgot_the_choice_cannot_overwrite_it(app_of_two):
    choose(app_of_two, PAD)
    app_of_two._run(as_drawn_anew(app_of_two))
    assert app_of_two.radio(key=bundle_choice.CHOICE).value == PAD
    assert f"AI: **{TITLE[PAD]}**" in texts(app_of_two)


def test_next_visitor_begins_with_the_rule(app_of_two, store, monkeypatch):
    monkeypatch.setenv("SKIN_AI_KIOSK", "1")
    app = AppTest.from_file(APP, default_timeout=TIMEOUT).run()
    assert not app.radio
    app.button(key="begin_own").click().run()
    choose(app, PAD)
    app = begin_anew(app.button(key="next_visitor").click().run())
    app.button(key="begin_own").click().run()
    assert app.radio(key=bundle_choice.CHOICE).value == bundle_choice.AUTOMATIC


@pytest.mark.parametrize(("photo", "asked"), [("", SKIN), ("pearly-bump.jpg", PAD)])
def test_cases_of_a_deck_follow_the_same_rule_and_stay_blind(app_of_two, store, photo, asked):
    rows = [{"photo": photo, "narrative": "It itches on my arms.", "reference": "eczema"}]
    store.add_deck(study_deck.read_zip(deck_zip(rows), "One case"))
    app_of_two.switch_page("skin_ai/pages/deck.py").run()
    button(app_of_two, "Begin").click().run()
    app_of_two.switch_page("skin_ai/pages/case.py").run()
    give(app_of_two, ["eczema"])
    assert f"AI: **{TITLE[asked]}**" in texts(app_of_two)
    assert "runs" not in rows_of(store)
    assert case(app_of_two).diagnosis is None
    assert not app_of_two.get("plotly_chart")
    answer(app_of_two, ["eczema"])
    assert case(app_of_two).diagnosis.bundle == asked


def test_flow_gives_a_reader_no_second_bundle_of_a_case(app_of_two, store: Store, bundle):
    answer(use_sample(app_of_two))
    reader, id_ = app_of_two.session_state["reader"], case(app_of_two).id

    def never():
        raise AssertionError("The model was asked.")

    with pytest.raises(FlowError, match="already have a result"):
        flow.reveal(store, reader, id_, replace(bundle, name=SKIN, sha256="d" * 64), never)
    assert rows_of(store)["runs"] == 1


# A photo unlike any, without words


@pytest.fixture
def foreign(refusing_app) -> AppTest:
    choose(refusing_app, SKIN)
    words_area(use_sample(refusing_app)).set_value("").run()
    return answer(refusing_app, ["mole"])


def sections(app: AppTest) -> list[str]:
    """The parts of the result that stand behind a click."""
    titles = ("Why each was ruled out", "Where the photo model looked", "All numbers")
    return [expander.label for expander in app.expander if expander.label in titles]


def test_result_of_a_foreign_photo_is_a_guess_and_hidden_until_asked_for(foreign, store):
    assert not foreign.exception
    assert problems(foreign) == []
    assert FLAGS["photo_unlike_alone"] in texts(foreign)
    assert sections(foreign) == []
    assert not foreign.table
    assert "possible" not in texts(foreign)
    foreign.toggle(key="show_anyway").set_value(True).run()
    assert not foreign.exception
    assert "All numbers" in sections(foreign)
    assert "Not sure: all types are still possible." in texts(foreign)
    assert rows_of(store)["runs"] == 1


def test_foreign_photo_stays_with_the_bundle_that_was_asked(foreign, store):
    assert not [label for label in buttons(foreign) if label.startswith("Ask ")]
    assert f"This case is answered by the **{TITLE[SKIN]}**" in in_the_sidebar(foreign)
    choose(foreign, PAD)
    again = reloaded(foreign)
    for session in (foreign, again):
        assert not session.exception
        assert case(session).diagnosis.bundle == SKIN
    assert sections(again) == []
    finish(foreign)
    assert set(store.answers()["bundle"]) == {SKIN}


def test_final_answer_and_feedback_can_be_given_while_the_result_is_hidden(foreign, store):
    finish(foreign)
    assert "Your final answer is saved" in texts(foreign)
    assert sections(foreign) == []
    foreign.text_area(key=f"comment_{case(foreign).id}").set_value("No help.").run()
    foreign.button(key="send_feedback").click().run()
    rows = store.answers()
    assert list(rows["stage"]) == ["before", "after"]
    assert rows.iloc[-1]["comment"] == "No help."


def test_next_case_begins_with_its_result_hidden_again(foreign):
    foreign.toggle(key="show_anyway").set_value(True).run()
    button(foreign, "New case").click().run()
    words_area(use_sample(foreign)).set_value("").run()
    answer(foreign, ["mole"])
    assert foreign.toggle(key="show_anyway").value is False
    assert sections(foreign) == []


def test_foreign_photo_at_once_leads_to_the_final_answer_too(refusing_app, store):
    choose(refusing_app, SKIN)
    words_area(use_sample(refusing_app)).set_value("").run()
    button(refusing_app, AT_ONCE).click().run()
    save_change(give(refusing_app, ["mole"], stage="after"))
    assert list(store.answers()["blinded"]) == [False]


def test_foreign_photo_with_words_hides_only_what_the_photo_model_says(refusing_app):
    choose(refusing_app, SKIN)
    answer(use_sample(refusing_app))
    assert FLAGS["photo_unlike"] in texts(refusing_app)
    assert "Photo alone" not in table_of(refusing_app)
    open_heatmap(refusing_app)
    assert "evidence" not in texts(refusing_app)
    refusing_app.toggle(key="show_anyway").set_value(True).run()
    assert "evidence" in texts(refusing_app)
    assert "Photo alone" in table_of(refusing_app)


@pytest.mark.parametrize(
    ("give_case", "is_judged"), [(type_words, False), (use_sample, False), (use_sample, True)]
)
def test_heatmap_is_judged_only_where_one_was_opened(app_of_two, give_case, is_judged):
    answer(give_case(app_of_two))
    if is_judged:
        open_heatmap(app_of_two)
    finish(app_of_two)
    assert "I agree with the AI's answer" in labels(app_of_two)
    assert (HEATMAP in labels(app_of_two)) == is_judged


def test_case_that_was_answered_without_a_result_stays_readable(app_of_two, store):
    """A database may hold some from when the AI could refuse a case."""
    button(type_words(app_of_two), LATER).click().run()
    reader, (id_,) = app_of_two.session_state["reader"], kept_cases(store)
    for stage in (Stage.BEFORE, Stage.AFTER):
        flow.commit(store, reader, id_, stage, flow.given(["melanoma"], 60))
    again = AppTest.from_file(APP, default_timeout=TIMEOUT)
    again.session_state["reader"] = reader
    again.query_params["case"] = id_
    again.run()
    assert not again.exception
    assert "You answered this case without an AI result." in texts(again)
    assert "This case was answered without an AI result." in in_the_sidebar(again)
    assert HEATMAP not in labels(again)
    assert "I agree with the AI's answer" not in labels(again)
    again.text_area(key=f"comment_{id_}").set_value("No help.").run()
    again.button(key="send_feedback").click().run()
    rows = store.answers()
    assert set(rows["bundle"]) == {""} and set(rows["ai_answer"]) == {None}
    assert rows.iloc[-1]["comment"] == "No help."
    assert "runs" not in rows_of(store)
    again.switch_page("skin_ai/pages/compare.py").run()
    assert not again.exception


# What its form asks


@pytest.mark.parametrize(
    ("labels_of", "known"),
    [
        (symptom_form.KINDS, KINDS),
        (symptom_form.DURATIONS, DURATIONS),
        (symptom_form.REGIONS, REGIONS),
        (symptom_form.FURTHER_SYMPTOMS, MORE_SYMPTOMS),
    ],
)
def test_form_offers_every_fact_that_can_be_read(labels_of, known):
    assert tuple(labels_of) == tuple(known)


def test_form_asks_for_what_the_bundle_reads(app_of_two):
    assert len(further_fields(open_symptom_form(app_of_two))) == 4
    choose(app_of_two, PAD)
    assert further_fields(app_of_two) == []


# What is said of each


def test_sidebar_says_what_each_can_do(app_of_two):
    said = in_the_sidebar(app_of_two)
    assert f"**{TITLE[PAD]}**: 6 types; its photo model knows all of them." in said
    assert f"**{TITLE[SKIN]}**: 26 types; its photo model knows 6 of them." in said


def test_about_shows_one_bundle_at_a_time(app_of_two):
    app_of_two.switch_page("skin_ai/pages/about.py").run()
    assert "Options at each step: 6 → 3 → 2 → 1" in texts(app_of_two)
    app_of_two.segmented_control(key="about_bundle").set_value(SKIN).run()
    assert not app_of_two.exception
    shown = texts(app_of_two)
    assert "Options at each step: 26 → 13 → 6 → 3 → 1" in shown
    assert "only six of its 26 types" in shown
    assert "Tinea versicolor" in table_of(app_of_two)


def test_bundles_of_the_same_kind_are_told_apart(tmp_path, monkeypatch):
    for name in (PAD, "retrained"):
        (tmp_path / name).symlink_to(bundles.WEIGHTS / PAD)
    monkeypatch.setattr(bundles, "WEIGHTS", tmp_path)
    assert bundle_choice.title(PAD) == f"{TITLE[PAD]} ({PAD})"
    assert bundle_choice.title_of_version("retrained 0.2.0 (abc123)") == (
        f"{TITLE[PAD]} (retrained) 0.2.0 (abc123)"
    )


def test_pages_name_models_as_the_case_page_does(app_of_two):
    """The technical name stands once, beside the version."""
    for name, shown in TITLE.items():
        app_of_two.switch_page("skin_ai/pages/about.py").run()
        app_of_two.segmented_control(key="about_bundle").set_value(name).run()
        assert f"{shown} (bundle {name})" in texts(app_of_two)
        assert texts(app_of_two).count(name) == 1
        app_of_two.switch_page("skin_ai/pages/model_card.py").run()
        app_of_two.segmented_control(key="card_bundle").set_value(name).run()
        assert texts(app_of_two).count(f"undle {name}") == 1


def test_model_card_shows_one_bundle_at_a_time(app_of_two):
    app_of_two.switch_page("skin_ai/pages/model_card.py").run()
    assert "eliminates options in steps: 6 → 3 → 2 → 1" in texts(app_of_two)
    app_of_two.segmented_control(key="card_bundle").set_value(SKIN).run()
    assert not app_of_two.exception
    shown = texts(app_of_two)
    assert "eliminates options in steps: 26 → 13 → 6 → 3 → 1" in shown
    for told in two_bundles.FIGURES["words"].values():
        assert told["protocol"] in shown
        for name, mode in told["modes"].items():
            assert f"| {label(name)} | {interval(mode['balanced_accuracy'])} |" in shown
            assert interval(mode["top3"]) in shown
    assert "Eliminating less asking once, same model" in shown
    assert "| Basal cell carcinoma (BCC) | 8 of 10: 0.80 (0.76 to 0.84) | SCC 2 |" in shown
