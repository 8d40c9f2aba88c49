"""A deck's arms compared: what of the AI the reader was shown, drawn at random for each reader and case.

One comparison is named before the study (`tables.Deck`); only this one has an interval for a difference
between arms, so that none is found by looking at many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from skin_ai.intervals import MIN_CASES, MIN_N, MIN_READERS, Estimate, around, spread
from skin_ai.study.statistics import (
    STAGES,
    Stage,
    accuracy,
    correct,
    gain,
    is_scored,
    seconds,
)
from skin_ai.vocabulary import ARMS


@dataclass(frozen=True)
class Arm:
    """One arm's figures, of first diagnoses, as in statistics.Summary.

    n_readings: finished; missing: with a first answer and no final one.
    """

    n_readings: int
    missing: int
    accuracy: dict[Stage, Estimate]
    gain: Estimate
    seconds: Estimate


def with_arms(readings: pd.DataFrame) -> pd.DataFrame:
    """The readings for which an arm was drawn."""
    return readings[readings["arm"] != ""].reset_index(drop=True)


def by_arm(readings: pd.DataFrame, answers: pd.DataFrame) -> dict[str, Arm]:
    """Each arm that occurs in the finished readings, second looks included.

    answers: of the same deck, for the final ones that are missing.
    """
    blinded = answers[answers["blinded"].astype(bool)]
    counts = blinded.groupby(["arm", "stage"]).size()
    found = {}
    for arm in ARMS:
        rows = readings[readings["arm"] == arm].reset_index(drop=True)
        if rows.empty:
            continue
        found[arm] = Arm(
            n_readings=len(rows),
            missing=int(counts.get((arm, "before"), 0) - counts.get((arm, "after"), 0)),
            accuracy={stage: accuracy(rows, stage) for stage in STAGES},
            gain=gain(rows),
            seconds=seconds(rows, "after"),
        )
    return found


def difference_of_gains(readings: pd.DataFrame, comparison: Sequence[str]) -> Estimate:
    """The gain in accuracy in the first arm minus that in the second, of readings with a known reference.

    The interval is symmetric, with the variance of readers and cases (intervals.spread). None where one of
    the arms has too few readers or cases, or where nobody changed an answer.
    """
    scored = readings[is_scored(readings)].reset_index(drop=True)
    change = correct(scored, "after").astype(float) - correct(scored, "before")
    within = [(scored["arm"] == arm).to_numpy(bool) for arm in comparison]
    n = int(sum(mask.sum() for mask in within))
    if any(mask.sum() < MIN_N for mask in within):
        return Estimate(None, None, None, n)
    means = [float(change[mask].mean()) for mask in within]
    value = means[0] - means[1]
    influence = np.zeros(len(scored))
    for mask, mean, sign in zip(within, means, (1, -1), strict=True):
        influence[mask] = sign * (change[mask] - mean) / mask.sum()
    either = within[0] | within[1]
    found = spread(scored[either], influence[either])
    sizes = [scored[mask][["reader", "case"]].nunique() for mask in within]
    is_small = any(size["reader"] < MIN_READERS or size["case"] < MIN_CASES for size in sizes)
    return Estimate(value, None, None, n) if is_small else around(value, found, (-2.0, 2.0), n)
