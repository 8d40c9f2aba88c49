"""How reliable eliminations are: out-of-fold cases predicted again with one thing changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final

import numpy as np
import torch
from scipy.special import logit
from torch import Tensor

from skin_ai.evaluation.figures import mean_figure
from skin_ai.evaluation.given_words import GivenWords
from skin_ai.evaluation.protocols import protocol
from skin_ai.intervals import patient_weights
from skin_ai.predict.chain import Ask, Question, Step, answer, eliminate_all, single_pass
from skin_ai.predict.stability import IRRELEVANT, OPTIONS_REVERSED, SHUFFLED, variant_questions
from skin_ai.training.datasets import Case, digest
from skin_ai.training.sources import evaluation_words
from skin_ai.training.telling import tell

MOST_REMOVED: Final = 3  # likeliest options ruled out at step 1; all would take a day with 26 types
NOTABLE: Final = np.log(1.5)  # change of log-odds from which the app marks it
CLEARLY: Final = 2.0  # ratio of the shares from which the app calls one of them decisive
NO_WORDS, NO_PHOTO = "no_words", "no_photo"
PARAPHRASED, HELD_OUT = "paraphrased", "held_out_wordings"
RUNNER_UP, REMOVED = "runner_up", "removed_{n}"


@dataclass
class _Case:
    """The eliminations of one case: as it is and, by name, with one thing changed."""

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
    given: GivenWords,
) -> dict[str, Any]:
    """The manifest's figures on the reliability of eliminations.

    ask_of_fold: fold -> the language model that was not trained on its patients; folds: (n,) from 0;
    photos: (K,) out-of-fold probabilities over the label set; temperatures: of each fold, one a step;
    given: how the model is given words.
    """
    found: dict[int, _Case] = {}
    for fold in np.unique(folds).tolist():
        here = np.flatnonzero(folds == fold).tolist()
        ask = _cached(ask_of_fold(fold))
        rest = types, schedule, tuple(temperatures[fold]), given
        with torch.inference_mode():
            chains = _ask_about([cases[i] for i in here], [photos[i] for i in here], ask, *rest)
        found.update(zip(here, chains, strict=True))
    in_order = [found[place] for place in range(len(cases))]
    truth = [case.type for case in cases]
    weights = patient_weights(np.array([digest(case.patient) for case in cases]))
    return {
        "protocol": protocol("elimination", n=len(cases), most=MOST_REMOVED),
        "removed": _removed(in_order, weights),
        "chain_and_single_pass": _chain_and_single_pass(in_order, truth, weights),
        "shares": _shares(in_order, weights),
        "stability": _stability(in_order, weights),
    }


def _cached(ask: Ask) -> Ask:
    """Keeps answers: the later steps of a changed case are often those of the unchanged one."""
    known: dict[tuple[str, int, tuple[int, ...]], Tensor] = {}

    def cached(questions: Sequence[Question]) -> Tensor:
        keys = [(question.narrative, id(question.photo), question.options) for question in questions]
        new = {key: question for key, question in zip(keys, questions, strict=True) if key not in known}
        if new:
            known.update(zip(new, ask(list(new.values())).cpu(), strict=True))
        return torch.stack([known[key] for key in keys])

    return cached


def _ask_about(
    cases: Sequence[Case],
    photos: Sequence[Tensor],
    ask: Ask,
    types: tuple[str, ...],
    schedule: tuple[int, ...],
    temperatures: tuple[float, ...],
    given: GivenWords,
) -> list[_Case]:
    """Every case as it is, then all its changed forms together."""

    def eliminated(questions: Sequence[Question]) -> list[tuple[Step, ...]]:
        return eliminate_all(ask, questions, types, schedule, temperatures, shares=False)

    everything, pairs = tuple(range(len(types))), zip(cases, photos, strict=True)
    questions = [Question(given.of_case(case), photo, everything) for case, photo in pairs]
    found = [_Case(answer(base)[0].type, base) for base in eliminated(questions)]
    asked = zip(cases, questions, found, strict=True)
    forms = [_changed(case, question, one.base, types, given) for case, question, one in asked]
    chains = iter(eliminated([form for of_case in forms for form in of_case.values()]))
    for one, of_case in zip(found, forms, strict=True):
        one.changed = {name: next(chains) for name in of_case}
    return found


def _changed(
    case: Case, question: Question, base: Sequence[Step], types: tuple[str, ...], given: GivenWords
) -> dict[str, Question]:
    """Every form in which a case is predicted again."""
    told_anew = tell(case.facts, Random(f"{case.key} told anew"))  # the seed is part of the shipped figures
    in_held_out_wordings = evaluation_words(case, held_out=True)
    forms = {
        **variant_questions(question),
        PARAPHRASED: replace(question, narrative=given.of_text(told_anew)),
        HELD_OUT: replace(question, narrative=given.of_text(in_held_out_wordings)),
        RUNNER_UP: _without(question, types.index(base[-1].dropped[0].type)),
        NO_PHOTO: replace(question, photo=None),
    }
    if question.narrative:
        forms[NO_WORDS] = replace(question, narrative="")
    else:  # nothing to rephrase, and nothing is known without the photo
        for name in (PARAPHRASED, HELD_OUT, NO_PHOTO):
            del forms[name]
    if len(base) > 1:  # in a single step the runner-up is among those ruled out at step 1
        for n, option in enumerate(base[0].dropped[:MOST_REMOVED], start=1):
            forms[REMOVED.format(n=n)] = _without(question, types.index(option.type))
    return forms


def _without(question: Question, option: int) -> Question:
    return replace(question, options=tuple(other for other in question.options if other != option))


def _figure(values: Sequence[float] | np.ndarray, weights: np.ndarray) -> dict[str, Any]:
    """The mean over the cases that have a value (nan where not), with its interval and their number."""
    known = np.isfinite(values)
    return mean_figure(np.asarray(values, dtype=float)[known], weights[:, known])


def _changes(one: _Case, name: str) -> float:
    return float(answer(one.changed[name])[0].type != one.first)


def _removed(cases: Sequence[_Case], weights: np.ndarray) -> dict[str, Any]:
    """How often the answer changes when an option that is ruled out anyway is missing from the start."""
    first_step = []
    for one in cases:
        changes = [_changes(one, name) for name in one.changed if name.startswith(REMOVED.format(n=""))]
        first_step.append(float(np.mean(changes)) if changes else np.nan)
    return {
        "dropped_at_step_1": _figure(first_step, weights),
        "runner_up": _figure([_changes(one, RUNNER_UP) for one in cases], weights),
    }


def _chain_and_single_pass(
    cases: Sequence[_Case], truth: Sequence[str], weights: np.ndarray
) -> dict[str, Any]:
    """How often both have the same first type, and which is right where they differ."""
    chain = np.array([one.first for one in cases])
    single = np.array([single_pass(one.base)[0].type for one in cases])
    differ, of_chain, of_single = chain != single, chain == np.array(truth), single == np.array(truth)
    right = {"chain_right": of_chain, "single_pass_right": of_single, "neither_right": ~of_chain & ~of_single}
    return {"agree": mean_figure(~differ, weights)} | {
        f"{name}_where_they_differ": mean_figure(is_right[differ], weights[:, differ])
        for name, is_right in right.items()
    }


def _shares(cases: Sequence[_Case], weights: np.ndarray) -> dict[str, Any]:
    """How often the shares of words and photo have the right sign and order, for the answer's first type."""
    decisive = "decisive_moves_the_rank_more"
    clearly, direction = f"{decisive}_where_clear", "{}_point_the_right_way".format
    names = decisive, clearly, direction("words"), direction("photo")
    values = {name: np.full(len(cases), np.nan) for name in names}
    for row, one in enumerate(cases):
        if not {NO_WORDS, NO_PHOTO} <= one.changed.keys():
            continue
        blanked = {"words": one.changed[NO_WORDS], "photo": one.changed[NO_PHOTO]}
        share = {
            source: _logit(one.base[0], one.first) - _logit(steps[0], one.first)
            for source, steps in blanked.items()
        }
        effect = {source: _effect(one, steps) for source, steps in blanked.items()}
        larger, smaller = sorted(share, key=lambda source: -abs(share[source]))
        # Tuples compare by rank first, then by log-odds.
        is_right = tuple(map(abs, effect[larger])) > tuple(map(abs, effect[smaller]))
        values[decisive][row] = is_right
        if abs(share[larger]) >= CLEARLY * abs(share[smaller]):
            values[clearly][row] = is_right
        for source in blanked:
            if abs(share[source]) >= NOTABLE:  # evidence for a type lowers it when it is missing
                values[direction(source)][row] = effect[source][1] * share[source] < 0
    return {name: _figure(row, weights) for name, row in values.items()}


