"""The curve of questions, on a model that hangs on one symptom."""

import json

import numpy as np
import torch

from skin_ai.evaluation.asking import measure
from skin_ai.predict.chain import option_mask
from skin_ai.predict.narrative import Answer, Facts, sentences
from skin_ai.training.datasets import Case

TYPES = ("BCC", "MEL", "NEV")
BLEEDS = sentences(Facts(bleed=Answer.YES))
PHOTO = torch.tensor([0.45, 0.05, 0.5])


def ask(questions):
    """Whoever bleeds has a basal cell carcinoma, whoever does not has a nevus."""
    logits = torch.zeros(len(questions), 3)
    for row, question in enumerate(questions):
        if "bleed" in question.narrative:
            logits[row] = torch.tensor([4.0, 0, 0] if BLEEDS in question.narrative else [0.0, 0, 4])
        else:
            logits[row] = question.photo.log()
    return logits.masked_fill(~option_mask(questions, 3), -torch.inf)


def case(number):
    """Every second one bleeds."""
    bleeds = Answer.YES if number % 2 else Answer.NO
    symptoms = dict.fromkeys(("itch", "grew", "hurt", "changed", "elevation"), Answer.NO)
    facts = Facts(age=60, site="NOSE", bleed=bleeds, **symptoms)
    return Case(f"photo {number}", f"patient {number}", "BCC" if number % 2 else "NEV", facts, None)


def test_one_question_is_enough_where_one_symptom_decides():
    cases = [case(number) for number in range(8)]
    found = measure(
        lambda fold: ask, cases, np.arange(8) % 2, [PHOTO] * 8, TYPES, (3, 2, 1), [(1.0, 1.0)] * 2
    )
    curves = json.loads(json.dumps(found, allow_nan=False))
    orders = curves.keys() - {"questions", "protocol"}
    values = {order: [figure["value"] for figure in curves[order]] for order in orders}
    assert values["most_informative"] == [0.5, 1, 1, 1, 1]
    assert curves["questions"]["value"] == 1
    assert values["fixed_order"] == [0.5] * 5  # bleeding is the fifth of the form
    assert values["all_six"] == [1]
