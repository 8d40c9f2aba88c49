"""Decks: cases for several readers, checked as a whole before anything of them is taken.

A deck is a folder, or a zip of one, with `cases.csv` and the photos that it names. Columns of `cases.csv`
(UTF-8; commas or semicolons): photo, narrative, age_band or age, body_site, fitzpatrick, reference,
explanation. A row needs a photo or a narrative; everything else may be empty or left out. `deck.toml`
may give `name = "..."` and `show_reference = true`; without it the reference is not shown to readers.
"""

from __future__ import annotations

import csv
import os
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from io import BytesIO, StringIO
from itertools import zip_longest
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from PIL import Image

from skin_ai.file_paths import climbs, plain_path, shown
from skin_ai.predict.photo import MAX_BYTES, PhotoError, read_photo
from skin_ai.study.deck_rows import READ, CellError, one_line
from skin_ai.study.safe_zip import MAX_FILES, READ_LIMIT, ZipRefused, files_of_zip

TABLE: Final = "cases.csv"
SETTINGS: Final = "deck.toml"
COLUMNS: Final = ("photo", *READ)
MAX_CASES: Final = 2000
NAME_LIMIT: Final = 100  # characters, of a deck's name
NOTE_LIMIT: Final = 500  # characters
# A deck stands in memory as a whole until it is kept. Of read_photo's 3000 pixels a photo may take 27 MB;
# at this size it takes 8 at most, and one of 4:3 keeps the shorter side that read_photo aims at.
MAX_SIDE: Final = 1600  # pixels of the longer side
MAX_PIXEL_BYTES: Final = 2 * 1024**3  # of all photos together

Files = Mapping[str, Callable[[], bytes]]  # path -> what reads the file, READ_LIMIT bytes at most


@dataclass(frozen=True)
class Problem:
    """What is wrong and what to do. row: as a spreadsheet numbers it, the header is 1; None: no one row."""

    row: int | None
    column: str
    what: str

    def __str__(self) -> str:
        row = "" if self.row is None else f"row {self.row}"
        where = ", ".join(part for part in (row, self.column) if part)
        return f"{where}: {self.what}" if where else self.what


class DeckError(ValueError):
    """Everything that is wrong with a deck, one line a problem."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True, eq=False)
class DeckCase:
    """One row. photo: clean pixels (h, w, 3), at most MAX_SIDE long; reference: a type's code, or text."""

    photo: np.ndarray | None
    narrative: str
    age_band: str
    body_site: str
    fitzpatrick: int | None
    reference: str
    explanation: str


@dataclass(frozen=True, eq=False)
class Deck:
    name: str
    shows_reference: bool
    cases: tuple[DeckCase, ...]
    note: str = ""  # what its readers and whoever compares should know


def read_folder(folder: Path) -> Deck:
    """The deck in a folder; links that lead out of it are not followed. Raises DeckError."""
    if not folder.is_dir():
        raise refusal(f"{folder} is not a folder: give the folder that holds {TABLE}.")
    root = folder.resolve()
    files: dict[str, Callable[[], bytes]] = {}
    for place, _, names in os.walk(root):  # it does not enter links to folders
        for path in (Path(place, name) for name in names):
            files[plain_path(path.relative_to(root).as_posix())] = partial(_read_within, root, path)
        if len(files) > MAX_FILES:
            what = f"The folder holds more than {MAX_FILES:,} files: leave out what is not of the deck."
            raise refusal(what)
    return _read(files, root.name)


def read_zip(data: bytes | BinaryIO, name: str) -> Deck:
    """The deck in a zip, which is unpacked in memory only. Raises DeckError; a hostile zip is not read."""
    try:
        files = files_of_zip(BytesIO(data) if isinstance(data, bytes) else data)
    except ZipRefused as error:
        raise refusal(str(error)) from error
    return _read(files, re.sub(r"\.zip$", "", name, flags=re.IGNORECASE))


def read_files(files: Mapping[str, bytes], name: str) -> Deck:
    """The deck in what a browser sends for a folder: relative path -> bytes. Raises DeckError."""
    for path in files:
        if climbs(path):
            raise refusal(f"The path {shown(path)} leads out of the deck's folder: choose the folder again.")
    return _read({plain_path(path): partial(bytes, data) for path, data in files.items()}, name)


