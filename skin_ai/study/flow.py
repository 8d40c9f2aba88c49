"""The steps of a case: the reader's own answer, the AI's result, the final answer, feedback.

The database, not the page, decides what may be shown: until the reader's own answer is saved, or they have
chosen to see the AI at once, `reveal` runs no model.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image
from sqlalchemy import and_, delete, exists, func, or_, select, true
from sqlalchemy.orm import Session

from skin_ai.diseases import find
from skin_ai.predict.narrative import clean_text
from skin_ai.study import consent, database, likeness
from skin_ai.study.store import MAX_RANKS, Store
from skin_ai.study.stored_photo import as_png, pixels_sha256
from skin_ai.study.tables import Answer, Case, Clinician, Deck, Feedback, Photo, Reading, Run, Stage
from skin_ai.vocabulary import MANAGEMENT, NOTHING

if TYPE_CHECKING:  # torch comes with them
    from skin_ai.predict.bundle import Bundle
    from skin_ai.predict.diagnose import Diagnosis

log = logging.getLogger(__name__)

NO_LONGER_THERE: Final = "This case was deleted."
# On PostgreSQL: FOR NO KEY UPDATE, so that other transactions may still point to the row.
HELD: Final = {"key_share": True}
ASKED_RESULT: Final = "asked_result"  # in a run's result
DIAGNOSIS_LIMIT: Final = 100  # characters of a diagnosis that is written freely
TEXT_LIMIT: Final = 2000  # characters of a reason or a comment


class FlowError(ValueError):
    """What is not possible at this stage of a case, or what an answer lacks, in one sentence."""


class Missing(FlowError):
    """What an answer lacks. field: "ranks" or "confidence"."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


class Awaits(StrEnum):
    """The next step of a reading."""

    BEFORE = "before"
    AFTER = "after"
    FEEDBACK = "feedback"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Given:
    """A reader's answer. ranks: codes of types, or text as written; the rest as in `tables.Answer`."""

    ranks: tuple[str, ...]
    confidence: int
    reason: str = ""
    management: str = ""
    malignancy: int | None = None


@dataclass(frozen=True)
class Progress:
    """A reader's progress with a case.

    bundle: the one whose result they were shown, else ""; deck_bundle: the one that all readers of the deck
    are shown, "" until the first of them was; deck_has_photos: whether any case of the deck has one.
    """

    case: Case
    deck: Deck | None
    reading: Reading
    before: Answer | None
    after: Answer | None
    feedback: Feedback | None
    has_kept_photo: bool
    bundle: str
    deck_bundle: str = ""
    deck_has_photos: bool = False

    @property
    def is_revealed(self) -> bool:
        """Whether this reader may see the AI's result."""
        return self.reading.arm != NOTHING and self.awaits is not Awaits.BEFORE

    @property
    def awaits(self) -> Awaits:
        if self.before is None and not self.reading.unblinded:
            return Awaits.BEFORE
        if self.after is None:
            return Awaits.AFTER
        return Awaits.FEEDBACK if self.feedback is None else Awaits.NOTHING


def given(
    diagnoses: Sequence[str],
    confidence: int | None,
    reason: str = "",
    management: str = "",
    malignancy: int | None = None,
) -> Given:
    """An answer from typed text: names and synonyms become codes, anything else stays as written.

    Raises Missing without a diagnosis or confidence, FlowError with too many, and NarrativeError
    if a text is too long.
    """
    written = [clean_text(text, DIAGNOSIS_LIMIT) for text in diagnoses]
    ranks = [disease.code if (disease := find(text)) else text for text in written if text]
    ranks = list(dict.fromkeys(ranks))  # the same type under two names counts once
    if not ranks:
        raise Missing("ranks", "Give at least one diagnosis.")
    if len(ranks) > MAX_RANKS:
        raise FlowError(f"Give at most {MAX_RANKS} diagnoses.")
    if confidence is None:
        raise Missing("confidence", "Say how confident you are.")
    return Given(tuple(ranks), confidence, clean_text(reason, TEXT_LIMIT), management, malignancy)


