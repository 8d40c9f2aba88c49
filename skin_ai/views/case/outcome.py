"""What came of a case: both answers and the AI's, and the reference where it may be shown."""

from __future__ import annotations

import streamlit as st

from skin_ai.diseases import DISEASES, comparable
from skin_ai.study import flow
from skin_ai.study.flow import Progress
from skin_ai.study.store import RANKS, Store
from skin_ai.study.tables import Answer, Deck
from skin_ai.views import local_time
from skin_ai.views.case import answer_form, bundle_choice, focus
from skin_ai.views.case.case_state import CaseState
from skin_ai.views.free_text import plain


def show(store: Store, case: CaseState, progress: Progress) -> None:
    """The saved answers; with the reference, a tick or a cross for each and for the AI's first type."""
    before, after = progress.before, progress.after
    assert after is not None
    reference = progress.case.reference if _may_show_reference(store, progress) else ""
    with st.container(key="outcome", border=True, gap="xxsmall"):
        focus.heading("Your final answer is saved", "outcome", case.id)
        if reference:
            st.text(f"Reference diagnosis: {answer_form.written(reference)}. {progress.case.explanation}")
        with st.container(key="answers", horizontal=True, gap="medium"):
            for stage, answer in _stages(before, after):
                said = f"{mark(answer.ranks[0], reference)}{stage}: {answer_form.answer_in_words(answer)}"
                st.text(said, width="content")
            if reference and case.diagnosis is not None:
                first, is_undecided = case.diagnosis.answer[0].type, bool(case.diagnosis.undecided)
                ticked = mark(first, reference, is_undecided)
                st.text(f"{ticked}AI: {ai_in_words(first, is_undecided)}", width="content")


def _stages(before: Answer | None, after: Answer) -> list[tuple[str, Answer]]:
    """An answer that was kept stands once."""
    if before is None:
        return [("Final", after)]
    if answer_form.answer_in_words(before) == answer_form.answer_in_words(after):
        return [("Before and final", after)]
    return [("Before", before), ("Final", after)]


def ai_in_words(first: str, is_undecided: bool) -> str:
    """first: code of the AI's most probable type."""
    name = answer_form.written(first)
    return f"not sure; most likely {name[0].lower()}{name[1:]}" if is_undecided else name


def _may_show_reference(store: Store, progress: Progress) -> bool:
    """In a deck, after its last case: a reader who is taught after each case is no longer the same reader."""
    deck = progress.deck
    if deck is None or not progress.case.reference:
        return bool(progress.case.reference)
    order = flow.deck_order(store, progress.reading.clinician, deck.id)
    return deck.shows_reference and not flow.waiting_cases(order)


def mark(diagnosis: str, reference: str, is_undecided: bool = False) -> str:
    """A tick or a cross; "" where nobody is judged.

    That is without a reference, by one that was not understood, and for an AI that is not sure.
    """
    if is_undecided or comparable(reference) not in DISEASES:
        return ""
    return "✓ " if comparable(diagnosis) == comparable(reference) else "✗ "


def show_references_of_deck(store: Store, reader: str, deck: Deck) -> None:
    """All cases of a deck that this reader has finished, if its owner lets readers see the reference."""
    if not deck.shows_reference:
        return
    answers = store.answers(deck=deck.name, reader=reader)
    rows: dict[str, dict[str, str]] = {}
    for answer in answers.to_dict("records"):
        reference = str(answer["truth"])
        row = rows.setdefault(
            str(answer["case"]),
            {
                "Case": plain(str(answer["narrative"])[:60]),
                "Reference": plain(answer_form.written(reference)),
            },
        )
        first = str(answer[RANKS[0]])
        row[f"You {answer['stage']}"] = mark(first, reference) + plain(answer_form.written(first))
        if answer["ai_answer"]:
            ai = answer["ai_answer"][0][0]
            is_undecided = bool(answer["ai_undecided"])
            row["AI"] = mark(ai, reference, is_undecided) + ai_in_words(ai, is_undecided)
    with st.expander("Reference diagnoses of this deck"):
        st.table(list(rows.values()), hide_index=True, border="horizontal")


def show_for_print(progress: Progress, bundle: str, understood: str) -> None:
    """What only the printed page has: words, the facts that the AI used, own answer, date and model.

    Once the final answer is saved, both answers stand above.
    """
    before = progress.before
    with st.container(key="printed"):
        st.text(f"History: {progress.case.narrative or 'none'}")
        if understood:
            st.text(f"Understood from the words: {understood}")
        if before is not None and progress.after is None:
            st.text(f"Reader's answer, before the AI: {answer_form.answer_in_words(before)}")
        st.text(f"{local_time.in_words(progress.case.opened_at)}, {bundle_choice.title(bundle)} ({bundle})")
