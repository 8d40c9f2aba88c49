"""Fetches SCIN's tables and photos from its public bucket; what is there already is left alone."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from PIL import Image
from tqdm import tqdm

from skin_ai.training.datasets import DatasetError
from skin_ai.training.scin import CASES, COLUMNS, LABELS, find_table, photo_paths, read_rows, read_table

BUCKET: Final = "https://storage.googleapis.com/dx-scin-public-data/"
LICENCE: Final = (
    "SCIN is under the SCIN Data Use License, which forbids re-identification; who fetches it agrees:\n"
    "https://github.com/google-research-datasets/scin/blob/main/LICENSE"
)
CONNECTIONS = 8
ATTEMPTS = 6
FIRST_PAUSE = 1.0  # seconds; doubles with each attempt
TIMEOUT = 60.0  # seconds without a byte
BLOCK = 1 << 16
# With so many photos given up it is the connection or the bucket, and the other thousands can wait.
MOST_GIVEN_UP = 20


class DownloadError(Exception):
    """What could not be fetched and why, in one sentence."""


class _NotThereError(Exception):
    """The server has no such object."""


class _TryAgainError(Exception):
    """What went wrong this time may be right the next time."""


@dataclass(frozen=True)
class Fetched:
    """What `folder` has now: number of cases and of photos, and photos that the bucket does not have."""

    cases: int
    photos: int
    not_there: tuple[str, ...]


def fetch_scin(folder: Path, base: str = BUCKET) -> Fetched:
    """Tables, then every photo that scin_cases.csv names, into `folder` as the bucket lays them out.

    A file stands under its name only once it is whole and checked; until then it grows as `.part`
    and goes on from there in a later run. Raises DownloadError for what cannot be fetched, photos
    that the bucket does not have excepted, and DatasetError for tables that were spoilt since.
    """
    if not base.startswith(("https://", "http://")):
        raise DownloadError(f"{base} is not an address of the web; it must begin with https:// or http://.")
    base = base.rstrip("/") + "/"
    for name in (CASES, LABELS):
        if find_table(folder, name).is_file():
            continue
        path, check = f"dataset/{name}", partial(read_rows, columns=COLUMNS[name])
        try:
            _fetch(base + path, folder / path, check)
        except _NotThereError:
            raise DownloadError(f"{base}{path} does not exist; is the address right?") from None
    cases = read_table(folder, CASES)
    photos = dict.fromkeys(path for where, row in cases.values() for path in photo_paths(row, where))
    not_there = _fetch_photos(folder, base, list(photos))
    return Fetched(len(cases), len(photos) - len(not_there), not_there)


def _fetch_photos(folder: Path, base: str, photos: list[str]) -> tuple[str, ...]:
    """Those that the bucket does not have; raises DownloadError once all others are there or given up."""
    missing = [path for path in photos if not (folder / path).is_file()]
    not_there: list[str] = []
    given_up: list[DownloadError] = []
    pool = ThreadPoolExecutor(CONNECTIONS)
    bar = tqdm(total=len(photos), initial=len(photos) - len(missing), desc="SCIN", unit=" photos")
    try:
        futures = {pool.submit(_fetch, base + path, folder / path, _check_photo): path for path in missing}
        for future in as_completed(futures):
            try:
                future.result()
            except _NotThereError:
                not_there.append(futures[future])
            except DownloadError as error:
                given_up.append(error)
                if len(given_up) == MOST_GIVEN_UP:
                    break
            bar.update()
    finally:
        pool.shutdown(cancel_futures=True)
        bar.close()
    if given_up:
        raise DownloadError(
            f"{len(given_up)} photos could not be fetched (run the command again to go on), "
            f"the first because {given_up[0]}"
        )
    return tuple(sorted(not_there))


def _fetch(url: str, target: Path, check: Callable[[Path], object]) -> None:
    """The object as a checked file; raises _NotThereError or, after ATTEMPTS, DownloadError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            headers = _receive(url, part)
            _check_whole(part, headers)
            try:
                check(part)
            except DatasetError as error:
                part.unlink()
                raise _TryAgainError(str(error).replace(str(part), "it")) from None
        except _TryAgainError as error:
            if attempt == ATTEMPTS:
                raise DownloadError(f"{url}: {error}; given up after {ATTEMPTS} attempts.") from None
            time.sleep(FIRST_PAUSE * 2 ** (attempt - 1))
        else:
            part.replace(target)
            return


def _receive(url: str, part: Path) -> HTTPMessage:
    """Appends to `part` what it lacks, or writes it anew where the server sends the whole object.

    Returns the headers. A dropped connection leaves what came and raises _TryAgainError.
    """
    done = part.stat().st_size if part.is_file() else 0
    request = Request(url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        response = urlopen(request, timeout=TIMEOUT)
    except HTTPError as error:
        error.close()
        if error.code == 404:
            raise _NotThereError from None
        if error.code == 416:  # nothing lies beyond `done`: the part is no beginning of this object
            part.unlink()
        elif error.code < 500 and error.code not in (408, 429):
            raise DownloadError(f"{url}: the server answers {error.code} {error.reason}.") from None
        raise _TryAgainError(f"the server answers {error.code} {error.reason}") from None
    except (OSError, HTTPException) as error:  # URLError and timeouts are OSErrors
        raise _TryAgainError(f"no connection ({error})") from None
    with response:
        goes_on = response.status == 206
        if goes_on and not (response.headers["Content-Range"] or "").startswith(f"bytes {done}-"):
            part.unlink()
            raise _TryAgainError("the server sent another range than was asked for")
        with part.open("ab" if goes_on else "wb") as file:
            while block := _read(response.read):
                file.write(block)
    return response.headers


def _read(read: Callable[[int], bytes]) -> bytes:
    try:
        return read(BLOCK)
    except (OSError, HTTPException) as error:
        raise _TryAgainError(f"the connection was lost ({error})") from None


def _check_whole(part: Path, headers: HTTPMessage) -> None:
    """Size and, where the server tells it, MD5; raises _TryAgainError and drops a part that is wrong."""
    size = part.stat().st_size
    whole = (headers["Content-Range"] or "").rpartition("/")[2] or headers["Content-Length"] or ""
    if whole.isdigit() and size < int(whole):
        raise _TryAgainError(f"only {size:,} of {int(whole):,} bytes came")
    promised = _promised_md5(headers)
    if whole.isdigit() and size > int(whole):
        part.unlink()
        raise _TryAgainError(f"{size:,} bytes came, not {int(whole):,}")
    if promised is not None and hashlib.md5(part.read_bytes(), usedforsecurity=False).digest() != promised:
        part.unlink()
        raise _TryAgainError("its MD5 is not the one that the server tells")


def _promised_md5(headers: HTTPMessage) -> bytes | None:
    """From x-goog-hash ("crc32c=..., md5=...", or a header each), which is of the object as it is stored."""
    if headers.get("x-goog-stored-content-encoding", "identity") != "identity":
        return None
    for value in headers.get_all("x-goog-hash", []):
        for pair in value.split(","):
            name, _, digest = pair.strip().partition("=")
            if name == "md5":
                return base64.b64decode(digest)
    return None


def _check_photo(part: Path) -> None:
    try:
        with Image.open(part, formats=["PNG"]) as image:
            image.verify()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DatasetError(f"it is no whole PNG ({error})") from None
