"""What the next best questions are worth: accuracy after none to four answers, out of fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from skin_ai.evaluation.figures import mean_figure, mean_of_known, recall_samples
from skin_ai.evaluation.protocols import protocol
from skin_ai.intervals import patient_weights, with_interval
from skin_ai.predict.ask_next import MOST_QUESTIONS, next_question
from skin_ai.predict.chain import Ask, Probability, Question, answer, eliminate_all, eliminate_photo
from skin_ai.predict.narrative import Answer, Facts, sentences
from skin_ai.training.datasets import Case, digest
from skin_ai.vocabulary import SYMPTOMS

MOST_INFORMATIVE, FIXED, AT_RANDOM = "most_informative", "fixed_order", "random_order"
STARTS: Final = {"photo": (), "photo_age_and_site": ("age", "site")}  # name -> facts known from the start


@dataclass(frozen=True)
class _How:
    """The language model that did not see the case's patient, and how it eliminates."""

    ask: Ask
    types: tuple[str, ...]
    schedule: tuple[int, ...]
    temperatures: tuple[float, ...]

    def answer(self, facts: Facts, photo: Tensor) -> tuple[Probability, ...]:
        """As in the app: without any fact the photo answers alone."""
        if not facts.said:
            return answer(eliminate_photo(photo, self.types, self.schedule))
        question = Question(sentences(facts), photo, tuple(range(len(self.types))))
        (steps,) = eliminate_all(
            self.ask, [question], self.types, self.schedule, self.temperatures, shares=False
        )
        return answer(steps)


def measure(
    ask_of_fold: Callable[[int], Ask],
    cases: Sequence[Case],
    folds: np.ndarray,
    photos: Sequence[Tensor],
    types: tuple[str, ...],
    schedule: tuple[int, ...],
    temperatures: Sequence[tuple[float, ...]],
) -> dict[str, Any]:
    """Balanced accuracy after 0 to MOST_QUESTIONS questions, and after all six symptoms.

    Arguments as in `elimination_checks.measure`; the patient answers as the case's fields say.
    """
    first: dict[tuple[str, str], np.ndarray] = {}
    asked: dict[str, np.ndarray] = {name: np.zeros(len(cases)) for name in STARTS}
    for fold in np.unique(folds).tolist():
        how = _How(ask_of_fold(fold), types, schedule, tuple(temperatures[fold]))
        for row in np.flatnonzero(folds == fold).tolist():
            with torch.inference_mode():
                for start, facts in STARTS.items():
                    found = _answers(cases[row], photos[row], facts, how)
                    asked[start][row] = found.pop("asked")[0]
                    for order, places in found.items():
                        first.setdefault((start, order), np.zeros((len(cases), len(places)), int))[row] = (
                            places
                        )
    truth = np.array([types.index(case.type) for case in cases])
    weights = patient_weights(np.array([digest(case.patient) for case in cases]))

    def figure(predicted: np.ndarray) -> dict[str, Any]:
        return with_interval(mean_of_known(recall_samples(truth, predicted, len(types), weights)))

    return {
        "protocol": protocol("asking", n=len(cases), most=MOST_QUESTIONS),
        "starts": {
            start: {
                "questions": mean_figure(asked[start], weights),
                **{
                    order: [figure(column) for column in first[start, order].T]
                    for of_start, order in first
                    if of_start == start
                },
            }
            for start in STARTS
        },
    }


def _answers(case: Case, photo: Tensor, known: Sequence[str], how: _How) -> dict[str, list[int]]:
    """Order of questions -> place of the first type after each; "asked": how many the best order took."""
    start = replace(Facts(), **{name: getattr(case.facts, name) for name in known})
    at_random = Random(f"{case.key}, questions").sample(SYMPTOMS, len(SYMPTOMS))
    best, asked = _most_informative(case, photo, start, how)
    return {
        MOST_INFORMATIVE: best,
        FIXED: _in_order(case, photo, start, SYMPTOMS[:MOST_QUESTIONS], how),
        AT_RANDOM: _in_order(case, photo, start, at_random[:MOST_QUESTIONS], how),
        "all_six": [_place(how.answer(_told(start, case, SYMPTOMS), photo), how.types)],
        "asked": [asked],
    }


def _most_informative(case: Case, photo: Tensor, known: Facts, how: _How) -> tuple[list[int], int]:
    now, asked = how.answer(known, photo), 0
    places = [_place(now, how.types)]
    single = (len(how.types), 1), how.temperatures[:1]
    while len(places) <= MOST_QUESTIONS:
        found = next_question(how.ask, known, sentences, photo, now, how.types, *single)
        if found is None:
            places += [places[-1]] * (1 + MOST_QUESTIONS - len(places))
            break
        known, asked = _told(known, case, [found.symptom]), asked + 1
        now = how.answer(known, photo)
        places.append(_place(now, how.types))
    return places, asked


def _in_order(case: Case, photo: Tensor, known: Facts, order: Sequence[str], how: _How) -> list[int]:
    return [
        _place(how.answer(_told(known, case, order[:count]), photo), how.types)
        for count in range(len(order) + 1)
    ]


def _told(known: Facts, case: Case, symptoms: Sequence[str]) -> Facts:
    """With the patient's answers; what the fields leave out is not known to the patient."""
    answers = {symptom: getattr(case.facts, symptom) for symptom in symptoms}
    return replace(
        known,
        **{name: Answer.UNKNOWN if said is Answer.UNSAID else said for name, said in answers.items()},  # type: ignore[arg-type]
    )


def _place(found: Sequence[Probability], types: tuple[str, ...]) -> int:
    return types.index(found[0].type)
