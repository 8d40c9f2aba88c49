"""The notice on top of every page."""

import streamlit as st

PAGE_WIDTH = 1120  # pixels: two columns to read in, on any screen

RESEARCH_ONLY = (
    "**Research software, not a medical device.** Not validated for care: do not base decisions about "
    "patients on it."
)


# A phone has no room for large letters that stand on every page.
SMALL_ON_PHONES = """<style>@media (max-width: 640px) {
.st-key-notice [data-testid="stAlertContainer"] {padding: 0.4rem 0.7rem}
.st-key-notice p {font-size: 0.85rem; line-height: 1.3}
}</style>"""


def research_only() -> None:
    st.html(SMALL_ON_PHONES)
    with st.container(key="notice"):
        st.info(RESEARCH_ONLY)
