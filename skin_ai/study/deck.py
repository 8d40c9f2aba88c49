"""Decks: sets of cases for several readers. A deck is checked completely before any of it is kept.

A deck is a folder, or a zip of one, with `cases.csv` and the photos named in it. Columns of `cases.csv`:
photo, narrative, age_band or age, body_site, fitzpatrick, reference, explanation. Each row needs a photo or a
narrative; everything else is optional. `deck.toml` may contain the settings of `deck_settings.py`; by default
readers do not see the reference and are asked for a diagnosis only.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from io import BytesIO
from itertools import zip_longest
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from PIL import Image

from skin_ai.file_paths import climbs, plain_path, shown
from skin_ai.predict.narrative import NarrativeError
from skin_ai.predict.photo import MAX_BYTES, PhotoError, read_photo
from skin_ai.study import deck_settings, references
from skin_ai.study.deck_files import SETTINGS, TABLE, NoTable, Photos, settings_of, table_of
from skin_ai.study.deck_rows import READ, CellError, one_line
from skin_ai.study.deck_table import (
    NotText,
    decoded,
    from_header,
    is_empty,
    is_error,
    visible,
    without_row_numbers,
)
from skin_ai.study.safe_zip import MAX_FILES, READ_LIMIT, ZipRefused, files_of_zip
from skin_ai.study.stored_photo import StoredPhoto
from skin_ai.vocabulary import age_band_of

CONSENT: Final = "consent.txt"
COLUMNS: Final = ("photo", *READ)
MAX_CASES: Final = 2000
# A deck is held in memory until it is stored. A photo of 3000 pixels, read_photo's limit, can take 27 MB; at
# this size it takes at most 8, and a 4:3 photo keeps the shorter side that read_photo aims at.
MAX_SIDE: Final = 1600  # pixels of the longer side
MAX_PIXEL_BYTES: Final = 2 * 1024**3  # of all photos together

Files = Mapping[str, Callable[[], bytes]]  # path -> function that reads the file, at most READ_LIMIT bytes


@dataclass(frozen=True)
class Problem:
    """What is wrong and what to do. row: as in a spreadsheet, the header is 1; None: not about one row."""

    row: int | None
    column: str
    what: str

    def __str__(self) -> str:
        row = "" if self.row is None else f"row {self.row}"
        where = ", ".join(part for part in (row, self.column) if part)
        return f"{where}: {self.what}" if where else self.what


class DeckError(ValueError):
    """All problems of a deck, one per line."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True, eq=False)
