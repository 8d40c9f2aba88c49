"""Malignant against other types: ROC, and sensitivity at fixed specificity."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from skin_ai.evaluation.figures import Evaluated, figure, is_predicted
from skin_ai.intervals import patient_weights

ROC_POINTS = 60
SPECIFICITIES = (0.80, 0.90)
MALIGNANT_PROTOCOL = (
    "Malignant types against all others by the sum of the malignant types' probabilities as the app shows "
    "them (equally frequent types), out of fold. Sensitivity at a specificity: the threshold is fitted in "
    "each resample. Intervals: 95%, bootstrap over patients."
)


def malignancy(evaluated: Evaluated, mode: str, malignant: Collection[str]) -> dict[str, Any]:
    """ROC, its area, and sensitivity at two specificities."""
    predicted = is_predicted(evaluated.modes[mode])
    columns = [evaluated.types.index(type_) for type_ in evaluated.types if type_ in malignant]
    score = evaluated.modes[mode][predicted][:, columns].sum(1)
    is_malignant = np.isin(evaluated.truth[predicted], columns)
    weights = patient_weights(evaluated.patients)[:, predicted]
    n = len(score)
    least, false_positives, sensitivity = receiver_operating(score, is_malignant, weights)
    result: dict[str, Any] = {
        "protocol": MALIGNANT_PROTOCOL,
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


def receiver_operating(
    score: np.ndarray, positive: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(points,) thresholds from infinity down, (resamples, points) false-positive rate and sensitivity.

    Equal scores are one point. nan where a resample has no case of one kind.
    """
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.diff(score[order], append=-np.inf))
    rates = []
    for kind in (~positive, positive):
        counts = (weights * kind)[:, order].cumsum(1)
        with np.errstate(invalid="ignore"):
            rates.append(np.pad(counts[:, ends] / counts[:, -1:], ((0, 0), (1, 0))))
    rates = [np.where(np.isfinite(rate[:, -1:]), rate, np.nan) for rate in rates]
    return np.concatenate([[np.inf], score[order][ends]]), rates[0], rates[1]


def area_under(false_positives: np.ndarray, sensitivity: np.ndarray) -> np.ndarray:
    """(resamples,) area under the curve, by trapezoids: ties count half."""
    heights = (sensitivity[:, 1:] + sensitivity[:, :-1]) / 2
    return np.asarray((np.diff(false_positives, axis=1) * heights).sum(1))