def keep_case(
    store: Store,
    reader: str,
    case: Case,
    photo: np.ndarray | None = None,
    begun_at: datetime | None = None,
    seen: np.ndarray | None = None,
) -> str:
    """Saves a reader's own case; it can be saved again until they answer it or choose to see the AI.

    photo: the pixels, only if the clinician wants them kept; begun_at: when they gave its photo or words;
    seen: the pixels as a deck would hold them. Raises FlowError if a deck holds the same photo or words and
    the reader has not finished that case: they would no longer be blinded to the AI there. Returns what
    `Store.forget_replaced` does.
    """
    png = None if photo is None else as_png(photo)
    with store.writing() as session:
        # A case that is new cannot be held yet, so its reader is: of two clicks the second one waits.
        session.get(Clinician, reader, with_for_update=HELD)
        known = _held_case(session, case.id)
        if known is not None and known.owner != reader:
            return ""
        reading = session.get(Reading, (reader, case.id))
        if reading is not None and (reading.unblinded or _answers(session, reader, case.id)):
            return ""
        case.owner = reader
        case.seen_sha256 = "" if seen is None else pixels_sha256(seen)
        case.seen_dhash = "" if seen is None else likeness.difference_hash(seen)
        _refuse_case_of_deck(session, reader, case)
        session.merge(case)
        session.flush()
        if reading is None:
            kept_at = database.clock(session)
            opened_at = kept_at if begun_at is None else min(begun_at, kept_at)
            session.add(Reading(clinician=reader, case_id=case.id, opened_at=opened_at))
        session.execute(delete(Photo).where(Photo.case_id == case.id))
        if png is not None:
            session.add(Photo(case_id=case.id, png=png))
    log.info("case saved", extra={"case": case.id})
    return "" if known is None else store.forget_replaced()


def _refuse_case_of_deck(session: Session, reader: str, case: Case) -> None:
    """Compares photos, and words without differences in case and spaces."""
    finished = exists().where(
        Answer.case_id == Case.id, Answer.clinician == reader, Answer.stage == Stage.AFTER
    )
    of_decks = (
        select(Deck.name, Case.seen_sha256, Case.seen_dhash, Case.narrative)
        .join(Case, Case.deck_id == Deck.id)
        .where(~finished)
    )
    words = _plain_words(case.narrative)
    for deck, sha256, dhash, narrative in session.execute(of_decks):
        same_pixels = case.seen_sha256 and sha256 == case.seen_sha256
        same_photo = same_pixels or likeness.is_same_photo(case.seen_dhash, dhash)
        if same_photo or (words and _plain_words(narrative) == words):
            what = "photo" if same_photo else "text"
            raise FlowError(f"The deck “{deck}” has this {what}. Answer it there, so that you stay blinded.")


def _has_met(session: Session, reader: str, case: Case) -> bool:
    """Whether the reader has answered, or seen the AI on, another case with the same photo or words.

    The same words with two photos are two cases: short ones are often alike.
    """
    answered = exists().where(Answer.case_id == Case.id, Answer.clinician == reader)
    others = select(Case).join(Reading, Reading.case_id == Case.id)
    met = others.where(Reading.clinician == reader, Case.id != case.id, or_(Reading.unblinded, answered))
    photos, words = {case.photo_sha256, case.seen_sha256} - {""}, _plain_words(case.narrative)
    for other in session.scalars(met):
        their_photos = {other.photo_sha256, other.seen_sha256} - {""}
        same_words = words and words == _plain_words(other.narrative)
        same_photo = photos & their_photos or likeness.is_same_photo(case.seen_dhash, other.seen_dhash)
        if same_photo or (same_words and not (photos and their_photos)):
            return True
    return False


def _plain_words(text: str | None) -> str:
    return " ".join((text or "").casefold().split())


def open_deck_case(store: Store, reader: str, case_id: str) -> None:
    """Records that the reader has begun a case of a deck, and draws its arm where the deck has several.

    Raises FlowError if the case belongs to no deck.
    """
    with store.writing() as session:
        # Of two windows of one reader the second waits, so that no arm is drawn twice from a block.
        session.get(Clinician, reader, with_for_update=HELD)
        case = _held_case(session, case_id)
        if case is None or case.deck_id is None:
            raise FlowError(NO_LONGER_THERE)
        if session.get(Reading, (reader, case_id)) is None:
            opened_at = database.clock(session)
            deck = session.get(Deck, case.deck_id)
            if deck is not None and not consent.is_given(session, reader, deck):
                raise FlowError("Agree to the study's terms on the Deck page first.")
            arm = _drawn_arm(session, reader, case.deck_id)
            session.add(Reading(clinician=reader, case_id=case_id, opened_at=opened_at, arm=arm))


