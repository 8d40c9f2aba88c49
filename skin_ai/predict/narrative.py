"""The patient's words: free text made safe, and facts written as sentences."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Self

from skin_ai.vocabulary import AGE_RANGES, ALL_SYMPTOMS, DURATIONS, KINDS, REGIONS, SITES, SYMPTOMS
from skin_ai.wordings import load_wordings

NARRATIVE_LIMIT = 1500  # characters
AGE_LIMIT = 120  # years
FACTS_READ = ("age", "site", *SYMPTOMS)  # what a bundle of PAD-UFES-20 was trained on
FACTS_BESIDES_SYMPTOMS = ("age", "site", "kind", "duration", "more_sites", "age_range")


class NarrativeError(ValueError):
    """What is wrong with the words, in one sentence for the person who wrote them."""


class Answer(StrEnum):
    """What the patient says about a symptom. UNKNOWN: "I don't know"; UNSAID: not mentioned."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    UNSAID = "unsaid"


@dataclass(frozen=True)
class Facts:
    """What a patient can say about a lesion; the values are those of `vocabulary`.

    age: years; kind: what the patient calls it; more_sites: regions, each once. Raises NarrativeError for an
    age outside 0 to AGE_LIMIT, and for an unknown site, kind, duration, region or age range.
    """

    age: int | None = None
    site: str | None = None
    itch: Answer = Answer.UNSAID
    grew: Answer = Answer.UNSAID
    hurt: Answer = Answer.UNSAID
    changed: Answer = Answer.UNSAID
    bleed: Answer = Answer.UNSAID
    elevation: Answer = Answer.UNSAID
    burn: Answer = Answer.UNSAID
    darken: Answer = Answer.UNSAID
    rough: Answer = Answer.UNSAID
    fluid: Answer = Answer.UNSAID
    fever: Answer = Answer.UNSAID
    tired: Answer = Answer.UNSAID
    joints: Answer = Answer.UNSAID
    mouth: Answer = Answer.UNSAID
    breath: Answer = Answer.UNSAID
    kind: str | None = None
    duration: str | None = None
    more_sites: tuple[str, ...] = ()
    age_range: str | None = None

    def __post_init__(self) -> None:
        if self.age is not None and not 0 <= self.age <= AGE_LIMIT:
            raise NarrativeError(f"Age {self.age} is not between 0 and {AGE_LIMIT} years.")
        for what, found, known in (
            ("Body site", self.site, SITES),
            ("Kind", self.kind, KINDS),
            ("Duration", self.duration, DURATIONS),
            ("Age range", self.age_range, AGE_RANGES),
            *(("Region", region, REGIONS) for region in self.more_sites),
        ):
            if found is not None and found not in known:
                raise NarrativeError(f"{what} {found!r} is unknown. Choose from: {', '.join(known)}.")
        if len(set(self.more_sites)) < len(self.more_sites):
            raise NarrativeError(f"A region is listed twice in {', '.join(self.more_sites)}.")

    @property
    def symptoms(self) -> dict[str, Answer]:
        """Symptom -> answer, in the order of ALL_SYMPTOMS."""
        return {symptom: getattr(self, symptom) for symptom in ALL_SYMPTOMS}

    @property
    def known(self) -> Self:
        """Without the symptoms that are not known."""
        unknown = [symptom for symptom, answer in self.symptoms.items() if answer is Answer.UNKNOWN]
        return replace(self, **dict.fromkeys(unknown, Answer.UNSAID))  # type: ignore[arg-type]

    @property
    def said(self) -> tuple[str, ...]:
        """Names of the facts that are mentioned."""
        symptoms = (symptom for symptom, answer in self.symptoms.items() if answer is not Answer.UNSAID)
        others = (name for name in FACTS_BESIDES_SYMPTOMS if getattr(self, name) not in (None, ()))
        return (*others, *symptoms)

    @classmethod
    def from_answers(cls, answers: Mapping[str, Any]) -> Self:
        """From fact -> answer as JSON holds it; UNSAID stands for any fact that is not stated.

        Raises NarrativeError for an unknown fact or answer.
        """
        said = {name: answer for name, answer in answers.items() if answer != Answer.UNSAID}
        try:
            symptoms = {name: Answer(said[name]) for name in ALL_SYMPTOMS if name in said}
            return cls(**said | symptoms | {"more_sites": tuple(said.get("more_sites", ()))})
        except (TypeError, ValueError) as error:
            raise NarrativeError(f"Unknown fact or answer: {error}") from error


