"""Which names this server answers to, and that no other site shows its pages in a frame."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL: Final = ("localhost", "127.0.0.1", "::1")
REFUSED: Final = (
    "This server does not answer to the name in this address. Its operator can allow it: SKIN_AI_HOSTS, "
    "see docs/deployment.md.\n"
)


class NamedHostsOnly:
    """Answers pages and websockets only under localhost and the names given.

    Otherwise a page of any other site could read this machine's data through the visitor's browser: its
    name is made to point here once it is loaded (DNS rebinding). The request then still carries that name.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str]) -> None:
        self.app = app
        self.names = {*LOCAL, *names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def without_frames(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Frame-Options"] = "DENY"
                headers.append("Content-Security-Policy", "frame-ancestors 'none'")
            await send(message)

        if scope["type"] not in ("http", "websocket") or host(scope) in self.names:
            await self.app(scope, receive, without_frames)
        else:
            await PlainTextResponse(REFUSED, status_code=400)(scope, receive, without_frames)


def host(scope: Scope) -> str:
    """The name or address that a request is for, without the port; "" if there is none."""
    try:
        return (urlsplit("//" + Headers(scope=scope).get("host", "")).hostname or "").rstrip(".")
    except ValueError:
        return ""
