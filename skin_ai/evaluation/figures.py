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
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.preprocessing import OneHotEncoder
from tqdm import tqdm

from skin_ai.predict.bundle import PREDICTIONS_FILE, WEIGHTS, Bundle, file_of, load_bundle
from skin_ai.predict.chain import Probability, Step
from skin_ai.predict.diagnose import Diagnosis, diagnose
from skin_ai.predict.narrative import SYMPTOMS, Answer, Facts
from skin_ai.predict.photo import PhotoError
from skin_ai.training.datasets import ALWAYS_TRAINED, NEVER_TRAINED, DatasetError, load_cases
from skin_ai.training.scin import CASES, find_table, load_scin
from skin_ai.training.sources import SCIN, evaluation_words

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
    (n, K) probabilities for equally frequent types, NaN where a case was not asked about; prior: (K,)
    frequency of the types where the cases come from.
    """

    types: tuple[str, ...]
    truth: np.ndarray
    patients: np.ndarray
    prior: np.ndarray
    modes: dict[str, np.ndarray]


def evaluate(
    folder: Path, bundle_name: str, *, limit: int | None = None, weights: Path = WEIGHTS
) -> dict[str, Any]:
    """The figures of a bundle on the cases of `folder`, each diagnosed as the app would.

    The folder is laid out as PAD-UFES-20, where rows without a photo are skipped, or as SCIN, where a case
    without a photo is asked by its words, and one with neither is skipped; "accuracy" is then called "top1".
    What the bundle was trained on makes its figures too good: "trained_on" counts it, and a warning is
    logged. Raises DatasetError for the first row that cannot be read.
    """
    bundle = load_bundle(bundle_name, weights)
    is_scin = find_table(folder, CASES).is_file()
    if is_scin:
        cases = [case for case in load_scin(folder, bundle.types) if case.photo or case.facts.said]
    else:
        cases = [case for case in load_cases(folder, bundle.types) if case.photo is not None]
    if not cases:
        missing = "no case with words or a photo" if is_scin else "none of the photos in metadata.csv"
        raise DatasetError(f"{folder if is_scin else folder / 'images'} has {missing}.")
    cases = cases[:limit]
    saved = load_file(file_of(weights / bundle_name, PREDICTIONS_FILE))
    name = f"{SCIN}/cases" if is_scin else "photos"
    trained = set(saved[name].tolist()) if name in saved else set()
    trained_on = sum(digest(case.key) in trained for case in cases)
    if trained_on:
        log.warning("%d of %d cases were in the training of this bundle: no figure", trained_on, len(cases))
    rows: dict[str, list[Sequence[Probability]]] = {mode: [] for mode in MODES}
    for case in tqdm(cases, desc="diagnosing", unit="case", leave=False):
        words = evaluation_words(case)
        nothing = uniform(bundle.types)
        alone = diagnose(None, words, bundle) if words else None
        both = alone if case.photo is None else _diagnosed(case.photo, words, bundle)
        rows["photo_only"].append((both.recommendations if both else ()) or nothing)
        rows["single_pass"].append(both.single_pass if both else nothing)
        rows["chain"].append(both.answer if both else nothing)
        # Without any fact there are no words to ask about; every type is then equally likely.
        rows["words_only"].append(alone.answer if alone else nothing)
    if not any(case.photo for case in cases):
        del rows["photo_only"]
    priors = bundle.manifest.get("priors", {})
    prior = priors.get(SCIN, bundle.manifest["prior"]) if is_scin else bundle.manifest["prior"]
    evaluated = Evaluated(
        types=bundle.types,
        truth=np.array([bundle.types.index(case.type) for case in cases]),
        patients=np.array([digest(case.patient) for case in cases]),
        prior=np.array([prior[type_] for type_ in bundle.types]),
        modes={mode: as_rows(answers, bundle.types) for mode, answers in rows.items()},
    )
    result = figures(evaluated)
    if is_scin:
        result = {mode: {"top1": values.pop("accuracy")} | values for mode, values in result.items()}
    return {
        "bundle": bundle_name,
        "protocol": PROTOCOL,
        "trained_on": trained_on,
        "types": bundle.types,
        **result,
    }


def _diagnosed(photo: Path, words: str, bundle: Bundle) -> Diagnosis:
    try:
        return diagnose(photo.read_bytes(), words, bundle)
    except PhotoError as error:
        raise DatasetError(f"{photo}: {error}") from error


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
    result = {}
    for name, scores in evaluated.modes.items():
        asked = is_asked(scores)
        part = replace(evaluated, truth=evaluated.truth[asked])
        result[name] = _mode_figures(part, scores[asked], weights[:, asked])
    return result


def is_asked(scores: np.ndarray) -> np.ndarray:
    """(n,) whether a mode was asked about a case: its row is NaN where it was not."""
    return np.asarray(np.isfinite(scores).all(1))


def patient_weights(patients: np.ndarray) -> np.ndarray:
    """(1 + RESAMPLES, n): how often each case counts, drawing patients; the first row is all ones."""
    unique, index = np.unique(patients, return_inverse=True)
    rng = np.random.default_rng(SEED)
    drawn = rng.multinomial(len(unique), np.full(len(unique), 1 / max(len(unique), 1)), size=RESAMPLES)
    return np.vstack([np.ones(len(patients)), drawn[:, index]])


def _mode_figures(evaluated: Evaluated, scores: np.ndarray, weights: np.ndarray) -> dict[str, Any]:
    truth, types = evaluated.truth, evaluated.types
    recall = recall_samples(truth, scores.argmax(1), len(types), weights)
    samples = samples_of(evaluated, scores, weights) | {
        "macro_auc": auc_samples(truth, scores, weights),
        "ece": calibration_error_samples(truth, _in_the_clinic(evaluated, scores), weights),
    }
    result: dict[str, Any] = {"n": len(truth)}
    result |= {name: with_interval(samples[name]) for name in FIGURES}
    present = np.bincount(truth, minlength=len(types)) > 0
    result["recall"] = {types[k]: with_interval(recall[:, k]) for k in np.flatnonzero(present)}
    result["confusion"] = confusion_matrix(truth, scores.argmax(1), labels=range(len(types))).tolist()
    return result


FIGURES = ("balanced_accuracy", "accuracy", "macro_auc", "top3", "ece")


def _in_the_clinic(evaluated: Evaluated, scores: np.ndarray) -> np.ndarray:
    """(n, K) probabilities where types are as frequent as in the data."""
    weighted = scores * evaluated.prior
    return np.asarray(weighted / weighted.sum(1, keepdims=True))


def samples_of(evaluated: Evaluated, scores: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Figure -> (resamples,) its values."""
    truth, in_the_clinic = evaluated.truth, _in_the_clinic(evaluated, scores)
    recall = recall_samples(truth, scores.argmax(1), len(evaluated.types), weights)
    top3 = (np.argsort(-in_the_clinic, axis=1)[:, :3] == truth[:, None]).any(1)
    return {
        "balanced_accuracy": np.nanmean(recall, axis=1),
        "accuracy": weighted_mean(in_the_clinic.argmax(1) == truth, weights),
        "top3": weighted_mean(top3, weights),
    }


