"""Opens, migrates and backs up the database: SQLite by default, PostgreSQL if its address is given."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

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
from skin_ai.study import private_files
from skin_ai.study.private_files import NotPrivateError

MIGRATIONS: Final = Path(__file__).parent / "migrations"
# Oldest first; the names of the migrations' files begin with them. Read once: an update in place changes the
# files while this version still runs.
REVISIONS: Final = sorted(file.name[:4] for file in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))
FILE: Final = "study.db"
BUSY_SECONDS: Final = 30.0  # how long a writer waits for another one
READERS_SECONDS: Final = 2.0  # how long the emptying of the log waits for readers
ROWS_AT_ONCE: Final = 20  # copied at a time: a photo can have many megabytes
MIGRATION_LOCK: Final = 26_112_024  # an arbitrary number, the same in all processes of the app

STILL_READ: Final = (
    "Another program reads the database, so the database's log still holds what was deleted or replaced. "
    "Close that program: the app then removes it with its next save."
)
VACUUM: Final = "Deleted. PostgreSQL overwrites the deleted data later, with its next vacuum."
NEWER: Final = (
    "Not saved: a newer version of skin_ai has updated the database. Update and restart this server; what "
    "you entered is still here."
)

log = logging.getLogger(__name__)


class StoreError(RuntimeError):
    """What is wrong with the database and what to do, in one sentence for the user."""


def open_engine(url: str = "") -> Engine:
    """The database at `url` (default SKIN_AI_DATABASE_URL, else SQLite in the data folder), migrated.

    Raises StoreError, and changes nothing, if it cannot be opened, is not one of skin_ai, was made by a newer
    version, or if others may write it.
    """
    folder = settings.current().data
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        private_files.check(folder)
        engine = _engine(url or settings.current().database_url or _sqlite(folder / FILE))
        file = _file_of(engine.url)
        if file is not None:
            private_files.check_database(file)
            _create(file, engine.url)
        try:
            with writing(engine) as connection:
                _bring_up_to_date(connection, folder)
            if file is not None:
                private_files.close_to_others(file)
        finally:
            engine.dispose()
        if engine.dialect.name == "sqlite":
            # Only now: these settings change the file, which must be one of skin_ai, and with foreign keys
            # on, a migration that recreates a table would delete the rows that refer to it.
            event.listen(engine, "connect", _prepare_sqlite)
            engine.connect().close()
    except NotPrivateError as error:
        raise StoreError(str(error)) from error
    except OSError as error:
        cause = error.strerror
        raise StoreError(f"The data folder {folder} cannot be used ({cause}): set SKIN_AI_DATA.") from error
    except SQLAlchemyError as error:
        raise _not_opened(error, engine.url) from None
    return engine


def _sqlite(file: Path) -> URL:
    return URL.create("sqlite", database=str(file))  # allows any characters in the path


def _file_of(url: URL) -> Path | None:
    """The file of SQLite."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    is_uri = url.database.startswith("file:")
    return Path(unquote(urlsplit(url.database).path) if is_uri else url.database)


def _create(file: Path, url: URL) -> None:
    """An empty file for its owner only, from which SQLite begins; SQLite itself says where that fails."""
    if url.database != str(file) or not file.parent.is_dir():  # a URI may forbid it
        return
    with suppress(FileExistsError):
        os.close(private_files.create(file))


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
                    # PgBouncer gives each transaction another connection, which does not know them.
                    "prepare_threshold": None,
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
    connection.execute("PRAGMA secure_delete=ON")  # deleted data are overwritten, also by a migration


def _prepare_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    _log_ahead(connection)
    for pragma in (
        "synchronous=FULL",  # saved answers survive a loss of power
        "foreign_keys=ON",
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


def refuse_newer(connection: Connection) -> None:
    """In a transaction that writes: StoreError if a newer version has updated the database meanwhile."""
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time
        lock = text("SELECT pg_advisory_xact_lock_shared(:lock)")  # waits for a migration in progress
        connection.execute(lock, {"lock": MIGRATION_LOCK})
    if connection.scalar(text("SELECT version_num FROM alembic_version")) != REVISIONS[-1]:
        raise StoreError(NEWER)


def _not_opened(error: SQLAlchemyError, url: URL) -> StoreError:
    """Without the host: of an address that is not complete, it is the end of a password with an @."""
    cause = _cause(error)
    return StoreError(
        f"The database cannot be opened: {cause.replace(url.host, '…') if url.host else cause}."
    )


def not_saved(error: SQLAlchemyError) -> StoreError:
    """The error for a failed write."""
    log.error("not saved: %s", type(error).__name__)
    return StoreError(f"Not saved: {_plain_cause(error)}. What you entered is still here; try again.")


def not_deleted(error: SQLAlchemyError) -> StoreError:
    """The error for a failed deletion."""
    log.error("not deleted: %s", type(error).__name__)
    return StoreError(f"Not deleted: {_plain_cause(error)}. Then try again.")


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
        raise _not_opened(error, engine.url) from None
    finally:
        engine.dispose()
    is_newest = found == REVISIONS[-1]
    return f"{engine.dialect.name}, " + ("up to date" if is_newest else "the next start updates it")


def _revision(connection: Connection) -> str | None:
    """The database's revision, None if empty; StoreError if it is not one of skin_ai or too new."""
    tables = inspect(connection).get_table_names()
    found = None
    if "alembic_version" in tables:
        found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if found is None and tables:
        raise StoreError("The database has tables that are not from skin_ai: use an empty one.")
    if found is not None and found not in REVISIONS:
        raise StoreError(
            f"The database was made by a newer version of skin_ai (revision {found}): update skin_ai. "
            "Nothing was changed."
        )
    return found


def _bring_up_to_date(connection: Connection, folder: Path) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
    found = _revision(connection)
    if found == REVISIONS[-1]:
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
    command.upgrade(config, REVISIONS[-1])


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
        os.close(private_files.create(partial))
        if engine.dialect.name == "sqlite":
            _copy_sqlite(engine, partial)
        else:
            _copy_rows(engine, partial)
        partial.replace(out)
    except (OSError, sqlite3.Error, SQLAlchemyError) as error:
        partial.unlink(missing_ok=True)
        cause = _cause(error) if isinstance(error, SQLAlchemyError) else error
        raise StoreError(f"No backup was made: {cause}.") from error


def forget_deleted(engine: Engine, wait: float | None = None) -> bool:
    """Empties SQLite's write-ahead log, which holds old contents; False if that is not possible now.

    wait: seconds for others who read the database, READERS_SECONDS by default. True for PostgreSQL.
    """
    if engine.dialect.name != "sqlite":
        return True
    wait = READERS_SECONDS if wait is None else wait
    try:
        with _driver(engine) as connection:
            connection.execute(f"PRAGMA busy_timeout={round(1000 * wait)}")
            try:
                # An error is not raised where others read: the first of the three numbers then is 1.
                is_busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                connection.execute(f"PRAGMA busy_timeout={round(1000 * BUSY_SECONDS)}")
    except (sqlite3.Error, SQLAlchemyError) as error:
        log.warning("the log was not emptied: %s", type(error).__name__)
        return False
    return not is_busy


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
                target.execute(table.insert(), [{name: _in_utc(row[name]) for name in row} for row in part])


def _in_utc(value: Any) -> Any:
    """PostgreSQL gives times in the server's time zone, and SQLite keeps no zone."""
    return value.astimezone(UTC) if isinstance(value, datetime) else value
