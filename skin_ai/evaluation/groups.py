"""Figures by group of patients: skin type, age, body site, gender, proof. For reports, never an input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from skin_ai.evaluation.figures import (
    Evaluated,
    area_under,
    figure,
    is_predicted,
    mean_figure,
    mean_of_known,
    recall_samples,
    receiver_operating,
)
from skin_ai.evaluation.protocols import protocol
from skin_ai.intervals import patient_weights
from skin_ai.training.datasets import Case, DatasetError, read_metadata
from skin_ai.vocabulary import AGE_BANDS, age_band_of

LEAST_CASES = 10  # fewer say more about single patients than about the model
NOT_RECORDED = "not recorded"
SKIN_TYPES = ("I", "II", "III", "IV", "V", "VI")
BY_BIOPSY, WITHOUT_BIOPSY = "by biopsy", "without biopsy"


@dataclass(frozen=True)
class Particulars:
    """NOT_RECORDED where the table is empty."""

    skin_type: str = NOT_RECORDED
    age_band: str = NOT_RECORDED
    body_site: str = NOT_RECORDED
    gender: str = NOT_RECORDED
    proof: str = NOT_RECORDED


_ORDER = {group: place for place, group in enumerate((*SKIN_TYPES, *AGE_BANDS, BY_BIOPSY, WITHOUT_BIOPSY))}


def particulars_of(folder: Path, cases: Sequence[Case]) -> list[Particulars]:
    """The particulars of each case from `folder/metadata.csv`, by img_id; columns it lacks are not recorded.

    Read apart from the cases, so that no model gets them: their emptiness reveals the type.
    Raises DatasetError for a missing table and for a value that cannot be read.
    """
    found = {}
    for number, row in enumerate(read_metadata(folder), start=2):
        try:
            found[Path(row.get("img_id", "")).stem] = _particulars(row)
        except (ValueError, LookupError):
            raise DatasetError(
                f"{folder / 'metadata.csv'}, row {number}: age is {row.get('age')!r} and fitspatrick "
                f"{row.get('fitspatrick')!r}; they must be years and 1 to 6, or empty."
            ) from None
    return [found.get(case.key, Particulars()) for case in cases]


def _particulars(value: Mapping[str, str]) -> Particulars:
    age, skin_type = value.get("age"), value.get("fitspatrick")
    proof = {"True": BY_BIOPSY, "False": WITHOUT_BIOPSY}
    return Particulars(
        skin_type=dict(enumerate(SKIN_TYPES, start=1))[int(float(skin_type))] if skin_type else NOT_RECORDED,
        age_band=age_band_of(float(age)) if age else NOT_RECORDED,
        body_site=value.get("region", "").lower() or NOT_RECORDED,
        gender=value.get("gender", "").lower() or NOT_RECORDED,
        proof=proof.get(value.get("biopsed", ""), NOT_RECORDED),
    )


def by_group(
    evaluated: Evaluated, particulars: Sequence[Particulars], mode: str, malignant: Collection[str]
) -> dict[str, Any]:
    """Grouping -> group -> n, balanced accuracy, accuracy and malignancy AUC of the first types shown.

    particulars: (n,) in the order of the evaluated cases; malignant: the types that count as such.
    """
    predicted = is_predicted(evaluated.modes[mode])
    weights = patient_weights(evaluated.patients)
    result: dict[str, Any] = {"protocol": protocol("groups", least=LEAST_CASES)}
    for grouping in (field.name for field in fields(Particulars)):
        names = np.array([getattr(person, grouping) for person in particulars])
        counts = Counter(sorted(names[predicted].tolist()))
        most_first = [name for name, _ in counts.most_common()]
        result[grouping] = {
            name: _figures(evaluated, mode, predicted & (names == name), weights, malignant)
            for name in sorted(most_first, key=lambda name: (name == NOT_RECORDED, _ORDER.get(name, 0)))
        }
    return result


def _figures(
    evaluated: Evaluated, mode: str, chosen: np.ndarray, weights: np.ndarray, malignant: Collection[str]
) -> dict[str, Any]:
    if (n := int(chosen.sum())) < LEAST_CASES:
        return {"n": n}
    scores, truth, own = evaluated.modes[mode][chosen], evaluated.truth[chosen], weights[:, chosen]
    own = own[own.sum(1) > 0]  # a resample may have no patient of a small group
    recall = recall_samples(truth, scores.argmax(1), len(evaluated.types), own)
    columns = [place for place, type_ in enumerate(evaluated.types) if type_ in malignant]
    _, false_positives, sensitivity = receiver_operating(
        scores[:, columns].sum(1), np.isin(truth, columns), own
    )
    return {
        "n": n,
        "n_types": len(np.unique(truth)),
        "balanced_accuracy": figure(mean_of_known(recall), n),
        "accuracy": mean_figure(scores.argmax(1) == truth, own),
        "malignancy_auc": figure(area_under(false_positives, sensitivity), n),
    }
