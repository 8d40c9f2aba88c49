"""Who is reading: the reader, what they may see, and the study's database."""

from __future__ import annotations

import hmac
import math
from typing import Final

import streamlit as st
from streamlit import config, runtime
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.scriptrunner import get_script_run_ctx

from skin_ai import settings
from skin_ai.server.browser_secret import secret_in
from skin_ai.server.hosts import LOCAL
from skin_ai.server.tries import Tries
from skin_ai.study import logins
from skin_ai.study.database import StoreError
from skin_ai.study.store import Store, open_store
from skin_ai.views import notices
from skin_ai.views.case.case_state import begin_case
from skin_ai.views.session import kiosk, sign_in
from skin_ai.vocabulary import ROLES, YEARS_OF_PRACTICE

READER = "reader"
LET_IN = "study_is_open"
CODE_SHOWN = "code_shown"
# Of this server; apart, so that guessing codes does not keep study staff out.
PASSPHRASES: Final = Tries()
CODES: Final = Tries()


@st.cache_resource(show_spinner=False)
def _opened() -> Store:
    return open_store()


def store() -> Store | None:
    """The study's database; None, with the reason on the page, if it cannot be opened."""
    try:
        return _opened()
    except StoreError as error:
        st.error(str(error))
        return None


def current_reader() -> str | None:
    """The pseudonym of this session's reader; the browser remembers them, except in conference mode."""
    if READER not in st.session_state:
        secret = browser_secret()
        kept = store() if secret else None
        try:
            known = logins.reader_of_browser(kept, secret, sign_in.person()) if kept else None
        except StoreError:
            return None
        st.session_state[READER] = known
    reader: str | None = st.session_state[READER]
    return reader


def browser_secret() -> str:
    """What its cookie holds; "" in conference mode, where many people share a browser."""
    return "" if kiosk.is_on() else secret_in(st.context.cookies.to_dict())


def become(reader: str | None) -> None:
    """Makes this reader, or nobody, the reader of this session and this browser. Raises StoreError."""
    secret, kept = browser_secret(), store()
    if secret and kept and reader:
        logins.remember_browser(kept, reader, secret, sign_in.person())
    elif secret and kept:
        logins.forget_browser(kept, secret, sign_in.person())
    st.session_state[READER] = reader
    st.session_state.pop(CODE_SHOWN, None)


def may_manage_decks() -> bool:
    """Whether this session may load and delete decks.

    With sign-in: accounts with the study's role. Without: who gave the passphrase; everybody, if none is set
    and only this computer can reach the app.
    """
    if sees_each_reader():
        return True
    return not (sign_in.is_on() or settings.current().study_passphrase or _others_can_connect())


def who_manages_decks() -> str:
    """Who may, and how to become one of them, for everybody else."""
    how = ""
    if not sign_in.is_on():
        how = (
            " Enter the passphrase on the Feedback page."
            if settings.current().study_passphrase
            else " Administrators: set a passphrase or sign-in (docs/deployment.md)."
        )
    return f"Only study staff can load and delete decks.{how}"


def _others_can_connect() -> bool:
    return config.get_option("server.address") not in LOCAL or bool(settings.current().hosts)


def sees_each_reader() -> bool:
    """Whether this session may see the answers and comments of individual readers."""
    return sign_in.has_study_role() if sign_in.is_on() else bool(st.session_state.get(LET_IN))


def may_open_feedback() -> bool:
    """Whether the Feedback page is there: study staff with their role, or whoever knows the passphrase."""
    if sign_in.is_on():
        return sign_in.has_study_role()
    return bool(settings.current().study_passphrase)


def asks_to_see_each_reader() -> bool:
    """As `sees_each_reader`; if not, asks for the passphrase, where there is one."""
    if sees_each_reader():
        return True
    if not sign_in.is_on() and (passphrase := settings.current().study_passphrase):
        _ask_for(passphrase)
    return False


