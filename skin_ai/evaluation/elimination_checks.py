"""Whether eliminations deserve belief: out-of-fold cases asked again with one thing changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from skin_ai.evaluation.figures import mean_figure
from skin_ai.intervals import patient_weights
from skin_ai.predict.chain import Ask, Question, Step, answer, eliminate_all, single_pass
from skin_ai.predict.stability import IRRELEVANT, OPTIONS_REVERSED, SHUFFLED, variant_questions
from skin_ai.training.datasets import Case, digest
from skin_ai.training.sources import evaluation_words
from skin_ai.training.telling import tell

# Of the options that fell at step 1, so that a label set of 26 types does not take a day: the likeliest.
MOST_REMOVED: Final = 3
NOTABLE: Final = np.log(1.5)  # change of log-odds from which the app's page draws a mark
CLEARLY: Final = 2.0  # one share over the other: from there on the app's page calls one of the two decisive
NO_WORDS, NO_PHOTO = "no_words", "no_photo"
PARAPHRASED, HELD_OUT = "paraphrased", "held_out_wordings"
RUNNER_UP, REMOVED = "runner_up", "removed_{n}"
PROTOCOL = (
    "Out of fold: each of {n} cases with a photo is eliminated by the model that never saw its "
    "patient, then anew with one thing changed. Removed beforehand: each option that fell at step 1 (the "
    "{most} likeliest at most), and the runner-up, which fell at the last step. Paraphrased: the same facts "
    "told with another seed, and in wordings kept from all training. Shares: the decisive of words and photo "
    "is the one that moved the first type's log-odds at step 1 more; it is right where blanking it through "
    "the whole elimination changes that type's rank more than blanking the other, or at equal ranks its "
    "log-odds. Intervals: 95%, bootstrap over patients."
)


@dataclass
class _Asked:
    """What became of one case: as it is and, by name, with one thing changed."""

    first: str
    base: tuple[Step, ...]
    changed: dict[str, tuple[Step, ...]] = field(default_factory=dict)


def measure(
    ask_of_fold: Callable[[int], Ask],
    cases: Sequence[Case],
    folds: np.ndarray,
    photos: Sequence[Tensor],
    types: tuple[str, ...],
    schedule: tuple[int, ...],
    temperatures: Sequence[tuple[float, ...]],
) -> dict[str, Any]:
    """What the manifest says of how far eliminations can be believed.

    ask_of_fold: fold -> the language model that never saw its patients; cases: with facts, told as the
    evaluation does; folds: (n,) from 0; photos: (K,) out-of-fold probabilities over the label set;
    temperatures: of each fold, one a step.
    """
    asked: dict[int, _Asked] = {}
    for fold in np.unique(folds).tolist():
        here = np.flatnonzero(folds == fold).tolist()
        ask = _asking_once(ask_of_fold(fold))
        rest = types, schedule, tuple(temperatures[fold])
        with torch.inference_mode():
            chains = _ask_about([cases[i] for i in here], [photos[i] for i in here], ask, *rest)
        asked.update(zip(here, chains, strict=True))
    in_order = [asked[place] for place in range(len(cases))]
    truth = [case.type for case in cases]
    weights = patient_weights(np.array([digest(case.patient) for case in cases]))
    return {
        "protocol": PROTOCOL.format(n=len(cases), most=MOST_REMOVED),
        "removed": _removed(in_order, weights),
        "chain_and_single_pass": _chain_and_single_pass(in_order, truth, weights),
        "shares": _shares(in_order, weights),
        "stability": _stability(in_order, weights),
    }


def _asking_once(ask: Ask) -> Ask:
    """Answers from memory what was asked before: later steps are often those of the unchanged case."""
    known: dict[tuple[str, int, tuple[int, ...]], Tensor] = {}

    def key(question: Question) -> tuple[str, int, tuple[int, ...]]:
        return question.narrative, id(question.photo), question.options

    def remembering(questions: Sequence[Question]) -> Tensor:
        new = {key(question): question for question in questions if key(question) not in known}
        if new:
            known.update(zip(new, ask(list(new.values())).cpu(), strict=True))
        return torch.stack([known[key(question)] for question in questions])

    return remembering


def _ask_about(
    cases: Sequence[Case],
    photos: Sequence[Tensor],
    ask: Ask,
    types: tuple[str, ...],
    schedule: tuple[int, ...],
    temperatures: tuple[float, ...],
) -> list[_Asked]:
    """Every case as it is, then all its changed forms together."""

    def eliminated(questions: Sequence[Question]) -> list[tuple[Step, ...]]:
        return eliminate_all(ask, questions, types, schedule, temperatures, shares=False)

    everything = tuple(range(len(types)))
    questions = [
        Question(evaluation_words(case), photo, everything) for case, photo in zip(cases, photos, strict=True)
    ]
    found = [_Asked(answer(base)[0].type, base) for base in eliminated(questions)]
    forms = [
        _changed(case, question, one.base, types)
        for case, question, one in zip(cases, questions, found, strict=True)
    ]
    chains = iter(eliminated([form for of_case in forms for form in of_case.values()]))
    for one, of_case in zip(found, forms, strict=True):
        one.changed = {name: next(chains) for name in of_case}
    return found


def _changed(
    case: Case, question: Question, base: Sequence[Step], types: tuple[str, ...]
) -> dict[str, Question]:
    """Every form in which a case is asked again."""
    forms = {
        **variant_questions(question),
        PARAPHRASED: replace(question, narrative=tell(case.facts, Random(f"{case.key} told anew"))),
        HELD_OUT: replace(question, narrative=evaluation_words(case, held_out=True)),
        RUNNER_UP: _without(question, types.index(base[-1].dropped[0].type)),
        NO_PHOTO: replace(question, photo=None),
    }
    if question.narrative:
        forms[NO_WORDS] = replace(question, narrative="")
    else:  # nothing to tell anew, and nothing is known without the photo
        for name in (PARAPHRASED, HELD_OUT, NO_PHOTO):
            del forms[name]
    if len(base) > 1:  # in a single step the runner-up is among those that fall at step 1
        for n, option in enumerate(base[0].dropped[:MOST_REMOVED], start=1):
            forms[REMOVED.format(n=n)] = _without(question, types.index(option.type))
    return forms


def _without(question: Question, option: int) -> Question:
    return replace(question, options=tuple(other for other in question.options if other != option))


# ---- figures ------------------------------------------------------------------------------------


def _figure(values: Sequence[float | None], weights: np.ndarray) -> dict[str, Any]:
    """The mean over the cases that have a value, with its interval and their number."""
    has = np.array([value is not None for value in values], dtype=bool)
    known = np.array([value for value in values if value is not None], dtype=float)
    return mean_figure(known, weights[:, has])


def _changes(one: _Asked, name: str) -> float:
    return float(answer(one.changed[name])[0].type != one.first)


def _removed(asked: Sequence[_Asked], weights: np.ndarray) -> dict[str, Any]:
    """How often the answer changes when an option that is eliminated anyway is not there from the start."""
    first_step = []
    for one in asked:
        names = [name for name in one.changed if name.startswith(REMOVED.format(n=""))]
        first_step.append(float(np.mean([_changes(one, name) for name in names])) if names else None)
    return {
        "dropped_at_step_1": _figure(first_step, weights),
        "runner_up": _figure([_changes(one, RUNNER_UP) for one in asked], weights),
    }


def _chain_and_single_pass(
    asked: Sequence[_Asked], truth: Sequence[str], weights: np.ndarray
) -> dict[str, Any]:
    """How often both have the same first type, and which is right where they differ."""
    single = [single_pass(one.base)[0].type for one in asked]
    agree = [float(one.first == type_) for one, type_ in zip(asked, single, strict=True)]
    differ = [not same for same in agree]

    def right(found: Sequence[str]) -> list[float | None]:
        return [
            float(type_ == true) if apart else None
            for type_, true, apart in zip(found, truth, differ, strict=True)
        ]

    chain = [one.first for one in asked]
    neither = [
        float(true not in (one, other)) if apart else None
        for one, other, true, apart in zip(chain, single, truth, differ, strict=True)
    ]
    return {
        "agree": _figure(agree, weights),
        "chain_right_where_they_differ": _figure(right(chain), weights),
        "single_pass_right_where_they_differ": _figure(right(single), weights),
        "neither_right_where_they_differ": _figure(neither, weights),
    }


def _shares(asked: Sequence[_Asked], weights: np.ndarray) -> dict[str, Any]:
    """How often the shares of words and photo point the right way, for the answer's first type."""
    decisive: list[float | None] = []
    clearly: list[float | None] = []
    direction: dict[str, list[float | None]] = {"words": [], "photo": []}
    for one in asked:
        if not {NO_WORDS, NO_PHOTO} <= one.changed.keys():
            for values in (decisive, clearly, *direction.values()):
                values.append(None)
            continue
        blanked = {"words": one.changed[NO_WORDS], "photo": one.changed[NO_PHOTO]}
        share = {
            source: _logit(one.base[0], one.first) - _logit(steps[0], one.first)
            for source, steps in blanked.items()
        }
        effect = {source: _effect(one, steps) for source, steps in blanked.items()}
        larger, smaller = sorted(share, key=lambda source: -abs(share[source]))
        # Tuples compare by rank first, then by log-odds.
        is_right = float(tuple(map(abs, effect[larger])) > tuple(map(abs, effect[smaller])))
        decisive.append(is_right)
        clearly.append(is_right if abs(share[larger]) >= CLEARLY * abs(share[smaller]) else None)
        for source, values in direction.items():
            is_notable = abs(share[source]) >= NOTABLE
            # What speaks for a type lowers it where it is missing.
            values.append(float(effect[source][1] * share[source] < 0) if is_notable else None)
    return {
        "decisive_moves_the_rank_more": _figure(decisive, weights),
        "decisive_moves_the_rank_more_where_clear": _figure(clearly, weights),
        **{f"{source}_point_the_right_way": _figure(values, weights) for source, values in direction.items()},
    }


