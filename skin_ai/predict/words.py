"""What the language model reads of the patient's words: the facts found in them, or the words themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from skin_ai.predict.extraction import Extractor, extract, to_facts
from skin_ai.predict.language_detection import ENGLISH, language_of
from skin_ai.predict.narrative import Answer, Facts, sentences
from skin_ai.vocabulary import SYMPTOMS

NOT_ENGLISH, NO_FACTS = "not_english", "no_facts"
FACTS_READ: Final = ("age", "site", *SYMPTOMS)  # what a bundle of PAD-UFES-20 was trained on


WHETHER: Final = {
    "age": "how old the patient is",
    "site": "where it is",
    "itch": "whether it itches",
    "grew": "whether it has grown",
    "hurt": "whether it hurts",
    "changed": "whether its appearance has changed",
    "bleed": "whether it bleeds",
    "elevation": "whether it is raised",
}


@dataclass(frozen=True)
class Read:
    """The words as the language model gets them.

    prompt: "" where there are no words, or none that can be used; flag: NOT_ENGLISH or NO_FACTS where words
    were set aside; facts: those in the prompt, None where it is the words themselves; is_cut: the end of the
    words was not read; alternatives: uncertain fact -> prompts with another plausible answer to it.
    """

    prompt: str
    language: str = ENGLISH
    flag: str = ""
    facts: Facts | None = None
    is_cut: bool = False
    alternatives: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read(words: str, extractor: Extractor | None, confirmed: Facts | None = None) -> Read:
    """words: cleaned; extractor: None where the language model reads the words themselves.

    confirmed: facts that a person checked; they replace those found in the words, and are certain.
    """
    extraction = None
    if words and extractor is not None and confirmed is None:
        extraction = extract(words, extractor)
        language = extraction.language
    else:
        language = language_of(words) if words else ENGLISH
    if confirmed is not None and (extractor is not None or language != ENGLISH or not words):
        return Read(sentences(confirmed), language, facts=confirmed)
    if language != ENGLISH:
        return Read("", language, NOT_ENGLISH)
    if extraction is None or extractor is None:
        return Read(words, language)
    is_cut = extractor.is_cut(words)
    found = to_facts(extraction)
    facts = Facts(**{name: getattr(found, name) for name in FACTS_READ})
    if not facts.said:
        return Read("", language, NO_FACTS, facts, is_cut)
    uncertain = [name for name in extraction.uncertain if name in FACTS_READ]
    alternatives = {name: _alternatives(facts, name) for name in uncertain}
    return Read(sentences(facts), language, "", facts, is_cut, alternatives)


def _alternatives(facts: Facts, name: str) -> tuple[str, ...]:
    """The prompt with the other answers to a symptom, or without an age or site that was found."""
    now = getattr(facts, name)
    others: tuple[Answer | None, ...] = (None,) if now is not None else ()
    if name in SYMPTOMS:
        others = tuple(answer for answer in (Answer.YES, Answer.NO) if answer is not now)
    return tuple(sentences(replace(facts, **{name: other})) for other in others)  # type: ignore[arg-type]


def in_words(facts: Sequence[str]) -> str:
    """A sentence on the uncertain facts that the first type depends on."""
    named = " and ".join(WHETHER[name] for name in facts)
    return f"The answer depends on {named}; the words leave this unclear."
