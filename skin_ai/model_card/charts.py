"""The data of the charts, as the tables beside them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from skin_ai.model_card.tables import Figures

# The single pass lies on the chain and stands in the tables only.
IN_CHARTS: Final = ("photo_only", "words_only", "chain")
FALSE_POSITIVE_RATES: Final = (0.05, 0.1, 0.2, 0.3, 0.5)
COVERAGES: Final = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)


def malignancy_curve(malignancy: Figures) -> dict[str, dict[str, Any]]:
    """False positive rate -> mode -> sensitivity, between two points of the curve in proportion."""
    curves = {mode: malignancy[mode]["roc"] for mode in IN_CHARTS if malignancy.get(mode, {}).get("roc")}
    return {
        f"{rate:.2f}": {
            mode: {
                "value": float(
                    np.interp(
                        rate,
                        [point["false_positive_rate"] for point in curve],
                        [point["sensitivity"] for point in curve],
                    )
                )
            }
            for mode, curve in curves.items()
        }
        for rate in FALSE_POSITIVE_RATES
        if curves
    }


def risk_coverage(measured: Figures) -> dict[str, dict[str, Any]]:
    """Share of cases answered -> mode -> accuracy among them."""
    curves = {
        mode: {round(point["coverage"], 2): point for point in measured[mode]["curve"]}
        for mode in IN_CHARTS
        if measured.get(mode, {}).get("curve")
    }
    return {
        f"{coverage:.0%}": {
            mode: as_figure(curve[coverage], "accuracy")
            for mode, curve in curves.items()
            if coverage in curve
        }
        for coverage in COVERAGES
        if curves
    }


def as_figure(point: Figures, key: str) -> dict[str, Any]:
    """A point of a curve as a figure with its interval and n, where it has them."""
    return {"value": point[key], **{name: point[name] for name in ("low", "high", "n") if name in point}}
