"""Malignant against other types: ROC, and sensitivity at fixed specificity."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from skin_ai.evaluation.figures import Evaluated, area_under, figure, receiver_operating
from skin_ai.evaluation.protocols import protocol

ROC_POINTS = 60
SPECIFICITIES = (0.80, 0.90)


def malignancy(evaluated: Evaluated, mode: str, malignant: Collection[str]) -> dict[str, Any]:
    """ROC, its area, and sensitivity at two specificities."""
    scores, truth, weights = evaluated.predicted(mode)
    columns = [place for place, type_ in enumerate(evaluated.types) if type_ in malignant]
    is_malignant, n = np.isin(truth, columns), len(truth)
    least, false_positives, sensitivity = receiver_operating(scores[:, columns].sum(1), is_malignant, weights)
    result: dict[str, Any] = {
        "protocol": protocol("malignancy"),
        "malignant_types": [evaluated.types[column] for column in columns],
        "n": n,
        "n_malignant": int(is_malignant.sum()),
        "auc": figure(area_under(false_positives, sensitivity), n),
    }
    for specificity in SPECIFICITIES:
        places = np.maximum((false_positives <= 1 - specificity + 1e-9).sum(1) - 1, 0)
        found = np.where(np.isnan(false_positives[:, 0]), np.nan, sensitivity[np.arange(len(places)), places])
        threshold = min(least[places[0]], 1.0)  # infinite where no case reaches it
        result[f"sensitivity_at_{specificity:.0%}"[:-1]] = figure(found, int(is_malignant.sum())) | {
            "least_probability": round(float(threshold), 4)
        }
    shown = np.unique(np.linspace(0, len(least) - 1, ROC_POINTS).round().astype(int))
    result["roc"] = [
        {"false_positive_rate": round(float(x), 4), "sensitivity": round(float(y), 4)}
        for x, y in zip(false_positives[0, shown], sensitivity[0, shown], strict=True)
        if np.isfinite(x) and np.isfinite(y)
    ]
    return result
