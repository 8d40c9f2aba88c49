"""The elimination in sentences: step by step, and what happened to the clinician's own diagnoses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from skin_ai.diseases import DISEASES
from skin_ai.views.case.elimination import NOTABLE, STRONG, decided_by, percent
from skin_ai.views.case.own_answer import MARK, NONE, Own

if TYPE_CHECKING:  # torch comes with it
    from skin_ai.predict.chain import Option, Probability, Step

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
FEW = 3  # options that a sentence names however improbable they are
WHAT_ODDS_MEAN = (
    "Odds: against the other options of that step, compared with leaving out the words or the photo. "
    "They say what the model used, not what is true."
)


def step_sentences(steps: Sequence[Step], own: Own = NONE) -> list[str]:
    """The content of the picture, one paragraph per step."""
    return [_step_sentence(number, step, own) for number, step in enumerate(steps, start=1)]


def _step_sentence(number: int, step: Step, own: Own) -> str:
    said = [
        f"Step {number}: {_count(len(step.options))} options.",
        f"Kept {_listed(step.kept, own)}.",
        f"Dropped {_listed(step.dropped, own)}.",
        {
            "words alone": "Only the words were there to decide.",
            "photo alone": "Only the photo was there to decide.",
            "neither clearly": "Neither words nor photo set kept and dropped clearly apart.",
            "mostly words": "The words decided more than the photo.",
            "mostly photo": "The photo decided more than the words.",
            "words and photo": "Words and photo decided together.",
        }[decided_by(step)],
    ]
    spoke = [text for text in (_spoke_most(step, "words", own), _spoke_most(step, "photo", own)) if text]
    if spoke:
        said.append(f"The {', the '.join(spoke)}.")
    said += [
        f"Your {own.ordinal(option.type)} diagnosis, {DISEASES[option.type].name}, was dropped here "
        f"with {percent(option.probability)}."
        for option in step.dropped
        if own.ordinal(option.type)
    ]
    return " ".join(said)


def _spoke_most(step: Step, source: str, own: Own) -> str:
    """The options that words or photo favoured most and least; "" if the effect was small."""
    strongest = max(step.options, key=lambda option: getattr(option, source))
    weakest = min(step.options, key=lambda option: getattr(option, source))
    parts = []
    if getattr(strongest, source) >= NOTABLE:
        parts.append(f"for {_name(strongest, own)}")
    if getattr(weakest, source) <= -NOTABLE:
        parts.append(f"against {_name(weakest, own)}")
    return f"{source} spoke most {' and '.join(parts)}" if parts else ""


def own_name(diagnosis: str) -> str:
    """A diagnosis of the clinician's for use in a sentence: a type's name, or their text in one line."""
    return DISEASES[diagnosis].name if diagnosis in DISEASES else " ".join(diagnosis.split())


def own_fate(diagnosis: str, steps: Sequence[Step], answer: Sequence[Probability], own: Own) -> str:
    """At which step one of the clinician's diagnoses was ruled out, and why; continues after its name.

    The clinician's own text is not part of it.
    """
    first, types = answer[0], len(steps[0].options)
    if diagnosis == first.type:
        option = next(option for option in steps[0].options if option.type == diagnosis)
        return (
            f"is also the AI's first, {percent(first.probability)}: it was kept at every step. "
            f"Among the {_count(types)} options of step 1, {_spoke(option, steps[0])}."
        )
    for number, step in enumerate(steps, start=1):
        for option in step.dropped:
            if option.type == diagnosis:
                return _ruled_out(option, step, number, len(steps), own)
    return f"is outside the {_count(types)} types that this model knows."


def _ruled_out(option: Option, step: Step, number: int, steps: int, own: Own) -> str:
    at = (
        "kept until the last step and dropped there"
        if number == steps > 1
        else f"dropped at step {number} of {steps}"
    )
    named = [_with_probability(kept, own) for kept in step.kept[:FEW]]
    if (rest := len(step.kept) - FEW) > 0:
        named.append(f"{_count(rest)} more")
    speaks_for_it = min(option.words, option.photo) > -NOTABLE and max(option.words, option.photo) >= NOTABLE
    return (
        f"was {at}, with {percent(option.probability)} among {_count(len(step.options))} options: "
        f"{_spoke(option, step)}"
        f"{'; even so, the model held others more probable' if speaks_for_it else ''}. "
        f"Kept: {in_a_row(named)}."
    )


def _spoke(option: Option, step: Step) -> str:
    """The effect of words and photo on one option, compared with the others of its step."""
    shares = [
        (source, getattr(option, source))
        for source in ("words", "photo")
        if any(getattr(other, source) for other in step.options)
    ]
    if len(shares) != 1 and all(abs(share) < NOTABLE for _, share in shares):
        return "neither words nor photo spoke clearly for or against it"
    (source, share), *rest = shares
    said = f"the {source} spoke {_way(share)}{_odds(share)}"
    for other, its_share in rest:
        way = "too" if _way(its_share) == _way(share) else _way(its_share)
        said += f", the {other} {way}{_odds(its_share)}"
    return said


def _way(share: float) -> str:
    if abs(share) < NOTABLE:
        return "neither way"
    return f"{'strongly ' if abs(share) >= STRONG else ''}{'for' if share > 0 else 'against'} it"


def _odds(share: float) -> str:
    """A notable share as a factor of the odds, in brackets after a space; "" for any other."""
    if abs(share) < NOTABLE:
        return ""
    factor = math.exp(abs(share))
    number = "more than 100" if factor > 100 else f"{factor:.0f}" if factor >= 9.95 else f"{factor:.1f}"
    return f" (odds {'times' if share > 0 else 'divided by'} {number.removesuffix('.0')})"


def _count(number: int) -> str:
    return NUMBERS[number] if number < len(NUMBERS) else str(number)


def _name(option: Option, own: Own) -> str:
    name = DISEASES[option.type].name
    return f"{MARK}\N{NO-BREAK SPACE}{name}" if own.ordinal(option.type) else name


def _with_probability(option: Option, own: Own) -> str:
    return f"{_name(option, own)} ({percent(option.probability)})"


def _listed(options: Sequence[Option], own: Own) -> str:
    """Names with probabilities; those under 1% beyond the first few, unless the clinician's, only counted."""
    shown = [
        option
        for rank, option in enumerate(options)
        if rank < FEW or option.probability >= 0.01 or own.ordinal(option.type)
    ]
    names = [_with_probability(option, own) for option in shown]
    if rest := len(options) - len(shown):
        names.append(f"{_count(rest)} more under 1%")
    return in_a_row(names)


def in_a_row(names: Sequence[str]) -> str:
    """Names as a sentence lists them: "a, b and c"."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
