"""The store of a study: readers, decks, and the table of answers that all figures are computed from.

When a method that writes returns, the data are on disk. If it fails, it raises StoreError with a sentence for
the user and changes nothing. A reader's work on one case is in flow.py.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Engine, and_, delete, exists, func, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, aliased

from skin_ai.study import database
from skin_ai.study.database import StoreError
from skin_ai.study.merge import merge
from skin_ai.study.tables import Answer, Case, Clinician, Consent, Deck, Feedback, Photo, Reading, Run, Stage
from skin_ai.vocabulary import ROLES, YEARS_OF_PRACTICE

if TYPE_CHECKING:
    import pandas as pd

    import skin_ai.study.deck as decks

MAX_RANKS: Final = 4
RANKS: Final = tuple(f"rank_{place}" for place in range(1, MAX_RANKS + 1))
SCALES: Final = ("agrees", "heatmap_on_lesion", "steps_helped", "would_use")
# Column of the answers table -> its pandas dtype; dataset_schema.md explains the columns.
ANSWER_TYPES: Final = {
    **dict.fromkeys(("reader", "role", "years_of_practice", "deck", "consent_sha256"), "str"),
    "consented_at": "datetime64[us, UTC]",
    **dict.fromkeys(("case", "sample", "stage"), "str"),
    **dict.fromkeys(("blinded", "repeat"), "bool"),
    "arm": "str",
    "answered_at": "datetime64[us, UTC]",
    "seconds": "float64",
    **dict.fromkeys(RANKS, "str"),
    "confidence": "int64",
    "management": "str",
    "malignancy": "Int64",
    **dict.fromkeys(("reason", "age_band", "body_site"), "str"),
    "fitzpatrick": "Int64",
    **dict.fromkeys(("truth", "bundle", "bundle_version", "bundle_sha256"), "str"),
    "ai_answer": "object",  # a Ranking; None without a run
    "ai_undecided": "str",  # its candidates, separated by spaces; "" where the run gave a diagnosis
    **dict.fromkeys(SCALES, "Int64"),
    **dict.fromkeys(("comment", "narrative"), "str"),
    **dict.fromkeys(("facts_extracted", "facts_confirmed"), "object"),  # as in tables.Case
}
ANSWER_COLUMNS: Final = tuple(ANSWER_TYPES)
OF_DECK: Final = (
    "name", "shows_reference", "note", "asks_management", "asks_malignancy", "arms", "primary_comparison",
    "consent",
)  # fmt: skip
Ranking = tuple[tuple[str, float], ...]  # types with their probabilities, most likely first
# Letters and digits that are not confused when they are read aloud or from paper.
ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
PSEUDONYM_LENGTH: Final = 8  # after "R-": so long that the readers of several machines differ


class Store:
    """One database, shared by all sessions. Returned objects are detached from it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._has_leftovers = False  # deleted data in SQLite's log

    @contextmanager
    def writing(
        self, failed: Callable[[SQLAlchemyError], StoreError] = database.not_saved
    ) -> Iterator[Session]:
        """A transaction that is committed as a whole or not at all; then it raises StoreError."""
        try:
            with (
                database.writing(self.engine) as connection,
                Session(connection, expire_on_commit=False) as session,
            ):
                database.refuse_newer(connection)
                yield session
                session.flush()
        except SQLAlchemyError as error:
            # PostgreSQL's error quotes the rejected row, and answers must not appear in a log.
            raise failed(error) from None
        if self._has_leftovers:
            self._has_leftovers = not database.forget_deleted(self.engine, wait=0)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        try:
            with Session(self.engine, expire_on_commit=False) as session:
                yield session
        except SQLAlchemyError as error:
            raise database.not_read(error) from None

    def add_clinician(self, role: str = "", years_of_practice: str = "") -> str:
        """Adds a reader and returns their pseudonym; role or years that the app does not offer become ""."""
        pseudonym = "R-" + "".join(secrets.choice(ALPHABET) for _ in range(PSEUDONYM_LENGTH))
        with self.writing() as session:
            stated = _stated(role, years_of_practice)
            session.add(Clinician(pseudonym=pseudonym, role=stated[0], years_of_practice=stated[1]))
        return pseudonym

    def describe_clinician(self, pseudonym: str, role: str, years_of_practice: str) -> None:
        with self.writing() as session:
            clinician = session.get(Clinician, pseudonym)
            if clinician is not None:
                clinician.role, clinician.years_of_practice = _stated(role, years_of_practice)

    def clinician(self, pseudonym: str) -> Clinician | None:
        with self.reading() as session:
            return session.get(Clinician, pseudonym)

    def readers(self) -> list[str]:
        """The pseudonyms of all readers who have answered, sorted."""
        with self.reading() as session:
            return list(session.scalars(select(Answer.clinician).distinct().order_by(Answer.clinician)))

    def counts(self, since: datetime) -> tuple[int, int]:
        """How many readers joined and how many answers were given since a time."""
        with self.reading() as session:
            joined = session.scalar(select(func.count()).where(Clinician.joined_at >= since))
            answered = session.scalar(select(func.count()).where(Answer.answered_at >= since))
        return joined or 0, answered or 0

    def add_deck(self, deck: decks.Deck) -> str:
        """Adds a deck as a whole and returns its id; StoreError if the name is taken."""
        deck_id = uuid.uuid4().hex
        with self.writing() as session:
            if session.scalar(select(Deck).where(Deck.name == deck.name)):
                raise StoreError(f"A deck named “{deck.name}” exists: delete it, or rename the new one.")
            session.add(Deck(id=deck_id, **{name: _kept(getattr(deck, name)) for name in OF_DECK}))
            session.flush()
            for case, case_id in zip(deck.cases, case_ids(deck), strict=True):
                columns = {name: value for name, value in vars(case).items() if name != "photo"}
                photo = case.photo
                sha256, dhash = ("", "") if photo is None else (photo.sha256, photo.difference_hash)
                seen = {"photo_sha256": sha256, "seen_sha256": sha256, "seen_dhash": dhash}
                session.add(Case(id=case_id, deck_id=deck_id, **seen, **columns))
                session.flush()
                if photo is not None:
                    session.add(Photo(case_id=case_id, png=photo.png))
        return deck_id

    def decks(self) -> list[tuple[Deck, int]]:
        """All decks, sorted by name, each with its number of cases."""
        sizes = select(Case.deck_id, func.count().label("size")).group_by(Case.deck_id).subquery()
        query = select(Deck, sizes.c.size).join(sizes, sizes.c.deck_id == Deck.id).order_by(Deck.name)
        with self.reading() as session:
            return [(deck, size) for deck, size in session.execute(query)]

    def delete_deck(self, deck_id: str) -> str:
        """Deletes a deck with its cases, photos and all answers; returns what `forget_deleted` does."""
        with self.writing(database.not_deleted) as session:
            session.execute(delete(Deck).where(Deck.id == deck_id))
        return self.forget_deleted()

    def forget_deleted(self) -> str:
        """Overwrites deleted data on disk; "", or a sentence for the user where they are still there."""
        return database.VACUUM if self.engine.dialect.name == "postgresql" else self.forget_replaced()

    def forget_replaced(self) -> str:
        """As `forget_deleted`, of a text that has a new version; says nothing of PostgreSQL each time."""
        self._has_leftovers = not database.forget_deleted(self.engine)
        return database.STILL_READ if self._has_leftovers else ""

    def answers(
        self, deck: str | None = None, reader: str | None = None, except_decks: Collection[str] = ()
    ) -> pd.DataFrame:
        """The answers table, one row per answer, oldest first.

        deck: only answers to the deck of this name ("": to no deck); reader: only this reader's;
        except_decks: without these decks.
        """
        deck_name = func.coalesce(Deck.name, "")
        other = aliased(Answer)
        has_final = exists().where(
            other.clinician == Answer.clinician, other.case_id == Answer.case_id, other.stage == Stage.AFTER
        )
        is_only_answer = and_(
            Case.sample != "", ~has_final
        )  # at a conference, where samples have no final one
        query = (
            select(
                Answer.clinician.label("reader"),
                Clinician.role,
                Clinician.years_of_practice,
                deck_name.label("deck"),
                func.coalesce(Consent.sha256, "").label("consent_sha256"),
                Consent.agreed_at.label("consented_at"),
                Answer.case_id.label("case"),
                Case.sample,
                Answer.stage,
                Answer.blinded,
                Reading.is_repeat.label("repeat"),
                Reading.arm,
                Answer.answered_at,
                Answer.seconds,
                Answer.ranks,
                Answer.confidence,
                Answer.management,
                Answer.malignancy,
                Answer.reason,
                Case.age_band,
                Case.body_site,
                Case.fitzpatrick,
                Case.reference.label("truth"),
                Reading.run_id,
                *(getattr(Feedback, scale) for scale in SCALES),
                func.coalesce(Feedback.comment, "").label("comment"),
                Case.narrative,
                Case.facts_extracted,
                Case.facts_confirmed,
            )
            .select_from(Answer)
            .join(Clinician, Clinician.pseudonym == Answer.clinician)
            .join(Case, Case.id == Answer.case_id)
            .join(Reading, and_(Reading.clinician == Answer.clinician, Reading.case_id == Answer.case_id))
            .outerjoin(Deck, Deck.id == Case.deck_id)
            .outerjoin(Consent, and_(Consent.clinician == Answer.clinician, Consent.deck_id == Case.deck_id))
            .outerjoin(
                Feedback,
                and_(
                    Feedback.clinician == Answer.clinician,
                    Feedback.case_id == Answer.case_id,
                    or_(Answer.stage == Stage.AFTER, is_only_answer),
                ),
            )
            .order_by(Answer.answered_at, Answer.id)
        )
        if deck is not None:
            query = query.where(deck_name == deck)
        if reader is not None:
            query = query.where(Answer.clinician == reader)
        if except_decks:
            query = query.where(deck_name.not_in(except_decks))
        kept = (Run.result["answer"], Run.result["undecided"])
        runs = select(Run.id, Run.bundle, Run.bundle_version, Run.bundle_sha256, *kept).where(
            Run.id.in_(query.with_only_columns(Reading.run_id).order_by(None))
        )
        with self.reading() as session:
            rows = session.execute(query).all()
            of_run = {
                id_: (*bundle, _ranking(answer), " ".join(undecided or ()))
                for id_, *bundle, answer, undecided in session.execute(runs)
            }
        return _table(rows, of_run)

    def add_answers(self, answers: pd.DataFrame, rows: Sequence[int] = ()) -> int:
        """Adds the answers of a table that are not here yet, and returns how many; see merge.py.

        rows: the numbers of its rows in the file that they come from, named where StoreError refuses them.
        """
        with self.writing() as session:
            return merge(session, answers, RANKS, SCALES, rows or range(2, len(answers) + 2))

    def backup(self, out: Path) -> None:
        database.backup(self.engine, out)


