"""Opening, migrating, copying, and what happens when the disk, the network or the program fails."""

import logging
import resource
import shutil
import sqlite3
import stat
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from threading import Barrier, Event, Thread

import made_up_study
import numpy as np
import pandas as pd
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pandas.testing import assert_frame_equal
from saver import kill_while_saving, save_answers, start_saver
from sqlalchemy import create_engine, event, inspect, text

from skin_ai import settings
from skin_ai.study import database, flow, logins
from skin_ai.study.database import StoreError
from skin_ai.study.deck import Deck, DeckCase
from skin_ai.study.store import Store, open_store
from skin_ai.study.tables import Answer, Base, Case, Stage

WRITERS = 8
ANSWERS = 25  # of each writer
LAST = database.REVISIONS[-1]
SECRET = "my aunt Matilda says that it has grown"

# The next version of the tables: SQLite makes a table anew for it.
NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "0999"
down_revision = "{last}"


def upgrade() -> None:
    anew = "always" if op.get_bind().dialect.name == "sqlite" else "never"
    with op.batch_alter_table("cases", recreate=anew) as cases:
        cases.add_column(sa.Column("note", sa.Text(), nullable=False, server_default="none"))
    {more}
"""


@contextmanager
def next_version(folder: Path, more: str = "") -> Iterator[None]:
    """Migrations with one more than there are."""
    migrations = folder / "migrations"
    shutil.copytree(database.MIGRATIONS, migrations)
    (migrations / "versions" / "0999_a_note.py").write_text(NEXT.format(more=more, last=LAST))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "MIGRATIONS", migrations)
        patch.setattr(database, "REVISIONS", [*database.REVISIONS, "0999"])
        yield


def differences(store: Store) -> list[object]:
    """What alembic would change to make the database as the models say."""
    with store.engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), Base.metadata))


def with_answers(url: str) -> Store:
    store = open_store(url)
    store.add_answers(made_up_study.answers(2, 5))
    return store


@contextmanager
def full_disk(store: Store) -> Iterator[None]:
    """SQLite may not take another page."""
    with store.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    yield
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """This process may not write further in any file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# Opening


def test_every_connection_of_sqlite_is_durable_and_checks_keys() -> None:
    store = open_store()
    store.forget_deleted()
    store.backup(settings.current().data / "copy.db")
    with store.engine.connect() as one, store.engine.connect() as two:
        for connection in (one, two):
            found = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "busy_timeout")
            }
            assert found == {
                "journal_mode": "wal",
                "synchronous": 2,
                "foreign_keys": 1,
                "secure_delete": 1,
                "busy_timeout": 30_000,
            }
            driver = connection.connection.driver_connection
            assert driver is not None and driver.isolation_level is None


def test_sqlite_takes_the_write_lock_before_it_reads() -> None:
    store = open_store()
    seen: list[str] = []
    event.listen(store.engine, "before_cursor_execute", lambda *of: seen.append(of[2]))
    with store.writing() as session:
        session.get(Case, "")
    assert seen[0] == "BEGIN IMMEDIATE"
    seen.clear()
    with store.reading() as session:
        session.get(Case, "")
    assert seen[0] == "BEGIN"


@pytest.mark.parametrize("name", ["plain", "with space", "50% ?mode=memory&a#b", "Hautärztin 皮肤"])
def test_database_is_in_the_data_folder_for_its_user_only(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "deep" / name
    monkeypatch.setenv("SKIN_AI_DATA", str(folder))
    reader = open_store().add_clinician()
    assert open_store().clinician(reader)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.glob("study.db*")}
    assert modes["study.db"] == 0o600 and set(modes.values()) == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_address_from_the_environment_is_used(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKIN_AI_DATABASE_URL", url)
    reader = open_store().add_clinician()
    assert open_store(url).clinician(reader)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("nonsense", "is not a database address"),
        ("postgresql://u:secret@host:port/name", "is not a database address"),
        ("mysql://u:secret@host/name", "mysql: it must be sqlite or postgresql"),
        ("postgres://u:secret@host/name", "postgres: it must be sqlite or postgresql"),
        ("sqlite://", "has no file"),
        ("sqlite:////no/such/folder/a.db", "cannot be opened: unable to open database file"),
        ("postgresql://u:secret@localhost:1/name", "cannot be opened: connection"),
        ("postgresql://nobody_here:secret@localhost/name", "cannot be opened: connection"),
        ("postgresql://u:Winter@secret-2026", "cannot be opened: "),  # the password is Winter@secret-2026
    ],
)
def test_wrong_address_is_told_without_its_password(address: str, said: str) -> None:
    with pytest.raises(StoreError, match=said) as error:
        open_store(address)
    assert "secret" not in "".join(traceback.format_exception(error.value))


