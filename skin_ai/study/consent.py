"""Consent to a deck's text, and withdrawal, which deletes everything of a reader and leaves a count."""

from __future__ import annotations

import hashlib
import logging

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from skin_ai.study import database
from skin_ai.study.store import Store
from skin_ai.study.tables import Case, Clinician, Consent, Deck, Reading

log = logging.getLogger(__name__)


def version(text: str) -> str:
    """The sha256 of a text of consent: which version a reader agreed to."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_given(session: Session, reader: str, deck: Deck) -> bool:
    """Whether the reader agreed to the deck's text, or the deck has none."""
    found = session.get(Consent, (reader, deck.id))
    return not deck.consent or (found is not None and found.sha256 == version(deck.consent))


def of_reader(store: Store, reader: str | None, deck_id: str) -> Consent | None:
    with store.reading() as session:
        return session.get(Consent, (reader, deck_id)) if reader else None


def agree(store: Store, reader: str, deck_id: str) -> None:
    """Keeps that the reader agreed to the deck's text, which version, and when."""
    with store.writing() as session:
        deck = session.get(Deck, deck_id)
        if deck is not None and not is_given(session, reader, deck):
            agreed_at = database.clock(session)
            sha256 = version(deck.consent)
            session.merge(Consent(clinician=reader, deck_id=deck_id, sha256=sha256, agreed_at=agreed_at))


def withdraw(store: Store, reader: str) -> str:
    """Deletes the reader with all cases, answers and feedback; each deck they had begun counts one more.

    Returns what `Store.forget_deleted` does.
    """
    began = (
        select(Case.deck_id)
        .join(Reading, Reading.case_id == Case.id)
        .where(Reading.clinician == reader, Case.deck_id.is_not(None))
    )
    agreed = select(Consent.deck_id).where(Consent.clinician == reader)
    with store.writing(database.not_deleted) as session:
        # Held, so that of two windows only the first one counts.
        if session.get(Clinician, reader, with_for_update=True) is None:
            return ""
        session.execute(
            update(Deck)
            .where(or_(Deck.id.in_(began), Deck.id.in_(agreed)))
            .values(withdrawn=Deck.withdrawn + 1)
        )
        session.execute(delete(Clinician).where(Clinician.pseudonym == reader))
    log.info("reader withdrew")
    return store.forget_deleted()
