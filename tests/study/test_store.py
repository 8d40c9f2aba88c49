"""Readers, decks and the answers table, the same on each database."""

import sqlite3
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import made_up_study
import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from PIL import Image
from sqlalchemy import func, select

from skin_ai.study import flow
from skin_ai.study.database import StoreError
from skin_ai.study.deck import Deck, DeckCase
from skin_ai.study.flow import Given
from skin_ai.study.store import ANSWER_COLUMNS, RANKS, SCALES, Store, open_store
from skin_ai.study.stored_photo import StoredPhoto, as_png
from skin_ai.study.tables import Answer, Base, Case, Clinician, Reading, Run, Stage, now

TYPES = {
    **dict.fromkeys(ANSWER_COLUMNS, "str"),
    "ai_answer": "object",
    "ai_undecided": "str",
    **dict.fromkeys(("facts_extracted", "facts_confirmed"), "object"),
    **dict.fromkeys(("blinded", "repeat"), "bool"),
    **dict.fromkeys(("answered_at", "consented_at"), "datetime64[us, UTC]"),
    "seconds": "float64",
    "confidence": "int64",
    **dict.fromkeys(("malignancy", "fitzpatrick", *SCALES), "Int64"),
}


@pytest.fixture
def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (70, 90, 3), np.uint8)


def a_deck(name: str = "Nevi or not", photo: np.ndarray | None = None) -> Deck:
    cases = (
        DeckCase(
            None if photo is None else StoredPhoto.of(photo),
            "It grew.",
            "40-59",
            "BACK",
            3,
            "MEL",
            "Look at the network.",
        ),
        DeckCase(None, "It itches.", "", "", None, "granuloma annulare", ""),
    )
    return Deck(name, True, cases)


def cases_of(store: Store, deck_id: str) -> list[str]:
    with store.reading() as session:
        return list(session.scalars(select(Case.id).where(Case.deck_id == deck_id)))


def answer(store: Store, reader: str, case_id: str, *stages: Stage) -> None:
    for stage in stages:
        flow.commit(store, reader, case_id, stage, Given(("MEL", "clear cell acanthoma"), 70, "the edge"))


def run_of(store: Store, reader: str, case_id: str, sha256: str = "a" * 64) -> None:
    """A run as `flow.reveal` keeps it."""
    with store.writing() as session:
        ranking = [
            {"type": "MEL", "name": "melanoma", "probability": 0.75},
            {"type": "NEV", "probability": 0.25},
        ]
        run = Run(
            case_id=case_id,
            bundle="pad",
            bundle_version="0.1.0",
            bundle_sha256=sha256,
            result={"answer": ranking, "undecided": ["MEL", "NEV"]},
        )
        session.add(run)
        session.flush()
        session.get(Reading, (reader, case_id)).run_id = run.id


def rows_of(store: Store) -> dict[str, int]:
    """Number of rows of each table."""
    with store.reading() as session:
        return {
            table.name: session.scalar(select(func.count()).select_from(table))
            for table in Base.metadata.sorted_tables
        }


# Readers


def test_reader_can_say_later_who_they_are(store: Store) -> None:
    code = store.add_clinician()
    store.describe_clinician(code, "student", "over 20")
    found = store.clinician(code)
    assert found is not None and (found.role, found.years_of_practice) == ("student", "over 20")
    store.describe_clinician("nobody", "student", "")


def test_pseudonyms_differ(store: Store) -> None:
    pseudonyms = {store.add_clinician() for _ in range(30)}
    assert len(pseudonyms) == 30
    assert all(len(one) == 10 and not set(one) & set("01ILO") for one in pseudonyms)


def test_only_roles_and_years_that_the_app_offers_are_kept(store: Store) -> None:
    """A forged choice could be any text, and would stand in exports and on the Compare page."""
    reader = store.add_clinician("=cmd|' /C calc'!A0", "<script>")
    store.describe_clinician(store.add_clinician("nurse"), "nurse", "a thousand")
    assert (store.clinician(reader).role, store.clinician(reader).years_of_practice) == ("", "")
    with store.reading() as session:
        assert set(session.scalars(select(Clinician.years_of_practice))) == {""}


def test_counts_are_since_a_moment(store: Store, reader: str, case: Case) -> None:
    flow.keep_case(store, reader, case)
    answer(store, reader, case.id, Stage.BEFORE)
    assert store.counts(now() - timedelta(minutes=1)) == (1, 1)
    assert store.counts(now() + timedelta(minutes=1)) == (0, 0)