@pytest.mark.parametrize("kind", ["file", "impossible", "database is a folder"])
def test_data_folder_that_cannot_be_used_is_told(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = {"file": tmp_path / "file", "impossible": Path("/proc/skin_ai")}.get(kind, tmp_path / "folder")
    if kind == "file":
        folder.write_text("")
    elif kind == "database is a folder":
        (folder / database.FILE).mkdir(parents=True)
    monkeypatch.setenv("SKIN_AI_DATA", str(folder))
    with pytest.raises(StoreError, match="cannot be opened" if "is a" in kind else "set SKIN_AI_DATA"):
        open_store()


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0" + 200 * b"x", b"a letter to a colleague" * 99])
def test_file_that_is_no_database_is_refused_and_left_alone(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    file.write_bytes(content)
    if not content:  # this is how SQLite begins
        assert not open_store(f"sqlite:///{file}").decks()
        return
    with pytest.raises(StoreError, match="cannot be opened: file is not a database"):
        open_store(f"sqlite:///{file}")
    assert file.read_bytes() == content
    assert [path.name for path in tmp_path.glob("a.db*")] == ["a.db"]


def test_database_of_others_is_refused_and_left_alone(url: str, tmp_path: Path) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE invoices (number INTEGER)"))
    engine.dispose()
    before = {path.name: path.read_bytes() for path in tmp_path.glob("a.db*")}
    with pytest.raises(StoreError, match="tables that are not from skin_ai"):
        open_store(url)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("a.db*")} == before
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["invoices"]
    engine.dispose()


def test_many_threads_open_one_new_database(url: str, tmp_path: Path) -> None:
    # On SQLite they seldom meet where it matters, so there are several files.
    urls = (
        [url]
        if url.startswith("postgresql")
        else [f"sqlite:///{tmp_path}/{number}.db" for number in range(12)]
    )
    for one in urls:
        meet = Barrier(WRITERS)

        def join(_: int, one: str = one, meet: Barrier = meet) -> str:
            meet.wait()
            store = open_store(one)
            reader = store.add_clinician()
            store.engine.dispose()
            return reader

        with ThreadPoolExecutor(WRITERS) as threads:
            readers = list(threads.map(join, range(WRITERS)))
        store = open_store(one)
        assert all(store.clinician(reader) for reader in readers)
        store.engine.dispose()


# Migrating


def test_migrations_make_what_the_models_say(store: Store) -> None:
    assert differences(store) == []


def test_older_database_is_backed_up_then_migrated(url: str, data_folder: Path, tmp_path: Path) -> None:
    store = with_answers(url)
    before = store.answers()
    store.engine.dispose()
    with next_version(tmp_path):
        migrated = open_store(url)
    # Other tables point to the one that was made anew; their rows must still be there.
    assert_frame_equal(migrated.answers(), before)
    with migrated.engine.connect() as connection:
        assert connection.execute(text("SELECT note FROM cases")).scalars().all() == ["none"] * 5
    migrated.engine.dispose()
    [copy] = data_folder.glob(f"before-migration-{LAST}-*.db")
    assert_frame_equal(open_store(f"sqlite:///{copy}").answers(), before)


def old_database(url: str, revision: str) -> pd.DataFrame:
    """A database as a version of that revision left it, with a study; returns its answers."""
    store = with_answers(url)
    answers = store.answers()
    with store.engine.begin() as connection:
        for later in reversed(database.REVISIONS[database.REVISIONS.index(revision) + 1 :]):
            for statement in BACK[later]:
                connection.execute(text(statement))
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))
    store.engine.dispose()
    return answers if revision >= "0002" else answers.assign(facts_extracted=None, facts_confirmed=None)


