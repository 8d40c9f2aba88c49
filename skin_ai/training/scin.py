"""SCIN (Ward et al. 2024): volunteers' reports about their skin, and dermatologists' weighted labels.

scin_conditions.csv maps SCIN's conditions to types, with reasons.
"""

from __future__ import annotations

import ast
import csv
import math
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from skin_ai.predict.narrative import Answer, Facts
from skin_ai.training.datasets import Case, DatasetError

CONDITIONS: Final = Path(__file__).with_name("scin_conditions.csv")
CASES, LABELS = "scin_cases.csv", "scin_labels.csv"
PHOTO_COLUMNS = ("image_1_path", "image_2_path", "image_3_path")
_PHOTO_PATH = re.compile(r"dataset/images/-?\w+\.png", re.ASCII)
LABEL = "weighted_skin_condition_label"
FIELDS: Final = tomllib.loads(Path(__file__).with_name("scin_fields.toml").read_text(encoding="utf-8"))
_SYMPTOM_OF: Final[Mapping[str, str]] = FIELDS["symptoms"]
_REGION_OF: Final[Mapping[str, str]] = FIELDS["regions"]
_FLAT: Final = "textures_flat"
_FACT_COLUMNS = (
    *_SYMPTOM_OF, _FLAT, *_REGION_OF, "related_category", "condition_duration", "age_group",
)  # fmt: skip
COLUMNS: Final = {CASES: ("case_id", *_FACT_COLUMNS, *PHOTO_COLUMNS), LABELS: ("case_id", LABEL)}

Row = Mapping[str, str | None]
Rows = dict[str, tuple[str, Row]]


def load_scin(folder: Path, types: tuple[str, ...]) -> list[Case]:
    """The cases whose label has weight on one of `types`, in the order of scin_cases.csv.

    Tables lie in `folder` or `folder/dataset`, photos in `folder/dataset/images`; a case has the first of its
    photos that exists, or None. `target` is renormalised over `types`, heaviest first, and `type` is its
    first. Cases that share a photo have one `patient`. Race, sex and skin type are not read. Raises
    DatasetError with file, row and field.
    """
    cases, labels = (read_table(folder, name) for name in (CASES, LABELS))
    for key, (where, _) in (labels | cases).items():
        if key not in cases or key not in labels:
            raise DatasetError(f"{where}: case_id {key} is not in both {CASES} and {LABELS}.")
    paths = {key: photo_paths(row, where) for key, (where, row) in cases.items()}
    patients = _groups(paths)
    loaded = []
    for key, (where, row) in cases.items():
        label_where, label_row = labels[key]
        if target := _target(_weights(label_row, label_where), types):
            photo = next((path for name in paths[key] if (path := folder / name).is_file()), None)
            facts = facts_of(row, where)
            loaded.append(Case(key, patients[key], target[0][0], facts, photo, source="scin", target=target))
    if not loaded:
        raise DatasetError(f"{folder}: no case of {LABELS} has one of the types {', '.join(types)}.")
    return loaded


def find_table(folder: Path, name: str) -> Path:
    """The table in `folder`, or in `folder/dataset`, as in the bucket."""
    return folder / name if (folder / name).is_file() else folder / "dataset" / name


def read_table(folder: Path, name: str) -> Rows:
    """The rows of CASES or LABELS; raises DatasetError for a missing or damaged table."""
    table = find_table(folder, name)
    if not table.is_file():
        raise DatasetError(f"{folder} has no {name}; python -m skin_ai data scin {folder} fetches it.")
    return read_rows(table, COLUMNS[name])


def read_rows(table: Path, columns: tuple[str, ...]) -> Rows:
    """case_id -> (file and row number, for errors; the row).

    Raises DatasetError for missing columns, no rows, and a case_id that is empty or repeated.
    """
    rows: Rows = {}
    with table.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        if missing := [column for column in columns if column not in (reader.fieldnames or ())]:
            raise DatasetError(f"{table} lacks the columns {', '.join(missing)}.")
        for number, row in enumerate(reader, start=2):
            where = f"{table}, row {number}"
            key = _value(row, "case_id", where)
            if not key:
                raise DatasetError(f"{where}: case_id is empty.")
            if key in rows:
                earlier = rows[key][0].rpartition(", ")[2]
                raise DatasetError(f"{where}: case_id {key} is already in {earlier}.")
            rows[key] = where, row
    if not rows:
        raise DatasetError(f"{table} has no rows.")
    return rows


