"""What was understood of the patient's words: the facts as chips, to be corrected by clicks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

from skin_ai.study.kept_facts import answers_of
from skin_ai.study.tables import Case
from skin_ai.views.case import symptom_form
from skin_ai.views.case.case_state import CaseState, still_current
from skin_ai.views.case.elimination import in_a_row
from skin_ai.views.case.symptom_form import in_words
from skin_ai.views.case.understood import IN_ORDER, UNSAID, asked
from skin_ai.views.free_text import plain

UNCERTAIN: Final = ":material/help:"
# Markdown turns addresses into links, escaped or not: an invisible character inside them prevents it.
LINKS: Final = re.compile(r"(?<=www)(?=\\?\.)|(?=@)|(?<=:)(?=//)", re.IGNORECASE)
NO_LINK: Final = "\u2060"
NOT_ENGLISH: Final = (
    "The words do not seem to be English, so they are not read. Enter the facts in the symptom form: "
    "the AI then uses these and the photo."
)
NO_WORDS: Final = (
    "The AI finds no words that it can read here. Describe the lesion in English, or use the symptom form."
)
FEWEST_WORDS: Final = 6  # of the texts that the 26-disease model was trained and measured on
ENOUGH_FACTS: Final = 2
SAY_MORE: Final = (
    "So few words seldom tell diseases apart. It helps to add {}. You can also go on without it."
)
WHAT_TO_SAY: Final = {
    "what it looks like": "",
    "where it is": "site",
    "since when": "duration",
    "whether it itches or hurts": "itch",
    "how old the patient is": "age",
}  # -> the fact, if it is one
NOTHING_FOUND: Final = "No symptom, body site or age was recognised. Enter facts in the symptom form."
END_NOT_READ: Final = (
    "The words are too long: their end was not read. Add what is missing in the symptom form."
)
BY_HAND: Final = "Not found in the words: set by hand."


def show(case: CaseState, words: str | None, *, is_wide: bool) -> None:
    """Chips, the place in the words, and the symptom form. words: cleaned, None if they are too long."""
    # Before the models are loaded, this would hold up the first page: see `is_waiting`.
    if words is not None and (not words or case.loaded):
        case.facts.read(words)
    _chips_and_form(case.id, is_wide)


def is_waiting(case: CaseState, words: str | None) -> bool:
    """Whether there are words that were not read, because the models were not loaded yet."""
    return bool(words) and words != case.facts.words


@st.fragment
def _chips_and_form(case_id: str, is_wide: bool) -> None:
    case = still_current(case_id)
    if case is None:
        return
    facts, shown = case.facts, asked(is_wide)
    uncertain = [fact for fact in facts.order[: facts.n_uncertain] if fact in shown]
    others = [fact for fact in facts.order[facts.n_uncertain :] if fact in shown]
    with st.container():  # always there: the form below keeps its place, and the focus that Tab gave it
        more = _more_to_say(case, shown)
        if not facts.has_words:
            st.info(NO_WORDS)
        elif not facts.is_english:
            st.info(NOT_ENGLISH, icon=":material/translate:")
        elif more:
            st.info(SAY_MORE.format(in_a_row(more)))
        elif facts.extraction is not None and not (uncertain or others or facts.is_cut):
            st.caption(NOTHING_FOUND)
        if uncertain or others:
            st.markdown("**What we understood** (click a fact to change it)")
        if uncertain:
            _chips(case, "Please check:", uncertain)
        if others:
            _chips(case, "", others)
        if facts.is_cut:
            st.caption(END_NOT_READ)
        if facts.marked in shown:
            _show_place(case, facts.marked)
    symptom_form.show(case, shown)


def _more_to_say(case: CaseState, shown: Sequence[str]) -> list[str]:
    """What would help where words alone are to tell many diseases apart, and hardly anything is said."""
    facts = case.facts
    said = [fact for fact in shown if facts.answer(fact) != UNSAID]
    is_short = bool(facts.words) and len(facts.words.split()) < FEWEST_WORDS
    if facts.extraction is None or case.photo is not None or "duration" not in shown:
        return []
    if not is_short or len(said) >= ENOUGH_FACTS:
        return []
    return [what for what, fact in WHAT_TO_SAY.items() if fact not in said]


def _chips(case: CaseState, label: str, facts: Sequence[str]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if label:
            st.markdown(f"**{label}**", width="content")
        for fact in facts:
            is_uncertain = case.facts.is_uncertain(fact)
            st.button(
                in_words(fact, case.facts.answer(fact)) + "?" * is_uncertain,
                key=f"chip_{fact}_{case.id}",
                icon=UNCERTAIN if is_uncertain else None,
                on_click=_go_on,
                args=(case.id, fact),
            )


def _go_on(case_id: str, fact: str) -> None:
    if (case := still_current(case_id)) is not None:
        case.facts.go_on(fact)


def _show_place(case: CaseState, fact: str) -> None:
    """The words, with the place that the fact was found in marked."""
    span = case.facts.span(fact)
    if span is None or case.facts.extraction is None:
        st.caption(BY_HAND)
        return
    text, (start, end) = case.facts.extraction.text, span
    parts = (text[:start], text[start:end], text[end:])
    before, told, after = (LINKS.sub(NO_LINK, plain(part)) for part in parts)
    # In quotation marks: at the start of a line, "1)" would begin a list.
    st.markdown(f"“{before}:orange-background[**{told}**]{after}”")


def show_fixed(kept: Case) -> None:
    """The facts of a kept case, which nobody can change any more; nothing where there are none."""
    answers = answers_of(kept.facts_extracted, kept.facts_confirmed)
    badges = [_badge(kept, fact, answers[fact]) for fact in IN_ORDER if fact in answers]
    if badges := [badge for badge in badges if badge]:
        st.markdown(f"What we understood: {' '.join(badges)}")


def _badge(kept: Case, fact: str, answer: Any) -> str:
    if answer == UNSAID:
        return ""
    label = plain(in_words(fact, answer))
    found = (kept.facts_extracted or {}).get("facts", {}).get(fact)
    is_sure = found is None or fact in (kept.facts_confirmed or {})
    if is_sure or found["probability"] >= (kept.facts_extracted or {})["sure_from"]:
        return f":gray-badge[{label}]"
    return f":orange-badge[{UNCERTAIN} {label}?]"
