"""Cases in the layout of PAD-UFES-20, and how they are split into folds."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from skin_ai.predict.narrative import Answer, Facts
from skin_ai.training.stories import HELD_OUT_VOICES, STORIES_SOURCE
from skin_ai.vocabulary import SITES, SYMPTOMS

FOLDS = 5
SPLIT_SEED = 42
PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png")
COLUMNS = ("patient_id", "lesion_id", "age", "region", "diagnostic", "img_id", *SYMPTOMS)
_ANSWERS = {"True": Answer.YES, "False": Answer.NO, "UNK": Answer.UNKNOWN, "": Answer.UNSAID}


class DatasetError(ValueError):
    """A data set cannot be used; the message names the file, row and field."""


@dataclass(frozen=True)
class Case:
    """One row: facts that a patient can state, the photo if there is one, and the type.

    Folds are split by patient; lesion numbers the lesions of a patient. story: the patient's own text, with
    empty facts. target: (type, weight) pairs of sum 1 where the label is soft; () is all weight on `type`.
    `biopsed` and the columns that are empty without biopsy are not read: their emptiness reveals the type.
    """

    key: str
    patient: str
    type: str
    facts: Facts
    photo: Path | None
    source: str = "pad-ufes-20"
    story: str = ""
    target: tuple[tuple[str, float], ...] = ()
    lesion: str = ""


def load_cases(folder: Path, types: tuple[str, ...], *, require_photos: bool = False) -> list[Case]:
    """All rows of `folder/metadata.csv`, with photos found in `folder/images`.

    A row without its photo has `photo=None` and trains the language model only, unless `require_photos`.
    Raises DatasetError with the row's number (1 is the header) and the field.
    """
    table, rows = folder / "metadata.csv", read_metadata(folder)
    if not rows:
        raise DatasetError(f"{table} has no rows.")
    if missing := [column for column in COLUMNS if column not in rows[0]]:
        raise DatasetError(f"{table} lacks the columns {', '.join(missing)}.")
    files = sorted(folder.glob("images/**/*"))
    photos = {path.stem: path for path in files if path.suffix.lower() in PHOTO_SUFFIXES}
    cases: list[Case] = []
    seen: dict[str, int] = {}
    for number, row in enumerate(rows, start=2):
        case = _case(row, f"{table}, row {number}", types, photos, require_photos)
        earlier = seen.setdefault(case.key, number)
        if earlier != number:
            raise DatasetError(f"{table}, row {number}: img_id {case.key} is already in row {earlier}.")
        cases.append(case)
    return cases


def read_metadata(folder: Path) -> list[dict[str, str]]:
    """Column -> text of every row of `folder/metadata.csv`; raises DatasetError if there is no such file."""
    table = folder / "metadata.csv"
    if not table.is_file():
        raise DatasetError(f"{table} does not exist; the folder needs metadata.csv and images/.")
    with table.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        return [{name: (text or "").strip() for name, text in row.items() if name} for row in rows]


def _case(
    row: Mapping[str, str],
    where: str,
    types: tuple[str, ...],
    photos: dict[str, Path],
    require_photos: bool,
) -> Case:
    for column in ("patient_id", "img_id"):
        if not row[column]:
            raise DatasetError(f"{where}: {column} is empty.")
    if row["diagnostic"] not in types:
        raise DatasetError(f"{where}: diagnostic is {row['diagnostic']!r}, known are {', '.join(types)}.")
    key = Path(row["img_id"]).stem
    if require_photos and key not in photos:
        endings = ", ".join(PHOTO_SUFFIXES)
        raise DatasetError(f"{where}: no photo {key} with one of the endings {endings} in images/.")
    facts, photo = _facts(row, where), photos.get(key)
    return Case(key, row["patient_id"], row["diagnostic"], facts, photo, lesion=row["lesion_id"])


def _facts(value: Mapping[str, str], where: str) -> Facts:
    try:
        age = int(float(value["age"])) if value["age"] else None
    except (ValueError, OverflowError):  # OverflowError: "inf"
        raise DatasetError(f"{where}: age is {value['age']!r}, not a number of years.") from None
    if age is not None and not 0 <= age <= 120:
        raise DatasetError(f"{where}: age is {age}; it must lie between 0 and 120 years.")
    site = value["region"].upper() or None
    if site is not None and site not in SITES:
        raise DatasetError(f"{where}: region is {value['region']!r}, known are {', '.join(SITES)}.")
    for symptom in SYMPTOMS:
        if value[symptom] not in _ANSWERS:
            raise DatasetError(f"{where}: {symptom} is {value[symptom]!r}, not True, False, UNK or empty.")
    symptoms = {symptom: _ANSWERS[value[symptom]] for symptom in SYMPTOMS}
    return Facts(age=age, site=site, **symptoms)  # type: ignore[arg-type]


ALWAYS_TRAINED, NEVER_TRAINED = -1, -2


def split_folds(cases: list[Case]) -> np.ndarray:
    """(n,) the fold in which each case is tested, by patient and stratified by type, each source alone.

    Folds are made of a source's cases with a photo, or of all its cases where none has one. A case without a
    photo is in its patient's fold, or in none (ALWAYS_TRAINED) where its patient has no photo. Stories of the
    held-out voices are NEVER_TRAINED, the others ALWAYS_TRAINED.
    """
    folds = np.full(len(cases), ALWAYS_TRAINED)
    for source in dict.fromkeys(case.source for case in cases):
        places = [place for place, case in enumerate(cases) if case.source == source]
        of_source = [cases[place] for place in places]
        if source == STORIES_SOURCE:
            held_out = [case.patient in HELD_OUT_VOICES for case in of_source]
            folds[places] = np.where(held_out, NEVER_TRAINED, ALWAYS_TRAINED)
            continue
        split = [case for case in of_source if case.photo is not None] or of_source
        patients = [case.patient for case in split]
        splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SPLIT_SEED)
        parts = splitter.split(np.zeros(len(split)), [case.type for case in split], patients)
        fold_of = {patients[i]: fold for fold, (_, test) in enumerate(parts) for i in test}
        folds[places] = [fold_of.get(case.patient, ALWAYS_TRAINED) for case in of_source]
    return folds


def digest(name: str) -> int:
    """A number that identifies a patient or photo without naming it."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big")
