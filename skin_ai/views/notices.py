"""What every page says about itself."""

import streamlit as st

PAGE_WIDTH = 1120  # pixels: two columns to read in, on any screen

RESEARCH_ONLY = (
    "**Research software, not a medical device.** It has not been validated for care: "
    "do not base a decision about a patient on it."
)


def research_only() -> None:
    """The notice that stands on top of every page."""
    st.info(RESEARCH_ONLY)
