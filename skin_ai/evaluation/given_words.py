"""What the language model is given in each mode of the evaluation: the case's facts, told in several ways."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Final

from skin_ai.predict.bundle import READS_FACTS, WEIGHTS, load_extraction
from skin_ai.predict.extraction import Extractor
from skin_ai.predict.narrative import Answer, Facts, sentences
from skin_ai.predict.words import read
from skin_ai.training.datasets import Case
from skin_ai.training.extraction_texts import TEXTS
from skin_ai.training.sources import evaluation_words
from skin_ai.vocabulary import SYMPTOMS

FOUND_FILE: Final = TEXTS / "found_facts.csv"
# Of the language model's modes: those with the photo begin with BOTH, the others are words alone.
BOTH, WORDS, HELD_OUT = "both", "words", "_in_held_out_wordings"
FREE_WORDS, CONFIRMED = f"{BOTH}_free_words", f"{BOTH}_confirmed_facts"
FEW_FACTS: Final = {f"{BOTH}_one_fact": 1, f"{BOTH}_two_facts": 2, f"{BOTH}_three_facts": 3}


@dataclass(frozen=True)
class Told:
    """The facts of a lesion's free narrative: as the writer told them, and as they were found in it.

    found: by an extraction trained without the writer and without every text of the writer's patients.
    """

    writer: str
    told: Facts
    found: Facts


@dataclass(frozen=True)
class GivenWords:
    """How a bundle's language model is given words.

    extractor: finds the facts that it reads, None where it reads the words themselves; free: (patient,
    lesion) -> what was told of it in free words, empty where the model reads the words themselves.
    """

    extractor: Extractor | None = None
    free: Mapping[tuple[str, str], Told] = field(default_factory=dict)

    def of_case(self, case: Case) -> str:
        """The complete facts: confirmed, in the form's sentences, or in the generator's words."""
        return evaluation_words(case) if self.extractor is None else sentences(case.facts)

    def of_text(self, text: str) -> str:
        """What the model gets of a text."""
        return text if self.extractor is None else read(text, self.extractor).prompt

    def writer_of(self, case: Case) -> str:
        """Who wrote the free narrative of the case's lesion, "" where there is none."""
        told = self.free.get((case.patient, case.lesion))
        return "" if told is None else told.writer

    def modes(self, name: str) -> dict[str, Callable[[Case], str | None]]:
        """Mode -> the words of a case, None where it has none; name: "chain" or "control"."""
        modes: dict[str, Callable[[Case], str | None]] = {BOTH: self.of_case, WORDS: self.of_case}
        if name == "control":
            return modes
        modes |= {f"{mode}{HELD_OUT}": self._in_held_out_wordings for mode in (BOTH, WORDS)}
        if self.free:
            modes[FREE_WORDS] = lambda case: self._free(case, lambda told: told.found)
            modes[CONFIRMED] = lambda case: self._free(case, lambda told: told.told)
            modes |= {mode: _few(count) for mode, count in FEW_FACTS.items()}
        return modes

    def _in_held_out_wordings(self, case: Case) -> str:
        return self.of_text(evaluation_words(case, held_out=True))

    def _free(self, case: Case, facts_of: Callable[[Told], Facts]) -> str | None:
        told = self.free.get((case.patient, case.lesion))
        return None if told is None else sentences(facts_of(told))


def _few(count: int) -> Callable[[Case], str]:
    """`count` of a case's facts, drawn by its key."""

    def words(case: Case) -> str:
        known = case.facts.known
        kept = Random(f"{case.key}, {count} facts").sample(known.said, min(count, len(known.said)))
        unsaid = {name: getattr(Facts(), name) for name in known.said if name not in kept}
        return sentences(replace(known, **unsaid))

    return words


def given_words(reads: str, weights: Path = WEIGHTS) -> GivenWords:
    """reads: `LanguageSettings.reads`; weights: the folder that holds the extraction."""
    if reads != READS_FACTS:
        return GivenWords()
    return GivenWords(load_extraction(weights), load_told())


FACT_COLUMNS: Final = (*SYMPTOMS, "age", "site")


def load_told(
    found: Path = FOUND_FILE, narratives: Path = TEXTS / "narratives.csv"
) -> dict[tuple[str, str], Told]:
    """(patient, lesion) -> Told; found: as `save_found` writes it, of the same narratives."""
    facts = {_lesion(row): _facts(row) for row in _rows(found)}
    rows = [row for row in _rows(narratives) if _lesion(row) in facts]
    return {_lesion(row): Told(row["writer"], _facts(row), facts[_lesion(row)]) for row in rows}


def save_found(found: Mapping[tuple[str, str], Facts], path: Path) -> None:
    """One line a lesion: patient_id, lesion_id and FACT_COLUMNS; an empty age or site is not stated."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("patient_id", "lesion_id", *FACT_COLUMNS))
        for lesion, facts in found.items():
            rows.writerow((*lesion, *("" if (v := getattr(facts, f)) is None else v for f in FACT_COLUMNS)))


def _rows(path: Path) -> Sequence[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _lesion(row: Mapping[str, str]) -> tuple[str, str]:
    return row["patient_id"], row["lesion_id"]


def _facts(row: Mapping[str, str]) -> Facts:
    symptoms = {symptom: Answer(row[symptom]) for symptom in SYMPTOMS}
    age = int(row["age"]) if row["age"] else None
    return Facts(age=age, site=row["site"] or None, **symptoms)  # type: ignore[arg-type]