def _drawn_arm(session: Session, reader: str, deck_id: str) -> str:
    """An arm for the reader's next case: every block of cases has each arm once, in random order."""
    deck = session.get(Deck, deck_id)
    if deck is None or not deck.arms:
        return ""
    of_deck = select(Reading.arm).join(Case, Case.id == Reading.case_id).where(Case.deck_id == deck_id)
    drawn = Counter(session.scalars(of_deck.where(Reading.clinician == reader)))
    fewest = min(drawn[arm] for arm in deck.arms)
    return str(secrets.choice([arm for arm in deck.arms if drawn[arm] == fewest]))


def progress(store: Store, reader: str, case_id: str) -> Progress | None:
    """The reader's progress with a case that they have opened; None for any other case."""
    with store.reading() as session:
        return next(iter(_progress(session, reader, Case.id == case_id)), None)


def unfinished(store: Store, reader: str) -> list[Progress]:
    """The reader's own cases that await an answer, newest first."""
    with store.reading() as session:
        own = _progress(session, reader, Case.owner == reader)
    return [one for one in own if one.awaits in (Awaits.BEFORE, Awaits.AFTER)]


def deck_order(store: Store, reader: str, deck_id: str) -> list[tuple[str, Awaits]]:
    """The cases of a deck in this reader's own random but constant order, and what each awaits."""
    with store.reading() as session:
        cases = session.scalars(select(Case.id).where(Case.deck_id == deck_id)).all()
        opened = {one.case.id: one.awaits for one in _progress(session, reader, Case.deck_id == deck_id)}
    order = sorted(cases, key=lambda case: hashlib.sha256(f"{reader} {case}".encode()).digest())
    return [(case, opened.get(case, Awaits.BEFORE)) for case in order]


def waiting_cases(order: Sequence[tuple[str, Awaits]]) -> list[str]:
    """The cases of `deck_order` that the reader has not finished."""
    return [case_id for case_id, awaits in order if awaits in (Awaits.BEFORE, Awaits.AFTER)]


def hidden_decks(store: Store, reader: str | None, *, is_staff: bool) -> set[str]:
    """Names of the decks whose figures this person must not see: they have not finished them.

    Staff who have not begun a deck run it, and do not read it.
    """
    with store.reading() as session:
        finished = and_(
            Answer.case_id == Case.id, Answer.clinician == (reader or ""), Answer.stage == Stage.AFTER
        )
        waits = exists().where(Case.deck_id == Deck.id, ~exists().where(finished))
        begun = exists().where(
            Case.deck_id == Deck.id, Reading.case_id == Case.id, Reading.clinician == (reader or "")
        )
        return set(session.scalars(select(Deck.name).where(waits, begun if is_staff else true())))


def commit(store: Store, reader: str, case_id: str, stage: Stage, answer: Given) -> None:
    """Saves an answer for good; a second answer at the same stage changes nothing.

    Its time is the database's, so that pauses and reloads count: from opening the case to the first answer,
    and from the first answer to the final one. A clock that goes backwards gives 0 seconds. Raises FlowError
    if it is not this stage's turn, if the answer lacks what its deck asks, and for an own case that is in a
    deck, as `keep_case` does. A reading of a photo or words that the reader has met before is marked as a
    repeat.
    """
    with store.writing() as session:
        reading = _held(session, reader, case_id)
        _refuse_incomplete(session, case_id, answer)
        stages = {given.stage: given for given in _answers(session, reader, case_id)}
        if stage in stages:
            return
        if stage is Stage.BEFORE and (reading.unblinded or Stage.AFTER in stages):
            raise FlowError("You have already seen the AI's result, so you cannot answer this case blinded.")
        if stage is Stage.AFTER and not (reading.unblinded or Stage.BEFORE in stages):
            raise FlowError("Give your own answer first.")
        case = session.get(Case, case_id)
        if stage is Stage.BEFORE and case is not None:
            if case.deck_id is None:
                _refuse_case_of_deck(session, reader, case)
            reading.is_repeat = _has_met(session, reader, case)
        since = stages[Stage.BEFORE].answered_at if Stage.BEFORE in stages else reading.opened_at
        answered_at = max(since, database.clock(session))
        session.add(
            Answer(
                clinician=reader,
                case_id=case_id,
                stage=stage,
                blinded=not reading.unblinded,
                ranks=list(answer.ranks),
                confidence=answer.confidence,
                reason=answer.reason,
                management=answer.management,
                malignancy=answer.malignancy,
                seconds=round((answered_at - since).total_seconds(), 1),
                answered_at=answered_at,
            )
        )
    log.info("answer saved", extra={"case": case_id, "stage": stage.value})


