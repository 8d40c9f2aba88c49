"""Deck and Feedback pages, readers and conference mode, run without a browser on the real bundle."""

import re
from types import SimpleNamespace

import pytest
from app_at_work import (
    APP,
    AT_ONCE,
    LATER,
    SAVE,
    TIMEOUT,
    answer,
    begin_anew,
    button,
    buttons,
    case,
    deck_zip,
    finish,
    give,
    problems,
    rows_of,
    save_change,
    table_of,
    texts,
    type_words,
    upload,
    words_area,
)
from drawn_samples import SAMPLES as DRAWN
from streamlit import config
from streamlit.testing.v1 import AppTest

from skin_ai.diseases import DISEASES
from skin_ai.server.tries import Tries
from skin_ai.study import export, logins
from skin_ai.study.flow import Given, commit, keep_case, keep_feedback, show_at_once
from skin_ai.study.store import Store, open_store
from skin_ai.study.tables import Case, Stage
from skin_ai.views.case.elimination import name
from skin_ai.views.case.samples import CREDIT, Sample
from skin_ai.views.session import readers
from skin_ai.views.session.readers import LET_IN
from skin_ai.vocabulary import ARMS, ROLES
from tests.study.made_up_study import answers

PASSPHRASE = "a fig on the sill"
ROWS = [
    {"photo": f"{sample.name}.jpg", "narrative": sample.narrative, "fitzpatrick": "2", "reference": reference}
    for sample, reference in zip(DRAWN[:2], ("rodent ulcer", "Spitz naevus"), strict=True)
]


def load_deck(app: AppTest, content: bytes) -> AppTest:
    app.switch_page("skin_ai/pages/deck.py").run()
    upload(app, "Two cases.zip", content, "application/zip")
    return button(app, "Check and load").click().run()


def begin(app: AppTest, label: str = "Begin") -> AppTest:
    """On to the deck's next case."""
    app.switch_page("skin_ai/pages/deck.py").run()
    button(app, label).click().run()
    return app.switch_page("skin_ai/pages/case.py").run()  # for AppTest forgets where st.switch_page led


# Decks


def test_deck_with_problems_is_refused_with_all_of_them_in_one_table(app, store):
    rows = [
        {"photo": "pearly-bump.jpg", "narrative": "", "age": "58", "fitzpatrick": "2"},
        {"photo": "missing.jpg", "narrative": "", "age": "old", "fitzpatrick": "9"},
        {"photo": "", "narrative": "", "age": "", "fitzpatrick": "3"},
    ]
    load_deck(app, deck_zip(rows))
    assert not app.exception
    assert len(problems(app)) == 1
    found = app.table[0].value
    assert list(zip(found["Row"], found["Column"], strict=True)) == [
        ("3", "photo"),
        ("3", "age"),
        ("3", "fitzpatrick"),
        ("4", "photo"),
    ]
    assert all(found["What to do"].str.len() > 20)
    assert rows_of(store) == {}


def test_zip_that_is_none_is_refused_in_one_sentence(app, store):
    load_deck(app, b"These are notes, not a zip.")
    assert not app.exception
    assert len(app.table[0].value) == 1
    assert "zip" in table_of(app)
    assert rows_of(store) == {}


@pytest.mark.parametrize("decision", ["Load it as it is", "Do not load it"])
def test_owner_decides_about_references_that_are_not_understood(app, store, decision):
    load_deck(app, deck_zip([ROWS[0], ROWS[1] | {"reference": "bcell"}]))
    (warning,) = app.warning
    assert (
        "1 understood, 1 not understood\\: row 3 'bcell'; did you mean basal cell carcinoma" in warning.value
    )
    assert list(app.table[0].value["Row"]) == ["3", ""]
    assert {"Check and load"}.isdisjoint(buttons(app))
    assert rows_of(store) == {}
    button(app, decision).click().run()
    assert not app.exception
    assert [size for _, size in store.decks()] == ([2] if decision == "Load it as it is" else [])
    assert decision not in buttons(app)


def test_another_file_is_checked_although_one_waits_for_a_decision(app, store):
    load_deck(app, deck_zip([ROWS[1] | {"reference": "bcell"}]))
    load_deck(app, deck_zip(ROWS))
    assert [size for _, size in store.decks()] == [2]


LOADED = "Loaded the deck “Two \\*cases\\*” with 2 cases\\. References\\: 2 understood\\."


