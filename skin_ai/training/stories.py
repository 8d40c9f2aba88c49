"""Narratives for training: facts that are left out at random, and facts of nobody for learning to read."""

from __future__ import annotations

from random import Random

from skin_ai.narrative import SITES, SYMPTOMS, Answer, Facts, silence, tell

MOST_SILENT = 0.35  # of a training case's facts are left unsaid at most, on average


def training_narrative(facts: Facts, rng: Random) -> str:
    """The facts in a new wording, some of them unsaid."""
    return tell(silence(facts, rng, fraction=rng.uniform(0, MOST_SILENT)), rng)


def evaluation_narrative(facts: Facts, key: str, *, held_out: bool = False) -> str:
    """All facts of a case as one patient might tell them, the same at every call.

    held_out: in wordings that no model was trained on.
    """
    return tell(facts, Random(key), held_out=held_out)


def random_facts(rng: Random) -> Facts:
    """Facts of nobody, each independent of the others, so that reading cannot guess one from another."""
    answers = (Answer.YES, Answer.NO, Answer.UNKNOWN, Answer.UNSAID)
    symptoms = {symptom: rng.choices(answers, (0.37, 0.37, 0.1, 0.16))[0] for symptom in SYMPTOMS}
    age = rng.randint(5, 95) if rng.random() < 0.85 else None
    site = rng.choice(SITES) if rng.random() < 0.85 else None
    return Facts(age=age, site=site, **symptoms)