def small_photo(data: bytes) -> np.ndarray:
    """What read_photo gives, at most MAX_SIDE pixels long."""
    photo = Image.fromarray(read_photo(data))
    photo.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    return np.array(photo)


def refusal(sentence: str) -> DeckError:
    return DeckError((Problem(None, "", sentence),))


def _read_within(root: Path, path: Path) -> bytes:
    try:
        path = path.resolve()
        if not path.is_relative_to(root):
            raise CellError("The file is a link out of the deck's folder: put the file itself there.")
        if not path.is_file():  # a pipe would be waited for
            raise CellError("This is not an ordinary file: put the file itself there.")
        with path.open("rb") as file:
            return file.read(READ_LIMIT)
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise CellError("The file cannot be read: check its permissions, or copy it again.") from error


def _read(files: Files, name: str) -> Deck:
    check = _Check(files)
    settings = check.settings()
    cases = check.cases()
    if check.problems:
        raise DeckError(tuple(check.problems))
    name = settings.get("name") or one_line(name)[:NAME_LIMIT] or "deck"
    return Deck(name, settings.get("show_reference", False), cases, settings.get("note", ""))


def _top(files: Files) -> str:
    """Where cases.csv is: "" for the root, "folder/" for a folder in it."""
    if TABLE in files:
        return ""
    found = [path for path in files if re.fullmatch(rf"(?!__MACOSX)[^/]+/{TABLE}", path)]
    if len(found) == 1:
        return found[0].removesuffix(TABLE)
    if found:
        raise refusal(f"There is a {TABLE} in several folders: choose the folder of one deck.")
    raise refusal(f"There is no {TABLE} (in small letters): put it beside the photos or their folder.")


