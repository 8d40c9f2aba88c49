"""A photo is sent from a phone to the screen that shows the code, and to no other."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from at_the_screen import Server, click, phone_address, sent_from, settle, visiting
from conftest import serve
from playwright.sync_api import Browser, BrowserContext, Page, expect

HOST = "laptop.localhost"  # another name of this machine, as a phone would use one


@pytest.fixture(scope="module")
def on_the_network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {
        "STREAMLIT_SERVER_ADDRESS": "0.0.0.0",
        "SKIN_AI_HOSTS": HOST,
        "SKIN_AI_KIOSK": "yes",
        "SKIN_AI_KIOSK_MINUTES": "60",
        "SKIN_AI_BASE_PATH": "skin",
    }
    with serve(tmp_path_factory.mktemp("network"), environment) as server:
        yield server


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    context: BrowserContext = browser.new_context(viewport={"width": 390, "height": 844}, is_mobile=True)
    yield context.new_page()
    context.close()


def test_photo_from_a_phone_begins_a_visitors_case(
    browser: Browser, on_the_network: Server, phone: Page, photo_file: Path
) -> None:
    with (
        visiting(browser, on_the_network.address) as visit,
        visiting(browser, on_the_network.address) as other,
    ):
        page = visit.page
        page.get_by_text("Send a photo from your phone").click()
        expect(page.get_by_text("This connection is not encrypted")).to_be_visible()
        address = phone_address(page)
        assert address.startswith(on_the_network.address.replace("localhost", HOST) + "/send#")
        phone.goto(address)
        expect(phone.get_by_text("not a medical device")).to_be_visible()
        expect(phone.get_by_text("This connection is not encrypted")).to_be_visible()
        assert phone.evaluate("document.documentElement.scrollWidth") == 390
        choose = phone.get_by_label("Take or choose a photo")
        box = choose.bounding_box()
        assert box is not None and box["height"] >= 48 and box["y"] > 844 / 2  # where a thumb reaches
        choose.set_input_files({"name": "a.pdf", "mimeType": "image/jpeg", "buffer": b"%PDF-1.4"})
        expect(phone.get_by_text("The file is not a JPEG")).to_be_visible()
        sent_from(phone, address, photo_file)
        expect(page.get_by_text("What the model sees")).to_be_visible()
        settle(other.page)
        expect(other.page.get_by_role("heading", name="Can you beat the AI?")).to_be_visible()
        phone.reload()
        expect(phone.get_by_text("This code can no longer be used")).to_be_visible()
        expect(phone.get_by_label("Take or choose a photo")).to_be_hidden()
        assert address.rpartition("#")[2] not in (on_the_network.data / "log.txt").read_text()


def test_code_ends_when_it_is_no_longer_on_screen(
    browser: Browser, on_the_network: Server, phone: Page
) -> None:
    def expect_refused(address: str) -> None:
        phone.goto("about:blank")
        phone.goto(address)
        expect(phone.get_by_text("This code can no longer be used")).to_be_visible()

    with visiting(browser, on_the_network.address) as visit:
        page = visit.page
        click(page, "My own photo")
        page.get_by_role("radio", name="Phone").click()
        first = phone_address(page)
        page.get_by_role("radio", name="Upload").click()
        expect(page.get_by_text("at most 20 MB").first).to_be_visible()
        settle(page)
        expect_refused(first)
        page.get_by_role("radio", name="Phone").click()
        second = phone_address(page)
        assert second != first
        click(page, "Next visitor")
        expect(page.get_by_role("heading", name="Can you beat the AI?")).to_be_visible()
        expect_refused(second)


def test_laptop_of_its_own_shows_no_code(browser: Browser, server: Server) -> None:
    with visiting(browser, server.address) as visit:
        settle(visit.page)
        expect(visit.page.get_by_role("radio", name="Camera")).to_be_visible()
        expect(visit.page.get_by_role("radio", name="Phone")).to_have_count(0)
