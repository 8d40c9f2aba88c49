"""Opens, migrates and backs up the database: SQLite by default, PostgreSQL if its address is given."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    MetaData,
    create_engine,
    event,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from skin_ai import settings

MIGRATIONS: Final = Path(__file__).parent / "migrations"
FILE: Final = "study.db"
BUSY_SECONDS: Final = 30.0  # how long a writer waits for another one
ROWS_AT_ONCE: Final = 20  # copied at a time: a photo can have many megabytes
MIGRATION_LOCK: Final = 26_112_024  # an arbitrary number, the same in all processes of the app

log = logging.getLogger(__name__)


class StoreError(RuntimeError):
    """What is wrong with the database and what to do, in one sentence for the user."""


def open_engine(url: str = "") -> Engine:
    """The database at `url` (default SKIN_AI_DATABASE_URL, else SQLite in the data folder), migrated.

    Raises StoreError, and changes nothing, if it cannot be opened, is not one of skin_ai, or was made by a
    newer version.
    """
    folder = settings.current().data
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        url = url or settings.current().database_url
        if not url:
            (folder / FILE).touch(mode=0o600)
        engine = _engine(url or _sqlite(folder / FILE))
        try:
            with writing(engine) as connection:
                _bring_up_to_date(connection, folder)
        finally:
            engine.dispose()
        if engine.dialect.name == "sqlite":
            # Only now: these settings change the file, which must be one of skin_ai, and with foreign keys
            # on, a migration that recreates a table would delete the rows that refer to it.
            event.listen(engine, "connect", _prepare_sqlite)
            engine.connect().close()
    except OSError as error:
        cause = error.strerror
        raise StoreError(f"The data folder {folder} cannot be used ({cause}): set SKIN_AI_DATA.") from error
    except SQLAlchemyError as error:
        raise StoreError(f"The database cannot be opened: {_cause(error)}.") from error
    return engine


def _sqlite(file: Path) -> URL:
    return URL.create("sqlite", database=str(file))  # allows any characters in the path


def _engine(url: str | URL) -> Engine:
    try:
        address = make_url(url)
        if address.get_backend_name() == "postgresql":
            return create_engine(
                address.set(drivername="postgresql+psycopg"),
                pool_pre_ping=True,
                connect_args={
                    "connect_timeout": 5,
                    # Milliseconds; otherwise a lost network is noticed only after minutes.
                    "tcp_user_timeout": 10_000,
                    "options": "-c timezone=UTC",
                },
                # Answers and patients' words must not appear in an error's text.
                hide_parameters=True,
            )
        if address.get_backend_name() != "sqlite":
            name = address.drivername
            raise StoreError(f"SKIN_AI_DATABASE_URL is for {name}: it must be sqlite or postgresql.")
        if address.database in (None, "", ":memory:"):
            raise StoreError("SKIN_AI_DATABASE_URL has no file, so all data would be lost: add one.")
        engine = create_engine(address, connect_args={"timeout": BUSY_SECONDS}, hide_parameters=True)
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise StoreError(
            "SKIN_AI_DATABASE_URL is not a database address such as postgresql://user:password@host/name."
        ) from error
    event.listen(engine, "connect", _let_us_begin)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _let_us_begin(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None  # the driver begins no transactions: _begin_sqlite does


def _prepare_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    _log_ahead(connection)
    for pragma in (
        "synchronous=FULL",  # saved answers survive a loss of power
        "foreign_keys=ON",
        "secure_delete=ON",  # deleted data are overwritten
    ):
        connection.execute(f"PRAGMA {pragma}")


def _log_ahead(connection: sqlite3.Connection) -> None:
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            # SQLite's own timeout does not apply here: another process may be opening the same new file.
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


def clock(session: Session) -> datetime:
    """The database's time, the same for all servers that share it."""
    if session.get_bind().dialect.name == "postgresql":
        moment: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
        return moment.astimezone(UTC)
    written = session.execute(text("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')")).scalar_one()
    return datetime.fromisoformat(written).replace(tzinfo=UTC)


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes, committed as a whole or not at all.

    It takes SQLite's write lock at the start: a transaction that reads first and then finds the lock taken
    fails without waiting.
    """
    with engine.execution_options(begin="BEGIN IMMEDIATE").begin() as connection:
        yield connection


def _cause(error: SQLAlchemyError) -> str:
    """The first line of the database's message, which contains no parameters."""
    message = str(error.orig if isinstance(error, DBAPIError) else error).strip()
    return (message.splitlines() or [type(error).__name__])[0].rstrip(".")


def not_saved(error: SQLAlchemyError) -> StoreError:
    """The error for a failed write."""
    log.error("not saved: %s", type(error).__name__)
    return StoreError(f"Not saved: {_plain_cause(error)}. What you entered is still here; try again.")


