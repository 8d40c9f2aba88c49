"""The question whose answer is expected to change the probabilities most."""

import pytest
import torch

from skin_ai.predict.ask_next import chance_of_yes, next_question
from skin_ai.predict.chain import Question, answer, eliminate_all, option_mask
from skin_ai.predict.narrative import Answer, Facts, sentences

TYPES = ("BCC", "MEL", "NEV")
AGE = Facts(age=50)
HOW = (TYPES, (3, 2, 1), (1.0, 1.0))


def asking(logits_of):
    """A language model whose (3,) logits are made from the words."""

    def ask(questions):
        logits = torch.stack([torch.tensor(logits_of(question.narrative)) for question in questions])
        return logits.masked_fill(~option_mask(questions, 3), -torch.inf)

    return ask


def asked(logits_of, known=AGE, **left):
    ask = asking(logits_of)
    (steps,) = eliminate_all(ask, [Question(sentences(known), None, (0, 1, 2))], *HOW, shares=False)
    return next_question(ask, known, sentences, None, answer(steps), *HOW, **left)


def of_bleeding(words):
    """Bleeding turns a nevus into a basal cell carcinoma; growth makes little difference."""
    logits = [0.0, -2.0, 1.0]
    if "bleed" in words:
        logits[0] += -1.0 if "n't" in words else 3.0
    if "It has got bigger" in words:
        logits[1] += 0.2
    return logits


def test_what_decides_between_the_types_is_asked():
    found = asked(of_bleeding)
    assert found.symptom == "bleed"
    assert found.answers[Answer.YES][0].type == "BCC"
    assert found.answers[Answer.NO][0].type == "NEV"
    assert 0 < found.gain < 1


@pytest.mark.parametrize("said", [Answer.YES, Answer.NO, Answer.UNKNOWN])
def test_what_was_answered_is_not_asked_again(said):
    found = asked(of_bleeding, Facts(age=50, bleed=said))
    assert found is None or found.symptom != "bleed"


def test_it_stops_where_no_answer_changes_the_first_type():
    assert asked(lambda words: [0.0, -2.0, 3.0]) is None


def of_two_signs(words):
    """Only bleeding and growth together turn a nevus into a melanoma."""
    signs = 1.2 * ("It bleeds" in words) + 1.2 * ("It has got bigger" in words)
    return [0.0, signs - 0.5 * ("n't bleed" in words) - 0.5 * ("not got bigger" in words), 2.0]


def test_it_goes_on_where_only_two_answers_together_change_the_first_type():
    assert asked(of_two_signs).symptom in ("bleed", "grew")
    assert asked(of_two_signs, left=2) is not None
    assert asked(of_two_signs, left=1) is None
    assert asked(of_two_signs, Facts(age=50, bleed=Answer.NO)) is None


def test_it_stops_where_everything_is_answered():
    everything = dict.fromkeys(("itch", "grew", "hurt", "changed", "bleed", "elevation"), Answer.NO)
    assert asked(of_bleeding, Facts(**everything)) is None


def test_chance_is_the_weight_that_explains_the_present_probabilities():
    yes, no = torch.tensor([0.8, 0.1, 0.1]), torch.tensor([0.2, 0.4, 0.4])
    assert chance_of_yes(0.3 * yes + 0.7 * no, yes, no) == pytest.approx(0.3)
    assert chance_of_yes(yes + (yes - no), yes, no) == 1
    assert chance_of_yes(yes, yes, yes) == 0.5