def open_store(url: str = "") -> Store:
    """The store of this computer, or of SKIN_AI_DATABASE_URL; raises StoreError with one sentence."""
    return Store(database.open_engine(url))


def _stated(role: str, years_of_practice: str) -> tuple[str, str]:
    """Only what the app offers: a forged choice could be any text."""
    return role if role in ROLES else "", years_of_practice if years_of_practice in YEARS_OF_PRACTICE else ""


def case_ids(deck: decks.Deck) -> list[str]:
    """The ids of a deck's cases, the same on all machines that load the deck: their answers can be merged.

    8 digits of the case's place, then 24 of all that the deck holds and asks. Not of what is found in the
    words, which depends on the version.
    """
    contents = [getattr(deck, name) for name in OF_DECK] + [
        ("" if case.photo is None else case.photo.sha256, case.narrative, case.fitzpatrick,
         case.reference, case.explanation)
        for case in deck.cases
    ]  # fmt: skip
    digest = hashlib.sha256(repr(contents).encode()).hexdigest()[:24]
    return [f"{place:08x}{digest}" for place in range(1, len(deck.cases) + 1)]


def _kept(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _ranking(answer: Any) -> Ranking:
    return tuple((item["type"], item["probability"]) for item in answer or ())


def _table(rows: Sequence[Any], of_run: Mapping[int, tuple[Any, ...]]) -> pd.DataFrame:
    import pandas as pd  # here: it takes a quarter of a second, and the first page shows no table

    if not rows:
        return pd.DataFrame(columns=[*ANSWER_COLUMNS], dtype=object).astype(ANSWER_TYPES)
    table = pd.DataFrame(dict(zip(rows[0]._fields, zip(*rows, strict=True), strict=True)))
    for place, column in enumerate(RANKS):
        table[column] = [ranks[place] if place < len(ranks) else "" for ranks in table["ranks"]]
    runs = [of_run.get(run, ("", "", "", None, "")) for run in table["run_id"]]
    columns = ("bundle", "bundle_version", "bundle_sha256", "ai_answer", "ai_undecided")
    for place, column in enumerate(columns):
        table[column] = pd.Series([run[place] for run in runs], dtype=object)
    for column in ("answered_at", "consented_at"):
        table[column] = pd.to_datetime(table[column], utc=True)
    return table[[*ANSWER_COLUMNS]].astype(ANSWER_TYPES)
