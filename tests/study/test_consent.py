"""Consent before the first case, withdrawal, and what who runs a study sees of its readers."""

import hashlib

import made_up_study
import pytest
from sqlalchemy import func, select

from skin_ai.study import consent, flow, overview, statistics
from skin_ai.study.deck import Deck, DeckCase
from skin_ai.study.flow import FlowError, Given
from skin_ai.study.store import Store
from skin_ai.study.tables import Base, Case, Stage

TEXT = "You take part of your own free will."
ANSWER = Given(("MEL",), 50)


def a_deck(name: str = "Spring", text: str = TEXT) -> Deck:
    cases = tuple(DeckCase(None, f"{name} {place}", "", "", None, "MEL", "") for place in range(6))
    return Deck(name, True, cases, consent=text)


def read(store: Store, reader: str, deck_id: str, cases: int) -> None:
    for case_id, _ in flow.deck_order(store, reader, deck_id)[:cases]:
        flow.open_deck_case(store, reader, case_id)
        for stage in Stage:
            flow.commit(store, reader, case_id, stage, ANSWER)


def test_no_case_is_opened_before_consent(store: Store, reader: str) -> None:
    deck_id = store.add_deck(a_deck())
    with pytest.raises(FlowError, match="Agree to the study's terms"):
        read(store, reader, deck_id, 1)
    consent.agree(store, reader, deck_id)
    given = consent.of_reader(store, reader, deck_id)
    assert given.sha256 == hashlib.sha256(TEXT.encode()).hexdigest()
    consent.agree(store, reader, deck_id)  # once is enough: the first time stands
    assert consent.of_reader(store, reader, deck_id).agreed_at == given.agreed_at
    read(store, reader, deck_id, 1)
    answers = store.answers()
    assert set(answers["consent_sha256"]) == {given.sha256}
    assert set(answers["consented_at"]) == {given.agreed_at}


def test_consent_to_another_deck_is_none(store: Store, reader: str) -> None:
    first, second = store.add_deck(a_deck()), store.add_deck(a_deck("Autumn"))
    consent.agree(store, reader, first)
    with pytest.raises(FlowError, match="Agree"):
        read(store, reader, second, 1)


def test_deck_without_a_text_asks_for_none(store: Store, reader: str) -> None:
    read(store, reader, store.add_deck(a_deck(text="")), 1)
    assert store.answers()["consented_at"].isna().all()


def test_who_withdraws_leaves_a_count_only(store: Store, reader: str, case: Case) -> None:
    deck_id, other_deck = store.add_deck(a_deck()), store.add_deck(a_deck("Autumn", ""))
    never_begun = store.add_deck(a_deck("Winter"))
    stays = store.add_clinician()
    for one in (reader, stays):
        consent.agree(store, one, deck_id)
        read(store, one, deck_id, 2)
        read(store, one, other_deck, 1)
    flow.keep_case(store, reader, case)
    flow.commit(store, reader, case.id, Stage.BEFORE, ANSWER)
    flow.keep_feedback(store, reader, flow.deck_order(store, reader, deck_id)[0][0], {"agrees": 5}, "mine")
    kept = store.answers(reader=stays)
    for _ in range(2):  # a second click counts nothing
        consent.withdraw(store, reader)
    assert {deck.id: deck.withdrawn for deck, _ in store.decks()} == {
        deck_id: 1,
        other_deck: 1,
        never_begun: 0,
    }
    assert store.answers().equals(kept)
    with store.reading() as session:
        for table in Base.metadata.sorted_tables:
            for column in ("clinician", "code", "owner"):
                if column in table.columns:
                    found = select(func.count()).select_from(table).where(table.columns[column] == reader)
                    assert session.scalar(found) == 0, table.name


def test_progress_of_readers_and_whom_to_remind(store: Store) -> None:
    deck_id = store.add_deck(a_deck(text=""))
    done, begun = store.add_clinician(), store.add_clinician()
    store.add_clinician()  # has not begun, so is no reader of this deck
    read(store, done, deck_id, 6)
    read(store, begun, deck_id, 2)
    flow.open_deck_case(store, begun, flow.deck_order(store, begun, deck_id)[2][0])
    found = overview.of_readers(store, deck_id)
    assert [(one.reader, one.finished) for one in found] == [(begun, 2), (done, 6)]
    assert found[1].last == store.answers(reader=done)["answered_at"].max()
    assert found[0].last > store.answers(reader=begun)["answered_at"].max()
    assert overview.to_remind(found, 6) == [begun]


def test_difficulty_of_cases_is_their_accuracy(store: Store) -> None:
    answers = made_up_study.answers(6, 4, seed=5)
    store.add_answers(answers)
    found = overview.of_cases(store, made_up_study.DECK)
    readings = statistics.readings(store.answers())
    right = readings.assign(right=statistics.correct(readings, "before")).groupby("case")["right"].mean()
    assert {one.case: one.right_before.value for one in found} == right.to_dict()
    assert [one.right_before.value for one in found] == sorted(right)