def test_deck_is_read_blind_to_its_end_and_shows_the_reference_only_then(app, store):
    load_deck(app, deck_zip(ROWS, 'name = "Two *cases*"\nshow_reference = true\nnote = "Known *cases*."'))
    assert "Known *cases*." in [text.value for text in app.text]
    assert [success.value for success in app.success] == [LOADED]
    begin(app)
    for done in range(2):
        assert {AT_ONCE, LATER}.isdisjoint(buttons(app))
        assert "skin type" not in texts(app)
        assert "Reference" not in texts(app)
        answer(app, ["mole"])
        assert case(app).diagnosis is not None
        assert "Reference" not in texts(app)
        finish(app)
        assert ("Reference diagnosis: " in texts(app)) is (done == 1)
        if done == 0:
            button(app, "Next case").click().run()
    assert [success.value for success in app.success] == ["You have answered every case of this deck."]
    assert "Pause" not in [button.label for button in app.button]
    (references,) = [table.value for table in app.table if "Reference" in table.value]
    assert sorted(references["Reference"]) == ["Basal cell carcinoma", "Nevus"]
    assert set(references["You before"]) == {"✗ Nevus", "✓ Nevus"}
    answers = store.answers(deck="Two *cases*")
    assert sorted(answers["stage"]) == ["after", "after", "before", "before"]
    assert set(answers["truth"]) == {"BCC", "NEV"}
    assert answers["blinded"].all()


def test_deck_that_asks_for_management_and_malignancy_gets_both_in_one_tap_each(app, store):
    load_deck(app, deck_zip(ROWS[:1], "ask_management = true\nask_malignancy = true"))
    begin(app)
    answer(app, ["mole"])
    assert problems(app) == ["Say how likely it is that the lesion is malignant."]
    app.segmented_control(key=f"malignancy_before_{case(app).id}").set_value(30)
    app.segmented_control(key=f"management_before_{case(app).id}").set_value("follow up")
    button(app, SAVE).click().run()
    app.button(key="change").click().run()
    assert app.segmented_control(key=f"malignancy_after_{case(app).id}").value == 30
    app.segmented_control(key=f"management_after_{case(app).id}").set_value("biopsy or refer")
    save_change(app)
    assert not app.exception
    assert "Final: Nevus, 70% confident; malignant 30%; biopsy or refer" in texts(app)
    answers = store.answers()
    assert answers["management"].tolist() == ["follow up", "biopsy or refer"]
    assert answers["malignancy"].tolist() == [30, 30]


def test_kept_answer_keeps_management_and_malignancy(app, store):
    load_deck(app, deck_zip(ROWS[:1], "ask_management = true\nask_malignancy = true"))
    begin(app)
    app.segmented_control(key=f"malignancy_before_{case(app).id}").set_value(70)
    app.segmented_control(key=f"management_before_{case(app).id}").set_value("treat")
    answer(app, ["mole"])
    finish(app)
    assert store.answers()["management"].tolist() == ["treat", "treat"]
    assert store.answers()["malignancy"].tolist() == [70, 70]


WITH_ARMS = 'arms = ["nothing", "ranking", "steps", "steps and heatmap"]'
MAP, STEPS_BEHIND = "Where the photo model looked", ("Why each was ruled out", "All numbers")


@pytest.mark.parametrize("arm", ARMS)
def test_reader_is_shown_what_the_arm_is_named_after(app, store, monkeypatch, arm):
    """Of the elements that are sent to the browser, none is of a part that the arm does not have."""
    monkeypatch.setattr("skin_ai.study.flow.secrets", SimpleNamespace(choice=lambda arms: arm))
    load_deck(app, deck_zip(ROWS[:1], WITH_ARMS))
    begin(app)
    assert SAVE not in buttons(app)
    give(app, ["mole"])
    button(app, "Save my diagnosis").click().run()
    assert not app.exception
    labels, page = [expander.label for expander in app.expander], texts(app)
    assert ("Malignant in total" in page) == (arm != "nothing")
    assert ("Probability" in table_of(app)) == (arm != "nothing")
    html = "".join(element.proto.body for element in app.get("html"))
    assert ('class="funnel' in html) == arm.startswith("steps")
    assert ('class="dots"' in html) <= arm.startswith("steps")
    assert all((label in labels) == arm.startswith("steps") for label in STEPS_BEHIND)
    assert (MAP in labels) == (arm == "steps and heatmap")
    assert "What if" not in labels
    if arm == "steps and heatmap":
        assert any(box.key == "heatmap_type" for box in app.selectbox)
    if arm == "nothing":
        assert "Look again" in page
        assert case(app).diagnosis is None
        assert "runs" not in rows_of(store)
        assert not any(disease.name in page + table_of(app) for disease in DISEASES.values())
    finish(app)
    assert not app.exception
    assert store.answers()["arm"].tolist() == [arm, arm]
    asked = [choice.label for choice in app.segmented_control]
    assert ("The steps helped me" in asked) == arm.startswith("steps")


