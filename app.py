"""The door: page setup and the way to the pages."""

import streamlit as st

from skin_ai.views import notices

st.set_page_config(page_title="skin_ai", layout="wide", menu_items={"About": notices.RESEARCH_ONLY})
page = st.navigation(
    [
        st.Page("pages/case.py", title="Case", default=True),
        st.Page("pages/about.py", title="About"),
    ],
    position="top",
)
with st.container(horizontal_alignment="center"), st.container(width=notices.PAGE_WIDTH):
    notices.research_only()
    page.run()
