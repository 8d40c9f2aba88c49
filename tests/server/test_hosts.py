"""Which requests the server answers, with Starlette's own client and a plain page behind."""

from collections.abc import Mapping

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket

from skin_ai.server.hosts import NamedHostsOnly
from skin_ai.server.page_script import ScriptInPage

PAGE = "<html><head><title>x</title></head><body></body></html>"


async def page(_: object) -> HTMLResponse:
    return HTMLResponse(PAGE, headers={"ETag": '"1"'})


async def stream(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close()


def client(headers: Mapping[str, str]) -> TestClient:
    guards = [Middleware(NamedHostsOnly, names=["skin.example.org"]), Middleware(ScriptInPage)]
    routes = [Route("/", page), WebSocketRoute("/stream", stream)]
    return TestClient(Starlette(routes=routes, middleware=guards), headers=headers)


@pytest.mark.parametrize(
    "host",
    ["localhost:8501", "127.0.0.1", "[::1]:8501", "skin.example.org", "SKIN.example.org:443", "localhost."],
)
def test_named_hosts_are_answered(host: str) -> None:
    visitor = client({"Host": host})
    assert visitor.get("/").status_code == 200
    with visitor.websocket_connect("/stream"):
        pass


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8501",
        "localhost.evil.example",
        "192.168.1.7",
        "",
        "[::1",
        "evil@evil.example",
    ],
)
def test_other_hosts_are_refused_for_pages_and_websockets(host: str) -> None:
    visitor = client({"Host": host})
    answer = visitor.get("/")
    assert answer.status_code == 400
    assert "SKIN_AI_HOSTS" in answer.text
    with pytest.raises(WebSocketDenialResponse), visitor.websocket_connect("/stream"):
        pass


@pytest.mark.parametrize("host", ["localhost", "evil.example"])
def test_nobody_frames_an_answer(host: str) -> None:
    headers = client({"Host": host}).get("/").headers
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"


def test_script_is_in_pages_only() -> None:
    visitor = client({"Host": "localhost"})
    found = visitor.get("/", headers={"Accept": "text/html,*/*"})
    assert "WebSocket" in found.text and found.text.endswith("</body></html>")
    assert int(found.headers["Content-Length"]) == len(found.content)
    assert "ETag" not in found.headers
    assert visitor.get("/", headers={"Accept": "*/*"}).text == PAGE