def _refuse_incomplete(session: Session, case_id: str, answer: Given) -> None:
    """An answer to a deck has what its deck asks."""
    deck = session.scalar(select(Deck).join(Case, Case.deck_id == Deck.id).where(Case.id == case_id))
    if deck is not None and deck.asks_malignancy and answer.malignancy is None:
        raise FlowError("Say how likely it is that the lesion is malignant.")
    if deck is not None and deck.asks_management and answer.management not in MANAGEMENT:
        raise FlowError("Say what you would do.")


def show_at_once(store: Store, reader: str, case_id: str) -> None:
    """Shows the AI without an own answer, for a demo; all answers to this case are marked unblinded."""
    with store.writing() as session:
        reading = _held(session, reader, case_id)
        case = session.get(Case, case_id)
        if case is not None and case.deck_id is not None:
            raise FlowError("In a deck, give your own answer first.")
        if case is not None:
            _refuse_case_of_deck(session, reader, case)
        if not _answers(session, reader, case_id):
            reading.unblinded = True


def reveal(
    store: Store, reader: str, case_id: str, bundle: Bundle, diagnose: Callable[[], Diagnosis]
) -> Diagnosis:
    """Runs the AI on a case and keeps the run; raises FlowError, and runs nothing, before its turn.

    A reader gets one bundle's result a case, and all readers of a deck the same bundle's: FlowError also for
    any other one.
    """
    case = progress(store, reader, case_id)
    if case is not None and case.reading.arm == NOTHING:
        raise FlowError("In this case you look a second time, without the AI.")
    if case is None or not case.is_revealed:
        raise FlowError("The AI runs only after your own answer is saved.")
    _refuse_another(case.bundle, bundle)
    with store.reading() as session:
        _refuse_another_of_deck(session, case.case.deck_id, bundle)
    diagnosis = diagnose()
    with store.writing() as session:
        reading = _held(session, reader, case_id)
        former = None if reading.run_id is None else session.get(Run, reading.run_id)
        _refuse_another(former.bundle if former else "", bundle)
        deck = case.case.deck_id
        if deck is not None:  # of two readers who are the deck's first, the second waits
            session.get(Deck, deck, with_for_update=HELD)
            _refuse_another_of_deck(session, deck, bundle)
        run = session.scalar(select(Run).where(Run.case_id == case_id, Run.bundle_sha256 == bundle.sha256))
        if run is None:
            run = Run(
                case_id=case_id,
                bundle=bundle.name,
                bundle_version=bundle.manifest["code_version"],
                bundle_sha256=bundle.sha256,
                result=diagnosis.as_json(),
            )
            session.add(run)
            session.flush()
        if Stage.AFTER not in {given.stage for given in _answers(session, reader, case_id)}:
            reading.run_id = run.id
    return diagnosis


def keep_asked(
    store: Store, reader: str, case_id: str, asked: Sequence[dict[str, Any]], now: Diagnosis
) -> None:
    """Keeps the questions that were asked after the result with the run, and the result after the last.

    The run's own result stays the first: it is what readings are counted with.
    """
    _add_to_run(store, reader, case_id, {"asked": list(asked), ASKED_RESULT: now.as_json()})


def keep_marks(store: Store, reader: str, case_id: str, unstable: dict[str, str]) -> None:
    """Keeps with the run what was found after its verdict was on screen."""
    _add_to_run(store, reader, case_id, {"unstable": unstable})


def _add_to_run(store: Store, reader: str, case_id: str, more: dict[str, Any]) -> None:
    with store.writing() as session:
        reading = _held(session, reader, case_id)
        run = None if reading.run_id is None else session.get(Run, reading.run_id)
        if run is not None:
            run.result = run.result | more


def kept_run(store: Store, reader: str, case_id: str) -> Run | None:
    """The run whose result this reader was given; None before."""
    query = (
        select(Run)
        .join(Reading, Reading.run_id == Run.id)
        .where(Reading.clinician == reader, Reading.case_id == case_id)
    )
    with store.reading() as session:
        return session.scalar(query)


def _refuse_another(seen: str, bundle: Bundle) -> None:
    if seen and seen != bundle.name:
        raise FlowError("You already have a result for this case; it cannot be replaced.")


def _first_run(session: Session, deck: str | None) -> Run | None:
    """The first run of a deck: its bundle is the deck's."""
    if deck is None:
        return None
    of_deck = select(Run).join(Case, Case.id == Run.case_id).where(Case.deck_id == deck)
    return session.scalar(of_deck.order_by(Run.id).limit(1))


