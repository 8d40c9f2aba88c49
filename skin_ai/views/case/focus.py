"""Leads scroll and focus: to what is new on the page, and to a field that is missing."""

from __future__ import annotations

from typing import Final

import streamlit as st

# Scrolls to an element and focuses it, again while the page below grows, until the clinician does something.
# A browser runs it when the HTML around it is new, not at every click.
GO_TO: Final = """<script>(() => {
const touched = new AbortController();
for (const event of ["wheel", "pointerdown", "keydown"])
    addEventListener(event, () => touched.abort(), {capture: true, signal: touched.signal});
for (const wait of [100, 500, 1500]) setTimeout(() => {
    const there = document.getElementById("PLACE");
    if (touched.signal.aborted || !there) return;
    there.scrollIntoView();
    there.focus({preventScroll: true});
    if (wait === 1500) touched.abort();
}, wait);
})()</script>"""
# The field that is missing, found by its key. NUMBER makes each script new, so that it runs again.
GO_TO_FIELD: Final = """<script>(() => {
const field = document.querySelector(".st-key-KEY :is(input, textarea, button):not([disabled])");
if (field) field.focus();
/* NUMBER */})()</script>"""
TIMES: Final = "fields_missing"


def heading(text: str, id_: str, case_id: str, *, takes_focus: bool = True) -> None:
    """A heading that takes scroll and focus when it appears. text: our own words, never a clinician's."""
    go = GO_TO.replace("PLACE", id_) if takes_focus else ""
    st.html(
        f'<h2 class="arrival" id="{id_}" tabindex="-1" data-case="{case_id}">{text}</h2>{go}',
        unsafe_allow_javascript=True,
    )


def say_missing(problem: str, key: str) -> None:
    """What is missing, here, and focus on its field. key: the widget's, made by us."""
    st.error(problem)
    times = st.session_state[TIMES] = st.session_state.get(TIMES, 0) + 1
    script = GO_TO_FIELD.replace("KEY", key).replace("NUMBER", str(times))
    st.html(script, unsafe_allow_javascript=True)
