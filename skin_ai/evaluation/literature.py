"""The protocol of most published figures on PAD-UFES-20, beside ours: split by photo, with all columns.

So split, patients and even lesions stand on both sides, and some columns are empty only where no biopsy was
taken, so that their emptiness tells the type. Nothing of it is ever in a bundle: it is run once, so that
published figures are compared with like.
"""

from __future__ import annotations

import csv
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from skin_ai.diseases import LABEL_SETS
from skin_ai.evaluation.figures import Evaluated, auc_samples, figures, mean_figure, samples_of
from skin_ai.evaluation.temperatures import fit_temperature, softmax
from skin_ai.intervals import patient_weights
from skin_ai.training.datasets import FOLDS, SPLIT_SEED, load_cases
from skin_ai.training.image import ImageSettings, predict_logits, read_squares, train_model
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
COLUMN_SETS = {
    "patient_tells": PATIENT_TELLS,
    "all_columns": ALL_COLUMNS,
    "all_columns_and_biopsed": (*ALL_COLUMNS, "biopsed"),
}
MODELS = {
    **{f"regression, C {c}": LogisticRegression(C=c, max_iter=5000) for c in (0.1, 0.3, 1.0)},
    "gradient boosting": HistGradientBoostingClassifier(
        max_iter=40, learning_rate=0.1, min_samples_leaf=10, random_state=SPLIT_SEED
    ),
}
INNER_FOLDS = 3
MEASURES = ("balanced_accuracy", "macro_auc", "accuracy")
SPLITS = {
    "by_patient": "StratifiedGroupKFold(5, shuffle=True, random_state=42), grouped by patient",
    "by_photo": "StratifiedKFold(5, shuffle=True, random_state=42), patients on both sides",
}
PROTOCOL = (
    f"literature: five folds split by photo ({SPLITS['by_photo']}); metadata: all published columns but ids, "
    "diagnosis and biopsed, also those empty only without biopsy, by regression or gradient boosting, "
    "whichever has less log loss within the training part. ours: five folds grouped by patient; metadata: "
    "age, site, symptoms, by a regression; chain: Chain of Options. Both: the same image model's training, "
    "but one run for literature, and for ours the mean of the weights of several; "
    "product: of photo and metadata over the prior; stacking: a regression on the logarithms of the two. "
    "Balanced accuracy and AUC are of probabilities for equally frequent types, accuracy with the prior. "
    "Pooled over the folds, with 95% intervals by bootstrap over patients; over_folds: mean and standard "
    "deviation, as published."
)
METADATA_PROTOCOL = (
    "Columns alone, out of fold in five folds. by_patient: grouped by patient; by_photo: patients on both "
    "sides. patient_tells: age, site, symptoms; all_columns: also those that are empty only without biopsy; "
    "model chosen in the training part. Pooled, 95% intervals by bootstrap over patients."
)


def read_rows(folder: Path) -> list[Row]:
    """All rows of `folder/metadata.csv`, checked by `load_cases` and in its order."""
    load_cases(folder, TYPES)
    with (folder / "metadata.csv").open(newline="", encoding="utf-8-sig") as file:
        return [{name: (text or "").strip() for name, text in row.items()} for row in csv.DictReader(file)]


def split(labels: np.ndarray, patients: np.ndarray, by: str, n_folds: int = FOLDS) -> np.ndarray:
    """(n,) the fold in which each row is tested; by: "by_patient" or "by_photo"."""
    folds = np.zeros(len(labels), dtype=int)
    if np.bincount(labels, minlength=1).max() < n_folds:  # too few cases of every type to stratify by it
        labels = np.zeros_like(labels)
    n_folds = min(n_folds, len(labels))
    if n_folds < 2:
        return folds
    kind = StratifiedGroupKFold if by == "by_patient" else StratifiedKFold
    with warnings.catch_warnings():  # some folds have no case of a rare type; by photo, patients are ignored
        warnings.filterwarnings("ignore", "The least populated class|The groups parameter is ignored")
        parts = kind(n_folds, shuffle=True, random_state=SPLIT_SEED).split(labels, labels, patients)
        for fold, (_, test) in enumerate(parts):
            folds[test] = fold
    return folds