def _refuse_another_of_deck(session: Session, deck: str | None, bundle: Bundle) -> None:
    first = _first_run(session, deck)
    if first is not None and first.bundle_sha256 != bundle.sha256:
        version = f"{first.bundle} {first.bundle_version} ({first.bundle_sha256[:6]})"
        raise FlowError(
            f"This deck is read with bundle {version}, this is {bundle.name} ({bundle.sha256[:6]}). Install "
            "the former again, or load the deck anew under another name."
        )


def keep_feedback(
    store: Store, reader: str, case_id: str, scales: dict[str, int | None], comment: str
) -> str:
    """Saves the reader's feedback on a case; it replaces earlier feedback. FlowError if it is empty.

    Returns what `Store.forget_replaced` does.
    """
    comment = clean_text(comment, TEXT_LIMIT)
    if not comment and all(value is None for value in scales.values()):
        raise FlowError("Give a rating or write a comment first.")
    with store.writing() as session:
        _held(session, reader, case_id)
        is_replaced = session.get(Feedback, (reader, case_id)) is not None
        session.merge(Feedback(clinician=reader, case_id=case_id, comment=comment, **scales))
    log.info("feedback saved", extra={"case": case_id})
    return store.forget_replaced() if is_replaced else ""


def delete_case(store: Store, reader: str, case_id: str) -> str:
    """Deletes a reader's own case: words, photo, runs, answers and feedback.

    Returns what `Store.forget_deleted` does.
    """
    with store.writing(database.not_deleted) as session:
        session.execute(delete(Case).where(Case.id == case_id, Case.owner == reader))
    log.info("case deleted", extra={"case": case_id})
    return store.forget_deleted()


def kept_photo(store: Store, case_id: str) -> np.ndarray | None:
    """The pixels (h, w, 3) of a case, if its photo was kept."""
    with store.reading() as session:
        photo = session.get(Photo, case_id)
    return None if photo is None else np.array(Image.open(BytesIO(photo.png)).convert("RGB"))


def _held_case(session: Session, case_id: str) -> Case | None:
    """The case, locked against other writers until the transaction ends."""
    return session.get(Case, case_id, with_for_update=HELD)


def _held(session: Session, reader: str, case_id: str) -> Reading:
    """The reading; its case is locked."""
    held = _held_case(session, case_id)
    reading = None if held is None else session.get(Reading, (reader, case_id))
    if reading is None:
        raise FlowError(NO_LONGER_THERE)
    return reading


def _answers(session: Session, reader: str, case_id: str) -> list[Answer]:
    query = select(Answer).where(Answer.clinician == reader, Answer.case_id == case_id)
    return list(session.scalars(query))


def _progress(session: Session, reader: str, which: Any) -> list[Progress]:
    """The reader's readings of the cases that match `which`, newest first."""
    opened = session.execute(
        select(Reading, Case, Deck, exists().where(Photo.case_id == Case.id), func.coalesce(Run.bundle, ""))
        .join(Case, Case.id == Reading.case_id)
        .outerjoin(Deck, Deck.id == Case.deck_id)
        .outerjoin(Run, Run.id == Reading.run_id)
        .where(Reading.clinician == reader, which)
        .order_by(Reading.opened_at.desc())
    ).all()
    decks = {deck.id for _, _, deck, _, _ in opened if deck is not None}
    firsts = {deck: run.bundle for deck in decks if (run := _first_run(session, deck)) is not None}
    of_photos = (
        select(Case.deck_id).join(Photo, Photo.case_id == Case.id).where(Case.deck_id.in_(list(decks)))
    )
    with_photos = set(session.scalars(of_photos.distinct())) if decks else set()
    ids = select(Case.id).where(which)
    answers = session.scalars(select(Answer).where(Answer.clinician == reader, Answer.case_id.in_(ids))).all()
    stages = {(answer.case_id, answer.stage): answer for answer in answers}
    said = session.scalars(
        select(Feedback).where(Feedback.clinician == reader, Feedback.case_id.in_(ids))
    ).all()
    feedback = {one.case_id: one for one in said}
    return [
        Progress(
            case,
            deck,
            reading,
            stages.get((case.id, Stage.BEFORE)),
            stages.get((case.id, Stage.AFTER)),
            feedback.get(case.id),
            has_photo,
            bundle,
            firsts.get(deck.id, "") if deck else "",
            deck is not None and deck.id in with_photos,
        )
        for reading, case, deck, has_photo, bundle in opened
    ]
