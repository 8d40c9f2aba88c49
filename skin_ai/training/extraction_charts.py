"""Generates clinical notes and filled-in forms, with the facts that they state."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

from skin_ai.predict.extraction import AGE, UNSAID
from skin_ai.training.extraction_frames import (
    FOLLOWS,
    Told,
    counted_in_chart,
    duration_piece,
    frames,
    sentences_by_frames,
    with_what_follows,
)
from skin_ai.vocabulary import MORE_SYMPTOMS, SITES, SYMPTOMS

# What is open where one of these is told: whether what hurts burns, whether what has changed is darker.
FOLLOWED_BY = {follows: name for name, follows in FOLLOWS.items()}


def told_by_frames(rng: Random) -> Told:
    """One to four pieces about different facts, in one of three manners: sentences, a chart, a form."""
    manner = rng.choices((sentences_by_frames, chart, form), (0.62, 0.2, 0.18))[0]
    told: Told = manner(rng)
    told.not_asked |= {FOLLOWED_BY[fact] for fact in told.answers if fact in FOLLOWED_BY}
    for fact in (*SYMPTOMS, *MORE_SYMPTOMS, "site", "duration", AGE):
        if fact not in told.answers and fact not in told.not_asked:
            told.answers[fact] = UNSAID
    return told


def chart(rng: Random) -> Told:
    """As clinicians write: "67M, L ear. Denies pain, itch. + bleeding, non-tender, enlarging."."""
    lists = frames()
    told = Told(kind="chart")
    head: list[Told] = []
    if rng.random() < 0.5:
        age = rng.randint(4, 97)
        text = rng.choice(lists["age_frames"]["chart"]).replace("{n}", str(age))
        head.append(Told(text, {AGE: age}))
    if rng.random() < 0.55:
        site = rng.choice(SITES)
        place = rng.choice(lists["chart_sites"][site])
        place_form = rng.choice(
            ("{a}", "{a} lesion", "lesion {a}", "Site: {a}", "Loc: {a}", "papule on {a}", "{a} plaque")
        )
        head.append(Told(place_form.replace("{a}", place), {"site": site}))
    rng.shuffle(head)
    for piece in head:
        told = told.then(piece, rng.choice((", ", " ", ". ", "; ")))
    free = rng.sample(SYMPTOMS, len(SYMPTOMS))
    if rng.random() < 0.35:
        free = rng.sample((*SYMPTOMS, *MORE_SYMPTOMS), 8)
    chance = rng.random()
    if chance < 0.3:
        piece = _presentation(rng)
        free = [name for name in free if name not in piece.answers]
        told = told.then(piece, rng.choice((", ", ". ", ": ", " ")) if told.text else "")
    elif chance < 0.5:
        told = told.then(duration_piece(rng, chart=True), rng.choice((", ", " ", ". ")) if told.text else "")
    for _ in range(rng.choices((1, 2, 3), (0.45, 0.4, 0.15))[0]):
        if not free:
            break
        make = rng.choices((_denies, _marked_in_chart, _adjectives), (0.45, 0.3, 0.25))[0]
        count = min(len(free), rng.choices((1, 2, 3), (0.35, 0.35, 0.3))[0])
        names, free = free[:count], free[count:]
        if make is _adjectives and set(names) - set(SYMPTOMS):
            make = _marked_in_chart
        told = told.then(make(names, rng), rng.choice((". ", "; ", ". ", ", ") if told.text else ("",)))
    if rng.random() < 0.5:
        told.text += "."
    told.kind = "chart"
    return _with_all_that_follows(told)


def _presentation(rng: Random) -> Told:
    """What brings the patient: "6/12 hx of enlarging plaque", "slowly growing nodule"."""
    times = frames()["time"]
    is_timed = rng.random() < 0.6
    name = rng.choices(("grew", "changed"), (0.7, 0.3))[0]
    time, answer = counted_in_chart(rng)
    fillings = {
        "adj": rng.choice(frames()["symptoms"][name]["chart_adjectives"]),
        "what": rng.choice(times["what"]),
        "t": time,
    }
    text, spans = "", {}
    for place, part in enumerate(
        re.split(r"{(\w+)}", rng.choice(times["presentations" if is_timed else "timeless"]))
    ):
        if place % 2:
            spans[part] = (len(text), len(text) + len(fillings[part]))
        text += fillings[part] if place % 2 else part
    told = Told(text, {name: "yes"}, {name: spans["adj"]}, {"elevation"}, "chart")  # a nodule is raised
    if is_timed:
        told.answers["duration"], told.spans["duration"] = answer, spans["t"]
    else:
        told.not_asked.add("duration")
    return told


def _with_all_that_follows(told: Told) -> Told:
    for name in FOLLOWS:
        if name in told.answers and FOLLOWS[name] not in told.answers:
            with_what_follows(told, name, str(told.answers[name]))
    return told


def symptom(name: str) -> dict[str, list[str]]:
    """The words of a symptom, whether of PAD-UFES-20 or of SCIN."""
    found: dict[str, list[str]] = (frames()["symptoms"] | frames()["further"])[name]
    return found


def _denies(names: Sequence[str], rng: Random) -> Told:
    """A list under one word, or each with its own."""
    style = rng.choices(("no", "yes", "own", "end"), (0.38, 0.22, 0.3, 0.1))[0]
    if style == "own":
        told = Told(kind="chart")
        for name in names:
            noun = rng.choice(symptom(name)["chart"])
            answer = rng.choice(("no", "no", "yes", "yes", "unknown", UNSAID))
            text = rng.choice(frames()["chart"][answer]).replace("{n}", noun)
            start = text.find(noun)
            spans = {} if answer == UNSAID else {name: (start, start + len(noun))}
            told = told.then(Told(text, {name: answer}, spans), rng.choice((", ", "; ", ". ")))
        return told
    nouns = [rng.choice(symptom(name)["chart" if rng.random() < 0.8 else "nouns"]) for name in names]
    last = {"no": rng.choice((" or ", ", ", " and ", " / ")), "yes": rng.choice((" and ", ", ", " + "))}.get(
        style, ", "
    )
    told = Told(kind="chart")
    for place, (name, noun) in enumerate(zip(names, nouns, strict=True)):
        answer = "yes" if style == "yes" else "no"
        separator = last if place == len(nouns) - 1 else rng.choice((", ", ", ", "/"))
        told = told.then(Told(noun, {name: answer}, {name: (0, len(noun))}), separator)
    if style == "end":
        told.text += rng.choice(frames()["chart"]["denied_at_the_end"])
        return told
    lead = rng.choice(frames()["chart"]["denies" if style == "no" else "reports"])
    return Told(lead).then(told, "" if lead in ("+", "-") and rng.random() < 0.5 else " ")


def _marked_in_chart(names: Sequence[str], rng: Random) -> Told:
    """ "Pruritus +, bleeding -, pain +"."""
    plus, minus = rng.choice(frames()["chart"]["marks"])
    joint = rng.choice((", ", "; ", " ", ". "))
    told = Told(kind="chart")
    for name in names:
        noun = rng.choice(symptom(name)["chart"])
        noun = noun.capitalize() if rng.random() < 0.3 else noun
        answer = rng.choice(("yes", "no"))
        text = noun + (plus if answer == "yes" else minus)
        told = told.then(Told(text, {name: answer}, {name: (0, len(noun))}), joint)
    return told


def _adjectives(names: Sequence[str], rng: Random) -> Told:
    """ "itchy, non-tender, not raised"."""
    told = Told(kind="chart")
    for name in names:
        adjective = rng.choice(frames()["symptoms"][name]["chart_adjectives"])
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


def form(rng: Random) -> Told:
    """As forms are filled in: "itch: y, bleed: n", "☑ itching ☐ bleeding"."""
    lists = frames()
    yes, no, is_before = rng.choice(lists["form"]["marks"])
    joint = rng.choice((", ", ", ", "; ", " ", " ", " / ", ". ", " | "))
    asked = SYMPTOMS if rng.random() < 0.7 else (*SYMPTOMS, *MORE_SYMPTOMS)
    names = rng.sample(asked, rng.choice((1, 2, 2, 3, 3, 4, 5, 6)))
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
        label = case(rng.choice(symptom(name)["labels"]))
        if ask:
            label = f"Q{place + 1} {label}"
        answer = rng.choice(("yes", "no"))
        if not is_before and rng.random() < 0.08:
            answer, mark = "unknown", rng.choice(lists["form"]["unknown_marks"])
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
        place_name = rng.choice(lists["sites"][site])
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
    return _with_all_that_follows(told)
