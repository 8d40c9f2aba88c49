"""What readers would do about the lesion before and after the AI, and how likely they hold malignancy.

A decision is to send a lesion on (biopsy or refer) or not. It is right where a malignant lesion is sent on or
a benign one is not. Pre-malignant lesions are left out: both decisions can be right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from skin_ai.diseases import DISEASES, Nature
from skin_ai.intervals import Estimate, difference, rate
from skin_ai.study.statistics import STAGES, Stage, Switches, calibration
from skin_ai.vocabulary import MANAGEMENT, SENT_ON


@dataclass(frozen=True)
class Change:
    """A rate before and after the AI, and the difference, paired by reading."""

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


def malignancy_calibration(readings: pd.DataFrame) -> dict[Stage, pd.DataFrame]:
    """Stated probability of malignancy against the share of malignant lesions, as statistics.calibration."""
    asked = has_malignancy(readings)
    judged = asked[asked["truth"].isin(list(DISEASES))]
    is_malignant = is_of_nature(judged, Nature.MALIGNANT)
    return {
        stage: calibration(judged[f"{stage}_malignancy"].to_numpy(float) / 100, is_malignant, LEVELS)
        for stage in STAGES
    }


def _answered(readings: pd.DataFrame, what: str, missing: str | None) -> pd.DataFrame:
    columns = [readings[f"{stage}_{what}"] for stage in STAGES]
    is_given = [column.notna() if missing is None else column != missing for column in columns]
    return readings[is_given[0] & is_given[1]].reset_index(drop=True)
