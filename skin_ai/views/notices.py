"""The notice on top of every page."""

from pathlib import Path

import streamlit as st

PAGE_WIDTH = 1120  # pixels: two columns to read in, on any screen

RESEARCH_ONLY = (
    "**Research software, not a medical device.** Not validated for care: do not base decisions about "
    "patients on it."
)


STYLE = Path(__file__).with_name("page.css")


def research_only() -> None:
    st.html(STYLE)
    with st.container(key="notice"):
        st.info(RESEARCH_ONLY)
