"""Exports of several machines, merged into one database."""

from collections.abc import Callable
from pathlib import Path

import made_up_study
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from skin_ai.study import consent, flow
from skin_ai.study.database import StoreError
from skin_ai.study.deck import Deck, DeckCase
from skin_ai.study.export import read_numbered, write
from skin_ai.study.flow import Given
from skin_ai.study.store import Store, open_store
from skin_ai.study.tables import Stage

ORDER = ["answered_at", "reader", "case", "stage"]


def a_deck(*words: str) -> Deck:
    cases = tuple(
        DeckCase(None, text, "", "", None, "MEL", "") for text in words or ("It grew.", "It itches.")
    )
    return Deck(
        "Conference", True, cases, asks_management=True, consent="You take part of your own free will."
    )


@pytest.fixture
def laptop(tmp_path: Path) -> Callable[..., Store]:
    """A machine of a conference: its own database, the same deck, and one reader's answers."""
    opened: list[Store] = []

    def made(deck: Deck, confidence: int = 50) -> Store:
        store = open_store(f"sqlite:///{tmp_path}/{len(opened)}.db")
        opened.append(store)
        reader, deck_id = store.add_clinician("nurse"), store.add_deck(deck)
        consent.agree(store, reader, deck_id)
        for case_id, _ in flow.deck_order(store, reader, deck_id):
            flow.open_deck_case(store, reader, case_id)
            for stage in Stage:
                flow.commit(store, reader, case_id, stage, Given(("MEL",), confidence, "why", "treat"))
            flow.keep_feedback(store, reader, case_id, {"agrees": 4}, "good")
        return store

    return made


def ordered(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values(ORDER, ignore_index=True)


def test_laptops_of_a_conference_become_one_study(laptop, store: Store, tmp_path: Path) -> None:
    laptops = [laptop(a_deck()) for _ in range(3)]
    everything = pd.concat([one.answers() for one in laptops])
    assert everything["case"].nunique() == 2  # the same deck has the same cases everywhere
    store.add_deck(a_deck())
    for number, one in enumerate(laptops):
        write(one.answers(), tmp_path / f"export-{number}", "csv")
        assert store.add_answers(*read_numbered(tmp_path / f"export-{number}")) == 4
    assert_frame_equal(ordered(store.answers()), ordered(everything))
    assert store.answers()["consented_at"].notna().all()
    assert [(deck.name, size) for deck, size in store.decks()] == [("Conference", 2)]


def test_export_that_is_imported_twice_adds_nothing(laptop, store: Store) -> None:
    one = laptop(a_deck())
    first = one.answers()
    assert store.add_answers(first.head(3)) == 3
    assert store.add_answers(first) == 1  # what came since
    assert store.add_answers(first) == 0
    assert_frame_equal(ordered(store.answers()), ordered(first))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("confidence", 90),
        ("management", "reassure"),
        ("rank_1", "NEV"),
        ("truth", "NEV"),
        ("role", "student"),
    ],
)
def test_rows_that_contradict_the_database_are_refused_with_their_lines(
    laptop, store: Store, tmp_path: Path, column: str, value: object
) -> None:
    answers = laptop(a_deck()).answers()
    store.add_answers(answers)
    before = ordered(store.answers())
    other = pd.concat([answers, laptop(a_deck()).answers()], ignore_index=True)
    # A case and a reader are the same in all their rows.
    other.loc[slice(None) if column in ("truth", "role") else 2, column] = value
    write(other, tmp_path / "export", "csv")
    with pytest.raises(StoreError) as error:
        store.add_answers(*read_numbered(tmp_path / "export"))
    named = {"rank_1": "ranks", "truth": "reference"}.get(column, column)
    assert f"row 4, {named}: " in str(error.value)
    assert_frame_equal(ordered(store.answers()), before)  # nor is the new reader of that file added


def test_deck_with_other_cases_under_the_same_name_is_refused(laptop, store: Store) -> None:
    store.add_deck(a_deck("It grew.", "It bleeds."))
    with pytest.raises(StoreError, match="row 2, case: the deck 'Conference' here has other cases"):
        store.add_answers(laptop(a_deck()).answers())
    assert store.readers() == []


def test_study_of_two_halves_is_the_whole_study(store: Store) -> None:
    whole = made_up_study.with_management(made_up_study.answers(4, 10))
    half = whole["reader"].isin(sorted(whole["reader"].unique())[:2])
    ids = {case: f"{place:08x}{'0' * 24}" for place, case in enumerate(sorted(whole["case"].unique()))}
    whole["case"] = whole["case"].map(ids)
    for part in (whole[half], whole[~half]):
        store.add_answers(part.reset_index(drop=True))
    without_gaps = [f"rank_{place}" for place in (2, 3, 4)]  # ranks close up where one was left out
    left, right = (ordered(table).drop(columns=without_gaps) for table in (store.answers(), whole))
    assert_frame_equal(left, right)


def test_result_of_another_machine_may_differ_in_its_last_digits_only(store: Store) -> None:
    answers = made_up_study.answers(2, 5)
    one = answers["reader"] == answers["reader"].iloc[0]
    ids = {case: f"{place:08x}{'0' * 24}" for place, case in enumerate(sorted(answers["case"].unique()))}
    answers["case"] = answers["case"].map(ids)
    store.add_answers(answers[one].reset_index(drop=True))

    def moved(by: float) -> pd.DataFrame:
        rows = answers[~one].reset_index(drop=True)
        rows["ai_answer"] = [tuple((type_, p + by) for type_, p in ai) for ai in rows["ai_answer"]]
        return rows

    with pytest.raises(StoreError, match="ai_answer: the database has another result"):
        store.add_answers(moved(0.02))
    assert store.add_answers(moved(1e-5)) == len(answers[~one])