def test_other_cases_ask_for_a_diagnosis_only(app):
    assert [choice.label for choice in app.segmented_control if "malignan" in choice.label] == []
    assert [choice.label for choice in app.segmented_control if "would you do" in choice.label] == []


def test_consent_stands_before_the_first_case_and_can_be_withdrawn(app, store):
    load_deck(app, deck_zip(ROWS, 'consent = "You take part *freely*."'))
    assert "You take part *freely*." in [text.value for text in app.text]
    assert "Begin" not in buttons(app)
    begin(app, "I agree, begin")
    answer(app, ["mole"])
    app.switch_page("skin_ai/pages/deck.py").run()
    assert "You take part *freely*." not in [text.value for text in app.text]
    assert "You agreed on " in texts(app)
    app.session_state[LET_IN] = True
    deck_id = store.decks()[0][0].id
    app.session_state[f"overview_{deck_id}"] = True
    app.run()
    assert app.code[0].value == app.session_state["reader"]
    assert "0 of 2" in table_of(app)
    button(app, "Withdraw and delete").click().run()
    assert not app.exception
    assert app.session_state["reader"] is None
    assert store.decks()[0][0].withdrawn == 1
    assert {"clinicians", "answers", "readings", "consents"}.isdisjoint(rows_of(store))
    assert "I agree, begin" in buttons(app)
    assert "Withdrawn: 1." in texts(app)


def test_paused_deck_goes_on_where_it_was_left(app):
    load_deck(app, deck_zip(ROWS))
    begin(app)
    answer(app, ["mole"])
    left = case(app).id
    button(app, "Pause").click().run()
    assert case(app).id != left
    begin(app, "Continue")
    assert case(app).id == left
    assert "Malignant in total" in texts(app)
    finish(app)
    assert "Reference" not in texts(app)  # for this deck does not say so


def test_deleted_deck_takes_all_answers_with_it(app, store):
    load_deck(app, deck_zip(ROWS))
    begin(app)
    answer(app, ["mole"])
    app.switch_page("skin_ai/pages/deck.py").run()
    button(app, "Delete it").click().run()
    assert rows_of(store) == {"clinicians": 1}
    assert "No deck is loaded yet." in [info.value for info in app.info]


# Readers


