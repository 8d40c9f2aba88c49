"""A photo from a phone: which codes are good, and what is refused, with Starlette's own client."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from skin_ai.server import handover, uploads
from skin_ai.server.handover import GOOD_FOR, HEADER, KEPT_FOR, Codes, FromPhone
from skin_ai.server.hosts import NamedHostsOnly

PIXELS = np.zeros((2, 3, 3), np.uint8)
VISIT = "0123456789abcdef" * 2
GONE: set[str] = set()
now = 0.0


def read(data: bytes) -> np.ndarray:
    if not data.startswith(b"photo"):
        raise ValueError("The file is not a photo.")
    return PIXELS


@pytest.fixture
def codes() -> Codes:
    global now
    now = 0.0
    return Codes(lambda: now)


@pytest.fixture
def phone(codes: Codes) -> Iterator[TestClient]:
    uploads._allowed.clear()
    GONE.clear()
    uploads.allow("ana", 300, 200)
    budget = uploads.Budget(codes.held, lambda session: session not in GONE)
    guards = [
        Middleware(NamedHostsOnly, names=["laptop"]),
        Middleware(
            FromPhone,
            budget=budget,
            read=read,
            is_active=budget.is_active,
            notice="Not a <device>.",
            base_path="skin",
            codes=codes,
        ),
    ]
    app = Starlette(routes=[Route("/{rest:path}", lambda _: PlainTextResponse("app"))], middleware=guards)
    yield TestClient(app, base_url="http://laptop")
    uploads._allowed.clear()


def send(phone: TestClient, code: str, data: Any = b"photo", path: str = "/skin/send") -> Any:
    return phone.post(path, content=data, headers={HEADER: code})


def test_photo_reaches_the_session_and_case_that_show_the_code(phone: TestClient, codes: Codes) -> None:
    code = codes.of("ana", "mole")
    assert codes.of("ana", "mole") == code  # as long as it is on screen
    assert len(code) >= 22  # 128 bits
    assert phone.get("/skin/send", headers={HEADER: code}).text == "200"
    assert send(phone, code, path=f"/skin/send/{VISIT}").status_code == 200
    assert codes.has_come("ana") and not codes.has_come("bert")
    assert codes.held() == {"ana": PIXELS.nbytes}
    assert codes.take("bert", "mole") is None
    assert codes.take("ana", "mole") is PIXELS
    assert codes.take("ana", "mole") is None


def test_code_takes_one_photo(phone: TestClient, codes: Codes) -> None:
    code = codes.of("ana", "mole")
    assert [send(phone, code).status_code for _ in range(2)] == [200, 410]
    assert phone.get("/skin/send", headers={HEADER: code}).status_code == 410


@pytest.mark.parametrize("end", ["void", "expired", "other case", "session gone", "never given"])
def test_code_that_has_ended_is_refused(phone: TestClient, codes: Codes, end: str) -> None:
    global now
    code = codes.of("ana", "mole")
    if end == "void":
        codes.void("ana")
    elif end == "expired":
        now = GOOD_FOR
    elif end == "other case":
        assert codes.of("ana", "another") != code
    elif end == "session gone":
        GONE.add("ana")
    else:
        code = "A" * 22
    refused = send(phone, code)
    assert refused.status_code == 410 and "Scan the code" in refused.text
    assert not codes.has_come("ana")


def test_photo_for_a_case_that_was_left_is_dropped(phone: TestClient, codes: Codes) -> None:
    send(phone, codes.of("ana", "mole"))
    assert codes.take("ana", "another") is None
    send(phone, codes.of("ana", "mole"))
    codes.void("ana")
    assert not codes.has_come("ana")


def test_photo_that_nobody_takes_is_dropped(phone: TestClient, codes: Codes) -> None:
    global now
    send(phone, codes.of("ana", "mole"))
    now = KEPT_FOR
    codes.forget_old()
    assert not codes.held()


def test_other_file_is_refused_with_the_reason_and_the_phone_may_try_again(
    phone: TestClient, codes: Codes
) -> None:
    code = codes.of("ana", "mole")
    refused = send(phone, code, b"%PDF")
    assert (refused.status_code, refused.text) == (422, "The file is not a photo.\n")
    assert send(phone, code).status_code == 200


def test_body_that_is_too_large_or_of_unknown_length_is_not_read(phone: TestClient, codes: Codes) -> None:
    code = codes.of("ana", "mole")
    huge = uploads.ENVELOPE + 201
    assert send(phone, code, b"photo" + bytes(huge)).status_code == 413
    assert send(phone, code, iter([b"photo"])).status_code == 411
    assert not codes.has_come("ana")


def test_budget_of_uploads_holds_for_phones(phone: TestClient, codes: Codes) -> None:
    uploads.allow("ana", 40, 40)
    assert send(phone, codes.of("ana", "mole"), b"photo" + bytes(25)).status_code == 200
    full = send(phone, codes.of("ana", "mole"), b"photo" + bytes(25))  # 18 bytes of pixels wait
    assert full.status_code == 429 and full.headers["Retry-After"]
    uploads.allow("ana", *uploads.NOTHING)  # signed out
    assert send(phone, codes.of("ana", "mole")).status_code == 403


async def asked(app: Any, code: str, parts: AsyncIterator[bytes], length: int) -> int:
    """The status of a request whose body comes in these parts."""
    found = []

    async def receive() -> dict[str, Any]:
        part = await anext(parts, None)
        return {"type": "http.request", "body": part or b"", "more_body": part is not None}

    async def note(message: dict[str, Any]) -> None:
        found.extend([message["status"]] if message["type"] == "http.response.start" else [])

    headers = [(b"host", b"laptop"), (HEADER.encode(), code.encode()), (b"content-length", b"%d" % length)]
    scope = {"type": "http", "method": "POST", "path": "/skin/send", "headers": headers, "query_string": b""}
    await app(scope, receive, note)
    return found[0]


def test_slow_body_ends_and_keeps_no_second_one_waiting(
    phone: TestClient, codes: Codes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "SENT_WITHIN", 0.05)
    code = codes.of("ana", "mole")

    async def never() -> AsyncIterator[bytes]:
        yield b"photo"
        await asyncio.Event().wait()

    async def soon() -> AsyncIterator[bytes]:
        yield b"photo"

    async def both() -> list[int]:
        app = phone.app.build_middleware_stack()
        return [
            *await asyncio.gather(asked(app, code, never(), 200), asked(app, code, soon(), 5)),
            await asked(app, code, soon(), 5),
        ]

    assert asyncio.run(both()) == [408, 409, 200]


def test_code_that_ends_while_the_photo_comes_in_keeps_nothing(phone: TestClient, codes: Codes) -> None:
    code = codes.of("ana", "mole")

    async def and_then_the_visitor_changes() -> AsyncIterator[bytes]:
        yield b"photo"
        codes.void("ana")

    app = phone.app.build_middleware_stack()
    assert asyncio.run(asked(app, code, and_then_the_visitor_changes(), 5)) == 410
    assert not codes.held()


def test_body_longer_than_announced_is_refused(phone: TestClient, codes: Codes) -> None:
    async def long() -> AsyncIterator[bytes]:
        yield b"photo" * 10

    app = phone.app.build_middleware_stack()
    assert asyncio.run(asked(app, codes.of("ana", "mole"), long(), 5)) == 422


def test_page_is_kept_nowhere_and_asks_nobody_else(phone: TestClient) -> None:
    page = phone.get("/skin/send")
    assert page.status_code == 200 and "Not a &lt;device&gt;." in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "http" not in page.text.replace('"https:"', "")


def test_only_its_own_address_and_host_are_answered(phone: TestClient, codes: Codes) -> None:
    for path in ("/send", "/skin/send/x", f"/skin/send/{VISIT}0", "/skin/sending"):
        assert phone.get(path).text == "app"
    assert phone.put("/skin/send", content=b"photo").status_code == 405
    refused = phone.post(
        "/skin/send", content=b"photo", headers={HEADER: codes.of("ana", "mole"), "Host": "evil.example"}
    )
    assert refused.status_code == 400 and not codes.has_come("ana")


def test_address_names_the_visit_only_if_it_is_one() -> None:
    assert handover.path_for(VISIT) == f"send/{VISIT}"
    assert handover.path_for("../x") == handover.path_for("") == "send"
