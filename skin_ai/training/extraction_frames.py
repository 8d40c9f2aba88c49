"""Texts about symptoms made from frames by hand: scope, time, other people, charts, forms and lists."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final

from skin_ai.narrative import SITES, SYMPTOMS, _in_words
from skin_ai.predict.extraction import AGE, UNSAID

FRAMES: Final = Path(__file__).with_name("texts") / "frames.toml"


@dataclass
class Told:
    """A text in the making; answers: fact -> answer, not_asked: facts that it leaves open; spans as they stand."""

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
def _frames() -> dict[str, Any]:
    with FRAMES.open("rb") as file:
        return tomllib.load(file)


FORMS_OF_VERB: Final = ("base", "s", "ing", "past", "pp")
SLOT: Final = re.compile(r"\{(\w+?)(\d?)\}")


def told_by_frames(rng: Random) -> Told:
    """One to four pieces about different facts, in one of three manners: sentences, a chart, a form."""
    manner = rng.choices((_sentences, _chart, _form), (0.62, 0.2, 0.18))[0]
    told: Told = manner(rng)
    for fact in (*SYMPTOMS, "site", "duration", AGE):
        if fact not in told.answers and fact not in told.not_asked:
            told.answers[fact] = UNSAID
    return told


def _sentences(rng: Random) -> Told:
    free = rng.sample(SYMPTOMS, len(SYMPTOMS))
    pieces: list[Told] = []
    groups = _frames()["frames"]
    n_pieces = rng.choices((1, 2, 3), (0.5, 0.35, 0.15))[0]
    for _ in range(n_pieces):
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
        pieces.append(_duration_piece(rng))
    if rng.random() < 0.2:
        pieces.append(Told(rng.choice(_frames()["fillers"]["plain"])))
    rng.shuffle(pieces)
    told = Told()
    separator = rng.choices((" ", ", ", "; ", " and "), (0.86, 0.06, 0.04, 0.04))[0]
    for piece in pieces:
        if separator != " ":
            piece.text = piece.text.rstrip(".")
        told = told.then(piece, separator)
    told.kind = pieces[0].kind if len(pieces) == 1 else "frames"
    return told


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


def _filled(frame: str, names: Sequence[str], rng: Random) -> Told:
    """The frame with its slots filled; spans are those of the symptoms' words."""
    forms = [_forms_of(name, rng) for name in names]
    words = _frames()["words"]
    here, other = rng.sample(SITES, 2)
    sites = {
        "a": rng.choice(_frames()["sites"][here]).replace(" of my ", " of the "),
        "b": rng.choice(_frames()["sites"][other]).replace(" of my ", " of the "),
    }
    who = rng.choice(words["who"])
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
    symptom = _frames()["symptoms"][name]
    verb = rng.choices(symptom["verbs"], symptom["weights"])[0].split("|")
    return dict(zip(FORMS_OF_VERB, verb, strict=True)) | {
        "noun": rng.choice(symptom["nouns"]),
        "adj": rng.choice(symptom["adjectives"]),
    }


def _site_piece(rng: Random, kind: str = "") -> Told:
    kind = kind or rng.choices(("plain", "scope", "none"), (0.5, 0.38, 0.12))[0]
    told = _filled(rng.choice(_frames()["site_frames"][kind]), (), rng)
    told.text = told.text if told.text.endswith((".", "?")) or rng.random() < 0.3 else told.text + "."
    told.kind = "site"
    return told


def _age_piece(rng: Random, kind: str = "") -> Told:
    kind = kind or rng.choices(("plain", "scope", "proxy", "none"), (0.4, 0.35, 0.12, 0.13))[0]
    frame = rng.choice(_frames()["age_frames"][kind])
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


