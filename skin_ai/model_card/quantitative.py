"""Every figure that a manifest has, in sections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skin_ai.model_card import nested
from skin_ai.model_card.blocks import (
    NOT_MEASURED,
    Block,
    Section,
    Text,
    counted,
    interval,
    section,
    table,
)
from skin_ai.model_card.certainty import calibration, groups, malignancy, not_sure
from skin_ai.model_card.charts import confusion, deletion_and_insertion
from skin_ai.model_card.comparisons import chain_of_options, on_words, protocols, reading
from skin_ai.model_card.labels import MEASURES, OTHER_MODES, SOURCES, label, type_name
from skin_ai.model_card.rows import by_mode, cases_of, rows_of

Figures = Mapping[str, Any]

MEASURES_IN_ONE_TABLE = 3  # what a phone shows without scrolling sideways
# Of `figures`, with what is told before each; drawn by one renderer, whatever they hold.
NESTED = {
    "gate": (
        "Photos unlike those in training",
        "How often the gate fires on held-out photos of lesions (false alarms) and on other photos.",
    ),
    "quality": (
        "Photo quality",
        "From which strength of each flaw the accuracy falls, and how often such photos are caught before "
        "the model is asked.",
    ),
    "shortcuts": (
        "Shortcuts: ink, blur, size",
        "By how much an answer changes with what should not change it.",
    ),
    "heatmaps": (
        "Heatmaps",
        "Whether the places that a map marks are those that the model used. Deletion: lower is better; "
        "insertion: higher is better.",
    ),
    "elimination": (
        "Eliminations",
        "How often the answer hangs on the way to it: on an option that fell, on the telling, on the order "
        "of the options.",
    ),
}


def quantitative_analyses(manifest: Mapping[str, Any]) -> Section:
    """All measured figures; what was not measured says so."""
    figures, types = manifest.get("figures", {}), manifest["types"]
    modes = with_calibration(by_mode(figures.get("modes", {})), figures.get("calibration", {}))
    everything = modes | {
        key: figures["others"][key] for key in OTHER_MODES if key in figures.get("others", {})
    }
    folded = {
        "Recall by type": recall_by_type(modes, types),
        "Which types are taken for which": [
            block
            for key in ("chain", "photo_only")
            for block in confusion(key, modes.get(key, {}).get("confusion"), types)
        ],
        "Malignant against the rest": malignancy(figures.get("malignancy", {})),
        "By skin type, age, body site and other groups": groups(figures.get("groups", {})),
        "Reliability: how sure and how often right": calibration(figures),
        "Not sure: accuracy over coverage": not_sure(manifest),
        "Two protocols side by side": protocols(figures.get("literature", {})),
        "What Chain of Options adds": chain_of_options(figures, everything),
        **{
            f"On {SOURCES.get(source, source)}": on_words(told, types)
            for source, told in figures.get("words", {}).items()
        },
        "Reading": reading(figures.get("reading", {})),
        **{
            title: _nested(explained, figures[key]) if figures.get(key) else []
            for key, (title, explained) in NESTED.items()
        },
    }
    return section(
        "Quantitative Analyses",
        [
            *(in_all_ways(modes) or [Text(NOT_MEASURED)]),
            *(section(title, blocks, folded=True) for title, blocks in folded.items()),
        ],
    )


def _nested(explained: str, measured: Figures) -> list[Block]:
    """Curves are drawn, all else stands in tables."""
    rest = {key: value for key, value in measured.items() if key != "curves"}
    curves = deletion_and_insertion(measured.get("curves", {}))
    return [Text(explained), *nested.tables(rest), *curves]


def with_calibration(modes: Figures, measured: Figures) -> dict[str, Any]:
    """The modes with the calibration errors of the section on reliability: one of each in a card."""
    return {
        key: mode | {"ece": measured[key]["ece"]} if "ece" in measured.get(key, {}) else mode
        for key, mode in modes.items()
    }


def in_all_ways(modes: Figures) -> list[Block]:
    """Photo only, words only, single pass, chain: every measure of each."""
    blocks: list[Block] = []
    present = [key for key in MEASURES if any(key in mode for mode in modes.values())]
    for measures in (present[:MEASURES_IN_ONE_TABLE], present[MEASURES_IN_ONE_TABLE:]):
        if measures:
            blocks += table(rows_of(modes, measures), caption=counted(modes.values()))
    return blocks + table(
        (
            {"": label(key), "Mean ± s.d.": nested.written(mode["balanced_accuracy_folds"])}
            for key, mode in modes.items()
            if "balanced_accuracy_folds" in mode
        ),
        title="Balanced accuracy over folds",
    )


def recall_by_type(modes: Figures, types: Sequence[str]) -> list[Block]:
    shown = {key: mode for key, mode in modes.items() if key != "single_pass" and "recall" in mode}
    with_cases = [type_ for type_ in types if any(type_ in mode["recall"] for mode in shown.values())]
    return table(
        (
            {
                "Type": type_name(type_) + cases_of(shown, type_, types),
                **{label(key): interval(mode["recall"].get(type_)) for key, mode in reversed(shown.items())},
            }
            for type_ in with_cases
        ),
        caption="How often a lesion of this type is named first.",
    )
