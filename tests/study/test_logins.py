"""What opens a reader's cases, what does not, and that the database holds neither secret nor code."""

import re
from pathlib import Path

import pytest

from skin_ai.study import export, logins
from skin_ai.study.database import StoreError
from skin_ai.study.store import Store
from skin_ai.study.tables import Clinician, Login

SECRET = "x" * 43


def all_text_of(store: Store, tmp_path: Path) -> bytes:
    copy = tmp_path / "copy.db"
    store.backup(copy)
    return copy.read_bytes()


def test_pseudonym_opens_nothing(store: Store, reader: str) -> None:
    assert re.fullmatch(export.PSEUDONYM, reader)
    logins.new_code(store, reader)
    logins.remember_browser(store, reader, SECRET)
    for typed in (reader, reader[2:], f"{reader[2:6]}-{reader[6:]}"):
        assert logins.reader_with_code(store, typed) is None
        assert logins.reader_of_browser(store, typed) is None


def test_code_opens_its_readers_cases_however_it_is_typed(store: Store, reader: str) -> None:
    code = logins.new_code(store, reader)
    for typed in (code, code.lower(), code.replace("-", ""), f"  {code[:4]} {code[5:].lower()} "):
        assert logins.reader_with_code(store, typed) == reader
    for typed in ("", "K7Q4", "'; DROP TABLE clinicians", "\0", "\ud800", "x" * 10_000, f"{code}2"):
        assert logins.reader_with_code(store, typed) is None


def test_new_code_replaces_the_former_one(store: Store, reader: str) -> None:
    former = logins.new_code(store, reader)
    assert logins.reader_with_code(store, logins.new_code(store, reader)) == reader
    assert logins.reader_with_code(store, former) is None
    with pytest.raises(StoreError, match="No reader has this pseudonym"):
        logins.new_code(store, "R-AAAAAAAA")


def test_browser_is_remembered_until_its_reader_leaves(store: Store, reader: str) -> None:
    other = store.add_clinician()
    logins.remember_browser(store, reader, SECRET)
    assert logins.reader_of_browser(store, SECRET) == reader
    assert logins.reader_of_browser(store, "y" * 43) is None
    logins.remember_browser(store, other, SECRET)
    assert logins.reader_of_browser(store, SECRET) == other
    logins.forget_browser(store, SECRET)
    assert logins.reader_of_browser(store, SECRET) is None


def test_account_cannot_use_what_belongs_to_another_one(store: Store, reader: str) -> None:
    code = logins.new_code(store, reader, "account one")
    logins.remember_browser(store, reader, SECRET, "account one")
    assert logins.reader_with_code(store, code, "account one") == reader
    assert logins.reader_of_browser(store, SECRET, "account one") == reader
    for other in ("account two", ""):
        assert logins.reader_with_code(store, code, other) is None
        assert logins.reader_of_browser(store, SECRET, other) is None


def test_code_from_study_staff_belongs_to_the_first_account_that_types_it(store: Store, reader: str) -> None:
    code = logins.new_code(store, reader)
    assert logins.reader_with_code(store, code, "account one") == reader
    assert logins.reader_with_code(store, code, "account two") is None
    assert logins.reader_with_code(store, code) is None
    assert logins.reader_with_code(store, code, "account one") == reader


def test_database_holds_neither_secret_nor_code(store: Store, reader: str, tmp_path: Path) -> None:
    code = logins.new_code(store, reader, "the account")
    logins.remember_browser(store, reader, SECRET, "the account")
    with store.reading() as session:
        kept = (session.get(Clinician, reader).code_hash, session.query(Login).one().secret_sha256)
    assert all(re.fullmatch("[0-9a-f]{64}", one) for one in kept)
    found = all_text_of(store, tmp_path)
    for secret in (code, code.replace("-", ""), SECRET, "the account"):
        assert secret.encode() not in found