def _ask_for(passphrase: str) -> None:
    with st.form("passphrase", border=False):
        typed = st.text_input("Study passphrase", type="password", autocomplete="off")
        if not st.form_submit_button("Open", type="primary") or not _may_try(PASSPHRASES):
            return
        # In constant time, so that timing does not reveal how much of it was right.
        if not hmac.compare_digest(typed.encode(), passphrase.encode()):
            st.error("Wrong passphrase.")
            return
        PASSPHRASES.was_right()
        st.session_state[LET_IN] = True
        if (context := get_script_run_ctx()) is not None and runtime.exists():
            # Streamlit keeps a closed session for minutes: nobody may take this one over.
            runtime.get_instance().mark_session_nonresumable(context.session_id)
        st.rerun()


def _may_try(tries: Tries) -> bool:
    """Whether this session may guess now; if not, says when."""
    context = get_script_run_ctx()
    wait = tries.seconds_to_wait("" if context is None else context.session_id)
    if wait:
        st.error(f"Too many tries. Wait {math.ceil(wait)} seconds, then try again.")
    return not wait


def ask_who(role: str = "", years: str = "", key: str = "who") -> tuple[str, str]:
    """Role and years of practice, "" where nothing is chosen."""
    role = st.pills("Your role", ROLES, default=role or None, key=f"{key}_role") or ""
    years = st.pills("Years of practice", YEARS_OF_PRACTICE, default=years or None, key=f"{key}_years") or ""
    return role, years


def head(title: str) -> DeltaGenerator:
    """The page's title; what is put into the row stands on its right, on a phone too."""
    row = st.container(
        key="head", horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"
    )
    row.title(title, width="content")
    return row


def show_reader(store: Store) -> None:
    """A small menu: who the reader is, a code for another device, and switching to another reader."""
    reader = current_reader()
    with st.popover(f"Reader {reader}" if reader else "Reader", icon=":material/badge:", type="tertiary"):
        if reader:
            known = store.clinician(reader)
            st.markdown(
                f"In the study's files you are **{reader}**. Nobody can open your cases with this name."
            )
            if known is not None:
                former = (known.role, known.years_of_practice)
                new = ask_who(*former, key=f"who_{reader}")
                if new != former:
                    store.describe_clinician(reader, *new)
            _offer_code(store, reader, is_replaced=known is not None and known.code_hash is not None)
            st.button("Switch reader", on_click=_leave, help="To come back, you need a code.")
        typed = st.text_input("I already have a code", key="typed_code", autocomplete="off", max_chars=12)
        if st.button("Continue as this reader") and typed:
            _continue_as(store, typed)


def _offer_code(store: Store, reader: str, *, is_replaced: bool) -> None:
    if st.button(
        "Make a code for another device", help="It replaces the former one." if is_replaced else None
    ):
        st.session_state[CODE_SHOWN] = logins.new_code(store, reader, sign_in.person())
    if code := st.session_state.get(CODE_SHOWN):
        st.markdown(f"Your code is **{code}**. Note it down and keep it to yourself: it opens your cases.")


def _continue_as(store: Store, typed: str) -> None:
    if not _may_try(CODES):
        return
    found = logins.reader_with_code(store, typed, sign_in.person())
    if found is None:
        st.error("No reader has this code. Check it, or continue without one.")
        return
    CODES.was_right()
    if current_reader():
        begin_case()  # the one on screen is the former reader's
    become(found)
    st.rerun()


def _leave() -> None:
    """Also closes the case on screen, which the next reader could not answer."""
    try:
        become(None)
    except StoreError as error:
        notices.say_next(str(error))
    else:
        begin_case()


def joined_reader(store: Store, role: str = "", years: str = "") -> str:
    """The current reader's pseudonym, or that of a new reader if there is none. Raises StoreError."""
    reader = current_reader()
    if reader is None:
        reader = store.add_clinician(role, years)
        become(reader)
    return reader
