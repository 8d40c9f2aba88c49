"""Keeps uploaded files in memory, off the disk, and within a budget."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.formparsers import MultiPartParser
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

MEGABYTE: Final = 1024**2
# Bytes held at one time. The app lets go of a photo as soon as it is read, and of a deck once it is loaded.
PHOTOS: Final = 100 * MEGABYTE  # of a session
DECK: Final = 600 * MEGABYTE  # of a session that has opened the form for decks
SERVER: Final = 1200 * MEGABYTE  # of all sessions together
COPIES: Final = 2  # of a file while it comes in: as parsed, and as kept
ENVELOPE: Final = MEGABYTE // 16  # bytes that a form may add to the file in it
NOTHING: Final = (0, 0)
WAIT: Final = 120  # seconds until Streamlit frees what a closed page held (server.disconnectedSessionTTL)
PATH: Final = re.compile(r"/_stcore/upload_file/([^/]+)/[^/]+$")
AGAIN: Final = f"try again in {WAIT // 60} minutes.\n"
TOO_MUCH: Final = (
    f"Not uploaded: your other files take all the memory for one visitor. Reload the page and {AGAIN}"
)
FULL: Final = f"Not uploaded: the files of all visitors take all the memory for uploads. Wait, and {AGAIN}"
TOO_LARGE: Final = "Not uploaded: the file is larger than {} MB.\n"
NOT_ALLOWED: Final = "Not uploaded: sign in first.\n"
NO_LENGTH: Final = "Not uploaded: its length is missing.\n"

Files = Mapping[str, Mapping[str, Any]]  # by session and by file, each with its `data`
_allowed: dict[str, tuple[int, int]] = {}


def keep_off_the_disk() -> None:
    """Without it the server writes every file of more than a megabyte to the disk while it comes in."""
    MultiPartParser.spool_max_size = sys.maxsize


def allow(session: str, size: int, largest: int) -> None:
    """How many bytes a session's uploads may hold together, and one of them; before the first call, none."""
    _allowed[session] = size, largest


def largest(session: str) -> int:
    """Bytes that one upload of a session may have."""
    return _allowed.get(session, NOTHING)[1]


def held_in(files: Files) -> Counter[str]:
    """Bytes by session."""
    return Counter({session: _bytes(found) for session, found in list(files.items())})


class Budget:
    """What all that is sent to this server may hold of its memory.

    held: bytes in memory now, by session; is_active: whether a session still exists; server: bytes of all
    sessions.
    """

    def __init__(
        self, held: Callable[[], Mapping[str, int]], is_active: Callable[[str], bool], server: int = SERVER
    ) -> None:
        self.held, self.is_active, self.server = held, is_active, server
        self.coming: Counter[str] = Counter()  # bytes by session

    def refusal(self, session: str, size: int) -> PlainTextResponse | None:
        """The answer to `size` more bytes of a session, before any is read; None where they may come."""
        for gone in [other for other in _allowed if not self.is_active(other)]:
            del _allowed[gone]
        allowed, largest = _allowed.get(session, NOTHING)
        if not allowed:
            return PlainTextResponse(NOT_ALLOWED, 403)
        if size > largest + ENVELOPE:
            return PlainTextResponse(TOO_LARGE.format(largest // MEGABYTE), 413)
        held = self.held()
        if COPIES * (self.coming.total() + size) + sum(held.values()) > self.server:
            sentence = FULL
        elif self.coming[session] + held.get(session, 0) + size > allowed:
            sentence = TOO_MUCH
        else:
            return None
        return PlainTextResponse(sentence, 429, {"Retry-After": str(WAIT)})

    @contextmanager
    def taking(self, session: str, size: int) -> Iterator[None]:
        """Counts the bytes while they come in, within the block."""
        self.coming[session] += size
        try:
            yield
        finally:
            self.coming[session] -= size
            self.coming += Counter()  # drops what is zero


class WithinBudget:
    """Refuses an upload, before any of it is read, that would hold more memory than is allowed."""

    def __init__(self, app: ASGIApp, budget: Budget) -> None:
        self.app, self.budget = app, budget

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = PATH.search(scope["path"]) if scope["type"] == "http" else None
        if found is None or scope["method"] != "PUT":
            await self.app(scope, receive, send)
            return
        size = length(scope)
        if size is None:  # browsers send it
            await PlainTextResponse(NO_LENGTH, 411)(scope, receive, send)
            return
        refusal = self.budget.refusal(found[1], size)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        with self.budget.taking(found[1], size):
            await self.app(scope, receive, send)


def length(scope: Scope) -> int | None:
    """Bytes of a request's body as its header says; None where it does not."""
    said = Headers(scope=scope).get("content-length", "")
    return int(said) if said.isdecimal() else None


def _bytes(files: Mapping[str, Any]) -> int:
    return sum(len(file.data) for file in list(files.values()))
