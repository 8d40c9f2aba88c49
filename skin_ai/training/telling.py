"""Facts as a patient might write them, for training: voices, lists, irrelevant sentences, typing errors."""

import re
from dataclasses import replace
from functools import cache
from random import Random

from skin_ai.predict.narrative import NARRATIVE_LIMIT, Answer, Facts
from skin_ai.vocabulary import ONES, TEENS, TENS
from skin_ai.wordings import FORMS, JOINS, Phrases, Site, Wordings, load_wordings

WORDINGS = load_wordings()


def silence(facts: Facts, rng: Random, *, fraction: float) -> Facts:
    """The same facts, each left out with probability `fraction`; at least one stays."""
    said = facts.said
    left_out = [fact for fact in said if rng.random() < fraction]
    if left_out and len(left_out) == len(said):
        left_out.remove(rng.choice(said))
    return replace(facts, **{name: getattr(Facts(), name) for name in left_out})


# How often the training narratives do what. Chosen by reading the results, not measured on patients.
VOICES = ("plain", "plain", "plain", "terse", "terse", "wordy")
MERGES_AGE_AND_SITE = 0.3
LISTS_ONE_ANSWER = 0.5
CONTRASTS_TWO = 0.3
SYMPTOMS_COME_LAST = 0.5
NAMES_REGIONS_IN_ONE = 0.6
FILLER_COUNTS = (0, 0, 0, 0, 0, 1, 1, 1, 2)
WORDY_KEEPS_PLAIN = 0.5
HAS_TYPOS = 0.2
LONG_WORD = re.compile(r"[A-Za-z]{6,}")
MISSPELLS_LONG_WORD = 0.12
DROPS_APOSTROPHES = 0.5
FORGETS_CAPITALS = 0.5
DROPS_FULL_STOPS = 0.3


def tell(facts: Facts, rng: Random, *, held_out: bool = False) -> str:
    """The facts as one patient might write them: random voice, wordings, order, fillers and typing errors.

    Unsaid facts are never mentioned; "" without facts; with an age the age range is left out. held_out: only
    wordings that are never used for training. A text longer than NARRATIVE_LIMIT is drawn again.
    """
    if not facts.said:
        return ""
    while len(text := _tell_once(facts, rng, held_out)) > NARRATIVE_LIMIT:
        pass
    return text


def _tell_once(facts: Facts, rng: Random, held_out: bool) -> str:
    voice = "held_out" if held_out else rng.choice(VOICES)
    opening = _tell_other_facts(facts, voice, rng)
    rest = _tell_symptoms(facts, voice, rng)
    fillers = {_draw(WORDINGS.fillers, voice, rng) for _ in range(rng.choice(FILLER_COUNTS))}
    # Sorted: the order of a set of strings differs from one process to the next.
    rest += [filler.replace("{number}", str(rng.randint(2, 60))) for filler in sorted(fillers)]
    rng.shuffle(rest)
    told = opening + rest
    if rng.random() >= SYMPTOMS_COME_LAST:
        rng.shuffle(told)
    text = _as_fragments(told, rng) if voice == "terse" else " ".join(told)
    return with_typos(text, rng, fragments=voice == "terse") if rng.random() < HAS_TYPOS else text


def _draw(choice: Wordings, voice: str, rng: Random) -> str:
    if voice == "wordy" and rng.random() < WORDY_KEEPS_PLAIN:
        voice = "plain"
    pool: tuple[str, ...] = getattr(choice, voice)
    return rng.choice(pool)


def _tell_other_facts(facts: Facts, voice: str, rng: Random) -> list[str]:
    """All facts but the symptoms, in any order; age and site sometimes in one sentence."""
    site = None if facts.site is None else WORDINGS.sites[facts.site]
    told = []
    if facts.age is not None and site is not None and rng.random() < MERGES_AGE_AND_SITE:
        merged = _draw(WORDINGS.age_and_site, voice, rng)
        told.append(_with_site(_with_age(merged, facts.age), site, voice, rng))
    else:
        if facts.age is not None:
            told.append(_with_age(_draw(WORDINGS.age, voice, rng), facts.age))
        if site is not None:
            told.append(_with_site(_draw(WORDINGS.site, voice, rng), site, voice, rng))
    if facts.age is None and facts.age_range is not None:
        range_ = rng.choice(_pool(WORDINGS.age_ranges[facts.age_range], voice))
        told.append(_draw(WORDINGS.age_range, voice, rng).replace("{range}", range_))
    if facts.kind is not None:
        told.append(_draw(WORDINGS.kinds[facts.kind], voice, rng))
    if facts.more_sites:
        told.append(_tell_regions(facts.more_sites, voice, rng))
    if facts.duration is not None:
        time = rng.choice(_pool(WORDINGS.durations[facts.duration], voice))
        told.append(_draw(WORDINGS.duration, voice, rng).replace("{time}", time))
    rng.shuffle(told)
    return told


