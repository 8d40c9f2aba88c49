"""Calibration, and the gain in accuracy from answering "not sure"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from skin_ai.evaluation.figures import (
    Evaluated,
    bins_of,
    calibration_errors,
    figure,
    is_predicted,
    mean_figure,
    weighted_mean,
)
from skin_ai.evaluation.protocols import protocol
from skin_ai.evaluation.temperatures import softmax, step_logits
from skin_ai.intervals import INTERVAL, RESAMPLES, SEED, patient_weights, with_interval
from skin_ai.predict.chain import Step, undecided

COVERAGE = 0.8  # wanted share of decided cases
CURVE_POINTS = 20


# ---- calibration ----


def calibration(evaluated: Evaluated, mode: str) -> dict[str, Any]:
    """ "ece" and "bins" of the reliability plot with the data's frequencies, "ece_shown" and "bins_shown".

    The app shows probabilities for equally frequent types. They can be calibrated only where types are
    equally frequent, so each case is weighted by the inverse frequency of its type, in a bin's confidence as
    in its accuracy. Probabilities multiplied by the data's frequencies are compared with unweighted cases.
    """
    scores, truth, weights = evaluated.predicted(mode)
    result = {"protocol": protocol("calibration"), "n": len(truth)}
    if len(truth):
        balanced = equally_frequent(truth, weights)
        result |= _both_ways(scores, truth, evaluated.prior, weights, balanced)
    return result


def step_calibration(
    steps: Sequence[tuple[Step, ...]],
    truth: np.ndarray,
    prior: np.ndarray,
    types: tuple[str, ...],
    patients: np.ndarray,
) -> list[dict[str, Any]]:
    """One entry a step, as `calibration` measures it, of the first option.

    steps: one elimination a case, with the temperatures that other folds gave; truth: (n,); prior: (K,).
    Cases whose type is no longer an option are left out. As shown, the types are equally frequent among all
    cases, not among those that are left.
    """
    weights = patient_weights(patients)
    balanced = equally_frequent(truth, weights)
    found: list[dict[str, Any]] = []
    for place in range(len(steps[0])):
        scores = softmax(step_logits(steps, place, types))
        there = scores[np.arange(len(truth)), truth] > 0
        entry: dict[str, Any] = {
            "step": place + 1,
            "options": len(steps[0][place].options),
            "n": int(there.sum()),
        }
        if there.any():
            entry |= _both_ways(scores[there], truth[there], prior, weights[:, there], balanced[:, there])
        found.append(entry)
    return found


def equally_frequent(truth: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(resamples, n) weights of the cases that give every present type a total weight of 1."""
    of_type = np.eye(int(truth.max(initial=0)) + 1)[truth]
    totals = np.maximum(weights @ of_type, 1e-12)
    return np.asarray(weights / totals[:, truth])


def _both_ways(
    scores: np.ndarray, truth: np.ndarray, prior: np.ndarray, weights: np.ndarray, balanced: np.ndarray
) -> dict[str, Any]:
    """scores: (n, K) for equally frequent types; weights, balanced: (resamples, n) of each case."""
    prior = np.maximum(prior, 1e-6)  # a type that no case has may still be one of a step's options
    in_the_data = scores * prior
    in_the_data /= in_the_data.sum(1, keepdims=True)
    rng = np.random.default_rng(SEED)
    cumulative = in_the_data.cumsum(1)
    cumulative[:, -1] = 1.0
    drawn = np.array([(rng.random((len(scores), 1)) > cumulative).sum(1) for _ in range(RESAMPLES)])
    plain = _reliability(in_the_data, truth, weights, drawn, np.ones(drawn.shape))
    shown = _reliability(scores, truth, balanced, drawn, 1 / prior[drawn])
    return plain | {f"{name}_shown": value for name, value in shown.items()}


def _reliability(
    probabilities: np.ndarray,
    truth: np.ndarray,
    weights: np.ndarray,
    drawn: np.ndarray,
    drawn_weights: np.ndarray,
) -> dict[str, Any]:
    """drawn: (draws, n) types drawn from the probabilities, and their weights."""
    first, confidence = probabilities.argmax(1), probabilities.max(1)
    right = first == truth
    parts = bins_of(confidence)
    samples = calibration_errors(confidence, right, weights, parts)
    # Noise widens every bin's gap, twice in resamples: uncorrected, the interval may lie above the value.
    samples[1:] = np.maximum(samples[1:] - np.nanmean(samples[1:]) + samples[0], 0)
    if_calibrated = calibration_errors(confidence, drawn == first, drawn_weights, parts)
    bins = []
    for part in parts:
        with np.errstate(invalid="ignore"):  # a resample may have none of a bin's cases
            accuracy = (weights[:, part] @ right[part]) / weights[:, part].sum(1)
        mean = np.average(confidence[part], weights=weights[0, part])
        bins.append({"confidence": round(float(mean), 4), **_point(accuracy), "n": len(part)})
    return {
        "ece": figure(samples, len(truth)),
        "if_calibrated": {
            "mean": round(float(if_calibrated.mean()), 4),
            "high": round(float(np.percentile(if_calibrated, INTERVAL[1])), 4),
        },
        "bins": bins,
    }


