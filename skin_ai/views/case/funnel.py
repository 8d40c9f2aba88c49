"""The elimination as a picture that narrows: a column for each step, a pill for each type.

Made of our own words only: what a clinician typed never reaches this HTML.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from skin_ai.views.case import elimination
from skin_ai.views.case.elimination import name
from skin_ai.views.case.own_answer import MARK, NONE, Own

if TYPE_CHECKING:  # torch comes with it
    from skin_ai.predict.chain import Option, Step

SHOWN = 6  # pills of the first column if it has more types, besides the clinician's own
SHOWN_LATER = 3  # of a later column that has more than SHOWN
SECONDS = 0.6  # from one step to the next
LEGEND = "Bars: probability among the types left."


def html(steps: Sequence[Step], undecided: Collection[str] = (), own: Own = NONE) -> str:
    """The picture; screen readers get the sentences of `elimination.sentences` in its place."""
    from skin_ai.predict import chain

    taken = chain.taken(steps, undecided)
    columns = [
        _column(number, step.options, {out.type: elimination.reason(out, step) for out in step.dropped}, own)
        for number, step in enumerate(taken)
    ]
    last = elimination.left(steps, undecided)
    columns.append(_last(len(taken), last, undecided, own))
    few = {1: " of-one", 2: " of-two"}.get(len(columns), "")
    described = " ".join(elimination.sentences(steps, undecided, own))
    return (
        f'<div class="funnel{few}" role="img" aria-label="{described}" style="--columns: {len(columns)}">'
        f"{''.join(columns)}</div>"
    )


def _column(number: int, options: Sequence[Option], reasons: dict[str, str], own: Own) -> str:
    most = len(options) if len(options) <= SHOWN else SHOWN_LATER if number else SHOWN
    shown = [option for rank, option in enumerate(options) if rank < most or own.ordinal(option.type)]
    pills = [
        _pill(option, own, "out" if option.type in reasons else "kept", reasons.get(option.type, ""))
        for option in shown
    ]
    others = [option for option in options if option not in shown]
    if others:
        out = sum(option.type in reasons for option in others)
        pills.append(f'<p class="more">+ {len(others)} more{f", {out} ✕" if out else ""}</p>')
    return _with_heading(number, f"{len(options)} {'left' if number else 'possible'}", pills)


def _last(number: int, options: Sequence[Option], undecided: Collection[str], own: Own) -> str:
    """The column after the last step: the type that is left, or those that the answer is not sure between."""
    if not undecided:
        return _with_heading(number, f"{len(options)} left", [_pill(options[0], own, "answer")])
    candidates = [option for option in options if option.type in undecided]
    pills = [_pill(option, own, "candidate") for option in candidates]
    if others := len(options) - len(candidates):
        pills.append(f'<p class="more">+ {others} less likely</p>')
    return _with_heading(number, f"{len(options)} {'left' if number else 'possible'}: not sure", pills)


def _with_heading(number: int, heading: str, pills: Sequence[str]) -> str:
    return (
        f'<div class="step" style="--after: {SECONDS * number:.1f}s"><p class="count">{heading}</p>'
        f"{''.join(pills)}</div>"
    )


def _pill(option: Option, own: Own, state: str, reason: str = "") -> str:
    mark = f"{MARK} " if own.ordinal(option.type) else ""
    label = f"<s>{name(option.type)}</s>" if state == "out" else name(option.type)
    why = f' <span class="reason">✕ {reason}</span>' if reason else ""
    share = f' style="--share: {option.probability:.0%}"' if state != "answer" else ""
    return f'<p class="pill {state}"{share}>{mark}{label}{why}</p>'
