"""What opens a reader's cases: a browser's secret, or a short code that people type on another device.

Neither is their pseudonym, which stands in exports, and the database holds only hashes of both. `account`,
"" without sign-in, is part of each hash: under another account the same secret or code opens nothing.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from skin_ai.study.database import StoreError
from skin_ai.study.store import ALPHABET, Store
from skin_ai.study.tables import Clinician, Login

CODE_HALF: Final = 4  # characters before and after the hyphen: 39 bits
NOT_A_READER: Final = "No reader has this pseudonym: exports and the Feedback page list them."


def reader_of_browser(store: Store, secret: str, account: str = "") -> str | None:
    """The pseudonym of the browser's reader."""
    with store.reading() as session:
        login = session.get(Login, _hash_of_secret(secret, account))
    return None if login is None else login.clinician


def remember_browser(store: Store, reader: str, secret: str, account: str = "") -> None:
    with store.writing() as session:
        session.merge(Login(secret_sha256=_hash_of_secret(secret, account), clinician=reader))


def forget_browser(store: Store, secret: str, account: str = "") -> None:
    with store.writing() as session:
        session.execute(delete(Login).where(Login.secret_sha256 == _hash_of_secret(secret, account)))


def new_code(store: Store, reader: str, account: str = "") -> str:
    """Makes a code that opens the reader's cases, in place of an earlier one; StoreError if there is none."""
    halves = ("".join(secrets.choice(ALPHABET) for _ in range(CODE_HALF)) for _ in range(2))
    code = "-".join(halves)
    with store.writing() as session:
        clinician = session.get(Clinician, reader)
        if clinician is None:
            raise StoreError(NOT_A_READER)
        clinician.code_hash = _hash_of_code(code, account)
    return code


def reader_with_code(store: Store, typed: str, account: str = "") -> str | None:
    """The pseudonym of the reader with this code; lower case, spaces and a missing hyphen are accepted.

    A code that was made without an account, as `study new-code` makes them, belongs to the first account
    that types it.
    """
    letters = "".join(character for character in typed.upper() if character.isalnum())
    if len(letters) != 2 * CODE_HALF or not set(letters) <= set(ALPHABET):
        return None
    code = f"{letters[:CODE_HALF]}-{letters[CODE_HALF:]}"
    with store.reading() as session:
        found = _with_code(session, code, account)
    if found is None and account:
        with store.writing() as session:
            found = _with_code(session, code, "")
            if found is not None:
                found.code_hash = _hash_of_code(code, account)
    return None if found is None else found.pseudonym


def _with_code(session: Session, code: str, account: str) -> Clinician | None:
    return session.scalar(select(Clinician).where(Clinician.code_hash == _hash_of_code(code, account)))


def _hash_of_secret(secret: str, account: str) -> str:
    return hashlib.sha256(f"{account}\0{secret}".encode()).hexdigest()


def _hash_of_code(code: str, account: str) -> str:
    """Slow (50 ms), because a code is short enough to be guessed from a quick hash in a copied database."""
    return hashlib.scrypt(code.encode(), salt=f"skin_ai {account}".encode(), n=2**14, r=8, p=1).hex()[:64]