# What undoes a migration, so that a test can begin with an old database.
BACK = {
    "0002": [f"ALTER TABLE cases DROP COLUMN {name}" for name in ("facts_extracted", "facts_confirmed")],
    "0003": [
        "DROP TABLE logins",
        "DROP INDEX ix_clinicians_code_hash",
        "ALTER TABLE clinicians DROP COLUMN code_hash",
        "ALTER TABLE clinicians RENAME COLUMN pseudonym TO code",
    ],
    "0004": ["ALTER TABLE readings DROP COLUMN is_repeat", "ALTER TABLE cases DROP COLUMN seen_sha256"],
    "0005": [
        "DROP TABLE consents",
        *(
            f"ALTER TABLE decks DROP COLUMN {name}"
            for name in (
                "asks_management",
                "asks_malignancy",
                "arms",
                "primary_comparison",
                "consent",
                "withdrawn",
            )
        ),
        "ALTER TABLE readings DROP COLUMN arm",
        "ALTER TABLE answers DROP COLUMN management",
        "ALTER TABLE answers DROP COLUMN malignancy",
    ],
    "0006": ["ALTER TABLE cases DROP COLUMN seen_dhash"],
}


@pytest.mark.parametrize("revision", ["0001", "0002"])
def test_old_database_is_opened_and_keeps_its_answers(url: str, revision: str) -> None:
    before = old_database(url, revision)
    migrated = open_store(url)
    assert_frame_equal(migrated.answers(), before)
    assert differences(migrated) == []
    with migrated.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    migrated.engine.dispose()


def test_codes_of_an_old_database_stand_in_exports_and_so_open_nothing(url: str) -> None:
    codes = old_database(url, "0002")["reader"].unique()
    migrated = open_store(url)
    for code in codes:
        assert logins.reader_with_code(migrated, code) is None
        assert logins.reader_of_browser(migrated, code) is None
        new = logins.new_code(migrated, code)
        assert new != code and logins.reader_with_code(migrated, new) == code
    migrated.engine.dispose()


def test_database_without_arms_is_opened_and_keeps_its_answers(url: str) -> None:
    before = old_database(url, "0004")
    migrated = open_store(url)
    assert_frame_equal(migrated.answers(), before)
    [(deck, _)] = migrated.decks()
    assert (deck.asks_management, deck.arms, deck.consent, deck.withdrawn) == (False, [], "", 0)
    assert differences(migrated) == []
    migrated.engine.dispose()


def test_newer_database_is_refused_and_left_alone(url: str, tmp_path: Path) -> None:
    with next_version(tmp_path):
        with_answers(url).engine.dispose()
    before = {path.name: path.read_bytes() for path in tmp_path.glob("a.db*")}
    with pytest.raises(StoreError, match=r"newer version of skin_ai \(revision 0999\)"):
        open_store(url)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("a.db*")} == before


def test_server_of_an_older_version_stops_writing_into_a_newer_database(
    url: str, case: Case, tmp_path: Path
) -> None:
    running = with_answers(url)
    reader = running.add_clinician()
    before = running.answers()
    with next_version(tmp_path):
        open_store(url).engine.dispose()
    for write in (
        lambda: flow.keep_case(running, reader, case),
        lambda: running.add_clinician(),
        lambda: running.delete_deck(running.decks()[0][0].id),
    ):
        with pytest.raises(StoreError, match="a newer version of skin_ai has updated the database"):
            write()
    assert_frame_equal(running.answers(), before)
    running.engine.dispose()


def test_update_in_place_is_not_taken_for_this_version(url: str, tmp_path: Path) -> None:
    """A `git pull` brings the files of the next migration while this version still runs."""
    known = database.REVISIONS
    with next_version(tmp_path), pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "REVISIONS", known)
        store = open_store(url)
        assert store.add_clinician()
        with store.engine.connect() as connection:
            assert connection.scalar(text("SELECT version_num FROM alembic_version")) == known[-1]
        store.engine.dispose()


def test_migration_that_fails_changes_nothing(url: str, tmp_path: Path) -> None:
    store = with_answers(url)
    before = store.answers()
    store.engine.dispose()
    with (
        next_version(tmp_path, more='op.execute("no SQL")'),
        pytest.raises(StoreError, match=r"cannot be opened: .*syntax error"),
    ):
        open_store(url)
    store = open_store(url)
    assert_frame_equal(store.answers(), before)
    assert differences(store) == []