def from_columns(
    rows: Sequence[Row],
    columns: Sequence[str],
    labels: np.ndarray,
    patients: np.ndarray,
    folds: np.ndarray,
    by: str,
) -> np.ndarray:
    """(n, K) out of fold, for equally frequent types; the model is chosen in the training part."""
    table = DictVectorizer(sparse=False).fit_transform([_told(row, columns) for row in rows])
    found = np.zeros((len(rows), len(TYPES)))
    for fold in np.unique(folds).tolist():
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        inner = split(labels[train], patients[train], by, INNER_FOLDS)
        losses = {}
        for name in MODELS:
            predicted = np.zeros((len(train), len(TYPES)))
            for part in np.unique(inner).tolist():
                fitted, asked = train[inner != part], inner == part
                predicted[asked] = _predict(name, table, labels, fitted, train[asked])
            losses[name] = log_loss(labels[train], predicted, labels=range(len(TYPES)))
        best = min(losses, key=lambda name: losses[name])
        prior = np.bincount(labels[train], minlength=len(TYPES)) / len(train)
        found[test] = _predict(best, table, labels, train, test) / np.maximum(prior, 1e-6)
    return np.asarray(found / found.sum(1, keepdims=True))


def _told(row: Row, columns: Sequence[str]) -> dict[str, str | float]:
    told: dict[str, str | float] = {}
    for column in columns:
        value = row.get(column, "")
        if column in NUMBERS and value:
            told[column] = float(value) / NUMBERS[column]
        else:
            told[f"{column} is"] = value
    return told


def _predict(
    name: str, table: np.ndarray, labels: np.ndarray, train: np.ndarray, test: np.ndarray
) -> np.ndarray:
    """(test, K) probabilities with the prior of the training part; a type it lacks gets next to nothing."""
    found = np.maximum(_fit_predict(MODELS[name], table, labels, train, test), 1e-6)
    return np.asarray(found / found.sum(1, keepdims=True))


def _fit_predict(
    model: Any, table: np.ndarray, labels: np.ndarray, train: np.ndarray, test: np.ndarray
) -> np.ndarray:
    """(test, K) probabilities, 0 for a type that the training part lacks; all alike where it has one type."""
    found = np.zeros((len(test), len(TYPES)))
    if len(np.unique(labels[train])) < 2:
        return found + 1 / len(TYPES)
    fitted = clone(model).fit(table[train], labels[train])
    found[:, fitted.classes_] = fitted.predict_proba(table[test])
    return found


def measured(evaluated: Evaluated, folds: np.ndarray) -> dict[str, Any]:
    """Mode -> balanced accuracy, AUC and accuracy: pooled with intervals, and mean and s.d. over folds."""
    pooled, result = figures(evaluated), {}
    for mode, scores in evaluated.modes.items():
        n = pooled[mode]["n"]
        result[mode] = {measure: pooled[mode][measure] | {"n": n} for measure in MEASURES}
        by_fold = []
        for fold in np.unique(folds).tolist():
            part, own = replace(evaluated, truth=evaluated.truth[folds == fold]), scores[folds == fold]
            once = np.ones((1, len(own)))
            values = samples_of(part, own, once)
            values["macro_auc"] = auc_samples(part.truth, own, once)
            by_fold.append([values[measure][0] for measure in MEASURES])
        columns = zip(MEASURES, np.array(by_fold).T, strict=True)
        result[mode]["over_folds"] = {measure: _mean_and_spread(values) for measure, values in columns}
    return result


def _mean_and_spread(values: np.ndarray) -> dict[str, float | None]:
    """Over the folds that have a value: an AUC needs two types."""
    known = values[np.isfinite(values)]
    return {
        "mean": round(float(known.mean()), 4) if len(known) else None,
        "sd": round(float(known.std(ddof=1)), 4) if len(known) > 1 else None,
    }


def metadata_alone(folder: Path, *, with_photo_only: bool = False) -> dict[str, Any]:
    """What the split and the columns are worth by themselves, each pair of them; no photo is read."""
    rows = read_rows(folder)
    if with_photo_only:
        cases = load_cases(folder, TYPES)
        rows = [row for row, case in zip(rows, cases, strict=True) if case.photo is not None]
    labels, patients = _labels_and_patients(rows)
    result: dict[str, Any] = {"protocol": METADATA_PROTOCOL, "rows": len(rows)}
    for by in SPLITS:
        folds = split(labels, patients, by)
        modes = {
            name: from_columns(rows, columns, labels, patients, folds, by)
            for name, columns in COLUMN_SETS.items()
        }
        result[by] = measured(_evaluated(labels, patients, modes), folds)
    return result


