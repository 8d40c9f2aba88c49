"""What the language model is given when a bundle that reads facts is evaluated."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from skin_ai.diseases import LABEL_SETS
from skin_ai.evaluation.given_words import GivenWords, Told, given_words, load_told, save_found
from skin_ai.evaluation.predictions import evaluated_photos
from skin_ai.predict.bundle import load_extraction
from skin_ai.predict.chain import Option, Step
from skin_ai.predict.narrative import Answer, Facts, sentences
from skin_ai.training.datasets import Case
from skin_ai.training.image import ImageSettings
from skin_ai.training.language import LanguageSettings
from skin_ai.training.run import Run

FACTS = Facts(age=70, site="NOSE", itch=Answer.YES, bleed=Answer.NO)
FOUND = replace(FACTS, itch=Answer.UNSAID)
CASES = [
    Case(f"photo {number}", f"patient {number}", ("BCC", "NEV", "MEL")[number % 3], FACTS, None, lesion="1")
    for number in range(6)
]


@pytest.fixture(scope="module")
def given():
    """Free words of patients 1 (by writer a) and 2 (by writer b)."""
    free = {("patient 1", "1"): Told("a", FACTS, FOUND), ("patient 2", "1"): Told("b", FACTS, FOUND)}
    return GivenWords(load_extraction(), free)


def test_a_model_that_reads_facts_gets_only_the_forms_sentences(given):
    modes = given.modes("chain")
    assert modes["both"](CASES[0]) == modes["words"](CASES[0]) == sentences(FACTS)
    assert modes["both_free_words"](CASES[1]) == sentences(FOUND)
    assert modes["both_confirmed_facts"](CASES[1]) == sentences(FACTS)
    assert modes["both_free_words"](CASES[0]) is None
    assert len(modes["both_two_facts"](CASES[0])) < len(sentences(FACTS))
    assert modes["both_two_facts"](CASES[0]) == modes["both_two_facts"](CASES[0])


def test_a_model_that_reads_words_gets_the_words():
    given = given_words("narrative")
    assert given.of_text("Il saigne depuis deux mois.") == "Il saigne depuis deux mois."
    assert set(given.modes("chain")) == {
        "both", "words", "both_in_held_out_wordings", "words_in_held_out_wordings"
    }  # fmt: skip


def test_the_control_is_asked_only_what_it_is_compared_in(given):
    assert set(given.modes("control")) == {"both", "words"}


def test_found_facts_are_kept_and_read_again(tmp_path):
    narratives = tmp_path / "narratives.csv"
    narratives.write_text(
        "patient_id,lesion_id,writer,itch,grew,hurt,changed,bleed,elevation,age,site,voice,text\n"
        "PAT_1,7,c,yes,unsaid,unsaid,unsaid,no,unsaid,70,NOSE,plain,It itches.\n"
    )
    save_found({("PAT_1", "7"): FOUND}, tmp_path / "found.csv")
    assert load_told(tmp_path / "found.csv", narratives) == {("PAT_1", "7"): Told("c", FACTS, FOUND)}


def test_free_words_are_figures_of_each_writer_and_of_nobody_else(given):
    types = LABEL_SETS["pad-ufes-20"]
    run = Run("pad-ufes-20", ImageSettings(), LanguageSettings(base=""))

    def chain(first):
        left, steps = [first, *(type_ for type_ in types if type_ != first)], []
        for keep in (3, 2, 1):
            options = [
                Option(type_, (2.0 if type_ == first else 1.0) / (len(left) + 1), place < keep, 0, 0)
                for place, type_ in enumerate(left)
            ]
            steps.append(Step(tuple(options)))
            left = left[:keep]
        return tuple(steps)

    every = {place: chain(case.type) for place, case in enumerate(CASES)}
    told = {mode: {1: chain("MEL"), 2: chain("NEV")} for mode in ("both_free_words", "both_confirmed_facts")}
    held = {mode: every for mode in given.modes("chain") if mode not in told}
    chains = {"chain": held | told, "control": {"both": every, "words": every}}
    evaluated, _, _ = evaluated_photos(
        run, CASES, np.arange(6) // 3, np.arange(6), [torch.full((6,), 1 / 6)] * 6, chains, given
    )
    free = evaluated.modes["chain_free_words"]
    assert np.isfinite(free).all(1).tolist() == [False, True, True, False, False, False]
    assert types[free[1].argmax()] == "MEL"
    for writer, place in (("a", 1), ("b", 2)):
        rows = evaluated.modes[f"chain_free_words_by_{writer}"]
        assert np.flatnonzero(np.isfinite(rows).all(1)).tolist() == [place]