@pytest.fixture(autouse=True)
def nobody_has_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries are counted in the whole process."""
    monkeypatch.setattr(readers, "PASSPHRASES", Tries())
    monkeypatch.setattr(readers, "CODES", Tries())


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> str:
    """The secret of the browser, which AppTest has not."""
    secret = "b" * 43
    monkeypatch.setattr(readers, "browser_secret", lambda: secret)
    return secret


def another_device() -> AppTest:
    return AppTest.from_file(APP, default_timeout=TIMEOUT).run()


def type_code(app: AppTest, code: str) -> AppTest:
    app.text_input(key="typed_code").set_value(code).run()
    return button(app, "Continue as this reader").click().run()


def code_on(app: AppTest) -> str:
    button(app, "Make a code for another device").click().run()
    return re.search(r"Your code is \*\*(\S+)\*\*", texts(app))[1]


def test_reader_comes_back_by_their_code_on_another_device(app, store):
    app.pills(key="who_role").set_value("nurse")
    app.pills(key="who_years").set_value("3-5")
    type_words(app)
    button(app, LATER).click().run()
    reader = app.session_state["reader"]
    code = code_on(app)
    other = another_device()
    assert "Continue" not in buttons(other)
    type_code(other, "AAAA-AAAA")
    assert "No reader has this code" in problems(other)[0]
    type_code(other, code.lower().replace("-", " "))
    assert other.session_state["reader"] == reader
    assert other.pills(key=f"who_{reader}_role").value == "nurse"
    button(other, "Continue").click().run()
    answer(other)
    assert list(store.answers()["years_of_practice"]) == ["3-5"]


def test_what_stands_in_exports_and_on_screen_opens_nothing(app, store):
    button(type_words(app), LATER).click().run()
    reader = app.session_state["reader"]
    assert reader in texts(app)
    code_on(app)
    other = type_code(another_device(), reader)
    assert other.session_state["reader"] is None
    assert "Continue" not in buttons(other)


def test_codes_cannot_be_guessed_one_after_the_other(app, store):
    reader = store.add_clinician()
    code = logins.new_code(store, reader)
    for _ in range(5):
        type_code(app, "AAAA-AAAA")
        assert "No reader has this code" in problems(app)[0]
    type_code(app, code)
    assert "Too many tries. Wait " in problems(app)[0]
    assert app.session_state["reader"] is None


def test_browser_knows_its_reader_again_until_they_leave(app, store, browser):
    button(type_words(app), LATER).click().run()
    reader = app.session_state["reader"]
    again = another_device()  # with the same cookie
    assert again.session_state["reader"] == reader
    button(again, "Switch reader").click().run()
    assert another_device().session_state["reader"] is None


def test_browser_of_another_account_is_another_reader(app, store, browser, monkeypatch):
    monkeypatch.setattr(readers.sign_in, "person", lambda: "account one")
    button(type_words(app), LATER).click().run()
    code = code_on(app)
    monkeypatch.setattr(readers.sign_in, "person", lambda: "account two")
    other = another_device()
    assert other.session_state["reader"] is None
    type_code(other, code)
    assert "No reader has this code" in problems(other)[0]


def test_reader_who_leaves_takes_their_cases_off_the_screen(app):
    answer(type_words(app))
    assert "Malignant in total" in texts(app)
    button(app, "Switch reader").click().run()
    assert app.session_state["reader"] is None
    assert "Malignant in total" not in texts(app)
    assert words_area(app).value == ""


# Feedback, for whoever runs the study


@pytest.fixture
def two_readings(store: Store) -> Store:
    """A nurse's, unblinded, and a student's, with a comment each."""
    for role, comment in (("nurse", "Too *sure*."), ("student", "Clear.")):
        reader = store.add_clinician(role)
        id_ = role.encode().hex().ljust(32, "0")
        keep_case(store, reader, Case(id=id_, narrative=f"Words to the {role}."))
        if role == "nurse":
            show_at_once(store, reader, id_)
        else:
            commit(store, reader, id_, Stage.BEFORE, Given(("NEV",), 50))
        commit(store, reader, id_, Stage.AFTER, Given(("MEL", "=own"), 80))
        scales = {"agrees": 2, "heatmap_on_lesion": None, "steps_helped": 5, "would_use": None}
        keep_feedback(store, reader, id_, scales, comment)
    return store


def open_feedback(app: AppTest, passphrase: str) -> AppTest:
    app.run().switch_page("skin_ai/pages/feedback.py").run()
    app.text_input[0].set_value(passphrase)
    return button(app, "Open").click().run()


def shows_data(app: AppTest) -> bool:
    return any(word in texts(app) + table_of(app) for word in ("Too", "Clear", "Words to", "Melanoma"))


def test_feedback_is_offered_only_where_somebody_may_open_it(two_readings, app, monkeypatch):
    page = "skin_ai/pages/feedback.py"
    with pytest.raises(ValueError):
        app.switch_page(page).run()
    monkeypatch.setenv("SKIN_AI_STUDY_PASSPHRASE", PASSPHRASE)
    app.run().switch_page(page).run()
    assert app.text_input


@pytest.mark.parametrize("typed", ["", "a fig", PASSPHRASE.upper(), "ein Fikus ✿"])
def test_wrong_passphrase_opens_nothing(two_readings, app, monkeypatch, typed):
    monkeypatch.setenv("SKIN_AI_STUDY_PASSPHRASE", PASSPHRASE)
    open_feedback(app, typed)
    assert not app.exception
    assert "passphrase" in problems(app)[0]
    assert not app.get("download_button")
    assert not shows_data(app)


def test_passphrase_cannot_be_guessed_one_after_the_other(two_readings, app, monkeypatch):
    monkeypatch.setenv("SKIN_AI_STUDY_PASSPHRASE", PASSPHRASE)
    for _ in range(5):
        open_feedback(app, "a guess")
        assert "Wrong passphrase." in problems(app)[0]
    open_feedback(app, PASSPHRASE)
    assert "Too many tries. Wait " in problems(app)[0]
    assert not shows_data(app)


def test_session_that_gave_the_passphrase_is_not_resumed(two_readings, app, monkeypatch):
    monkeypatch.setenv("SKIN_AI_STUDY_PASSPHRASE", PASSPHRASE)
    ended: list[str] = []
    server = SimpleNamespace(mark_session_nonresumable=ended.append)
    monkeypatch.setattr(readers, "runtime", SimpleNamespace(exists=lambda: True, get_instance=lambda: server))
    open_feedback(app, "a guess")
    assert ended == []
    open_feedback(app, PASSPHRASE)
    assert len(ended) == 1


def test_feedback_on_a_deck_is_hidden_from_staff_who_are_reading_it(app, store, monkeypatch):
    load_deck(app, deck_zip(ROWS))
    begin(app)
    answer(app, ["mole"])
    monkeypatch.setenv("SKIN_AI_STUDY_PASSPHRASE", PASSPHRASE)
    open_feedback(app, PASSPHRASE)
    assert "No answers yet." in texts(app)
    assert "Hidden until you have finished: Two cases" in texts(app)


def test_feedback_shows_comments_beside_their_cases_as_the_filters_say(two_readings, app, monkeypatch):
    monkeypatch.setenv("SKIN_AI_STUDY_PASSPHRASE", PASSPHRASE)
    open_feedback(app, PASSPHRASE)
    assert not app.exception
    assert "2 readers, 2 readings: 2 with feedback, 2 with a comment." in texts(app)
    assert {"“Too *sure*.”", "“Clear.”", "Words to the nurse."} <= {text.value for text in app.text}
    assert "Before the AI: Nevus, 50% confident" in texts(app)
    assert "Final: 1st Melanoma, 2nd =own; 80% confident" in texts(app)
    assert list(app.table[0].value["2"]) == ["2", "0", "0", "0"]
    app.selectbox(key="filter_role").set_value("student").run()
    assert {text.value for text in app.text} >= {"“Clear.”", "Words to the student."}
    assert "Too *sure*." not in texts(app)
    app.selectbox(key="filter_blinding").set_value("unblinded").run()
    assert not {"“Clear.”", "“Too *sure*.”"} & {text.value for text in app.text}
    app.selectbox(key="filter_role").set_value("all").run()
    assert "Too *sure*." in texts(app)
    app.switch_page("skin_ai/pages/about.py").run()
    app.switch_page("skin_ai/pages/feedback.py").run()
    assert shows_data(app)


def test_feedback_shows_what_the_ai_said_and_the_reference(store, app, monkeypatch):
    monkeypatch.setenv("SKIN_AI_STUDY_PASSPHRASE", PASSPHRASE)
    store.add_answers(answers(n_readers=1, n_cases=5, seed=2))
    open_feedback(app, PASSPHRASE)
    assert not app.exception
    said = texts(app).splitlines()
    references = [line for line in said if line.startswith("Reference diagnosis: ")]
    told_by_ai = [line for line in said if line.startswith(("✓ AI: ", "✗ AI: ", "AI: not sure"))]
    assert references
    assert len(references) == len(told_by_ai)


def test_filters_that_leave_nothing_break_nothing(store, app, monkeypatch):
    monkeypatch.setenv("SKIN_AI_STUDY_PASSPHRASE", PASSPHRASE)
    open_feedback(app, PASSPHRASE)
    assert "No answers yet." in texts(app)
    answer(type_words(app.switch_page("skin_ai/pages/case.py").run()))
    app.switch_page("skin_ai/pages/feedback.py").run()
    assert not app.exception
    assert "No feedback matches these filters." in texts(app)


# Conference mode


@pytest.fixture
def stand(store: Store, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The app as visitors of a conference find it."""
    monkeypatch.setenv("SKIN_AI_KIOSK", "1")
    return AppTest.from_file(APP, default_timeout=TIMEOUT).run()


