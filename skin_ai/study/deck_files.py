"""Which of a deck's files is meant: its table, its settings, and the photos that the table names."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from pathlib import PurePosixPath
from typing import Final

from skin_ai.file_paths import climbs, plain_path, shown
from skin_ai.study.deck_rows import CellError
from skin_ai.study.safe_zip import spelt_in_zip

TABLE: Final = "cases.csv"
SETTINGS: Final = "deck.toml"
SPREADSHEETS: Final = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
TEXTS: Final = (".csv", ".tsv", ".txt")
SIMILAR: Final = 0.6  # ratio of difflib: "cases (1)" and "cases" have 0.71
# What systems add to names of files, as .txt or _(1), and what is taken for the kind of file.
OF_SETTINGS: Final = re.compile(
    r"\.toml(\.\w+)*$|(^|/)deck\b[^/]*\.(tml|txt|ini|cfg|conf|ya?ml|json)$", re.IGNORECASE
)


class NoTable(ValueError):
    """One sentence: there is no table, or more than one."""


def table_of(files: Iterable[str]) -> str:
    """Path of cases.csv: in the root, else in a folder in it. Raises NoTable."""
    own = [path for path in files if not _is_of_mac(path)]
    found = [path for path in own if re.fullmatch(rf"([^/]+/)?{TABLE}(\.txt)?", path, re.IGNORECASE)]
    found = [path for path in found if "/" not in path] or found
    if len(found) > 1:
        raise NoTable(f"{shown(found[0])} and {shown(found[1])}: leave only one {TABLE}, of one deck.")
    if found:
        return found[0]
    near = next((path for path in own if _may_be_table(path)), "")
    if near.casefold().endswith(SPREADSHEETS):
        raise NoTable(
            f"There is no {TABLE}, but {shown(near)}: save it as “CSV UTF-8” with the name {TABLE}."
        )
    if near:
        raise NoTable(f"There is no {TABLE}, but {shown(near)}: rename it to {TABLE}.")
    raise NoTable(f"There is no {TABLE}: put it next to the photos or their folder, or send it again.")


def settings_of(files: Iterable[str], top: str) -> tuple[list[str], list[str]]:
    """Paths of deck.toml beside the table, and of files that may be meant as it but are not read."""
    kin = [path for path in files if OF_SETTINGS.search(path) and not _is_of_mac(path)]
    wanted = (f"{top}{SETTINGS}".casefold(), f"{top}{SETTINGS}.txt".casefold())
    found = [path for path in kin if path.casefold() in wanted]
    return found, [path for path in kin if path not in found]


class Photos:
    """Finds the files that a table's cells name.

    top: the table's folder; garbled: as `files_of_zip` gives it.
    """

    def __init__(self, files: Collection[str], top: str, garbled: frozenset[str]) -> None:
        self.files, self.top, self.garbled = files, top, garbled

    def file_of(self, cell: str) -> str:
        """The path, also where the zip has it in a code page that it does not tell. Raises CellError."""
        if climbs(cell):
            raise CellError(f"{shown(cell)} leads out of the deck's folder: put the photo into it.")
        path = plain_path(cell.replace("\\", "/"))
        place = path if path in self.files and path.startswith(self.top) else self.top + path
        if place in self.files:
            return place
        found = {self.top + spelling for spelling in spelt_in_zip(path)} & self.garbled
        found = found or self._by_even_spelling[_evenly_spelt(place)]
        if len(found) == 1:
            return min(found)
        if self.garbled and not path.isascii():
            lost = f"{shown(min(self.garbled))} in the zip lost the accents or letters of its name"
            raise CellError(
                f"{shown(path)} is not in the deck, and {lost}: rename the photos, or zip them anew."
            )
        advice = "add it or send it again, or check its spelling and capitals"
        raise CellError(f"{shown(path)} is not in the deck: {advice}.")

    @cached_property
    def _by_even_spelling(self) -> Mapping[str, set[str]]:
        found: defaultdict[str, set[str]] = defaultdict(set)
        for path in self.files:
            found[_evenly_spelt(path)].add(path)
        return found


def _is_of_mac(path: str) -> bool:
    """What macOS adds to a folder."""
    return path.startswith("__MACOSX/") or PurePosixPath(path).name.startswith("._")


def _may_be_table(path: str) -> bool:
    file = PurePosixPath(path.casefold())
    is_table = file.suffix in (*TEXTS, *SPREADSHEETS) and len(file.parts) <= 2
    return is_table and difflib.SequenceMatcher(None, file.stem, "cases").ratio() >= SIMILAR


def _evenly_spelt(path: str) -> str:
    """With one kind of space and of wide letters: a Mac's screenshots have a narrow one before "PM"."""
    return " ".join(unicodedata.normalize("NFKC", path).split())
