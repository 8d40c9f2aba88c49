"""Generates sentences about symptoms from hand-written frames: scope, time, other people, fears, lists."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final

from skin_ai.predict.extraction import AGE, UNSAID
from skin_ai.training.telling import age_in_words
from skin_ai.vocabulary import MORE_SYMPTOMS, SITES, SYMPTOMS

FRAMES: Final = Path(__file__).with_name("texts") / "frames.toml"


@dataclass
class Told:
    """A text in the making.

    answers: fact -> answer; not_asked: facts that it leaves open; spans: fact -> characters of its words.
    """

    text: str = ""
    answers: dict[str, str | int] = field(default_factory=dict)
    spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    not_asked: set[str] = field(default_factory=set)
    kind: str = ""

    def then(self, other: Told, separator: str) -> Told:
        """Both texts one after the other; what both tell is the later one's."""
        start = len(self.text) + len(separator) if self.text else 0
        moved = {fact: (first + start, last + start) for fact, (first, last) in other.spans.items()}
        return Told(
            self.text + separator + other.text if self.text else other.text,
            self.answers | other.answers,
            self.spans | moved,
            self.not_asked | other.not_asked,
            other.kind or self.kind,
        )


@cache
def frames() -> dict[str, Any]:
    """What frames.toml holds, which says what its parts are."""
    with FRAMES.open("rb") as file:
        return tomllib.load(file)


FORMS_OF_VERB: Final = ("base", "s", "ing", "past", "pp")
SAYINGS: Final = 0.25  # of the pieces tell of a symptom without its name
SLOT: Final = re.compile(r"\{(\w+?)(\d?)\}")


def sentences_by_frames(rng: Random) -> Told:
    """One to three pieces about different facts, perhaps with site, age, time and a filler."""
    free = rng.sample(SYMPTOMS, len(SYMPTOMS))
    pieces: list[Told] = []
    groups = frames()["frames"]
    n_pieces = rng.choices((1, 2, 3), (0.5, 0.35, 0.15))[0]
    for _ in range(n_pieces):
        if free and rng.random() < SAYINGS:
            name, *free = free
            pieces.append(_saying(name, rng))
            continue
        group = _group(groups, rng)
        needed = len(group["answers"])
        if needed > len(free):
            continue
        names, free = free[:needed], free[needed:]
        pieces.append(_piece(group, names, rng))
    if not any("site" in piece.answers for piece in pieces) and rng.random() < 0.45:
        pieces.append(_site_piece(rng))
    if rng.random() < 0.35:
        pieces.append(_age_piece(rng))
    if rng.random() < 0.25:
        pieces.append(duration_piece(rng))
    if rng.random() < 0.4:
        pieces += [further_piece(name, rng) for name in rng.sample(MORE_SYMPTOMS, rng.choice((1, 1, 2, 3)))]
    if rng.random() < 0.2:
        pieces.append(Told(rng.choice(frames()["fillers"]["plain"])))
    rng.shuffle(pieces)
    told = Told()
    separator = rng.choices((" ", ", ", "; ", " and "), (0.86, 0.06, 0.04, 0.04))[0]
    for piece in pieces:
        if separator != " ":
            piece.text = piece.text.rstrip(".")
        told = told.then(piece, separator)
    told.kind = pieces[0].kind if len(pieces) == 1 else "frames"
    return told


def _saying(name: str, rng: Random) -> Told:
    """What tells of the symptom without its name: "My pillow stays clean."."""
    words = frames()["sayings"]["words"]
    sizes = words["sizes"]
    small, big = sorted(rng.sample(range(len(sizes)), 2))
    mm = rng.randint(1, 9)
    answer = rng.choice(("yes", "no"))
    text: str = rng.choice(frames()["sayings"][name][answer])
    text = text[0].upper() + text[1:] if not text.startswith("{") else text
    fillings = {"small": sizes[small], "big": sizes[big], "mm": str(mm), "more": str(rng.randint(mm + 1, 20))}
    fillings |= {slot: rng.choice(words[slot]) for slot in ("press", "cloth", "pale", "dark", "flat")}
    fillings |= {slot: rng.choice(frames()["words"][slot]) for slot in ("when", "since")}
    for slot, filling in fillings.items():
        text = text.replace(f"{{{slot}}}", filling).replace(f"{{{slot.capitalize()}}}", filling.capitalize())
    return Told(text, {name: answer}, {name: (0, len(text.rstrip(".")))}, {"duration"}, "saying")