def counter(app: AppTest) -> str:
    return next(caption.value for caption in app.caption if caption.value.startswith("Today:"))


def shown(app: AppTest) -> Sample:
    """The sample on the start screen."""
    return app.session_state["challenge"].sample


def beat(app: AppTest, diagnosis: str = "NEV", sure: int = 50) -> AppTest:
    """The three taps of a visitor."""
    place = app.session_state["challenge"].place
    app.pills(key=f"pick_{place}").set_value(diagnosis).run()
    app.segmented_control(key=f"sure_{place}").set_value(sure).run()
    return app.button(key="show_ai").click().run()


def test_start_screen_shows_a_case_and_nothing_to_type(stand):
    assert "Can you beat the AI?" in texts(stand)
    assert shown(stand).narrative in texts(stand)
    assert shown(stand).title in stand.get("image")[0].proto.imgs[0].alt
    assert stand.pills[0].options == [
        "Actinic keratosis", "Basal cell carcinoma", "Melanoma", "Nevus", "Seborrheic keratosis",
        "Squamous cell carcinoma", "Other",
    ]  # fmt: skip
    assert not (*stand.text_input, *stand.text_area, *stand.multiselect)
    assert "Next visitor" not in buttons(stand)
    assert CREDIT in texts(stand)


def test_three_taps_lead_to_result_truth_and_score(stand, store):
    sample = shown(stand)
    beat(stand, sample.reference, 83)
    assert not stand.exception
    said = texts(stand)
    assert f"**{name(sample.reference)}** is the diagnosis. Proven by {sample.proven_by}." in said
    assert f"✓ {name(sample.reference)} (very sure)" in said
    assert "Today, on the same cases: visitors **1 of 1** right" in said
    assert "Malignant in total" in said
    assert "Keep my answer" not in buttons(stand)
    row = store.answers().iloc[0]
    assert (row["sample"], row["stage"], row["rank_1"], row["confidence"], row["truth"]) == (
        sample.name, "before", sample.reference, 83, sample.reference,
    )  # fmt: skip
    assert row["blinded"]
    assert rows_of(store) == {"clinicians": 1, "cases": 1, "runs": 1, "readings": 1, "answers": 1}