def _logit(step: Step, type_: str) -> float:
    """Of a type relative to the mean of the step's options: the scale of `Option.words` and `.photo`."""
    logs = {option.type: np.log(max(option.probability, 1e-12)) for option in step.options}
    return float(logs[type_] - np.mean(list(logs.values())))


def _effect(one: _Case, steps: Sequence[Step]) -> tuple[int, float]:
    """Effect of blanking on the answer's first type: change of its rank, change of its log-odds."""
    before, now = answer(one.base), answer(steps)
    rank = [item.type for item in now].index(one.first)
    odds = _log_odds(now[rank].probability) - _log_odds(before[0].probability)
    return rank, odds


def _log_odds(probability: float) -> float:
    return float(logit(np.clip(probability, 1e-9, 1 - 1e-9)))


def _stability(cases: Sequence[_Case], weights: np.ndarray) -> dict[str, Any]:
    """Under each change that should make no difference: same first type, and its probability's change."""
    result = {}
    for name in (PARAPHRASED, HELD_OUT, SHUFFLED, IRRELEVANT, OPTIONS_REVERSED):
        there = np.array([name in one.changed for one in cases])
        changed = [one for one in cases if name in one.changed]
        same = np.array([1 - _changes(one, name) for one in changed])
        change = np.array([_change(one, one.changed[name]) for one in changed])
        result[name] = {
            "same_first_type": mean_figure(same, weights[:, there]),
            "mean_absolute_change": mean_figure(change, weights[:, there]),
        }
    return result


def _change(one: _Case, steps: Sequence[Step]) -> float:
    now = {item.type: item.probability for item in answer(steps)}
    return abs(now[one.first] - answer(one.base)[0].probability)
