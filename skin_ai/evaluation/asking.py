"""What the next best questions are worth: accuracy after none to four answers, out of fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skin_ai.evaluation.figures import mean_figure, mean_of_known, recall_samples
from skin_ai.evaluation.protocols import protocol
from skin_ai.intervals import patient_weights, with_interval
from skin_ai.predict.ask_next import next_question
from skin_ai.predict.chain import Ask, Probability, Question, answer, eliminate_all, eliminate_photo
from skin_ai.predict.narrative import Answer, Facts, sentences
from skin_ai.training.datasets import Case, digest
from skin_ai.vocabulary import MOST_QUESTIONS, SYMPTOMS

MOST_INFORMATIVE, FIXED, AT_RANDOM = "most_informative", "fixed_order", "random_order"


@dataclass(frozen=True)
class _How:
    """The language model that did not see the case's patient, and how it eliminates."""

    ask: Ask
    types: tuple[str, ...]
    schedule: tuple[int, ...]
    temperatures: tuple[float, ...]

    def answer(self, facts: Facts, photo: Tensor) -> tuple[Probability, ...]:
        """As in the app: without any fact the photo answers alone."""
        if not facts.known.said:
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
    """Balanced accuracy of the photo after 0 to MOST_QUESTIONS questions, and after all six symptoms.

    Arguments as in `elimination_checks.measure`; the patient answers as the case's fields say.
    """
    first: dict[str, np.ndarray] = {}
    asked = np.zeros(len(cases))
    for fold in np.unique(folds).tolist():
        how = _How(ask_of_fold(fold), types, schedule, tuple(temperatures[fold]))
        for row in np.flatnonzero(folds == fold).tolist():
            with torch.inference_mode():
                found = _answers(cases[row], photos[row], how)
            asked[row] = found.pop("asked")[0]
            for order, places in found.items():
                first.setdefault(order, np.zeros((len(cases), len(places)), int))[row] = places
    truth = np.array([types.index(case.type) for case in cases])
    weights = patient_weights(np.array([digest(case.patient) for case in cases]))

    def figure(predicted: np.ndarray) -> dict[str, Any]:
        return with_interval(mean_of_known(recall_samples(truth, predicted, len(types), weights)))

    return {
        "protocol": protocol("asking", n=len(cases), most=MOST_QUESTIONS),
        "questions": mean_figure(asked, weights),
        **{order: [figure(column) for column in columns.T] for order, columns in first.items()},
    }


def _answers(case: Case, photo: Tensor, how: _How) -> dict[str, list[int]]:
    """Order of questions -> place of the first type after each; "asked": how many the best order took."""
    at_random = Random(f"{case.key}, questions").sample(SYMPTOMS, len(SYMPTOMS))
    best, asked = _most_informative(case, photo, how)
    return {
        MOST_INFORMATIVE: best,
        FIXED: _in_order(case, photo, SYMPTOMS[:MOST_QUESTIONS], how),
        AT_RANDOM: _in_order(case, photo, at_random[:MOST_QUESTIONS], how),
        "all_six": [_place(how.answer(_told(Facts(), case, SYMPTOMS), photo), how.types)],
        "asked": [asked],
    }


def _most_informative(case: Case, photo: Tensor, how: _How) -> tuple[list[int], int]:
    known, asked = Facts(), 0
    now = how.answer(known, photo)
    places = [_place(now, how.types)]
    single = (len(how.types), 1), how.temperatures[:1]
    while len(places) <= MOST_QUESTIONS:
        left = 1 + MOST_QUESTIONS - len(places)
        found = next_question(how.ask, known, sentences, photo, now, how.types, *single, left=left)
        if found is None:
            places += [places[-1]] * (1 + MOST_QUESTIONS - len(places))
            break
        known, asked = _told(known, case, [found.symptom]), asked + 1
        now = how.answer(known, photo)
        places.append(_place(now, how.types))
    return places, asked


def _in_order(case: Case, photo: Tensor, order: Sequence[str], how: _How) -> list[int]:
    return [
        _place(how.answer(_told(Facts(), case, order[:count]), photo), how.types)
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
