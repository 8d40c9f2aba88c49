"""The database tables of a study."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    ForeignKey,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Stage(StrEnum):
    """Whether an answer was given before or after its reader saw the AI."""

    BEFORE = "before"
    AFTER = "after"


class UtcDateTime(TypeDecorator[datetime]):
    """A time with time zone, stored in UTC because SQLite has no time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class PlainText(TypeDecorator[str]):
    """Text that every database accepts: PostgreSQL rejects NUL, and both reject lone surrogates."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else plain(value)


class LongText(PlainText):
    impl = Text
    cache_ok = True


def plain(text: str) -> str:
    return text.replace("\0", "").encode(errors="replace").decode()


def now() -> datetime:
    return datetime.now(UTC)


class Base(DeclarativeBase):
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime(),
        dict[str, Any]: JSON(),
        list[Any]: JSON(),
        str: LongText(),
    }
    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ix": "ix_%(table_name)s_%(column_0_name)s",
        }
    )


PSEUDONYM = PlainText(16)
HEX_ID = PlainText(32)


def of_clinician() -> ForeignKey:
    return ForeignKey("clinicians.pseudonym", ondelete="CASCADE")


def of_case() -> ForeignKey:
    return ForeignKey("cases.id", ondelete="CASCADE")


class Clinician(Base):
    """A reader: a pseudonym that opens nothing, and their own statements ("" if not stated).

    code_hash: of the code that they type on another device, None if none was made (logins.py).
    """

    __tablename__ = "clinicians"

    pseudonym: Mapped[str] = mapped_column(PSEUDONYM, primary_key=True)
    code_hash: Mapped[str | None] = mapped_column(String(64), index=True, unique=True)
    role: Mapped[str] = mapped_column(default="")
    years_of_practice: Mapped[str] = mapped_column(default="")
    joined_at: Mapped[datetime] = mapped_column(default=now)


class Login(Base):
    """A browser whose reader is known. secret_sha256: of its secret and the account, if people sign in."""

    __tablename__ = "logins"

    secret_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    clinician: Mapped[str] = mapped_column(PSEUDONYM, of_clinician(), index=True)
    made_at: Mapped[datetime] = mapped_column(default=now)


class Deck(Base):
    """A set of cases for several readers.

    asks_management, asks_malignancy: whether each answer also says what is to be done, and how likely a
    malignancy is. arms: of vocabulary.ARMS, [] where every reader is shown everything; primary_comparison:
    two of them, named before the study. consent: the text that readers agree to, "" where none is asked;
    withdrawn: how many readers took everything back.
    """

    __tablename__ = "decks"

    id: Mapped[str] = mapped_column(HEX_ID, primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    shows_reference: Mapped[bool]
    note: Mapped[str] = mapped_column(default="")
    asks_management: Mapped[bool] = mapped_column(default=False)
    asks_malignancy: Mapped[bool] = mapped_column(default=False)
    arms: Mapped[list[Any]] = mapped_column(default=list)
    primary_comparison: Mapped[list[Any]] = mapped_column(default=list)
    consent: Mapped[str] = mapped_column(default="")
    withdrawn: Mapped[int] = mapped_column(default=0)
    loaded_at: Mapped[datetime] = mapped_column(default=now)


class Case(Base):
    """A case of a deck, or of the reader who entered it (`owner`).

    sample: the name of a built-in sample, else ""; its photo is in the app, never stored. photo_sha256: of
    the pixels, "" without a photo; it shows whether a photo chosen again is the same. seen_sha256: of the
    photo as a deck would hold it, "" too if not known; it shows whether two cases are the same. seen_dhash:
    likewise (`likeness.py`), of a photo that was saved again too. crop: centre x, y, size, as in photo.Crop.
    facts_extracted: what was found in the words (`extraction.to_keep`), None if they were not read.
    facts_confirmed: fact -> answer, "unsaid" included, of all facts that the reader saw or set; None for a
    deck's case, and if the reader saw none. age_band, body_site: of these facts, or of the deck's table.
    """

    __tablename__ = "cases"

    id: Mapped[str] = mapped_column(HEX_ID, primary_key=True)
    deck_id: Mapped[str | None] = mapped_column(ForeignKey("decks.id", ondelete="CASCADE"), index=True)
    owner: Mapped[str | None] = mapped_column(PSEUDONYM, of_clinician(), index=True)
    sample: Mapped[str] = mapped_column(default="")
    narrative: Mapped[str] = mapped_column(default="")
    facts_extracted: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    facts_confirmed: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    age_band: Mapped[str] = mapped_column(default="")
    body_site: Mapped[str] = mapped_column(default="")
    fitzpatrick: Mapped[int | None]
    photo_sha256: Mapped[str] = mapped_column(default="")
    seen_sha256: Mapped[str] = mapped_column(default="", server_default="")
    seen_dhash: Mapped[str] = mapped_column(default="", server_default="")
    crop: Mapped[list[Any]] = mapped_column(default=lambda: [0.5, 0.5, 1.0])
    reference: Mapped[str] = mapped_column(default="")
    explanation: Mapped[str] = mapped_column(default="")
    opened_at: Mapped[datetime] = mapped_column(default=now)


class Photo(Base):
    """The pixels of a case as PNG: of a deck's case, or if the clinician chose to keep the photo."""

    __tablename__ = "photos"

    case_id: Mapped[str] = mapped_column(HEX_ID, of_case(), primary_key=True)
    png: Mapped[bytes] = mapped_column(LargeBinary)


