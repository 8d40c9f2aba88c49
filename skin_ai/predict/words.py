"""What the language model reads of the patient's words: the facts found in them, or the words themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from skin_ai.predict.extraction import Extraction, Extractor, extract, to_facts
from skin_ai.predict.language_detection import ENGLISH, NO_LANGUAGE, language_of
from skin_ai.predict.narrative import FACTS_READ, Answer, Facts, sentences
from skin_ai.vocabulary import SYMPTOMS

NOT_ENGLISH, NO_WORDS, NO_FACTS = "not_english", "no_readable_words", "no_facts"

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

    prompt: "" where there are no words, or none that can be used; flag: NOT_ENGLISH, NO_WORDS or NO_FACTS
    where words were set aside; facts: those in the prompt, None where it is the words themselves; is_cut: the
    end of the words was not read; alternatives: uncertain fact -> prompts with another plausible answer.
    """

    prompt: str
    language: str = ENGLISH
    flag: str = ""
    facts: Facts | None = None
    is_cut: bool = False
    alternatives: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read(words: str, extractor: Extractor | None, told: Facts | Extraction | None = None) -> Read:
    """words: cleaned; extractor: None where the language model reads the words themselves.

    told: facts that a person confirmed, which are certain and replace those found in the words; or what was
    found earlier; by default the words are searched now. Where the language model reads the words themselves,
    confirmed facts are added to them as sentences, or replace them if they are not English.
    """
    if isinstance(told, Facts):
        return _read_confirmed(words, extractor, told)
    if not words:
        return Read("")
    if extractor is None:
        language = language_of(words)
        return Read(words) if language == ENGLISH else Read("", language, _set_aside(words, "", language))
    extraction = told or extract(words, extractor)
    is_cut = extractor.is_cut(words)
    facts = _facts_read(to_facts(extraction))
    prompt = sentences(facts)
    uncertain = [name for name in extraction.uncertain if name in FACTS_READ]
    alternatives = {name: _alternatives(facts, name) for name in uncertain} if prompt else {}
    flag = _set_aside(words, prompt, extraction.language)
    is_cut = is_cut and flag not in (NOT_ENGLISH, NO_WORDS)
    return Read(prompt, extraction.language, flag, facts, is_cut, alternatives)


def _read_confirmed(words: str, extractor: Extractor | None, confirmed: Facts) -> Read:
    language = language_of(words) if words else ENGLISH
    if extractor is not None:
        facts = _facts_read(confirmed)
        prompt = sentences(facts)
        return Read(prompt, language, _set_aside(words, prompt, language), facts)
    own_words = words if language == ENGLISH else ""
    prompt = " ".join(filter(None, (own_words, sentences(confirmed))))
    return Read(prompt, language, _set_aside(words, prompt, language), None if own_words else confirmed)


def _facts_read(facts: Facts) -> Facts:
    return Facts(**{name: getattr(facts, name) for name in FACTS_READ})


def _set_aside(words: str, prompt: str, language: str) -> str:
    """The flag where words were given and nothing of them can be used."""
    if prompt or not words:
        return ""
    return {ENGLISH: NO_FACTS, NO_LANGUAGE: NO_WORDS}.get(language, NOT_ENGLISH)


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