def _logit(step: Step, type_: str) -> float:
    """Of a type relative to the mean of the step's options: the scale of `Option.words` and `.photo`."""
    logs = {option.type: np.log(max(option.probability, 1e-12)) for option in step.options}
    return float(logs[type_] - np.mean(list(logs.values())))


def _effect(one: _Asked, steps: Sequence[Step]) -> tuple[int, float]:
    """What blanking does to the first type in the answer: change of its rank, change of its log-odds."""
    before, now = answer(one.base), answer(steps)
    rank = [item.type for item in now].index(one.first)
    odds = _log_odds(now[rank].probability) - _log_odds(before[0].probability)
    return rank, odds


def _log_odds(probability: float) -> float:
    clipped = min(max(probability, 1e-9), 1 - 1e-9)
    return float(np.log(clipped / (1 - clipped)))


def _stability(asked: Sequence[_Asked], weights: np.ndarray) -> dict[str, Any]:
    """Under each change that should make no difference: same first type, and its probability's change."""
    result = {}
    for name in (PARAPHRASED, HELD_OUT, SHUFFLED, IRRELEVANT, OPTIONS_REVERSED):
        same: list[float | None] = []
        change: list[float | None] = []
        for one in asked:
            there = name in one.changed
            same.append(1 - _changes(one, name) if there else None)
            change.append(_change(one, one.changed[name]) if there else None)
        result[name] = {
            "same_first_type": _figure(same, weights),
            "mean_absolute_change": _figure(change, weights),
        }
    return result


def _change(one: _Asked, steps: Sequence[Step]) -> float:
    before, now = answer(one.base)[0].probability, {item.type: item.probability for item in answer(steps)}
    return abs(now[one.first] - before)
