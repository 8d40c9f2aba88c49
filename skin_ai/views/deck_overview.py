"""Progress of all readers and difficulty of each case of a deck, for who runs the study."""

from __future__ import annotations

import streamlit as st

from skin_ai.study import overview
from skin_ai.study.store import Store
from skin_ai.study.tables import Deck
from skin_ai.study.take_home import named
from skin_ai.views import local_time
from skin_ai.views.free_text import plain
from skin_ai.vocabulary import plural

WORDS = 60  # letters of a case's words, to tell it from others


def show(store: Store, deck: Deck, size: int) -> None:
    """Behind a click; it names readers, so it is for study staff."""
    shown = st.expander("Readers and cases", key=f"overview_{deck.id}", on_change="rerun")
    if not shown.open:
        return
    with shown:
        readers = overview.of_readers(store, deck.id)
        withdrawn = f" Withdrawn: {deck.withdrawn:,}." if deck.withdrawn else ""
        st.markdown(f"Readers who have begun: {len(readers):,}.{withdrawn}")
        if readers:
            rows = [
                {
                    "Reader": one.reader,
                    "Finished": f"{one.finished:,} of {size:,}",
                    "Last seen": local_time.in_words(one.last, "%Y-%m-%d %H:%M"),
                }
                for one in readers
            ]
            st.table(rows, hide_index=True, border="horizontal")
        if waiting := overview.to_remind(readers, size):
            st.markdown(f"To remind: {plural(len(waiting), 'reader')} with open cases.")
            st.code("\n".join(waiting), language=None)
        _show_cases(store, deck)


def _show_cases(store: Store, deck: Deck) -> None:
    cases = overview.of_cases(store, deck.name)
    if not cases:
        return
    st.markdown("Cases, the most difficult first, and how often the first diagnosis was right:")
    rows = [
        {
            "Case": plain(one.narrative[:WORDS]) or "photo without words",
            "Reference": plain(named(one.truth)) or "none",
            "Before": one.right_before.text(),
            "After": one.right_after.text(),
        }
        for one in cases
    ]
    st.table(rows, hide_index=True, border="horizontal")
