"""Reads the cells of a deck's cases.csv; CellError says in one sentence what is wrong with a cell."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from skin_ai import diseases
from skin_ai.file_paths import shown
from skin_ai.predict.narrative import AGE_LIMIT, clean_narrative
from skin_ai.vocabulary import AGE_BANDS, SITES, age_band_of

REFERENCE_LIMIT: Final = 100  # characters
EXPLANATION_LIMIT: Final = 2000  # characters
NOT_KNOWN: Final = ("unknown", "unk", "not known", "not recorded")
ROMAN: Final = ("I", "II", "III", "IV", "V", "VI")


class CellError(ValueError):
    """What is wrong with a cell or file and what to do, in one sentence."""


def one_line(text: str) -> str:
    """The text on one line (Unicode NFC), without invisible characters."""
    kinds = ((character, unicodedata.category(character)) for character in text)
    visible = "".join(" " if kind in ("Cc", "Cs") else character for character, kind in kinds if kind != "Cf")
    return " ".join(unicodedata.normalize("NFC", visible).split())


def _stated(read: Callable[[str], Any], nothing: Any, cell: str) -> Any:
    """What a cell says, or `nothing` where it says that this is not known."""
    return nothing if cell.casefold() in NOT_KNOWN else read(cell)


def _limited(text: str, limit: int) -> str:
    text = one_line(text)
    if len(text) > limit:
        raise CellError(f"The text has {len(text):,} characters: shorten it to at most {limit:,}.")
    return text


def _one_of(values: tuple[str, ...], what: str, spell: Callable[[str], str], cell: str) -> str:
    found = " ".join(spell(cell).split())
    if found not in values:
        raise CellError(f"{shown(cell)} is not {what}: write {', '.join(values)}, or leave the cell empty.")
    return found


def _number(cell: str, least: int, most: int, what: str) -> float:
    try:
        number = float(cell.replace(",", "."))
    except ValueError:
        number = -1
    if not least <= number <= most:
        raise CellError(f"{shown(cell)} is not {what}: write {least} to {most}, or leave the cell empty.")
    return number


def _fitzpatrick(cell: str) -> int:
    if cell.upper() in ROMAN:
        return ROMAN.index(cell.upper()) + 1
    number = _number(cell, 1, 6, "a Fitzpatrick skin type")
    if not number.is_integer():
        raise CellError(f"{shown(cell)} is not a whole number: write 1 to 6, or leave the cell empty.")
    return int(number)


def _reference(cell: str) -> str:
    disease = diseases.find(cell)
    return disease.code if disease else _limited(cell, REFERENCE_LIMIT)


def _age_band(cell: str) -> str:
    """Word processors turn the hyphen into a dash."""
    return re.sub(r"\s*[-\u2013]\s*", "-", cell.casefold())


READ: Final[Mapping[str, Callable[[str], Any]]] = {
    "narrative": clean_narrative,  # raises NarrativeError
    "age_band": partial(_stated, partial(_one_of, AGE_BANDS, "an age band", _age_band), ""),
    "age": partial(_stated, lambda cell: age_band_of(_number(cell, 0, AGE_LIMIT, "an age in years")), ""),
    "body_site": partial(_stated, partial(_one_of, SITES, "a known site", str.upper), ""),
    "fitzpatrick": partial(_stated, _fitzpatrick, None),
    "reference": _reference,
    "explanation": partial(_limited, limit=EXPLANATION_LIMIT),
}  # column -> reads a cell that is not empty
