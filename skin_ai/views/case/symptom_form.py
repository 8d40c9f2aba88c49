"""The symptom form: every fact as a question, with the labels of facts and answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from skin_ai.predict.narrative import AGE_LIMIT, Answer
from skin_ai.views.case.case_state import CaseState, still_current
from skin_ai.views.case.understood import UNSAID
from skin_ai.vocabulary import MORE_SYMPTOMS, SITES, SYMPTOMS

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
ANSWERS = {
    Answer.YES: "yes",
    Answer.NO: "no",
    Answer.UNKNOWN: "don't know",
    Answer.UNSAID: "not stated",
}
# Symptom -> its chip for yes, for no, and what is not known or not stated.
CHIPS = {
    "itch": ("Itches", "Does not itch", "Itching"),
    "grew": ("Has grown", "Has not grown", "Growth"),
    "hurt": ("Painful", "Not painful", "Pain"),
    "changed": ("Has changed", "Has not changed", "Change of appearance"),
    "bleed": ("Has bled", "Has not bled", "Bleeding"),
    "elevation": ("Raised", "Not raised", "Raised or flat"),
    "burn": ("Burns", "Does not burn", "Burning"),
    "darken": ("Has become darker", "Has not become darker", "Darker or not"),
    "rough": ("Rough or flaky", "Not rough or flaky", "Roughness"),
    "fluid": ("Filled with fluid", "Not filled with fluid", "Fluid"),
    "fever": ("Fever or chills", "No fever or chills", "Fever or chills"),
    "tired": ("Unusually tired", "Not unusually tired", "Tiredness"),
    "joints": ("Joint pain", "No joint pain", "Joint pain"),
    "mouth": ("Sores in the mouth", "No sores in the mouth", "Sores in the mouth"),
    "breath": ("Short of breath", "Not short of breath", "Shortness of breath"),
}
OTHER_FACTS = {
    "age": "Age",
    "site": "Body site",
    "duration": "Duration",
    "kind": "What it is like",
    "more_sites": "All affected sites",
}


def name_of(fact: str) -> str:
    return CHIPS[fact][2] if fact in CHIPS else OTHER_FACTS[fact]


def in_words(fact: str, answer: Any) -> str:
    """A fact in a few words, as on its chip: "Has bled", "Nose", "62 years", "Itching not known"."""
    if fact in CHIPS:
        yes, no, noun = CHIPS[fact]
        left = {Answer.UNKNOWN: f"{noun}: not known", Answer.UNSAID: f"{noun}: not stated"}
        return (left | {Answer.YES: yes, Answer.NO: no})[Answer(answer)]
    if answer == UNSAID:
        return f"{name_of(fact)}: not stated"
    if fact == "age":
        return f"{answer} years"
    listed = ", ".join(_LABELS_OF[fact](one) for one in (answer if fact == "more_sites" else [answer]))
    # "More than one year" or a second list of sites would not say what it is about.
    return f"{name_of(fact)}: {listed}" if fact in ("duration", "more_sites") else listed.capitalize()


_LABELS_OF: dict[str, Callable[[str], str]] = {
    "site": str.lower,
    "duration": DURATIONS.__getitem__,
    "kind": KINDS.__getitem__,
    "more_sites": REGIONS.__getitem__,
}


def show(case: CaseState, asked: Sequence[str]) -> None:
    """The chips, opened. asked: the facts that it asks for."""
    form = st.expander("Symptom form", key=f"symptom_form_{case.id}", on_change="rerun")
    if not form.open:  # the page is faster without its fields
        return
    with form:
        _ask_particulars(case)
        for symptom in SYMPTOMS:
            key = key_of(case, symptom)
            st.segmented_control(
                QUESTIONS[symptom],
                list(ANSWERS),
                format_func=ANSWERS.__getitem__,
                default=Answer(case.facts.answer(symptom)),
                required=True,
                key=key,
                on_change=take,
                args=(case.id, symptom, key),
            )
        if set(MORE_SYMPTOMS) <= set(asked):
            _ask_further_facts(case)


def key_of(case: CaseState, fact: str) -> str:
    """The key of the fact's field: another one each time that anything else changes the fact."""
    return f"{fact}_{case.id}_{case.facts.changes[fact]}"


def _ask_particulars(case: CaseState) -> None:
    left, right = st.columns(2)
    key, age = key_of(case, "age"), case.facts.answer("age")
    left.number_input(
        "Age in years",
        0,
        AGE_LIMIT,
        None if age == UNSAID else age,
        key=key,
        placeholder="not stated",
        on_change=take,
        args=(case.id, "age", key),
    )
    with right:
        _choose_one(case, "site", "Body site", SITES)


def _ask_further_facts(case: CaseState) -> None:
    left, right = st.columns(2)
    with left:
        _choose_one(case, "kind", "What is it like?", tuple(KINDS))
    with right:
        _choose_one(case, "duration", "For how long?", tuple(DURATIONS))
    regions = case.facts.answer("more_sites")
    key = key_of(case, "more_sites")
    _choose_several(
        case, "All affected sites", "more_sites", REGIONS, [] if regions == UNSAID else regions, key
    )
    present = [symptom for symptom in MORE_SYMPTOMS if case.facts.answer(symptom) == Answer.YES]
    key = f"{ALSO}_{case.id}_{sum(case.facts.changes[symptom] for symptom in MORE_SYMPTOMS)}"
    _choose_several(case, "Also present", ALSO, FURTHER_SYMPTOMS, present, key)


def _choose_one(case: CaseState, fact: str, label: str, options: Sequence[str]) -> None:
    key, answer = key_of(case, fact), case.facts.answer(fact)
    st.selectbox(
        label,
        options,
        None if answer == UNSAID else options.index(answer),
        _LABELS_OF[fact],
        key=key,
        placeholder="not stated",
        on_change=take,
        args=(case.id, fact, key),
    )


def _choose_several(
    case: CaseState, label: str, fact: str, options: dict[str, str], chosen: list[str], key: str
) -> None:
    st.multiselect(
        label,
        options,
        chosen,
        options.__getitem__,
        key=key,
        placeholder="not stated",
        select_all=False,
        on_change=take,
        args=(case.id, fact, key),
    )


def take(case_id: str, fact: str, key: str) -> None:
    """Takes up what a field of the form holds."""
    case = still_current(case_id)
    if case is None or key not in st.session_state:
        return
    held = st.session_state[key]
    if fact != ALSO:
        # An emptied field holds None or [].
        answer = UNSAID if held is None or held == [] else list(held) if fact == "more_sites" else held
        case.facts.set(fact, answer.value if isinstance(answer, Answer) else answer)
        return
    for symptom in MORE_SYMPTOMS:
        was_listed = case.facts.answer(symptom) == Answer.YES
        if was_listed != (symptom in held):
            case.facts.set(symptom, (Answer.YES if symptom in held else Answer.UNSAID).value)