def with_interval(samples: np.ndarray) -> dict[str, float | None]:
    """None for what is not defined, as an AUC where all cases are of one type (JSON has no NaN)."""
    known = samples[1:][np.isfinite(samples[1:])]
    low, high = np.percentile(known, INTERVAL) if len(known) else (np.nan, np.nan)
    values = {"value": samples[0], "low": low, "high": high}
    return {name: round(float(value), 4) if np.isfinite(value) else None for name, value in values.items()}


def figure(samples: np.ndarray, n: int) -> dict[str, Any]:
    """The value of n cases with its interval; of no case all is None. samples: (1 + RESAMPLES,)."""
    return with_interval(samples if n else np.full(len(samples), np.nan)) | {"n": n}


def mean_figure(values: np.ndarray, weights: np.ndarray) -> dict[str, Any]:
    """The mean of (n,) values with its interval; weights: (1 + RESAMPLES, n)."""
    return figure(weighted_mean(values, weights), len(values))


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # a resample may have none of the cases that a mode was asked about
        return np.asarray((weights @ values.astype(float)) / weights.sum(1))


def recall_samples(truth: np.ndarray, predicted: np.ndarray, n_types: int, weights: np.ndarray) -> np.ndarray:
    """(resamples, K) recall of each type; nan where a resample has none of it."""
    of_type = np.eye(n_types)[truth]
    right = of_type * (predicted == truth)[:, None]
    with np.errstate(invalid="ignore"):
        return (weights @ right) / (weights @ of_type)


