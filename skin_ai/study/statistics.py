"""The figures of a reader study: accuracy, switches, reliance, agreement, calibration, time and confidence.

All functions are pure and take the table of `readings`. No figure is given if n is under MIN_N. The intervals
generalise to other readers and other cases (intervals.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from skin_ai.diseases import DISEASES, find
from skin_ai.intervals import (
    MIN_N,
    Estimate,
    bounds_of_none_or_all,
    estimate_of,
    means,
    median,
    reading_weights,
    weighted_sums,
)
from skin_ai.study.store import RANKS
from skin_ai.vocabulary import ROLES, YEARS_OF_PRACTICE

Stage = Literal["before", "after"]
Who = Literal["before", "after", "ai"]
STAGES: Final[tuple[Stage, ...]] = ("before", "after")
WHO: Final[tuple[Who, ...]] = ("before", "after", "ai")
TOPS: Final = (1, 3)  # accuracy of the first diagnosis, and of the first three

OUTSIDE_SCOPE: Final = "outside the model's scope"
NOT_STATED: Final = "not stated"

# Order of the groups of a column; those of other columns are sorted by name.
NATURAL_ORDER: Final = {
    "fitzpatrick": ("1", "2", "3", "4", "5", "6"),
    "truth": tuple(DISEASES),
    "role": ROLES,
    "years_of_practice": YEARS_OF_PRACTICE,
}


@dataclass(frozen=True)
class Switches:
    """beneficial: share right after, of the readings wrong before; harmful: the reverse."""

    beneficial: Estimate
    harmful: Estimate


@dataclass(frozen=True)
class Reliance:
    """Of the readings whose first diagnosis before differed from the AI's: how many adopted the AI's.

    followed_when_right, followed_when_wrong: those with a reference. outside_scope: readings counted in none
    of these, because the AI does not know the diagnosis before.
    """

    followed_when_right: Estimate
    followed_when_wrong: Estimate
    followed: Estimate
    outside_scope: int


@dataclass(frozen=True)
class Agreement:
    """Cohen's kappa of the first diagnoses of reader and AI; outside_scope: readings left out of it."""

    kappa: Estimate
    outside_scope: int


@dataclass(frozen=True)
class Summary:
    """All figures of a set of readings.

    accuracy: by who ("before", "after", "ai") and top (1, 3); gain: accuracy after minus before, by top;
    agreement, seconds (median) and confidence (mean, 0 to 100): by stage.
    """

    n_readings: int
    n_readers: int
    n_cases: int
    n_with_truth: int
    accuracy: dict[tuple[Who, int], Estimate]
    gain: dict[int, Estimate]
    switches: Switches
    reliance: Reliance
    agreement: dict[Stage, Agreement]
    seconds: dict[Stage, Estimate]
    confidence: dict[Stage, Estimate]


