"""A reader's way through a case: what is saved when, what may be seen when, and by whom."""

import io
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import func, select

from skin_ai.predict.bundle import Bundle
from skin_ai.predict.diagnose import Diagnosis, diagnose
from skin_ai.predict.narrative import NarrativeError
from skin_ai.study import database, flow
from skin_ai.study.deck import Deck, DeckCase, small
from skin_ai.study.flow import Awaits, FlowError, Given
from skin_ai.study.store import Store
from skin_ai.study.stored_photo import StoredPhoto, pixels_sha256
from skin_ai.study.tables import Base, Case, Run, Stage, now
from skin_ai.views.case.samples import SAMPLES

ANSWER = Given(("MEL", "NEV"), 60, "the edge")
OTHER = Given(("BCC",), 10)
OWN = "0123456789abcdef0123456789abcdef"
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
ALREADY_SEEN = "already seen the AI's result"


@pytest.fixture(scope="session")
def diagnosis(bundle: Bundle) -> Diagnosis:
    return diagnose(None, "The spot on my nose bleeds.", bundle)


@pytest.fixture
def deck_id(store: Store) -> str:
    cases = [DeckCase(None, f"Case {number}", "", "", None, "MEL", "") for number in range(12)]
    return store.add_deck(Deck("A deck", True, tuple(cases)))


def first_case(store: Store, deck_id: str) -> str:
    return flow.deck_order(store, "", deck_id)[0][0]


def rows_of(store: Store) -> dict[str, int]:
    """Tables that hold rows, and how many."""
    with store.reading() as session:
        found = {
            table.name: session.scalar(select(func.count()).select_from(table))
            for table in Base.metadata.sorted_tables
        }
    return {name: rows for name, rows in found.items() if rows}


def never() -> Diagnosis:
    raise AssertionError("the AI was asked")


# What was typed


@pytest.mark.parametrize(
    ("typed", "ranks"),
    [
        (["melanoma"], ("MEL",)),
        (["Basalioma", "mole", "AK", "seborrhoeic wart"], ("BCC", "NEV", "ACK", "SEK")),
        (["BCC", "basal cell carcinoma", "rodent ulcer", "SCC"], ("BCC", "SCC")),
        (["Wells  syndrome ", "wells syndrome"], ("Wells syndrome", "wells syndrome")),
        (["", "  ", "melanoma", "\0"], ("MEL",)),
        (["=1+1", "<b>mole</b>"], ("=1+1", "<b>mole</b>")),
        (["melanoma"] * 9 + ["MM"], ("MEL",)),
    ],
)
def test_names_become_codes_and_anything_else_stays_as_written(
    typed: list[str], ranks: tuple[str, ...]
) -> None:
    assert flow.given(typed, 0, " why\nnot ") == Given(ranks, 0, "why not")


@pytest.mark.parametrize(
    ("typed", "confidence", "reason", "error", "said"),
    [
        ([], 50, "", FlowError, "at least one diagnosis"),
        (["", " "], 50, "", FlowError, "at least one diagnosis"),
        (["BCC", "SCC", "MEL", "NEV", "other"], 50, "", FlowError, "at most 4"),
        (["BCC"], None, "", FlowError, "how confident"),
        (["x" * 101], 50, "", NarrativeError, "at most 100"),
        (["BCC"], 50, "x" * 2001, NarrativeError, "at most 2,000"),
    ],
)
def test_what_an_answer_lacks_is_told(
    typed: list[str], confidence: int | None, reason: str, error: type[ValueError], said: str
) -> None:
    with pytest.raises(error, match=said):
        flow.given(typed, confidence, reason)


# Stages


def test_a_case_goes_from_stage_to_stage(
    store: Store, reader: str, case: Case, bundle: Bundle, diagnosis
) -> None:
    assert flow.progress(store, reader, case.id) is None
    flow.keep_case(store, reader, case)

    def awaits() -> tuple[Awaits, bool]:
        found = flow.progress(store, reader, case.id)
        assert found is not None
        return found.awaits, found.is_revealed

    assert awaits() == (Awaits.BEFORE, False)
    flow.commit(store, reader, case.id, Stage.BEFORE, ANSWER)
    assert awaits() == (Awaits.AFTER, True)
    flow.reveal(store, reader, case.id, bundle, lambda: diagnosis)
    flow.commit(store, reader, case.id, Stage.AFTER, OTHER)
    assert awaits() == (Awaits.FEEDBACK, True)
    flow.keep_feedback(store, reader, case.id, {"agrees": 4}, "good\0")
    assert awaits() == (Awaits.NOTHING, True)
    progress = flow.progress(store, reader, case.id)
    assert (tuple(progress.before.ranks), progress.before.confidence, progress.before.reason) == (
        ("MEL", "NEV"), 60, "the edge",
    )  # fmt: skip
    assert (progress.before.blinded, progress.after.blinded) == (True, True)
    assert timedelta(0) <= now() - progress.before.answered_at < timedelta(minutes=1)
    assert progress.feedback.comment == "good"
    assert (progress.case.age_band, progress.case.body_site, progress.case.fitzpatrick) == (
        "60-79",
        "NOSE",
        2,
    )


