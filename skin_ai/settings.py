"""The operator's settings: environment variables and the file `.env`, read and checked once, at the start.

`app.py` and the command line stop with the sentence of a SettingsError. A test sets what it needs with
`monkeypatch.setenv`: `current` reads again when the variables have changed, which they never do in a server.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

import platformdirs

ENV_FILE: Final = Path(__file__).resolve().parent.parent / ".env"
PREFIX: Final = "SKIN_AI_"
DATA: Final = "SKIN_AI_DATA"
DATABASE_URL: Final = "SKIN_AI_DATABASE_URL"
STUDY_PASSPHRASE: Final = "SKIN_AI_STUDY_PASSPHRASE"
STUDY_ROLE: Final = "SKIN_AI_STUDY_ROLE"
KIOSK: Final = "SKIN_AI_KIOSK"
KIOSK_MINUTES: Final = "SKIN_AI_KIOSK_MINUTES"
HOSTS: Final = "SKIN_AI_HOSTS"
BASE_PATH: Final = "SKIN_AI_BASE_PATH"
THREADS: Final = "OMP_NUM_THREADS"  # torch reads it too, and only from the environment
OURS: Final = (DATA, DATABASE_URL, STUDY_PASSPHRASE, STUDY_ROLE, KIOSK, KIOSK_MINUTES, HOSTS, BASE_PATH)
# Read by deploy/compose.yaml and by the tests.
OF_OTHERS: Final = ("SKIN_AI_DB_PASSWORD", "SKIN_AI_THREADS", "SKIN_AI_TEST_DATABASE_URL")
SECRET: Final = (DATABASE_URL, STUDY_PASSPHRASE)

YES: Final = ("1", "yes", "y", "true", "t", "on", "enable", "enabled")
NO: Final = ("0", "no", "n", "false", "f", "off", "disable", "disabled")
DAY: Final = 24 * 60  # minutes
DATABASE: Final = re.compile(r"(sqlite|postgresql)(\+\w+)?://")
VARIABLE: Final = re.compile(r"\$\w+|\$\{[^}]*\}|%\w+%|\$")
WINDOWS_DRIVE: Final = re.compile(r"[A-Za-z]:[\\/]")
EVERY_ADDRESS: Final = ("0.0.0.0", "::")  # to listen at; browsers never ask for them
ASSIGNMENT: Final = re.compile(r"(?:export\s+)?(\w+)\s*=\s*(.*)")

T = TypeVar("T")


class SettingsError(ValueError):
    """Which setting is not understood and what it may be, in one sentence without secrets."""


@dataclass(frozen=True)
class Settings:
    data: Path  # folder of the database and its backups
    database_url: str  # "" for SQLite in the data folder
    study_passphrase: str  # "" for none
    study_role: str  # "" for none
    is_kiosk: bool  # conference mode
    kiosk_minutes: float  # without use, until the app resets for the next visitor
    hosts: tuple[str, ...]  # names that this server answers to, besides localhost
    base_path: str  # where a proxy serves the app, without slashes at its ends; "" for the root
    threads: str  # "" for one a core


def current() -> Settings:
    """The settings of this process; raises SettingsError."""
    return _understood(frozenset(_found().items()))


def described() -> list[str]:
    """Every setting as a line `NAME = value (where it is set)`, secrets masked; raises SettingsError."""
    settings, found = current(), _found()
    shown = {
        DATA: str(settings.data),
        DATABASE_URL: _without_password(settings.database_url) or f"SQLite in {DATA}",
        STUDY_PASSPHRASE: "set, not shown" if settings.study_passphrase else "none",
        STUDY_ROLE: settings.study_role or "none",
        KIOSK: "yes" if settings.is_kiosk else "no",
        KIOSK_MINUTES: f"{settings.kiosk_minutes:g}",
        HOSTS: ", ".join(("localhost", *settings.hosts)),
        BASE_PATH: f"/{settings.base_path}",
        THREADS: settings.threads or "one a core",
    }

    def source(name: str) -> str:
        if not found.get(name, "").strip():
            return "default"
        return "environment" if name in os.environ else ENV_FILE.name

    return [f"{name} = {value} ({source(name)})" for name, value in shown.items()]


def _found() -> dict[str, str]:
    """Every variable that may be a setting; the environment comes before the file."""
    of_process = {n: value for n, value in os.environ.items() if n.startswith(PREFIX) or n == THREADS}
    return {**_of_file(ENV_FILE), **of_process}


@cache
def _of_file(path: Path) -> Mapping[str, str]:
    """The assignments of an environment file, which may be absent."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: it must be a readable text file in UTF-8.") from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        assignment = ASSIGNMENT.fullmatch(line.strip())
        if assignment is None:
            raise SettingsError(f"{path}, line {number}: write NAME=value.")
        name, value = assignment.groups()
        if not name.startswith(PREFIX):
            raise SettingsError(
                f"{path}, line {number}: {name} is read from the environment only; the file is for {PREFIX}…"
            )
        if value[:1] in ("'", '"'):
            end = value.find(value[0], 1)
            rest = value[end + 1 :].strip()
            if end < 0 or (rest and not rest.startswith("#")):
                raise SettingsError(f"{path}, line {number}: the value of {name} has no closing quote.")
            found[name] = value[1:end]
        else:
            found[name] = re.split(r"\s+#", value)[0].strip()
    return found


