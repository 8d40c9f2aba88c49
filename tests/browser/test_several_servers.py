"""Two servers behind nginx and one PostgreSQL, with the files of `deploy/`."""

import os
import re
import shutil
import signal
import ssl
import subprocess
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml
from at_the_screen import (
    Server,
    answer,
    case_id,
    click,
    expect_connected,
    expect_result,
    finish,
    go_to,
    open_up,
    open_window,
    phone_address,
    sent_from,
    settle,
    sign_in,
    type_words,
    upload,
)
from databases import empty_postgresql
from identity_provider import identity_provider
from playwright.sync_api import Browser, BrowserContext, Page, expect

from benchmarks.server import free_port
from skin_ai.predict.photo import MAX_BYTES
from skin_ai.study.safe_zip import MAX_FILES
from tests.browser.conftest import serve

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
MAIN = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include /etc/nginx/mime.types;
    include {folder}/skin_ai.conf;
}}
"""


@dataclass
class Hospital:
    """The proxy's addresses, the servers behind it, and the proxy's log."""

    plain: str
    secure: str
    servers: list[Server]
    log: Path
    seen: int = 0

    def since_last_look(self) -> dict[str, set[str]]:
        """The servers that answered each visitor, as the log tells; a page's connection is told only at its
        end.
        """
        lines = self.log.read_text().splitlines()
        new, self.seen = lines[self.seen :], len(lines)
        answered: dict[str, set[str]] = {}
        for line in new:
            server, visitor = line.split()[-2:]
            if "/_stcore/stream" not in line and server != "-":
                answered.setdefault(visitor, set()).add(server)
        return answered


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    with running(tmp_path, free_port()) as at:
        yield at


@contextmanager
def running(folder: Path, secure: int, environment: Mapping[str, str] | None = None) -> Iterator[Hospital]:
    """A database, two servers and the proxy before them, TLS at a port."""
    if shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        pytest.fail("nginx is missing: install it with `apt-get install nginx-light`.")
    url = empty_postgresql()
    with ExitStack() as stack:
        servers = []
        for name in ("one", "two"):
            (folder / name).mkdir()
            ours = {"SKIN_AI_DATABASE_URL": url, "OMP_NUM_THREADS": "1", **(environment or {})}
            servers.append(stack.enter_context(serve(folder / name, ours)))
        plain = free_port()
        _configure(folder, servers, plain, secure)
        nginx = subprocess.Popen(["/usr/sbin/nginx", "-c", folder / "main.conf", "-p", folder])
        stack.callback(nginx.wait, 20)
        stack.callback(nginx.terminate)
        at = Hospital(
            f"http://localhost:{plain}", f"https://localhost:{secure}", servers, folder / "access.log"
        )
        end = time.monotonic() + 20
        while time.monotonic() < end and asked(f"{at.secure}/healthz")[0] != 200:
            time.sleep(0.1)
        yield at


def _configure(folder: Path, servers: list[Server], plain: int, secure: int) -> None:
    """The files of `deploy/`, at ports and in folders of this test."""
    subject = [
        "-subj",
        "/CN=localhost",
        "-days",
        "2",
        "-keyout",
        folder / "tls.key",
        "-out",
        folder / "tls.crt",
    ]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject],
        check=True,
        capture_output=True,
    )
    listed = (DEPLOY / "servers.conf").read_text()
    for shipped, server in zip(("8501", "8502"), servers, strict=True):
        assert f"127.0.0.1:{shipped} " in listed
        listed = listed.replace(f"127.0.0.1:{shipped} ", f"127.0.0.1:{server.address.rpartition(':')[2]} ")
    (folder / "servers.conf").write_text(listed)
    site = (DEPLOY / "nginx.conf").read_text()
    for shipped, here in (
        ("/etc/nginx/skin_ai", str(folder)),
        ("/var/log/nginx/skin_ai.log", str(folder / "access.log")),
        ("/var/log/nginx/error.log", str(folder / "error.log")),
        (" $upstream_addr';", " $upstream_addr $skin_ai_visit';"),  # for the tests alone: it names a visitor
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{secure} ssl;"),
    ):
        assert shipped in site
        site = site.replace(shipped, here)
    (folder / "skin_ai.conf").write_text(site)
    (folder / "main.conf").write_text(MAIN.format(folder=folder))


class _Stays(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def asked(url: str, method: str = "GET", cookie: str = "") -> tuple[int, dict[str, str], str]:
    """Status, headers and body; 0 where nothing answers."""
    trusting = urllib.request.HTTPSHandler(context=ssl._create_unverified_context())
    request = urllib.request.Request(url, method=method, headers={"Cookie": cookie} if cookie else {})
    try:
        with urllib.request.build_opener(trusting, _Stays).open(request, timeout=10) as found:
            return found.status, dict(found.headers), found.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read().decode()
    except OSError:
        return 0, {}, ""


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that takes the test's certificate."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, ignore_https_errors=True)
    yield context
    context.close()


def look_at(context: BrowserContext, hospital: Hospital) -> Page:
    page = open_window(context, hospital.secure).page
    expect(page.get_by_text("not a medical device").first).to_be_visible()
    settle(page)
    return page


def test_visitors_are_spread_and_each_stays_with_one_server(browser: Browser, hospital: Hospital) -> None:
    visitors = 12
    for _ in range(visitors):
        context = browser.new_context(ignore_https_errors=True)
        page = look_at(context, hospital)
        page.reload()
        expect(page.get_by_text("not a medical device").first).to_be_visible()
        context.close()
    answered = hospital.since_last_look()
    assert [len(servers) for servers in answered.values()] == [1] * visitors
    assert len(set().union(*answered.values())) == 2


def test_server_killed_in_the_middle_of_a_case_loses_nothing_that_was_saved(
    context: BrowserContext, hospital: Hospital
) -> None:
    page = look_at(context, hospital)
    type_words(page)
    answer(page, ["melanoma"])
    case = case_id(page)
    [[first]] = hospital.since_last_look().values()
    [killed] = [server for server in hospital.servers if server.address.endswith(first.rpartition(":")[2])]
    expect_connected(page)
    os.kill(killed.process, signal.SIGKILL)
    expect_connected(page, 0)
    # The browser connects anew by itself, and the other server takes the visitor over at the same stage.
    expect_connected(page)
    expect_result(page)
    finish(page)
    expect(page.get_by_text("Before and final: melanoma")).to_be_visible()
    hospital.since_last_look()
    page.reload()
    expect(page.get_by_text("Before and final: melanoma")).to_be_visible()
    assert case_id(page) == case
    [[second]] = hospital.since_last_look().values()
    assert second != first


def test_page_works_under_the_proxys_headers(
    context: BrowserContext, hospital: Hospital, photo_file: Path
) -> None:
    said: list[str] = []
    context.on("console", lambda message: said.append(message.text))
    page = look_at(context, hospital)
    upload(page, photo_file)
    expect(page.get_by_text("What the model sees")).to_be_visible()
    answer(page)
    [reader] = [cookie for cookie in context.cookies() if cookie["name"] == "skin_ai_browser"]
    assert reader["secure"] and reader["httpOnly"]
    assert reader["value"] not in page.evaluate("document.cookie")
    open_up(page, "Where the photo model looked")
    settle(page)
    finish(page)
    assert [text for text in said if "Content Security Policy" in text] == []
    _, headers, _ = asked(hospital.secure)
    cookie = headers["Set-Cookie"]
    assert all(part in cookie for part in ("skin_ai_visit=", "Secure", "HttpOnly", "SameSite=Lax"))
    for name in (
        "Strict-Transport-Security", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy",
        "Permissions-Policy", "Content-Security-Policy",
    ):  # fmt: skip
        assert headers[name]
    assert asked(f"{hospital.plain}/?case=1")[:2][0] == 301
    assert asked(f"{hospital.secure}/healthz")[::2] == (200, "ok")
    logged = hospital.log.read_text()
    visits = {line.split()[-1] for line in logged.splitlines()}  # which the test alone adds to the log
    assert case_id(page) not in logged
    for cookie in context.cookies():
        assert cookie["value"] in visits or cookie["value"] not in logged
    assert not any(visit in line.rpartition(" ")[0] for line in logged.splitlines() for visit in visits)
    assert not list((hospital.log.parent / "body").iterdir())  # the photo went through, past the disk


def test_sign_in_works_behind_the_proxy(context: BrowserContext, tmp_path: Path) -> None:
    secure, secrets = free_port(), tmp_path / "secrets.toml"
    with identity_provider({"reader": {"name": "Ana Reader"}}) as provider:
        secrets.write_text(provider.secrets_toml(f"https://localhost:{secure}/oauth2callback"))
        with running(tmp_path, secure, {"STREAMLIT_SECRETS_FILES": str(secrets)}) as hospital:
            page = look_at(context, hospital)
            sign_in(page, "reader")
            account = next(one for one in context.cookies() if one["name"] == "_streamlit_user")
            assert account["secure"] and account["httpOnly"]
            page.reload()
            expect(page.get_by_text("Signed in as Ana Reader")).to_be_visible()
            [served] = hospital.since_last_look().values()
            assert len(served) == 1
            # The other server knows the visitor too.
            [killed] = [one for one in hospital.servers if one.address.rpartition(":")[2] in "".join(served)]
            os.kill(killed.process, signal.SIGKILL)
            page.reload()
            expect(page.get_by_text("Signed in as Ana Reader")).to_be_visible()
            click(page, "Sign out")
            expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_nobody_sends_files_without_end(hospital: Hospital) -> None:
    visit = "skin_ai_visit=" + "0" * 32
    found = [asked(f"{hospital.secure}/_stcore/upload_file/x/y", "PUT", visit)[0] for _ in range(15)]
    assert found[0] != 429
    assert found[-1] == 429
    other = asked(f"{hospital.secure}/_stcore/upload_file/x/y", "PUT", "skin_ai_visit=" + "1" * 32)[0]
    assert other != 429


def test_folder_of_a_deck_may_have_many_files(hospital: Hospital) -> None:
    visit = "skin_ai_deck=1; skin_ai_visit=" + "0" * 32
    found = {asked(f"{hospital.secure}/_stcore/upload_file/x/{n}", "PUT", visit)[0] for n in range(200)}
    assert 429 not in found and 0 not in found


def test_deck_larger_than_any_photo_goes_through_the_proxy(
    context: BrowserContext, hospital: Hospital, tmp_path: Path
) -> None:
    path = tmp_path / "large.zip"
    with ZipFile(path, "w") as deck:
        deck.writestr("cases.csv", "narrative\nIt bleeds.\n")
        for number in range(3):
            deck.writestr(f"{number}.raw", os.urandom(15_000_000))
    page = look_at(context, hospital)
    go_to(page, "Deck")
    open_up(page, "Load a deck")
    upload(page, path)
    click(page, "Check and load")
    expect(page.get_by_text("Loaded the deck “large” with 1 cases.")).to_be_visible()
    assert "skin_ai_deck" in {cookie["name"] for cookie in context.cookies()}
    assert not list((hospital.log.parent / "body").iterdir())


def test_phone_reaches_the_server_that_shows_its_code(
    browser: Browser, context: BrowserContext, tmp_path: Path, photo_file: Path
) -> None:
    secure = free_port()
    with running(tmp_path, secure, {"SKIN_AI_HOSTS": "hospital.localhost"}) as hospital:
        hospital.secure = f"https://hospital.localhost:{secure}"
        page = look_at(context, hospital)
        [visit] = hospital.since_last_look()
        page.get_by_role("radio", name="Phone").click()
        address = phone_address(page)
        assert address.startswith(f"{hospital.secure}/send/{visit}#")
        phone = browser.new_context(ignore_https_errors=True)
        sent_from(phone.new_page(), address, photo_file)
        expect(page.get_by_text("What the model sees")).to_be_visible()
        phone.close()
        assert len(hospital.since_last_look()[visit]) == 1
        logs = [hospital.log, tmp_path / "error.log", *(one.data / "log.txt" for one in hospital.servers)]
        logged = "".join(log.read_text() for log in logs)
        assert " /send 200 " in logged and address.rpartition("#")[2] not in logged
        # Without what the test adds at the end of each line, no log names the visit.
        assert f"/send/{visit}" not in logged
        assert not list((tmp_path / "body").iterdir())


def test_limits_of_the_proxy_are_those_of_the_server() -> None:
    site = (DEPLOY / "nginx.conf").read_text()
    app = tomllib.loads((DEPLOY.parent / ".streamlit" / "config.toml").read_text())
    limits = [MAX_BYTES // 1024**2 + 1, app["server"]["maxUploadSize"] + 1]
    assert [int(size) for size in re.findall(r"client_max_body_size (\d+)m;", site)] == limits
    assert f"zone=skin_ai_decks burst={MAX_FILES} " in site


def test_containers_are_set_up_as_the_servers_here() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    mounted = {volume.split(":")[1] for volume in compose["services"]["proxy"]["volumes"]}
    mounted |= {config["target"] for config in compose["services"]["proxy"]["configs"]}
    site = (DEPLOY / "nginx.conf").read_text()
    assert {path for path in mounted if "/skin_ai/" in path} == set(
        re.findall(r"/etc/nginx/skin_ai/[\w.]+", site)
    )
    servers = compose["configs"]["servers"]["content"].split()
    apps = [name for name, service in compose["services"].items() if service.get("image") == "skin_ai"]
    assert [word for word in servers if word.startswith("app")] == [f"{name}:8501" for name in apps]
    example = (DEPLOY / "skin_ai.env.example").read_text()
    for app in apps:
        assert set(compose["services"][app]["environment"]) == set(re.findall(r"^(\w+)=", example, re.M))
