"""The cookie that opens a browser's cases: random, out of scripts' reach, and lasting."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from skin_ai.server.browser_secret import COOKIE, BrowserSecret, secret_in

PAGE = {"accept": "text/html"}


async def page(_: object) -> HTMLResponse:
    return HTMLResponse("<html></html>")


def client(path: str = "/", address: str = "http://testserver") -> TestClient:
    app = Starlette(routes=[Route("/", page)], middleware=[Middleware(BrowserSecret, path)])
    return TestClient(app, base_url=address)


def test_browser_gets_a_secret_that_scripts_and_other_sites_cannot_use() -> None:
    [cookie] = client().get("/", headers=PAGE).headers.get_list("set-cookie")
    assert len(cookie.split(";")[0].partition("=")[2]) == 43  # 256 bits
    for part in ("HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=31536000"):
        assert part in cookie
    assert "Secure" not in cookie
    assert "Secure" in client(address="https://testserver").get("/", headers=PAGE).headers["set-cookie"]
    assert "Path=/skin" in client("/skin").get("/", headers=PAGE).headers["set-cookie"]


def test_two_browsers_get_two_secrets_and_each_keeps_its_own() -> None:
    browser, other = client(), client()
    found = {one.get("/", headers=PAGE).cookies[COOKIE] for one in (browser, other) for _ in range(3)}
    assert len(found) == 2


@pytest.mark.parametrize("planted", ["", "short", "x" * 44, "a b" * 15, "é" * 43])
def test_secret_that_nobody_made_at_random_is_replaced(planted: str) -> None:
    assert secret_in({COOKIE: planted}) == ""
    response = client().get("/", headers={**PAGE, "cookie": f"{COOKIE}={planted}".encode()})
    assert response.cookies[COOKIE] != planted


def test_only_pages_set_it() -> None:
    assert "set-cookie" not in client().get("/", headers={"accept": "*/*"}).headers


def test_cookies_of_an_earlier_version_are_deleted() -> None:
    sent = "skin_ai_reader=K7Q4-M2XD; skin_ai_reader0123456789abcdef=K7Q4-M2XE; skin_ai_readers=1"
    cookies = client().get("/", headers={**PAGE, "cookie": sent}).headers.get_list("set-cookie")
    deleted = {cookie.partition("=")[0] for cookie in cookies if "Max-Age=0" in cookie}
    assert deleted == {"skin_ai_reader", "skin_ai_reader0123456789abcdef"}
