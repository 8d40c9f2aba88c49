"""The clinician's feedback on the result: three taps and a comment."""

from __future__ import annotations

import streamlit as st

from skin_ai.predict.narrative import NarrativeError
from skin_ai.study import flow
from skin_ai.study.database import StoreError
from skin_ai.study.flow import TEXT_LIMIT, FlowError, Progress
from skin_ai.study.store import SCALES, Store
from skin_ai.views import notices
from skin_ai.views.case.case_state import CaseState, as_it_stands
from skin_ai.vocabulary import RANKING

QUESTIONS = {
    "agrees": "I agree with the AI's answer",
    "heatmap_on_lesion": "The heatmap was on the lesion",
    "steps_helped": "The steps helped me",
    "would_use": "I would use this",
}
ANSWERS = (1, 2, 3, 4, 5)
assert tuple(QUESTIONS) == SCALES


def ask(store: Store, case: CaseState, progress: Progress) -> None:
    """Each scale may stay empty; sending again replaces what was sent before.

    The scales rate a result: without one, only the comment is asked for. Heatmap and steps are rated only by
    who saw them.
    """
    former = progress.feedback
    rated_before = former is not None and former.heatmap_on_lesion is not None
    asked = [
        scale
        for scale in QUESTIONS
        if case.diagnosis
        and (scale != "heatmap_on_lesion" or case.saw_heatmap or rated_before)
        and (scale != "steps_helped" or progress.reading.arm != RANKING)
    ]
    if asked:
        st.caption("1: not at all, 5: fully")
    scales: dict[str, int | None] = dict.fromkeys(SCALES)
    with st.container(horizontal=True, gap="medium"):
        for scale in asked:
            key = f"{scale}_{case.id}"
            scales[scale] = st.segmented_control(
                QUESTIONS[scale],
                ANSWERS,
                default=as_it_stands(key, getattr(former, scale) if former else None),
                key=key,
                persist_state="session",
            )
    key = f"comment_{case.id}"
    comment = st.text_area(
        "Comment",
        as_it_stands(key, former.comment if former else ""),
        key=key,
        max_chars=TEXT_LIMIT,
        height=90,
        placeholder="What was good, wrong or missing?",
        persist_state="session",
    )
    place = st.empty()
    if st.button("Send feedback" if former is None else "Send changed feedback", key="send_feedback"):
        try:
            reader = progress.reading.clinician
            notices.say_next(flow.keep_feedback(store, reader, case.id, scales, comment))
        except (FlowError, NarrativeError, StoreError) as error:
            place.error(str(error))
        else:
            st.rerun()
    elif former is not None:
        place.success("Your feedback is saved. Thank you.")
