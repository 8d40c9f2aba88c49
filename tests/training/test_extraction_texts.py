"""Training texts of the extraction: frames, pairs, typing errors, and no test text among them."""

import json
from random import Random

import pytest

from skin_ai.predict.extraction import AGE, CLASSES, UNSAID, numbers_in
from skin_ai.training.extraction_charts import told_by_frames
from skin_ai.training.extraction_slips import with_many_slips
from skin_ai.training.extraction_texts import (
    TEXTS,
    WRITERS,
    Mixture,
    beside_other_facts,
    epoch_examples,
    load_narratives,
    load_pairs,
    split_pairs,
    without_writer,
)
from skin_ai.vocabulary import SITES, SYMPTOMS

NARRATIVES = load_narratives(TEXTS / "narratives.csv")
PAIRS = load_pairs(TEXTS / "contrast_pairs.jsonl")


def test_frames_tell_what_they_say() -> None:
    rng = Random(0)
    for _ in range(2000):
        told = told_by_frames(rng)
        assert told.text and "{" not in told.text
        for fact, answer in told.answers.items():
            assert fact == AGE or answer in CLASSES[fact]
        if told.answers.get(AGE, UNSAID) != UNSAID:
            assert told.answers[AGE] in [number.value for number in numbers_in(told.text)]
        for fact, (start, end) in told.spans.items():
            assert 0 <= start < end <= len(told.text), (told, fact)


def test_frames_answer_each_symptom_in_every_way() -> None:
    rng = Random(1)
    found = {
        (fact, told.answers.get(fact))
        for told in (told_by_frames(rng) for _ in range(3000))
        for fact in SYMPTOMS
    }
    assert {(fact, answer) for fact in SYMPTOMS for answer in CLASSES[fact]} <= found


def test_narratives_are_as_their_readme_says() -> None:
    assert len(NARRATIVES) == 1750
    assert {narrative.writer for narrative in NARRATIVES} == set(WRITERS)
    assert {narrative.answers["site"] for narrative in NARRATIVES} == {*SITES, UNSAID}


@pytest.mark.parametrize("writer", WRITERS)
def test_no_patient_of_the_left_out_writer_is_trained_on(writer: str) -> None:
    rest = without_writer(NARRATIVES, writer)
    tested = {narrative.patient for narrative in NARRATIVES if narrative.writer == writer}
    assert rest and not tested & {narrative.patient for narrative in rest}


def test_no_test_text_is_trained_on() -> None:
    rows = [json.loads(line) for line in (TEXTS / "test_pairs.jsonl").read_text("utf-8").splitlines()]
    tested = {row["text"].lower() for row in rows}
    rng = Random(2)
    made = {told_by_frames(rng).text.lower() for _ in range(5000)}
    assert not tested & ({pair.text.lower() for pair in PAIRS} | made)


def test_both_texts_of_a_pair_are_on_one_side() -> None:
    training, development = split_pairs(PAIRS)
    assert len(training) + len(development) == len(PAIRS)
    assert not {pair.patient[:-1] for pair in training} & {pair.patient[:-1] for pair in development}


def test_facts_beside_a_pair_leave_its_own_as_they_are() -> None:
    rng = Random(3)
    for pair in PAIRS[:300]:
        beside = beside_other_facts(pair, rng)
        for fact, answer in pair.answers.items():
            if answer != UNSAID:
                assert beside.answers[fact] == answer
        assert pair.text in beside.text


def test_slips_leave_denials_and_numbers() -> None:
    rng = Random(4)
    for _ in range(300):
        text = with_many_slips("It does not itch, never bleeds, no pain at 62 or sixty-two", rng).lower()
        assert {"not", "never", "no", "62"} <= set(text.replace(",", "").split())
        assert "sixty-two" in text


def test_epoch_is_the_same_at_every_call_and_new_each_epoch() -> None:
    first, again, second = (
        epoch_examples(
            NARRATIVES[:5], PAIRS[:5], Mixture(templates=3, more_templates=3, frames=5), Random(seed)
        )
        for seed in (1, 1, 2)
    )
    assert first == again != second
    assert len(first) == len(second) == 3 + 3 + 5 + 5 + 5
