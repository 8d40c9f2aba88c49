"""The score of a day at a conference: visitors and the AI on the same samples."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import and_, select

from skin_ai.study.store import Store
from skin_ai.study.tables import Answer, Case, Reading, Run, Stage

# Percent, the middle of each third of the scale. A visitor's answer to a sample has no final one, so it is in
# none of the figures of `statistics.py`, where confidence has five steps.
SURENESS: Final = {17: "a guess", 50: "fairly sure", 83: "very sure"}


@dataclass(frozen=True)
class Score:
    """n: answers to samples that the AI answered too; the others: how many of them were right, by whom."""

    n: int
    visitors: int
    ai: int


def score(store: Store, since: datetime) -> Score:
    """Of each visitor the first answer to each sample since a time, and the AI's to the same case.

    An AI that is not sure between several types is not right.
    """
    answer, undecided = Run.result["answer"], Run.result["undecided"]
    query = (
        select(Answer.clinician, Case.sample, Answer.ranks, Case.reference, answer, undecided)
        .join(Case, Case.id == Answer.case_id)
        .join(Reading, and_(Reading.clinician == Answer.clinician, Reading.case_id == Answer.case_id))
        .join(Run, Run.id == Reading.run_id)
        .where(Answer.stage == Stage.BEFORE, Answer.answered_at >= since, Case.sample != "")
        .order_by(Answer.answered_at, Answer.id)
    )
    first: dict[tuple[str, str], tuple[bool, bool]] = {}
    with store.reading() as session:
        for visitor, sample, ranks, reference, ranking, candidates in session.execute(query):
            is_right = bool(ranking) and not candidates and ranking[0]["type"] == reference
            first.setdefault((visitor, sample), (ranks[0] == reference, is_right))
    return (
        Score(len(first), *(sum(who) for who in zip(*first.values(), strict=True)))
        if first
        else Score(0, 0, 0)
    )
