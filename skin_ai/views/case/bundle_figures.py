"""A bundle's main figures in short; all of them are in its model card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skin_ai.model_card.labels import MEASURES, SOURCES, capital
from skin_ai.model_card.tables import interval

PHOTOS = "photos and words of PAD-UFES-20"
IN_SHORT = {"scin": ("top3", "accuracy")}  # by source, the others by accuracy alone
HOW_TO_READ = (
    "Accuracy: how often the first answer is right; balanced: averaged over types. Top 3: how often one of "
    "the first three is right. In brackets: 95% CI. Methods: see the Model card."
)


def in_short(manifest: Mapping[str, Any]) -> list[str]:
    """A line for each set of cases that the chain was evaluated on."""
    figures = manifest.get("figures", {})
    measured = [
        (
            SOURCES.get(source, source),
            found.get("modes", {}).get("chain"),
            IN_SHORT.get(source, ("accuracy",)),
        )
        for source, found in figures.get("words", {}).items()
    ]
    measured.append((PHOTOS, figures.get("modes", {}).get("chain"), ("balanced_accuracy",)))
    return [
        f"{capital(what)}, n = {mode['n']:,}: "
        + ", ".join(f"{MEASURES[measure].lower()} {interval(mode.get(measure))}" for measure in measures)
        for what, mode, measures in measured
        if mode
    ]
