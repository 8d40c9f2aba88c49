"""The symptom to ask about next: the one whose answer is expected to change the probabilities most."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import torch
from torch import Tensor

from skin_ai.predict.chain import Ask, Probability, Question, answer, eliminate_all
from skin_ai.predict.narrative import Answer, Facts
from skin_ai.vocabulary import MOST_QUESTIONS, SYMPTOMS

RIVALS: Final = 3  # of the first type: the most likely others
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
    *,
    left: int = MOST_QUESTIONS,
) -> NextQuestion | None:
    """None where every symptom is answered, or where no answers would change the first type.

    One answer is tried for each symptom, then those together that speak most for one of the RIVALS.
    known: what the patient said; tell: facts -> the words that the language model gets; photo: (K,)
    probabilities or None; now: the answer to `known`; other arguments as in `eliminate_all`; left: how many
    questions may still be asked, this one included.
    """
    unsaid = [symptom for symptom in SYMPTOMS if getattr(known, symptom) is Answer.UNSAID]

    def after(told: Sequence[Mapping[str, Answer]]) -> list[tuple[Probability, ...]]:
        words = [tell(replace(known, **answers)) for answers in told]  # type: ignore[arg-type]
        questions = [Question(said, photo, tuple(range(len(types)))) for said in words]
        return [
            answer(steps)
            for steps in eliminate_all(ask, questions, types, schedule, temperatures, shares=False)
        ]

    found = after([{symptom: said} for symptom in unsaid for said in ANSWERS])
    options = [
        _question(symptom, now, found[2 * place], found[2 * place + 1], types)
        for place, symptom in enumerate(unsaid)
    ]
    if all(then[0].type == now[0].type for then in found):
        # Only here, where it can change what is asked, because it takes as long as a quarter of the above.
        together = [_most_for(rival.type, now[0].type, options, left) for rival in now[1 : 1 + RIVALS]]
        if not unsaid or left < 2 or all(then[0].type == now[0].type for then in after(together)):
            return None
    return max(options, key=lambda option: option.gain)


def _most_for(rival: str, first: str, options: Sequence[NextQuestion], left: int) -> dict[str, Answer]:
    """The answers to `left` symptoms that raise the rival's odds against the first type most."""

    def odds(option: NextQuestion, said: Answer) -> float:
        of_type = {item.type: item.probability for item in option.answers[said]}
        return of_type[rival] / max(of_type[first], 1e-12)

    best = {option.symptom: max(ANSWERS, key=partial(odds, option)) for option in options}
    order = sorted(options, key=lambda option: odds(option, best[option.symptom]), reverse=True)
    return {option.symptom: best[option.symptom] for option in order[:left]}


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