def further_piece(name: str, rng: Random) -> Told:
    """A symptom that SCIN asks besides, in words of its own or by its noun in a frame.

    Burning hurts and what darkens has changed; whether what does not burn hurts is left open.
    """
    further = frames()["further"][name]
    if rng.random() < 0.5:
        answer = rng.choice(("yes", "no"))
        text = rng.choice(further[answer])
        told = Told(text, {name: answer}, {name: (0, len(text.rstrip(".")))}, kind="further")
    else:
        text, answer = rng.choice(_frames_of_nouns())
        told = _filled(text, (name,), rng, {"noun": rng.choice(further["nouns"])})
        told.answers[name] = answer
        if answer == UNSAID:
            told.spans.clear()
    return with_what_follows(told, name, answer)


FOLLOWS: Final = {"burn": "hurt", "darken": "changed"}


def with_what_follows(told: Told, name: str, answer: str) -> Told:
    """Burning hurts and what darkens has changed, unless the text says otherwise; else it is left open."""
    if name in FOLLOWS:
        if answer == "yes":
            told.answers[FOLLOWS[name]] = "yes"
        else:
            told.not_asked.add(FOLLOWS[name])
    return told


@cache
def _frames_of_nouns() -> tuple[tuple[str, str], ...]:
    """Frames of one symptom that need no more of it than its noun, with their answer."""
    return tuple(
        (text, group["answers"][0])
        for group in frames()["frames"]
        if len(group["answers"]) == 1
        and not group.get("open")
        and group["kind"] not in ("idiom", "two spots")
        for text in group["texts"]
        if {slot.lower() for slot, _ in SLOT.findall(text)} - {"it"} - set(frames()["words"]) == {"noun"}
        and "{whose}" not in text.lower()
    )


def _group(groups: Sequence[dict[str, Any]], rng: Random) -> dict[str, Any]:
    """By the square root of how many frames a group has, so that small ones are read too."""
    return rng.choices(groups, [len(group["texts"]) ** 0.5 for group in groups])[0]


def _piece(group: dict[str, Any], names: Sequence[str], rng: Random) -> Told:
    text = rng.choice(group["texts"])
    told = _filled(text, names, rng)
    answers = dict(zip(names, group["answers"], strict=True))
    told.answers |= answers
    told.kind = group["kind"]
    for name, answer in answers.items():
        if answer == UNSAID:
            told.spans.pop(name, None)
    if group.get("open"):
        told.not_asked |= set(SYMPTOMS) - set(names)
    return told


TELLS_A_TIME: Final = re.compile(
    r"\{since\}|had it|ago|noticed it|\bthere\b|start|began|begun|came|since I was|New "
)


def _filled(frame: str, names: Sequence[str], rng: Random, own_forms: dict[str, str] | None = None) -> Told:
    """The frame with its slots filled; spans are those of the symptoms' words."""
    forms = [own_forms or _forms_of(name, rng) for name in names]
    words = frames()["words"]
    here, other = rng.sample(SITES, 2)
    sites = {
        "a": rng.choice(frames()["sites"][here]).replace(" of my ", " of the "),
        "b": rng.choice(frames()["sites"][other]).replace(" of my ", " of the "),
    }
    who = rng.choice(words["who"])
    this, that = rng.sample(rng.choice(words["two"]), 2)
    asked = rng.choice(words["ask"])
    frame = frame.replace("{ask_p}", asked.replace("{x}", this)).replace(
        "{ask_q}", asked.replace("{x}", that)
    )
    text, end, spans = "", 0, {}
    for slot in SLOT.finditer(frame):
        name, number = slot.group(1), int(slot.group(2) or 1)
        text += frame[end : slot.start()]
        end = slot.end()
        lowered = name.lower()
        if lowered in ("a", "b"):
            filling = sites[lowered]
        elif lowered == "who":
            filling = who
        elif lowered == "whose":
            filling = f"{who}'s"
        elif lowered in ("p", "q"):
            filling = this if lowered == "p" else that
        elif lowered in words:
            filling = rng.choice(words[name if name in words else lowered])
        else:
            filling = forms[number - 1][lowered]
            spans[names[number - 1]] = (len(text), len(text) + len(filling))
        if name[0].isupper():
            filling = filling[0].upper() + filling[1:]
        text += filling
    text += frame[end:]
    if rng.random() < 0.85:
        text = text[0].upper() + text[1:]
    told = Told(text, spans=spans)
    if "{a}" in frame.lower():
        told.answers["site"] = here
    if TELLS_A_TIME.search(frame):
        told.not_asked.add("duration")
    return told