class _Check:
    """Goes through a deck's files once and collects all problems. After the first, no photo is kept."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.top = _top(files)
        self.problems: list[Problem] = []
        self.row_of_photo: dict[str, int] = {}
        self.pixel_bytes = 0

    def say(self, row: int | None, column: str, what: str) -> None:
        self.problems.append(Problem(row, column, what))

    def settings(self) -> dict[str, Any]:
        """What deck.toml says, as far as it is right."""
        if self.top + SETTINGS not in self.files:
            return {}
        try:
            settings = tomllib.loads(self.text(SETTINGS))
        except (tomllib.TOMLDecodeError, RecursionError):
            self.say(None, "", f'{SETTINGS}: write name = "..." and show_reference = true, a line each.')
            return {}
        right: dict[str, Any] = {}
        for key, value in settings.items():
            limit = {"name": NAME_LIMIT, "note": NOTE_LIMIT}.get(key, 0)
            if limit and isinstance(value, str) and 0 < len(one_line(value)) <= limit:
                right[key] = one_line(value)
            elif key == "show_reference" and isinstance(value, bool):
                right[key] = value
            elif limit:
                self.say(None, "", f"{SETTINGS}: {key} must be 1 to {limit} characters in quotes.")
            elif key == "show_reference":
                self.say(None, "", f"{SETTINGS}: show_reference must be true or false, without quotes.")
            else:
                what = f"{shown(key)} is unknown: only name, show_reference and note may stand there."
                self.say(None, "", f"{SETTINGS}: {what}")
        return right

    def cases(self) -> tuple[DeckCase, ...]:
        rows = self.rows()
        if len(rows) < 2:
            if not self.problems:
                self.say(None, "", f"{TABLE} has no rows below a header: add a row for every case.")
            return ()
        (number, header), *rows = rows
        columns = [cell.casefold() for cell in header]
        known = len(self.problems)
        self.check_header(number, columns)
        is_right = len(self.problems) == known
        cases = []
        for number, cells in rows:
            named = zip_longest(columns, cells[: len(columns)], fillvalue="")
            if any(cells[len(columns) :]) or any(cell for column, cell in named if not column):
                what = "Text stands under no column: put text that has commas or semicolons in quotes."
                self.say(number, "", what)
            row = {column: cell for column, cell in zip(columns, cells, strict=False) if column in COLUMNS}
            cases.append(self.case(number, row, is_right))
        return tuple(cases)

    def rows(self) -> list[tuple[int, list[str]]]:
        """Number and cells of every row that is not empty: spreadsheets leave empty ones below a table."""
        text = self.text(TABLE)
        first = re.match(r"[^\r\n]*", text)
        # Spreadsheets in Europe write semicolons; no column's name has either.
        semicolons = first is not None and first[0].count(";") > first[0].count(",")
        rows: list[tuple[int, list[str]]] = []
        number = 0
        try:
            table = csv.reader(StringIO(text, newline=""), delimiter=";" if semicolons else ",", strict=True)
            for number, cells in enumerate(table, start=1):
                if not any(map(str.strip, cells)):
                    continue
                if len(rows) > MAX_CASES:
                    what = f"There are more than {MAX_CASES:,} cases: make several decks of it."
                    self.say(number, "", what)
                    break
                rows.append((number, [cell.strip() for cell in cells]))
        except csv.Error:
            what = "The quotation marks do not match from here on: save the table as “CSV UTF-8” again."
            self.say(number + 1, "", what)
        return rows

    def check_header(self, number: int, columns: list[str]) -> None:
        for column, times in Counter(filter(None, columns)).items():
            if column not in COLUMNS:
                what = f"This column is unknown: rename it ({', '.join(COLUMNS)}), or delete it."
                self.say(number, one_line(column)[:NAME_LIMIT], what)
            elif times > 1:
                self.say(number, column, "This column stands there more than once: delete the others.")
        if {"age", "age_band"} <= set(columns):
            self.say(number, "age", "Columns age and age_band say the same: delete one of them.")
        if not {"photo", "narrative"} & set(columns):
            what = "There is neither a column photo nor a column narrative: the first row must name one."
            self.say(number, "", what)

    def case(self, number: int, row: Mapping[str, str], header_is_right: bool) -> DeckCase:
        value: dict[str, Any] = dict.fromkeys(COLUMNS, "") | {"photo": None, "fitzpatrick": None}
        wrong = False
        for column, cell in row.items():
            read = partial(self.photo, number) if column == "photo" else READ[column]
            try:
                if cell:
                    value[column] = read(cell)
            except (CellError, PhotoError, ZipRefused) as error:
                self.say(number, column, str(error))
                wrong = True
        if header_is_right and not (wrong or row.get("photo") or value["narrative"]):
            what = "The row has neither a photo nor a narrative: fill in one, or delete the row."
            self.say(number, "photo", what)
        value["age_band"] = value["age_band"] or value.pop("age")
        return DeckCase(**{field.name: value[field.name] for field in fields(DeckCase)})

    def photo(self, number: int, cell: str) -> np.ndarray | None:
        if climbs(cell):
            raise CellError(f"{shown(cell)} leads out of the deck's folder: put the photo in it.")
        path = plain_path(cell.replace("\\", "/"))
        earlier = self.row_of_photo.setdefault(path, number)
        if earlier != number:
            raise CellError(f"{shown(path)} stands in row {earlier} already: give every case its own photo.")
        if self.top + path not in self.files:
            raise CellError(
                f"{shown(path)} is not in the deck: add it, or check the name, its ending and capitals too."
            )
        data = self.files[self.top + path]()
        pixels = small_photo(data)
        before, self.pixel_bytes = self.pixel_bytes, self.pixel_bytes + pixels.nbytes
        if before <= MAX_PIXEL_BYTES < self.pixel_bytes:
            raise CellError(
                f"From here on the photos need more than {MAX_PIXEL_BYTES // 1024**3} GB of memory: "
                "make several decks of it, or save smaller photos."
            )
        return None if self.problems else pixels

    def text(self, name: str) -> str:
        """A text file of the deck; "" where it cannot be read."""
        try:
            data = self.files[self.top + name]()
            if len(data) > MAX_BYTES:
                raise CellError(f"It has more than {MAX_BYTES // 1024**2} MB: make several decks of it.")
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            self.say(None, "", f"{name}: Line {line} is not in UTF-8: save it as “CSV UTF-8”.")
        except (CellError, ZipRefused) as error:
            self.say(None, "", f"{name}: {error}")
        return ""
