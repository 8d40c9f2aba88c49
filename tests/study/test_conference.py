"""The score of a day at a conference."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from skin_ai.study import conference, flow, statistics
from skin_ai.study.conference import Score
from skin_ai.study.flow import Given
from skin_ai.study.store import Store
from skin_ai.study.tables import Case, Reading, Run, Stage

MORNING = datetime.now(UTC) - timedelta(hours=1)


def answered(
    store: Store, visitor: str, sample: str, own: str, ai: str | None, undecided: Sequence[str] = ()
) -> str:
    """The case of a visitor who answered a melanoma; ai: its first type, None where it has not run."""
    case_id = uuid4().hex
    flow.keep_case(store, visitor, Case(id=case_id, sample=sample, narrative="It grew.", reference="MEL"))
    flow.commit(store, visitor, case_id, Stage.BEFORE, Given((own,), 50))
    if ai is not None:
        result = {"answer": [{"type": ai, "probability": 0.6}], "undecided": list(undecided)}
        with store.writing() as session:
            run = Run(case_id=case_id, bundle="b", bundle_version="1", bundle_sha256="0" * 64, result=result)
            session.add(run)
            session.flush()
            session.get_one(Reading, (visitor, case_id)).run_id = run.id
    return case_id


def test_visitors_and_the_ai_are_counted_on_the_same_cases(store: Store) -> None:
    assert conference.score(store, MORNING) == Score(0, 0, 0)
    one, other = store.add_clinician(), store.add_clinician()
    answered(store, one, "a", "MEL", "MEL")
    answered(store, one, "b", "other", "MEL")
    answered(store, other, "a", "MEL", "NEV")
    answered(store, other, "b", "MEL", None)  # the AI has not answered
    answered(store, other, "", "MEL", "MEL")  # a case of their own
    assert conference.score(store, MORNING) == Score(3, 2, 2)


def test_ai_that_is_not_sure_is_not_right(store: Store) -> None:
    answered(store, store.add_clinician(), "a", "NEV", "MEL", undecided=["MEL", "NEV"])
    assert conference.score(store, MORNING) == Score(1, 0, 0)


def test_only_the_first_answer_of_a_visitor_to_a_sample_counts(store: Store) -> None:
    visitor = store.add_clinician()
    answered(store, visitor, "a", "NEV", "MEL")
    answered(store, visitor, "a", "MEL", "MEL")
    assert conference.score(store, MORNING) == Score(1, 0, 1)


def test_answers_of_the_day_before_do_not_count(store: Store) -> None:
    answered(store, store.add_clinician(), "a", "MEL", "MEL")
    assert conference.score(store, datetime.now(UTC) + timedelta(hours=1)) == Score(0, 0, 0)


@pytest.mark.parametrize("sure", conference.SURENESS)
def test_three_steps_of_confidence_are_in_no_figure(store: Store, sure: int) -> None:
    """They would be pooled with the five steps of decks."""
    visitor = store.add_clinician()
    case_id = answered(store, visitor, "a", "MEL", "MEL")
    answers = store.answers()
    assert list(answers["case"]) == [case_id]
    assert statistics.readings(answers).empty
    left = statistics.unfinished(answers)
    assert not statistics.is_scored(left).any()