def _tell_regions(names: tuple[str, ...], voice: str, rng: Random) -> str:
    """All regions in one sentence, in any order: "on my legs, arms and back"."""
    frame = _draw(WORDINGS.region, voice, rng)
    regions = [WORDINGS.regions[name] for name in rng.sample(names, len(names))]

    def drawn(forms: str) -> str:
        return _joined([rng.choice(getattr(region, forms)) for region in regions], "and")

    if "{noun}" in frame:
        return frame.replace("{noun}", drawn("nouns"))
    if voice == "held_out":
        places = drawn("held_out_places")
    else:
        places = f"on my {drawn('nouns')}" if rng.random() < NAMES_REGIONS_IN_ONE else drawn("places")
    return frame.replace("{place}", places)


def _with_site(frame: str, site: Site, voice: str, rng: Random) -> str:
    if "{noun}" in frame:
        return frame.replace("{noun}", rng.choice(site.nouns))
    if voice == "held_out":
        return frame.replace("{place}", rng.choice(site.held_out_places))
    return frame.replace("{place}", rng.choice([*(f"on my {noun}" for noun in site.nouns), *site.places]))


def _with_age(frame: str, age: int) -> str:
    article = "an" if age in (8, 11, 18) or 80 <= age <= 89 else "a"
    suffix = "th" if 11 <= age % 100 <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(age % 10, "th")
    rest = {"place": "{place}", "noun": "{noun}"}
    return frame.format(age=age, a=article, ordinal=f"{age}{suffix}", words=age_in_words(age), **rest)


@cache
def age_in_words(age: int) -> str:
    if age >= 100:
        return "one hundred" if age == 100 else f"one hundred and {age_in_words(age - 100)}"
    if age < 20:
        return (*ONES, *TEENS)[age]
    tens = TENS[age // 10 - 2]
    return tens if age % 10 == 0 else f"{tens}-{ONES[age % 10]}"


def _tell_symptoms(facts: Facts, voice: str, rng: Random) -> list[str]:
    """Every mentioned symptom once: alone, in a list with one answer, or as "this but not that"."""
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
            told.append(_tell_list(_draw(WORDINGS.lists[answer], voice, rng), listed, voice, rng))
    if alone[Answer.YES] and alone[Answer.NO] and rng.random() < CONTRASTS_TWO:
        told.append(
            _draw(WORDINGS.contrast, voice, rng)
            .replace("{yes}", _phrase("statement", alone[Answer.YES].pop(), voice, rng))
            .replace("{no}", _phrase("denial", alone[Answer.NO].pop(), voice, rng))
        )
    for answer, symptoms in alone.items():
        told += [_draw(WORDINGS.symptoms[symptom][answer], voice, rng) for symptom in symptoms]
    return told


LIST_PLACEHOLDER = re.compile(rf"\{{({'|'.join(FORMS)})_({'|'.join(JOINS)})\}}")


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
    return rng.choice(_pool(WORDINGS.forms[form][symptom], voice))


def _pool(phrases: Phrases, voice: str) -> tuple[str, ...]:
    return phrases.held_out if voice == "held_out" else phrases.training


def _as_fragments(told: list[str], rng: Random) -> str:
    # Commas only between fragments without any: "bleeding, itching, growth: no" could be read two ways.
    has_commas = any("," in fragment for fragment in told)
    separator = rng.choice((". ", "; ") if has_commas else (". ", "; ", ", "))
    if separator == ". ":
        told = [fragment[0].upper() + fragment[1:] for fragment in told]
    return separator.join(told) + "."


def with_typos(text: str, rng: Random, *, fragments: bool) -> str:
    """Misspelt words and missing punctuation. Digits and short words ("no", "not") stay as they are."""
    text = LONG_WORD.sub(
        lambda word: _misspelt(word.group(), rng) if rng.random() < MISSPELLS_LONG_WORD else word.group(),
        text,
    )
    if rng.random() < DROPS_APOSTROPHES:
        text = text.replace("'", "")
    if rng.random() < FORGETS_CAPITALS:
        text = text.lower()
    if rng.random() < DROPS_FULL_STOPS:
        # Fragments keep their separators: "growth: no. pain: yes" must not become "growth: no pain: yes".
        text = text.removesuffix(".") if fragments else text.replace(".", "")
    return text


def _misspelt(word: str, rng: Random) -> str:
    """One letter swapped, dropped or doubled; never the first, or "neither" could become "either"."""
    place = rng.randrange(1, len(word) - 1)
    before, letter, after = word[:place], word[place], word[place + 1 :]
    return rng.choice(
        (before + after[0] + letter + after[1:], before + after, before + letter + letter + after)
    )