# Text that a tokenizer would read as its own control tokens, which would cut or end the prompt.
SPECIAL_TOKEN = re.compile(
    r"\[(sep|cls|mask|pad|unk|bos|eos|unused\d+)\]"
    r"|<(/?s|sep|cls|mask|pad|unk|bos|eos|end_of_text|start_of_turn|end_of_turn)>"
    r"|<\|([^|]*)\|>",
    re.IGNORECASE,
)
ZERO_WIDTH_JOINER = "\u200d"
EMOJI_PARTS = ("So", "Sk")
VARIATION_SELECTOR = "\ufe0f"
# Left out of NFKC, which would make 10\u00b2 into 102 and 1\u00bd into 11/2.
KEPT_DECOMPOSITIONS = ("<super>", "<sub>", "<fraction>")
ACUTE_ACCENT = "\u00b4"  # on many keyboards the nearest thing to an apostrophe


def clean_narrative(text: str) -> str:
    """The patient's words as `clean_text` gives them, without a tokenizer's control tokens."""
    cleaned = clean_text(text, NARRATIVE_LIMIT)
    # Until nothing changes: without its brackets, "<|[SEP]|>" contains another token.
    while (harmless := " ".join(SPECIAL_TOKEN.sub(_without_brackets, cleaned).split())) != cleaned:
        cleaned = harmless
    return cleaned


def clean_text(text: str, limit: int) -> str:
    """Free text as one line of plain characters (Unicode NFKC), without invisible ones.

    Full-width letters, ligatures and mathematical letters become plain ones; superscripts and fractions stay.
    Raises NarrativeError for more than `limit` characters.
    """
    plain = "".join(map(_plain, text))
    visible = "".join(_visible(plain, place) for place in range(len(plain)))
    cleaned = " ".join(unicodedata.normalize("NFC", visible).split())
    if len(cleaned) > limit:
        raise NarrativeError(
            f"The text has {len(cleaned):,} characters; please shorten it to at most {limit:,}."
        )
    return cleaned


def _visible(text: str, place: int) -> str:
    character = text[place]
    category = unicodedata.category(character)
    if category in ("Cc", "Cs"):
        return " "
    if category != "Cf":
        return character
    # The joiner holds one emoji together (doctor = person + joiner + staff); elsewhere it only hides.
    between_emoji = 0 < place < len(text) - 1 and all(
        neighbour == VARIATION_SELECTOR or unicodedata.category(neighbour) in EMOJI_PARTS
        for neighbour in (text[place - 1], text[place + 1])
    )
    return character if character == ZERO_WIDTH_JOINER and between_emoji else ""


def _plain(character: str) -> str:
    if character == ACUTE_ACCENT:
        return "'"
    if unicodedata.decomposition(character).startswith(KEPT_DECOMPOSITIONS):
        return character
    return unicodedata.normalize("NFKC", character)


def _without_brackets(token: re.Match[str]) -> str:
    return f" {next(word for word in token.groups() if word is not None).strip('/')} "


def sentences(facts: Facts) -> str:
    """The symptom form as plain sentences in a fixed order; "" where nothing is known.

    "Not known" is no sentence: it changed one answer in nine, and says nothing about the lesion.
    """
    wordings = load_wordings()
    written = []
    if facts.age is not None:
        written.append(wordings.age.plain[0].format(age=facts.age))
    elif facts.age_range is not None:
        range_ = wordings.age_ranges[facts.age_range].training[0]
        written.append(wordings.age_range.plain[0].format(range=range_))
    if facts.kind is not None:
        written.append(wordings.kinds[facts.kind].plain[0])
    if facts.site is not None:
        place = f"on my {wordings.sites[facts.site].nouns[0]}"
        written.append(wordings.site.plain[0].format(place=place))
    if facts.more_sites:
        *others, last = [wordings.regions[region].places[0] for region in facts.more_sites]
        places = f"{', '.join(others)} and {last}" if others else last
        written.append(wordings.region.plain[0].format(place=places))
    if facts.duration is not None:
        time = wordings.durations[facts.duration].training[0]
        written.append(wordings.duration.plain[0].format(time=time))
    for symptom, answer in facts.known.symptoms.items():
        if answer is not Answer.UNSAID:
            written.append(wordings.symptoms[symptom][answer].plain[0])
    return " ".join(written)
