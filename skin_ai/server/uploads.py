"""Keeps uploaded files in memory, off the disk, and within a budget."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping
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
WAIT: Final = 120  # seconds until Streamlit frees what a closed page held (server.disconnectedSessionTTL)
PATH: Final = re.compile(r"/_stcore/upload_file/([^/]+)/[^/]+$")
AGAIN: Final = f"try again in {WAIT // 60} minutes.\n"
TOO_MUCH: Final = (
    f"Not uploaded: your other files take all the memory for one visitor. Reload the page and {AGAIN}"
)
FULL: Final = f"Not uploaded: the files of all visitors take all the memory for uploads. Wait, and {AGAIN}"
TOO_LARGE: Final = "Not uploaded: the file is larger than {} MB.\n"
NOT_ALLOWED: Final = "Not uploaded: sign in first.\n"

Files = Mapping[str, Mapping[str, Any]]  # by session and by file, each with its `data`
_allowed: dict[str, int] = {}


def keep_off_the_disk() -> None:
    """Without it the server writes every file of more than a megabyte to the disk while it comes in."""
    MultiPartParser.spool_max_size = sys.maxsize


def allow(session: str, size: int) -> None:
    """How many bytes a session's uploads may hold from now on; before the first call, none."""
    _allowed[session] = size


class WithinBudget:
    """Refuses an upload, before any of it is read, that would hold more memory than is allowed.

    held: the files in memory now; is_active: whether a session still exists.
    """

    def __init__(
        self, app: ASGIApp, held: Callable[[], Files], is_active: Callable[[str], bool], server: int = SERVER
    ) -> None:
        self.app = app
        self.held, self.is_active, self.server = held, is_active, server
        self.coming: Counter[str] = Counter()  # bytes by session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = PATH.search(scope["path"]) if scope["type"] == "http" else None
        if found is None or scope["method"] != "PUT":
            await self.app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "")
        if not length.isdecimal():  # browsers send it
            await PlainTextResponse("Not uploaded: its length is missing.\n", 411)(scope, receive, send)
            return
        session, size = found[1], int(length)
        refusal = self._refusal(session, size)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        self.coming[session] += size
        try:
            await self.app(scope, receive, send)
        finally:
            self.coming[session] -= size
            self.coming += Counter()  # drops what is zero

    def _refusal(self, session: str, size: int) -> PlainTextResponse | None:
        for gone in [other for other in _allowed if not self.is_active(other)]:
            del _allowed[gone]
        allowed = _allowed.get(session, 0)
        if not allowed:
            return PlainTextResponse(NOT_ALLOWED, 403)
        if size > allowed:
            return PlainTextResponse(TOO_LARGE.format(allowed // MEGABYTE), 413)
        if self.coming.total() + sum(map(_bytes, self.held().values())) + size > self.server:
            sentence = FULL
        elif self.coming[session] + _bytes(self.held().get(session, {})) + size > allowed:
            sentence = TOO_MUCH
        else:
            return None
        return PlainTextResponse(sentence, 429, {"Retry-After": str(WAIT)})


def _bytes(files: Mapping[str, Any]) -> int:
    return sum(len(file.data) for file in list(files.values()))
