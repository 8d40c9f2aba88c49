"""Figures with intervals over patients, temperatures, and the simple models that must be beaten."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix

from skin_ai.intervals import patient_weights, with_interval
from skin_ai.predict.chain import Probability

log = logging.getLogger(__name__)

MODES = ("photo_only", "photo_no_words", "words_only", "single_pass", "chain")
CALIBRATION_BINS = 15


@dataclass(frozen=True)
class Evaluated:
    """Cases with their predictions.

    truth: (n,) index of the type; patients: (n,) ids, for the bootstrap; modes: name -> (n, K) probabilities
    for equally frequent types, NaN where a mode has no prediction for a case; prior: (K,) frequency of the
    types where the cases come from.
    """

    types: tuple[str, ...]
    truth: np.ndarray
    patients: np.ndarray
    prior: np.ndarray
    modes: dict[str, np.ndarray]


def figures(evaluated: Evaluated) -> dict[str, Any]:
    """Every figure of every mode, each as {"value", "low", "high"} with its 95% bootstrap interval.

    Balanced accuracy, recall, AUC and the confusion matrix use the probabilities for equally frequent types,
    which the app shows; accuracy, top 3 and the expected calibration error use them multiplied by the prior.
    Types without a case are left out of the means.
    """
    weights = patient_weights(evaluated.patients)
    result = {}
    for name, scores in evaluated.modes.items():
        predicted = is_predicted(scores)
        part = replace(evaluated, truth=evaluated.truth[predicted])
        result[name] = _mode_figures(part, scores[predicted], weights[:, predicted])
    return result


def is_predicted(scores: np.ndarray) -> np.ndarray:
    """(n,) whether a mode has a prediction for a case: its row is NaN where it has none."""
    return np.asarray(np.isfinite(scores).all(1))


def _mode_figures(evaluated: Evaluated, scores: np.ndarray, weights: np.ndarray) -> dict[str, Any]:
    truth, types = evaluated.truth, evaluated.types
    recall = recall_samples(truth, scores.argmax(1), len(types), weights)
    samples = samples_of(evaluated, scores, weights) | {
        "macro_auc": auc_samples(truth, scores, weights),
        "ece": calibration_error_samples(truth, _with_prior(evaluated, scores), weights),
    }
    result: dict[str, Any] = {"n": len(truth)}
    result |= {name: with_interval(samples[name]) for name in FIGURES}
    present = np.bincount(truth, minlength=len(types)) > 0
    result["recall"] = {types[k]: with_interval(recall[:, k]) for k in np.flatnonzero(present)}
    result["confusion"] = confusion_matrix(truth, scores.argmax(1), labels=range(len(types))).tolist()
    return result


FIGURES = ("balanced_accuracy", "accuracy", "macro_auc", "top3", "ece")


def _with_prior(evaluated: Evaluated, scores: np.ndarray) -> np.ndarray:
    """(n, K) probabilities where types are as frequent as in the data."""
    weighted = scores * evaluated.prior
    return np.asarray(weighted / weighted.sum(1, keepdims=True))


def samples_of(evaluated: Evaluated, scores: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Figure -> (resamples,) its values."""
    truth, with_prior = evaluated.truth, _with_prior(evaluated, scores)
    recall = recall_samples(truth, scores.argmax(1), len(evaluated.types), weights)
    top3 = (np.argsort(-with_prior, axis=1)[:, :3] == truth[:, None]).any(1)
    return {
        "balanced_accuracy": balanced_accuracy_samples(recall),
        "accuracy": weighted_mean(with_prior.argmax(1) == truth, weights),
        "top3": weighted_mean(top3, weights),
    }


def figure(samples: np.ndarray, n: int) -> dict[str, Any]:
    """A figure of n cases with its interval, None without cases. samples: (1 + RESAMPLES,)."""
    return with_interval(samples if n else np.full(len(samples), np.nan)) | {"n": n}


def mean_figure(values: np.ndarray, weights: np.ndarray) -> dict[str, Any]:
    """The mean of (n,) values with its interval; weights: (1 + RESAMPLES, n)."""
    return figure(weighted_mean(values, weights), len(values))


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # a resample may have none of these cases
        return np.asarray((weights @ values.astype(float)) / weights.sum(1))


