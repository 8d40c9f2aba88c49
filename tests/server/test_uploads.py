"""Uploads have a budget: of a session, of the server, and none before sign-in."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from skin_ai.server import uploads

HELD: dict[str, dict[str, Any]] = {}


async def keep(request: Request) -> Response:
    """As Streamlit does."""
    session, file = request.path_params["session"], request.path_params["file"]
    if request.method == "DELETE":
        del HELD[session][file]
    else:
        HELD.setdefault(session, {})[file] = SimpleNamespace(data=await request.body())
    return Response(status_code=204)


@pytest.fixture
def sender(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    HELD.clear()
    uploads._allowed.clear()
    monkeypatch.setattr(uploads, "ENVELOPE", 0)
    budget = uploads.Budget(lambda: uploads.held_in(HELD), is_active=lambda _: True, server=350)
    guard = Middleware(uploads.WithinBudget, budget=budget)
    route = Route("/base/_stcore/upload_file/{session}/{file}", keep, methods=["PUT", "DELETE"])
    yield TestClient(Starlette(routes=[route], middleware=[guard]))
    uploads._allowed.clear()


def send(sender: TestClient, session: str, file: str, size: int) -> Any:
    return sender.put(f"/base/_stcore/upload_file/{session}/{file}", content=bytes(size))


def test_session_has_a_budget_and_is_told_how_long_to_wait(sender: TestClient) -> None:
    uploads.allow("ana", 100, 60)
    assert [send(sender, "ana", name, 40).status_code for name in "abc"] == [204, 204, 429]
    refused = send(sender, "ana", "c", 40)
    assert refused.headers["Retry-After"] == "120"
    assert refused.text.startswith("Not uploaded") and "in 2 minutes" in refused.text
    assert sender.delete("/base/_stcore/upload_file/ana/a").status_code == 204
    assert send(sender, "ana", "c", 40).status_code == 204


def test_all_sessions_together_have_a_budget(sender: TestClient) -> None:
    for name in "abc":
        uploads.allow(name, 100, 100)
    assert [send(sender, name, "1", 100).status_code for name in "abc"] == [204, 204, 429]


def test_before_sign_in_nothing_is_taken(sender: TestClient) -> None:
    assert send(sender, "stranger", "1", 1).status_code == 403
    uploads.allow("ana", 100, 60)
    uploads.allow("ana", *uploads.NOTHING)
    assert send(sender, "ana", "1", 1).status_code == 403


def test_file_larger_than_is_allowed_is_told_so(sender: TestClient) -> None:
    """A photo has a limit of its own: the server's is that of a deck."""
    uploads.allow("ana", 100, 60)
    answer = send(sender, "ana", "1", 61)
    assert (answer.status_code, answer.headers.get("Retry-After")) == (413, None)


def test_file_counts_twice_while_it_comes_in(sender: TestClient) -> None:
    """The server holds it as parsed and as kept: two decks at once would take more than is allowed."""
    uploads.allow("ana", 200, 200)
    assert send(sender, "ana", "1", 176).status_code == 429
    assert send(sender, "ana", "1", 175).status_code == 204


def test_upload_of_unknown_length_is_refused(sender: TestClient) -> None:
    uploads.allow("ana", 100, 60)
    answer = sender.put("/base/_stcore/upload_file/ana/1", content=iter([b"x"]))
    assert answer.status_code == 411