def auc_samples(truth: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
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
    """Balanced accuracy, accuracy and top 3 of one mode less those of another, paired by resampled cases."""
    asked = is_asked(evaluated.modes[mode]) & is_asked(evaluated.modes[over])
    weights = patient_weights(evaluated.patients)[:, asked]
    part = replace(evaluated, truth=evaluated.truth[asked])
    first, second = (samples_of(part, evaluated.modes[name][asked], weights) for name in (mode, over))
    return {
        name: with_interval(first[name] - second[name]) for name in ("balanced_accuracy", "accuracy", "top3")
    }


def balanced_accuracy_gain(evaluated: Evaluated, mode: str, over: str) -> dict[str, float | None]:
    """Balanced accuracy of one mode less that of another, paired: both on the same resampled patients."""
    return gains(evaluated, mode, over)["balanced_accuracy"]


def fit_temperature(logits: np.ndarray, truth: np.ndarray, prior: np.ndarray) -> float:
    """The T that makes softmax(logits / T + log prior) most likely (Guo et al. 2017, with the prior apart).

    logits: (n, K), -inf where a type is no option. 1 where there is no case.
    """
    if not len(truth):
        return 1.0

    def negative_log_likelihood(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature) + np.log(np.maximum(prior, 1e-6))
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
        words = [[fact.site or "", *(fact.symptoms[s] for s in SYMPTOMS)] for fact in facts]
        return ages, np.array(words, dtype=object)

    ages, words = table(train)
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(words)
    model = LogisticRegression(C=0.3, max_iter=2000).fit(np.hstack([ages, encoder.transform(words)]), labels)
    ages, words = table(test)
    found = model.predict_proba(np.hstack([ages, encoder.transform(words)]))
    prior = np.bincount(labels, minlength=n_types)[model.classes_] / len(labels)
    probabilities = np.full((len(test), n_types), 1e-6)
    probabilities[:, model.classes_] = found / prior
    return probabilities / probabilities.sum(1, keepdims=True)


SIMPLE_MODELS = {
    "most_frequent": "always the most frequent types",
    "regression_on_fields": "logistic regression on the same fields",
    "regression_on_words": "logistic regression on the words (tf-idf)",
}


def simple_models(
    facts: Sequence[Facts], words: Sequence[str], labels: np.ndarray, folds: np.ndarray, prior: np.ndarray
) -> dict[str, np.ndarray]:
    """(tested, K) probabilities for equally frequent types of what any language model has to beat.

    folds: as `datasets.split_folds` gives them; prior: (K,) what is multiplied in again for accuracy and
    top 3. Regression is on fields where there are any, else on the words.
    """
    if any(fact.said for fact in facts):
        name = "regression_on_fields"
        table = DictVectorizer().fit_transform([_fields(fact) for fact in facts])
    else:
        name = "regression_on_words"
        table = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2).fit_transform(words)
    found = {"most_frequent": np.zeros((len(labels), len(prior))), name: np.zeros((len(labels), len(prior)))}
    for fold in set(folds.tolist()) - {ALWAYS_TRAINED}:
        train, test = (
            np.flatnonzero((folds != fold) & (folds != NEVER_TRAINED)),
            np.flatnonzero(folds == fold),
        )
        counts = np.bincount(labels[train], minlength=len(prior))
        found["most_frequent"][test] = counts / counts.sum()
        model = LogisticRegression(C=REGRESSION_C[name], max_iter=2000).fit(table[train], labels[train])
        found[name][np.ix_(test, model.classes_)] = model.predict_proba(table[test])
    tested = folds != ALWAYS_TRAINED
    return {name: _balanced(scores[tested] / prior) for name, scores in found.items()}


REGRESSION_C = {"regression_on_fields": 0.3, "regression_on_words": 30.0}


def _balanced(scores: np.ndarray) -> np.ndarray:
    scores = np.maximum(scores, 1e-6)
    return np.asarray(scores / scores.sum(1, keepdims=True))


def _fields(facts: Facts) -> dict[str, str | int]:
    """All told facts but the age in years, which no case of a source without photos has."""
    particulars = {name: getattr(facts, name) for name in ("kind", "duration", "age_range")}
    symptoms = {name: answer for name, answer in facts.symptoms.items() if answer is not Answer.UNSAID}
    return {
        **{name: str(value) for name, value in (particulars | symptoms).items() if value is not None},
        **{region: 1 for region in facts.more_sites},
    }
