"""The start screen of conference mode."""

from __future__ import annotations

from functools import cache

import streamlit as st

from skin_ai.study.database import StoreError
from skin_ai.study.store import Store
from skin_ai.views.case import inputs, pictures
from skin_ai.views.case.case_state import begin_case, current_case
from skin_ai.views.case.samples import SAMPLES
from skin_ai.views.session import kiosk, readers


def show(store: Store) -> None:
    st.title("Your judgement and an AI's")
    st.markdown(
        "Look at a skin lesion and give your diagnosis. Then see an AI rule out diagnoses step by step, and "
        "decide again."
    )
    role, years = readers.ask_who()
    st.subheader("Choose a case to begin")
    chosen = None
    columns = st.columns(len(SAMPLES), gap="medium")
    for column, sample in zip(columns, SAMPLES, strict=True):
        with column:
            title = sample.title.removeprefix("Drawn: ")
            pictures.show(drawn(sample.name), title[0].upper() + title[1:], sample.title)
            if st.button("Begin", key=f"begin_{sample.name}", width="stretch"):
                chosen = sample.name
    if st.button("Use a case of my own", key="begin_own"):
        chosen = ""
    st.caption("The pictures are drawings, not photos of patients. Your answers are kept without your name.")
    if chosen is not None:
        try:
            readers.become(store.add_clinician(role, years))
        except StoreError as error:
            st.error(str(error))
            return
        st.session_state[kiosk.VISITOR] = True
        begin_case()
        if chosen:
            inputs.take_sample(current_case().id, chosen)
        st.rerun()


@cache
def drawn(name: str) -> str:
    """The drawing as a data URI."""
    return pictures.as_uri(next(sample for sample in SAMPLES if sample.name == name).draw())
