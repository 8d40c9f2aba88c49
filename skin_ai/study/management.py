"""What readers would do about the lesion before and after the AI, and how likely they hold malignancy.

A decision is to send a lesion on (biopsy or refer) or not. It is right where a malignant lesion is sent on or
a benign one is not. Pre-malignant lesions are left out: both decisions can be right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from skin_ai.diseases import DISEASES, Nature
from skin_ai.intervals import MIN_N, Estimate, around, as_rate, difference, rate, spread
from skin_ai.study.statistics import STAGES, Stage, Switches, calibration
from skin_ai.vocabulary import MANAGEMENT, SENT_ON


@dataclass(frozen=True)
class Change:
    """A figure before and after the AI, and the difference, paired by reading."""

    at: dict[Stage, Estimate]
    change: Estimate


@dataclass(frozen=True)
class Management:
    """harm: malignant lesions that were not sent on; unnecessary: benign ones that were; right: the others.

    switches: of the wrong decisions before, how many were right after (the benefit rate), and the reverse.
    chosen: stage -> management -> number of readings; left_out: readings whose reference is pre-malignant,
    no known type, or missing.
    """

    harm: Change
    unnecessary: Change
    right: Change
    switches: Switches
    chosen: dict[Stage, dict[str, int]]
    left_out: int


def has_management(readings: pd.DataFrame) -> pd.DataFrame:
    """The readings of decks that ask for management."""
    return _answered(readings, "management", "")


def management(readings: pd.DataFrame) -> Management:
    """All figures of the readings that have a management before and after."""
    asked = has_management(readings)
    malignant, benign = (is_of_nature(asked, nature) for nature in (Nature.MALIGNANT, Nature.BENIGN))
    sent = {stage: (asked[f"{stage}_management"] == SENT_ON).to_numpy(bool) for stage in STAGES}
    right = {stage: (malignant & sent[stage]) | (benign & ~sent[stage]) for stage in STAGES}
    judged = malignant | benign
    kept = {stage: ~sent[stage] for stage in STAGES}
    return Management(
        harm=_change(asked, kept, malignant),
        unnecessary=_change(asked, sent, benign),
        right=_change(asked, right, judged),
        switches=Switches(
            rate(asked, right["after"], judged & ~right["before"]),
            rate(asked, ~right["after"], judged & right["before"]),
        ),
        chosen={
            stage: {one: int((asked[f"{stage}_management"] == one).sum()) for one in MANAGEMENT}
            for stage in STAGES
        },
        left_out=int((~judged).sum()),
    )


def is_of_nature(readings: pd.DataFrame, nature: Nature) -> np.ndarray:
    """(n,) whether the reference is a type of this nature."""
    codes = [code for code, disease in DISEASES.items() if disease.nature is nature]
    return readings["truth"].isin(codes).to_numpy(bool)


def _change(readings: pd.DataFrame, happened: dict[Stage, np.ndarray], among: np.ndarray) -> Change:
    before, after = happened["before"], happened["after"]
    return Change(
        {stage: rate(readings, happened[stage], among) for stage in STAGES},
        difference(readings, after & ~before, before & ~after, among),
    )


# ---- the probability of malignancy ----

LEVELS: Final = 5  # bins of equal answers: the probability is stated in five steps


def has_malignancy(readings: pd.DataFrame) -> pd.DataFrame:
    """The readings of decks that ask for the probability of malignancy."""
    return _answered(readings, "malignancy", None)


def _judged(readings: pd.DataFrame) -> pd.DataFrame:
    """Those with a known reference."""
    asked = has_malignancy(readings)
    return asked[asked["truth"].isin(list(DISEASES))].reset_index(drop=True)


def malignancy_auc(readings: pd.DataFrame) -> Change:
    """The mean of the readers' own AUCs, malignant against all other lesions, and after minus before.

    Of the readers who read lesions of both kinds. The variance is Obuchowski and Rockette's
    (intervals.spread); no interval with fewer than MIN_N lesions of either kind.
    """
    judged = _judged(readings)
    is_malignant = pd.Series(is_of_nature(judged, Nature.MALIGNANT))
    has_both = is_malignant.groupby(judged["reader"]).transform("nunique") == 2
    rows, is_malignant = (part[has_both].reset_index(drop=True) for part in (judged, is_malignant))
    n, sizes = len(rows), rows["case"].groupby(is_malignant).nunique()
    if n < MIN_N:
        none = Estimate(None, None, None, n)
        return Change(dict.fromkeys(STAGES, none), none)

    found = {stage: _mean_auc(rows, stage, is_malignant.to_numpy()) for stage in STAGES}
    (before, moved_before), (after, moved_after) = (found[stage] for stage in STAGES)
    if sizes.min() < MIN_N:
        return Change(
            {stage: Estimate(value, None, None, n) for stage, (value, _) in found.items()},
            Estimate(after - before, None, None, n),
        )
    return Change(
        {stage: as_rate(value, spread(rows, moved), n) for stage, (value, moved) in found.items()},
        around(after - before, spread(rows, moved_after - moved_before), (-1.0, 1.0), n),
    )


def _mean_auc(rows: pd.DataFrame, stage: Stage, is_malignant: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean of the readers' AUCs, and (n,) how much each reading moves it.

    Within a reader these are the structural components of DeLong et al. (1988, Biometrics 44:837); what sets
    the reader's AUC apart from the mean is shared among the reader's readings.
    """
    scores = rows[f"{stage}_malignancy"].to_numpy(float)
    of_readers = list(rows.groupby("reader").indices.values())
    moved, aucs = np.zeros(len(rows)), []
    for places in of_readers:
        malignant, others = places[is_malignant[places]], places[~is_malignant[places]]
        gaps = scores[malignant][:, None] - scores[others]
        wins = (gaps > 0) + 0.5 * (gaps == 0)
        aucs.append(wins.mean())
        for kind, share in ((malignant, wins.mean(axis=1)), (others, wins.mean(axis=0))):
            free = math.sqrt(len(kind) * max(len(kind) - 1, 1))  # as in a variance, of each kind of lesion
            moved[kind] = (share - wins.mean()) / free
    mean = float(np.mean(aucs))
    for places, auc in zip(of_readers, aucs, strict=True):
        moved[places] += (auc - mean) / len(places)
    return mean, moved / len(of_readers)


def malignancy_calibration(readings: pd.DataFrame) -> dict[Stage, pd.DataFrame]:
    """Stated probability of malignancy against the share of malignant lesions, as statistics.calibration."""
    judged = _judged(readings)
    is_malignant = is_of_nature(judged, Nature.MALIGNANT)
    return {
        stage: calibration(judged[f"{stage}_malignancy"].to_numpy(float) / 100, is_malignant, LEVELS)
        for stage in STAGES
    }


def _answered(readings: pd.DataFrame, what: str, missing: str | None) -> pd.DataFrame:
    columns = [readings[f"{stage}_{what}"] for stage in STAGES]
    is_given = [column.notna() if missing is None else column != missing for column in columns]
    return readings[is_given[0] & is_given[1]].reset_index(drop=True)