def readings(answers: pd.DataFrame) -> pd.DataFrame:
    """One row per reading with a blinded answer before, an answer after and a run, by the time of the latter.

    ai: the run's types, most likely first; ai_probability: of the first; before, after: the reader's
    diagnoses, most likely first. Equal diagnoses are equal strings: the type's code, or the text as first
    written. A built-in sample is the same case, "sample:<name>", for all readers.
    """
    blinded = answers[answers["blinded"].astype(bool)]
    before = blinded.loc[blinded["stage"] == "before", ["reader", "case", *RANKS, "confidence", "seconds"]]
    after = blinded[blinded["stage"] == "after"]
    after = after[after["ai_answer"].astype(bool)]  # a run with at least one type
    both = after.merge(before, on=["reader", "case"], suffixes=("", "_before"), validate="one_to_one")
    both = both.sort_values("answered_at", kind="stable", ignore_index=True)
    ranks_before = [f"{column}_before" for column in RANKS]
    columns = ("truth", *ranks_before, *RANKS)
    spelling = _one_spelling(np.concatenate([both[column].unique() for column in columns]))
    types = {run: tuple(type_ for type_, _ in run) for run in set(both["ai_answer"])}

    def ranked(columns: list[str]) -> list[tuple[str, ...]]:
        rows = zip(*(both[column] for column in columns), strict=True)
        return [tuple(spelling[text] for text in row if text) for row in rows]

    return pd.DataFrame(
        {
            **{column: both[column] for column in ("reader", "role", "years_of_practice", "deck")},
            "case": both["case"].where(both["sample"] == "", "sample:" + both["sample"]),
            "fitzpatrick": both["fitzpatrick"],
            # Samples are tried out, also by readers who have seen them before: they score nobody.
            "truth": both["truth"].map(spelling).astype("str").where(both["sample"] == "", ""),
            "ai": pd.Series([types[run] for run in both["ai_answer"]], dtype=object),
            "ai_probability": np.array([run[0][1] for run in both["ai_answer"]], dtype=float),
            "before": pd.Series(ranked(ranks_before), dtype=object),
            "after": pd.Series(ranked([*RANKS]), dtype=object),
            "before_confidence": both["confidence_before"],
            "after_confidence": both["confidence"],
            "before_seconds": both["seconds_before"],
            "after_seconds": both["seconds"],
            "answered_at": both["answered_at"],
        }
    )


def _one_spelling(texts: Iterable[str]) -> dict[str, str]:
    """Text -> the code of its type, or the first text that differs only in case and spaces."""
    first: dict[str, str] = {}
    spelling = {}
    for text in texts:
        disease = find(text)
        plain = " ".join(text.split())
        spelling[text] = disease.code if disease else first.setdefault(plain.casefold(), plain)
    return spelling


def correct(readings: pd.DataFrame, who: Who, top: int = 1) -> np.ndarray:
    """(n,) whether the reference is among the first `top` diagnoses; False without a reference."""
    pairs = zip(readings["truth"].to_numpy(dtype=object), readings[who], strict=True)
    return np.array([truth != "" and truth in ranks[:top] for truth, ranks in pairs], dtype=bool)


def _has_truth(readings: pd.DataFrame) -> np.ndarray:
    return (readings["truth"] != "").to_numpy(dtype=bool)


def _first(readings: pd.DataFrame, who: Who) -> np.ndarray:
    return np.array([ranks[0] if ranks else "" for ranks in readings[who]], dtype=object)


def _in_scope(readings: pd.DataFrame, stage: Stage) -> np.ndarray:
    """(n,) whether the AI knows the reader's first diagnosis."""
    pairs = zip(_first(readings, stage), readings["ai"], strict=True)
    return np.array([first in types for first, types in pairs], dtype=bool)


# ---- figures with intervals; weights: reading_weights(readings), computed if not given ----


def accuracy(readings: pd.DataFrame, who: Who, top: int = 1, weights: np.ndarray | None = None) -> Estimate:
    """How often the reference is among the first `top` diagnoses."""
    return means(readings, [(correct(readings, who, top), _has_truth(readings))], weights)[0]


def gain(readings: pd.DataFrame, top: int = 1, weights: np.ndarray | None = None) -> Estimate:
    """Accuracy after minus accuracy before, paired by reading."""
    difference = correct(readings, "after", top).astype(float) - correct(readings, "before", top)
    return means(readings, [(difference, _has_truth(readings))], weights)[0]


def switches(readings: pd.DataFrame, weights: np.ndarray | None = None) -> Switches:
    """First diagnoses that became right, and that became wrong.

    Separately, because their difference hides harm: wrong AI misled readers of all levels in Tschandl et al.
    2020 (Nat. Med. 26:1229).
    """
    before, after, truth = correct(readings, "before"), correct(readings, "after"), _has_truth(readings)
    return Switches(*means(readings, [(after, truth & ~before), (~after, truth & before)], weights))


