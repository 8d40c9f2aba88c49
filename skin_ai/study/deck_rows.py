"""What a cell of a deck's cases.csv may hold, and one sentence where it holds something else."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from skin_ai import diseases
from skin_ai.file_paths import shown
from skin_ai.predict.narrative import AGE_LIMIT, NarrativeError, clean_narrative
from skin_ai.vocabulary import AGE_BANDS, SITES, age_band_of

REFERENCE_LIMIT: Final = 100  # characters
EXPLANATION_LIMIT: Final = 2000  # characters
FITZPATRICK: Final = (1, 6)


class CellError(ValueError):
    """What is wrong with one cell or file and what to do, in one sentence."""


def one_line(text: str) -> str:
    """Plain characters in one line (Unicode NFC), without invisible ones."""
    kinds = ((character, unicodedata.category(character)) for character in text)
    visible = "".join(" " if kind in ("Cc", "Cs") else character for character, kind in kinds if kind != "Cf")
    return " ".join(unicodedata.normalize("NFC", visible).split())


def _narrative(cell: str) -> str:
    try:
        return clean_narrative(cell)
    except NarrativeError as error:
        raise CellError(str(error)) from error


def _limited(text: str, limit: int) -> str:
    text = one_line(text)
    if len(text) > limit:
        raise CellError(f"The text has {len(text):,} characters: shorten it to at most {limit:,}.")
    return text


def _number(cell: str, least: int, most: int, of_what: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        number = -1
    if not least <= number <= most:
        raise CellError(f"{shown(cell)} is not {of_what}: write {least} to {most}, or leave it empty.")
    return number


def _age_band(cell: str) -> str:
    # A dash that a word processor made of the hyphen is one too.
    band = " ".join(cell.casefold().replace("\u2013", "-").split())
    if band not in AGE_BANDS:
        raise CellError(f"{shown(cell)} is no age band: write {', '.join(AGE_BANDS)}, or leave it empty.")
    return band


def _age(cell: str) -> str:
    return age_band_of(_number(cell, 0, AGE_LIMIT, "an age in years"))


def _body_site(cell: str) -> str:
    site = " ".join(cell.upper().split())
    if site not in SITES:
        raise CellError(f"{shown(cell)} is no known site: write {', '.join(SITES)}, or leave it empty.")
    return site


def _fitzpatrick(cell: str) -> int:
    number = _number(cell, *FITZPATRICK, "a skin type after Fitzpatrick")
    if not number.is_integer():
        raise CellError(f"{shown(cell)} is no whole number: write 1 to 6, or leave it empty.")
    return int(number)


def _reference(cell: str) -> str:
    disease = diseases.find(cell)
    return disease.code if disease else _limited(cell, REFERENCE_LIMIT)


READ: Final[Mapping[str, Callable[[str], Any]]] = {
    "narrative": _narrative,
    "age_band": _age_band,
    "age": _age,
    "body_site": _body_site,
    "fitzpatrick": _fitzpatrick,
    "reference": _reference,
    "explanation": partial(_limited, limit=EXPLANATION_LIMIT),
}  # what reads a cell of these columns
