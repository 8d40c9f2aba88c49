"""Sign-in on a network, against a local OpenID Connect provider."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from at_the_screen import Server, click, settle, sign_in, type_words, visiting
from conftest import serve
from identity_provider import identity_provider
from playwright.sync_api import Browser, Page, expect

ROLE = "skin_ai study"
ACCOUNTS = {
    "reader": {"name": "Ana Reader", "email": "ana@clinic.example"},
    "other": {"email": "bo@clinic.example", "groups": "skin_ai"},
    "lead": {"name": "Cleo Lead", "roles": ["dermatology", ROLE]},
}
PAGES = ("", "deck", "compare", "feedback", "model_card", "about")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("network")
    with identity_provider(ACCOUNTS) as provider:
        secrets = folder / "secrets.toml"
        secrets.write_text(provider.secrets_toml("http://localhost:{port}/oauth2callback"))
        environment = {"STREAMLIT_SECRETS_FILES": str(secrets), "SKIN_AI_STUDY_ROLE": ROLE}
        with serve(folder, environment) as server:
            yield server


@pytest.fixture
def page(browser: Browser, network: Server) -> Iterator[Page]:
    with visiting(browser, network.address) as visit:
        yield visit.page


@pytest.mark.parametrize("address", PAGES)
def test_nothing_is_shown_before_sign_in(page: Page, network: Server, address: str) -> None:
    page.goto(f"{network.address}/{address}")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_text("not a medical device").first).to_be_visible()
    settle(page)
    assert page.get_by_role("heading").all_text_contents() == ["Sign in"]
    assert page.get_by_role("textbox").count() == page.get_by_test_id("stTopNavLink").count() == 0


def test_reader_comes_in_and_study_pages_stay_closed(page: Page, network: Server) -> None:
    sign_in(page, "reader")
    expect(page.get_by_text("Signed in as Ana Reader")).to_be_visible()
    expect(page.get_by_role("heading", name="Your diagnosis")).to_be_visible()
    expect(page.get_by_role("link", name="Feedback")).to_have_count(0)
    page.get_by_role("link", name="Deck").click()
    expect(page.get_by_text("Only study staff")).to_be_visible()
    expect(page.get_by_text("Load a deck")).to_have_count(0)


def test_study_pages_are_open_to_the_studys_role(page: Page) -> None:
    sign_in(page, "lead")
    page.get_by_role("link", name="Feedback").click()
    expect(page.get_by_text("No answers yet.")).to_be_visible()
    page.get_by_role("link", name="Deck").click()
    expect(page.get_by_text("Load a deck")).to_be_visible()


def test_two_people_on_one_browser_are_two_readers(page: Page) -> None:
    reader = page.get_by_test_id("stPopover").get_by_role("button")
    sign_in(page, "other")
    type_words(page)
    click(page, "Keep for later")
    expect(reader).to_contain_text(re.compile(r"Reader R-\w{8}"))
    pseudonym = reader.text_content()
    click(page, "Sign out")
    sign_in(page, "lead")
    expect(reader).to_be_visible()
    settle(page)
    expect(reader).not_to_have_text(str(pseudonym))
    expect(page.get_by_text("Unfinished cases")).to_have_count(0)
    click(page, "Sign out")
    sign_in(page, "other")
    expect(reader).to_have_text(str(pseudonym))
    expect(page.get_by_text("Unfinished cases (1)")).to_be_visible()


def test_nobody_comes_in_where_the_provider_is_not_configured(tmp_path: Path, browser: Browser) -> None:
    secrets = tmp_path / "secrets.toml"
    secrets.write_text("[auth\n")
    environment = {"STREAMLIT_SECRETS_FILES": str(secrets), "SKIN_AI_STUDY_ROLE": ROLE}
    with serve(tmp_path, environment) as server, visiting(browser, server.address) as visit:
        expect(visit.page.get_by_text("Sign-in is not configured")).to_be_visible()
        settle(visit.page)
        assert visit.page.get_by_role("heading").all_text_contents() == ["Sign in"]
