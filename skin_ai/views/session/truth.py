"""What a visitor of a conference sees with the result of a sample: the truth and the day's score."""

from __future__ import annotations

import streamlit as st

from skin_ai.study import conference
from skin_ai.study.flow import Progress
from skin_ai.study.store import Store
from skin_ai.study.tables import Case
from skin_ai.views.case import focus
from skin_ai.views.case.case_state import CaseState
from skin_ai.views.case.elimination import name
from skin_ai.views.session import kiosk, readers, start_screen

# Whether the visitor and the AI are right; None for an AI that is not sure.
VERDICTS = {
    (True, True): "You and the AI are both right",
    (True, False): "You beat the AI",
    (True, None): "You are right; the AI is not sure",
    (False, True): "The AI is right, you are not",
    (False, False): "Neither you nor the AI is right",
    (False, None): "You are not right; the AI is not sure",
}


def is_told_at_once(kept: Case) -> bool:
    """Samples at a conference: they have no final answer, and so the truth cannot change it."""
    return kiosk.is_on() and bool(kept.sample)


def sure(confidence: int) -> str:
    return conference.SURENESS.get(confidence, f"{confidence}%")  # another one: of a case of their own


def who_is_right(case: CaseState, progress: Progress) -> tuple[bool, bool | None] | None:
    """As in VERDICTS; None before both have answered."""
    diagnosis, before, reference = case.diagnosis, progress.before, progress.case.reference
    if diagnosis is None or before is None:
        return None
    ai_is_right = None if diagnosis.undecided else diagnosis.answer[0].type == reference
    return before.ranks[0] == reference, ai_is_right


def show(store: Store, case: CaseState, progress: Progress) -> None:
    """The truth; the ticks stand at both diagnoses in the verdict below."""
    right = who_is_right(case, progress)
    if right is None:
        return
    kept, score = progress.case, conference.score(store, kiosk.midnight())
    with st.container(key="outcome", border=True, gap="xxsmall"):
        focus.heading(VERDICTS[right], "outcome", case.id)
        truth = f"**{name(kept.reference)}** is the diagnosis. {kept.explanation}"
        st.markdown(f"{truth} {in_words(score)}")


def marks(case: CaseState, progress: Progress) -> tuple[str, str]:
    """A tick or a cross for the visitor and for the AI.

    None where the truth is not told at once, and for an AI that is not sure.
    """
    right = who_is_right(case, progress) if is_told_at_once(progress.case) else None
    yours, ais = ({True: "✓ ", False: "✗ ", None: ""}[one] for one in right) if right else ("", "")
    return yours, ais


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