# Who may read and write the files


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_database_outside_the_data_folder_is_for_its_user_only(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    for _ in range(2):
        store = with_answers(f"sqlite:///{file}") if not file.exists() else open_store(f"sqlite:///{file}")
        assert {mode_of(path) for path in tmp_path.glob("a.db*")} == {0o600}
        store.engine.dispose()
        file.chmod(0o644)  # as an earlier version made it


@pytest.mark.parametrize("others", [0o020, 0o002, 0o022])
@pytest.mark.parametrize("which", ["folder", "file", "outside", "folder outside", "log"])
def test_what_others_may_write_is_refused(which: str, others: int, data_folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere" / "a.db"
    outside.parent.mkdir()
    open_store().engine.dispose()
    open_store(f"sqlite:///{outside}").engine.dispose()
    log = outside.with_name("a.db-wal")
    path = {
        "folder": data_folder,
        "file": data_folder / database.FILE,
        "outside": outside,
        "folder outside": outside.parent,
        "log": log,
    }[which]
    if path == log:
        log.touch()
    path.chmod(mode_of(path) | others)
    with pytest.raises(StoreError, match=f"run chmod go-w {path}"):
        open_store("" if which in ("folder", "file") else f"sqlite:///{outside}")


@pytest.mark.parametrize("which", ["folder", "file", "log"])
def test_symbolic_links_are_not_followed(which: str, data_folder: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    if which == "folder":
        theirs.mkdir()
        data_folder.symlink_to(theirs)
    else:
        data_folder.mkdir()
        theirs.write_text("")
        end = "-wal" if which == "log" else ""
        (data_folder / f"{database.FILE}{end}").symlink_to(theirs)
    with pytest.raises(StoreError, match=f"is a symbolic link, which is not followed: name {theirs}"):
        open_store()
    assert theirs.is_dir() and not list(theirs.iterdir()) if which == "folder" else theirs.read_bytes() == b""


# Deleting


def test_full_disk_is_told_where_it_keeps_a_case_from_being_deleted(case: Case, data_folder: Path) -> None:
    store = open_store()
    reader = store.add_clinician()
    case.narrative = SECRET * 2000
    flow.keep_case(store, reader, case)
    with files_up_to(0), pytest.raises(StoreError, match=r"^Not deleted: .*try again\.$"):
        flow.delete_case(store, reader, case.id)
    assert flow.progress(store, reader, case.id) is not None
    with full_disk(store):
        assert flow.delete_case(store, reader, case.id) == ""
    assert not any(SECRET.encode() in file.read_bytes() for file in data_folder.iterdir())


@pytest.fixture
def read_by_another(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
    """Another program in the middle of reading the database; a commit of its ends that."""
    monkeypatch.setattr(database, "READERS_SECONDS", 0.05)
    open_store().engine.dispose()
    other = sqlite3.connect(data_folder / database.FILE, isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM cases").fetchone()
    yield other
    other.close()


def holds_secret(folder: Path) -> bool:
    return any(SECRET.encode() in file.read_bytes() for file in folder.iterdir())


@pytest.mark.parametrize("what", ["deleted case", "replaced words", "replaced comment", "deleted deck"])
def test_old_content_that_another_program_keeps_in_the_log_is_told_and_goes_later(
    what: str, case: Case, data_folder: Path, read_by_another: sqlite3.Connection
) -> None:
    store = open_store()
    reader = store.add_clinician()
    case.narrative = SECRET
    flow.keep_case(store, reader, case)
    if what == "deleted case":
        told = flow.delete_case(store, reader, case.id)
    elif what == "replaced words":
        told = flow.keep_case(store, reader, Case(id=case.id, narrative="It itches."))
    elif what == "replaced comment":
        flow.keep_case(store, reader, Case(id=case.id, narrative="It itches."))
        flow.keep_feedback(store, reader, case.id, {}, SECRET)
        told = flow.keep_feedback(store, reader, case.id, {}, "Clear.")
    else:
        flow.delete_case(store, reader, case.id)
        told = store.delete_deck(
            store.add_deck(Deck("x", False, (DeckCase(None, SECRET, "", "", None, "", ""),)))
        )
    assert told == database.STILL_READ and "Another program reads the database" in told
    assert holds_secret(data_folder)
    read_by_another.execute("COMMIT")
    store.describe_clinician(reader, "nurse", "")
    assert not holds_secret(data_folder)


def test_replaced_words_and_comments_are_gone_at_once(case: Case, data_folder: Path) -> None:
    store = open_store()
    reader = store.add_clinician()
    case.narrative = SECRET
    flow.keep_case(store, reader, case)
    assert flow.keep_case(store, reader, Case(id=case.id, narrative="It itches.")) == ""
    assert not holds_secret(data_folder)
    assert flow.keep_feedback(store, reader, case.id, {}, SECRET) == ""
    assert flow.keep_feedback(store, reader, case.id, {}, "Clear.") == ""
    assert not holds_secret(data_folder)


def test_postgresql_says_that_it_overwrites_later(postgresql: str, case: Case) -> None:
    store = open_store(postgresql)
    reader = store.add_clinician()
    flow.keep_case(store, reader, case)
    assert "PostgreSQL" in flow.delete_case(store, reader, case.id)
    store.engine.dispose()


# Copying


def test_backup_holds_all_that_is_kept(store: Store, reader: str, case: Case, tmp_path: Path) -> None:
    store.add_answers(made_up_study.answers(3, 7))
    photo = np.random.default_rng(0).integers(0, 255, (70, 80, 3), np.uint8)
    flow.keep_case(store, reader, case, photo)
    out = tmp_path / "50% of it?.db"
    store.backup(out)
    assert sorted(path.name for path in tmp_path.glob("50*")) == [out.name]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    (tmp_path / "copied.db").write_bytes(out.read_bytes())
    copy = open_store(f"sqlite:///{tmp_path}/copied.db")
    assert_frame_equal(copy.answers(), store.answers())
    assert differences(copy) == []
    assert (kept := flow.kept_photo(copy, case.id)) is not None and np.array_equal(kept, photo)
    progress = flow.progress(copy, reader, case.id)
    assert (
        progress is not None
        and progress.case.opened_at == flow.progress(store, reader, case.id).case.opened_at
    )


def test_backup_of_a_database_in_use_is_consistent(store: Store, tmp_path: Path) -> None:
    begun, ends = Event(), Event()

    def work() -> None:
        for number, _ in enumerate(save_answers(store)):
            if number > 10:
                begun.set()
            if ends.is_set():
                break

    worker = Thread(target=work)
    worker.start()
    begun.wait(30)
    store.backup(tmp_path / "copy.db")
    ends.set()
    worker.join()
    copy = open_store(f"sqlite:///{tmp_path}/copy.db")
    kept, copied = store.answers(), copy.answers()
    assert 10 < len(copied) < len(kept)
    assert_frame_equal(copied, kept[: len(copied)])
    with copy.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []


def test_backup_overwrites_nothing(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "copy.db"
    out.write_bytes(b"precious")
    with pytest.raises(StoreError, match="already exists"):
        store.backup(out)
    assert out.read_bytes() == b"precious"
    with pytest.raises(StoreError, match=r"No backup was made: .*No such file"):
        store.backup(tmp_path / "nowhere" / "copy.db")


def test_backup_that_fails_leaves_no_file(store: Store, tmp_path: Path) -> None:
    store.add_answers(made_up_study.answers(4, 20).assign(narrative=SECRET))
    (tmp_path / "out").mkdir()
    with files_up_to(30_000), pytest.raises(StoreError, match="No backup was made: ") as error:
        store.backup(tmp_path / "out" / "copy.db")
    assert list((tmp_path / "out").iterdir()) == []
    assert SECRET not in "".join(traceback.format_exception(error.value))


# Failures


def test_full_disk_is_told_and_the_same_save_works_with_room_again(case: Case) -> None:
    store = open_store()
    reader = store.add_clinician()
    case.narrative = "It bleeds. " * 2000
    with full_disk(store), pytest.raises(StoreError) as error:
        flow.keep_case(store, reader, case)
    assert str(error.value) == (
        "Not saved: the disk is full; make room. What you entered is still here; try again."
    )
    assert flow.progress(store, reader, case.id) is None
    flow.keep_case(store, reader, case)
    assert flow.progress(store, reader, case.id) is not None


def test_write_error_of_the_disk_saves_nothing(case: Case) -> None:
    store = open_store()
    reader = store.add_clinician()
    case.narrative = "It bleeds. " * 2000
    with files_up_to(0), pytest.raises(StoreError, match=r"^Not saved: "):
        flow.keep_case(store, reader, case)
    assert flow.progress(store, reader, case.id) is None
    flow.keep_case(store, reader, case)
    assert flow.progress(store, reader, case.id) is not None


def test_read_only_database_is_read_and_a_save_told(tmp_path: Path, case: Case) -> None:
    with_answers(f"sqlite:///{tmp_path}/a.db").engine.dispose()
    store = open_store(f"sqlite:///file:{tmp_path}/a.db?mode=ro&uri=true")
    assert len(store.answers()) > 10
    with pytest.raises(StoreError, match=r"^Not saved: attempt to write a readonly database"):
        flow.keep_case(store, "", case)


def test_busy_database_is_told(tmp_path: Path, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.1)
    store = open_store()
    reader = store.add_clinician()
    other = open_store()
    with other.writing(), pytest.raises(StoreError, match=r"^Not saved: the database is busy"):
        flow.keep_case(store, reader, case)
    flow.keep_case(store, reader, case)


def test_database_that_went_away_is_told_and_found_again(postgresql: str, case: Case) -> None:
    store = open_store(postgresql)
    reader = store.add_clinician()
    end = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'of the test'"
    )

    @event.listens_for(store.engine, "connect")
    def name(connection, _) -> None:
        connection.execute("SET application_name = 'of the test'")
        connection.commit()

    store.engine.dispose()
    killer = create_engine(postgresql)

    def terminate() -> None:
        with killer.begin() as connection:
            connection.execute(end)

    # Between two transactions it is not even noticed.
    flow.keep_case(store, reader, case)
    terminate()
    assert flow.progress(store, reader, case.id) is not None
    with pytest.raises(StoreError) as error, store.writing() as session:
        session.add(Case(id="f" * 32, narrative=SECRET, owner=reader, deck_id=None, fitzpatrick=None))
        session.flush()
        terminate()
    assert str(error.value) == (
        "Not saved: the database cannot be reached. What you entered is still here; try again."
    )
    flow.commit(store, reader, case.id, Stage.BEFORE, flow.given(["mole"], 50))
    assert len(store.answers()) == 1
    killer.dispose()
    store.engine.dispose()


def test_database_that_cannot_be_reached_is_told(postgresql: str, case: Case) -> None:
    store = open_store(postgresql)
    reader = store.add_clinician()
    away = Store(create_engine(store.engine.url.set(host="127.0.0.1", port=1), hide_parameters=True))
    with pytest.raises(StoreError, match=r"^Not saved: the database cannot be reached"):
        flow.keep_case(away, reader, case)
    with pytest.raises(StoreError, match=r"^The data cannot be read now: the database cannot be reached"):
        away.answers()
    flow.keep_case(store, reader, case)
    store.engine.dispose()


def test_what_was_said_is_in_no_error_and_no_log(
    store: Store, reader: str, case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "sqlalchemy.dialects")
    case.narrative = SECRET
    flow.keep_case(store, reader, case)
    half = {"clinician": reader, "case_id": case.id, "stage": Stage.BEFORE, "ranks": [SECRET], "seconds": 1}
    # PostgreSQL says the whole row that it refuses.
    with pytest.raises(StoreError, match=r"^Not saved: ") as error, store.writing() as session:
        session.add(Answer(**half, blinded=True, confidence=None, reason=SECRET))
    assert SECRET not in "".join(traceback.format_exception(error.value))
    with (
        pytest.raises(StoreError, match=r"^The data cannot be read now: ") as error,
        store.reading() as session,
    ):
        session.execute(text("SELECT narrative FROM nothing WHERE narrative = :words"), {"words": SECRET})
    assert SECRET not in "".join(traceback.format_exception(error.value))
    assert "not saved" in caplog.text and SECRET not in caplog.text


# Many at once


def test_eight_writers_in_threads_all_succeed(url: str) -> None:
    open_store(url).engine.dispose()

    def work(_: int) -> int:
        store = open_store(url)
        saved = len(list(islice(save_answers(store), ANSWERS)))
        store.engine.dispose()
        return saved

    with ThreadPoolExecutor(WRITERS) as threads:
        assert sum(threads.map(work, range(WRITERS))) == WRITERS * ANSWERS
    store = open_store(url)
    assert len(store.answers()) == WRITERS * ANSWERS
    store.engine.dispose()


def test_processes_open_one_new_database_and_all_write(url: str) -> None:
    writers = WRITERS if url.startswith("sqlite") else 2  # a server has met many of them before
    savers = [start_saver(url, ANSWERS) for _ in range(writers)]
    printed = [saver.communicate(timeout=60)[0].count("\n") for saver in savers]
    assert printed == [ANSWERS] * writers
    store = open_store(url)
    assert len(store.answers()) == writers * ANSWERS
    store.engine.dispose()


def test_a_reader_sees_no_half_transaction_and_waits_for_none(store: Store, reader: str, case: Case) -> None:
    flow.keep_case(store, reader, case)
    with store.writing() as session:
        session.get(Case, case.id).narrative = "half"
        session.flush()
        progress = flow.progress(store, reader, case.id)
        assert progress is not None and progress.case.narrative == "The spot on my nose bleeds."
    assert flow.progress(store, reader, case.id).case.narrative == "half"


def test_kill_while_saving_loses_nothing_and_leaves_nothing_half(url: str) -> None:
    found = kill_while_saving(url, times=10 if url.startswith("sqlite") else 1)
    assert (found.lost, found.half) == (0, 0)
    assert found.said > 5
