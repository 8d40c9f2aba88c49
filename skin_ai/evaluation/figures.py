"""Figures with intervals over patients, temperatures, and the baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix

from skin_ai.intervals import patient_weights, with_interval
from skin_ai.predict.chain import Probability

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

    def predicted(self, mode: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of the m cases with a prediction: (m, K) probabilities, (m,) truth, (1 + RESAMPLES, m) weights."""
        there = is_predicted(self.modes[mode])
        return self.modes[mode][there], self.truth[there], patient_weights(self.patients)[:, there]


def figures(evaluated: Evaluated) -> dict[str, Any]:
    """Every figure of every mode, each as {"value", "low", "high"} with its 95% bootstrap interval.

    Balanced accuracy, recall, AUC and the confusion matrix use the probabilities for equally frequent types,
    which the app shows; accuracy, top 3 and the expected calibration error use them multiplied by the prior.
    Types without a case are left out of the means.
    """
    return {mode: _mode_figures(evaluated, *evaluated.predicted(mode)) for mode in evaluated.modes}


def is_predicted(scores: np.ndarray) -> np.ndarray:
    """(n,) whether a mode has a prediction for a case: its row is NaN where it has none."""
    return np.asarray(np.isfinite(scores).all(1))


def _mode_figures(
    evaluated: Evaluated, scores: np.ndarray, truth: np.ndarray, weights: np.ndarray
) -> dict[str, Any]:
    types, with_prior = evaluated.types, _with_prior(evaluated, scores)
    recall = recall_samples(truth, scores.argmax(1), len(types), weights)
    samples = samples_of(evaluated, scores, truth, weights) | {
        "macro_auc": auc_samples(truth, scores, weights),
        "ece": calibration_errors(
            with_prior.max(1), with_prior.argmax(1) == truth, weights, bins_of(with_prior.max(1))
        ),
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


def samples_of(
    evaluated: Evaluated, scores: np.ndarray, truth: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Figure -> (resamples,) its values."""
    with_prior = _with_prior(evaluated, scores)
    recall = recall_samples(truth, scores.argmax(1), len(evaluated.types), weights)
    top3 = (np.argsort(-with_prior, axis=1)[:, :3] == truth[:, None]).any(1)
    return {
        "balanced_accuracy": mean_of_known(recall),
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


def mean_of_known(samples: np.ndarray) -> np.ndarray:
    """(resamples,) mean of the recalls or areas, (resamples, K), that are defined; nan where none is."""
    known = np.isfinite(samples)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, samples, 0).sum(1) / known.sum(1))


def auc_samples(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(resamples,) mean area under the curve, each type against the rest; nan if all have the same type."""
    curves = [receiver_operating(column, truth == k, weights) for k, column in enumerate(scores.T)]
    return mean_of_known(np.stack([area_under(*rates) for _, *rates in curves], 1))


def receiver_operating(
    score: np.ndarray, positive: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(points,) thresholds from infinity down, (resamples, points) false-positive rate and sensitivity.

    Equal scores are one point. nan where a resample has no case of one kind. All resamples at once: a second,
    a minute with scikit-learn.
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
    return np.asarray(np.trapezoid(sensitivity, false_positives))


def bins_of(confidence: np.ndarray) -> list[np.ndarray]:
    """Places of the cases in each of the bins of equally many cases, by rising confidence."""
    return np.array_split(np.argsort(confidence, kind="stable"), min(CALIBRATION_BINS, len(confidence)))


def calibration_errors(
    confidence: np.ndarray, right: np.ndarray, weights: np.ndarray, bins: Sequence[np.ndarray]
) -> np.ndarray:
    """(samples,) expected calibration error (Naeini et al. 2015); right: (n,) or (samples, n)."""
    gaps = weights * (right - confidence)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.sum([np.abs(gaps[:, part].sum(1)) for part in bins], axis=0) / weights.sum(1))


def gains(evaluated: Evaluated, mode: str, over: str) -> dict[str, dict[str, float | None]]:
    """Balanced accuracy, accuracy and top 3 of one mode minus those of another, paired by patient."""
    predicted = is_predicted(evaluated.modes[mode]) & is_predicted(evaluated.modes[over])
    weights = patient_weights(evaluated.patients)[:, predicted]
    truth = evaluated.truth[predicted]
    first, second = (
        samples_of(evaluated, evaluated.modes[name][predicted], truth, weights) for name in (mode, over)
    )
    return {name: with_interval(first[name] - second[name]) for name in first}


def over_folds(evaluated: Evaluated, mode: str, folds: np.ndarray) -> dict[str, dict[str, float | None]]:
    """Figure -> mean and standard deviation over the folds that have a value: an AUC needs two types.

    folds: (n,) the fold in which each case was tested.
    """
    by_fold = []
    predicted = is_predicted(evaluated.modes[mode])
    for fold in np.unique(folds[predicted]).tolist():
        tested = predicted & (folds == fold)
        scores, truth, once = (
            evaluated.modes[mode][tested],
            evaluated.truth[tested],
            np.ones((1, tested.sum())),
        )
        samples = samples_of(evaluated, scores, truth, once)
        by_fold.append(samples | {"macro_auc": auc_samples(truth, scores, once)})
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