def test_moments_are_in_utc_whatever_they_were_written_in(store: Store, reader: str) -> None:
    written = datetime(2026, 3, 29, 3, 30, tzinfo=UTC) + timedelta(microseconds=123_456)
    elsewhere = written.astimezone(datetime.strptime("+0545", "%z").tzinfo)
    with store.writing() as session:
        session.get(Clinician, reader).joined_at = elsewhere
    found = store.clinician(reader)
    assert found is not None and found.joined_at == written and found.joined_at.utcoffset() == timedelta(0)
    assert store.counts(written) == (1, 0) and store.counts(elsewhere + timedelta(seconds=1)) == (0, 0)


@pytest.mark.parametrize("written", ["a\0b", "a\ud800b", "a\udfffb", "\0"])
def test_what_no_database_takes_is_left_out(store: Store, reader: str, case: Case, written: str) -> None:
    case.narrative = written
    flow.keep_case(store, reader, case)
    answer(store, reader, case.id, Stage.BEFORE)
    kept = store.answers()["narrative"][0]
    assert kept == written.replace("\0", "").encode(errors="replace").decode()
    assert flow.progress(store, reader, written) is None
    assert store.answers(deck=written).empty == (written != "\0")


@pytest.mark.parametrize(
    "written", ["👩🏽‍⚕️ 皮肤癌", "'; DROP TABLE cases; --", '{"a": "\\u0000"}', "%s :a ?", "=1+1"]
)
def test_text_comes_back_as_written(store: Store, reader: str, case: Case, written: str) -> None:
    case.narrative = written
    flow.keep_case(store, reader, case)
    flow.commit(store, reader, case.id, Stage.BEFORE, Given((written,), 1, written))
    row = store.answers().iloc[0]
    assert (row["narrative"], row["rank_1"], row["reason"]) == (written, written, written)


# Decks


def test_deck_is_kept_with_its_cases_in_one_go(store: Store, reader: str, photo: np.ndarray) -> None:
    deck_id = store.add_deck(a_deck(photo=photo))
    [(deck, size)] = store.decks()
    assert (deck.id, deck.name, deck.shows_reference, size) == (deck_id, "Nevi or not", True, 2)
    assert deck.loaded_at.utcoffset() == timedelta(0)
    with store.reading() as session:
        cases = session.scalars(select(Case).where(Case.deck_id == deck_id).order_by(Case.narrative)).all()
    first, second = cases
    assert (first.narrative, first.age_band, first.body_site, first.fitzpatrick) == (
        "It grew.",
        "40-59",
        "BACK",
        3,
    )
    assert (first.reference, first.explanation, first.owner) == ("MEL", "Look at the network.", None)
    assert (second.reference, second.fitzpatrick) == ("granuloma annulare", None)
    assert np.array_equal(flow.kept_photo(store, first.id), photo)
    assert flow.kept_photo(store, second.id) is None


def test_deck_of_the_same_name_is_refused_and_decks_are_sorted(store: Store) -> None:
    for name in ("b", "a"):
        store.add_deck(a_deck(name))
    with pytest.raises(StoreError, match="“a” exists: delete it, or rename"):
        store.add_deck(a_deck("a"))
    assert [deck.name for deck, _ in store.decks()] == ["a", "b"]
    assert rows_of(store)["cases"] == 4


def test_deck_that_cannot_be_kept_leaves_nothing(store: Store) -> None:
    broken = Deck("x", True, (*a_deck().cases, DeckCase(None, "", "", "", object(), "", "")))
    with pytest.raises(StoreError, match="Not saved"):
        store.add_deck(broken)
    assert set(rows_of(store).values()) == {0}


def test_deleted_deck_is_gone_with_all_answers_to_it(
    store: Store, reader: str, case: Case, photo: np.ndarray, tmp_path: Path
) -> None:
    case.sample = "own"
    flow.keep_case(store, reader, case)
    answer(store, reader, case.id, Stage.BEFORE)
    other = store.add_deck(a_deck("stays", photo))
    before = rows_of(store)
    deck_id = store.add_deck(a_deck("goes", photo))
    for second in (reader, store.add_clinician()):
        for case_id in cases_of(store, deck_id):
            flow.open_deck_case(store, second, case_id)
            answer(store, second, case_id, Stage.BEFORE)
            run_of(store, second, case_id, sha256=second.ljust(64))
            answer(store, second, case_id, Stage.AFTER)
            flow.keep_feedback(store, second, case_id, {"agrees": 5}, "unmistakable remark")
    store.delete_deck(deck_id)
    assert rows_of(store) == {**before, "clinicians": 2}
    assert [deck.id for deck, _ in store.decks()] == [other]
    assert_forgotten(tmp_path, "unmistakable remark")
    store.delete_deck(deck_id)


