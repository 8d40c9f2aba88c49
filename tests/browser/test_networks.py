"""The app on networks that are not a laptop's own: under a path, with connections blocked, with much sent."""

from collections.abc import Iterator

import pytest
from at_the_screen import Server, click, go_to, open_window, settle
from conftest import serve
from playwright.sync_api import Browser, FilePayload, Page, expect

BLOCKED = """window.WebSocket = class extends EventTarget {
    constructor() {
        super();
        setTimeout(() => {
            this.readyState = 3;
            this.onclose?.(new CloseEvent("close", { code: 1006 }));
        });
    }
    close() {}
}"""
# Sends as many bytes as are asked for, as files that no field of the page knows.
SENDS = """async ([url, times, size]) => {
    const token = document.cookie.match(/_streamlit_xsrf=([^;]*)/)[1].replaceAll('"', "");
    const found = [];
    for (let time = 0; time < times; time++) {
        const form = new FormData();
        form.append("file", new Blob([new Uint8Array(size)]), "a.jpg");
        const address = url.replace(/[^/]*$/, `unknown-${time}`);
        const answer = await fetch(address, { method: "PUT", body: form, headers: { "X-Xsrftoken": token } });
        found.push(answer.status);
    }
    return found;
}"""


@pytest.fixture(scope="module")
def under_a_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"SKIN_AI_BASE_PATH": "derma/skin", "SKIN_AI_KIOSK": "yes", "SKIN_AI_KIOSK_MINUTES": "60,5"}
    with serve(tmp_path_factory.mktemp("path"), settings) as server:
        yield server


@pytest.fixture
def page(browser: Browser, under_a_path: Server) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    yield open_window(context, under_a_path.address).page
    context.close()


def file_of(size: int) -> FilePayload:
    return {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": bytes(size)}


def test_next_visitor_comes_back_to_the_app_under_its_path(page: Page, under_a_path: Server) -> None:
    click(page, "My own photo")
    expect(page.get_by_role("button", name="Next visitor")).to_be_visible()  # the visitor has begun
    go_to(page, "Compare")
    click(page, "Next visitor")
    expect(page.get_by_role("heading", name="Can you beat the AI?")).to_be_visible()
    assert page.url == f"{under_a_path.address}/"


def test_refused_upload_is_told_how_long_to_wait(page: Page) -> None:
    click(page, "My own photo")
    settle(page)
    with page.expect_request(lambda request: "upload_file" in request.url) as sent:
        page.locator("input[type=file]").set_input_files(file_of(1000))
    expect(page.get_by_text("The file is not a JPEG")).to_be_visible()
    assert page.evaluate(SENDS, [sent.value.url, 6, 19_000_000]) == [204] * 5 + [429]
    page.locator("input[type=file]").set_input_files(file_of(19_000_000))
    expect(page.get_by_text("Reload the page and try again in 2 minutes.")).to_be_visible()


def test_page_says_that_websockets_are_blocked(browser: Browser, under_a_path: Server) -> None:
    page = browser.new_page()
    page.add_init_script(BLOCKED)
    page.goto(f"{under_a_path.address}/compare")
    expect(page.get_by_text("WebSocket connections to it are blocked")).to_be_visible(timeout=60_000)
    page.close()