# Answer -> smallest and largest number and the unit: only what lies well inside the class.
SPANS_OF_TIME: Final = (
    ("day", 2, 20, "hour"), ("week", 2, 6, "day"), ("month", 8, 25, "day"), ("month", 2, 4, "week"),
    ("quarter", 5, 11, "week"), ("quarter", 2, 2, "month"), ("year", 4, 11, "month"), ("years", 2, 4, "year"),
    ("years", 14, 40, "month"), ("many_years", 6, 40, "year"),
)  # fmt: skip
TIMES_IN_WORDS: Final = {
    "day": ("since this morning", "since yesterday", "since last night", "one day", "overnight", "since I woke up"),
    "week": ("a few days", "a couple of days", "some days", "not a week", "half a week"),
    "month": ("a fortnight", "a couple of weeks", "a few weeks", "two weeks or so", "nearly a month"),
    "quarter": ("a couple of months", "a month and a half", "about two months", "just over a month"),
    "year": ("half a year", "six months", "months, less than a year", "most of a year", "nine months"),
    "years": ("a couple of years", "a year and a half", "over a year", "a few years, not five", "two or three years"),
    "many_years": ("many years", "decades", "ages", "years and years", "a decade", "donkey's years", "half my life"),
    "childhood": ("all my life", "since birth", "since I was a child", "since I was little", "from birth",
                  "ever since I can remember", "since school", "since I was a baby", "since my schooldays"),
}  # fmt: skip
TIME_FRAMES: Final = (
    "I've had it for {t}.", "It's been there for {t}.", "Had it {t}.", "{t} I've had it.", "It came up {t} ago.",
    "It's {t} since it appeared.", "{t} now.", "for {t}", "x {t}", "{t}", "duration {t}", "I noticed it {t} ago.",
    "It has been {t}.", "Been there {t}.", "I first saw it {t} back.", "For the last {t} I've had it.",
    "Present {t}.", "Onset {t} ago.", "It appeared about {t} ago.", "since about {t}", "this has gone on for {t}",
)  # fmt: skip
ONES_WITH_SINCE: Final = ("Had it {t}.", "I've had it {t}.", "It's been there {t}.", "{t}", "There {t}.")
CHART_UNITS: Final = {"day": ("/7", "d", " days"), "week": ("/52", " wks", "wk"), "month": ("/12", " mo", " mths"),
                      "year": (" yrs", "y hx", " yr hx"), "hour": (" hrs", "h")}  # fmt: skip


def _duration_piece(rng: Random, *, chart: bool = False) -> Told:
    if not chart and rng.random() < 0.45:
        answer = rng.choice(tuple(TIMES_IN_WORDS))
        time = rng.choice(TIMES_IN_WORDS[answer])
        is_whole = time.startswith(("since", "all my", "from", "ever", "overnight"))
        frame = rng.choice(ONES_WITH_SINCE if is_whole else TIME_FRAMES)
    else:
        answer, least, most, unit = rng.choice(SPANS_OF_TIME)
        number = rng.randint(least, most)
        if chart:
            time = f"{number}{rng.choice(CHART_UNITS[unit])}"
            frame = rng.choice(("x {t}", "{t}", "for {t}", "hx {t}", "present {t}", "{t} history"))
        else:
            counted = str(number) if rng.random() < 0.5 else _number_words(number, rng)
            time = f"{rng.choice(('', '', '', 'about ', 'some ', 'nearly ', 'a good '))}{counted} {unit}s"
            frame = rng.choice(TIME_FRAMES)
    start = frame.find("{t}")
    text = frame.replace("{t}", time)
    return Told(text[0].upper() + text[1:] if rng.random() < 0.7 else text, {"duration": answer},
                {"duration": (start, start + len(time))}, kind="duration")  # fmt: skip


def _number_words(age: int, rng: Random) -> str:
    words = _in_words(age)
    return words.replace("-", " ") if rng.random() < 0.3 else words


