"""Tests whether an answer depends on what should not matter: order of sentences or options, small talk."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Final

from skin_ai.diseases import DISEASES
from skin_ai.predict.chain import Ask, Question, answer, eliminate_all

SHUFFLED: Final = "shuffled"
IRRELEVANT: Final = "irrelevant"
OPTIONS_REVERSED: Final = "options_reversed"
MEANING: Final[Mapping[str, str]] = {
    SHUFFLED: "With the sentences in another order, the answer would be {type}.",
    IRRELEVANT: "With an irrelevant sentence added (“{sentence}”), the answer would be {type}.",
    OPTIONS_REVERSED: "With the options listed in reverse order, the answer would be {type}.",
}
# New to the models: none of these is among the fillers of the training narratives.
SMALL_TALK: Final = (
    "It rained all morning.",
    "The weather has been lovely this week.",
    "There was a lot of traffic today.",
    "I parked my car around the corner.",
    "The train was on time for once.",
)
SENTENCE_END = re.compile(r"(?<=[.!?;])\s+")


def variants(narrative: str) -> dict[str, str]:
    """Name of the variant -> a narrative that says the same about the lesion.

    Seeded by the text, so the same words always give the same variants. None without words; a single sentence
    is not shuffled.
    """
    if not narrative:
        return {}
    rng = Random(narrative)
    found = {}
    sentences = SENTENCE_END.split(narrative)
    if len(set(sentences)) > 1:
        shuffled = list(sentences)
        while shuffled == sentences:
            rng.shuffle(shuffled)
        found[SHUFFLED] = " ".join(shuffled)
    place = rng.randint(0, len(sentences))
    found[IRRELEVANT] = " ".join([*sentences[:place], _small_talk(narrative), *sentences[place:]])
    return found


def _small_talk(narrative: str) -> str:
    return Random(f"{narrative} small talk").choice(SMALL_TALK)


def variant_questions(question: Question) -> dict[str, Question]:
    """Name of the variant -> the case changed in a way that should make no difference."""
    asked = {name: replace(question, narrative=words) for name, words in variants(question.narrative).items()}
    return asked | {OPTIONS_REVERSED: replace(question, options=question.options[::-1])}


def unstable(
    ask: Ask,
    question: Question,
    first: str,
    types: tuple[str, ...],
    schedule: tuple[int, ...],
    temperatures: tuple[float, ...],
) -> dict[str, str]:
    """The variants whose first type is not `first`: name -> their first type.

    question: the first one of the case, with all options; other arguments as in `eliminate_all`.
    """
    asked = variant_questions(question)
    chains = eliminate_all(ask, list(asked.values()), types, schedule, temperatures, shares=False)
    would_be = {name: answer(steps)[0].type for name, steps in zip(asked, chains, strict=True)}
    return {name: type_ for name, type_ in would_be.items() if type_ != first}


def in_words(name: str, type_: str, narrative: str) -> str:
    """One entry of `unstable` as a sentence."""
    return MEANING[name].format(type=DISEASES[type_].name, sentence=_small_talk(narrative))
