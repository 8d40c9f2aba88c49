"""Conference mode's change of visitors, run by run."""

import time
from datetime import timedelta
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from skin_ai.views.session import kiosk


def page_of_a_visitor() -> None:
    import streamlit as st

    from skin_ai.views.session import kiosk

    kiosk.leave_if_asked()
    st.write("A case")


def test_every_run_after_the_last_visitor_reloads_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that follows at once replaces what the one before it has not sent."""
    runtime = SimpleNamespace(mark_session_nonresumable=lambda session: None)
    monkeypatch.setattr(kiosk, "runtime", SimpleNamespace(get_instance=lambda: runtime))
    page = AppTest.from_function(page_of_a_visitor)
    page.session_state["words"] = "it itches"
    page.session_state[kiosk.LEAVING] = True
    for _ in range(2):
        page.run()
        assert [element.proto.body for element in page.get("html")] == [kiosk.RELOAD]
        assert not page.markdown
        assert "words" not in page.session_state


def watch_over_a_visitor() -> None:
    from skin_ai.views.session import kiosk

    kiosk.leave_if_asked()
    kiosk._watch()


def test_nobody_is_cleared_who_was_not_warned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine looks late: only the second look after the limit clears."""
    runtime = SimpleNamespace(mark_session_nonresumable=lambda session: None)
    monkeypatch.setattr(kiosk, "runtime", SimpleNamespace(get_instance=lambda: runtime))
    monkeypatch.setattr(kiosk, "idle_limit", lambda: timedelta(seconds=20))
    page = AppTest.from_function(watch_over_a_visitor)
    page.session_state[kiosk.LAST_SEEN] = time.monotonic() - 60
    page.run()
    assert page.warning[0].value.startswith("Are you still there?")
    assert kiosk.LEAVING not in page.session_state
    page.run()
    assert kiosk.LEAVING in page.session_state
