"""A local OpenID Connect provider: discovery, authorisation code with PKCE, signed ID tokens.

Its accounts are listed on its sign-in page, without passwords.
"""

import base64
import hashlib
import secrets
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT, CLIENT_SECRET = "skin_ai", "a secret between the two"
SECRETS = """
[auth]
redirect_uri = "{redirect_uri}"
cookie_secret = "sixteen bytes and some more"
client_id = "{client}"
client_secret = "{secret}"
server_metadata_url = "{issuer}/.well-known/openid-configuration"
client_kwargs = {{ token_endpoint_auth_method = "client_secret_post" }}
"""


class IdentityProvider:
    """accounts: what is claimed of each, by subject."""

    def __init__(self, accounts: Mapping[str, Mapping[str, Any]]) -> None:
        self.accounts = accounts
        self.issuer = ""
        self._key = RSAKey.generate_key(2048, {"kid": "of this test", "use": "sig"})
        self._asked: dict[str, tuple[str, str, str]] = {}
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/keys", self._keys),
                Route("/authorize", self._authorize),
                Route("/choose", self._choose),
                Route("/token", self._token, methods=["POST"]),
            ]
        )

    def secrets_toml(self, redirect_uri: str) -> str:
        """What Streamlit's secrets.toml says of this provider."""
        return SECRETS.format(
            redirect_uri=redirect_uri, issuer=self.issuer, client=CLIENT, secret=CLIENT_SECRET
        )

    async def _discovery(self, _: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    async def _keys(self, _: Request) -> Response:
        return JSONResponse({"keys": [self._key.as_dict(private=False)]})

    async def _authorize(self, request: Request) -> Response:
        asked = request.query_params
        assert (asked["client_id"], asked["response_type"]) == (CLIENT, "code")
        assert asked["code_challenge_method"] == "S256"
        links = "".join(
            f'<p><a href="/choose?{urlencode({**asked, "account": account})}">{account}</a></p>'.replace(
                "&", "&amp;"
            )
            for account in self.accounts
        )
        return HTMLResponse(f"<h1>Who are you?</h1>{links}")

    async def _choose(self, request: Request) -> Response:
        asked = request.query_params
        code = secrets.token_urlsafe()
        self._asked[code] = asked["account"], asked["nonce"], asked["code_challenge"]
        return RedirectResponse(
            f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}", 302
        )

    async def _token(self, request: Request) -> Response:
        form = await request.form()
        account, nonce, challenge = self._asked.pop(str(form["code"]))
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == challenge
        assert form["client_secret"] == CLIENT_SECRET
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "sub": account, "nonce": nonce, "iat": now}
        token = jwt.encode(
            {"alg": "RS256", "kid": "of this test"},
            claims | {"exp": now + 600} | self.accounts[account],
            self._key,
        )
        return JSONResponse(
            {"access_token": secrets.token_urlsafe(), "token_type": "Bearer", "id_token": token}
        )


@contextmanager
def identity_provider(accounts: Mapping[str, Mapping[str, Any]]) -> Iterator[IdentityProvider]:
    provider = IdentityProvider(accounts)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        provider.issuer = f"http://localhost:{listening.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(provider.app, log_level="warning"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield provider
        server.should_exit = True
        thread.join(timeout=20)
