"""A secret for each browser, in a cookie that scripts cannot read; it opens the cases of its reader."""

from __future__ import annotations

import re
import secrets
from datetime import timedelta
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE: Final = "skin_ai_browser"
AGE: Final = timedelta(days=365)
BYTES: Final = 32
SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")  # 32 bytes in base64
FORMER: Final = "skin_ai_reader"  # began the names of an earlier version's cookies, which scripts could read


def secret_in(cookies: dict[str, str]) -> str:
    """The browser's secret; "" if it has none."""
    value = cookies.get(COOKIE, "")
    return value if SECRET.fullmatch(value) else ""


class BrowserSecret:
    """Sets the cookie with each page: before the page connects, so that its session knows the browser.

    Lax, not Strict: a browser that comes back from signing in elsewhere must send it, or it would get a new
    one. A proxy that ends TLS adds Secure (deploy/nginx.conf).
    """

    def __init__(self, app: ASGIApp, path: str = "/") -> None:
        self.app = app
        self.path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" else None
        if headers is None or scope["method"] != "GET" or "text/html" not in headers.get("accept", ""):
            await self.app(scope, receive, send)
            return
        cookies = cookie_parser("; ".join(headers.getlist("cookie")))
        secret = secret_in(cookies) or secrets.token_urlsafe(BYTES)
        ends = "; Secure" if scope.get("scheme") == "https" else ""
        set_cookies = [
            f"{COOKIE}={secret}; Max-Age={int(AGE.total_seconds())}; Path={self.path}; HttpOnly; "
            f"SameSite=Lax{ends}",
            *(
                f"{name}=; Max-Age=0; Path=/; SameSite=Strict"
                for name in cookies
                if re.fullmatch(rf"{FORMER}[0-9a-f]*", name)
            ),
        ]

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                for value in set_cookies:
                    MutableHeaders(scope=message).append("Set-Cookie", value)
            await send(message)

        await self.app(scope, receive, send_with_cookie)