def reliance(readings: pd.DataFrame, weights: np.ndarray | None = None) -> Reliance:
    """How often readers whose diagnosis differed adopted the AI's.

    Adopting a wrong one is over-reliance, which answering first should reduce (Buçinca et al. 2021, Proc. ACM
    Hum.-Comput. Interact. 5 CSCW1:188).
    """
    ai, in_scope = _first(readings, "ai"), _in_scope(readings, "before")
    differed = in_scope & (_first(readings, "before") != ai)
    followed = _first(readings, "after") == ai
    right, truth = correct(readings, "ai"), _has_truth(readings)
    among = (differed & right, differed & truth & ~right, differed)
    when_right, when_wrong, always = means(readings, [(followed, rows) for rows in among], weights)
    return Reliance(when_right, when_wrong, always, outside_scope=int((~in_scope).sum()))


def agreement(readings: pd.DataFrame, stage: Stage, weights: np.ndarray | None = None) -> Agreement:
    """Cohen's kappa of the first diagnoses of reader and AI, over all readings in scope."""
    own, ai, in_scope = _first(readings, stage), _first(readings, "ai"), _in_scope(readings, stage)
    weights = reading_weights(readings) if weights is None else weights
    n = int(in_scope.sum())
    observed, expected = _observed_and_expected(own, ai, in_scope, weights)
    kappa = estimate_of(_kappa(observed, expected), n)
    if kappa.value is not None and observed[0] in (0, 1):
        bounds = np.array(bounds_of_none_or_all(observed[0] == 1, readings[in_scope]))
        low, high = _kappa(bounds, expected[0])
        kappa = replace(kappa, low=float(low), high=float(high))
    return Agreement(kappa, outside_scope=len(readings) - n)


def seconds(readings: pd.DataFrame, stage: Stage, weights: np.ndarray | None = None) -> Estimate:
    """The median time from the start of the stage to the answer."""
    return median(readings, readings[f"{stage}_seconds"].to_numpy(dtype=float), weights)


def confidence(readings: pd.DataFrame, stage: Stage, weights: np.ndarray | None = None) -> Estimate:
    """The mean stated confidence, 0 to 100."""
    values = readings[f"{stage}_confidence"].to_numpy(dtype=float)
    return means(readings, [(values, np.isfinite(values))], weights)[0]


def summary(readings: pd.DataFrame) -> Summary:
    """All figures from the same resamples."""
    weights = reading_weights(readings)
    return Summary(
        n_readings=len(readings),
        n_readers=readings["reader"].nunique(),
        n_cases=readings["case"].nunique(),
        n_with_truth=int(_has_truth(readings).sum()),
        accuracy={(who, top): accuracy(readings, who, top, weights) for who in WHO for top in TOPS},
        gain={top: gain(readings, top, weights) for top in TOPS},
        switches=switches(readings, weights),
        reliance=reliance(readings, weights),
        agreement={stage: agreement(readings, stage, weights) for stage in STAGES},
        seconds={stage: seconds(readings, stage, weights) for stage in STAGES},
        confidence={stage: confidence(readings, stage, weights) for stage in STAGES},
    )


def by_group(readings: pd.DataFrame, column: str) -> dict[str, Summary]:
    """Group of a column -> its summary; readings without a value come last, as "not stated"."""
    labels = readings[column].astype("string").replace("", pd.NA).fillna(NOT_STATED).to_numpy(dtype=object)
    names = _in_order(labels, NATURAL_ORDER.get(column, ()))
    return {name: summary(readings[labels == name]) for name in names}


def _in_order(names: Iterable[str], order: Sequence[str]) -> list[str]:
    """Unique names: first in the given order, then alphabetically, then "not stated"."""
    places = {name: place for place, name in enumerate(order)}
    return sorted(set(names), key=lambda name: (name == NOT_STATED, places.get(name, len(places)), name))


