"""Checks of eliminations, on models whose reliability is known."""

import json

import numpy as np
import pytest
import torch

from skin_ai.evaluation.elimination_checks import measure
from skin_ai.evaluation.given_words import GivenWords
from skin_ai.predict.chain import option_mask
from skin_ai.predict.narrative import Answer, Facts
from skin_ai.predict.stability import SMALL_TALK
from skin_ai.training.datasets import Case
from skin_ai.training.sources import evaluation_words

TYPES = ("BCC", "SCC", "MEL", "ACK", "NEV", "SEK")
SCHEDULE = (6, 3, 2, 1)
PHOTO = torch.tensor([0.35, 0.25, 0.2, 0.1, 0.06, 0.04])  # BCC first; ACK, NEV and SEK fall at step 1


def case(number, type_="BCC"):
    facts = Facts(age=40 + number, site="NOSE", itch=Answer.YES, bleed=Answer.NO, grew=Answer.YES)
    return Case(f"photo {number}", f"patient {number // 2}", type_, facts, None)


CASES = [case(number) for number in range(6)]


def measured(scores, cases=CASES):
    """Of a model whose (K,) scores are made from the question."""

    def ask(questions):
        logits = torch.stack([torch.as_tensor(scores(question), dtype=torch.float) for question in questions])
        return logits.masked_fill(~option_mask(questions, 6), -torch.inf)

    folds = np.arange(len(cases)) // 2 % 2
    temperatures = [(1.0, 1.0, 1.0), (1.5, 1.0, 2.0)]
    photos = [PHOTO] * len(cases)
    result = measure(lambda fold: ask, cases, folds, photos, TYPES, SCHEDULE, temperatures, GivenWords())
    return json.loads(json.dumps(result, allow_nan=False))


def by_photo_alone(question):
    return torch.zeros(6) if question.photo is None else question.photo.log()


def values(figures):
    return {name: figure["value"] for name, figure in figures.items()}


def test_model_that_only_sees_the_photo_is_stable_and_its_shares_are_right():
    found = measured(by_photo_alone)
    assert values(found["removed"]) == {"dropped_at_step_1": 0, "runner_up": 0}
    assert found["chain_and_single_pass"]["agree"] == {"value": 1, "low": 1, "high": 1, "n": 6}
    assert found["chain_and_single_pass"]["chain_right_where_they_differ"]["n"] == 0
    assert values(found["shares"]) == {
        "decisive_moves_the_rank_more": 1,
        "decisive_moves_the_rank_more_where_clear": 1,
        "words_point_the_right_way": None,  # never notable
        "photo_point_the_right_way": 1,
    }
    for change in found["stability"].values():
        assert values(change) == {"same_first_type": 1, "mean_absolute_change": 0}


@pytest.mark.parametrize(
    ("missing", "removed"),
    [
        (1, {"dropped_at_step_1": 0, "runner_up": 1}),  # SCC is the runner-up
        (5, {"dropped_at_step_1": 0.3333, "runner_up": 0}),  # one of three that fall at step 1
        (2, {"dropped_at_step_1": 0, "runner_up": 0}),  # MEL falls at step 2
    ],
)
def test_answer_that_hangs_on_an_option_is_found_where_it_is_removed(missing, removed):
    """Without it from the start the model takes another type."""

    def scores(question):
        from_the_start = len(question.options) in (5, 6)
        turned = from_the_start and missing not in question.options
        # BCC must fall at once, for at later steps the model cannot know what was removed.
        return [-9 if turned else 5, 4, 3, 2, 1, 0]

    assert values(measured(scores)["removed"]) == removed


def test_where_chain_and_single_pass_differ_it_is_said_which_is_right():
    def scores(question):
        return [5, 4, 3, 2, 1, 0] if len(question.options) == 6 else [0, 4, 3, 2, 1, 0]

    types = ("BCC", "SCC", "SCC", "SCC", "MEL", "MEL")  # the chain says SCC, the single pass BCC
    found = measured(scores, [case(number, type_) for number, type_ in enumerate(types)])
    expected = {"agree": 0}
    expected["chain_right_where_they_differ"] = 0.5
    expected["single_pass_right_where_they_differ"] = round(1 / 6, 4)
    expected["neither_right_where_they_differ"] = round(2 / 6, 4)
    assert values(found["chain_and_single_pass"]) == expected


def test_shares_of_step_1_that_mislead_are_counted_as_wrong():
    """Step 1 listens to the words, later steps to the photo."""

    def scores(question):
        row = torch.zeros(6)
        if len(question.options) == 6:
            row[0] = 5 if question.narrative else 4.0
            row[0] += 0.5 if question.photo is not None else 0
        else:
            row[0] = 3 if question.photo is not None else -3.0
        return row

    shares = measured(scores)["shares"]
    assert shares["decisive_moves_the_rank_more"]["value"] == 0


@pytest.mark.parametrize(
    ("change", "is_changed"),
    [
        ("options_reversed", lambda question: question.options[0] > question.options[-1]),
        ("irrelevant", lambda question: any(said in question.narrative for said in SMALL_TALK)),
        (
            "held_out_wordings",
            lambda question: question.narrative in {evaluation_words(one, held_out=True) for one in CASES},
        ),
    ],
)
def test_what_an_answer_hangs_on_is_where_it_is_unstable(change, is_changed):
    stability = measured(lambda question: [0, 9, 3, 2, 1, 0] if is_changed(question) else [5, 4, 3, 2, 1, 0])[
        "stability"
    ]
    found = {name: figures["same_first_type"]["value"] for name, figures in stability.items()}
    assert found == dict.fromkeys(stability, 1) | {change: 0}
    assert stability[change]["mean_absolute_change"]["value"] > 0.1


def test_case_without_words_is_left_out_of_what_needs_them():
    silent = Case("photo", "patient", "BCC", Facts(), None)
    found = measured(by_photo_alone, [silent, *CASES[:1]])
    assert found["removed"]["runner_up"]["n"] == 2
    assert found["shares"]["decisive_moves_the_rank_more"]["n"] == 1
    assert {name: figures["same_first_type"]["n"] for name, figures in found["stability"].items()} == {
        "paraphrased": 1,
        "held_out_wordings": 1,
        "shuffled": 1,
        "irrelevant": 1,
        "options_reversed": 2,
    }


def test_same_question_is_asked_once():
    asked = []

    def ask(questions):
        asked.extend((question.narrative, question.photo is None, question.options) for question in questions)
        return torch.stack([by_photo_alone(question) for question in questions]).masked_fill(
            ~option_mask(questions, 6), -torch.inf
        )

    measure(
        lambda fold: ask,
        CASES,
        np.zeros(6, int),
        [PHOTO] * 6,
        TYPES,
        SCHEDULE,
        [(1.0, 1.0, 1.0)],
        GivenWords(),
    )
    assert len(asked) == len(set(asked))