def not_read(error: SQLAlchemyError) -> StoreError:
    """The error for a failed read."""
    log.error("not read: %s", type(error).__name__)
    return StoreError(f"The data cannot be read now: {_plain_cause(error)}. Try again in a moment.")


def _plain_cause(error: SQLAlchemyError) -> str:
    cause = _cause(error)
    if "full" in cause or "No space" in cause:
        return "the disk is full; make room"
    if "locked" in cause:
        return "the database is busy"
    if isinstance(error, DBAPIError) and (error.connection_invalidated or "connect" in cause):
        return "the database cannot be reached"
    return cause


def state(url: str = "") -> str:
    """Kind and version of the database in a few words; changes nothing. Raises StoreError."""
    file = settings.current().data / FILE
    url = url or settings.current().database_url
    if not url and not file.exists():
        return "none yet: the first start creates it"
    engine = _engine(url or _sqlite(file))
    try:
        with engine.begin() as connection:
            found = _revision(connection)
    except SQLAlchemyError as error:
        raise StoreError(f"The database cannot be opened: {_cause(error)}.") from error
    finally:
        engine.dispose()
    is_newest = found == _revisions()[-1]
    return f"{engine.dialect.name}, " + ("up to date" if is_newest else "the next start updates it")


def _revisions() -> list[str]:
    """The revisions that this version knows, oldest first; migration file names begin with them."""
    return sorted(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def _revision(connection: Connection) -> str | None:
    """The database's revision, None if empty; StoreError if it is not one of skin_ai or too new."""
    tables = inspect(connection).get_table_names()
    found = None
    if "alembic_version" in tables:
        found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if found is None and tables:
        raise StoreError("The database has tables that are not from skin_ai: use an empty one.")
    if found is not None and found not in _revisions():
        raise StoreError(
            f"The database was made by a newer version of skin_ai (revision {found}): update skin_ai. "
            "Nothing was changed."
        )
    return found


def _bring_up_to_date(connection: Connection, folder: Path) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
    found = _revision(connection)
    if found == _revisions()[-1]:
        return
    if found is not None:
        copy = folder / f"before-migration-{found}-{datetime.now(UTC):%Y%m%dT%H%M%S}.db"
        backup(connection.engine, copy)
        log.info("database of revision %s copied to %s before its migration", found, copy)
    from alembic import command  # here: it takes a quarter of a second and is rarely needed
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def backup(engine: Engine, out: Path) -> None:
    """Copies the live database, as of one moment, into a new SQLite file.

    To use the copy, set SKIN_AI_DATABASE_URL to sqlite:///OUT. Raises StoreError if `out` exists or the copy
    fails; then no file is left.
    """
    if out.exists():
        raise StoreError(f"{out} already exists: choose a new name for the backup.")
    partial = out.with_name(out.name + ".partial")
    try:
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600)
        if engine.dialect.name == "sqlite":
            _copy_sqlite(engine, partial)
        else:
            _copy_rows(engine, partial)
        partial.replace(out)
    except (OSError, sqlite3.Error, SQLAlchemyError) as error:
        partial.unlink(missing_ok=True)
        cause = _cause(error) if isinstance(error, SQLAlchemyError) else error
        raise StoreError(f"No backup was made: {cause}.") from error


def forget_deleted(engine: Engine) -> None:
    """Empties SQLite's write-ahead log, which has old contents; while others read, a later call does it."""
    if engine.dialect.name != "sqlite":
        return
    try:
        with _driver(engine) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except (sqlite3.Error, SQLAlchemyError) as error:
        log.warning("the log was not emptied: %s", type(error).__name__)


@contextmanager
def _driver(engine: Engine) -> Iterator[sqlite3.Connection]:
    """The driver's connection, outside a transaction."""
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        yield driver


def _copy_sqlite(engine: Engine, out: Path) -> None:
    copy = sqlite3.connect(out)
    try:
        with _driver(engine) as source:
            source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
    finally:
        copy.close()


def _copy_rows(engine: Engine, out: Path) -> None:
    tables = MetaData()
    copy = create_engine(_sqlite(out), poolclass=NullPool, hide_parameters=True)
    with (
        engine.connect().execution_options(isolation_level="REPEATABLE READ") as source,
        copy.begin() as target,
    ):
        tables.reflect(source)
        for table in tables.tables.values():
            for column in table.columns:
                column.type = column.type.as_generic()
                column.server_default = None
        tables.create_all(target)
        for table in tables.sorted_tables:
            rows = source.execution_options(yield_per=ROWS_AT_ONCE).execute(select(table)).mappings()
            for part in rows.partitions():
                target.execute(table.insert(), [dict(row) for row in part])
