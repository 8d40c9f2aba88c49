"""Narratives for training: random facts for the reading stage, facts left out at random, stories."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from skin_ai.predict.narrative import Answer, Facts
from skin_ai.training.telling import with_typos
from skin_ai.vocabulary import AGE_RANGES, DURATIONS, KINDS, MORE_SYMPTOMS, REGIONS, SITES, SYMPTOMS

STORIES: Final = Path(__file__).with_name("stories_26.csv")
HELD_OUT_VOICES = ("hurried", "second language")  # of the portraits; no model is trained on them
PORTRAIT: Final = "portrait"
KINDS_OF_STORY: Final = (PORTRAIT, "sparse", "note", "one-liner")


@dataclass(frozen=True)
class Story:
    """An invented text about a type; writer, voice and kind as in stories_26.md."""

    type: str
    writer: str
    voice: str
    kind: str
    text: str


def load_stories() -> tuple[Story, ...]:
    """All stories of stories_26.csv, by type, kind and writer."""
    with STORIES.open(newline="", encoding="utf-8") as file:
        return tuple(
            Story(row["type"], row["writer"], row["voice"], row["kind"], row["story"])
            for row in csv.DictReader(file)
        )


def training_stories() -> tuple[Story, ...]:
    """All stories that models train on."""
    return tuple(story for story in load_stories() if story.voice not in HELD_OUT_VOICES)


STORIES_SOURCE: Final = "stories-26"
DROPS_A_SENTENCE = 0.5
TYPOS_IN_A_STORY = 0.3
SENTENCE_END = re.compile(r"(?<=[.!?;]) +")


def varied(story: str, rng: Random) -> str:
    """The story, at random without a sentence and with typing errors."""
    sentences = SENTENCE_END.split(story)
    if len(sentences) > 2 and rng.random() < DROPS_A_SENTENCE:
        sentences.pop(rng.randrange(len(sentences)))
    text = " ".join(sentences)
    return with_typos(text, rng, fragments=False) if rng.random() < TYPOS_IN_A_STORY else text


def random_facts(rng: Random) -> Facts:
    """Random facts, independent of each other, so that none can be guessed from another."""
    answers = (Answer.YES, Answer.NO, Answer.UNKNOWN, Answer.UNSAID)
    symptoms = {symptom: rng.choices(answers, (0.37, 0.37, 0.1, 0.16))[0] for symptom in SYMPTOMS}
    age = rng.randint(5, 95) if rng.random() < 0.85 else None
    site = rng.choice(SITES) if rng.random() < 0.85 else None
    return Facts(age=age, site=site, **symptoms)  # type: ignore[arg-type]


def random_more_facts(rng: Random) -> Facts:
    """Random facts of SCIN's questions, about as frequent as in SCIN."""
    answers = (Answer.YES, Answer.NO, Answer.UNSAID)
    symptoms = {symptom: rng.choices(answers, (0.4, 0.08, 0.52))[0] for symptom in SYMPTOMS}
    symptoms |= {symptom: rng.choices(answers, (0.25, 0.05, 0.7))[0] for symptom in MORE_SYMPTOMS}
    return Facts(
        age_range=rng.choice(AGE_RANGES) if rng.random() < 0.6 else None,
        kind=rng.choice(KINDS) if rng.random() < 0.8 else None,
        duration=rng.choice(DURATIONS) if rng.random() < 0.85 else None,
        more_sites=tuple(region for region in REGIONS if rng.random() < 0.17),
        **symptoms,  # type: ignore[arg-type]
    )
