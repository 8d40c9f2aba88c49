"""Conference mode: many visitors on one laptop; each visitor's data is cleared before the next.

Switched on by the setting SKIN_AI_KIOSK.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from skin_ai import settings
from skin_ai.server import handover
from skin_ai.study.database import StoreError
from skin_ai.study.store import Store
from skin_ai.vocabulary import plural

VISITOR: Final = "visitor"
LEAVING: Final = "leaving"
LAST_SEEN: Final = "last_seen"
IS_WARNED: Final = "is_warned"
WARNED: Final = 0.75  # of the idle limit
LOOK_EVERY: Final = timedelta(seconds=5)
# Reloads the app's first page, which a proxy may serve under a path of its own, so that nothing of the last
# visitor is left in the browser's memory either.
RELOAD: Final = "<script>window.location.replace(new URL('.', document.baseURI))</script>"
# The warning is visible wherever the visitor has scrolled to.
OF_THE_WATCH: Final = (
    "<style>.st-key-somebody_is_there {display: none} "
    ".st-key-idle {position: fixed; bottom: 1rem; left: 50%; transform: translateX(-50%); "
    "width: min(36rem, 92vw); z-index: 99; padding: 1rem; border-radius: 0.5rem; background: Canvas; "
    "box-shadow: 0 0 2rem rgba(0, 0, 0, 0.4)}</style>"
)


def is_on() -> bool:
    return settings.current().is_kiosk


def idle_limit() -> timedelta:
    """How long without any input until the session is cleared."""
    return timedelta(minutes=settings.current().kiosk_minutes)


def next_visitor() -> None:
    """Marks the session, so that the next run deletes everything typed, uploaded, answered and shown."""
    st.session_state[LEAVING] = True


def leave_if_asked() -> None:
    """In every run after `next_visitor`: deletes everything, shows nothing, and reloads the page.

    This also ends the session. Otherwise Streamlit would keep it for minutes, in case the browser
    reconnects, together with callbacks' arguments and fields' defaults, which hold the visitor's case.
    The mark stays until then: a run that follows at once (a field that was left, a timer) removes from
    Streamlit's queue what the run before it has not sent, the reload included.
    """
    context = get_script_run_ctx()
    if context is None or LEAVING not in st.session_state:
        return
    runtime.get_instance().mark_session_nonresumable(context.session_id)
    context.uploaded_file_mgr.remove_session_files(context.session_id)
    handover.CODES.void(context.session_id)
    st.html(RELOAD, unsafe_allow_javascript=True)
    for key in st.session_state.to_dict().keys() - {LEAVING}:
        st.session_state.pop(key, None)
    st.stop()


def bar(store: Store | None) -> None:
    """Above each page: today's counts for the staff, and the button for the next visitor."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.caption(_counter(store))
        if has_visitor():
            st.button(
                "Next visitor", icon=":material/restart_alt:", on_click=next_visitor, key="next_visitor"
            )
    if has_visitor():
        st.html(OF_THE_WATCH)
        _watch()


def has_visitor() -> bool:
    return VISITOR in st.session_state


def begin_visit() -> None:
    """From the first tap on there is something to clear."""
    st.session_state[VISITOR] = True


def midnight() -> datetime:
    """When today began."""
    return datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)


def _counter(store: Store | None) -> str:
    try:
        visitors, answers = store.counts(midnight()) if store else (0, 0)
    except StoreError as error:
        return str(error)
    return f"Today: {plural(visitors, 'visitor')}, {plural(answers, 'answer')}"


@st.fragment(run_every=LOOK_EVERY)
def _watch() -> None:
    if LEAVING in st.session_state:
        st.rerun()
    # Clicked by server/page_script.js when a visitor clicks, types, touches or scrolls.
    st.button("Somebody is there", key="somebody_is_there", on_click=note_presence)
    idle = timedelta(seconds=time.monotonic() - st.session_state.get(LAST_SEEN, time.monotonic()))
    # On a busy machine a look may come late: nobody is cleared who was not warned in an earlier one.
    if idle >= idle_limit() and st.session_state.get(IS_WARNED):
        next_visitor()
        st.rerun()
    if idle >= WARNED * idle_limit():
        st.session_state[IS_WARNED] = True
        left = max(round((idle_limit() - idle).total_seconds()), round(LOOK_EVERY.total_seconds()))
        with st.container(key="idle"):
            st.warning(f"Are you still there? This page is cleared for the next visitor in {left} seconds.")
            st.button("I am still here", type="primary", on_click=note_presence)


@contextmanager
def presence() -> Iterator[None]:
    """For a run: somebody is there when it begins, and when it ends, however long they waited for it."""
    note_presence()
    yield
    note_presence()


def note_presence() -> None:
    """Somebody is there now."""
    st.session_state[LAST_SEEN] = time.monotonic()
    st.session_state[IS_WARNED] = False
    st.session_state[IS_WARNED] = False
