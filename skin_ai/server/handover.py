"""A photo from a phone: codes that are good once, and the page on which the phone sends the photo.

The code stands behind the # of the phone's address. Browsers keep that part to themselves, so it reaches no
log; the page's script sends it in a header.
"""

from __future__ import annotations

import asyncio
import html
import logging
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from skin_ai.server import uploads

if TYPE_CHECKING:  # the server starts without it
    import numpy as np

log = logging.getLogger("skin_ai.handover")

BYTES: Final = 16  # of a code: 128 bits
GOOD_FOR: Final = 600.0  # seconds
KEPT_FOR: Final = 120.0  # seconds until a photo that no page has taken is dropped
SENT_WITHIN: Final = 120.0  # seconds
PATH: Final = "send"
VISIT: Final = re.compile("[0-9a-f]{32}")  # what deploy/nginx.conf tells visits apart by
HEADER: Final = "x-photo-code"
PAGE: Final = Path(__file__).with_name("handover.html").read_text(encoding="utf-8")
# The page asks for nothing but itself.
POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)
NOT_GOOD: Final = (
    "This code can no longer be used. It takes one photo, within ten minutes, while it is on the other "
    "screen. Scan the code that is shown there now.\n"
)
BUSY: Final = "Another photo is being sent with this code. Wait until it has arrived.\n"
TOO_SLOW: Final = "Not sent: the connection is too slow. Move closer to the access point and send it again.\n"
SENT: Final = "Sent. The photo is on the other screen.\n"


@dataclass
class _Code:
    session: str
    case: str
    until: float
    is_in_use: bool = False


@dataclass(frozen=True, eq=False)
class _Photo:
    case: str
    pixels: np.ndarray
    until: float


class Codes:
    """Every code that is good now, at most one a session, and photos that have come but are not yet shown.

    clock: gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._codes: dict[str, _Code] = {}
        self._photos: dict[str, _Photo] = {}  # by session

    def of(self, session: str, case: str) -> str:
        """The session's code for this case, a new one where there is none; one for another case ends."""
        with self._lock:
            self._forget_old()
            for code, one in self._codes.items():
                if (one.session, one.case) == (session, case):
                    return code
            self._end_codes(session)  # a photo that has just come stays
            code = secrets.token_urlsafe(BYTES)
            self._codes[code] = _Code(session, case, self._clock() + GOOD_FOR)
            return code

    def void(self, session: str) -> None:
        """Ends the session's code, and drops a photo that came by it and was not shown."""
        with self._lock:
            self._end_codes(session)
            self._photos.pop(session, None)

    def session_of(self, code: str) -> str | None:
        with self._lock:
            self._forget_old()
            return self._codes[code].session if code in self._codes else None

    def begin(self, code: str) -> bool:
        """Whether a photo may be sent with the code now: not while another one comes in."""
        with self._lock:
            one = self._codes.get(code)
            if one is None or one.is_in_use:
                return False
            one.is_in_use = True
            return True

    def fail(self, code: str) -> None:
        """Lets the phone try again."""
        with self._lock:
            if code in self._codes:
                self._codes[code].is_in_use = False

    def deliver(self, code: str, pixels: np.ndarray) -> bool:
        """Uses the code up; False, and nothing is kept, where it has ended meanwhile."""
        with self._lock:
            self._forget_old()
            one = self._codes.pop(code, None)
            if one is None:
                return False
            self._photos[one.session] = _Photo(one.case, pixels, self._clock() + KEPT_FOR)
        log.info("photo from a phone", extra={"case": one.case})
        return True

    def has_come(self, session: str) -> bool:
        with self._lock:
            return session in self._photos

    def take(self, session: str, case: str) -> np.ndarray | None:
        """The photo that has come for this case, once; one for another case is dropped."""
        with self._lock:
            photo = self._photos.pop(session, None)
        return photo.pixels if photo is not None and photo.case == case else None

    def held(self) -> Counter[str]:
        """Bytes of the photos that wait, by session."""
        with self._lock:
            return Counter({session: one.pixels.nbytes for session, one in self._photos.items()})

    def forget_old(self) -> None:
        with self._lock:
            self._forget_old()

    def _forget_old(self) -> None:
        now = self._clock()
        # A photo that is on its way when the ten minutes end still arrives.
        self._codes = {code: one for code, one in self._codes.items() if one.until > now or one.is_in_use}
        self._photos = {session: one for session, one in self._photos.items() if one.until > now}

    def _end_codes(self, session: str) -> None:
        self._codes = {code: one for code, one in self._codes.items() if one.session != session}