def assert_forgotten(folder: Path, words: str) -> None:
    """SQLite's files hold the words nowhere; PostgreSQL has none in the folder."""
    for file in folder.glob("a.db*"):
        assert words.encode() not in file.read_bytes(), file


def test_delete_is_not_held_up_by_an_error_of_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who reads meanwhile keeps the log from being emptied; the deletion itself stands."""
    monkeypatch.setattr("skin_ai.study.database.READERS_SECONDS", 0.05)
    store = open_store(f"sqlite:///{tmp_path}/a.db")
    deck_id = store.add_deck(a_deck())
    with sqlite3.connect(tmp_path / "a.db") as other:
        other.execute("BEGIN")
        assert other.execute("SELECT count(*) FROM decks").fetchone() == (1,)
        store.delete_deck(deck_id)
        assert not store.decks()
    store.forget_deleted()
    assert_forgotten(tmp_path, "It itches.")


def test_png_holds_pixels_and_nothing_else(photo: np.ndarray) -> None:
    png = as_png(photo)
    names, place = [], 8
    while place < len(png):
        length = int.from_bytes(png[place : place + 4])
        names.append(png[place + 4 : place + 8])
        place += length + 12
    assert set(names) == {b"IHDR", b"IDAT", b"IEND"}
    assert np.array_equal(np.asarray(Image.open(BytesIO(png))), photo)


# The answers table


def test_answers_of_an_empty_database_have_the_same_columns_and_types(store: Store) -> None:
    table = store.answers()
    assert table.empty and {column: str(type_) for column, type_ in table.dtypes.items()} == TYPES
    assert list(table) == list(ANSWER_COLUMNS)


def test_answers_tell_all_of_a_reading(store: Store, reader: str) -> None:
    start = now()
    deck_id = store.add_deck(a_deck())
    with store.reading() as session:
        case = session.scalars(select(Case).where(Case.deck_id == deck_id, Case.reference == "MEL")).one()
    flow.open_deck_case(store, reader, case.id)
    answer(store, reader, case.id, Stage.BEFORE)
    run_of(store, reader, case.id)
    answer(store, reader, case.id, Stage.AFTER)
    flow.keep_feedback(store, reader, case.id, {"agrees": 5, "would_use": 1}, "clear")
    table = store.answers()
    assert {column: str(type_) for column, type_ in table.dtypes.items()} == TYPES
    assert list(table) == list(ANSWER_COLUMNS)
    assert table["answered_at"].between(start, now()).all()
    before, after = (
        table.drop(columns=["answered_at", "seconds"])
        .astype(object)
        .where(table.notna(), None)
        .to_dict("records")
    )
    assert before == {
        "reader": reader,
        "role": "general practitioner",
        "years_of_practice": "3-5",
        "deck": "Nevi or not",
        "consent_sha256": "",
        "consented_at": None,
        "case": case.id,
        "sample": "",
        "stage": "before",
        "blinded": True,
        "repeat": False,
        "arm": "",
        "rank_1": "MEL",
        "rank_2": "clear cell acanthoma",
        "rank_3": "",
        "rank_4": "",
        "confidence": 70,
        "management": "",
        "malignancy": None,
        "reason": "the edge",
        "age_band": "40-59",
        "body_site": "BACK",
        "fitzpatrick": 3,
        "truth": "MEL",
        "bundle": "pad",
        "bundle_version": "0.1.0",
        "bundle_sha256": "a" * 64,
        "ai_answer": (("MEL", 0.75), ("NEV", 0.25)),
        "ai_undecided": "MEL NEV",
        **dict.fromkeys(SCALES),
        "comment": "",
        "narrative": "It grew.",
        "facts_extracted": None,
        "facts_confirmed": None,
    }
    assert after == {**before, "stage": "after", "agrees": 5, "would_use": 1, "comment": "clear"}
    assert after["ai_answer"][0] == ("MEL", 0.75)


def test_answer_without_particulars_and_without_a_run(store: Store, reader: str) -> None:
    flow.keep_case(store, reader, Case(id="0" * 32, sample="pearly-bump"))
    answer(store, reader, "0" * 32, Stage.BEFORE)
    row = store.answers().iloc[0]
    assert row["sample"] == "pearly-bump"
    empty = row[["deck", "age_band", "body_site", "truth", "bundle", "bundle_sha256", "comment"]]
    assert set(empty) == {""}
    assert row["ai_answer"] is None
    assert row[["fitzpatrick", *SCALES]].isna().all()


def test_answers_are_filtered_by_deck_and_reader(store: Store) -> None:
    readers = [store.add_clinician() for _ in range(2)]
    ids = [store.add_deck(a_deck(name)) for name in ("one", "two")]
    for number, reader in enumerate(readers):
        flow.keep_case(store, reader, Case(id=f"{number}" * 32))
        answer(store, reader, f"{number}" * 32, Stage.BEFORE)
        for deck_id in ids:
            for case_id in cases_of(store, deck_id):
                flow.open_deck_case(store, reader, case_id)
                answer(store, reader, case_id, Stage.BEFORE)
    assert len(store.answers()) == 10 and store.answers()["answered_at"].is_monotonic_increasing
    assert set(store.answers(deck="one")["deck"]) == {"one"} and len(store.answers(deck="one")) == 4
    assert set(store.answers(deck="")["deck"]) == {""} and len(store.answers(deck="")) == 2
    assert set(store.answers(reader=readers[1])["reader"]) == {readers[1]}
    assert len(store.answers(deck="two", reader=readers[0])) == 2
    assert set(store.answers(except_decks={"one"})["deck"]) == {"two", ""}
    for empty in (store.answers(deck="three"), store.answers(reader="nobody"), store.answers("ONE")):
        assert empty.empty and {column: str(type_) for column, type_ in empty.dtypes.items()} == TYPES


# Import


def test_answers_taken_in_come_out_equal(store: Store) -> None:
    answers = made_up_study.answers(5, 12)
    without_gaps = [sorted(ranks, key=lambda rank: rank == "") for ranks in answers[[*RANKS]].to_numpy()]
    answers[[*RANKS]] = pd.DataFrame(without_gaps, dtype="str")
    unanswered = answers.index[answers["stage"] == "after"][3]
    answers.loc[unanswered, [*SCALES]] = pd.NA
    answers.loc[unanswered, "comment"] = ""
    store.add_answers(answers)
    assert_frame_equal(store.answers(), answers)
    assert {deck.name: size for deck, size in store.decks()} == {made_up_study.DECK: 12}


def test_answers_to_own_cases_and_samples_are_taken_in(
    store: Store, reader: str, case: Case, tmp_path: Path
) -> None:
    flow.keep_case(store, reader, case)
    answer(store, reader, case.id, Stage.BEFORE)
    run_of(store, reader, case.id)
    flow.keep_case(store, reader, Case(id="5" * 32, sample="pearly-bump"))
    flow.show_at_once(store, reader, "5" * 32)
    answer(store, reader, "5" * 32, Stage.AFTER)
    flow.keep_feedback(store, reader, "5" * 32, {}, "only words")
    copy = open_store(f"sqlite:///{tmp_path}/copy.db")
    copy.add_answers(store.answers())
    assert_frame_equal(copy.answers(), store.answers())
    # And it can be gone on with.
    answer(copy, reader, case.id, Stage.AFTER)
    flow.delete_case(copy, reader, case.id)
    assert set(copy.answers()["case"]) == {"5" * 32}


def test_empty_table_is_taken_in(store: Store) -> None:
    store.add_answers(store.answers())
    assert set(rows_of(store).values()) == {0}


def test_halves_of_surrogate_pairs_in_an_import_are_left_out(store: Store) -> None:
    answers = made_up_study.answers(1, 2)
    answers["rank_1"] = answers["rank_1"].astype(object)
    answers.loc[0, "rank_1"] = "odd \ud800 diagnosis\0"
    store.add_answers(answers)
    assert store.answers()["rank_1"][0] == "odd ? diagnosis"


def test_import_that_fails_leaves_nothing(store: Store) -> None:
    answers = made_up_study.answers(2, 4)
    other = pd.concat([answers, answers.tail(1).assign(confidence=1)], ignore_index=True)
    with pytest.raises(StoreError, match="confidence"):
        store.add_answers(other)
    assert set(rows_of(store).values()) == {0}


def test_an_answer_has_at_most_one_row_a_stage(store: Store, reader: str, case: Case) -> None:
    """Whoever writes: the database itself refuses."""
    flow.keep_case(store, reader, case)
    answer(store, reader, case.id, Stage.BEFORE)
    again = Answer(
        clinician=reader, case_id=case.id, stage=Stage.BEFORE, blinded=True, ranks=[], confidence=1, seconds=1
    )
    with pytest.raises(StoreError, match=r"Not saved: .*(UNIQUE|unique)"), store.writing() as session:
        session.add(again)
    assert store.answers()[[*RANKS]].iloc[0].tolist() == ["MEL", "clear cell acanthoma", "", ""]
