"""Files with patients' words: for their owner only, and never through a symbolic link."""

from __future__ import annotations

import os
import stat
from pathlib import Path

HAS_OWNERS = os.name == "posix"  # elsewhere a file's mode says nothing
BESIDE_DATABASE = ("", "-wal", "-shm", "-journal")  # ends of the names of SQLite's files


class NotPrivateError(ValueError):
    """Why a file or folder cannot be used safely and what to do, in one sentence."""


def check(path: Path) -> None:
    """Raises NotPrivateError for a symbolic link, and for what others may write; nothing there is fine."""
    if not HAS_OWNERS or not os.path.lexists(path):
        return
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise NotPrivateError(f"{path} is a symbolic link, which is not followed: name {path.resolve()}.")
    if found.st_mode & 0o022:
        mode = stat.S_IMODE(found.st_mode)
        raise NotPrivateError(f"Others may write {path} (mode {mode:o}): run chmod go-w {path}.")
    if os.geteuid() not in (0, found.st_uid) and found.st_uid != 0:
        raise NotPrivateError(f"{path} belongs to another user of this computer: choose another place.")


def check_database(file: Path) -> None:
    """As `check`, of an SQLite file, of what SQLite keeps beside it, and of its folder."""
    folder = file.parent
    if (
        HAS_OWNERS
        and folder.is_dir()
        and folder.stat().st_mode & (0o022 | stat.S_ISVTX) in (0o002, 0o020, 0o022)
    ):
        raise NotPrivateError(f"Others may replace {file}: run chmod go-w {folder}.")
    for end in BESIDE_DATABASE:
        check(file.with_name(file.name + end))


def create(path: Path) -> int:
    """A descriptor of a new empty file for its owner only, mode 0600; FileExistsError if there is one."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)


def close_to_others(file: Path) -> None:
    """Mode 0600 for an SQLite file and what SQLite keeps beside it."""
    for end in BESIDE_DATABASE:
        one = file.with_name(file.name + end)
        if HAS_OWNERS and one.is_file() and one.stat().st_mode & 0o077:
            one.chmod(0o600)
