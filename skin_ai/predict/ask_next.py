"""The symptom to ask about next: the one whose answer is expected to change the probabilities most."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from skin_ai.predict.chain import Ask, Probability, Question, answer, eliminate_all
from skin_ai.predict.narrative import Answer, Facts
from skin_ai.vocabulary import SYMPTOMS

MOST_QUESTIONS: Final = 4
ANSWERS: Final = (Answer.YES, Answer.NO)


@dataclass(frozen=True)
class NextQuestion:
    """A symptom, and what is expected of asking about it.

    gain: expected information about the type, in bits; answers: yes and no -> the answer of both models then.
    """

    symptom: str
    gain: float
    answers: Mapping[Answer, tuple[Probability, ...]]


def next_question(
    ask: Ask,
    known: Facts,
    tell: Callable[[Facts], str],
    photo: Tensor | None,
    now: Sequence[Probability],
    types: tuple[str, ...],
    schedule: tuple[int, ...],
    temperatures: tuple[float, ...],
) -> NextQuestion | None:
    """None where every symptom is answered, or where no answer to any would change the first type.

    known: what the patient said; tell: facts -> the words that the language model gets; photo: (K,)
    probabilities or None; now: the answer to `known`; other arguments as in `eliminate_all`.
    """
    unsaid = [symptom for symptom in SYMPTOMS if getattr(known, symptom) is Answer.UNSAID]
    everything = tuple(range(len(types)))
    told = [
        replace(known, **{symptom: said})  # type: ignore[arg-type]
        for symptom in unsaid
        for said in ANSWERS
    ]
    questions = [Question(tell(facts), photo, everything) for facts in told]
    chains = eliminate_all(ask, questions, types, schedule, temperatures, shares=False)
    found = [answer(steps) for steps in chains]
    options = [
        _question(symptom, now, found[2 * place], found[2 * place + 1], types)
        for place, symptom in enumerate(unsaid)
    ]
    if all(then[0].type == now[0].type for option in options for then in option.answers.values()):
        return None
    return max(options, key=lambda option: option.gain)


def _question(
    symptom: str,
    now: Sequence[Probability],
    if_yes: tuple[Probability, ...],
    if_no: tuple[Probability, ...],
    types: tuple[str, ...],
) -> NextQuestion:
    before, yes, no = (_in_order(found, types) for found in (now, if_yes, if_no))
    chance = chance_of_yes(before, yes, no)
    mixed = chance * yes + (1 - chance) * no
    gain = _entropy(mixed) - chance * _entropy(yes) - (1 - chance) * _entropy(no)
    return NextQuestion(symptom, max(gain, 0.0), dict(zip(ANSWERS, (if_yes, if_no), strict=True)))


def chance_of_yes(before: Tensor, yes: Tensor, no: Tensor) -> float:
    """The model's own expectation of a yes, from its probabilities of the types, (K,) each.

    What it expects before the answer is what it says after yes and after no, weighted by their chances (law
    of total probability). The weight that comes nearest to this, in least squares, from 0 to 1.
    """
    difference = yes - no
    spread = difference.square().sum()
    if spread == 0:
        return 0.5
    return float(((before - no) @ difference / spread).clamp(0, 1))


def _in_order(found: Sequence[Probability], types: tuple[str, ...]) -> Tensor:
    """(K,) probabilities in the order of the label set."""
    of_type = {item.type: item.probability for item in found}
    return torch.tensor([of_type[type_] for type_ in types], dtype=torch.float64)


def _entropy(probabilities: Tensor) -> float:
    """In bits."""
    return float(-(probabilities * probabilities.clamp_min(1e-12).log2()).sum())
