"""Narratives for training: facts left out at random, facts of nobody for learning to read, whole stories."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Final

from skin_ai.narrative import (
    AGE_RANGES,
    ALL_SYMPTOMS,
    DURATIONS,
    KINDS,
    MORE_SYMPTOMS,
    REGIONS,
    SITES,
    SYMPTOMS,
    Answer,
    Facts,
    silence,
    tell,
)
from skin_ai.slips import with_slips

MOST_SILENT = 0.35  # of a training case's facts are left unsaid at most, on average
STORIES: Final = Path(__file__).with_name("stories_26.csv")
HELD_OUT_VOICES = ("hurried", "second language")  # no model is trained on them


@dataclass(frozen=True)
class Story:
    """What a made-up patient of a type might write in one of the ten voices; stories_26.md tells of them."""

    type: str
    voice: str
    text: str


def load_stories() -> tuple[Story, ...]:
    """All stories of stories_26.csv, in its order: by type, then by voice."""
    with STORIES.open(newline="", encoding="utf-8") as file:
        return tuple(Story(row["type"], row["voice"], row["story"]) for row in csv.DictReader(file))


STORIES_SOURCE: Final = "stories-26"
DROPS_A_SENTENCE = 0.5
SLIPS_IN_A_STORY = 0.3
SENTENCE_END = re.compile(r"(?<=[.!?;]) +")


def retold(story: str, rng: Random) -> str:
    """The story with a sentence left out now and then, and with slips."""
    sentences = SENTENCE_END.split(story)
    if len(sentences) > 2 and rng.random() < DROPS_A_SENTENCE:
        sentences.pop(rng.randrange(len(sentences)))
    text = " ".join(sentences)
    return with_slips(text, rng, fragments=False) if rng.random() < SLIPS_IN_A_STORY else text


def training_narrative(facts: Facts, rng: Random) -> str:
    """The facts in a new wording, some of them unsaid."""
    return tell(silence(facts, rng, fraction=rng.uniform(0, MOST_SILENT)), rng)


def evaluation_narrative(facts: Facts, key: str, *, held_out: bool = False) -> str:
    """All facts of a case as one patient might tell them, the same at every call.

    held_out: in wordings that no model was trained on.
    """
    return tell(facts, Random(key), held_out=held_out)


def random_facts(rng: Random) -> Facts:
    """Facts of nobody, each independent of the others, so that reading cannot guess one from another."""
    answers = (Answer.YES, Answer.NO, Answer.UNKNOWN, Answer.UNSAID)
    symptoms = {symptom: rng.choices(answers, (0.37, 0.37, 0.1, 0.16))[0] for symptom in SYMPTOMS}
    age = rng.randint(5, 95) if rng.random() < 0.85 else None
    site = rng.choice(SITES) if rng.random() < 0.85 else None
    return Facts(age=age, site=site, **symptoms)  # type: ignore[arg-type]


def random_wide_facts(rng: Random) -> Facts:
    """Facts of nobody, about nine of them: half like `random_facts` with some more, half like SCIN's.

    Within either half each is independent of the others.
    """
    return _mostly_old_facts(rng) if rng.random() < 0.5 else _scin_like_facts(rng)


def _mostly_old_facts(rng: Random) -> Facts:
    answers = (Answer.YES, Answer.NO, Answer.UNKNOWN, Answer.UNSAID)
    symptoms = {symptom: rng.choices(answers, (0.11, 0.11, 0.03, 0.75))[0] for symptom in MORE_SYMPTOMS}
    kind, duration = _perhaps(KINDS, 0.25, rng), _perhaps(DURATIONS, 0.25, rng)
    return replace(random_facts(rng), kind=kind, duration=duration, **symptoms)  # type: ignore[arg-type]


def _scin_like_facts(rng: Random) -> Facts:
    answers = (Answer.YES, Answer.NO, Answer.UNKNOWN, Answer.UNSAID)
    symptoms = {symptom: rng.choices(answers, (0.18, 0.1, 0.03, 0.69))[0] for symptom in ALL_SYMPTOMS}
    return Facts(
        **symptoms,  # type: ignore[arg-type]
        kind=_perhaps(KINDS, 0.85, rng),
        duration=_perhaps(DURATIONS, 0.85, rng),
        more_sites=tuple(rng.sample(REGIONS, rng.choice((1, 1, 2, 3)))),
        age_range=_perhaps(AGE_RANGES, 0.85, rng),
    )


def _perhaps(values: tuple[str, ...], chance: float, rng: Random) -> str | None:
    return rng.choice(values) if rng.random() < chance else None
