"""The patient's words: free text made safe, and facts turned into sentences."""

import re
import unicodedata
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from random import Random

from skin_ai import wordings, wordings_more
from skin_ai.training.typos import with_slips
from skin_ai.wordings import Phrases, Wordings

NARRATIVE_LIMIT = 1500  # characters
AGE_LIMIT = 120  # years

SYMPTOMS = tuple(wordings.SYMPTOMS)  # those of PAD-UFES-20
MORE_SYMPTOMS = tuple(wordings_more.SYMPTOMS)
ALL_SYMPTOMS = SYMPTOMS + MORE_SYMPTOMS
SITES = tuple(wordings.SITES)
# What SCIN asks its patients besides (Ward et al. 2024); "month" is one to four weeks, "year" 3 to 12 months.
KINDS = tuple(wordings_more.KINDS)
DURATIONS = tuple(wordings_more.DURATIONS)
REGIONS = tuple(wordings_more.REGIONS)
AGE_RANGES = tuple(wordings_more.AGE_RANGES)
PARTICULARS = ("age", "site", "kind", "duration", "more_sites", "age_range")

SYMPTOM_WORDINGS = {**wordings.SYMPTOMS, **wordings_more.SYMPTOMS}
FORMS: dict[str, dict[str, Phrases]] = {
    form: {**phrases, **wordings_more.FORMS[form]} for form, phrases in wordings.FORMS.items()
}


class NarrativeError(ValueError):
    """What is wrong with the words, in one sentence for the person who wrote them."""


class Answer(StrEnum):
    """What the patient says about a symptom. UNKNOWN is said ("I don't know"), UNSAID is silence."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"
    UNSAID = "unsaid"


@dataclass(frozen=True)
class Facts:
    """What a patient can tell about a lesion: age in years, site, symptoms, and what SCIN asks besides.

    kind: what the patient calls it; more_sites: REGIONS, each once; age_range: years. Raises NarrativeError
    for an age outside 0 to AGE_LIMIT, and for a site, kind, duration, region or age range unknown here.
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
                raise NarrativeError(f"{what} {found!r} is unknown; known are {', '.join(known)}.")
        if len(set(self.more_sites)) < len(self.more_sites):
            raise NarrativeError(f"A region stands twice in {', '.join(self.more_sites)}.")

    @property
    def symptoms(self) -> dict[str, Answer]:
        """Symptom -> answer, in the order of ALL_SYMPTOMS."""
        return {symptom: getattr(self, symptom) for symptom in ALL_SYMPTOMS}

    @property
    def said(self) -> tuple[str, ...]:
        """Names of the facts that are told."""
        symptoms = (symptom for symptom, answer in self.symptoms.items() if answer is not Answer.UNSAID)
        particulars = (name for name in PARTICULARS if getattr(self, name) not in (None, ()))
        return (*particulars, *symptoms)


# Text that a tokenizer would take for its own control tokens, which would cut or end the prompt.
SPECIAL_TOKEN = re.compile(
    r"\[(sep|cls|mask|pad|unk|bos|eos|unused\d+)\]"
    r"|<(/?s|sep|cls|mask|pad|unk|bos|eos|end_of_text|start_of_turn|end_of_turn)>"
    r"|<\|([^|]*)\|>",
    re.IGNORECASE,
)
ZERO_WIDTH_JOINER = "\u200d"
EMOJI_PARTS = ("So", "Sk")
VARIATION_SELECTOR = "\ufe0f"


def clean_narrative(text: str) -> str:
    """The patient's words as `clean_text` makes them, without what a tokenizer takes for its own tokens."""
    cleaned = clean_text(text, NARRATIVE_LIMIT)
    # Until nothing changes: taking the brackets off "<|[SEP]|>" brings another token to light.
    while (harmless := " ".join(SPECIAL_TOKEN.sub(_without_brackets, cleaned).split())) != cleaned:
        cleaned = harmless
    return cleaned


def clean_text(text: str, limit: int) -> str:
    """Free text as one line of plain characters (Unicode NFC), without invisible ones.

    Raises NarrativeError when there are more than `limit` visible characters.
    """
    visible = "".join(_visible(text, place) for place in range(len(text)))
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


def _without_brackets(token: re.Match[str]) -> str:
    return f" {next(word for word in token.groups() if word is not None).strip('/')} "


def sentences(facts: Facts) -> str:
    """The symptom form as plain sentences in a fixed order; "" without facts."""
    told = []
    if facts.age is not None:
        told.append(_with_age(wordings.AGE.plain[0], facts.age))
    elif facts.age_range is not None:
        range_ = wordings_more.AGE_RANGES[facts.age_range].training[0]
        told.append(wordings_more.AGE_RANGE.plain[0].format(range=range_))
    if facts.kind is not None:
        told.append(wordings_more.KINDS[facts.kind].plain[0])
    if facts.site is not None:
        told.append(wordings.SITE.plain[0].format(place=f"on my {wordings.SITES[facts.site].nouns[0]}"))
    if facts.more_sites:
        places = [wordings_more.REGIONS[region].places[0] for region in facts.more_sites]
        told.append(wordings_more.REGION.plain[0].format(place=_joined(places, "and")))
    if facts.duration is not None:
        time = wordings_more.DURATIONS[facts.duration].training[0]
        told.append(wordings_more.DURATION.plain[0].format(time=time))
    for symptom, answer in facts.symptoms.items():
        if answer is not Answer.UNSAID:
            told.append(SYMPTOM_WORDINGS[symptom][answer].plain[0])
    return " ".join(told)