def run(folder: Path, work: Path, settings: ImageSettings | None = None) -> dict[str, Any]:
    """The literature's protocol on the photos of `folder`: photo alone, metadata alone, and both.

    Trains one image model a fold, by far the most of the time; goes on from what `work` holds. Raises
    ValueError where `work` was begun with other settings or another split.
    """
    settings = settings or ImageSettings()
    rows, cases = read_rows(folder), load_cases(folder, TYPES)
    rows = [row for row, case in zip(rows, cases, strict=True) if case.photo is not None]
    labels, patients = _labels_and_patients(rows)
    folds = split(labels, patients, "by_photo")
    _begin(work, settings, rows, folds)
    logits = _photo_logits([case.photo for case in cases if case.photo], labels, folds, settings, work)
    prior = np.maximum(np.bincount(labels, minlength=len(TYPES)) / len(labels), 1e-6)
    photo = np.zeros_like(logits, dtype=float)
    for fold in np.unique(folds).tolist():
        others = folds != fold
        photo[~others] = softmax(logits[~others] / fit_temperature(logits[others], labels[others], prior))
    modes = {"photo": photo}
    for name, suffix in (("all_columns", ""), ("all_columns_and_biopsed", "_with_biopsed")):
        metadata = from_columns(rows, COLUMN_SETS[name], labels, patients, folds, "by_photo")
        product = photo * metadata
        modes |= {
            f"metadata{suffix}": metadata,
            f"product{suffix}": product / product.sum(1, keepdims=True),
            f"stacking{suffix}": stacked([photo, metadata], labels, folds),
        }
    evaluated = _evaluated(labels, patients, modes)
    found = {"patients_on_both_sides": _on_both_sides(patients, folds), **measured(evaluated, folds)}
    return {"protocol": PROTOCOL, "literature": found}


def ours(evaluated: Evaluated, folds: np.ndarray) -> dict[str, Any]:
    """The same figures under our protocol, from the predictions that `train` saves."""
    names = {
        "photo": "photo_only", "metadata": "regression_on_fields", "product": "product", "chain": "chain"
    }  # fmt: skip
    return measured(replace(evaluated, modes={k: evaluated.modes[m] for k, m in names.items()}), folds)


def stacked(parts: Sequence[np.ndarray], labels: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """(n, K) for equally frequent types: a regression on log probabilities, each fold by the other folds'."""
    inputs = np.hstack([np.log(np.maximum(part, 1e-6)) for part in parts])
    found = np.zeros_like(parts[0])
    model = LogisticRegression(C=0.1, max_iter=5000, class_weight="balanced")
    for fold in np.unique(folds).tolist():
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        found[test] = _fit_predict(model, inputs, labels, train, test)
    return found


def _labels_and_patients(rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray]:
    labels = np.array([TYPES.index(row["diagnostic"]) for row in rows])
    return labels, np.array([row["patient_id"] for row in rows])


def _evaluated(labels: np.ndarray, patients: np.ndarray, modes: dict[str, np.ndarray]) -> Evaluated:
    prior = np.bincount(labels, minlength=len(TYPES)) / len(labels)
    return Evaluated(TYPES, labels, patients, prior, modes)


def _on_both_sides(patients: np.ndarray, folds: np.ndarray) -> dict[str, Any]:
    """Share of tested photos whose patient is in the training part."""
    seen = np.array(
        [(folds[patients == patient] != fold).any() for patient, fold in zip(patients, folds, strict=True)]
    )
    weights = patient_weights(patients)
    return mean_figure(seen, weights)


def _begin(work: Path, settings: ImageSettings, rows: Sequence[Row], folds: np.ndarray) -> None:
    """Refuses a folder with models of another split: their photos may have been trained on."""
    work.mkdir(parents=True, exist_ok=True)
    places = [[row["img_id"], int(fold)] for row, fold in zip(rows, folds, strict=True)]
    text = json.dumps({"split": SPLITS["by_photo"], "image": asdict(settings), "folds": places}, indent=1)
    begun = work / "by_photo.json"
    other = begun.read_text(encoding="utf-8") != text if begun.exists() else any(work.glob("image-fold*"))
    if other:
        raise ValueError(f"{work} was begun with another split or other settings; choose another folder.")
    begun.write_text(text, encoding="utf-8")


def _photo_logits(
    photos: list[Path], labels: np.ndarray, folds: np.ndarray, settings: ImageSettings, work: Path
) -> np.ndarray:
    """(n, K) out-of-fold logits, in files as `train_image_model` leaves them; no model of all photos."""
    logits = np.zeros((len(photos), len(TYPES)), dtype=np.float32)
    squares: list[np.ndarray] = []
    for fold in np.unique(folds).tolist():
        saved = work / f"image-fold{fold}-logits.safetensors"
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if not saved.exists():
            squares = squares or read_squares(photos)
            own = replace(settings, seed=settings.seed + fold)
            done = work / f"image-fold{fold}.safetensors"
            model = train_model([squares[i] for i in train], labels[train], len(TYPES), own, done)
            predicted = predict_logits(model, [squares[i] for i in test], settings)
            save_file({"logits": torch.from_numpy(predicted)}, saved)
        logits[test] = load_file(saved)["logits"].numpy()
    return logits
