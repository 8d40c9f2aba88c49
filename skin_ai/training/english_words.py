"""Adds the words of English texts to the list by which the app tells English from other languages."""

from __future__ import annotations

import csv
import json
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from skin_ai.predict.language_detection import WORD, WORDS
from skin_ai.training.extraction_texts import TEXTS
from skin_ai.wordings import load_wordings


def add_english_words(more: Iterable[str] = (), path: Path = WORDS) -> int:
    """Adds the words of the extraction's training texts and of `more` texts; returns how many are new.

    Slips are kept: they tell English too. Words with other letters than a to z are not.
    """
    words = set(path.read_text(encoding="utf-8").split())
    known = len(words)
    for text in (*_training_texts(), *more):
        found = (word.lower().replace("\u2019", "'") for word in WORD.findall(text))
        words |= {word for word in found if word.isascii() and len(word) > 1}
    path.write_text("\n".join(sorted(words)) + "\n", encoding="utf-8")
    return len(words) - known


def _training_texts() -> Iterator[str]:
    with (TEXTS / "narratives.csv").open(newline="", encoding="utf-8") as file:
        yield from (row["text"] for row in csv.DictReader(file))
    for line in (TEXTS / "contrast_pairs.jsonl").read_text(encoding="utf-8").splitlines():
        yield json.loads(line)["text"]
    yield from _strings(tomllib.loads((TEXTS / "frames.toml").read_text(encoding="utf-8")))
    for answers in load_wordings().symptoms.values():
        for wordings in answers.values():
            yield from wordings.training
    for phrases in load_wordings().forms.values():
        for phrase in phrases.values():
            yield from phrase.training


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)