class Run(Base):
    """One diagnosis of a case by one bundle. bundle_sha256: of its manifest, which lists all hashes."""

    __tablename__ = "runs"
    __table_args__ = (UniqueConstraint("case_id", "bundle_sha256"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[str] = mapped_column(HEX_ID, of_case())
    bundle: Mapped[str]
    bundle_version: Mapped[str]
    bundle_sha256: Mapped[str] = mapped_column(String(64))
    result: Mapped[dict[str, Any]]
    made_at: Mapped[datetime] = mapped_column(default=now)


class Reading(Base):
    """One reader's work on one case.

    unblinded: they chose to see the AI before answering. is_repeat: before their first answer they had worked
    on another case with the same photo or words. arm: what of the AI they are shown, drawn when they open the
    case; "" where everybody is shown everything.
    """

    __tablename__ = "readings"

    clinician: Mapped[str] = mapped_column(PSEUDONYM, of_clinician(), primary_key=True)
    case_id: Mapped[str] = mapped_column(HEX_ID, of_case(), primary_key=True, index=True)
    unblinded: Mapped[bool] = mapped_column(default=False)
    is_repeat: Mapped[bool] = mapped_column(default=False, server_default=false())
    arm: Mapped[str] = mapped_column(default="")
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id"))
    opened_at: Mapped[datetime] = mapped_column(default=now)


class Consent(Base):
    """A reader's agreement to a deck's text. sha256: of that text."""

    __tablename__ = "consents"

    clinician: Mapped[str] = mapped_column(PSEUDONYM, of_clinician(), primary_key=True)
    deck_id: Mapped[str] = mapped_column(
        HEX_ID, ForeignKey("decks.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    sha256: Mapped[str] = mapped_column(String(64))
    agreed_at: Mapped[datetime] = mapped_column(default=now)


class Answer(Base):
    """ranks: one to four diagnoses, most likely first, as a type's code or as written.

    confidence: 0 to 100; management: of vocabulary.MANAGEMENT, malignancy: its probability in percent, 0 to
    100; "" and None where the deck does not ask. seconds: from the start of the stage to the answer.
    """

    __tablename__ = "answers"
    __table_args__ = (UniqueConstraint("clinician", "case_id", "stage"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    clinician: Mapped[str] = mapped_column(PSEUDONYM, of_clinician())
    case_id: Mapped[str] = mapped_column(HEX_ID, of_case(), index=True)
    stage: Mapped[Stage] = mapped_column(String(8))
    blinded: Mapped[bool]
    ranks: Mapped[list[Any]]
    confidence: Mapped[int]
    management: Mapped[str] = mapped_column(default="")
    malignancy: Mapped[int | None]
    reason: Mapped[str] = mapped_column(default="")
    seconds: Mapped[float]
    answered_at: Mapped[datetime] = mapped_column(default=now)


class Feedback(Base):
    """Scales from 1 (not at all) to 5 (fully); None if not answered."""

    __tablename__ = "feedback"

    clinician: Mapped[str] = mapped_column(PSEUDONYM, of_clinician(), primary_key=True)
    case_id: Mapped[str] = mapped_column(HEX_ID, of_case(), primary_key=True, index=True)
    agrees: Mapped[int | None]
    heatmap_on_lesion: Mapped[int | None]
    steps_helped: Mapped[int | None]
    would_use: Mapped[int | None]
    comment: Mapped[str] = mapped_column(default="")
    given_at: Mapped[datetime] = mapped_column(default=now)
