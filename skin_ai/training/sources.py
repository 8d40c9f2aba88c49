"""Several data sets as one list of cases."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from random import Random

from skin_ai.diseases import LABEL_SETS
from skin_ai.predict.narrative import Facts, sentences
from skin_ai.training.collection import load_collection
from skin_ai.training.datasets import Case, load_cases
from skin_ai.training.scin import load_scin
from skin_ai.training.stories import STORIES_SOURCE, load_stories, varied
from skin_ai.training.telling import silence, tell

log = logging.getLogger(__name__)

PAD_UFES_20, SCIN = "pad-ufes-20", "scin"


def load_sources(
    folders: Mapping[str, Path], types: tuple[str, ...], *, require_photos: bool = False
) -> list[Case]:
    """The cases of all data sets, name -> folder; with the stories where the label set is theirs.

    Cases with neither photo nor words are left out. Raises DatasetError.
    """
    cases: list[Case] = []
    for name, folder in folders.items():
        if name == PAD_UFES_20:
            cases += load_cases(folder, types, require_photos=require_photos)
        else:
            cases += load_scin(folder, types) if name == SCIN else load_collection(folder, types, name)
    if types == LABEL_SETS["skin-26"]:
        cases += story_cases()
    usable = [case for case in cases if case.photo is not None or case.story or case.facts.said]
    if len(usable) < len(cases):
        log.info("%d cases have neither photo nor words and are left out", len(cases) - len(usable))
    return usable


def story_cases() -> list[Case]:
    """One case a story; its voice takes the place of the patient, because stories are split by voice."""
    return [
        Case(f"story {number}", story.voice, story.type, Facts(), None, STORIES_SOURCE, story.text)
        for number, story in enumerate(load_stories(), start=1)
    ]


MOST_SILENT = 0.8  # largest mean share of a training case's facts that is left unsaid
AS_FORM = 0.5  # of SCIN's training cases use the form's sentences, as all do in the evaluation


def training_words(case: Case, rng: Random, *, as_facts: bool = False) -> str:
    """A random wording of a case's facts, or a variant of its story, often with some of it left out.

    as_facts: always the form's sentences.
    """
    if case.story:
        return varied(case.story, rng)
    is_form = as_facts or (case.source == SCIN and rng.random() < AS_FORM)
    facts = silence(case.facts.known if is_form else case.facts, rng, fraction=rng.uniform(0, MOST_SILENT))
    return sentences(facts) if is_form else tell(facts, rng)


def evaluation_words(case: Case, *, held_out: bool = False) -> str:
    """The complete words of a case, the same at every call; SCIN's in the form's sentences.

    held_out: facts in held-out wordings.
    """
    if case.story:
        return case.story
    if case.source == SCIN:
        return sentences(case.facts)
    return tell(case.facts, Random(case.key), held_out=held_out)