def recall_samples(truth: np.ndarray, predicted: np.ndarray, n_types: int, weights: np.ndarray) -> np.ndarray:
    """(resamples, K) recall of each type; nan where a resample has none of it."""
    of_type = np.eye(n_types)[truth]
    right = of_type * (predicted == truth)[:, None]
    with np.errstate(invalid="ignore"):
        return (weights @ right) / (weights @ of_type)


def balanced_accuracy_samples(recall: np.ndarray) -> np.ndarray:
    """(resamples,) mean of the recalls, (resamples, K), that are defined; nan where none is."""
    known = np.isfinite(recall)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, recall, 0).sum(1) / known.sum(1))


def auc_samples(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(resamples,) mean area under the curve, each type against the rest; nan where there is one type only.

    Weighted Mann-Whitney statistic of all resamples at once: a second, a minute with scikit-learn.
    """
    areas = np.full((len(weights), scores.shape[1]), np.nan)
    for k in range(scores.shape[1]):
        order = np.argsort(scores[:, k], kind="stable")
        ties = np.flatnonzero(np.diff(scores[order, k], prepend=-np.inf))
        positive = np.add.reduceat(weights[:, order] * (truth[order] == k), ties, axis=1)
        negative = np.add.reduceat(weights[:, order] * (truth[order] != k), ties, axis=1)
        below = np.cumsum(negative, axis=1) - negative / 2
        pairs = positive.sum(1) * negative.sum(1)
        areas[pairs > 0, k] = (positive * below).sum(1)[pairs > 0] / pairs[pairs > 0]
    known = np.isfinite(areas)
    return np.asarray(
        np.divide(np.nansum(areas, 1), known.sum(1), where=known.any(1), out=np.full(len(areas), np.nan))
    )


def calibration_error_samples(
    truth: np.ndarray, probabilities: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """(resamples,) expected calibration error of the first type, equal-mass bins (Naeini et al. 2015)."""
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == truth
    bins = np.array_split(np.argsort(confidence, kind="stable"), min(CALIBRATION_BINS, len(truth)))
    gaps = [np.abs(weights[:, part] @ (right[part] - confidence[part])) for part in bins]
    with np.errstate(invalid="ignore"):
        return np.asarray(np.sum(gaps, axis=0) / weights.sum(1))


def gains(evaluated: Evaluated, mode: str, over: str) -> dict[str, dict[str, float | None]]:
    """Balanced accuracy, accuracy and top 3 of one mode minus those of another, paired by patient."""
    predicted = is_predicted(evaluated.modes[mode]) & is_predicted(evaluated.modes[over])
    weights = patient_weights(evaluated.patients)[:, predicted]
    part = replace(evaluated, truth=evaluated.truth[predicted])
    first, second = (samples_of(part, evaluated.modes[name][predicted], weights) for name in (mode, over))
    return {
        name: with_interval(first[name] - second[name]) for name in ("balanced_accuracy", "accuracy", "top3")
    }


def over_folds(evaluated: Evaluated, mode: str, folds: np.ndarray) -> dict[str, dict[str, float | None]]:
    """Figure -> mean and standard deviation over the folds that have a value: an AUC needs two types.

    folds: (n,) the fold in which each case was tested.
    """
    by_fold = []
    predicted = is_predicted(evaluated.modes[mode])
    for fold in np.unique(folds[predicted]).tolist():
        tested = predicted & (folds == fold)
        part, scores = replace(evaluated, truth=evaluated.truth[tested]), evaluated.modes[mode][tested]
        once = np.ones((1, len(scores)))
        auc = auc_samples(part.truth, scores, once)
        by_fold.append({**samples_of(part, scores, once), "macro_auc": auc})
    result = {}
    for name in by_fold[0]:
        values = np.array([found[name][0] for found in by_fold])
        known = values[np.isfinite(values)]
        result[name] = {
            "mean": round(float(known.mean()), 4) if len(known) else None,
            "sd": round(float(known.std(ddof=1)), 4) if len(known) > 1 else None,
        }
    return result


def as_rows(answers: Sequence[Sequence[Probability]], types: tuple[str, ...]) -> np.ndarray:
    """(n, K) probabilities in the order of the label set."""
    rows = np.zeros((len(answers), len(types)))
    for row, answer in enumerate(answers):
        for item in answer:
            rows[row, types.index(item.type)] = item.probability
    return rows
