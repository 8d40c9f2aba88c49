"""Compare: readers before and after the AI, and the AI alone."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from skin_ai.study import export, flow, take_home
from skin_ai.study.store import Store, StoreError
from skin_ai.views import notices, page_entry
from skin_ai.views.compare import results as compare
from skin_ai.views.free_text import plain
from skin_ai.views.session import readers

MINE, ALL = "My answers", "All answers"


def main() -> None:
    st.title("Compare")
    st.markdown(
        "What readers answered before they saw the AI and after, what the AI answered alone, and what became "
        "of the difference."
    )
    store = readers.store()
    if store is None:
        return
    reader = readers.current_reader()
    try:
        answers, is_mine = choose_answers(store, reader)
    except StoreError as error:
        st.error(str(error))
        return
    if is_mine:
        offer_take_home(answers)
    compare.show(answers)
    if not answers.empty:
        offer_export(answers)


def choose_answers(store: Store, reader: str | None) -> tuple[pd.DataFrame, bool]:
    """The answers of whoever is chosen, and whether that is the reader at the screen.

    Figures of a deck would tell its reader what to expect of the AI, so it waits until they have finished it.
    Who runs the study may look at each reader alone.
    """
    unfinished = flow.unfinished_decks(store, reader) if reader else set()
    mine = without(store.answers(reader=reader), unfinished) if reader else None
    kept = [deck for deck, _ in store.decks() if deck.name not in unfinished]
    decks = {f"Deck: {deck.name}": deck.name for deck in kept}
    notes = {deck.name: deck.note for deck in kept}
    codes = store.readers() if readers.sees_each_reader() else []
    by_reader = {f"Reader: {code}": code for code in codes}
    choices = [*([MINE] if mine is not None and not mine.empty else []), *decks, *by_reader, ALL]
    chosen = st.selectbox("Whose answers", choices, key="compare_choice")
    if unfinished:
        names = ", ".join(plain(deck) for deck in sorted(unfinished))
        st.markdown(
            f"Not shown until you have finished: {names}. "
            "What others and the AI answered there would end your blinding."
        )
    if chosen == MINE and mine is not None:
        return mine, True
    if chosen in decks:
        if note := notes.get(decks[chosen]):
            st.text(note)
        return store.answers(deck=decks[chosen]), False
    return without(store.answers(reader=by_reader.get(chosen)), unfinished), False


def without(answers: pd.DataFrame, decks: set[str]) -> pd.DataFrame:
    return answers[~answers["deck"].isin(decks)] if decks else answers


def offer_take_home(answers: pd.DataFrame) -> None:
    """The personal summary of one of the decks that the reader has finished, on screen and to take home."""
    decks = sorted(set(answers["deck"]) - {""})
    if not decks:
        return
    st.subheader("Your summary")
    deck = decks[0] if len(decks) == 1 else st.selectbox("Of the deck", decks, key="take_home_deck")
    summary = take_home.take_home(answers[answers["deck"] == deck])
    if summary is None:
        st.markdown("You saw the AI at once in this deck, so there is no before to compare with.")
        return
    compare.show_take_home(summary)
    notice = notices.RESEARCH_ONLY.replace("*", "")
    st.download_button(
        "Take it home (PDF, one page)",
        partial(take_home.pdf, summary, notice),
        file_name=f"skin_ai_{summary.reader}.pdf",
        mime="application/pdf",
        on_click="ignore",
    )


def offer_export(answers: pd.DataFrame) -> None:
    st.subheader("Download")
    st.markdown("The answers chosen above, one row an answer, without the patients' words.")
    with st.container(horizontal=True):
        st.download_button(
            "CSV, for spreadsheets",
            partial(export.to_csv, answers),
            file_name="answers.csv",
            mime="text/csv",
            on_click="ignore",
        )
        st.download_button(
            "JSON lines",
            partial(export.to_jsonl, answers),
            file_name="answers.jsonl",
            mime="application/jsonl",
            on_click="ignore",
        )


page_entry.enter(main)
