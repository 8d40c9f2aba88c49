"""Figures with intervals over patients, temperatures, and the simple models that must be beaten."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.preprocessing import OneHotEncoder
from tqdm import tqdm

from skin_ai.bundle import PREDICTIONS_FILE, WEIGHTS, load_bundle
from skin_ai.chain import Probability, Step
from skin_ai.diagnose import diagnose
from skin_ai.narrative import Facts
from skin_ai.photo import PhotoError
from skin_ai.training.datasets import DatasetError, load_cases
from skin_ai.training.stories import evaluation_narrative

log = logging.getLogger(__name__)

RESAMPLES = 1000
MODES = ("photo_only", "words_only", "single_pass", "chain")
PROTOCOL = (
    "Words are made from the fields of each case, one telling a case, by the code that made the training's "
    "tellings. "
    "Intervals: 95%, bootstrap over patients. Balanced accuracy, recall, AUC and the confusion matrix "
    "are of probabilities for equally frequent types, as the app shows them; accuracy, top 3 and calibration "
    "error are of the same with the frequency of the types in the bundle's data multiplied in."
)
INTERVAL = (2.5, 97.5)  # percent
CALIBRATION_BINS = 15
SEED = 42


@dataclass(frozen=True)
class Evaluated:
    """Cases with what was predicted of them.

    truth: (n,) index of the type; patients: (n,) who it is, for the bootstrap; modes: name ->
    (n, K) probabilities for equally frequent types; prior: (K,) frequency of the types where the
    cases come from.
    """

    types: tuple[str, ...]
    truth: np.ndarray
    patients: np.ndarray
    prior: np.ndarray
    modes: dict[str, np.ndarray]


def evaluate(
    folder: Path, bundle_name: str, *, limit: int | None = None, weights: Path = WEIGHTS
) -> dict[str, Any]:
    """The figures of a bundle on the photos of `folder`, each case diagnosed as the app would.

    Rows without a photo are skipped. A photo that the bundle was trained on makes its figures too
    good: "trained_on" counts them, and a warning is logged. Raises DatasetError for the first row
    that cannot be read.
    """
    bundle = load_bundle(bundle_name, weights)
    cases = [case for case in load_cases(folder, bundle.types) if case.photo is not None]
    if not cases:
        raise DatasetError(f"{folder / 'images'} has none of the photos in metadata.csv.")
    cases = cases[:limit]
    trained = set(load_file(weights / bundle_name / PREDICTIONS_FILE)["photos"].tolist())
    trained_on = sum(digest(case.key) in trained for case in cases)
    if trained_on:
        log.warning("%d of %d photos were in the training of this bundle: no figure", trained_on, len(cases))
    rows: dict[str, list[Sequence[Probability]]] = {mode: [] for mode in MODES}
    for case in tqdm(cases, desc="diagnosing", unit="case", leave=False):
        words = evaluation_narrative(case.facts, case.key)
        assert case.photo is not None
        try:
            both = diagnose(case.photo.read_bytes(), words, bundle)
        except PhotoError as error:
            raise DatasetError(f"{case.photo}: {error}") from error
        rows["photo_only"].append(both.recommendations)
        rows["single_pass"].append(both.single_pass)
        rows["chain"].append(both.answer)
        # Without any fact there are no words to ask about; every type is then equally likely.
        alone = diagnose(None, words, bundle).answer if words else uniform(bundle.types)
        rows["words_only"].append(alone)
    evaluated = Evaluated(
        types=bundle.types,
        truth=np.array([bundle.types.index(case.type) for case in cases]),
        patients=np.array([digest(case.patient) for case in cases]),
        prior=np.array([bundle.manifest["prior"][type_] for type_ in bundle.types]),
        modes={mode: as_rows(answers, bundle.types) for mode, answers in rows.items()},
    )
    result = figures(evaluated)
    return {
        "bundle": bundle_name,
        "protocol": PROTOCOL,
        "trained_on": trained_on,
        "types": bundle.types,
        **result,
    }


def uniform(types: tuple[str, ...]) -> tuple[Probability, ...]:
    """Nothing is known: every type with the same probability."""
    return tuple(Probability(type_, 1 / len(types)) for type_ in types)


def digest(name: str) -> int:
    """A number that stands for a patient or photo without naming it."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big")