@pytest.mark.parametrize(
    ("diagnosis", "sure", "problem", "field"),
    [(None, 50, "Choose a diagnosis.", "pick_0"), ("NEV", None, "Say how sure you are.", "sure_0")],
)
def test_missing_tap_is_asked_for_where_it_belongs(stand, store, diagnosis, sure, problem, field):
    beat(stand, diagnosis, sure)
    assert problems(stand) == [problem]
    assert any(f".st-key-{field} " in element.proto.body for element in stand.get("html"))
    assert rows_of(store) == {}


def test_other_diagnosis_is_kept_and_is_wrong(stand, store):
    beat(stand, "other")
    assert store.answers().iloc[0]["rank_1"] == "other"
    assert "✗ other (fairly sure)" in texts(stand)


def test_role_is_asked_afterwards_and_may_be_skipped(stand, store):
    assert not [pills for pills in stand.pills if "role" in pills.key]
    beat(stand)
    assert list(store.answers()["role"]) == [""]
    code = store.answers().iloc[0]["reader"]
    stand.pills(key=f"who_{code}_role").set_value(ROLES[0]).run()
    assert list(store.answers()["role"]) == [ROLES[0]]


def test_another_case_an_own_photo_and_a_story_are_one_tap_away(stand, store):
    first = shown(stand)
    stand.button(key="another_case").click().run()
    assert shown(stand) is not first
    beat(stand)
    stand.button(key="another_case").click().run()
    assert "Can you beat the AI?" in texts(stand)
    beat(stand)
    assert list(store.answers()["sample"]) == [
        sample.name for sample in stand.session_state["challenge"].order[1:3]
    ]
    assert rows_of(store)["clinicians"] == 1
    stand.button(key="begin_own").click().run()
    assert stand.file_uploader
    assert words_area(stand).value == ""
    button(stand, "Back to the samples").click().run()
    stand.button(key="begin_story").click().run()
    assert words_area(stand).value == ""
    answer(type_words(stand, "Itchy red scaly patches on both elbows."), ["psoriasis"])
    assert not stand.exception
    assert "Keep my answer" in buttons(stand)
    assert LATER not in buttons(stand)


