"""The clinician's own answer: up to four ranked diagnoses, how sure they are, and why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import streamlit as st

from skin_ai.diseases import DISEASES, find, suggest
from skin_ai.study.flow import DIAGNOSIS_LIMIT, TEXT_LIMIT
from skin_ai.study.store import MAX_RANKS
from skin_ai.study.tables import Answer, Deck
from skin_ai.views.case.case_state import CaseState, as_it_stands, still_current
from skin_ai.views.case.elimination import name
from skin_ai.views.case.own_answer import ORDINALS
from skin_ai.vocabulary import MANAGEMENT

HIDE_TYPED = "<style>[class*=st-key-typed_] {display: none}</style>"
LONG = 5  # letters from which on a word is no abbreviation
# Percent, the middle of each fifth of the scale. Earlier answers were given in eleven steps, 0 to 100. Both
# are percent, so they are kept and compared as they are.
CONFIDENCES = (10, 30, 50, 70, 90)


class Written(NamedTuple):
    """An answer as it stands in the form, for `flow.given`."""

    diagnoses: list[str]
    confidence: int | None
    reason: str
    management: str
    malignancy: int | None


@cache
def choices() -> dict[str, str]:
    """Search term -> how the list shows it: names, then synonyms and codes.

    A type is to be listed once for what is typed, so a synonym is left out where another entry of its type is
    found by the same words. What is left out can still be typed: `find` knows it.
    """
    names = {disease.name: name(code) for code, disease in DISEASES.items()}
    terms = {
        term: f"{term[0].upper()}{term[1:]}"
        for code, disease in DISEASES.items()
        for term in _apart((code, *disease.synonyms), disease.name)
        if term not in names
    }
    return names | dict(sorted(terms.items(), key=lambda term: term[0].casefold()))


def _apart(terms: Sequence[str], listed: str) -> list[str]:
    """Those that no other one, and not the name that is listed anyway, is found by."""
    apart = [listed.split()[0]]  # who types a name's first word sees the name
    for term in sorted((term for term in terms if not is_plural(term)), key=len):
        if not any(_holds(term, other) for other in apart):
            apart.append(term)
    return apart[1:]


def _holds(term: str, other: str) -> bool:
    """Whether a term has all words of another one; short ones, such as AK, by chance are parts of words."""
    words = re.findall(r"\w+", term.casefold())
    return all(
        word in words or (len(word) >= LONG and any(word in own for own in words))
        for word in re.findall(r"\w+", other.casefold())
    )


def is_plural(term: str) -> bool:
    """Whether it can be left out of the list, as its singular finds the same type."""
    singulars = [term.removesuffix(end) + one for end, one in (("s", ""), ("es", "is")) if term.endswith(end)]
    meant = find(term)
    return meant is not None and meant in map(find, singulars)


def written(rank: str) -> str:
    """A type's name, or the diagnosis as it was typed."""
    return name(rank) if rank in DISEASES else rank