def _chart(rng: Random) -> Told:
    """As clinicians write: "67M, L ear. Denies pain, itch. + bleeding, non-tender, enlarging."."""
    frames = _frames()
    told = Told(kind="chart")
    head: list[Told] = []
    if rng.random() < 0.5:
        age = rng.randint(4, 97)
        text = rng.choice(frames["age_frames"]["chart"]).replace("{n}", str(age))
        head.append(Told(text, {AGE: age}))
    if rng.random() < 0.55:
        site = rng.choice(SITES)
        place = rng.choice(frames["chart_sites"][site])
        form = rng.choice(
            ("{a}", "{a} lesion", "lesion {a}", "Site: {a}", "Loc: {a}", "papule on {a}", "{a} plaque")
        )
        head.append(Told(form.replace("{a}", place), {"site": site}))
    rng.shuffle(head)
    for piece in head:
        told = told.then(piece, rng.choice((", ", " ", ". ", "; ")))
    if rng.random() < 0.25:
        told = told.then(_duration_piece(rng, chart=True), rng.choice((", ", " ", ". ")) if told.text else "")
    free = rng.sample(SYMPTOMS, len(SYMPTOMS))
    for _ in range(rng.choices((1, 2, 3), (0.45, 0.4, 0.15))[0]):
        if not free:
            break
        make = rng.choices((_denies, _marked_in_chart, _adjectives), (0.45, 0.3, 0.25))[0]
        count = min(len(free), rng.choices((1, 2, 3), (0.35, 0.35, 0.3))[0])
        names, free = free[:count], free[count:]
        told = told.then(make(names, rng), rng.choice((". ", "; ", ". ", ", ") if told.text else ("",)))
    if rng.random() < 0.5:
        told.text += "."
    told.kind = "chart"
    return told


DENIES: Final = (
    "denies", "Denies", "pt denies", "Patient denies", "Patient denies any", "no", "No", "nil", "neg for",
    "negative for", "without", "w/o", "no h/o", "no history of", "Denied:", "absent:", "free of", "ø",
    "No complaint of", "does not report", "not reporting", "No evidence of", "Neg:", "never any", "NO",
    "R/O", "ruled out:", "(-)", "-",
)  # fmt: skip
REPORTS: Final = (
    "reports", "c/o", "C/o", "complains of", "endorses", "Endorses", "pos for", "positive for", "with", "w/",
    "Pt reports", "Sx:", "h/o recent", "admits to", "describes", "notes", "+", "Symptoms:", "presents with",
    "(+)", "Pos:", "has", "bothered by", "ongoing",
)  # fmt: skip
PAST_IN_CHART: Final = (
    "{n} resolved", "prev {n}, now resolved", "previous {n}, none at present", "hx of {n}, ceased",
    "{n} last yr, since settled", "no longer any {n}", "no current {n}", "{n} denied", "{n}: denied", "{n} absent",
    "{n} not present", "{n} - not reported", "{n} neg", "{n} negative", "{n} nil", "{n} excluded",
)  # fmt: skip
NOW_IN_CHART: Final = (
    "{n} present", "{n} persists", "{n} noted", "ongoing {n}", "{n} x 3/12", "{n} x 2 wks", "new {n}", "{n} ++",
    "intermittent {n}", "occ. {n}", "{n} on contact", "{n} reported", "marked {n}", "mild {n}", "{n} confirmed",
    "{n} pos", "recurrent {n}", "{n} since Jan",
)  # fmt: skip
UNKNOWN_IN_CHART: Final = ("{n} unclear", "unsure re {n}", "{n}: pt unsure", "{n} not known to pt", "{n} ?")
UNSAID_IN_CHART: Final = (
    "return if {n}", "advised re {n}", "safety-netted re {n}", "mother had {n} with hers", "to call if {n} develops",
    "watch for {n}", "FHx of {n} in lesion", "{n} not asked", "{n} to be monitored", "concerned re future {n}",
)  # fmt: skip


