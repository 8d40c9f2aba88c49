"""The protocol of most published figures on PAD-UFES-20, beside ours: split by photo, with all columns.

This split puts photos of the same patient, even of the same lesion, in training and test, and some columns
are empty only where no biopsy was taken, so that their emptiness reveals the type. No bundle uses any of it:
it is run once, to compare published figures with figures of the same kind.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold

from skin_ai.diseases import LABEL_SETS
from skin_ai.evaluation.figures import Evaluated, figures, mean_figure, over_folds
from skin_ai.evaluation.protocols import protocol
from skin_ai.evaluation.temperatures import cross_fitted_temperatures, softmax
from skin_ai.intervals import patient_weights
from skin_ai.training.datasets import FOLDS, SPLIT_SEED, load_cases, read_metadata
from skin_ai.training.image import ImageSettings, out_of_fold_logits, read_squares
from skin_ai.vocabulary import SYMPTOMS

TYPES = LABEL_SETS["pad-ufes-20"]
Row = Mapping[str, str]

# Measures in units that keep a regression's penalty fair; all other columns are categories, "" one of them.
NUMBERS = {"age": 20.0, "diameter_1": 10.0, "diameter_2": 10.0}
PATIENT_TELLS = ("age", "region", *SYMPTOMS)
ALL_COLUMNS = (
    *PATIENT_TELLS, "smoke", "drink", "background_father", "background_mother", "pesticide", "gender",
    "skin_cancer_history", "cancer_history", "has_piped_water", "has_sewage_system", "fitspatrick",
    "diameter_1", "diameter_2",
)  # fmt: skip
COLUMN_SETS = {"": ALL_COLUMNS, "_with_biopsed": (*ALL_COLUMNS, "biopsed")}  # by the suffix of their figures
MODELS = {
    **{f"regression, C {c}": LogisticRegression(C=c, max_iter=5000) for c in (0.1, 0.3, 1.0)},
    "gradient boosting": HistGradientBoostingClassifier(
        max_iter=40, learning_rate=0.1, min_samples_leaf=10, random_state=SPLIT_SEED
    ),
}
INNER_FOLDS = 3
MEASURES = ("balanced_accuracy", "macro_auc", "accuracy")
SPLIT = "StratifiedKFold(5, shuffle=True, random_state=42), patients on both sides"


def run(folder: Path, work: Path, settings: ImageSettings | None = None) -> dict[str, Any]:
    """The literature's protocol on the photos of `folder`: photo alone, metadata alone, and both.

    Trains one image model a fold; resumes from what `work` holds. Raises ValueError where `work` was begun
    with other settings or another split.
    """
    settings = settings or ImageSettings()
    cases = load_cases(folder, TYPES)
    rows = [row for row, case in zip(read_metadata(folder), cases, strict=True) if case.photo is not None]
    labels = np.array([TYPES.index(row["diagnostic"]) for row in rows])
    patients = np.array([row["patient_id"] for row in rows])
    folds = split(labels)
    _begin(work, settings, rows, folds)
    squares = cache(lambda: read_squares([case.photo for case in cases if case.photo]))
    logits = out_of_fold_logits(squares, labels, folds, len(TYPES), settings, work)
    prior = np.bincount(labels, minlength=len(TYPES)) / len(labels)
    photo = softmax(logits / cross_fitted_temperatures(logits, labels, folds, prior)[folds][:, None])
    modes = {"photo": photo}
    for suffix, columns in COLUMN_SETS.items():
        metadata = from_columns(rows, columns, labels, folds)
        product = photo * metadata
        modes |= {
            f"metadata{suffix}": metadata,
            f"product{suffix}": product / product.sum(1, keepdims=True),
            f"stacking{suffix}": stacked([photo, metadata], labels, folds),
        }
    found = measured(Evaluated(TYPES, labels, patients, prior, modes), folds)
    pairs = zip(patients, folds, strict=True)  # is the patient of a tested photo in the training part?
    seen = np.array([(folds[patients == patient] != fold).any() for patient, fold in pairs])
    return {
        "protocol": protocol("literature", split=SPLIT),
        "literature": {"patients_on_both_sides": mean_figure(seen, patient_weights(patients)), **found},
    }


def ours(evaluated: Evaluated, folds: np.ndarray) -> dict[str, Any]:
    """The same figures under our protocol, from the predictions that `train` saves."""
    names = {
        "photo": "photo_only", "metadata": "regression_on_fields", "product": "product", "chain": "chain"
    }  # fmt: skip
    return measured(replace(evaluated, modes={k: evaluated.modes[m] for k, m in names.items()}), folds)


def measured(evaluated: Evaluated, folds: np.ndarray) -> dict[str, Any]:
    """Mode -> balanced accuracy, AUC and accuracy: pooled with intervals, and mean and s.d. over folds."""
    result = {}
    for mode, pooled in figures(evaluated).items():
        by_fold = over_folds(evaluated, mode, folds)
        result[mode] = {measure: pooled[measure] | {"n": pooled["n"]} for measure in MEASURES}
        result[mode]["over_folds"] = {measure: by_fold[measure] for measure in MEASURES}
    return result


def split(labels: np.ndarray, n_folds: int = FOLDS) -> np.ndarray:
    """(n,) the fold in which each photo is tested, whoever the patient is."""
    folds = np.zeros(len(labels), dtype=int)
    if np.bincount(labels, minlength=1).max() < n_folds:  # too few cases of every type to stratify by it
        labels = np.zeros_like(labels)
    n_folds = min(n_folds, len(labels))
    if n_folds < 2:
        return folds
    parts = StratifiedKFold(n_folds, shuffle=True, random_state=SPLIT_SEED).split(labels, labels)
    for fold, (_, test) in enumerate(parts):
        folds[test] = fold
    return folds


def from_columns(
    rows: Sequence[Row], columns: Sequence[str], labels: np.ndarray, folds: np.ndarray
) -> np.ndarray:
    """(n, K) out of fold, for equally frequent types; the model is chosen within the training part."""
    table = DictVectorizer(sparse=False).fit_transform([_features(row, columns) for row in rows])
    found = np.zeros((len(rows), len(TYPES)))
    for fold in np.unique(folds).tolist():
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        inner = split(labels[train], INNER_FOLDS)
        losses = {}
        for name, model in MODELS.items():
            predicted = np.zeros((len(train), len(TYPES)))
            for part in np.unique(inner).tolist():
                fitted, held_out = train[inner != part], inner == part
                predicted[held_out] = _floored(_fit_predict(model, table, labels, fitted, train[held_out]))
            losses[name] = log_loss(labels[train], predicted, labels=range(len(TYPES)))
        best = MODELS[min(losses, key=losses.__getitem__)]
        prior = np.bincount(labels[train], minlength=len(TYPES)) / len(train)
        found[test] = _floored(_fit_predict(best, table, labels, train, test)) / np.maximum(prior, 1e-6)
    return np.asarray(found / found.sum(1, keepdims=True))


def _features(row: Row, columns: Sequence[str]) -> dict[str, str | float]:
    features: dict[str, str | float] = {}
    for column in columns:
        value = row.get(column, "")
        if column in NUMBERS and value:
            features[column] = float(value) / NUMBERS[column]
        else:
            features[f"{column} is"] = value
    return features


def stacked(parts: Sequence[np.ndarray], labels: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """(n, K) for equally frequent types, out of fold: a regression on the parts' log probabilities."""
    inputs = np.hstack([np.log(np.maximum(part, 1e-6)) for part in parts])
    found = np.zeros_like(parts[0])
    model = LogisticRegression(C=0.1, max_iter=5000, class_weight="balanced")
    for fold in np.unique(folds).tolist():
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        found[test] = _fit_predict(model, inputs, labels, train, test)
    return found


