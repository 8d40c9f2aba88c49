"""The real server and a real browser."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from at_the_screen import IDLE_MINUTES, PASSPHRASE, SCREENS, Server, Visit, beat_the_ai, visiting
from playwright.sync_api import Browser, expect, sync_playwright
from telling_server import ASK, HOLD, TELL

from benchmarks.server import ROOT, STREAMLIT, started
from skin_ai.study.store import open_store
from tests.study.made_up_study import answers

CHROMIUM = Path("/usr/bin/chromium")
# Without these the browser itself asks hosts on the internet.
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.is_file():
        pytest.fail(f"{CHROMIUM} is missing: install it with `apt-get install chromium`.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", *QUIET]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="session")
def study_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that holds a study of six readers already."""
    folder = tmp_path_factory.mktemp("study")
    store = open_store(f"sqlite:///{folder}/study.db")
    store.add_answers(answers(n_readers=6, n_cases=15, seed=2))
    store.engine.dispose()
    with serve(folder, {"SKIN_AI_STUDY_PASSPHRASE": PASSPHRASE}) as server:
        yield server


@pytest.fixture(scope="session")
def stand(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Server]:
    """One in conference mode; its models have run once, which may take longer than visitors may be idle."""
    folder = tmp_path_factory.mktemp("stand")
    environment = {
        "SKIN_AI_KIOSK": "1",
        "SKIN_AI_KIOSK_MINUTES": str(IDLE_MINUTES),
        ASK: str(folder / "ask.json"),
        TELL: str(folder / "tell.json"),
        HOLD: str(folder / "hold"),
    }
    with serve(folder, environment, [str(Path(__file__).parent / "telling_server.py")]) as server:
        with visiting(browser, server.address) as visit:
            page = visit.page
            beat_the_ai(page)
            # Where it took too long: the screen for the next visitor.
            expect(page.locator("#verdict").or_(page.locator(".st-key-show_ai"))).to_be_visible()
        yield server


@pytest.fixture
def fresh_server(tmp_path: Path) -> Iterator[Server]:
    """One that nobody has asked yet."""
    with serve(tmp_path) as server:
        yield server


@pytest.fixture(params=SCREENS)
def screen(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def visit(browser: Browser, server: Server, screen: str) -> Iterator[Visit]:
    with visiting(browser, server.address, screen) as visit:
        yield visit


@pytest.fixture
def visitor(browser: Browser, stand: Server, screen: str) -> Iterator[Visit]:
    """At a conference."""
    with visiting(browser, stand.address, screen) as visit:
        yield visit


@contextmanager
def serve(
    folder: Path,
    environment: Mapping[str, str] | None = None,
    streamlit: Sequence[str] = STREAMLIT,
    port: int = 0,
    root: Path = ROOT,
) -> Iterator[Server]:
    """The app in the folder `root`, at a free port unless one is given; what it keeps is in `folder`."""
    with started(folder, environment=environment, streamlit=streamlit, port=port, root=root) as (
        address,
        process,
    ):
        yield Server(address, folder, process.pid)


@pytest.fixture(scope="session")
def photo_file(tmp_path_factory: pytest.TempPathFactory, drawn_photo: bytes) -> Path:
    path = tmp_path_factory.mktemp("photos") / "drawn.jpg"
    path.write_bytes(drawn_photo)
    return path