def _denies(names: Sequence[str], rng: Random) -> Told:
    """A list under one word, or each with its own."""
    style = rng.choices(("no", "yes", "own", "end"), (0.38, 0.22, 0.3, 0.1))[0]
    if style == "own":
        told = Told(kind="chart")
        for name in names:
            noun = rng.choice(_frames()["symptoms"][name]["chart"])
            answer, forms = rng.choice(
                (("no", PAST_IN_CHART), ("yes", NOW_IN_CHART), ("no", PAST_IN_CHART), ("yes", NOW_IN_CHART),
                 ("unknown", UNKNOWN_IN_CHART), (UNSAID, UNSAID_IN_CHART))
            )  # fmt: skip
            text = rng.choice(forms).replace("{n}", noun)
            start = text.find(noun)
            spans = {} if answer == UNSAID else {name: (start, start + len(noun))}
            told = told.then(Told(text, {name: answer}, spans), rng.choice((", ", "; ", ". ")))
        return told
    nouns = [
        rng.choice(_frames()["symptoms"][name]["chart" if rng.random() < 0.8 else "nouns"]) for name in names
    ]
    last = {"no": rng.choice((" or ", ", ", " and ", " / ")), "yes": rng.choice((" and ", ", ", " + "))}.get(
        style, ", "
    )
    told = Told(kind="chart")
    for place, (name, noun) in enumerate(zip(names, nouns, strict=True)):
        answer = "yes" if style == "yes" else "no"
        separator = last if place == len(nouns) - 1 else rng.choice((", ", ", ", "/"))
        told = told.then(Told(noun, {name: answer}, {name: (0, len(noun))}), separator)
    if style == "end":
        told.text += rng.choice(
            (": none", ": all denied", " denied", ": neg", " - nil", ": absent", " all negative")
        )
        return told
    lead = rng.choice(DENIES if style == "no" else REPORTS)
    return Told(lead).then(told, "" if lead in ("+", "-") and rng.random() < 0.5 else " ")


def _marked_in_chart(names: Sequence[str], rng: Random) -> Told:
    """ "Pruritus +, bleeding -, pain +"."""
    plus, minus = rng.choice(
        ((" +", " -"), (" pos", " neg"), ("+", "-"), (" +ve", " -ve"), (" ++", " nil"),
         (": +", ": -"), (" yes", " no"), (": present", ": absent"), (" +", " –"), (" (+ve)", " (-ve)"),
         (": positive", ": negative"), (" Y", " N"), (": yes", ": none"))
    )  # fmt: skip
    joint = rng.choice((", ", "; ", " ", ". "))
    told = Told(kind="chart")
    for name in names:
        noun = rng.choice(_frames()["symptoms"][name]["chart"])
        noun = noun.capitalize() if rng.random() < 0.3 else noun
        answer = rng.choice(("yes", "no"))
        text = noun + (plus if answer == "yes" else minus)
        told = told.then(Told(text, {name: answer}, {name: (0, len(noun))}), joint)
    return told


def _adjectives(names: Sequence[str], rng: Random) -> Told:
    """ "itchy, non-tender, not raised"."""
    told = Told(kind="chart")
    for name in names:
        adjective = rng.choice(_frames()["symptoms"][name]["chart_adjectives"])
        answer = rng.choice(("yes", "no"))
        special = {
            ("elevation", "no"): ("flat", "macular", "not raised", "level with skin", "impalpable"),
            ("grew", "no"): ("stable in size", "size static", "same size", "no change in size"),
            ("changed", "no"): (
                "unchanged",
                "stable colour",
                "no change in colour",
                "colour and border stable",
            ),
            ("hurt", "no"): ("painless", "nontender", "non tender", "non-tender"),
        }.get((name, answer), ())
        if special and rng.random() < 0.7:
            text = rng.choice(special)
        elif answer == "no":
            prefix = rng.choice(("non-", "not ", "non ", "no longer ", "never "))
            text = ("not " if adjective in ("pruritic", "TTP") else prefix) + adjective
        else:
            text = adjective
        told = told.then(Told(text, {name: answer}, {name: (0, len(text))}), rng.choice((", ", ", ", "; ")))
    return told


