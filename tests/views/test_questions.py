"""The next best question on the Case page, on the real bundle."""

import pytest
from app_at_work import APP, TIMEOUT, answer, button, case, problems, texts, type_words, upload
from drawn_cases import as_jpeg
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from skin_ai.study.database import StoreError
from skin_ai.study.tables import Run
from skin_ai.views.case import questions
from skin_ai.views.case.samples import SAMPLES
from skin_ai.vocabulary import MOST_QUESTIONS

OPEN = "I am 62. It is on my nose."


@pytest.fixture
def app(app, tmp_path) -> AppTest:
    """A result that some symptom could change."""
    file = as_jpeg(SAMPLES[7].pixels())
    return answer(type_words(upload(app, "lesion.jpg", file), OPEN))


@pytest.fixture
def bare_app(store) -> AppTest:
    """A photo without words, answered."""
    opened = AppTest.from_file(APP, default_timeout=TIMEOUT).run()
    return answer(upload(opened, "lesion.jpg", as_jpeg(SAMPLES[7].pixels())))


def asked(app):
    return [button for button in app.button if button.key and button.key.startswith("asked_")]


def tap(app, said="no"):
    (choice,) = [button for button in asked(app) if button.key.startswith(f"asked_{said}_")]
    return choice.click().run()


def test_an_answer_changes_the_result_and_is_kept_with_the_run(app, store):
    before = case(app).diagnosis
    assert [button.label for button in asked(app)] == list(questions.CHOICES.values())
    app = tap(app)
    assert not problems(app)
    now = case(app).diagnosis
    assert now.answer != before.answer
    assert now.recommendations == before.recommendations
    (kept,) = case(app).asked
    assert kept["before"]["type"] == before.answer[0].type
    assert questions.in_words(kept) in texts(app)
    with store.reading() as session:
        result = session.scalars(select(Run)).one().result
    assert result["asked"] == [kept]
    assert result["answer"][0]["type"] == before.answer[0].type


def test_answer_that_cannot_be_saved_changes_nothing_and_can_be_given_again(app, store, monkeypatch):
    before = case(app).diagnosis

    def full(*_):
        raise StoreError("Not saved.")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(questions.flow, "keep_asked", full)
        app = tap(app)
    assert problems(app) == ["Not saved."]
    assert case(app).diagnosis is before
    assert not case(app).asked
    app = tap(app)
    assert not problems(app)
    assert len(case(app).asked) == 1


def test_an_answer_that_is_not_known_changes_nothing(app):
    before = case(app).diagnosis
    app = tap(app, "unknown")
    assert case(app).diagnosis.answer == before.answer
    assert questions.in_words(case(app).asked[0]).endswith("*not known*: nothing changes")
    assert questions.in_words(case(app).asked[0]) in texts(app)


def test_from_a_photo_alone_not_known_leaves_the_answer_to_the_photo(bare_app):
    before = case(bare_app).diagnosis
    app = tap(bare_app, "unknown")
    assert case(app).diagnosis.answer == before.answer
    assert not problems(app)


def test_a_reload_shows_the_result_after_the_last_answer(app, store):
    app = tap(app)
    now = case(app).diagnosis
    reloaded = AppTest.from_file(APP, default_timeout=TIMEOUT)
    reloaded.session_state["reader"] = app.session_state["reader"]
    reloaded.query_params["case"] = case(app).id
    reloaded.run()
    assert case(reloaded).diagnosis.answer == now.answer
    assert case(reloaded).diagnosis.undecided == now.undecided
    assert questions.in_words(case(app).asked[0]) in texts(reloaded)


def test_no_symptom_is_asked_twice_and_it_ends(app):
    symptoms = []
    while asked(app):
        symptoms.append(case(app).asking.question.symptom)
        app = tap(app, "unknown")
    assert 0 < len(symptoms) == len(set(symptoms)) <= MOST_QUESTIONS
    assert (questions.NOTHING_MORE in texts(app)) is (len(symptoms) < MOST_QUESTIONS)


def test_nothing_is_asked_after_the_final_answer(app):
    app = tap(app)
    said = questions.in_words(case(app).asked[0])
    app.button(key="keep").click().run()
    assert not asked(app)
    assert said in texts(app)


def test_nothing_is_asked_before_the_own_answer(app):
    app = type_words(button(app, "New case").click().run(), OPEN)
    assert not asked(app)
    assert case(app).asking is None
