"""Compare: readers before and after the AI, and the AI alone."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from skin_ai.study import flow, take_home
from skin_ai.study.database import StoreError
from skin_ai.study.store import Store
from skin_ai.views import answers_download, notices
from skin_ai.views.compare import facts_table, results
from skin_ai.views.free_text import plain
from skin_ai.views.session import readers

MINE, ALL = "My answers", "All answers"


def main() -> None:
    st.title("Compare")
    st.markdown("How readers answered before and after they saw the AI, and how the AI did alone.")
    store = readers.store()
    if store is None:
        return
    reader = readers.current_reader()
    try:
        answers, is_mine = choose_answers(store, reader)
        decks = store.decks()
    except StoreError as error:
        st.error(str(error))
        return
    if is_mine:
        offer_take_home(answers)
    results.show(answers, {deck.name: deck.primary_comparison for deck, _ in decks})
    if readers.may_manage_decks():
        facts_table.show(answers)
    if not answers.empty:
        st.header("Download")
        if readers.sees_each_reader():
            st.markdown("The answers chosen above, one per row, without the patients' words.")
            answers_download.offer(answers)
        else:
            st.markdown(
                "The figures above, without single readers' answers: only study staff can download those."
            )
            answers_download.offer_figures(answers)


def choose_answers(store: Store, reader: str | None) -> tuple[pd.DataFrame, bool]:
    """The chosen answers, and whether they are the current reader's own.

    A deck's figures would tell readers what to expect of the AI, so only those who have finished it see them:
    in another window nobody knows what they have read. Study staff see those of every deck that they have
    not begun themselves, and can choose each reader.
    """
    hidden = flow.hidden_decks(store, reader, is_staff=readers.sees_each_reader())
    mine = store.answers(reader=reader, except_decks=hidden) if reader else None
    kept = {f"Deck: {deck.name}": deck for deck, _ in store.decks() if deck.name not in hidden}
    codes = store.readers() if readers.sees_each_reader() else []
    by_reader = {f"Reader: {code}": code for code in codes}
    choices = [*([MINE] if mine is not None and not mine.empty else []), *kept, *by_reader, ALL]
    chosen = st.selectbox("Show", choices, key="compare_choice")
    if hidden:
        names = ", ".join(plain(deck) for deck in sorted(hidden))
        st.markdown(
            f"Hidden until you have finished: {names}. The figures would tell you how good the AI is."
        )
    if chosen == MINE and mine is not None:
        return mine, True
    if chosen in kept:
        if note := kept[chosen].note:
            st.text(note)
        return store.answers(deck=kept[chosen].name), False
    return store.answers(reader=by_reader.get(chosen), except_decks=hidden), False


def offer_take_home(answers: pd.DataFrame) -> None:
    """The personal summary of one of the decks that the reader has finished, on screen and as a PDF."""
    decks = sorted(set(answers["deck"]) - {""})
    if not decks:
        return
    st.header("Your summary")
    deck = decks[0] if len(decks) == 1 else st.selectbox("Deck", decks, key="take_home_deck")
    summary = take_home.take_home(answers[answers["deck"] == deck])
    if summary is None:
        st.markdown("You saw the AI from the start in this deck, so there is no earlier answer to compare.")
        return
    results.show_take_home(summary)
    notice = notices.RESEARCH_ONLY.replace("*", "")
    st.download_button(
        "Download as PDF (one page)",
        partial(take_home.pdf, summary, notice),
        file_name=f"skin_ai_summary_{summary.day.isoformat()}.pdf",
        mime="application/pdf",
        on_click="ignore",
    )


main()