def _fit_predict(
    model: Any, table: np.ndarray, labels: np.ndarray, train: np.ndarray, test: np.ndarray
) -> np.ndarray:
    """(test, K) probabilities, 0 for a type that the training part lacks; uniform where it has one type."""
    found = np.zeros((len(test), len(TYPES)))
    if len(np.unique(labels[train])) < 2:
        return found + 1 / len(TYPES)
    fitted = clone(model).fit(table[train], labels[train])
    found[:, fitted.classes_] = fitted.predict_proba(table[test])
    return found


def _floored(probabilities: np.ndarray) -> np.ndarray:
    """(n, K) probabilities, none of them 0, so that their logarithms are finite."""
    floored = np.maximum(probabilities, 1e-6)
    return np.asarray(floored / floored.sum(1, keepdims=True))


def _begin(work: Path, settings: ImageSettings, rows: Sequence[Row], folds: np.ndarray) -> None:
    """Refuses a folder with models of another split: they may have been trained on the test photos."""
    work.mkdir(parents=True, exist_ok=True)
    places = [[row["img_id"], int(fold)] for row, fold in zip(rows, folds, strict=True)]
    text = json.dumps({"split": SPLIT, "image": asdict(settings), "folds": places}, indent=1)
    begun = work / "by_photo.json"
    if begun.read_text(encoding="utf-8") != text if begun.exists() else any(work.glob("image-fold*")):
        raise ValueError(f"{work} was begun with another split or other settings; choose another folder.")
    begun.write_text(text, encoding="utf-8")
