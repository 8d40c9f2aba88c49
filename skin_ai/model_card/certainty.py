"""Whether it knows when it does not know: calibration, coverage, malignancy, groups of patients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skin_ai.model_card import nested
from skin_ai.model_card.blocks import Block, Text, counted, interval, table, with_n
from skin_ai.model_card.charts import malignancy_curve, reliability, risk_coverage
from skin_ai.model_card.labels import label
from skin_ai.model_card.rows import FEW, by_mode, group_name, groups_of

Figures = Mapping[str, Any]

AT = {"sensitivity_at_80": "0.80", "sensitivity_at_90": "0.90"}  # specificity
# By the end of their names in the manifest.
WAYS = {"": "types as frequent as in the data", "_shown": "types equally frequent, as shown"}


def malignancy(measured: Figures) -> list[Block]:
    modes = by_mode(measured)
    rows = (
        {
            "": label(key),
            "AUC": interval(mode.get("auc")),
            **{f"Sensitivity at {name} specificity": interval(mode.get(at)) for at, name in AT.items()},
        }
        for key, mode in modes.items()
    )
    areas = counted(mode.get("auc", {}) for mode in modes.values())
    sensitivities = counted(mode.get(at, {}) for mode in modes.values() for at in AT)
    types = {", ".join(mode["malignant_types"]) for mode in modes.values() if "malignant_types" in mode}
    caption = f"AUC: {areas}. Sensitivity: {sensitivities}, the malignant ones ({' or '.join(types)})."
    return [*said(measured), *table(rows, caption=caption), *malignancy_curve(modes)]


def said(measured: Figures) -> list[Block]:
    """How it was measured: one protocol for all, or that of the modes, which is the same for each."""
    told = [part.get("protocol") for part in (measured, *by_mode(measured).values())]
    return [Text(text) for text in dict.fromkeys(told) if text]


def groups(measured: Figures) -> list[Block]:
    blocks = said(measured)
    measures = ("balanced_accuracy", "accuracy", "malignancy_auc")
    for grouping, found in groups_of(measured).items():
        present = [measure for measure in measures if any(measure in values for values in found.values())]
        blocks += table(
            (
                {
                    "": _group(group_name(grouping, group), values),
                    **{label(measure): interval(values.get(measure)) for measure in present},
                }
                for group, values in found.items()
            ),
            title=label(grouping),
        )
    if blocks:
        blocks.append(
            Text(f"Of the chain. Look at the intervals first; under n = {FEW} they say next to nothing.")
        )
    return blocks


def _group(name: str, values: Figures) -> str:
    types = f", {values['n_types']} types" if "n_types" in values else ""
    return f"{name}, n = {values.get('n', 0):,}{types}"


def calibration(figures: Figures) -> list[Block]:
    measured = by_mode(figures.get("calibration", {}))
    by_step = {f"Step {entry['step']}": entry for entry in figures.get("step_calibration", [])}
    blocks = said(figures.get("calibration", {}))
    for way, title in WAYS.items():
        modes = {key: one_way(mode, way) for key, mode in measured.items()}
        blocks += _calibration_errors({label(key): mode for key, mode in modes.items()}, title)
        blocks += reliability(modes, f"reliability{way}", f"Reliability, {title}")
    for way, title in WAYS.items():
        steps = {name: one_way(step, way) for name, step in by_step.items()}
        blocks += _calibration_errors(steps, f"{title}, each step")
    return blocks


def one_way(measured: Figures, way: str) -> Figures:
    """Calibration error and bins of the probabilities of one of the ways."""
    names = ("ece", "if_calibrated", "bins")
    return {name: measured[name + way] for name in names if measured.get(name + way)}


def _calibration_errors(ways: Figures, title: str) -> list[Block]:
    return table(
        (
            {
                "": name,
                "Calibration error": with_n(way["ece"]),
                "If well calibrated": _expected(way.get("if_calibrated")),
            }
            for name, way in ways.items()
            if "ece" in way
        ),
        title=f"Calibration error, {title}",
        caption="If well calibrated: what chance alone would show, mean and 97.5th percentile.",
    )


def _expected(error: Figures | None) -> str:
    return f"{error['mean']:.3f}, up to {error['high']:.3f}" if error else "not measured"


def not_sure(manifest: Mapping[str, Any]) -> list[Block]:
    measured, rule = manifest.get("figures", {}).get("risk_coverage", {}), manifest.get("not_sure", {})
    modes = by_mode(measured)
    rows = (
        {
            "": label(key),
            "All cases": interval(mode.get("full")),
            "The surest 80%": interval(mode.get("at_80")),
            "Gain": interval(mode.get("gain")),
        }
        for key, mode in modes.items()
    )
    caption = counted(mode.get("gain", {}) for mode in modes.values())
    blocks = [*said(measured), *table(rows, title="Accuracy", caption=caption), *risk_coverage(modes)]
    if rule:
        blocks += [Text("**The rule of the app**"), *nested.tables(rule)]
        blocks.append(
            Text("Measured on this data; where patients or cameras differ, coverage and accuracy will.")
        )
    return blocks
