"""The notices on top of every page."""

from pathlib import Path

import streamlit as st

PAGE_WIDTH = 1120  # pixels: two columns to read in, on any screen

RESEARCH_ONLY = (
    "**Research software, not a medical device.** Not validated for care: do not base decisions about "
    "patients on it."
)


LATER = "notice_for_the_next_run"
STYLE = Path(__file__).with_name("page.css")


def research_only() -> None:
    st.html(STYLE)
    with st.container(key="notice"):
        st.info(RESEARCH_ONLY)


def say_next(sentence: str) -> None:
    """Shows a sentence on top of the page in the next run; "" shows nothing."""
    if sentence:
        st.session_state[LATER] = sentence


def show_said() -> None:
    if sentence := st.session_state.pop(LATER, ""):
        st.warning(sentence)