def silence(facts: Facts, rng: Random, *, fraction: float) -> Facts:
    """The same facts, each left unsaid with probability `fraction`; one always stays."""
    said = facts.said
    silent = [fact for fact in said if rng.random() < fraction]
    if silent and len(silent) == len(said):
        silent.remove(rng.choice(said))
    return replace(facts, **{name: getattr(Facts(), name) for name in silent})


# How often patients of the training do what: chosen by reading the results, not measured on patients.
VOICES = ("plain", "plain", "plain", "terse", "terse", "wordy")
MERGES_AGE_AND_SITE = 0.3
LISTS_ONE_ANSWER = 0.5
CONTRASTS_TWO = 0.3
OPENS_WITH_AGE_AND_SITE = 0.5  # and the other particulars
NAMES_REGIONS_IN_ONE = 0.6
FILLER_COUNTS = (0, 0, 0, 0, 0, 1, 1, 1, 2)
WORDY_KEEPS_PLAIN = 0.5
IS_SLOPPY = 0.2


def tell(facts: Facts, rng: Random, *, held_out: bool = False) -> str:
    """The facts as one patient might write them: random voice, wordings, order, fillers and slips.

    Unsaid facts are never mentioned; "" without facts; an age makes the age range redundant. `held_out` uses
    only wordings kept from training. What would not fit NARRATIVE_LIMIT is told anew.
    """
    if not facts.said:
        return ""
    while len(text := _tell_once(facts, rng, held_out)) > NARRATIVE_LIMIT:
        pass
    return text


def _tell_once(facts: Facts, rng: Random, held_out: bool) -> str:
    voice = "held_out" if held_out else rng.choice(VOICES)
    opening = _tell_particulars(facts, voice, rng)
    rest = _tell_symptoms(facts, voice, rng)
    fillers = {_draw(wordings.FILLERS, voice, rng) for _ in range(rng.choice(FILLER_COUNTS))}
    # Sorted: the order of a set of strings differs from one process to the next.
    rest += [filler.replace("{number}", str(rng.randint(2, 60))) for filler in sorted(fillers)]
    rng.shuffle(rest)
    told = opening + rest
    if rng.random() >= OPENS_WITH_AGE_AND_SITE:
        rng.shuffle(told)
    text = _as_fragments(told, rng) if voice == "terse" else " ".join(told)
    return with_slips(text, rng, fragments=voice == "terse") if rng.random() < IS_SLOPPY else text


def _draw(choice: Wordings, voice: str, rng: Random) -> str:
    if voice == "wordy" and rng.random() < WORDY_KEEPS_PLAIN:
        voice = "plain"
    pool: tuple[str, ...] = getattr(choice, voice)
    return rng.choice(pool)


def _tell_particulars(facts: Facts, voice: str, rng: Random) -> list[str]:
    """All but the symptoms, in any order; age and site perhaps in one sentence."""
    site = None if facts.site is None else wordings.SITES[facts.site]
    told = []
    if facts.age is not None and site is not None and rng.random() < MERGES_AGE_AND_SITE:
        merged = _draw(wordings.AGE_AND_SITE, voice, rng)
        told.append(_with_site(_with_age(merged, facts.age), site, voice, rng))
    else:
        if facts.age is not None:
            told.append(_with_age(_draw(wordings.AGE, voice, rng), facts.age))
        if site is not None:
            told.append(_with_site(_draw(wordings.SITE, voice, rng), site, voice, rng))
    if facts.age is None and facts.age_range is not None:
        range_ = rng.choice(_pool(wordings_more.AGE_RANGES[facts.age_range], voice))
        told.append(_draw(wordings_more.AGE_RANGE, voice, rng).replace("{range}", range_))
    if facts.kind is not None:
        told.append(_draw(wordings_more.KINDS[facts.kind], voice, rng))
    if facts.more_sites:
        told.append(_tell_regions(facts.more_sites, voice, rng))
    if facts.duration is not None:
        time = rng.choice(_pool(wordings_more.DURATIONS[facts.duration], voice))
        told.append(_draw(wordings_more.DURATION, voice, rng).replace("{time}", time))
    rng.shuffle(told)
    return told