@pytest.mark.parametrize("stage", list(Stage))
def test_the_first_answer_of_a_stage_stands(store: Store, reader: str, case: Case, stage: Stage) -> None:
    flow.keep_case(store, reader, case)
    flow.commit(store, reader, case.id, Stage.BEFORE, ANSWER)
    flow.commit(store, reader, case.id, stage, ANSWER)
    for again in (ANSWER, OTHER):
        flow.commit(store, reader, case.id, stage, again)
    answers = store.answers()
    assert answers["stage"].tolist() == list(dict.fromkeys(["before", str(stage)]))
    assert set(answers["rank_1"]) == {"MEL"}


def at_moments(monkeypatch: pytest.MonkeyPatch, *seconds: float) -> None:
    """The database's clock shows these seconds, one after the other."""
    shown = iter(seconds)
    monkeypatch.setattr(database, "clock", lambda session: START + timedelta(seconds=next(shown)))


def test_time_is_counted_by_the_database_with_all_pauses(
    store: Store, reader: str, deck_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = first_case(store, deck_id)
    at_moments(monkeypatch, 0, 100, 400)
    flow.open_deck_case(store, reader, case_id)
    flow.open_deck_case(store, reader, case_id)  # a reload, a day later: the first sight counts
    flow.commit(store, reader, case_id, Stage.BEFORE, ANSWER)
    flow.commit(store, reader, case_id, Stage.AFTER, ANSWER)
    answers = store.answers()
    assert answers["seconds"].tolist() == [100.0, 300.0]
    assert answers["answered_at"].tolist() == [START + timedelta(seconds=100), START + timedelta(seconds=400)]


def test_clock_that_goes_backwards_puts_no_answer_before_another(
    store: Store, reader: str, deck_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = first_case(store, deck_id)
    at_moments(monkeypatch, 1000, 990, 50)
    flow.open_deck_case(store, reader, case_id)
    for stage in Stage:
        flow.commit(store, reader, case_id, stage, ANSWER)
    answers = store.answers()
    assert answers["stage"].tolist() == ["before", "after"]
    assert answers["seconds"].tolist() == [0.0, 0.0]
    assert answers["answered_at"].tolist() == [START + timedelta(seconds=1000)] * 2


def test_own_case_is_timed_from_its_first_photo_or_words(
    store: Store, reader: str, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_moments(monkeypatch, 60, 90)
    flow.keep_case(store, reader, case, begun_at=START)
    flow.keep_case(store, reader, Case(id=case.id, narrative="More words."), begun_at=START + timedelta(1))
    flow.commit(store, reader, case.id, Stage.BEFORE, ANSWER)
    assert store.answers()["seconds"].tolist() == [90.0]


def test_clock_is_that_of_the_database(store: Store) -> None:
    with store.reading() as session:
        first, second = database.clock(session), database.clock(session)
    assert timedelta(0) <= second - first and abs(now() - first) < timedelta(minutes=1)
    assert first.utcoffset() == timedelta(0)


def test_final_answer_needs_one_before(store: Store, reader: str, case: Case) -> None:
    flow.keep_case(store, reader, case)
    with pytest.raises(FlowError, match="Give your own answer first"):
        flow.commit(store, reader, case.id, Stage.AFTER, ANSWER)
    assert store.answers().empty


def test_who_saw_the_ai_at_once_gives_no_blind_answer(store: Store, reader: str, case: Case) -> None:
    flow.keep_case(store, reader, case)
    flow.show_at_once(store, reader, case.id)
    with pytest.raises(FlowError, match=ALREADY_SEEN):
        flow.commit(store, reader, case.id, Stage.BEFORE, ANSWER)
    flow.commit(store, reader, case.id, Stage.AFTER, ANSWER)
    with pytest.raises(FlowError, match=ALREADY_SEEN):
        flow.commit(store, reader, case.id, Stage.BEFORE, ANSWER)
    answers = store.answers()
    assert answers["stage"].tolist() == ["after"] and answers["blinded"].tolist() == [False]


@pytest.mark.parametrize(
    ("asks", "more", "said"),
    [
        ({"asks_management": True}, {}, "what you would do"),
        ({"asks_management": True}, {"management": "wait and see"}, "what you would do"),
        ({"asks_malignancy": True}, {"management": "treat"}, "how likely it is that the lesion is malignant"),
    ],
)
def test_answer_to_a_deck_has_what_the_deck_asks(
    store: Store, reader: str, asks: dict[str, bool], more: dict[str, str], said: str
) -> None:
    cases = (DeckCase(None, "It grew.", "", "", None, "MEL", ""),)
    case_id = first_case(store, store.add_deck(Deck("Asks", True, cases, **asks)))
    flow.open_deck_case(store, reader, case_id)
    with pytest.raises(FlowError, match=said):
        flow.commit(store, reader, case_id, Stage.BEFORE, replace(ANSWER, **more))
    assert store.answers().empty
    for stage, management in zip(Stage, ("treat", "biopsy or refer"), strict=True):
        flow.commit(store, reader, case_id, stage, replace(ANSWER, management=management, malignancy=30))
    answers = store.answers()
    assert answers["management"].tolist() == ["treat", "biopsy or refer"]
    assert answers["malignancy"].tolist() == [30, 30]


def test_show_at_once_after_an_answer_changes_nothing(store: Store, reader: str, case: Case) -> None:
    flow.keep_case(store, reader, case)
    flow.commit(store, reader, case.id, Stage.BEFORE, ANSWER)
    flow.show_at_once(store, reader, case.id)
    flow.commit(store, reader, case.id, Stage.AFTER, ANSWER)
    assert store.answers()["blinded"].tolist() == [True, True]
    assert not flow.progress(store, reader, case.id).reading.unblinded


def test_a_deck_is_read_blind(store: Store, reader: str, deck_id: str, bundle: Bundle) -> None:
    case_id = first_case(store, deck_id)
    flow.open_deck_case(store, reader, case_id)
    with pytest.raises(FlowError, match="In a deck, give your own answer first"):
        flow.show_at_once(store, reader, case_id)
    assert not flow.progress(store, reader, case_id).is_revealed
    with pytest.raises(FlowError, match="only after your own answer"):
        flow.reveal(store, reader, case_id, bundle, never)


@pytest.mark.parametrize(
    "act",
    [
        lambda store, reader: flow.commit(store, reader, OWN, Stage.BEFORE, ANSWER),
        lambda store, reader: flow.show_at_once(store, reader, OWN),
        lambda store, reader: flow.keep_feedback(store, reader, OWN, {}, ""),
        lambda store, reader: flow.open_deck_case(store, reader, OWN),
        lambda store, reader: flow.reveal(store, reader, OWN, None, never),
    ],
)
def test_what_is_not_there_or_of_somebody_else_is_told(
    store: Store, reader: str, case: Case, act: Callable[[Store, str], object]
) -> None:
    with pytest.raises(FlowError):
        act(store, reader)
    flow.keep_case(store, store.add_clinician(), case)
    before = rows_of(store)
    with pytest.raises(FlowError):
        act(store, reader)
    assert rows_of(store) == before


@pytest.mark.parametrize("same", ["photo", "text"])
def test_case_of_a_deck_cannot_be_tried_out_beside_it(
    store: Store, reader: str, case: Case, same: str
) -> None:
    photo = np.random.default_rng(0).integers(0, 255, (60, 90, 3), np.uint8)
    deck_case = DeckCase(StoredPhoto.of(photo), "It  grew, and\nnow it bleeds.", "", "", None, "MEL", "")
    deck_id = store.add_deck(Deck("Spring", True, (deck_case,)))
    case.narrative = "IT grew, and now it bleeds." if same == "text" else "Other words."
    seen = photo.copy() if same == "photo" else None
    with pytest.raises(FlowError, match=f"The deck “Spring” has this {same}"):
        flow.keep_case(store, reader, case, seen=seen)
    assert flow.progress(store, reader, case.id) is None
    case_id = first_case(store, deck_id)
    flow.open_deck_case(store, reader, case_id)
    assert flow.progress(store, reader, case_id).deck_has_photos
    for stage in Stage:
        flow.commit(store, reader, case_id, stage, ANSWER)
    flow.keep_case(store, reader, case, seen=seen)  # once it is finished there, it may be tried out
    assert flow.progress(store, reader, case.id) is not None


PHOTO = np.random.default_rng(0).integers(0, 255, (60, 90, 3), np.uint8)


def repeats(store: Store) -> set[tuple[str, bool]]:
    table = store.answers()
    return set(zip(table["case"], table["repeat"], strict=True))


def saved_again(photo: np.ndarray, quality: int, share: float = 1) -> np.ndarray:
    """As JPEG, at another size."""
    height, width = photo.shape[:2]
    file = io.BytesIO()
    smaller = Image.fromarray(photo).resize((round(width * share), round(height * share)))
    smaller.save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


@pytest.mark.parametrize(("quality", "share"), [(90, 1.0), (70, 1.0), (80, 0.5)])
def test_photo_that_was_saved_again_is_the_photo_of_the_deck(
    store: Store, reader: str, case: Case, quality: int, share: float
) -> None:
    photos = [small(sample.pixels()) for sample in SAMPLES]
    cases = tuple(DeckCase(StoredPhoto.of(photo), "", "", "", None, "MEL", "") for photo in photos[:-1])
    store.add_deck(Deck("Photos", True, cases))
    case.narrative = ""
    for photo in photos[:-1]:
        with pytest.raises(FlowError, match="The deck “Photos” has this photo"):
            flow.keep_case(store, reader, case, seen=saved_again(photo, quality, share))
    flow.keep_case(store, reader, case, seen=photos[-1])
    assert flow.progress(store, reader, case.id) is not None


def test_case_whose_photo_was_met_saved_otherwise_is_a_repeat(store: Store, reader: str) -> None:
    photo = small(SAMPLES[0].pixels())
    for number, seen in enumerate((photo, saved_again(photo, 80), small(SAMPLES[1].pixels()))):
        own = Case(id=f"{number:032x}", narrative=f"Words {number}.", photo_sha256=pixels_sha256(seen))
        flow.keep_case(store, reader, own, seen=seen)
        flow.commit(store, reader, own.id, Stage.BEFORE, ANSWER)
    assert repeats(store) == {(f"{0:032x}", False), (f"{1:032x}", True), (f"{2:032x}", False)}


@pytest.mark.parametrize("same", ["photo", "text", "neither"])
def test_deck_case_that_was_tried_out_before_is_marked_and_counts_in_no_figure(
    store: Store, reader: str, case: Case, same: str
) -> None:
    case.narrative = "IT grew." if same == "text" else "Other words."
    flow.keep_case(store, reader, case, seen=PHOTO if same == "photo" else None)
    flow.show_at_once(store, reader, case.id)
    deck_id = store.add_deck(
        Deck("Later", True, (DeckCase(StoredPhoto.of(PHOTO), "It  grew.", "", "", None, "MEL", ""),))
    )
    of_deck = first_case(store, deck_id)
    flow.open_deck_case(store, reader, of_deck)
    for stage in Stage:
        flow.commit(store, reader, of_deck, stage, ANSWER)
    assert repeats(store) == {(of_deck, same != "neither")}
    assert store.answers()["blinded"].all()
    other = store.add_clinician()
    flow.open_deck_case(store, other, of_deck)
    flow.commit(store, other, of_deck, Stage.BEFORE, ANSWER)
    assert not store.answers(reader=other)["repeat"].any()


def test_own_case_that_was_kept_before_its_deck_opens_nothing_beside_the_deck(
    store: Store, reader: str, case: Case
) -> None:
    case.narrative = "It grew."
    flow.keep_case(store, reader, case)
    deck_id = store.add_deck(Deck("Later", True, (DeckCase(None, "It grew.", "", "", None, "MEL", ""),)))
    of_deck = first_case(store, deck_id)
    for act in (
        lambda: flow.show_at_once(store, reader, case.id),
        lambda: flow.commit(store, reader, case.id, Stage.BEFORE, ANSWER),
    ):
        with pytest.raises(FlowError, match="The deck “Later” has this text"):
            act()
    flow.open_deck_case(store, reader, of_deck)
    for stage in Stage:
        flow.commit(store, reader, of_deck, stage, ANSWER)
    flow.commit(store, reader, case.id, Stage.BEFORE, ANSWER)
    assert repeats(store) == {(of_deck, False), (case.id, True)}


def test_short_words_with_two_photos_are_two_cases(store: Store, reader: str) -> None:
    for number, photo in enumerate((PHOTO, PHOTO[::-1])):
        own = Case(id=f"{number:032x}", narrative="It itches.", photo_sha256=pixels_sha256(photo))
        flow.keep_case(store, reader, own, seen=photo)
        flow.commit(store, reader, own.id, Stage.BEFORE, ANSWER)
    assert not store.answers()["repeat"].any()


def test_other_cases_are_kept_beside_a_deck(store: Store, reader: str, deck_id: str, case: Case) -> None:
    case.narrative = ""  # as many cases of decks have no words
    flow.keep_case(store, reader, case, seen=np.zeros((9, 9, 3), np.uint8))
    assert flow.progress(store, reader, case.id) is not None


# Arms


ALL_ARMS = ("nothing", "ranking", "steps", "steps and heatmap")


@pytest.fixture
def deck_with_arms(store: Store) -> str:
    cases = [DeckCase(None, f"Case {number}", "", "", None, "MEL", "") for number in range(12)]
    deck = Deck("Arms", True, tuple(cases), arms=ALL_ARMS, primary_comparison=("steps", "ranking"))
    return store.add_deck(deck)


def test_arms_are_drawn_in_blocks_for_each_reader(store: Store, deck_with_arms: str) -> None:
    orders = []
    for _ in range(4):
        reader = store.add_clinician()
        order = [case_id for case_id, _ in flow.deck_order(store, reader, deck_with_arms)]
        for case_id in order:
            flow.open_deck_case(store, reader, case_id)
            flow.open_deck_case(store, reader, case_id)  # a reload draws nothing
        arms = [flow.progress(store, reader, case_id).reading.arm for case_id in order]
        assert [sorted(arms[start : start + 4]) for start in (0, 4, 8)] == [sorted(ALL_ARMS)] * 3
        orders.append(arms)
    assert len({tuple(arms) for arms in orders}) > 1  # the same four times: once in 10 to the 12


def test_deck_without_arms_draws_none(store: Store, reader: str, deck_id: str) -> None:
    flow.open_deck_case(store, reader, first_case(store, deck_id))
    assert flow.progress(store, reader, first_case(store, deck_id)).reading.arm == ""


def test_ai_does_not_run_for_a_second_look(
    store: Store, reader: str, deck_with_arms: str, bundle: Bundle, diagnosis: Diagnosis
) -> None:
    for case_id, _ in flow.deck_order(store, reader, deck_with_arms)[:4]:
        flow.open_deck_case(store, reader, case_id)
        flow.commit(store, reader, case_id, Stage.BEFORE, ANSWER)
        progress = flow.progress(store, reader, case_id)
        assert progress.awaits is Awaits.AFTER
        assert progress.is_revealed == (progress.reading.arm != "nothing")
        if progress.reading.arm == "nothing":
            with pytest.raises(FlowError, match="without the AI"):
                flow.reveal(store, reader, case_id, bundle, never)
        else:
            flow.reveal(store, reader, case_id, bundle, lambda: diagnosis)
        flow.commit(store, reader, case_id, Stage.AFTER, OTHER)
    answers = store.answers()
    assert set(answers["arm"]) == set(ALL_ARMS)
    assert answers["ai_answer"].isna().equals(answers["arm"] == "nothing")


# The AI


def test_ai_is_not_asked_before_the_answer_is_saved(
    store: Store, reader: str, case: Case, bundle: Bundle, diagnosis: Diagnosis
) -> None:
    with pytest.raises(FlowError, match="only after your own answer"):
        flow.reveal(store, reader, case.id, bundle, never)
    flow.keep_case(store, reader, case)
    with pytest.raises(FlowError, match="only after your own answer"):
        flow.reveal(store, reader, case.id, bundle, never)
    assert "runs" not in rows_of(store)
    flow.commit(store, reader, case.id, Stage.BEFORE, ANSWER)
    asked: list[int] = []
    for _ in range(2):
        found = flow.reveal(store, reader, case.id, bundle, lambda: (asked.append(1), diagnosis)[1])
        assert found is diagnosis
    assert asked == [1, 1] and rows_of(store)["runs"] == 1


def test_ai_of_another_reader_stays_hidden(
    store: Store, reader: str, deck_id: str, bundle: Bundle, diagnosis: Diagnosis
) -> None:
    case_id, other = first_case(store, deck_id), store.add_clinician()
    for one in (reader, other):
        flow.open_deck_case(store, one, case_id)
    flow.commit(store, reader, case_id, Stage.BEFORE, ANSWER)
    flow.reveal(store, reader, case_id, bundle, lambda: diagnosis)
    assert not flow.progress(store, other, case_id).is_revealed
    with pytest.raises(FlowError):
        flow.reveal(store, other, case_id, bundle, never)


def test_deck_keeps_its_first_bundle(
    store: Store, reader: str, deck_id: str, bundle: Bundle, diagnosis: Diagnosis
) -> None:
    first, second = (case_id for case_id, _ in flow.deck_order(store, reader, deck_id)[:2])
    other = store.add_clinician()
    for one, case_id in ((reader, first), (other, first), (other, second)):
        flow.open_deck_case(store, one, case_id)
        flow.commit(store, one, case_id, Stage.BEFORE, ANSWER)
    assert flow.progress(store, reader, first).deck_bundle == ""
    assert not flow.progress(store, reader, first).deck_has_photos
    flow.reveal(store, reader, first, bundle, lambda: diagnosis)
    assert flow.progress(store, other, second).deck_bundle == bundle.name
    for another in (replace(bundle, name="other", sha256="b" * 64), replace(bundle, sha256="c" * 64)):
        for case_id in (first, second):
            with pytest.raises(FlowError, match=f"This deck is read with bundle {bundle.name}"):
                flow.reveal(store, other, case_id, another, never)
    flow.reveal(store, other, second, bundle, lambda: diagnosis)
    assert set(store.answers()["bundle_sha256"]) == {"", bundle.sha256}


def test_kept_run_is_of_the_reader_who_was_given_it(
    store: Store, reader: str, deck_id: str, bundle: Bundle, diagnosis: Diagnosis
) -> None:
    case_id, other = first_case(store, deck_id), store.add_clinician()
    for one in (reader, other):
        flow.open_deck_case(store, one, case_id)
        flow.commit(store, one, case_id, Stage.BEFORE, ANSWER)
    assert flow.kept_run(store, reader, case_id) is None
    flow.reveal(store, reader, case_id, bundle, lambda: diagnosis)
    assert flow.kept_run(store, reader, case_id).result == diagnosis.as_json()
    assert flow.kept_run(store, other, case_id) is None


def test_run_is_kept_whole_with_what_made_it(
    store: Store, reader: str, case: Case, bundle: Bundle, diagnosis: Diagnosis
) -> None:
    flow.keep_case(store, reader, case)
    flow.show_at_once(store, reader, case.id)
    flow.reveal(store, reader, case.id, bundle, lambda: diagnosis)
    with store.reading() as session:
        run = session.scalars(select(Run)).one()
    assert (run.bundle, run.bundle_version) == (bundle.name, bundle.manifest["code_version"])
    assert run.bundle_sha256 == bundle.sha256 and len(bundle.sha256) == 64
    assert run.result == diagnosis.as_json() and run.made_at.utcoffset() == timedelta(0)
    flow.commit(store, reader, case.id, Stage.AFTER, ANSWER)
    row = store.answers().iloc[0]
    assert (row["bundle"], row["bundle_sha256"]) == (bundle.name, bundle.sha256)


def test_run_of_another_bundle_changes_no_finished_reading(
    store: Store, reader: str, case: Case, bundle: Bundle, diagnosis: Diagnosis
) -> None:
    newer, newest = replace(bundle, sha256="b" * 64), replace(bundle, sha256="c" * 64)
    flow.keep_case(store, reader, case)
    flow.commit(store, reader, case.id, Stage.BEFORE, ANSWER)
    for one in (bundle, newer):  # before the final answer the last one counts
        flow.reveal(store, reader, case.id, one, lambda: diagnosis)
        assert set(store.answers()["bundle_sha256"]) == {one.sha256}

    def final_answer_meanwhile() -> Diagnosis:
        flow.commit(store, reader, case.id, Stage.AFTER, ANSWER)
        return diagnosis

    flow.reveal(store, reader, case.id, newest, final_answer_meanwhile)
    flow.reveal(store, reader, case.id, bundle, lambda: diagnosis)
    assert set(store.answers()["bundle_sha256"]) == {newer.sha256}
    assert rows_of(store)["runs"] == 3


def test_case_deleted_while_the_ai_works_leaves_no_run(
    store: Store, reader: str, case: Case, bundle: Bundle, diagnosis: Diagnosis
) -> None:
    flow.keep_case(store, reader, case)
    flow.show_at_once(store, reader, case.id)

    def deleted_meanwhile() -> Diagnosis:
        flow.delete_case(store, reader, case.id)
        return diagnosis

    with pytest.raises(FlowError, match="was deleted"):
        flow.reveal(store, reader, case.id, bundle, deleted_meanwhile)
    assert rows_of(store) == {"clinicians": 1}


# A case of one's own


def test_case_can_be_changed_until_it_is_answered(store: Store, reader: str, case: Case) -> None:
    flow.keep_case(store, reader, case)
    opened = flow.progress(store, reader, case.id).case.opened_at
    flow.keep_case(
        store, reader, Case(id=case.id, narrative="It itches.", fitzpatrick=None, crop=[0.1, 0.2, 0.3])
    )
    changed = flow.progress(store, reader, case.id).case
    assert (changed.narrative, changed.fitzpatrick, changed.crop) == ("It itches.", None, [0.1, 0.2, 0.3])
    assert changed.opened_at == opened
    flow.commit(store, reader, case.id, Stage.BEFORE, ANSWER)
    flow.keep_case(store, reader, Case(id=case.id, narrative="Another story."), np.zeros((9, 9, 3), np.uint8))
    progress = flow.progress(store, reader, case.id)
    assert progress.case.narrative == "It itches." and not progress.has_kept_photo


def test_case_stays_as_the_ai_saw_it_at_once(store: Store, reader: str, case: Case) -> None:
    flow.keep_case(store, reader, case)
    flow.show_at_once(store, reader, case.id)
    flow.keep_case(store, reader, Case(id=case.id, narrative="Another story."))
    assert flow.progress(store, reader, case.id).case.narrative == "The spot on my nose bleeds."


def test_nobody_changes_opens_or_deletes_the_case_of_another(
    store: Store, reader: str, case: Case, deck_id: str
) -> None:
    flow.keep_case(store, reader, case, np.zeros((9, 9, 3), np.uint8))
    other, of_deck = store.add_clinician(), first_case(store, deck_id)
    before = rows_of(store)
    for case_id in (case.id, of_deck):
        flow.keep_case(store, other, Case(id=case_id, narrative="mine now"))
        flow.delete_case(store, other, case_id)
        assert flow.progress(store, other, case_id) is None
    with pytest.raises(FlowError):
        flow.open_deck_case(store, other, case.id)
    assert flow.unfinished(store, other) == []
    assert rows_of(store) == before
    progress = flow.progress(store, reader, case.id)
    assert progress.case.owner == reader and progress.case.narrative == "The spot on my nose bleeds."


def test_photo_is_kept_only_where_asked_and_until_one_changes_ones_mind(
    store: Store, reader: str, case: Case, tmp_path: Path
) -> None:
    photo = np.random.default_rng(0).integers(0, 255, (80, 120, 3), np.uint8)
    png_data = b"IDAT"
    flow.keep_case(store, reader, case)
    assert flow.kept_photo(store, case.id) is None
    flow.keep_case(store, reader, case, photo)
    assert flow.progress(store, reader, case.id).has_kept_photo
    kept = flow.kept_photo(store, case.id)
    assert kept.dtype == np.uint8 and np.array_equal(kept, photo)
    assert pixels_sha256(kept) == pixels_sha256(photo)
    assert pixels_sha256(photo) != pixels_sha256(photo.reshape(120, 80, 3))
    flow.keep_case(store, reader, case, photo[::-1])
    assert np.array_equal(flow.kept_photo(store, case.id), photo[::-1])
    flow.keep_case(store, reader, case)
    assert not flow.progress(store, reader, case.id).has_kept_photo
    assert flow.kept_photo(store, case.id) is None
    assert "photos" not in rows_of(store)
    assert not any(png_data in file.read_bytes() for file in tmp_path.glob("a.db*"))


def test_deleted_case_is_gone_from_every_table_and_file(
    store: Store, reader: str, case: Case, bundle: Bundle, diagnosis: Diagnosis, tmp_path: Path
) -> None:
    for number in range(40):  # neighbours on the same pages
        flow.keep_case(store, reader, Case(id=f"{number:032x}", narrative=f"Story {number}. " * number))
    before = rows_of(store)
    case.narrative = "My unmistakable aunt. " * 100
    flow.keep_case(store, reader, case, np.random.default_rng(0).integers(0, 255, (80, 120, 3), np.uint8))
    flow.keep_case(store, reader, case, np.random.default_rng(0).integers(0, 255, (80, 120, 3), np.uint8))
    flow.commit(store, reader, case.id, Stage.BEFORE, Given(("unmistakable aunt",), 1, "unmistakable aunt"))
    flow.reveal(store, reader, case.id, bundle, lambda: diagnosis)
    flow.commit(store, reader, case.id, Stage.AFTER, ANSWER)
    flow.keep_feedback(store, reader, case.id, {}, "unmistakable aunt")
    assert len(rows_of(store)) == len(before) + 4
    flow.delete_case(store, reader, case.id)
    assert rows_of(store) == before
    for file in tmp_path.glob("a.db*"):
        for trace in (b"unmistakable", b"IDAT", diagnosis.bundle.encode(), case.id.encode()):
            assert trace not in file.read_bytes(), (file, trace)
    flow.delete_case(store, reader, case.id)
    assert flow.progress(store, reader, case.id) is None


def test_unfinished_cases_are_offered_newest_first(store: Store, reader: str, deck_id: str) -> None:
    ids = [f"{number}" * 32 for number in range(4)]
    for case_id in ids:
        flow.keep_case(store, reader, Case(id=case_id))
        time.sleep(0.002)
    flow.open_deck_case(store, reader, first_case(store, deck_id))
    flow.commit(store, reader, ids[1], Stage.BEFORE, ANSWER)
    for stage in Stage:
        flow.commit(store, reader, ids[2], stage, ANSWER)
    found = [(one.case.id, one.awaits) for one in flow.unfinished(store, reader)]
    assert found == [(ids[3], Awaits.BEFORE), (ids[1], Awaits.AFTER), (ids[0], Awaits.BEFORE)]
    assert flow.unfinished(store, store.add_clinician()) == []


# Feedback


def test_what_is_said_later_takes_the_place_of_former_feedback(store: Store, reader: str, case: Case) -> None:
    flow.keep_case(store, reader, case)
    flow.show_at_once(store, reader, case.id)
    flow.commit(store, reader, case.id, Stage.AFTER, ANSWER)
    flow.keep_feedback(store, reader, case.id, {"agrees": 1, "would_use": 2}, "no")
    flow.keep_feedback(store, reader, case.id, {"agrees": 5, "would_use": None}, "yes")
    feedback = flow.progress(store, reader, case.id).feedback
    assert (feedback.agrees, feedback.would_use, feedback.steps_helped, feedback.comment) == (
        5,
        None,
        None,
        "yes",
    )
    with pytest.raises(NarrativeError):
        flow.keep_feedback(store, reader, case.id, {}, "x" * 2001)


# Decks


def test_order_of_a_deck_is_the_readers_own_and_stays(store: Store, reader: str, deck_id: str) -> None:
    readers = [reader, *(store.add_clinician() for _ in range(5))]
    orders = [[case for case, _ in flow.deck_order(store, one, deck_id)] for one in readers]
    assert len({tuple(order) for order in orders}) == len(readers)
    assert len({frozenset(order) for order in orders}) == 1 and len(set(orders[0])) == 12
    for case_id in orders[0][:5]:
        flow.open_deck_case(store, reader, case_id)
        flow.commit(store, reader, case_id, Stage.BEFORE, ANSWER)
    flow.commit(store, reader, orders[0][0], Stage.AFTER, ANSWER)
    flow.open_deck_case(store, reader, orders[0][5])
    again = flow.deck_order(store, reader, deck_id)
    assert [case for case, _ in again] == orders[0]
    assert [awaits for _, awaits in again] == [Awaits.FEEDBACK] + 4 * [Awaits.AFTER] + 7 * [Awaits.BEFORE]
    assert {awaits for _, awaits in flow.deck_order(store, readers[1], deck_id)} == {Awaits.BEFORE}
    assert flow.deck_order(store, reader, "no deck") == []


def test_figures_of_a_deck_are_hidden_until_its_last_answer(store: Store, reader: str, deck_id: str) -> None:
    store.add_deck(Deck("Another", False, (DeckCase(None, "x", "", "", None, "", ""),)))
    both = {"A deck", "Another"}
    hidden = {is_staff: flow.hidden_decks(store, reader, is_staff=is_staff) for is_staff in (True, False)}
    assert hidden == {True: set(), False: both}
    for case_id, _ in flow.deck_order(store, reader, deck_id):
        flow.open_deck_case(store, reader, case_id)
        assert flow.hidden_decks(store, reader, is_staff=True) == {"A deck"}
        assert flow.hidden_decks(store, reader, is_staff=False) == both
        for stage in Stage:
            flow.commit(store, reader, case_id, stage, ANSWER)
    assert flow.hidden_decks(store, reader, is_staff=True) == set()
    assert flow.hidden_decks(store, reader, is_staff=False) == {"Another"}
    for other in (store.add_clinician(), None):  # another window, where nobody knows what they have read
        assert flow.hidden_decks(store, other, is_staff=False) == both
        assert flow.hidden_decks(store, other, is_staff=True) == set()


# Two at once: a double click, two tabs, two readers


AT_ONCE = 4
ROUNDS = 8  # often enough that the threads meet


def at_once(act: Callable[[int], object]) -> list[object]:
    """What `act` gives or raises in several threads that begin together."""
    barrier = Barrier(AT_ONCE)

    def one(number: int) -> object:
        barrier.wait()
        try:
            return act(number)
        except FlowError as error:
            return error

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(one, range(AT_ONCE)))


def test_one_case_kept_by_several_clicks_is_one_case(store: Store, reader: str) -> None:
    photo = np.zeros((9, 9, 3), np.uint8)
    for number in range(ROUNDS):
        case_id = f"{number:032x}"
        at_once(
            lambda click, id_=case_id: flow.keep_case(
                store, reader, Case(id=id_, narrative=f"{click}"), photo
            )
        )
        assert rows_of(store) == dict.fromkeys(("cases", "readings", "photos"), number + 1) | {
            "clinicians": 1
        }


def test_one_deck_case_opened_in_several_tabs(store: Store, reader: str, deck_id: str) -> None:
    order = flow.deck_order(store, reader, deck_id)
    for number in range(ROUNDS):
        assert (
            at_once(lambda _, id_=order[number][0]: flow.open_deck_case(store, reader, id_))
            == [None] * AT_ONCE
        )
        assert rows_of(store)["readings"] == number + 1


def test_answer_committed_by_several_clicks_is_saved_once(store: Store, reader: str) -> None:
    for number in range(ROUNDS):
        case_id = f"{number:032x}"
        flow.keep_case(store, reader, Case(id=case_id))
        at_once(
            lambda click, id_=case_id: flow.commit(store, reader, id_, Stage.BEFORE, Given(("MEL",), click))
        )
        assert rows_of(store)["answers"] == number + 1


def test_feedback_given_by_several_clicks_is_kept_once(store: Store, reader: str, case: Case) -> None:
    for number in range(ROUNDS):
        case_id = f"{number:032x}"
        flow.keep_case(store, reader, Case(id=case_id))
        at_once(lambda click, id_=case_id: flow.keep_feedback(store, reader, id_, {"agrees": click}, ""))
        assert rows_of(store)["feedback"] == number + 1


def test_readers_who_reveal_one_case_together_share_its_run(
    store: Store, deck_id: str, bundle: Bundle, diagnosis: Diagnosis
) -> None:
    readers = [store.add_clinician() for _ in range(AT_ONCE)]
    for number in range(ROUNDS):
        case_id = flow.deck_order(store, "", deck_id)[number][0]
        for reader in readers:
            flow.open_deck_case(store, reader, case_id)
            flow.commit(store, reader, case_id, Stage.BEFORE, ANSWER)
        seen = at_once(
            lambda one, id_=case_id: flow.reveal(store, readers[one], id_, bundle, lambda: diagnosis)
        )
        assert seen == [diagnosis] * AT_ONCE
        assert rows_of(store)["runs"] == number + 1
    assert (store.answers()["bundle_sha256"] == bundle.sha256).all()


def test_seeing_the_ai_and_answering_blind_exclude_each_other(store: Store, reader: str) -> None:
    for number in range(ROUNDS):
        case_id = f"{number:032x}"
        flow.keep_case(store, reader, Case(id=case_id))

        def act(click: int, id_: str = case_id) -> None:
            if click % 2:
                flow.show_at_once(store, reader, id_)
            else:
                flow.commit(store, reader, id_, Stage.BEFORE, ANSWER)

        errors = [error for error in at_once(act) if error is not None]
        progress = flow.progress(store, reader, case_id)
        assert progress.reading.unblinded == (progress.before is None) == bool(errors)
        assert all(ALREADY_SEEN in str(error) for error in errors)


def test_case_is_not_changed_by_a_click_that_meets_its_answer(store: Store, reader: str) -> None:
    for number in range(ROUNDS):
        case_id = f"{number:032x}"
        flow.keep_case(store, reader, Case(id=case_id, narrative="as answered"))
        answered: list[str] = []

        def act(click: int, id_: str = case_id, answered: list[str] = answered) -> None:
            if click:
                flow.keep_case(store, reader, Case(id=id_, narrative=f"changed by {click}"))
            else:
                flow.commit(store, reader, id_, Stage.BEFORE, ANSWER)
                answered.append(flow.progress(store, reader, id_).case.narrative)

        at_once(act)
        assert flow.progress(store, reader, case_id).case.narrative == answered[0]


def test_deleting_meets_answering_without_an_error(store: Store, reader: str) -> None:
    for number in range(ROUNDS):
        case_id = f"{number:032x}"
        flow.keep_case(store, reader, Case(id=case_id))

        def act(click: int, id_: str = case_id) -> None:
            if click == 1:
                flow.delete_case(store, reader, id_)
            else:
                flow.commit(store, reader, id_, Stage.BEFORE, ANSWER)

        errors = [error for error in at_once(act) if error is not None]
        assert all("was deleted" in str(error) for error in errors)
        assert rows_of(store) == {"clinicians": 1}
