"""What a visitor of a conference sees with the result of a sample: the truth and the day's score."""

from __future__ import annotations

import streamlit as st

from skin_ai.diseases import DISEASES
from skin_ai.study import conference
from skin_ai.study.flow import Progress
from skin_ai.study.store import Store
from skin_ai.study.tables import Case
from skin_ai.views.case import answer_form, focus
from skin_ai.views.case.case_state import CaseState
from skin_ai.views.case.elimination import name
from skin_ai.views.session import kiosk, readers, start_screen

# Whether the visitor and the AI are right.
VERDICTS = {
    (True, True): "You and the AI are both right",
    (True, False): "You beat the AI",
    (False, True): "The AI beats you",
    (False, False): "Neither you nor the AI is right",
}


def is_told_at_once(kept: Case) -> bool:
    """Samples at a conference: they have no final answer, and so the truth cannot change it."""
    return kiosk.is_on() and bool(kept.sample)


def sure(confidence: int) -> str:
    return conference.SURENESS.get(confidence, f"{confidence}%")  # another one: of a case of their own


def show(store: Store, case: CaseState, progress: Progress) -> None:
    diagnosis, before, reference = case.diagnosis, progress.before, progress.case.reference
    if diagnosis is None or before is None:
        return
    first = diagnosis.answer[0].type
    is_right, ai_is_right = before.ranks[0] == reference, first == reference and not diagnosis.undecided
    score = conference.score(store, kiosk.midnight())
    with st.container(key="outcome", border=True, gap="xxsmall"):
        focus.heading(VERDICTS[is_right, ai_is_right], "outcome", case.id)
        st.markdown(f"**{name(reference)}** is the diagnosis. {progress.case.explanation}")
        ai = f"not sure, most likely {DISEASES[first].name}" if diagnosis.undecided else name(first)
        own = f"{answer_form.written(before.ranks[0])}, {sure(before.confidence)}"
        with st.container(key="who_is_right", horizontal=True, gap="medium"):
            st.text(f"{mark(is_right)} You: {own}", width="content")
            st.text(f"{mark(ai_is_right)} AI: {ai}", width="content")
        st.markdown(in_words(score))


def mark(is_right: bool) -> str:
    return "✓" if is_right else "✗"


def in_words(score: conference.Score) -> str:
    return (
        f"Today, on the same cases: visitors **{score.visitors} of {score.n}** right, "
        f"the AI **{score.ai} of {score.n}**."
    )


def offer_next(store: Store, progress: Progress) -> None:
    """In sight whatever is on screen: another case, an own photo or a story. Then: who the visitor is."""
    with st.container(key="bar"):
        start_screen.offer_others(is_primary=True)
    reader = progress.reading.clinician
    known = store.clinician(reader)
    former = (known.role, known.years_of_practice) if known else ("", "")
    with st.expander("About you (optional)"):
        said = readers.ask_who(*former, key=f"who_{reader}")
    if said != former:
        store.describe_clinician(reader, *said)
