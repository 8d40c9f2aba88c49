"""How the options were eliminated: what history and photo contributed, in sentences and as tables."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Literal

from skin_ai.diseases import DISEASES
from skin_ai.views.case.own_answer import NONE, Own

if TYPE_CHECKING:  # torch comes with it
    from skin_ai.predict.chain import Option, Step

Source = Literal["words", "photo"]
SOURCES: dict[Source, str] = {"words": "history", "photo": "photo"}
# From which change of the odds a contribution gets one, two and three dots.
DOTS = (math.log(1.5), math.log(4), math.log(12))
NOTABLE = DOTS[0]
# History or photo alone is the reason if it counts against a type at least twice as much as the other.
MOSTLY = 2 / 3
NEVER_ZERO = 1e-9  # least probability whose odds are taken
WHAT_ODDS_MEAN = (
    "Odds against the types kept at that step, with the history or the photo and without it. They say what "
    "the model used, not what is true."
)


def percent(probability: float) -> str:
    """A probability for reading: never 0% or 100% for what is neither."""
    if 0 < probability <= 0.005:
        return "<1%"
    if 0.995 <= probability < 1:
        return ">99%"
    return f"{probability:.0%}"


def name(type_: str) -> str:
    """A type's name as a label starts."""
    return DISEASES[type_].name[0].upper() + DISEASES[type_].name[1:]


def in_a_row(names: Sequence[str], last: str = "and") -> str:
    """Names as a sentence lists them: "a, b and c"."""
    *first, end = names
    return f"{', '.join(first)} {last} {end}" if first else end


def left(steps: Sequence[Step], undecided: Collection[str] = ()) -> tuple[Option, ...]:
    """The options after the steps that were `taken`, most probable first."""
    from skin_ai.predict.chain import taken

    done = len(taken(steps, undecided))
    return steps[-1].kept if done == len(steps) else steps[done].options


def contribution(step: Step, types: Collection[str], source: Source, against: Collection[str] = ()) -> float:
    """By how much history or photo moved the log odds of `types` against other options of the step.

    against: the other options, by default all. A share is the move of an option's logit, so dividing each
    probability by its exponential gives what the model says without that input, up to a common factor.
    """

    def log_odds(weights: dict[str, float]) -> float:
        others = against or weights.keys() - set(types)
        return math.log(
            max(NEVER_ZERO, sum(weights[type_] for type_ in types))
            / max(NEVER_ZERO, sum(weights[type_] for type_ in others))
        )

    told = {option.type: max(NEVER_ZERO, option.probability) for option in step.options}
    untold = {option.type: told[option.type] * math.exp(-getattr(option, source)) for option in step.options}
    return log_odds(told) - log_odds(untold)


def is_used(step: Step, source: Source) -> bool:
    return any(getattr(option, source) for option in step.options)


def dots(moved: float) -> int:
    """0 to 3 for a contribution in favour."""
    return sum(moved >= least for least in DOTS)


def moves(option: Option, step: Step) -> dict[Source, float]:
    """What history and photo did to an option that was ruled out, against the kept; only inputs in use."""
    kept = [other.type for other in step.kept]
    return {
        source: contribution(step, [option.type], source, kept) for source in SOURCES if is_used(step, source)
    }


def reason(option: Option, step: Step) -> str:
    """Why an option was ruled out, in a word or two.

    "less likely" where neither history nor photo alone counted against it, "close" where there was only one.
    """
    against = {source: max(0.0, -moved) for source, moved in moves(option, step).items()}
    total = sum(against.values())
    if total < NOTABLE:
        return "less likely" if len(against) > 1 else "close"
    main = next((source for source, amount in against.items() if amount >= MOSTLY * total), None)
    return SOURCES[main] if main else "both"


def sentences(steps: Sequence[Step], undecided: Collection[str] = (), own: Own = NONE) -> list[str]:
    """What the funnel shows, a sentence or two for each step."""
    from skin_ai.predict.chain import taken

    said = [
        f"Step {number}: {len(step.options)} types. "
        f"Kept: {in_a_row([_marked(option.type, own) for option in step.kept])}. "
        f"Ruled out: {in_a_row([f'{_marked(out.type, own)} ({reason(out, step)})' for out in step.dropped])}."
        for number, step in enumerate(taken(steps, undecided), start=1)
    ]
    if undecided:
        return [*said, f"Not sure: {in_a_row([_marked(type_, own) for type_ in undecided], 'or')}."]
    return [*said, f"Left: {_marked(left(steps)[0].type, own)}."]


def _marked(type_: str, own: Own) -> str:
    return f"{DISEASES[type_].name} ({mark})" if (mark := own.mark(type_)) else DISEASES[type_].name


def reasons_table(steps: Sequence[Step], own: Own = NONE) -> list[dict[str, str]]:
    """A row for each type that was ruled out: when, how probable it was then, and what counted against it."""
    rows = []
    for number, step in enumerate(steps, start=1):
        for option in step.dropped:
            moved = moves(option, step)
            rows.append(
                {
                    "Ruled out": " · ".join(filter(None, (name(option.type), own.mark(option.type)))),
                    "Step": str(number),
                    "Probability then": percent(option.probability),
                    **{
                        SOURCES[source].capitalize(): _odds(moved[source]) if source in moved else "not used"
                        for source in SOURCES
                    },
                }
            )
    return rows


def _odds(moved: float) -> str:
    """A contribution as a factor of the odds; "no effect" where it is small."""
    if abs(moved) < NOTABLE:
        return "no effect"
    factor = math.exp(min(abs(moved), math.log(1000)))
    number = "more than 100" if factor > 100 else f"{factor:.0f}" if factor >= 9.95 else f"{factor:.1f}"
    way = "for, odds times" if moved > 0 else "against, odds divided by"
    return f"{way} {number.removesuffix('.0')}"


def steps_table(steps: Sequence[Step], own: Own = NONE) -> list[dict[str, str]]:
    """Every option at every step with its numbers, a row each."""
    return [
        {
            "Step": str(number),
            "Type": name(option.type),
            **({"Yours": own.ordinal(option.type)} if own.ranks else {}),
            "Probability": percent(option.probability),
            "": "kept" if option.kept else "✕ ruled out",
            "History": f"{option.words:+.2f}",
            "Photo": f"{option.photo:+.2f}",
        }
        for number, step in enumerate(steps, start=1)
        for option in step.options
    ]
