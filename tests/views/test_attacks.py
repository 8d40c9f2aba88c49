"""What a browser can send of itself opens nothing: forged widgets, addresses, another reader's pseudonym."""

import pytest
from app_at_work import APP, TIMEOUT, table_of, texts
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.testing.v1 import AppTest

from skin_ai.study import flow, logins
from skin_ai.study.flow import Given
from skin_ai.study.store import Store
from skin_ai.study.tables import Case, Stage
from skin_ai.views.session import kiosk, readers

THEIRS = "c" * 32  # the case of another reader
WORDS, COMMENT = "My unmistakable aunt.", "An unmistakable comment."


@pytest.fixture
def other_reader(store: Store) -> str:
    reader = store.add_clinician("nurse")
    flow.keep_case(store, reader, Case(id=THEIRS, narrative=WORDS))
    flow.commit(store, reader, THEIRS, Stage.BEFORE, Given(("MEL",), 70))
    flow.commit(store, reader, THEIRS, Stage.AFTER, Given(("NEV",), 70))
    flow.keep_feedback(store, reader, THEIRS, {"agrees": 5}, COMMENT)
    return reader


def forged(id_: str, reader: str) -> list[WidgetStates]:
    """Each kind of value that a browser can send for a widget, under a name of the session's state."""
    kinds = [
        {"trigger_value": True},
        {"bool_value": True},
        {"int_value": 1},
        {"double_value": 1.0},
        {"string_value": reader},
        {"bytes_value": reader.encode()},
        {"json_value": f'"{reader}"'},
        {"json_trigger_value": f'"{reader}"'},
    ]
    sent = []
    for kind in kinds:
        state = WidgetStates()
        state.widgets.add(id=id_, **kind)
        sent.append(state)
    for name, values in (
        ("string_array_value", [reader]),
        ("int_array_value", [1]),
        ("double_array_value", [1.0]),
    ):
        state = WidgetStates()
        getattr(state.widgets.add(id=id_), name).data[:] = values
        sent.append(state)
    return sent


def assert_nothing_is_open(app: AppTest) -> None:
    """Streamlit itself may end the run with an error: a forger's own page does not matter."""
    shown = texts(app) + table_of(app) + repr([area.value for area in app.text_area])
    assert WORDS not in shown and COMMENT not in shown
    # Figures may be downloaded by everybody.
    assert {button.proto.label for button in app.get("download_button")} <= {"Figures (CSV)"}
    assert app.session_state["reader"] is None


def test_forged_widgets_make_nobody_a_reader_or_study_staff(
    store: Store, other_reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKIN_AI_STUDY_PASSPHRASE", "a fig on the sill")
    app = AppTest.from_file(APP, default_timeout=TIMEOUT).run()
    for page in ("feedback", "compare"):
        app.switch_page(f"skin_ai/pages/{page}.py").run()
        app.session_state["reader"] = None
        for id_ in (readers.READER, readers.LET_IN, kiosk.VISITOR, readers.CODE_SHOWN):
            for sent in forged(id_, other_reader):
                app._run(sent)
                assert_nothing_is_open(app)


def test_address_of_another_readers_case_opens_nothing(store: Store, other_reader: str) -> None:
    app = AppTest.from_file(APP, default_timeout=TIMEOUT)
    app.query_params["case"] = THEIRS
    app.run()
    assert not app.exception
    assert_nothing_is_open(app)
    assert "case" not in app.query_params


def test_addresses_open_nothing_in_conference_mode(
    store: Store, other_reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKIN_AI_KIOSK", "yes")
    secret = "b" * 43  # of this browser, from before the conference
    logins.remember_browser(store, other_reader, secret)
    monkeypatch.setattr(readers, "secret_in", lambda _: secret)
    app = AppTest.from_file(APP, default_timeout=TIMEOUT)
    app.query_params["case"] = THEIRS
    app.run()
    assert not app.exception
    app.button(key="begin_own").click().run()
    assert not app.exception
    assert WORDS not in texts(app) + repr([area.value for area in app.text_area])
    app.switch_page("skin_ai/pages/compare.py").run()
    assert not app.exception
    assert app.session_state["reader"] != other_reader
    assert {button.proto.label for button in app.get("download_button")} <= {"Figures (CSV)"}