def _tell_regions(names: tuple[str, ...], voice: str, rng: Random) -> str:
    """All regions in one sentence, in any order: "on my legs, arms and back"."""
    frame = _draw(wordings_more.REGION, voice, rng)
    regions = [wordings_more.REGIONS[name] for name in rng.sample(names, len(names))]
    if "{noun}" in frame:
        return frame.replace("{noun}", _joined([rng.choice(region.nouns) for region in regions], "and"))
    if voice == "held_out":
        places = _joined([rng.choice(region.held_out_places) for region in regions], "and")
    elif rng.random() < NAMES_REGIONS_IN_ONE:
        places = f"on my {_joined([rng.choice(region.nouns) for region in regions], 'and')}"
    else:
        places = _joined([rng.choice(region.places) for region in regions], "and")
    return frame.replace("{place}", places)


def _with_site(frame: str, site: wordings.Site, voice: str, rng: Random) -> str:
    if "{noun}" in frame:
        return frame.replace("{noun}", rng.choice(site.nouns))
    if voice == "held_out":
        return frame.replace("{place}", rng.choice(site.held_out_places))
    choice = rng.randrange(len(site.nouns) + len(site.places))
    is_noun = choice < len(site.nouns)
    place = f"on my {site.nouns[choice]}" if is_noun else site.places[choice - len(site.nouns)]
    return frame.replace("{place}", place)


def _with_age(frame: str, age: int) -> str:
    return frame.format(
        age=age,
        a=_article(age),
        ordinal=_ordinal(age),
        words=_in_words(age),
        place="{place}",
        noun="{noun}",
    )


def _article(age: int) -> str:
    return "an" if age in (8, 11, 18) or 80 <= age <= 89 else "a"


def _ordinal(age: int) -> str:
    suffix = "th" if 11 <= age % 100 <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(age % 10, "th")
    return f"{age}{suffix}"


ONES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
TEENS = (
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


@cache
def _in_words(age: int) -> str:
    if age >= 100:
        return "one hundred" if age == 100 else f"one hundred and {_in_words(age - 100)}"
    if age < 20:
        return (*ONES, *TEENS)[age]
    tens = TENS[age // 10 - 2]
    return tens if age % 10 == 0 else f"{tens}-{ONES[age % 10]}"


def _tell_symptoms(facts: Facts, voice: str, rng: Random) -> list[str]:
    """Every said symptom once: alone, in a list of one answer, or as "this but not that"."""
    alone: dict[Answer, list[str]] = {Answer.YES: [], Answer.NO: [], Answer.UNKNOWN: []}
    for symptom, answer in facts.symptoms.items():
        if answer is not Answer.UNSAID:
            alone[answer].append(symptom)
    told = []
    for answer, symptoms in alone.items():
        rng.shuffle(symptoms)
        if len(symptoms) > 1 and rng.random() < LISTS_ONE_ANSWER:
            count = rng.choice((2, 3))
            listed, alone[answer] = symptoms[:count], symptoms[count:]
            told.append(_tell_list(_draw(wordings.LISTS[answer], voice, rng), listed, voice, rng))
    if alone[Answer.YES] and alone[Answer.NO] and rng.random() < CONTRASTS_TWO:
        told.append(
            _draw(wordings.CONTRASTS, voice, rng)
            .replace("{yes}", _phrase("statement", alone[Answer.YES].pop(), voice, rng))
            .replace("{no}", _phrase("denial", alone[Answer.NO].pop(), voice, rng))
        )
    for answer, symptoms in alone.items():
        told += [_draw(SYMPTOM_WORDINGS[symptom][answer], voice, rng) for symptom in symptoms]
    return told


LIST_PLACEHOLDER = re.compile(r"\{(statement|denial|bare|noun)_(and|or|nor|no|comma)\}")
# How a joining word stands between the phrases, and before the last one.
JOINS = {
    "and": (", ", " and "),
    "or": (", ", " or "),
    "nor": (" nor ", " nor "),
    "no": (", no ", ", no "),
    "comma": (", ", ", "),
}


def _tell_list(frame: str, symptoms: list[str], voice: str, rng: Random) -> str:
    placeholder = LIST_PLACEHOLDER.search(frame)
    if placeholder is None:
        raise ValueError(f"The list frame {frame!r} has no place for symptoms.")
    form, join = placeholder.groups()
    phrases = [_phrase(form, symptom, voice, rng) for symptom in symptoms]
    return frame[: placeholder.start()] + _joined(phrases, join) + frame[placeholder.end() :]


def _joined(phrases: list[str], join: str) -> str:
    between, last = JOINS[join]
    *first, final = phrases
    return between.join(first) + (last if first else "") + final


def _phrase(form: str, symptom: str, voice: str, rng: Random) -> str:
    return rng.choice(_pool(FORMS[form][symptom], voice))


def _pool(phrases: Phrases, voice: str) -> tuple[str, ...]:
    return phrases.held_out if voice == "held_out" else phrases.training


def _as_fragments(told: list[str], rng: Random) -> str:
    # Commas only between fragments without any: "bleeding, itching, growth: no" could be read two ways.
    has_commas = any("," in fragment for fragment in told)
    separator = rng.choice((". ", "; ") if has_commas else (". ", "; ", ", "))
    if separator == ". ":
        told = [fragment[0].upper() + fragment[1:] for fragment in told]
    return separator.join(told) + "."