def _point(samples: np.ndarray) -> dict[str, float | None]:
    interval = with_interval(samples)
    return {"accuracy": interval.pop("value"), **interval}


# ---- not sure ----


def risk_coverage(evaluated: Evaluated, mode: str) -> dict[str, Any]:
    """Accuracy of the app's first type if only the cases with the most probable ones are answered."""
    scores, truth, weights = evaluated.predicted(mode)
    if not len(truth):
        return {"protocol": protocol("risk_coverage"), "n": 0}
    confidence, right, n = scores.max(1), scores.argmax(1) == truth, len(truth)
    order = np.argsort(-confidence, kind="stable")
    mass = weights[:, order].cumsum(1)
    accuracy = (weights * right)[:, order].cumsum(1) / np.maximum(mass, 1e-12)
    mass /= mass[:, -1:]

    def at(coverage: float) -> np.ndarray:
        places = (mass >= coverage - 1e-9).argmax(1)
        return np.asarray(accuracy[np.arange(len(mass)), places])

    def point(coverage: float) -> dict[str, Any]:
        least = confidence[order][(mass[0] >= coverage - 1e-9).argmax()]
        return {"coverage": coverage, **_point(at(coverage)), "least_probability": round(float(least), 4)}

    area = (np.diff(mass, axis=1, prepend=0) * (1 - accuracy)).sum(1)
    return {
        "protocol": protocol("risk_coverage"),
        "n": n,
        "curve": [point(round(place / CURVE_POINTS, 4)) for place in range(1, CURVE_POINTS + 1)],
        "area": figure(area, n),
        "full": figure(at(1.0), n),
        "at_80": figure(at(COVERAGE), n),
        "gain": figure(at(COVERAGE) - at(1.0), n),
    }


def not_sure(
    evaluated: Evaluated,
    folds: np.ndarray,
    coverage: float = COVERAGE,
    steps: Sequence[tuple[Step, ...]] | None = None,
) -> dict[str, Any]:
    """The threshold that leaves `coverage` of the chain's cases decided, measured on held-out folds.

    folds: (n,) 0, 1, ...; steps: the chain's eliminations, for the options left in undecided cases.
    """
    confidence = evaluated.modes["chain"].max(1)
    least = np.zeros(len(folds))
    for fold in np.unique(folds).tolist():
        least[folds == fold] = _least_probability(confidence[folds != fold], coverage)
    result: dict[str, Any] = {
        "protocol": protocol("not_sure"),
        "mode": "chain",
        "wanted_coverage": coverage,
        "least_probability": round(_least_probability(confidence, coverage), 4),
        "least_probability_folds": [round(float(least[folds == k][0]), 4) for k in np.unique(folds)],
    }
    for name in ("chain", "words_only", "photo_only"):
        if name in evaluated.modes:
            result[name] = at_threshold(evaluated, name, least)
    if steps is not None:
        result["undecided"] = _options_left(steps, evaluated, least)
    return result


def _least_probability(confidence: np.ndarray, coverage: float) -> float:
    """0, so that every case is decided, without cases to fit it on."""
    known = confidence[np.isfinite(confidence)]
    return float(np.quantile(known, 1 - coverage)) if len(known) else 0.0


def at_threshold(evaluated: Evaluated, mode: str, least: float | np.ndarray) -> dict[str, Any]:
    """Coverage and accuracy where a first type less probable than `least`, one or (n,), is "not sure"."""
    scores, truth, weights = evaluated.predicted(mode)
    of_case = np.broadcast_to(least, evaluated.truth.shape)[is_predicted(evaluated.modes[mode])]
    decided, right = scores.max(1) >= of_case, scores.argmax(1) == truth
    accuracy = weighted_mean(right, weights)
    of_decided = weighted_mean(right[decided], weights[:, decided])
    of_undecided = weighted_mean(right[~decided], weights[:, ~decided])
    n = len(truth)
    return {
        "coverage": mean_figure(decided, weights),
        "accuracy": figure(accuracy, n),
        "accuracy_of_decided": figure(of_decided, int(decided.sum())),
        "accuracy_of_undecided": figure(of_undecided, int((~decided).sum())),
        "gain": figure(of_decided - accuracy, n),
        "coverage_by_type": {
            evaluated.types[k]: mean_figure(decided[truth == k], weights[:, truth == k])
            for k in np.unique(truth)
        },
    }


def _options_left(
    steps: Sequence[tuple[Step, ...]], evaluated: Evaluated, least: np.ndarray
) -> dict[str, Any]:
    left = [undecided(chain, float(value)) for chain, value in zip(steps, least, strict=True)]
    rows = np.flatnonzero([bool(options) for options in left]).tolist()
    weights = patient_weights(evaluated.patients)[:, rows]
    there = np.array([evaluated.types[evaluated.truth[row]] in left[row] for row in rows], bool)
    sizes = np.array([len(left[row]) for row in rows], dtype=float)
    return {
        "options_left": mean_figure(sizes, weights),
        "true_type_among_them": mean_figure(there, weights),
        "cases_by_options_left": {str(int(size)): int((sizes == size).sum()) for size in np.unique(sizes)},
    }
