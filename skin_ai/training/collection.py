"""Any folder of photos with `cases.csv`, in the layout of a deck, to train on."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Final

from skin_ai import diseases
from skin_ai.file_paths import climbs, plain_path, shown
from skin_ai.predict.narrative import Facts, NarrativeError, clean_narrative, clean_text
from skin_ai.predict.photo import MAX_BYTES
from skin_ai.training.datasets import Case, DatasetError

TABLE: Final = "cases.csv"
COLUMNS: Final = ("photo", "label", "patient", "narrative")
PATIENT_LIMIT: Final = 100  # characters


def load_collection(folder: Path, types: tuple[str, ...], source: str) -> list[Case]:
    """The rows of `folder/cases.csv` (UTF-8; commas or semicolons), in its order, without facts.

    photo: a file in `folder`, not a link to outside, or empty with a narrative; label: name, synonym or code
    of one of `types`; patient: groups rows, empty for one row alone; narrative: becomes the story. Other
    columns are ignored. `key` is `source/stem of the photo`, or `source/row/number`. Photos are not decoded.
    Raises DatasetError for the first error, with row number (1 is the header), field and what to do.
    """
    table = folder / TABLE
    if not table.is_file():
        raise DatasetError(f"{table} does not exist: give the folder that holds {TABLE} and the photos.")
    rows = _rows(table)
    columns = _columns(next(rows, (1, []))[1], table)
    photos = _photos(folder)
    cases: list[Case] = []
    seen: dict[str, int] = {}
    for number, cells in rows:
        where = f"{table}, row {number}"
        if any(cells[len(columns) :]):
            raise DatasetError(f"{where}: text stands under no column: put text that has commas in quotes.")
        row = dict.fromkeys(COLUMNS, "") | dict(zip(columns, cells, strict=False))
        case = _case(row, where, number, types, source, photos)
        earlier = seen.setdefault(case.key, number)
        if earlier != number:
            raise DatasetError(
                f"{where}: photo {shown(row['photo'])} has the name of the one in row {earlier}: "
                "give every row a photo of its own, with a name of its own before the ending."
            )
        cases.append(case)
    if not cases:
        raise DatasetError(f"{table} has no rows below the header: add a row for every case.")
    return cases


def _rows(table: Path) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of every row that is not empty; spreadsheets add empty ones below a table."""
    try:
        text = table.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DatasetError(f"{table}: line {line} is not in UTF-8: save it as “CSV UTF-8”.") from None
    except OSError as error:
        raise DatasetError(f"{table} cannot be read: check its permissions, or copy it again.") from error
    first = text.partition("\n")[0]
    # Spreadsheets in Europe write semicolons.
    separator = ";" if first.count(";") > first.count(",") else ","
    number = 0
    try:
        reader = csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True)
        for number, cells in enumerate(reader, start=1):
            if any(map(str.strip, cells)):
                yield number, [cell.strip() for cell in cells]
    except csv.Error:
        raise DatasetError(
            f"{table}, row {number + 1}: the quotation marks do not match from here on: "
            "save the table as “CSV UTF-8” again."
        ) from None


def _columns(header: list[str], table: Path) -> list[str]:
    columns = [cell.casefold() for cell in header]
    if missing := [column for column in COLUMNS if column not in columns]:
        raise DatasetError(
            f"{table} lacks the columns {', '.join(missing)}: its first row must name {', '.join(COLUMNS)}."
        )
    if twice := [column for column in COLUMNS if columns.count(column) > 1]:
        raise DatasetError(f"{table} has more than one column {', '.join(twice)}: delete the others.")
    return columns


def _photos(folder: Path) -> dict[str, Path]:
    """Normalised path within the folder -> file."""
    return {
        plain_path(path.relative_to(folder).as_posix()): path
        for place, _, names in os.walk(folder)  # it does not enter links to folders
        for path in (Path(place, name) for name in names)
    }


def _case(
    row: Mapping[str, str],
    where: str,
    number: int,
    types: tuple[str, ...],
    source: str,
    photos: Mapping[str, Path],
) -> Case:
    column = "narrative"
    try:
        story = clean_narrative(row[column])
        column = "patient"
        patient = clean_text(row[column], PATIENT_LIMIT)
    except NarrativeError as error:
        raise DatasetError(f"{where}: {column}: {error}") from error
    photo = _photo(row["photo"], where, photos) if row["photo"] else None
    if photo is None and not story:
        raise DatasetError(f"{where}: photo and narrative are both empty: fill in one, or delete the row.")
    key = f"{source}/row/{number}" if photo is None else f"{source}/{photo.stem}"
    return Case(
        key,
        # No stem has a slash, so a named patient never equals a key.
        f"{source}/patient/{patient}" if patient else key,
        _type(row["label"], where, types),
        Facts(),
        photo,
        source=source,
        story=story,
    )


def _type(label: str, where: str, types: tuple[str, ...]) -> str:
    disease = diseases.find(label)
    if disease is None:
        found = f"{shown(label)}, no known type" if label else "empty"
    elif disease.code not in types:
        found = f"{shown(label)} ({disease.code}), which is not learnt here"
    else:
        return disease.code
    raise DatasetError(
        f"{where}: label is {found}: write a name, synonym or code of one of {', '.join(types)}, "
        "or delete the row."
    )


def _photo(cell: str, where: str, photos: Mapping[str, Path]) -> Path:
    if climbs(cell):
        raise DatasetError(f"{where}: photo {shown(cell)} leads out of the folder: put the photo in it.")
    name = plain_path(cell.replace("\\", "/"))
    found = f"{where}: photo {shown(name)}"
    if name not in photos:
        raise DatasetError(f"{found} is not in the folder: add it, or check its name, ending and capitals.")
    photo = photos[name]
    root = photo.parents[len(Path(name).parts) - 1].resolve()
    try:
        is_within, size = photo.resolve().is_relative_to(root), photo.stat().st_size
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise DatasetError(f"{found} cannot be read: check its permissions, or copy it again.") from error
    if not (is_within and photo.is_file()):  # reading a pipe would wait forever
        raise DatasetError(f"{found} is a link out of the folder or no ordinary file: put the file there.")
    if not 0 < size <= MAX_BYTES:
        megabytes, most = size / 1024**2, MAX_BYTES // 1024**2
        raise DatasetError(f"{found} has {megabytes:.1f} MB, not more than 0 and at most {most} MB.")
    return photo
