"""The verdict is shown first; whether it is stable is found, shown and kept right after it."""

import pytest
from app_at_work import answer, case, html_texts, type_words
from streamlit.testing.v1 import AppTest

from skin_ai.predict import diagnose
from skin_ai.predict.stability import OPTIONS_REVERSED
from skin_ai.study import flow
from skin_ai.study.store import Store

IN_REVERSE = "With the options listed in reverse order, the answer would be nevus."


def kept(app: AppTest, store: Store) -> dict[str, object]:
    run = flow.kept_run(store, app.session_state["reader"], case(app).id)
    assert run is not None
    return run.result


def test_what_makes_the_answer_change_is_shown_and_kept(
    app: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnose, "unstable", lambda *_: {OPTIONS_REVERSED: "NEV"})
    answer(type_words(app))
    assert any(IN_REVERSE in text for text in html_texts(app))
    assert kept(app, store)["unstable"] == {OPTIONS_REVERSED: "NEV"}


def test_verdict_does_not_wait_for_it_and_a_later_run_finds_it(
    app: AppTest, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> dict[str, str]:
        raise RuntimeError("the visitor has left")

    monkeypatch.setattr(diagnose, "unstable", fails)
    answer(type_words(app))
    assert case(app).diagnosis.unstable is None and kept(app, store)["unstable"] is None
    assert any("verdict" in element.proto.body for element in app.get("html"))
    monkeypatch.setattr(diagnose, "unstable", lambda *_: {})
    app.run()
    assert case(app).diagnosis.unstable == {} and kept(app, store)["unstable"] == {}
