"""What must hold of every hostile input: it is taken whole, or refused in plain words."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np

from skin_ai.predict.narrative import NARRATIVE_LIMIT, SPECIAL_TOKEN, NarrativeError, clean_narrative
from skin_ai.predict.photo import MAX_SIDE, MIN_SIDE, PhotoError, read_photo
from skin_ai.study import deck, export
from skin_ai.study.deck import DeckError
from tests import hostile

T = TypeVar("T")

TAKEN = "taken"
LONGEST = 300  # characters of a sentence


def photo(number: int) -> str:
    return _outcome(lambda: read_photo(hostile.photo(number)), PhotoError, _check_photo)


def deck_zip(number: int) -> str:
    return _deck(lambda: deck.read_zip(hostile.deck_zip(number), "deck.zip"))


def table(number: int) -> str:
    files = {"cases.csv": hostile.table(number), "a.jpg": hostile.photos()[0], "b.png": hostile.photos()[4]}
    return _deck(lambda: deck.read_files(files, "deck"))


def exported(number: int) -> str:
    name, data = hostile.exported(number)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(data)
        try:
            export.read(Path(folder) / name)
        except export.ExportError as error:
            return _plain(str(error).replace(folder, "").splitlines()[0])
        finally:
            assert [path.name for path in Path(folder).rglob("*")] == [name]
    return TAKEN


def narrative(number: int) -> str:
    return _outcome(lambda: clean_narrative(hostile.narrative(number)), NarrativeError, _check_words)


RUNS: Mapping[str, Callable[[int], str]] = {
    "photos": photo,
    "zips": deck_zip,
    "tables": table,
    "exports": exported,
    "narratives": narrative,
}


def _outcome(read: Callable[[], T], refused: type[Exception], check: Callable[[T], None]) -> str:
    try:
        found = read()
    except refused as error:
        return _plain(str(error))
    check(found)
    return TAKEN


def _deck(read: Callable[[], deck.Deck]) -> str:
    try:
        found = read()
    except DeckError as error:
        first, *_ = [_plain(problem.what) for problem in error.problems]
        return first
    for case in found.cases:
        _check_words(case.narrative)
        if case.photo is not None:
            _check_photo(case.photo.pixels)
    return TAKEN


def _check_photo(pixels: np.ndarray) -> None:
    height, width, channels = pixels.shape
    assert pixels.dtype == np.uint8 and channels == 3
    assert min(height, width) >= MIN_SIDE and max(height, width) <= MAX_SIDE


def _check_words(words: str) -> None:
    assert len(words) <= NARRATIVE_LIMIT and not SPECIAL_TOKEN.search(words)
    assert not [*hostile.hidden_in(words)]
    words.encode()


def _plain(sentence: str) -> str:
    assert 0 < len(sentence) <= LONGEST and sentence.isprintable() and sentence.endswith((".", "?")), sentence
    return sentence