class DeckCase:
    """photo: at most MAX_SIDE long, without metadata; reference: a type's code, or text.

    facts_extracted: as in `tables.Case`; None until `with_facts`.
    """

    photo: StoredPhoto | None
    narrative: str
    age_band: str
    body_site: str
    fitzpatrick: int | None
    reference: str
    explanation: str
    facts_extracted: dict[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class Deck:
    """note: for its readers and on the Compare page; references: a sentence, how many are understood.

    asks_management, asks_malignancy, arms, primary_comparison, consent: as in `tables.Deck`.
    remarks: what was assumed; doubts: what its owner should decide about before it is loaded.
    """

    name: str
    shows_reference: bool
    cases: tuple[DeckCase, ...]
    note: str = ""
    references: str = ""
    remarks: tuple[Problem, ...] = ()
    doubts: tuple[Problem, ...] = ()
    asks_management: bool = False
    asks_malignancy: bool = False
    arms: tuple[str, ...] = ()
    primary_comparison: tuple[str, ...] = ()
    consent: str = ""


def read_folder(folder: Path) -> Deck:
    """The deck in a folder; links that lead out of it are not followed. Raises DeckError."""
    if not folder.is_dir():
        raise refusal(f"{folder} is not a folder: give the folder that contains {TABLE}.")
    root = folder.resolve()
    files: dict[str, Callable[[], bytes]] = {}
    for place, _, names in os.walk(root):  # does not enter links to folders
        for path in (Path(place, name) for name in names):
            files[plain_path(path.relative_to(root).as_posix())] = partial(_read_within, root, path)
        if len(files) > MAX_FILES:
            raise refusal(
                f"The folder holds more than {MAX_FILES:,} files: remove what is not part of the deck."
            )
    return _read(files, root.name)


def read_zip(data: bytes | BinaryIO, name: str) -> Deck:
    """The deck in a zip, which is unpacked in memory only. Raises DeckError."""
    try:
        files, garbled = files_of_zip(BytesIO(data) if isinstance(data, bytes) else data)
    except ZipRefused as error:
        raise refusal(str(error)) from error
    return _read(files, re.sub(r"\.zip$", "", name, flags=re.IGNORECASE), garbled)


def read_files(files: Mapping[str, bytes], name: str) -> Deck:
    """The deck in a folder sent by a browser: relative path -> bytes. Raises DeckError."""
    for path in files:
        if climbs(path):
            raise refusal(f"The path {shown(path)} leads out of the deck's folder: choose the folder again.")
    sent = {plain_path(path): partial(bytes, data) for path, data in files.items()}
    return _read(sent, name, is_sent=True)


def with_facts(deck: Deck) -> Deck:
    """The deck with the facts in its narratives, found once, so that every reader's AI is told the same.

    Where the table states no age or site, reports use what the words surely say. Raises BundleError.
    """
    from skin_ai.predict.bundle import load_extraction
    from skin_ai.predict.extraction import UNSAID, extract_all, to_keep

    told = [place for place, case in enumerate(deck.cases) if case.narrative]
    cases = list(deck.cases)
    found = extract_all([cases[place].narrative for place in told], load_extraction()) if told else []
    for place, extraction in zip(told, found, strict=True):
        case, facts = cases[place], extraction.facts
        said = {name: facts[name].answer for name in ("age", "site") if name not in extraction.uncertain}
        age, site = said.get("age"), said.get("site", UNSAID)
        cases[place] = replace(
            case,
            age_band=case.age_band or (age_band_of(age) if isinstance(age, int) else ""),
            body_site=case.body_site or ("" if site == UNSAID else str(site)),
            facts_extracted=to_keep(extraction),
        )
    return replace(deck, cases=tuple(cases))


def small_photo(data: bytes) -> np.ndarray:
    """The pixels of read_photo, at most MAX_SIDE long."""
    return small(read_photo(data))


def small(pixels: np.ndarray) -> np.ndarray:
    """The pixels (h, w, 3) as a deck holds them, at most MAX_SIDE long."""
    photo = Image.fromarray(pixels)
    photo.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    return np.array(photo)


def refusal(sentence: str) -> DeckError:
    return DeckError((Problem(None, "", sentence),))


def _read_within(root: Path, path: Path) -> bytes:
    try:
        path = path.resolve()
        if not path.is_relative_to(root):
            raise CellError("The file is a link out of the deck's folder: replace it with the file itself.")
        if not path.is_file():  # reading a pipe would wait forever
            raise CellError("This is not an ordinary file: replace it with the file itself.")
        with path.open("rb") as file:
            return file.read(READ_LIMIT)
    except (OSError, RuntimeError) as error:  # RuntimeError: a circle of links
        raise CellError("The file cannot be read: check its permissions, or copy it again.") from error


def _read(files: Files, name: str, garbled: frozenset[str] = frozenset(), *, is_sent: bool = False) -> Deck:
    try:
        check = _Check(files, garbled)
    except NoTable as error:
        raise refusal(str(error)) from error
    settings = check.settings()
    cases = check.cases()
    consent = check.consent()
    if consent is not None and "consent" in settings:
        check.add(None, "", f"{SETTINGS} and {CONSENT} both have a text of consent: leave only one.")
    if check.problems:
        raise DeckError(tuple(check.problems))
    defaults: dict[str, Any] = {
        "name": one_line(name)[: deck_settings.TEXT_LIMITS["name"]] or "deck",
        "show_reference": False,
        "note": "",
    }
    values = defaults | settings
    doubts = check.doubts_about_references(cases)
    if missing := [
        f"{key} = {json.dumps(values[key], ensure_ascii=False)}" for key in defaults if key not in settings
    ]:
        where = f"{shown(check.settings_path)} does not say everything."
        remarks = check.remarks
        if not check.settings_path:
            where = f"There is no {SETTINGS}."
            if is_sent:  # a browser does not tell which files of a folder failed to arrive
                where, remarks = f"No {SETTINGS} arrived. If the folder has one, send it again.", doubts
        remarks.append(Problem(None, "", f"{where} Assumed: {', '.join(missing)}."))
    return Deck(
        values["name"], values["show_reference"], cases, values["note"],
        check.references, tuple(check.remarks), tuple(doubts),
        asks_management=settings.get("ask_management", False),
        asks_malignancy=settings.get("ask_malignancy", False),
        arms=settings.get("arms", ()),
        primary_comparison=settings.get("primary_comparison", ()),
        consent=consent or settings.get("consent", ""),
    )  # fmt: skip


class _Check:
    """Reads a deck's files and collects all problems. After the first problem no photo is kept."""

    def __init__(self, files: Files, garbled: frozenset[str]) -> None:
        self.files = files
        self.table_path = table_of(files)
        self.top = self.table_path[: self.table_path.rfind("/") + 1]
        self.photos = Photos(files, self.top, garbled)
        self.settings_path = ""
        self.problems: list[Problem] = []
        self.remarks: list[Problem] = []
        self.rows_of_cases: list[int] = []
        self.references = ""
        self.row_of_photo: dict[str, int] = {}
        self.pixel_bytes = 0

    def add(self, row: int | None, column: str, what: str) -> None:
        self.problems.append(Problem(row, column, what))

    def settings(self) -> dict[str, Any]:
        """The valid settings of deck.toml."""
        found, others = settings_of(self.files, self.top)
        if len(found) > 1:
            self.add(None, "", f"{shown(found[0])} and {shown(found[1])}: leave only one {SETTINGS}.")
        for path in others:
            what = f"{shown(path)} was not read: settings are read from {SETTINGS} beside {TABLE}."
            self.remarks.append(Problem(None, "", what))
        if not found:
            return {}
        self.settings_path = found[0]
        valid, wrong = deck_settings.read(self.text(self.settings_path))
        for what in wrong:
            self.add(None, "", f"{SETTINGS}: {what}")
        return valid

    def consent(self) -> str | None:
        """The text of consent.txt beside cases.csv; None without that file."""
        wanted = f"{self.top}{CONSENT}".casefold()
        found = next((path for path in self.files if path.casefold() == wanted), None)
        if found is None:
            return None
        text = deck_settings.consent_text(self.text(found))
        if text is None:
            self.add(None, "", f"{CONSENT}: write 1 to {deck_settings.CONSENT_LIMIT:,} characters.")
        return text

    def cases(self) -> tuple[DeckCase, ...]:
        rows = without_row_numbers(self.rows())
        if len(rows) < 2:
            if not self.problems:
                self.add(None, "", f"{TABLE} has no rows below a header: add a row for every case.")
            return ()
        (number, header), *rows = rows
        columns = [one_line(cell).casefold() for cell in header]
        known = len(self.problems)
        self.check_header(number, columns)
        is_right = len(self.problems) == known
        cases = []
        for number, cells in rows:
            named = zip_longest(columns, cells[: len(columns)], fillvalue="")
            if any(cells[len(columns) :]) or any(cell for column, cell in named if not column):
                what = "A cell is in no column: put text that has commas or semicolons in quotes."
                self.add(number, "", what)
            row = {column: cell for column, cell in zip(columns, cells, strict=False) if column in COLUMNS}
            cases.append(self.case(number, row, is_right))
            self.rows_of_cases.append(number)
        return tuple(cases)

    def doubts_about_references(self, cases: tuple[DeckCase, ...]) -> list[Problem]:
        rows = zip(self.rows_of_cases, cases, strict=True)
        told = (references.Reference(row, case.reference) for row, case in rows)
        has_photos = any(case.photo is not None for case in cases)
        self.references, doubts = references.report(told, has_photos)
        return [Problem(row, "reference", what) for row, what in doubts]

    def rows(self) -> list[tuple[int, list[str]]]:
        """Number and cells of every row that is not empty: spreadsheets leave empty ones below a table."""
        lines, first, delimiter = from_header(self.text(self.table_path), COLUMNS)
        number = first - 1
        rows: list[tuple[int, list[str]]] = []
        try:
            table = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
            for number, written in enumerate(table, start=first):
                cells = ["" if is_empty(cell) else cell.strip() for cell in written]
                if not any(cells):
                    continue
                if len(rows) > MAX_CASES:
                    self.add(number, "", f"There are more than {MAX_CASES:,} cases: split the deck.")
                    break
                rows.append((number, cells))
        except csv.Error:
            what = "Quotation marks do not match from here on: save the table as “CSV UTF-8” again."
            self.add(number + 1, "", what)
        return rows

    def check_header(self, number: int, columns: list[str]) -> None:
        for column, times in Counter(filter(None, columns)).items():
            if column not in COLUMNS:
                what = f"This column is unknown: rename it ({', '.join(COLUMNS)}), or delete it."
                self.add(number, one_line(column)[:100], what)
            elif times > 1:
                self.add(number, column, "This column appears more than once: delete the others.")
        if {"age", "age_band"} <= set(columns):
            self.add(number, "age", "Columns age and age_band mean the same: delete one of them.")
        if not {"photo", "narrative"} & set(columns):
            self.add(
                number, "", "There is no column photo and no column narrative: name one in the first row."
            )

    def case(self, number: int, row: Mapping[str, str], header_is_right: bool) -> DeckCase:
        value: dict[str, Any] = dict.fromkeys(COLUMNS, "") | {"photo": None, "fitzpatrick": None}
        wrong = False
        for column, cell in row.items():
            read = partial(self.photo, number) if column == "photo" else READ[column]
            try:
                if is_error(cell):
                    raise CellError(
                        f"{shown(cell)} is an error of the spreadsheet: correct or empty the cell."
                    )
                if cell:  # in a narrative, an invisible character may join an emoji
                    value[column] = read(cell if column == "narrative" else visible(cell))
            except (CellError, NarrativeError, PhotoError, ZipRefused) as error:
                self.add(number, column, str(error))
                wrong = True
        if header_is_right and not (wrong or row.get("photo") or value["narrative"]):
            what = "The row has neither a photo nor a narrative: add one, or delete the row."
            self.add(number, "photo", what)
        value["age_band"] = value["age_band"] or value["age"]
        given = {field.name: value[field.name] for field in fields(DeckCase) if field.name in value}
        return DeckCase(**given)

    def photo(self, number: int, cell: str) -> StoredPhoto | None:
        place = self.photos.file_of(cell)
        earlier = self.row_of_photo.setdefault(place, number)
        if earlier != number:
            what = f"{shown(cell)} is already in row {earlier}: give every case its own photo."
            raise CellError(what)
        pixels = small_photo(self.files[place]())
        before, self.pixel_bytes = self.pixel_bytes, self.pixel_bytes + pixels.nbytes
        if before <= MAX_PIXEL_BYTES < self.pixel_bytes:  # reported once
            limit = MAX_PIXEL_BYTES // 1024**3
            raise CellError(
                f"The photos up to here exceed {limit} GB: split the deck, or use smaller photos."
            )
        return None if self.problems else StoredPhoto.of(pixels)

    def text(self, path: str) -> str:
        """A text file of the deck; "" if it cannot be read."""
        name = path.removeprefix(self.top)
        try:
            data = self.files[path]()
            if len(data) > MAX_BYTES:
                raise CellError(f"It is larger than {MAX_BYTES // 1024**2} MB: split the deck.")
            text, guess = decoded(data)
        except (CellError, NotText, ZipRefused) as error:
            self.add(None, "", f"{name}: {error}")
            return ""
        if guess:
            what = f"{name} is not UTF-8. It was read as {guess}: check its accents."
            self.remarks.append(Problem(None, "", what))
        return text