# How a form marks what applies and what does not; where True, the mark stands before the label.
MARKS: Final[tuple[tuple[str, str, bool], ...]] = (
    (": y", ": n", False), (": yes", ": no", False), (": Y", ": N", False), (" = yes", " = no", False),
    ("=1", "=0", False), (" 1", " 0", False), (": 1", ": 0", False), (": true", ": false", False),
    (" yes", " no", False), (" y", " n", False), ("? yes", "? no", False), ("? Y", "? N", False),
    (" - yes", " - no", False), (" ✓", " ✗", False), (" ✔", " ✘", False), (" ☑", " ☐", False), ("✓", "✗", False),
    (": ✓", ": ✗", False), (" [x]", " [ ]", False), (" (x)", " ( )", False), (": x", ": -", False),
    ("☑ ", "☐ ", True), ("✓ ", "✗ ", True), ("✔ ", "✘ ", True), ("[x] ", "[ ] ", True), ("[X] ", "[ ] ", True),
    ("(•) ", "( ) ", True), ("■ ", "□ ", True), ("● ", "○ ", True), ("✅ ", "❌ ", True), (" ✅", " ❌", False),
    ("☒ ", "☐ ", True), ("[yes] ", "[no] ", True), ("yes ", "no ", True), ("+ ", "- ", True), ("Y ", "N ", True),
    (": ■ yes □ no", ": □ yes ■ no", False), (": [x] yes [ ] no", ": [ ] yes [x] no", False),
    (" ☑ yes ☐ no", " ☐ yes ☑ no", False), (" Y/N: Y", " Y/N: N", False), (" (y/n): y", " (y/n): n", False),
    (": (x) yes ( ) no", ": ( ) yes (x) no", False), (" yes/no: yes", " yes/no: no", False),
    (" ... yes", " ... no", False), (" -> yes", " -> no", False), (" → yes", " → no", False), (" 👍", " 👎", False),
    (": applies", ": does not apply", False), (": ticked", ": not ticked", False), (": present", ": absent", False),
    (": daily", ": never", False), (": often", ": never", False), (": sometimes", ": not at all", False),
    (": a little", ": none", False), (" often", " never", False), (": a lot", ": not a bit", False),
    (" ticked", " blank", False), (": yes, a bit", ": no, never", False), ("|yes", "|no", False),
)  # fmt: skip
UNKNOWN_MARKS: Final = (": ?", ": unsure", ": don't know", ": not sure", ": dk", " = ?", ": n/k", ": unknown")


def _form(rng: Random) -> Told:
    """As forms are filled in: "itch: y, bleed: n", "☑ itching ☐ bleeding"."""
    frames = _frames()
    yes, no, is_before = rng.choice(MARKS)
    joint = rng.choice((", ", ", ", "; ", " ", " / ", ". ", " | ")) if is_before or len(yes) > 2 else ", "
    names = rng.sample(SYMPTOMS, rng.choice((1, 2, 2, 3, 3, 4, 5, 6)))
    strikes_out = rng.random() < 0.05
    ask = rng.random() < 0.12
    case: Callable[[str], str] = rng.choice((str, str, str.capitalize, str.upper))
    told = Told(
        rng.choice(("", "", "", "", "Tick all that apply:", "Symptoms:", "FORM", "Checklist:")), kind="form"
    )
    if strikes_out:
        told.text = rng.choice(
            ("Cross out what does not apply:", "Strike what is wrong:", "Strike out what isn't so:")
        )
    fields: list[Told] = []
    for place, name in enumerate(names):
        label = case(rng.choice(frames["symptoms"][name]["labels"]))
        if ask:
            label = f"Q{place + 1} {label}"
        answer = rng.choice(("yes", "no"))
        if not is_before and rng.random() < 0.08:
            answer, mark = "unknown", rng.choice(UNKNOWN_MARKS)
        else:
            mark = yes if answer == "yes" else no
        text = mark + label if is_before else label + mark
        if strikes_out:
            answer = rng.choice(("yes", "no"))
            text = label if answer == "yes" else f"~~{label}~~"
        start = text.find(label)
        fields.append(Told(text, {name: answer}, {name: (start, start + len(label))}))
    if rng.random() < 0.4:
        site = rng.choice(SITES)
        place_name = rng.choice(frames["sites"][site])
        label = rng.choice(("site", "where", "location", "place", "Site", "Body site", "body part"))
        fields.append(Told(f"{label}: {place_name}", {"site": site}))
    if rng.random() < 0.4:
        age = rng.randint(4, 97)
        fields.append(
            Told(
                rng.choice(("age: {n}", "Age {n}", "age = {n}", "AGE: {n}")).replace("{n}", str(age)),
                {AGE: age},
            )
        )
    if not is_before:
        rng.shuffle(fields)
    for item in fields:
        told = told.then(item, joint if told.answers else " ")
    if rng.random() < 0.3:
        told.text += "."
    told.kind = "form"
    return told