def ask(case: CaseState, stage: str, former: Answer | None = None, deck: Deck | None = None) -> Written:
    """Diagnoses as typed or chosen, most likely first, and what else the deck asks. former: the default."""
    terms = choices()
    keys = {field: key(case, stage, field) for field in ("ranks", "typed", "confidence", "reason")}
    own = [DISEASES[rank].name if rank in DISEASES else rank for rank in former.ranks] if former else []
    own = as_it_stands(keys["ranks"], case.taken.get(stage, own))
    sure = step_of(former.confidence) if former else case.confidence_typed
    with st.container(key=f"diagnosis_{stage}", gap=None):
        diagnoses = st.multiselect(
            f"Your diagnosis, most likely first, up to {MAX_RANKS}",
            [*terms, *(text for text in own if text not in terms)],
            default=own,
            format_func=lambda term: terms.get(term, term),
            key=keys["ranks"],
            max_selections=MAX_RANKS,
            accept_new_options=True,
            filter_mode="contains",
            select_all=False,
            placeholder="Type a name, a synonym or free text",
            persist_state="session",
        )
        st.html(HIDE_TYPED)
        # Filled in by server/page_script.js with what was typed above and left without choosing.
        st.text_input(
            "Diagnosis as typed",
            key=keys["typed"],
            on_change=take_typed,
            args=(case.id, stage),
            autocomplete="off",
        )
    if len(diagnoses) > 1:
        listed = zip(ORDINALS, diagnoses, strict=False)
        st.text(", ".join(f"{ordinal} {terms.get(text, text)[:DIAGNOSIS_LIMIT]}" for ordinal, text in listed))
    standard = {disease.name for disease in DISEASES.values()}
    for text in (text for text in diagnoses if text not in standard):
        if (meant := find(text)) is not None:
            st.text(f"“{text[:DIAGNOSIS_LIMIT]}” is kept as {meant.name}.")
            continue
        names = " or ".join(disease.name for disease in suggest(text))
        asked = f"Did you mean {names}?" if names else "It is kept as written."
        st.text(f"“{text[:DIAGNOSIS_LIMIT]}” is not a known diagnosis. {asked}")
    confidence = st.segmented_control(
        "How confident are you in your first diagnosis? (10%: a guess, 90%: very sure)",
        CONFIDENCES,
        default=as_it_stands(keys["confidence"], sure),
        format_func="{}%".format,
        key=keys["confidence"],
        persist_state="session",
    )
    malignancy, management = _ask_for_deck(case, stage, former, deck) if deck else (None, "")
    reason = st.text_input(
        "Reason (optional)",
        as_it_stands(keys["reason"], "" if former else case.reason_typed),
        key=keys["reason"],
        max_chars=TEXT_LIMIT,
        persist_state="session",
        autocomplete="off",
    )
    return Written(diagnoses, confidence, reason, management, malignancy)


def _ask_for_deck(case: CaseState, stage: str, former: Answer | None, deck: Deck) -> tuple[int | None, str]:
    """Probability of malignancy in percent, and management: a tap each, where the deck asks for them."""
    malignancy, management = None, None
    if deck.asks_malignancy:
        key = f"malignancy_{stage}_{case.id}"
        malignancy = st.segmented_control(
            "How likely is it that the lesion is malignant?",
            CONFIDENCES,
            default=as_it_stands(key, former.malignancy if former else None),
            format_func="{}%".format,
            key=key,
            persist_state="session",
        )
    if deck.asks_management:
        key = f"management_{stage}_{case.id}"
        management = st.segmented_control(
            "What would you do? (Treat: without biopsy or referral)",
            MANAGEMENT,
            default=as_it_stands(key, (former.management or None) if former else None),
            format_func=str.capitalize,
            key=key,
            persist_state="session",
        )
    return malignancy, management or ""


def key(case: CaseState, stage: str, field: str) -> str:
    """The key of a field. A diagnosis that the page adds gets a new list, with it as a default.

    Why: see `CaseState.write_words`.
    """
    times = case.times_taken if field in ("ranks", "typed") else 0
    return f"{field}_{stage}_{case.id}" + (f"_{times}" if times else "")


def take_typed(case_id: str, stage: str) -> None:
    """Adds what was typed and left to the diagnoses, as it is written."""
    case = still_current(case_id)
    if case is None:
        return
    own = list(st.session_state.get(key(case, stage, "ranks"), ()))
    typed = str(st.session_state.pop(key(case, stage, "typed"), "")).strip()
    if typed and typed not in own and len(own) < MAX_RANKS:
        own.append(typed)
    case.taken[stage] = own
    case.times_taken += 1


def step_of(confidence: int) -> int:
    """The step whose fifth of the scale holds a confidence, 0 to 100.

    >>> [step_of(confidence) for confidence in (0, 10, 20, 60, 80, 100)]
    [10, 10, 30, 70, 90, 90]
    """
    return CONFIDENCES[min(confidence // 20, len(CONFIDENCES) - 1)]


def in_words(
    ranks: Sequence[str], confidence: int, management: str = "", malignancy: int | None = None
) -> str:
    ordinals = ORDINALS if len(ranks) > 1 else ("",)
    listed = ", ".join(
        f"{place} {written(rank)}".strip() for place, rank in zip(ordinals, ranks, strict=False)
    )
    parts = [f"{listed}{';' if len(ranks) > 1 else ','} {confidence}% confident"]
    parts += [f"malignant {malignancy}%"] if malignancy is not None else []
    parts += [management] if management else []
    return "; ".join(parts)


def answer_in_words(answer: Answer) -> str:
    return in_words(answer.ranks, answer.confidence, answer.management, answer.malignancy)