@cache
def _understood(found: frozenset[tuple[str, str]]) -> Settings:
    values = dict(found)
    for name in sorted(values.keys() - {*OURS, *OF_OTHERS, THREADS}):
        nearest = difflib.get_close_matches(name, OURS, n=1)
        raise SettingsError(f"{name} is not a setting" + (f": use {nearest[0]}." if nearest else "."))

    def of(name: str, understand: Callable[[str, str], T], default: T) -> T:
        value = values.get(name, "").strip()
        if name not in SECRET:  # `docker run --env-file` leaves the quotes
            value = value.strip("'\"").strip()
        return understand(name, value) if value else default

    return Settings(
        data=of(DATA, _folder, platformdirs.user_data_path("skin_ai", appauthor=False)),
        database_url=of(DATABASE_URL, _database, ""),
        study_passphrase=of(STUDY_PASSPHRASE, _text, ""),
        study_role=of(STUDY_ROLE, _text, ""),
        is_kiosk=of(KIOSK, _yes_or_no, False),
        kiosk_minutes=of(KIOSK_MINUTES, _minutes, 3.0),
        hosts=of(HOSTS, _hosts, ()),
        base_path=of(BASE_PATH, _base_path, ""),
        threads=of(THREADS, _threads, ""),
    )


def _text(_: str, value: str) -> str:
    return value


def _yes_or_no(name: str, value: str) -> bool:
    if value.lower() in YES:
        return True
    if value.lower() in NO:
        return False
    raise SettingsError(f"{name} is “{value}”: write yes or no.")


def _minutes(name: str, value: str) -> float:
    """With a decimal comma or point."""
    number = float(value.replace(",", ".")) if re.fullmatch(r"[0-9]+([.,][0-9]+)?", value) else 0
    if not 0 < number <= DAY:
        raise SettingsError(f"{name} is “{value}”: write minutes, more than 0 and at most {DAY}, as 2.5.")
    return number


def _threads(name: str, value: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]*(,[1-9][0-9]*)*", value):
        raise SettingsError(f"{name} is “{value}”: write a number of threads.")
    return value


def _folder(name: str, value: str) -> Path:
    return Path(_expanded(name, value)).absolute()


def _expanded(name: str, value: str) -> str:
    """A path with `~` and variables filled in."""
    if "://" in value or (os.name != "nt" and WINDOWS_DRIVE.match(value)):
        raise SettingsError(f"{name} is “{value}”: write a path of this machine, such as ~/conference.")
    path = os.path.expanduser(os.path.expandvars(value))
    missing = VARIABLE.search(path)
    if missing:
        raise SettingsError(f"{name} uses {missing[0]}, which is not set.")
    if path.startswith("~"):
        raise SettingsError(f"{name} begins with {Path(path).parts[0]}, which is nobody's folder here.")
    return path


def _database(name: str, value: str) -> str:
    kind = DATABASE.match(value)
    if kind is None:
        raise SettingsError(
            f"{name} is not a database address such as postgresql://user:password@host/name or "
            "sqlite:///folder/study.db."
        )
    if kind[1] == "sqlite":
        # Three slashes, then the path.
        return f"{kind[0]}/{_expanded(name, value[len(kind[0]) + 1 :])}" if value != kind[0] else value
    # What follows an @ of the password would be taken for the host, and appear in errors.
    if value.count("@") > 1:
        raise SettingsError(f"{name} has more than one @: write an @ within the password as %40.")
    return value


def _without_password(url: str) -> str:
    """Also without its query, which may hold one."""
    return re.sub(r"://([^:@]*):.*@", r"://\1:***@", url).partition("?")[0]


def _hosts(name: str, value: str) -> tuple[str, ...]:
    return tuple(_host(name, host) for host in re.split(r"[\s,;]+", value) if host)


def _host(name: str, value: str) -> str:
    """As a browser sends it: a name or an address, without scheme and port."""
    try:
        address = f"[{value}]" if value.count(":") > 1 and "[" not in value and "/" not in value else value
        host = urlsplit(address if "//" in address else f"//{address}").hostname or ""
        host = host if ":" in host else host.encode("idna").decode().rstrip(".")
    except ValueError:
        host = ""
    is_name = re.fullmatch(r"[0-9a-z_.:-]+", host) and not re.fullmatch(r"[0-9_-]+", host)
    if not is_name or host in EVERY_ADDRESS:
        raise SettingsError(
            f"{name} holds “{value}”: write the names or addresses that browsers use, "
            "such as skin.example.org, with commas between."
        )
    return host


def _base_path(name: str, value: str) -> str:
    path = value.strip("/")
    if not re.fullmatch(r"[\w~-]+(/[\w~-]+)*", path, re.ASCII) and path:
        raise SettingsError(f"{name} is “{value}”: write a path such as /skin, in letters, digits, - and _.")
    return path
