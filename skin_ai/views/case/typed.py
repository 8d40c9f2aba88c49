"""What a visitor typed before saving, kept over a reload; never in conference mode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from skin_ai.server.drafts import Drafts
from skin_ai.study.tables import Stage
from skin_ai.views.case.case_state import CaseState, begin_case, current_case
from skin_ai.views.session import readers, sign_in

IS_KEPT: Final = "draft_is_kept"
IS_BACK: Final = "What you had typed before the reload is back."
PHOTO_IS_NOT: Final = f"{IS_BACK} Your photo was not kept: please give it again."


@dataclass(frozen=True)
class Typed:
    case_id: str
    words: str
    ranks: tuple[str, ...]
    confidence: int | None
    reason: str
    set_by_hand: dict[str, Any]
    said_then: dict[str, Any]
    fitzpatrick: int | None
    is_story: bool
    had_photo: bool


@st.cache_resource(show_spinner=False)
def _drafts() -> Drafts:
    return Drafts()


def keep(case: CaseState, ranks: list[str], confidence: int | None, reason: str) -> None:
    """In every run of the form: keeps what stands in it, and forgets it where nothing does."""
    context, token = get_script_run_ctx(), _token()
    if not token or context is None:
        return
    facts = case.facts
    words = case.words()
    if not (words or ranks or confidence is not None or reason or facts.set_by_hand):
        forget()
        return
    typed = Typed(
        case.id,
        words,
        tuple(ranks),
        confidence,
        reason,
        dict(facts.set_by_hand),
        dict(facts.said_then),
        case.fitzpatrick,
        case.is_story,
        case.photo is not None and not case.photo.sample,
    )
    _drafts().keep(token, context.session_id, typed)
    st.session_state[IS_KEPT] = True


def forget() -> None:
    """What this session typed; another window of the browser keeps its own."""
    if st.session_state.pop(IS_KEPT, False):
        _drafts().forget(_token())


def bring_back() -> None:
    """In a session without a case: what this browser's last session had typed."""
    token = _token()
    typed = _drafts().take(token, _is_active) if token else None
    if typed is None:
        return
    begin_case(typed.case_id)
    case = current_case()
    case.write_words(typed.words)
    case.taken[Stage.BEFORE] = list(typed.ranks)
    case.confidence_typed, case.reason_typed = typed.confidence, typed.reason
    case.facts.set_by_hand, case.facts.said_then = typed.set_by_hand, typed.said_then
    case.fitzpatrick, case.is_story = typed.fitzpatrick, typed.is_story
    case.came_back = PHOTO_IS_NOT if typed.had_photo else IS_BACK


def _is_active(session: str) -> bool:
    return runtime.exists() and runtime.get_instance().is_active_session(session)


def _token() -> str:
    """Of this browser and the account that is signed in; "" where many people share the browser."""
    secret = readers.browser_secret()
    return secret and secret + sign_in.person()
