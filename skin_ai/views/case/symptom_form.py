"""The patient's words, as typed, and the symptom form that adds sentences to them."""

from __future__ import annotations

from typing import Any

import streamlit as st

from skin_ai.predict.narrative import (
    AGE_LIMIT,
    NARRATIVE_LIMIT,
    Answer,
    Facts,
    NarrativeError,
    clean_narrative,
    sentences,
)
from skin_ai.views.case.case_state import CaseState, still_current
from skin_ai.vocabulary import SITES, SYMPTOMS

QUESTIONS = {
    "itch": "Does it itch?",
    "grew": "Has it grown?",
    "hurt": "Does it hurt?",
    "changed": "Has its appearance changed?",
    "bleed": "Has it bled?",
    "elevation": "Is it raised?",
}
# What SCIN also asked its patients (narrative.Facts), with the words on the form.
KINDS = {
    "rash": "a rash",
    "growth": "a growth or lump",
    "pimples": "acne-like spots",
    "colour": "a change of colour",
    "nail": "a nail problem",
    "hair": "a hair problem",
    "healthy": "the skin looks normal",
}
DURATIONS = {
    "day": "one day",
    "week": "less than a week",
    "month": "one to four weeks",
    "quarter": "one to three months",
    "year": "three to twelve months",
    "years": "more than one year",
    "many_years": "more than five years",
    "childhood": "since childhood",
}
REGIONS = {
    "HEAD_OR_NECK": "head or neck",
    "ARM_ANY": "arm",
    "PALM": "palm of the hand",
    "BACK_OF_HAND": "back of the hand",
    "TORSO_FRONT": "chest or belly",
    "TORSO_BACK": "back",
    "GENITALS_OR_GROIN": "genitals or groin",
    "BUTTOCKS": "buttocks",
    "LEG": "leg",
    "FOOT_TOP_OR_SIDE": "top or side of the foot",
    "FOOT_SOLE": "sole of the foot",
}
FURTHER_SYMPTOMS = {
    "burn": "it burns",
    "darken": "it has become darker",
    "rough": "it is rough or flaky",
    "fluid": "it is filled with fluid",
    "fever": "fever or chills",
    "tired": "unusually tired",
    "joints": "joint pain",
    "mouth": "sores in the mouth",
    "breath": "short of breath",
}
ALSO = "also_present"
UNSAID: tuple[object, ...] = (None, Answer.UNSAID, [])
EXAMPLE = "For example: I am 58. The spot on my nose has been growing for a year and bled twice."
HEIGHT = 180  # pixels
ANSWERS = {
    Answer.YES: "yes",
    Answer.NO: "no",
    Answer.UNKNOWN: "don't know",
    Answer.UNSAID: "not stated",
}


def ask_for_words(case: CaseState) -> str | None:
    """The words in the text area, cleaned; None, with the reason on the page, where they are too long.

    A text area that the page replaced stays while the clinician types in it.
    """
    case.take_up_what_was_typed()
    with st.container(key=f"words_{case.id}"):
        # First, so that each keeps its place: anywhere else the browser would redraw it empty.
        for former, typed in case.formers.items():
            st.text_area("Typed before", typed, key=former, height=HEIGHT, label_visibility="hidden")
        typed_words = st.text_area(
            "In the patient's own words, or yours",
            case.words(),
            key=case.words_key,
            height=HEIGHT,
            persist_state="session",
            placeholder=EXAMPLE,
        )
    if case.formers:
        st.html(_style_of_former_areas(case))
    try:
        words = clean_narrative(typed_words)
    except NarrativeError as error:
        st.error(str(error))
        return None
    st.caption(f"{f'{len(words):,} of' if words else 'Up to'} {NARRATIVE_LIMIT:,} characters")
    return words


def _style_of_former_areas(case: CaseState) -> str:
    """Lays former text areas over the current one, each visible only while it has the focus.

    A browser sends what was typed when the focus leaves the text area, and loses it if the area is removed.
    """
    formers = ", ".join(f".st-key-{key}" for key in case.formers)
    return (
        f"<style>.st-key-words_{case.id} {{ position: relative; }}"
        f":is({formers}) {{ position: absolute; inset: 0 0 auto; z-index: 1; }}"
        f":is({formers}):not(:focus-within) {{ visibility: hidden; }}</style>"
    )


def fill_symptom_form(case: CaseState, *, is_wide: bool = False) -> None:
    """is_wide: with the further facts that a bundle trained on SCIN reads."""
    asked = ("age", "site", *SYMPTOMS, *(("kind", "duration", "more_sites", ALSO) if is_wide else ()))
    keys = {fact: f"{fact}_{case.id}_{case.emptied.get(fact, 0)}" for fact in asked}
    form = st.expander("Symptom form", key=f"symptom_form_{case.id}", on_change="rerun")
    case.has_opened_form |= bool(form.open)
    if not case.has_opened_form:  # the page is faster without its fields
        return
    with form, st.form("symptoms", border=False):
        st.caption("Adds sentences that the language model reads more reliably than free text.")
        age, site = st.columns(2)
        age.number_input("Age in years", 0, AGE_LIMIT, None, key=keys["age"], placeholder="not stated")
        site.selectbox(
            "Body site", SITES, index=None, key=keys["site"], placeholder="not stated", format_func=str.lower
        )
        for symptom in SYMPTOMS:
            st.segmented_control(
                QUESTIONS[symptom],
                list(ANSWERS),
                format_func=ANSWERS.__getitem__,
                default=Answer.UNSAID,
                required=True,
                key=keys[symptom],
            )
        if is_wide:
            _ask_further_facts(keys)
        st.form_submit_button(
            "Add as sentences to the words", on_click=add_sentences, args=(case.id, keys, case.forms)
        )


def _ask_further_facts(keys: dict[str, str]) -> None:
    kind, duration = st.columns(2)
    for column, label, fact, options in (
        (kind, "What is it like?", "kind", KINDS),
        (duration, "For how long?", "duration", DURATIONS),
    ):
        words = options.__getitem__
        column.selectbox(label, options, None, words, key=keys[fact], placeholder="not stated")
    for label, fact, options in (
        ("All affected sites", "more_sites", REGIONS),
        ("Also present", ALSO, FURTHER_SYMPTOMS),
    ):
        words = options.__getitem__
        st.multiselect(
            label, options, None, words, key=keys[fact], placeholder="not stated", select_all=False
        )


def _facts(given: dict[str, Any]) -> Facts:
    """The form's facts; symptoms listed under "also present" are answered yes, others not at all."""
    listed = dict.fromkeys(given.pop(ALSO, ()), Answer.YES)
    return Facts(**given | listed | {"more_sites": tuple(given.get("more_sites", ()))})


def add_sentences(case_id: str, keys: dict[str, str], form: int) -> None:
    """Appends the facts of the form with this number to the words and empties their fields; once only.

    Empty fields are left alone: the browser may hold an answer there that it sends with the next click, and
    would lose it if the field were replaced.
    """
    case = still_current(case_id)
    if case is None or form != case.forms:
        return
    answers = {fact: st.session_state[key] for fact, key in keys.items()}
    added = sentences(_facts(dict(answers)))
    # The second click of a double click can arrive before the browser has seen the emptied fields.
    if not added:
        return
    typed = case.words()
    case.forms += 1
    case.emptied |= {fact: case.forms for fact, answer in answers.items() if answer not in UNSAID}
    case.go_on_from(typed, " ".join(filter(None, (typed.rstrip(), added))))
