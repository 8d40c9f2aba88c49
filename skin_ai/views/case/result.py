"""The AI's result at a glance: verdict and funnel; details.py has what stands behind a click."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import streamlit as st

from skin_ai.diseases import DISEASES, Nature
from skin_ai.predict import stability, words
from skin_ai.predict.diagnose import FEW_TYPES, FLAGS, UNLIKE, UNLIKE_ALONE, Diagnosis
from skin_ai.predict.words import NO_FACTS, NO_WORDS, NOT_ENGLISH
from skin_ai.views.case import elimination, focus, funnel, pictures, reliability
from skin_ai.views.case.elimination import in_a_row, name, percent
from skin_ai.views.case.own_answer import ORDINALS, Own
from skin_ai.vocabulary import STEPS, STEPS_AND_HEATMAP

STYLE: Final = Path(__file__).with_suffix(".css")
SHOW_ANYWAY: Final = "Show anyway"
RANKED: Final = 6  # types in the table of an arm
WITH_STEPS: Final = ("", STEPS, STEPS_AND_HEATMAP)  # arms
LEAST_SUSPICION: Final = 0.2  # of the photo model, from which a malignant type is named
# Flags on the verdict.
SERIOUS: Final = (UNLIKE, UNLIKE_ALONE, NOT_ENGLISH, NO_WORDS, NO_FACTS, FEW_TYPES, "words_cut")
SAID_BY_THE_DOTS: Final = ("no_photo", "no_words", "disagree")  # the last one by the table of all numbers


def show(
    diagnosis: Diagnosis,
    manifest: Mapping[str, Any],
    own: Own,
    sure: str,
    case_id: str,
    below: Callable[[], None] = lambda: None,
    *,
    picture: str = "",
    takes_focus: bool = True,
    arm: str = "",
    marks: tuple[str, str] = ("", ""),
) -> None:
    """What it is, how sure, whether both agree, and how it was found; "Show anyway" where it is a guess.

    sure: how sure the clinician is, as the page writes it; "" where the AI was shown at once. below: draws
    what stands directly below the steps. picture: the square as the models saw it, as a data URI. arm: of a
    study; each has the ranking as a table, and only some have the steps. marks: before the clinician's first
    diagnosis and the AI's, where the truth is known.
    """
    st.html(STYLE)
    is_guess = diagnosis.is_foreign and not diagnosis.narrative
    if is_guess and not st.toggle(SHOW_ANYWAY, key="show_anyway"):
        focus.heading("The AI's answer is a guess", "verdict", case_id, takes_focus=takes_focus)
        _unsure([FLAGS[UNLIKE_ALONE]])
        return
    with st.container(key="result", gap="xsmall"):
        _verdict(diagnosis, manifest, own, sure, case_id, picture, takes_focus, arm, marks)
        if arm:
            st.table(_ranking(diagnosis, own), hide_index=True, border="horizontal")
        notes = [FLAGS[flag] for flag in diagnosis.flags if flag not in (*SERIOUS, *SAID_BY_THE_DOTS)]
        if has_funnel(diagnosis) and arm in WITH_STEPS:
            with st.container(key="funnel"):
                st.html(funnel.html(diagnosis.steps, diagnosis.undecided, own))
            notes = [funnel.LEGEND, *notes]
        below()
        if notes:
            st.caption(" ".join(notes))


def _verdict(
    diagnosis: Diagnosis,
    manifest: Mapping[str, Any],
    own: Own,
    sure: str,
    case_id: str,
    picture: str,
    takes_focus: bool,
    arm: str,
    marks: tuple[str, str],
) -> None:
    with st.container(key="verdict"):
        if picture:
            with st.container(key="verdict_photo"):
                pictures.show(picture, "", "The lesion, as the model saw it")
        with st.container(key="verdict_side", gap="xsmall"):
            focus.heading(headline(diagnosis, own), "verdict", case_id, takes_focus=takes_focus)
            with st.container(key="both", horizontal=True, gap="medium"):
                if sure:
                    _yours(own, sure, marks[0])
                _ais(diagnosis, marks[1])
        with st.container(key="verdict_facts", gap="xsmall"):
            st.html(_facts(diagnosis, arm))
            if cautions := _cautions(diagnosis):
                _unsure(cautions)
            if said := reliability.in_words(diagnosis, manifest):
                st.html(f'<p class="reliability">{said}</p>')


def headline(diagnosis: Diagnosis, own: Own) -> str:
    """Whether the clinician and the AI agree."""
    first, types = diagnosis.answer[0].type, [item.type for item in diagnosis.answer]
    says = "The AI is not sure" if diagnosis.undecided else "The AI's answer"
    if not own.ranks:
        return says
    yours = own.ranks[0]
    if diagnosis.undecided and yours not in types:
        return f"{says}; it does not know your diagnosis"
    if diagnosis.undecided:
        return f"{says}; it {'names' if yours in diagnosis.undecided else 'does not name'} your diagnosis"
    if yours == first:
        return "You and the AI agree"
    if own.ordinal(first):
        return f"The AI's first diagnosis is your {own.ordinal(first)}"
    return "You and the AI differ" if yours in types else "The AI does not know your diagnosis"


def _yours(own: Own, sure: str, mark: str) -> None:
    """As plain text, for a diagnosis may be what the clinician typed."""
    first, *others = [" ".join((name(rank) if rank in DISEASES else rank).split()) for rank in own.ranks]
    with st.container(key="you"):
        st.html('<p class="who">You</p>')
        with st.container(key="you_first"):
            st.text(f"{mark}{first} {sure}")
        if others:
            with st.container(key="you_others"):
                ranked = zip(ORDINALS[1:], others, strict=False)
                st.text(", ".join(f"{ordinal} {other}" for ordinal, other in ranked))


def _ais(diagnosis: Diagnosis, mark: str) -> None:
    first = diagnosis.answer[0]
    verdict = "Not sure" if diagnosis.undecided else f"{name(first.type)} {percent(first.probability)}"
    with st.container(key="ai"):
        st.html(f'<p class="who">AI</p><p class="diagnosis">{mark}{verdict}</p>')


def _ranking(diagnosis: Diagnosis, own: Own) -> list[dict[str, str]]:
    """The AI's first types, and the clinician's own."""
    return [
        {
            "AI": str(rank),
            "Type": " · ".join(filter(None, (name(item.type), own.mark(item.type)))),
            "Probability": percent(item.probability),
        }
        for rank, item in enumerate(diagnosis.answer, start=1)
        if rank <= RANKED or own.ordinal(item.type)
    ]


def _facts(diagnosis: Diagnosis, arm: str) -> str:
    malignant = total(diagnosis, Nature.MALIGNANT)
    said = [
        f"<p>Malignant in total <b>{percent(malignant)}</b>"
        f'<span class="malignant" style="--share: {malignant:.0%}"></span></p>'
    ]
    if diagnosis.steps and arm in WITH_STEPS:
        said += [_contribution(diagnosis, source) for source in elimination.SOURCES]
    return f'<div class="facts">{"".join(said)}</div>'


def _contribution(diagnosis: Diagnosis, source: elimination.Source) -> str:
    """Three dots: how much history or photo raised the odds of the verdict, or of its candidates."""
    label, step = elimination.SOURCES[source].capitalize(), diagnosis.steps[0]
    if not elimination.is_used(step, source):
        is_missing = {"words": "no_words", "photo": "no_photo"}[source] in diagnosis.flags
        return f"<p>{label}: {'none' if is_missing else 'not used'}</p>"
    types = diagnosis.undecided or (diagnosis.answer[0].type,)
    if len(types) == len(step.options) or FEW_TYPES in diagnosis.flags:
        return ""
    moved = elimination.contribution(step, types, source)
    if moved <= -elimination.NOTABLE:
        return f"<p>{label}: speaks against it</p>"
    count = elimination.dots(moved)
    return (
        f'<p>{label} <span class="dots" role="img" aria-label="{count} of 3">'
        f"{'●' * count}{'○' * (3 - count)}</span></p>"
    )


def has_funnel(diagnosis: Diagnosis) -> bool:
    """Not where nothing was ruled out by evidence."""
    is_open = bool(diagnosis.steps) and len(diagnosis.undecided) == len(diagnosis.steps[0].options)
    return bool(diagnosis.steps) and not is_open and FEW_TYPES not in diagnosis.flags


def _cautions(diagnosis: Diagnosis) -> list[str]:
    """What the one amber box says; nothing where the answer is sure and stable."""
    said = [_not_sure(diagnosis)] if diagnosis.undecided else []
    if diagnosis.matters:
        said.append(words.in_words(diagnosis.matters))
    if diagnosis.undecided:
        said += _suspected_by_photo(diagnosis) or _malignant_together(diagnosis)
    said += [
        stability.in_words(variant, type_, diagnosis.narrative)
        for variant, type_ in (diagnosis.unstable or {}).items()
        if type_ not in diagnosis.undecided
    ]
    return [*said, *(FLAGS[flag] for flag in diagnosis.flags if flag in SERIOUS)]


def _suspected_by_photo(diagnosis: Diagnosis) -> list[str]:
    return [
        f"The photo alone gives {DISEASES[item.type].name} {percent(item.probability)}."
        for rank, item in enumerate(() if diagnosis.is_foreign else diagnosis.recommendations)
        if DISEASES[item.type].nature is Nature.MALIGNANT
        and (rank == 0 or item.probability >= LEAST_SUSPICION)
        and item.type not in diagnosis.undecided
    ]


def _malignant_together(diagnosis: Diagnosis) -> list[str]:
    """A sentence where malignant types add up to what one of them would be named for, and none is named."""
    malignant = [item for item in diagnosis.answer if DISEASES[item.type].nature is Nature.MALIGNANT]
    together = total(diagnosis, Nature.MALIGNANT)
    if together < LEAST_SUSPICION or not {item.type for item in malignant}.isdisjoint(diagnosis.undecided):
        return []
    first = malignant[0]
    return [
        f"Malignant types together: {percent(together)}; "
        f"the most likely is {DISEASES[first.type].name} ({percent(first.probability)})."
    ]


def _not_sure(diagnosis: Diagnosis) -> str:
    if len(diagnosis.undecided) == len(diagnosis.answer):
        return "Not sure: all types are still possible."
    probability = {item.type: item.probability for item in diagnosis.answer}
    named = [f"{DISEASES[type_].name} ({percent(probability[type_])})" for type_ in diagnosis.undecided]
    return f"Not sure: {in_a_row(named, 'or')}."


def _unsure(said: list[str]) -> None:
    first, *others = said
    st.html(f'<p class="unsure"><b>{first}</b> {" ".join(others)}</p>')


def total(diagnosis: Diagnosis, nature: Nature) -> float:
    """The probability of all types of this nature together."""
    return sum(item.probability for item in diagnosis.answer if DISEASES[item.type].nature is nature)
