"""Checks that no input makes answers worse: photo and words against photo alone and words alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from skin_ai.evaluation.figures import Evaluated, gains, is_predicted
from skin_ai.evaluation.protocols import protocol

MARGIN: Final = 0.02  # of balanced accuracy: how far below 0 the interval of a paired difference may reach
MELANOMA: Final = "MEL"
# Each is compared with the photo alone where a bundle has it, and the free words of every writer.
MODES: Final = (
    "photo_no_words",
    "chain",
    "chain_in_held_out_wordings",
    "chain_one_fact",
    "chain_two_facts",
    "chain_three_facts",
    "chain_confirmed_facts",
    "chain_free_words",
)
MOST_LOST: Final = 2  # melanomas that are first without the further input and not first with it


def comparisons(evaluated: Evaluated) -> list[tuple[str, str]]:
    """Pairs of a mode and one with less input."""
    modes = [mode for mode in evaluated.modes if mode in MODES or mode.startswith("chain_free_words")]
    return [(mode, "photo_only") for mode in modes] + [("chain", "words_only")]


def measure(evaluated: Evaluated) -> dict[str, Any]:
    """One row for each of `comparisons`: difference, melanomas lost, whether it passes."""
    rows = {}
    for mode, alone in comparisons(evaluated):
        gain = gains(evaluated, mode, alone)["balanced_accuracy"]
        lost, low = _melanomas_lost(evaluated, mode, alone), gain["low"]
        passes = low is not None and low >= -MARGIN and lost <= MOST_LOST
        rows[f"{mode}_less_{alone}"] = {**gain, "melanomas_lost": lost, "passes": passes}
    return {"protocol": protocol("no_harm", margin=MARGIN, most_lost=MOST_LOST), "rows": rows}


def _melanomas_lost(evaluated: Evaluated, mode: str, alone: str) -> int:
    if MELANOMA not in evaluated.types:
        return 0
    melanoma = evaluated.types.index(MELANOMA)
    scores, before = evaluated.modes[mode], evaluated.modes[alone]
    there = (evaluated.truth == melanoma) & is_predicted(scores) & is_predicted(before)
    return int(np.sum(there & (before.argmax(1) == melanoma) & (scores.argmax(1) != melanoma)))


def failures(measured: Mapping[str, Any]) -> list[str]:
    """One sentence for each comparison that a bundle does not pass."""
    return [
        f"{name}: {row['value']} ({row['low']} to {row['high']}), {row['melanomas_lost']} melanomas lost."
        for name, row in measured["rows"].items()
        if not row["passes"]
    ]