def photo_paths(row: Row, where: str = CASES) -> tuple[str, ...]:
    """The photos of a case, "dataset/images/<id>.png"; a path that leads elsewhere is a DatasetError."""
    paths = []
    for column in PHOTO_COLUMNS:
        path = _value(row, column, where)
        if path and not _PHOTO_PATH.fullmatch(path):
            raise DatasetError(f"{where}: {column} is {path!r}, not dataset/images/<number>.png.")
        paths.append(path)
    return tuple(filter(None, paths))


def facts_of(row: Row, where: str = CASES) -> Facts:
    """The ticked facts; a box without a tick is unsaid, not a no.

    Only "flat" without "raised" is a no, to elevation. Raises DatasetError with the field for a value that
    SCIN's schema does not have.
    """
    symptoms: dict[str, Any] = {
        symptom: Answer.YES for column, symptom in _SYMPTOM_OF.items() if _ticked(row, column, where)
    }
    if _ticked(row, _FLAT, where):
        symptoms.setdefault("elevation", Answer.NO)
    return Facts(
        **symptoms,
        more_sites=tuple(region for column, region in _REGION_OF.items() if _ticked(row, column, where)),
        kind=_choice(row, "related_category", FIELDS["kinds"], where),
        duration=_choice(row, "condition_duration", FIELDS["durations"], where),
        age_range=_choice(row, "age_group", FIELDS["age_ranges"], where),
    )


@cache
def type_of_condition() -> Mapping[str, str]:
    """SCIN's condition -> type, for those that have one."""
    with CONDITIONS.open(newline="", encoding="utf-8") as file:
        return {row["condition"]: row["type"] for row in csv.DictReader(file) if row["type"]}


def _weights(row: Row, where: str) -> dict[str, float]:
    """Condition -> weight, from the label, which is the text of a Python dict."""
    text = _value(row, LABEL, where) or "{}"
    try:
        weights = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        weights = None
    if not isinstance(weights, dict):
        raise DatasetError(f"{where}: {LABEL} is {text[:80]!r}, not like {{'Eczema': 0.67, 'Tinea': 0.33}}.")
    for condition, weight in weights.items():
        is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not isinstance(condition, str) or not is_number or not 0 <= weight < math.inf:
            raise DatasetError(
                f"{where}: {LABEL} gives {condition!r} the weight {weight!r}; it must be a number from 0."
            )
    return weights


def _target(weights: dict[str, float], types: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
    """(type, weight) pairs of sum 1, heaviest first, ties in the label's order; () without any weight."""
    mapped: dict[str, float] = {}
    for condition, weight in weights.items():
        type_ = type_of_condition().get(condition)
        if type_ in types and weight > 0:
            mapped[type_] = mapped.get(type_, 0.0) + weight
    total = math.fsum(mapped.values())
    # Weights have two decimals; 0.1 + 0.2 and 0.3 are a tie.
    ranked = sorted(mapped.items(), key=lambda pair: -round(pair[1], 6))
    return tuple((type_, weight / total) for type_, weight in ranked)


def _groups(paths: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """case_id -> the first case_id that is linked to it by shared photos (15 of SCIN's are)."""
    patient_of, first_with = {key: key for key in paths}, dict[str, str]()
    for key, photos in paths.items():
        for photo in photos:
            linked = {patient_of[key], patient_of[first_with.setdefault(photo, key)]}
            if len(linked) > 1:
                first = next(other for other in paths if other in linked)
                patient_of |= {other: first for other, patient in patient_of.items() if patient in linked}
    return patient_of


def _value(row: Row, column: str, where: str) -> str:
    value = row[column]
    if value is None:
        raise DatasetError(f"{where}: the row ends before {column}.")
    return value.strip()


def _ticked(row: Row, column: str, where: str) -> bool:
    value = _value(row, column, where)
    if value not in ("", "YES"):
        raise DatasetError(f"{where}: {column} is {value!r}; it must be YES or empty.")
    return value == "YES"


def _choice(row: Row, column: str, known: Mapping[str, str], where: str) -> str | None:
    value = _value(row, column, where)
    if value not in known:
        raise DatasetError(f"{where}: {column} is {value!r}, known are {', '.join(filter(None, known))}.")
    return known[value] or None
