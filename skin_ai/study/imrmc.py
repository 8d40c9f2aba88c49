"""The input file of iMRMC, which compares the readers' AUC with and without the AI.

Format (iMRMC, user manual, "Format of the input data"): any lines of description; the numbers of readers
(NR), of cases without and with the condition (N0, N1) and of modalities (NM); "BEGIN DATA:"; then one score a
line as reader, case, modality, score, where reader -1 and modality 0 give a case's truth, 0 or 1.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from skin_ai.diseases import DISEASES, Nature
from skin_ai.study import statistics

TRUTH_READER, TRUTH_MODALITY = -1, 0
UNAIDED: Final = 1  # number of the modality; those with the AI follow, one for each bundle and arm
MOST_CONFIDENT: Final = 100
STATED: Final = "Score: the probability of malignancy that the reader stated, in percent"
DERIVED: Final = (
    "Score: 0 to 201, ordinal, by first diagnosis, then confidence; from 101 the diagnosis is malignant"
)


class NoScores(ValueError):
    """Why no AUC could be computed from these answers, in one sentence."""


def malignancy_score(diagnosis: str, confidence: int) -> int | None:
    """How malignant a reader held a lesion to be, on an ordinal scale: by diagnosis, then by confidence.

    0 to 100: not malignant, the most confident first; 101 to 201: malignant, the most confident last. None
    if the diagnosis is no known type. Confidence alone is not such a scale: it says how sure a reader was of
    one of many types, so that 30% for a naevus would count as 70% for malignancy.
    """
    if diagnosis not in DISEASES:
        return None
    is_malignant = DISEASES[diagnosis].nature is Nature.MALIGNANT
    return MOST_CONFIDENT + 1 + confidence if is_malignant else MOST_CONFIDENT - confidence


def to_imrmc(answers: pd.DataFrame) -> str:
    """The blinded readings that have both answers, as iMRMC reads them; NoScores if no AUC can be computed.

    The score is the probability of malignancy that the reader stated; `malignancy_score` where not all
    readings have one, because two scales cannot be put in one order. Readers and cases are numbered in the
    order of their first final answers; the description lists the cases' ids. Left out are readings without a
    score or whose reference is no known type.
    """
    readings = statistics.readings(answers)
    scored = readings[statistics.is_scored(readings)]
    stated = scored[["before_malignancy", "after_malignancy"]]
    is_stated = len(scored) > 0 and bool(stated.notna().all(axis=None))
    scores = list(stated.itertuples(index=False, name=None)) if is_stated else _derived(scored)
    kept = np.array([None not in pair for pair in scores], dtype=bool)
    table, scores = scored[kept], [pair for pair, is_kept in zip(scores, kept, strict=True) if is_kept]
    reader, readers = pd.factorize(table["reader"])
    case, cases = pd.factorize(table["case"])
    aided, modalities = pd.factorize(_aided(table))
    truths = table.drop_duplicates("case")["truth"]
    is_malignant = [DISEASES[truth].nature is Nature.MALIGNANT for truth in truths]
    if not any(is_malignant) or all(is_malignant):
        raise NoScores("iMRMC needs malignant and other cases whose references are known types.")
    lines = [
        "skin_ai: readers with and without the AI",
        STATED if is_stated else DERIVED,
        f"Readings left out without a known diagnosis or reference: {len(readings) - len(table)}",
        f"Modality {UNAIDED}: unaided",
        *(f"Modality {UNAIDED + 1 + number}: {name}" for number, name in enumerate(modalities)),
        *(f"Case {number}: {id_}" for number, id_ in enumerate(cases, start=1)),
        "",
        f"NR: {len(readers)}",
        f"N0: {is_malignant.count(False)}",
        f"N1: {is_malignant.count(True)}",
        f"NM: {1 + len(modalities)}",
        "",
        "BEGIN DATA:",
    ]
    for number, truth in enumerate(is_malignant, start=1):
        lines.append(f"{TRUTH_READER},{number},{TRUTH_MODALITY},{int(truth)}")
    for place, (before, after) in enumerate(scores):
        of_whom = f"{reader[place] + 1},{case[place] + 1}"
        lines.append(f"{of_whom},{UNAIDED},{before}")
        lines.append(f"{of_whom},{UNAIDED + 1 + aided[place]},{after}")
    return "\n".join(lines) + "\n"


def _derived(readings: pd.DataFrame) -> list[tuple[int | None, ...]]:
    """Scores before and after, by diagnosis, then confidence."""
    columns = [readings[name] for name in ("before", "before_confidence", "after", "after_confidence")]
    return [
        (malignancy_score(before[0], int(sure)), malignancy_score(after[0], int(sure_after)))
        for before, sure, after, sure_after in zip(*columns, strict=True)
    ]


def _aided(readings: pd.DataFrame) -> pd.Series:
    """What the readers were shown, in words."""
    arm = readings["arm"].where(readings["arm"] == "", ", " + readings["arm"])
    return "aided by " + readings["bundle"] + arm