def figures(evaluated: Evaluated) -> dict[str, Any]:
    """Every figure of every mode, each as {"value", "low", "high"} with its 95% bootstrap interval.

    Balanced accuracy, recall, AUC and the confusion matrix are of the probabilities for equally
    frequent types, which the app shows; accuracy, top 3 and the expected calibration error are of
    the same with the prior multiplied in. Types that no case has are left out of the means.
    """
    weights = patient_weights(evaluated.patients)
    return {name: _mode_figures(evaluated, scores, weights) for name, scores in evaluated.modes.items()}


def patient_weights(patients: np.ndarray) -> np.ndarray:
    """(1 + RESAMPLES, n): how often each case counts, drawing patients; the first row is all ones."""
    unique, index = np.unique(patients, return_inverse=True)
    rng = np.random.default_rng(SEED)
    drawn = rng.multinomial(len(unique), np.full(len(unique), 1 / len(unique)), size=RESAMPLES)
    return np.vstack([np.ones(len(patients)), drawn[:, index]])


def _mode_figures(evaluated: Evaluated, scores: np.ndarray, weights: np.ndarray) -> dict[str, Any]:
    truth, types = evaluated.truth, evaluated.types
    in_the_clinic = scores * evaluated.prior
    in_the_clinic = in_the_clinic / in_the_clinic.sum(1, keepdims=True)
    recall = recall_samples(truth, scores.argmax(1), len(types), weights)
    top3 = (np.argsort(-in_the_clinic, axis=1)[:, :3] == truth[:, None]).any(1)
    samples = {
        "balanced_accuracy": np.nanmean(recall, axis=1),
        "accuracy": _weighted_mean(in_the_clinic.argmax(1) == truth, weights),
        "macro_auc": _auc_samples(truth, scores, weights),
        "top3": _weighted_mean(top3, weights),
        "ece": _calibration_error_samples(truth, in_the_clinic, weights),
    }
    result: dict[str, Any] = {"n": len(truth)}
    result |= {name: _with_interval(values) for name, values in samples.items()}
    present = np.bincount(truth, minlength=len(types)) > 0
    result["recall"] = {types[k]: _with_interval(recall[:, k]) for k in np.flatnonzero(present)}
    result["confusion"] = confusion_matrix(truth, scores.argmax(1), labels=range(len(types))).tolist()
    return result


def _with_interval(samples: np.ndarray) -> dict[str, float | None]:
    """None for what is not defined, as an AUC where all cases are of one type (JSON has no NaN)."""
    known = samples[1:][np.isfinite(samples[1:])]
    low, high = np.percentile(known, INTERVAL) if len(known) else (np.nan, np.nan)
    values = {"value": samples[0], "low": low, "high": high}
    return {name: round(float(value), 4) if np.isfinite(value) else None for name, value in values.items()}


def _weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return (weights @ values.astype(float)) / weights.sum(1)


def recall_samples(truth: np.ndarray, predicted: np.ndarray, n_types: int, weights: np.ndarray) -> np.ndarray:
    """(resamples, K) recall of each type; nan where a resample has none of it."""
    of_type = np.eye(n_types)[truth]
    right = of_type * (predicted == truth)[:, None]
    with np.errstate(invalid="ignore"):
        return (weights @ right) / (weights @ of_type)


