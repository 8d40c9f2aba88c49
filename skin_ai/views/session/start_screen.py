"""The start screen of conference mode."""

from __future__ import annotations

import random

import streamlit as st

from skin_ai.study.database import StoreError
from skin_ai.study.store import Store
from skin_ai.views.case import inputs
from skin_ai.views.case.case_state import Photo, begin_case, current_case
from skin_ai.views.case.samples import SAMPLES
from skin_ai.views.session import kiosk, phone, readers

OFFERED = "offered_samples"
ON_SCREEN = 6  # drawn for each visitor


def show(store: Store) -> None:
    st.title("Your judgement and an AI's")
    st.markdown(
        "Look at a skin lesion and give your diagnosis. Then see an AI rule out diagnoses step by step, and "
        "decide again."
    )
    with st.expander("About you (optional)"):
        role, years = readers.ask_who()
    st.subheader("Choose a case to begin")
    sample = inputs.picked_sample(st.session_state.setdefault(OFFERED, random.sample(SAMPLES, ON_SCREEN)))
    own = st.button("Use a case of my own", key="begin_own")
    sent = phone.offered(current_case().id)
    st.caption("Your answers are kept without your name.")
    if sample or own or sent is not None:
        try:
            readers.become(store.add_clinician(role, years))
        except StoreError as error:
            st.error(str(error))
            return
        st.session_state[kiosk.VISITOR] = True
        begin_case()
        if sample:
            inputs.take_sample(current_case(), sample)
        elif sent is not None:
            current_case().take(Photo(sent))
        st.rerun()