def test_feedback_on_a_sample_reaches_who_runs_the_stand(stand, store, tmp_path):
    beat(stand)
    visitor = stand.session_state["reader"]
    stand.text_area[0].set_value("Too sure.").run()
    stand.button(key="send_feedback").click().run()
    assert not stand.exception
    assert [success.value for success in stand.success] == ["Your feedback is saved. Thank you."]
    told = store.answers(reader=visitor)
    assert list(zip(told["stage"], told["comment"], strict=True)) == [("before", "Too sure.")]
    exported = tmp_path / "answers.csv"
    exported.write_text(export.to_csv(told), encoding="utf-8")
    other = open_store(f"sqlite:///{tmp_path}/other.db")
    other.add_answers(export.read(exported))
    assert list(other.answers()["comment"]) == ["Too sure."]
    other.engine.dispose()


def test_every_visitor_has_an_order_of_their_own_that_stays(stand):
    draws = [stand.session_state["challenge"].order]
    assert stand.run().session_state["challenge"].order == draws[0]
    for _ in range(3):
        stand.button(key="begin_own").click().run()
        stand = begin_anew(stand.button(key="next_visitor").click().run())
        draws.append(stand.session_state["challenge"].order)
    assert [len({sample.name for sample in draw}) for draw in draws] == [12] * 4
    assert (
        len({tuple(sample.name for sample in draw) for draw in draws}) > 1
    )  # the same: once in 10 to the 26


def test_next_visitor_finds_nothing_of_the_last_one_but_the_counter(stand):
    assert counter(stand) == "Today: 0 visitors, 0 answers"
    stand.button(key="begin_own").click().run()
    type_words(stand, "My secret words")
    finish(answer(stand, ["my secret guess"]))
    assert counter(stand) == "Today: 1 visitor, 2 answers"
    assert "secret" in repr(stand.session_state)
    left = case(stand).id
    stand.button(key="next_visitor").click().run()
    kept = repr(stand.session_state)
    assert "secret" not in kept
    assert left not in kept
    assert "secret" not in texts(stand)
    stand = begin_anew(stand)
    assert "Can you beat the AI?" in texts(stand)
    stand.button(key="begin_own").click().run()
    assert case(stand).id != left
    assert words_area(stand).value == ""
    assert "Continue" not in buttons(stand)
    assert counter(stand) == "Today: 1 visitor, 2 answers"


def test_first_tap_begins_the_visit_and_whatever_is_done_prolongs_it(stand, monkeypatch):
    """The button is pressed by the page's script at every click, key, touch or scroll."""
    stand.pills(key="pick_0").set_value("NEV").run()
    assert "Next visitor" in buttons(stand)
    stand.session_state["last_seen"] -= 170  # of 180 seconds
    fragment = [element for element in stand.button if element.key == "somebody_is_there"]
    before = stand.session_state["last_seen"]
    fragment[0].click().run()
    assert stand.session_state["last_seen"] > before + 160


def test_decks_and_feedback_are_no_part_of_conference_mode(stand):
    for page in ("skin_ai/pages/deck.py", "skin_ai/pages/feedback.py"):
        with pytest.raises(ValueError):
            stand.switch_page(page).run()


@pytest.mark.parametrize(
    ("address", "hosts"), [("0.0.0.0", ""), (None, ""), ("10.0.0.5", ""), ("localhost", "skin.example.org")]
)
def test_decks_are_closed_where_others_can_connect_and_nobody_is_told_apart(app, monkeypatch, address, hosts):
    monkeypatch.setenv("SKIN_AI_HOSTS", hosts)
    shipped = config.get_option("server.address")
    config.set_option("server.address", address)
    try:
        app.switch_page("skin_ai/pages/deck.py").run()
    finally:
        config.set_option("server.address", shipped)
    assert not app.exception
    assert not app.file_uploader
    assert "Only study staff can load and delete decks. Administrators: set a passphrase" in texts(app)


def test_decks_are_loaded_and_deleted_only_with_the_passphrase_where_one_is_set(app, monkeypatch):
    load_deck(app, deck_zip(ROWS))
    assert app.file_uploader
    assert "Delete it" in buttons(app)
    monkeypatch.setenv("SKIN_AI_STUDY_PASSPHRASE", PASSPHRASE)
    app.run()
    assert not app.file_uploader
    assert "Delete it" not in buttons(app)
    assert "Begin" in buttons(app)
    open_feedback(app, PASSPHRASE)
    app.switch_page("skin_ai/pages/deck.py").run()
    assert app.file_uploader
    assert "Delete it" in buttons(app)
