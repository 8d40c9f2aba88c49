import math

import pytest
from made_up_steps import STEPS, step

from skin_ai.predict import chain
from skin_ai.predict.chain import Option, Step, eliminate_photo
from skin_ai.views.case import elimination
from skin_ai.views.case.own_answer import Own


@pytest.mark.parametrize(
    ("probability", "text"),
    [
        (0.0, "0%"),
        (0.004, "<1%"),
        (0.005, "<1%"),
        (0.995, ">99%"),
        (0.5, "50%"),
        (0.996, ">99%"),
        (1.0, "100%"),
    ],
)
def test_percent_never_rounds_to_certainty(probability, text):
    assert elimination.percent(probability) == text


@pytest.mark.parametrize(
    ("undecided", "taken", "left"),
    [
        ((), 2, ["NEV"]),
        (("NEV", "MEL"), 1, ["NEV", "MEL"]),
        (("NEV", "SEK"), 0, ["MEL", "NEV", "SEK", "ACK"]),
    ],
    ids=["sure", "between the last two", "depends on a fact"],
)
def test_steps_end_where_the_answer_stops_being_sure(undecided, taken, left):
    assert len(chain.taken(STEPS, undecided)) == taken
    assert [option.type for option in elimination.left(STEPS, undecided)] == left


def test_contribution_is_the_change_of_the_odds_when_an_input_is_left_out():
    """Without the words the logits are those with them less the words' shares: odds of 9 become 9 / e^2."""
    only = step(("NEV", 0.9, 1.0, 0.0), ("MEL", 0.1, -1.0, 0.0), keep=1)
    assert elimination.contribution(only, ["NEV"], "words") == pytest.approx(2.0)
    assert elimination.contribution(only, ["MEL"], "words") == pytest.approx(-2.0)
    assert elimination.contribution(only, ["NEV"], "photo") == pytest.approx(0.0)


def test_contribution_of_a_photo_alone_starts_from_equal_chances():
    import torch

    photo = torch.tensor([0.7, 0.2, 0.1])
    (first, *_) = eliminate_photo(photo, ("MEL", "NEV", "SEK"), (3, 1))
    expected = math.log(0.7 / 0.3) - math.log(1 / 2)
    assert elimination.contribution(first, ["MEL"], "photo") == pytest.approx(expected, abs=1e-5)
    assert elimination.contribution(first, ["MEL", "NEV"], "photo") == pytest.approx(
        math.log(0.9 / 0.1) - math.log(2), abs=1e-5
    )


@pytest.mark.parametrize(("odds", "dots"), [(0.2, 0), (1.4, 0), (1.6, 1), (3.9, 1), (4.1, 2), (12.1, 3)])
def test_dots_stand_for_odds(odds, dots):
    assert elimination.dots(math.log(odds)) == dots


@pytest.mark.parametrize(
    ("words", "photo", "reason"),
    [
        (-1.0, 0.0, "history"),
        (-1.0, 0.5, "history"),
        (-1.0, -0.4, "history"),
        (-1.0, -0.6, "both"),
        (-0.2, -1.0, "photo"),
        (0.05, 0.05, "less likely"),
    ],
)
def test_reason_is_what_counted_against_a_type(words, photo, reason):
    out = step(("NEV", 0.6, -words, -photo), ("MEL", 0.4, words, photo), keep=1)
    assert elimination.reason(out.dropped[0], out) == reason


@pytest.mark.parametrize(("share", "reason"), [(-1.0, "history"), (-0.1, "close")])
def test_one_input_alone_is_the_reason_or_the_race_was_close(share, reason):
    out = step(("NEV", 0.52, -share, 0.0), ("MEL", 0.48, share, 0.0), keep=1)
    assert elimination.reason(out.dropped[0], out) == reason


def test_sentences_say_what_the_funnel_shows():
    assert elimination.sentences(STEPS) == [
        "Step 1: 4 types. Kept: melanoma and nevus. "
        "Ruled out: seborrheic keratosis (photo) and actinic keratosis (photo).",
        "Step 2: 2 types. Kept: nevus. Ruled out: melanoma (history).",
        "Left: nevus.",
    ]


def test_sentences_end_with_the_candidates_where_the_answer_is_not_sure():
    first, last = elimination.sentences(STEPS, ("NEV", "MEL"), Own(("MEL",)))
    assert first.startswith("Step 1: 4 types. Kept: melanoma (◆ your 1st) and nevus.")
    assert last == "Not sure: nevus or melanoma (◆ your 1st)."


def test_table_says_when_and_why_each_was_ruled_out():
    rows = elimination.reasons_table(STEPS, Own(("MEL",)))
    assert [row["Ruled out"] for row in rows] == [
        "Seborrheic keratosis",
        "Actinic keratosis",
        "Melanoma · ◆ your 1st",
    ]
    assert rows[2] == {
        "Ruled out": "Melanoma · ◆ your 1st",
        "Step": "2",
        "Probability then": "10%",
        "History": "against, odds divided by 37",
        "Photo": "no effect",
    }


def test_table_says_which_input_was_not_used():
    steps = (step(("NEV", 0.7, 0.0, 0.5), ("MEL", 0.3, 0.0, -0.5), keep=1),)
    (row,) = elimination.reasons_table(steps)
    assert (row["History"], row["Photo"]) == ("not used", "against, odds divided by 2.7")


def test_certain_probabilities_break_nothing():
    sure = Step((Option("NEV", 1.0, True, 9.0, 9.0), Option("MEL", 0.0, False, -9.0, -9.0)))
    assert elimination.reason(sure.dropped[0], sure) == "both"
    assert elimination.dots(elimination.contribution(sure, ["NEV"], "words")) == 3


def test_table_has_every_option_at_every_step():
    rows = elimination.steps_table(STEPS, Own(("MEL",)))
    assert [(row["Step"], row["Type"], row[""]) for row in rows] == [
        ("1", "Melanoma", "kept"),
        ("1", "Nevus", "kept"),
        ("1", "Seborrheic keratosis", "✕ ruled out"),
        ("1", "Actinic keratosis", "✕ ruled out"),
        ("2", "Nevus", "kept"),
        ("2", "Melanoma", "✕ ruled out"),
    ]
    assert rows[0] == {
        "Step": "1",
        "Type": "Melanoma",
        "Yours": "1st",
        "Probability": "50%",
        "": "kept",
        "History": "+0.10",
        "Photo": "+2.00",
    }
    assert "Yours" not in elimination.steps_table(STEPS)[0]
