"""Who is reading, and what is kept of it: what the pages share of a study."""

from __future__ import annotations

import hmac
import os
from datetime import timedelta

import streamlit as st

from skin_ai.study.database import StoreError
from skin_ai.study.store import Store, open_store
from skin_ai.views.case.case_state import begin_case
from skin_ai.views.session import kiosk, sign_in
from skin_ai.vocabulary import ROLES, YEARS_OF_PRACTICE

READER = "reader"
PASSPHRASE = "SKIN_AI_STUDY_PASSPHRASE"
LET_IN = "study_is_open"
COOKIE = "skin_ai_reader"
COOKIE_AGE = timedelta(days=365)
# Streamlit reads cookies and sets none. The code, of letters that we chose, is no user's text.
SET_COOKIE = (
    "<script>document.cookie = '{name}={value}; Max-Age={age}; Path=/; SameSite=Strict'"
    " + (location.protocol === 'https:' ? '; Secure' : '')</script>"
)


@st.cache_resource(show_spinner=False)
def _opened() -> Store:
    return open_store()


def store() -> Store | None:
    """What is kept; None, with the reason on the page, where it cannot be opened."""
    try:
        return _opened()
    except StoreError as error:
        st.error(str(error))
        return None


def current_reader() -> str | None:
    """The code of whoever reads in this session: as the browser remembers it, except in conference mode."""
    if READER not in st.session_state:
        code = "" if kiosk.is_on() else st.context.cookies.get(_cookie(), "")
        kept = store() if code else None
        try:
            known = kept.clinician(code) if kept else None
        except StoreError:
            return None
        st.session_state[READER] = known.code if known else None
    reader: str | None = st.session_state[READER]
    return reader


def _cookie() -> str:
    """Its name: one for each person who signs in on this browser."""
    return COOKIE + sign_in.person()


def become(code: str | None) -> None:
    """This session, and from the next page on this browser, is of the reader with this code, or of nobody."""
    st.session_state[READER] = code
    st.session_state["cookie_to_set"] = code or ""


def remember_reader() -> None:
    """Lets the browser remember who is reading, so that a reload or a pause loses nothing."""
    code = st.session_state.pop("cookie_to_set", None)
    if code is not None and not kiosk.is_on():
        age = int(COOKIE_AGE.total_seconds()) if code else 0
        st.html(SET_COOKIE.format(name=_cookie(), value=code, age=age), unsafe_allow_javascript=True)


def may_run_study() -> bool:
    """Whether this session may load and delete decks.

    Where people sign in: who has the study's role. Else everybody, unless a passphrase is set and not given.
    """
    return sees_each_reader() or not (sign_in.is_on() or os.environ.get(PASSPHRASE))


def sees_each_reader() -> bool:
    """Whether this session may see what single readers answered and wrote."""
    return sign_in.has_study_role() if sign_in.is_on() else bool(st.session_state.get(LET_IN))


def asks_to_see_each_reader() -> bool:
    """`sees_each_reader`; where not, asks for what is missing or says how to set it."""
    if sees_each_reader():
        return True
    if sign_in.is_on():
        st.info(
            "This page shows what readers wrote. It is open to those who run the study: their account has "
            f"the role that the server's environment variable `{sign_in.STUDY_ROLE}` names."
        )
    elif passphrase := os.environ.get(PASSPHRASE):
        _ask_for(passphrase)
    else:
        st.info(
            "This page shows what readers wrote, so it is closed until a passphrase is set: start the app "
            f"with the environment variable `{PASSPHRASE}`."
        )
    return False


def _ask_for(passphrase: str) -> None:
    with st.form("passphrase", border=False):
        typed = st.text_input("Passphrase of the study", type="password", autocomplete="off")
        if st.form_submit_button("Open", type="primary"):
            # In a time that does not tell how much of it was right.
            if hmac.compare_digest(typed.encode(), passphrase.encode()):
                st.session_state[LET_IN] = True
                st.rerun()
            st.error("This is not the passphrase.")


def ask_who(role: str = "", years: str = "", key: str = "who") -> tuple[str, str]:
    """Two taps: role and years of practice, "" where nothing is chosen."""
    role = st.pills("Your role", ROLES, default=role or None, key=f"{key}_role") or ""
    years = st.pills("Years of practice", YEARS_OF_PRACTICE, default=years or None, key=f"{key}_years") or ""
    return role, years


def show_reader(store: Store) -> None:
    """Who is reading, in small; to change what they said of themselves, or to come back as another reader."""
    code = current_reader()
    with st.popover(f"Reader {code}" if code else "Reader", icon=":material/badge:", type="tertiary"):
        if code:
            st.markdown(f"Your code is **{code}**. It is no name; with it you can go on from another device.")
            known = store.clinician(code)
            if known is not None:
                said = (known.role, known.years_of_practice)
                new = ask_who(*said, key=f"who_{code}")
                if new != said:
                    store.describe_clinician(code, *new)
            st.button("Leave: somebody else reads now", on_click=_leave)
        typed = st.text_input("I have a code already", key="typed_code", autocomplete="off", max_chars=12)
        if st.button("Go on as this reader") and typed:
            found = store.clinician(typed)
            if found is None:
                st.error("No reader has this code; look at it again, or go on without one.")
            else:
                if code:
                    _leave()
                become(found.code)
                st.rerun()


def _leave() -> None:
    """Takes the reader's case off the screen too: whoever comes next could not answer it."""
    become(None)
    begin_case()


def joined_reader(store: Store, role: str = "", years: str = "") -> str:
    """The current reader; a new one, who gets a code, where there is none. Raises StoreError."""
    reader = current_reader()
    if reader is None:
        reader = store.add_clinician(role, years)
        become(reader)
    return reader