def _forms_of(name: str, rng: Random) -> dict[str, str]:
    symptom = frames()["symptoms"][name]
    verb = rng.choices(symptom["verbs"], symptom["weights"])[0].split("|")
    return dict(zip(FORMS_OF_VERB, verb, strict=True)) | {
        "noun": rng.choice(symptom["nouns"]),
        "adj": rng.choice(symptom["adjectives"]),
        "free": rng.choice(symptom["free"]),
    }


def _site_piece(rng: Random, kind: str = "") -> Told:
    kind = kind or rng.choices(("plain", "scope", "none"), (0.5, 0.38, 0.12))[0]
    told = _filled(rng.choice(frames()["site_frames"][kind]), (), rng)
    told.text = told.text if told.text.endswith((".", "?")) or rng.random() < 0.3 else told.text + "."
    told.kind = "site"
    return told


def _age_piece(rng: Random, kind: str = "") -> Told:
    kind = kind or rng.choices(("plain", "scope", "proxy", "none"), (0.4, 0.35, 0.12, 0.13))[0]
    frame = rng.choice(frames()["age_frames"][kind])
    age = rng.randint(4, 97)
    other = rng.choice([n for n in range(2, 99) if n != age])
    in_words = _number_words(age, rng)
    frame = frame.replace("{n}", str(age)).replace("{m}", str(other))
    frame = frame.replace("{words}", in_words).replace("{Words}", in_words.capitalize())
    told = _filled(frame, (), rng)
    if kind != "none":
        told.answers[AGE] = age
    told.kind = "age"
    return told


def duration_piece(rng: Random, *, chart: bool = False) -> Told:
    """How long it has been there, in words or counted."""
    times = frames()["time"]
    if chart:
        time, answer = counted_in_chart(rng)
        frame = rng.choice(times["chart_frames"])
    elif rng.random() < 0.45:
        answer = rng.choice(tuple(times["in_words"]))
        time = rng.choice(times["in_words"][answer])
        is_whole = time.startswith(("since", "all my", "from", "ever", "overnight"))
        frame = rng.choice(times["since_frames" if is_whole else "frames"])
    else:
        answer, least, most, unit = rng.choice(times["counted"])
        number = rng.randint(least, most)
        counted = str(number) if rng.random() < 0.5 else _number_words(number, rng)
        time = f"{rng.choice(('', '', '', 'about ', 'some ', 'nearly ', 'a good '))}{counted} {unit}s"
        frame = rng.choice(times["frames"])
    start = frame.find("{t}")
    text = frame.replace("{t}", time)
    return Told(text[0].upper() + text[1:] if rng.random() < 0.7 else text, {"duration": answer},
                {"duration": (start, start + len(time))}, kind="duration")  # fmt: skip


def counted_in_chart(rng: Random) -> tuple[str, str]:
    """A time as notes write it ("3/12", "6 wks"), and the answer that it stands for."""
    times = frames()["time"]
    answer, least, most, unit = rng.choice(times["counted"])
    return f"{rng.randint(least, most)}{rng.choice(times['chart_units'][unit])}", answer


def _number_words(age: int, rng: Random) -> str:
    words = age_in_words(age)
    return words.replace("-", " ") if rng.random() < 0.3 else words
