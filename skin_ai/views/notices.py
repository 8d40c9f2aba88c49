"""The notice on top of every page."""

import streamlit as st

PAGE_WIDTH = 1120  # pixels: two columns to read in, on any screen

RESEARCH_ONLY = (
    "**Research software, not a medical device.** Not validated for care: do not base decisions about "
    "patients on it."
)


def research_only() -> None:
    st.info(RESEARCH_ONLY)
