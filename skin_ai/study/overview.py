"""For who runs a study: how far each reader of a deck is, whom to remind, and how difficult each case is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from skin_ai.intervals import Estimate
from skin_ai.study import statistics
from skin_ai.study.store import Store
from skin_ai.study.tables import Answer, Case, Reading, Stage


@dataclass(frozen=True)
class OfReader:
    """One reader who has begun the deck. finished: cases; last: when they opened or answered one."""

    reader: str
    finished: int
    last: datetime


@dataclass(frozen=True)
class OfCase:
    """right_before, right_after: how often the first diagnosis was right, of all finished readings."""

    case: str
    narrative: str
    truth: str
    right_before: Estimate
    right_after: Estimate


def of_readers(store: Store, deck_id: str) -> list[OfReader]:
    """All readers who have begun the deck, those who finished least first."""
    of_deck = select(Case.id).where(Case.deck_id == deck_id)
    with store.reading() as session:
        readings = session.scalars(select(Reading).where(Reading.case_id.in_(of_deck))).all()
        answers = session.scalars(select(Answer).where(Answer.case_id.in_(of_deck))).all()
    finished = Counter(one.clinician for one in answers if one.stage == Stage.AFTER)
    last: dict[str, datetime] = {}
    for reader, moment in (
        *((one.clinician, one.opened_at) for one in readings),
        *((one.clinician, one.answered_at) for one in answers),
    ):
        last[reader] = max(moment, last.get(reader, moment))
    found = [OfReader(reader, finished[reader], moment) for reader, moment in last.items()]
    return sorted(found, key=lambda one: (one.finished, one.reader))


def to_remind(readers: Sequence[OfReader], size: int) -> list[str]:
    """The readers who have not finished all cases of a deck of this size."""
    return [one.reader for one in readers if one.finished < size]


def of_cases(store: Store, deck: str) -> list[OfCase]:
    """All cases that somebody finished, the most difficult first, those with few readings last."""
    answers = store.answers(deck=deck)
    readings = statistics.readings(answers, second_looks=True)
    words = dict(zip(answers["case"], answers["narrative"], strict=True))
    found = []
    for case, rows in readings.groupby("case"):
        rows = rows.reset_index(drop=True)
        right = [statistics.accuracy(rows, stage) for stage in statistics.STAGES]
        found.append(OfCase(str(case), str(words[case]), str(rows["truth"].iloc[0]), *right))
    return sorted(found, key=lambda one: (one.right_before.value is None, one.right_before.value or 0.0))