CODES: Final = Codes()


def path_for(visit: str) -> str:
    """Where the page is, below the app's own path. visit: names the server for a proxy before several."""
    return f"{PATH}/{visit}" if VISIT.fullmatch(visit) else PATH


class FromPhone:
    """Serves the phone's page, and takes the photo that it sends: in memory, and only with a good code.

    read: the bytes of a file -> pixels (h, w, 3); raises ValueError with a sentence. is_active: whether a
    session still exists. notice: plain text above the page.
    """

    def __init__(
        self,
        app: ASGIApp,
        budget: uploads.Budget,
        read: Callable[[bytes], np.ndarray],
        is_active: Callable[[str], bool],
        *,
        notice: str,
        base_path: str = "",
        codes: Codes = CODES,
    ) -> None:
        self.app, self.budget, self.read, self.is_active, self.codes = app, budget, read, is_active, codes
        self.path = re.compile(
            rf"/{re.escape(f'{base_path}/') if base_path else ''}{PATH}(/{VISIT.pattern})?"
        )
        self.page = PAGE.replace("NOTICE", html.escape(notice)).replace("HEADER", HEADER)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self.path.fullmatch(scope["path"]):
            await self.app(scope, receive, send)
            return
        answer = await self._answer(scope, receive)
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["Referrer-Policy"] = "no-referrer"
        answer.headers["Content-Security-Policy"] = POLICY
        await answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        code = Headers(scope=scope).get(HEADER)
        if scope["method"] in ("GET", "HEAD") and code is None:
            return HTMLResponse(self.page)
        if scope["method"] not in ("GET", "POST"):
            return PlainTextResponse("Not sent: open the page and choose a photo there.\n", 405)
        session = self.codes.session_of(code or "")
        if session is not None and not self.is_active(session):
            self.codes.void(session)
            session = None
        if session is None or code is None:
            return PlainTextResponse(NOT_GOOD, 410)
        if scope["method"] == "GET":  # the page asks before anybody takes a photo
            return PlainTextResponse(str(uploads.largest(session)))
        size = uploads.length(scope)
        if size is None:
            return PlainTextResponse(uploads.NO_LENGTH, 411)
        refusal = self.budget.refusal(session, size)
        if refusal is not None:
            return refusal
        if not self.codes.begin(code):
            return PlainTextResponse(BUSY, 409)
        try:
            with self.budget.taking(session, size):
                return await self._taken(code, size, scope, receive)
        finally:
            self.codes.fail(code)

    async def _taken(self, code: str, size: int, scope: Scope, receive: Receive) -> Response:
        try:
            async with asyncio.timeout(SENT_WITHIN):
                data = await _body(scope, receive, size)
            pixels = await run_in_threadpool(self.read, data)
        except TimeoutError:
            return PlainTextResponse(TOO_SLOW, 408)
        except (ValueError, ClientDisconnect) as error:
            return PlainTextResponse(f"{error}\n", 422)
        if not self.codes.deliver(code, pixels):
            return PlainTextResponse(NOT_GOOD, 410)
        asyncio.get_running_loop().call_later(KEPT_FOR + 1, self.codes.forget_old)
        return PlainTextResponse(SENT)


async def _body(scope: Scope, receive: Receive, size: int) -> bytes:
    """All bytes, in memory; raises ValueError where there are more than announced."""
    data = bytearray()
    async for part in Request(scope, receive).stream():
        data += part
        if len(data) > size:
            raise ValueError("Not sent: the photo is longer than announced. Send it again.")
    return bytes(data)
