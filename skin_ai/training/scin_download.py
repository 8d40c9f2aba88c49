"""Downloads SCIN's tables and photos from its public bucket; existing files are kept."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Final
from urllib.error import HTTPError
from urllib.request import urlopen

from PIL import Image
from tqdm import tqdm

from skin_ai.training.datasets import DatasetError
from skin_ai.training.scin import CASES, COLUMNS, LABELS, find_table, photo_paths, read_rows, read_table

BUCKET: Final = "https://storage.googleapis.com/dx-scin-public-data/"
LICENCE: Final = (
    "SCIN is under the SCIN Data Use License, which forbids re-identification; by fetching it you agree:\n"
    "https://github.com/google-research-datasets/scin/blob/main/LICENSE"
)
CONNECTIONS = 8
ATTEMPTS = 6
FIRST_PAUSE = 1.0  # seconds; doubles with each attempt
TIMEOUT = 60.0  # seconds without a byte
MOST_GIVEN_UP = 20  # failed photos after which the connection or the bucket is to blame


class DownloadError(Exception):
    """What could not be fetched and why, in one sentence."""


class _MissingError(Exception):
    """The server has no such object."""


@dataclass(frozen=True)
class Fetched:
    """What `folder` has now: number of cases and of photos, and photos that the bucket does not have."""

    cases: int
    photos: int
    not_there: tuple[str, ...]


def fetch_scin(folder: Path, base: str = BUCKET) -> Fetched:
    """Tables, then every photo that scin_cases.csv names, into `folder` with the bucket's layout.

    A file has the suffix `.part` until it is whole and checked; a later run fetches what is missing. Raises
    DownloadError for what cannot be fetched, except photos that the bucket does not have, and DatasetError
    for tables that were damaged since.
    """
    if not base.startswith(("https://", "http://")):
        raise DownloadError(f"{base} is not a web address; it must begin with https:// or http://.")
    base = base.rstrip("/") + "/"
    for name in (CASES, LABELS):
        path = f"dataset/{name}"
        if not find_table(folder, name).is_file():
            try:
                _fetch(base + path, folder / path, partial(read_rows, columns=COLUMNS[name]))
            except _MissingError:
                raise DownloadError(f"{base}{path} does not exist; is the address right?") from None
    cases = read_table(folder, CASES)
    photos = dict.fromkeys(path for where, row in cases.values() for path in photo_paths(row, where))
    not_there = _fetch_photos(folder, base, list(photos))
    return Fetched(len(cases), len(photos) - len(not_there), not_there)


def _fetch_photos(folder: Path, base: str, photos: list[str]) -> tuple[str, ...]:
    """Those that the bucket does not have; raises DownloadError once all others are there or given up."""
    missing = [path for path in photos if not (folder / path).is_file()]
    not_there: list[str] = []
    failed: list[DownloadError] = []
    pool = ThreadPoolExecutor(CONNECTIONS)
    futures = {pool.submit(_fetch, base + path, folder / path, _check_photo): path for path in missing}
    try:
        for future in tqdm(as_completed(futures), total=len(missing), desc="SCIN", unit=" photos"):
            try:
                future.result()
            except _MissingError:
                not_there.append(futures[future])
            except DownloadError as error:
                failed.append(error)
                if len(failed) == MOST_GIVEN_UP:
                    break
    finally:
        pool.shutdown(cancel_futures=True)
    if failed:
        raise DownloadError(
            f"{len(failed)} photos could not be fetched (run the command again to continue), "
            f"the first because {failed[0]}"
        )
    return tuple(sorted(not_there))


def _fetch(url: str, target: Path, check: Callable[[Path], object]) -> None:
    """The object as a checked file; raises _MissingError or, after ATTEMPTS, DownloadError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part, problem = target.with_name(f"{target.name}.part"), ""
    for attempt in range(ATTEMPTS):
        time.sleep(FIRST_PAUSE * 2 ** (attempt - 1) if attempt else 0)
        try:
            _receive(url, part)
            check(part)
        except HTTPError as error:
            error.close()
            problem = f"the server answers {error.code} {error.reason}"
            if error.code == 404:
                raise _MissingError from None
            if error.code < 500 and error.code not in (408, 429):
                raise DownloadError(f"{url}: {problem}.") from None
        except DatasetError as error:
            part.unlink(missing_ok=True)
            problem = str(error).replace(str(part), "it")
        except (OSError, HTTPException) as error:  # URLError and timeouts are OSErrors, a full disk too
            problem = f"no connection, or nowhere to write ({error})"
        else:
            part.replace(target)
            return
    raise DownloadError(f"{url}: {problem}; given up after {ATTEMPTS} attempts.")


def _receive(url: str, part: Path) -> None:
    """Raises HTTPException if the connection is lost, and DatasetError for another MD5 than is stated."""
    with urlopen(url, timeout=TIMEOUT) as response:
        data, headers = response.read(), response.headers
    part.write_bytes(data)
    # The MD5 is that of the object as stored, which may be compressed.
    md5 = re.search(r"md5=([\w+/]+=*)", ",".join(headers.get_all("x-goog-hash", [])))
    is_as_stored = headers.get("x-goog-stored-content-encoding", "identity") == "identity"
    found = hashlib.md5(data, usedforsecurity=False).digest()
    if md5 and is_as_stored and found != base64.b64decode(md5[1]):
        raise DatasetError("its MD5 differs from the one that the server states")


def _check_photo(part: Path) -> None:
    try:
        with Image.open(part, formats=["PNG"]) as image:
            image.verify()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DatasetError(f"it is no complete PNG ({error})") from None