def _observed_and_expected(
    own: np.ndarray, ai: np.ndarray, among: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(resamples,) observed agreement, and that expected by chance from both margins (Cohen 1960, eq. 1).

    NaN for a resample without these readings. If expected agreement is 1, kappa is undefined.
    """
    codes, types = pd.factorize(np.concatenate([own[among], ai[among]]))
    by_reader, by_ai = np.split(np.eye(len(types))[codes], 2)
    same = (own == ai)[among, None]
    sums = weighted_sums(np.hstack([by_reader, by_ai, same]).T, weights[among])
    of_reader, of_ai = np.split(sums[:-1], 2)
    total = of_reader.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return sums[-1] / total, (of_reader * of_ai).sum(axis=0) / total**2


def _kappa(observed: np.ndarray, expected: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((observed - expected) / (1 - expected))


def kappa_over_time(readings: pd.DataFrame, blocks: int = 10) -> pd.DataFrame:
    """Kappa before and after in consecutive blocks of nearly equal n; NaN if under MIN_N are in scope.

    There are fewer than `blocks` blocks if they would have under MIN_N readings. Columns: block (from 1), n,
    before, after.
    """
    ordered = readings.sort_values("answered_at", kind="stable")
    count = min(blocks, len(ordered) // MIN_N)
    parts = np.array_split(np.arange(len(ordered)), count) if count else []
    sizes = np.array([len(part) for part in parts], dtype=int)
    table = pd.DataFrame({"block": np.arange(1, count + 1), "n": sizes})
    ai = _first(ordered, "ai")
    for stage in STAGES:
        own, in_scope = _first(ordered, stage), _in_scope(ordered, stage)
        weights = np.zeros((len(ordered), count))
        for block, part in enumerate(parts):
            weights[part, block] = in_scope[part].sum() >= MIN_N
        table[stage] = _kappa(*_observed_and_expected(own, ai, in_scope, weights))
    return table


def calibration(confidence: np.ndarray, correct: np.ndarray, bins: int = 5) -> pd.DataFrame:
    """Mean confidence (0 to 1) and accuracy in bins of nearly equal n, least confident first.

    confidence, correct: (n,). Equal confidences share a bin, so the order of the answers does not matter.
    There are fewer bins if they would have under MIN_N answers; bins under MIN_N are left out. Columns:
    confidence, accuracy, n.
    """
    bins = min(bins, len(confidence) // MIN_N)
    place = (rankdata(confidence) - 0.5) / max(1, len(confidence))
    table = pd.DataFrame({"confidence": confidence, "accuracy": correct}, dtype=float)
    grouped = table.groupby(np.floor(place * bins))
    result = grouped.mean().assign(n=grouped.size())
    return result[result["n"] >= MIN_N].reset_index(drop=True)


def confusion(readings: pd.DataFrame, stage: Stage) -> pd.DataFrame:
    """Counts of the reader's first diagnosis (rows) by the AI's (columns), for the types that occur.

    The last row, OUTSIDE_SCOPE, has the diagnoses that the AI does not know.
    """
    ai = _first(readings, "ai")
    own = np.where(_in_scope(readings, stage), _first(readings, stage), OUTSIDE_SCOPE)
    types = _in_order({*own, *ai} - {OUTSIDE_SCOPE}, tuple(DISEASES))
    counts = pd.crosstab(own, ai).rename_axis(index=None, columns=None)
    return counts.reindex(index=[*types, OUTSIDE_SCOPE], columns=types, fill_value=0)


def flow(readings: pd.DataFrame) -> pd.DataFrame:
    """Counts by right or wrong before and after, for readings with a reference.

    Columns: before, after ("right" or "wrong"), n; always four rows.
    """
    before, after, truth = correct(readings, "before"), correct(readings, "after"), _has_truth(readings)
    states = {"right": True, "wrong": False}
    rows = [
        (first, then, int((truth & (before == was_right) & (after == is_right)).sum()))
        for first, was_right in states.items()
        for then, is_right in states.items()
    ]
    return pd.DataFrame(rows, columns=["before", "after", "n"])
