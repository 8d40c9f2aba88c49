"""Puts `page_script.js` into Streamlit's page, whose file stays as it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SCRIPT: Final = Path(__file__).with_name("page_script.js").read_text(encoding="utf-8")
END: Final = b"</head>"
# Asked for whole, uncompressed and anew: the browser's copy may be without the script.
NOT_ASKED: Final = (b"accept-encoding", b"if-none-match", b"if-modified-since", b"range")


class ScriptInPage:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_page = (
            scope["type"] == "http"
            and scope["method"] == "GET"
            and "text/html" in Headers(scope=scope).get("accept", "")
        )
        if not is_page:
            await self.app(scope, receive, send)
            return
        headers = [(name, value) for name, value in scope["headers"] if name not in NOT_ASKED]
        start: Message = {}
        body = b""

        async def send_with_script(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                kind = Headers(raw=message["headers"]).get("content-type", "")
                if message["status"] == 200 and kind.startswith("text/html"):
                    start = message
                    return
            if not start or message["type"] != "http.response.body":
                await send(message)
                return
            body += message.get("body", b"")
            if message.get("more_body"):
                return
            page = body.replace(END, f"<script>{SCRIPT}</script>".encode() + END, 1)
            changed = MutableHeaders(raw=start["headers"])
            changed["content-length"] = str(len(page))
            for name in ("etag", "last-modified", "accept-ranges"):
                del changed[name]
            await send(start)
            await send({"type": "http.response.body", "body": page})

        await self.app({**scope, "headers": headers}, receive, send_with_script)