def _auc_samples(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(resamples,) mean area under the curve, each type against the rest; nan where there is one type only.

    Weighted Mann-Whitney statistic: scikit-learn's takes a minute for what all resamples at once
    take a second.
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


def _calibration_error_samples(
    truth: np.ndarray, probabilities: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """(resamples,) expected calibration error of the first type, equal-mass bins (Naeini et al. 2015)."""
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == truth
    bins = np.array_split(np.argsort(confidence, kind="stable"), min(CALIBRATION_BINS, len(truth)))
    gaps = [np.abs(weights[:, part] @ (right[part] - confidence[part])) for part in bins]
    return np.asarray(np.sum(gaps, axis=0) / weights.sum(1))


def balanced_accuracy_gain(evaluated: Evaluated, mode: str, over: str) -> dict[str, float | None]:
    """Balanced accuracy of one mode less that of another, paired: both on the same resampled patients."""
    weights = patient_weights(evaluated.patients)
    first, second = (
        np.nanmean(
            recall_samples(evaluated.truth, evaluated.modes[name].argmax(1), len(evaluated.types), weights), 1
        )
        for name in (mode, over)
    )
    return _with_interval(first - second)


def fit_temperature(logits: np.ndarray, truth: np.ndarray, prior: np.ndarray) -> float:
    """The T that makes softmax(logits / T + log prior) most likely (Guo et al. 2017, with the prior apart).

    logits: (n, K), -inf where a type is no option.
    """

    def negative_log_likelihood(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature) + np.log(prior)
        scaled = scaled - scaled.max(1, keepdims=True)
        return float(np.mean(np.log(np.exp(scaled).sum(1)) - scaled[np.arange(len(truth)), truth]))

    return float(np.exp(minimize_scalar(negative_log_likelihood, bounds=(-2, 2), method="bounded").x))


def softmax(logits: np.ndarray) -> np.ndarray:
    """(n, K) -> (n, K) probabilities."""
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(1, keepdims=True))


def step_logits(steps: Sequence[tuple[Step, ...]], place: int, types: tuple[str, ...]) -> np.ndarray:
    """(n, K) logits of one step (up to a constant), -inf outside its options."""
    logits = np.full((len(steps), len(types)), -np.inf)
    for row, chain in enumerate(steps):
        for option in chain[place].options:
            logits[row, types.index(option.type)] = np.log(max(option.probability, 1e-12))
    return logits


def with_temperatures(steps: tuple[Step, ...], temperatures: Sequence[float]) -> tuple[Step, ...]:
    """The same elimination (dividing logits changes no order) with tempered probabilities."""
    tempered = []
    for step, temperature in zip(steps, temperatures, strict=True):
        powers = np.array([option.probability for option in step.options]) ** (1 / temperature)
        options = zip(step.options, powers / powers.sum(), strict=True)
        tempered.append(Step(tuple(replace(option, probability=float(value)) for option, value in options)))
    return tuple(tempered)


def as_rows(answers: Sequence[Sequence[Probability]], types: tuple[str, ...]) -> np.ndarray:
    """(n, K) probabilities in the order of the label set."""
    rows = np.zeros((len(answers), len(types)))
    for row, answer in enumerate(answers):
        for item in answer:
            rows[row, types.index(item.type)] = item.probability
    return rows


def regression_on_fields(
    train: Sequence[Facts], labels: np.ndarray, test: Sequence[Facts], n_types: int
) -> np.ndarray:
    """(n, K) probabilities for equally frequent types of a logistic regression on age, site and symptoms."""

    def table(facts: Sequence[Facts]) -> tuple[np.ndarray, np.ndarray]:
        ages = np.array([[60.0 if fact.age is None else fact.age] for fact in facts]) / 20 - 3
        return ages, np.array([[fact.site or "", *fact.symptoms.values()] for fact in facts], dtype=object)

    ages, words = table(train)
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(words)
    model = LogisticRegression(C=0.3, max_iter=2000).fit(np.hstack([ages, encoder.transform(words)]), labels)
    ages, words = table(test)
    found = model.predict_proba(np.hstack([ages, encoder.transform(words)]))
    prior = np.bincount(labels, minlength=n_types)[model.classes_] / len(labels)
    probabilities = np.full((len(test), n_types), 1e-6)
    probabilities[:, model.classes_] = found / prior
    return probabilities / probabilities.sum(1, keepdims=True)
