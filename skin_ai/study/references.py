"""Whether the references of a deck are diagnoses that the AI can give; asked before the deck is loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Final, NamedTuple

from skin_ai.diseases import DISEASES, suggest
from skin_ai.file_paths import shown
from skin_ai.predict import bundle as bundles

UNDERSTOOD: Final = "understood"
OUTSIDE: Final = "outside the AI's types"
EMPTY: Final = "empty"
UNKNOWN: Final = "not understood"
ASKED: Final = 3  # unknown references in the sentence; all of them are in the doubts
SUGGESTED: Final = 100  # of them get suggestions, which take some 20 ms each


class Reference(NamedTuple):
    """A type's code, other text or ""; row: as in a spreadsheet."""

    row: int
    diagnosis: str


def report(references: Iterable[Reference], has_photos: bool) -> tuple[str, list[tuple[int, str]]]:
    """A sentence ("" where all are empty), and row and fault of each that is not understood or outside.

    has_photos: whether any case of the deck has one; it decides which AI answers all of them.
    """
    bundle = bundles.automatic_bundle(has_photos)
    counts = Counter[str]()
    doubts: list[tuple[int, str]] = []
    questions: list[str] = []
    for row, diagnosis in references:
        kind = _kind(diagnosis, bundle)
        counts[kind] += 1
        if kind == UNKNOWN:
            question = _question(diagnosis) if len(questions) < SUGGESTED else f"{shown(diagnosis)}."
            questions.append(f"row {row} {question}")
            doubts.append((row, f"Not understood: {question}"))
        elif kind == OUTSIDE:
            doubts.append((row, f"{DISEASES[diagnosis].name} is not among the types of {bundle}."))
    if counts.keys() <= {EMPTY}:
        return "", []
    told = ", ".join(
        f"{counts[kind]} {kind}" for kind in (UNDERSTOOD, OUTSIDE, EMPTY, UNKNOWN) if counts[kind]
    )
    more = " …" if len(questions) > ASKED else ""
    asked = f": {' '.join(questions[:ASKED])}{more}" if questions else "."
    return f"References: {told}{asked}", doubts


def _kind(diagnosis: str, bundle: str) -> str:
    if not diagnosis:
        return EMPTY
    if diagnosis not in DISEASES:
        return UNKNOWN
    return UNDERSTOOD if not bundle or diagnosis in _types_of(bundle) else OUTSIDE


def _question(diagnosis: str) -> str:
    names = " or ".join(disease.name for disease in suggest(diagnosis))
    return f"{shown(diagnosis)}; did you mean {names}?" if names else f"{shown(diagnosis)}."


@cache
def _types_of(bundle: str) -> frozenset[str]:
    return frozenset(bundles.read_manifest(bundles.WEIGHTS / bundle)["types"])
