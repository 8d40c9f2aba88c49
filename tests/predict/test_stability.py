"""Answers that depend on what should not matter."""

from collections import Counter

import pytest
import torch

from skin_ai.predict.chain import Question, answer, eliminate, option_mask
from skin_ai.predict.stability import (
    IRRELEVANT,
    MEANING,
    OPTIONS_REVERSED,
    SENTENCE_END,
    SHUFFLED,
    SMALL_TALK,
    in_words,
    unstable,
    variant_questions,
    variants,
)
from skin_ai.wordings import load_wordings

TYPES = ("BCC", "SCC", "MEL", "ACK", "NEV", "SEK")
ALL = tuple(range(6))
PHOTO = torch.tensor([0.4, 0.3, 0.02, 0.03, 0.05, 0.2])
WORDS = "I am 58. It is on my nose; it itches. Has it grown? It has."
REST = TYPES, (6, 3, 2, 1), (1.0, 1.0, 1.0)


def sentences(text):
    return Counter(SENTENCE_END.split(text))


def test_shuffled_words_are_the_same_sentences_in_another_order():
    shuffled = variants(WORDS)[SHUFFLED]
    assert shuffled != WORDS
    assert sentences(shuffled) == sentences(WORDS)


def test_irrelevant_sentence_is_all_that_is_added():
    added = sentences(variants(WORDS)[IRRELEVANT]) - sentences(WORDS)
    assert list(added.values()) == [1]
    assert set(added) <= set(SMALL_TALK)


@pytest.mark.parametrize(
    ("narrative", "names"),
    [
        ("", set()),
        ("it itches", {IRRELEVANT}),
        ("It itches. It itches.", {IRRELEVANT}),
        ("It itches. It bleeds.", {SHUFFLED, IRRELEVANT}),
    ],
)
def test_words_have_the_variants_that_they_can_have(narrative, names):
    assert set(variants(narrative)) == names
    assert set(variant_questions(Question(narrative, PHOTO, ALL))) == names | {OPTIONS_REVERSED}


def test_same_words_always_give_the_same_variants():
    assert variants(WORDS) == variants(WORDS)


def test_other_words_get_other_small_talk():
    told = [variants(f"I am {age}.")[IRRELEVANT] for age in range(20, 60)]
    assert all(any(said in text for text in told) for said in SMALL_TALK)


def test_small_talk_is_none_that_a_model_was_trained_to_overlook():
    fillers = {*load_wordings().fillers.training, *load_wordings().fillers.held_out}
    assert not fillers & set(SMALL_TALK)


def asks(scores):
    """A model whose (K,) scores are made from the question."""

    def ask(questions):
        logits = torch.stack([torch.tensor(scores(question), dtype=torch.float) for question in questions])
        return logits.masked_fill(~option_mask(questions, 6), -torch.inf)

    return ask


@pytest.mark.parametrize(
    ("scores", "found"),
    [
        (lambda question: [5, 4, 3, 2, 1, 0], {}),
        (
            lambda question: [5, 4, 9 * any(said in question.narrative for said in SMALL_TALK), 2, 1, 0],
            {IRRELEVANT: "MEL"},
        ),
        (
            lambda question: (
                [5, 4, 3, 2, 9 * (len(question.narrative) == len(WORDS)), 0]
                if question.narrative != WORDS
                else [5, 4, 3, 2, 1, 0]
            ),
            {SHUFFLED: "NEV"},
        ),
        # The option that is named first, as where the network learnt positions.
        (lambda question: [9 * (option == question.options[0]) for option in ALL], {OPTIONS_REVERSED: "SEK"}),
    ],
)
def test_unstable_tells_the_variants_that_lead_elsewhere(scores, found):
    ask = asks(scores)
    first = answer(eliminate(ask, WORDS, PHOTO, *REST))[0].type
    assert unstable(ask, Question(WORDS, PHOTO, ALL), first, *REST) == found


def test_every_variant_can_be_told_on_the_page():
    assert set(MEANING) == {SHUFFLED, IRRELEVANT, OPTIONS_REVERSED}
    told = in_words(IRRELEVANT, "MEL", WORDS)
    assert "melanoma" in told
    assert any(said in told and said in variants(WORDS)[IRRELEVANT] for said in SMALL_TALK)
    assert "melanoma" in in_words(SHUFFLED, "MEL", WORDS)


def test_variants_cost_three_questions_a_step():
    asked = []

    def ask(questions):
        asked.append(len(questions))
        return asks(lambda question: [5, 4, 3, 2, 1, 0])(questions)

    unstable(ask, Question(WORDS, PHOTO, ALL), "BCC", *REST)
    assert asked == [3, 3, 3]
