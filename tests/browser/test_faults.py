"""What breaks while a clinician works: the disk, the database, the weights, the server itself."""

import resource
import shutil
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
from at_the_screen import (
    LATER,
    SAVE,
    WORDS,
    Visit,
    answer,
    case_id,
    change_to,
    click,
    expect_connected,
    expect_result,
    finish,
    give,
    go_to,
    open_up,
    settle,
    type_words,
    upload,
    use_sample,
    visiting,
)
from conftest import serve
from databases import empty_postgresql
from PIL import Image
from playwright.sync_api import Browser, expect
from sqlalchemy import create_engine, text

from benchmarks.server import ROOT, free_port
from skin_ai.predict.bundle import DEFAULT_BUNDLE, IMAGE_FILE, LANGUAGE_FILE, file_of

AWAY_SECONDS = 30.0
NOT_SAVED = "Not saved:"
KEPT = "Keep my answer"


def rows(folder: Path, table: str) -> int:
    with closing(sqlite3.connect(folder / "study.db")) as database:
        return int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


# The server


class Restarted:
    """A server that is killed and started again at the same port, with the same data."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.stack = ExitStack()
        self.start()

    def start(self) -> None:
        self.server = self.stack.enter_context(serve(self.folder, port=self.port))

    def kill(self, visit: Visit) -> None:
        """Until the browser has found the new server by itself, and then anew, as a reader would reload."""
        psutil.Process(self.server.process).kill()
        expect_connected(visit.page, 0)
        self.stack.close()
        self.start()
        expect_connected(visit.page)
        visit.reload()
        settle(visit.page)


def test_server_killed_at_every_stage_loses_nothing_that_was_called_saved(
    browser: Browser, tmp_path: Path
) -> None:
    run = Restarted(tmp_path)
    with run.stack, visiting(browser, run.server.address) as visit:
        page = visit.page
        settle(page)
        run.kill(visit)
        type_words(page)
        settle(page)
        click(page, LATER)
        expect(page.get_by_text("Unfinished cases (1)")).to_be_visible()
        run.kill(visit)
        open_up(page, "Unfinished cases (1)")
        click(page, "Continue")
        settle(page)  # the former fields stay until the run ends, in which the models are loaded
        expect(page.get_by_role("textbox", name="In the patient's own words")).to_have_value(WORDS)
        answer(page, ["melanoma"])
        case, said = case_id(page), page.locator(".st-key-ai").text_content()
        run.kill(visit)
        expect_result(page)
        expect(page.locator(".st-key-ai")).to_have_text(str(said))
        finish(page)
        run.kill(visit)
        expect(page.get_by_role("heading", name="Your final answer is saved")).to_be_visible()
        expect(page.get_by_text("Before and final: melanoma")).to_be_visible()
        open_up(page, "Your feedback (optional)")
        page.get_by_label("Comment").fill("The steps were clear.")
        click(page, "Send feedback")
        expect(page.get_by_text("Your feedback is saved. Thank you.")).to_be_visible()
        run.kill(visit)
        expect(page.get_by_label("Comment")).to_have_value("The steps were clear.")
        assert case_id(page) == case
    assert [rows(tmp_path, table) for table in ("cases", "readings", "answers", "runs", "feedback")] == [
        1, 1, 2, 1, 1
    ]  # fmt: skip


# The disk


@contextmanager
def full_disk(process: int) -> Iterator[None]:
    """Nothing that the process writes to a file reaches it."""
    server = psutil.Process(process)
    before = server.rlimit(resource.RLIMIT_FSIZE)
    server.rlimit(resource.RLIMIT_FSIZE, (1, before[1]))
    yield
    server.rlimit(resource.RLIMIT_FSIZE, before)


def test_full_disk_is_told_and_what_was_entered_can_be_saved_later(browser: Browser, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    noise = np.random.default_rng(0).integers(0, 256, (900, 1200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(photo)
    assert photo.stat().st_size > 3 * 1024**2
    with serve(tmp_path) as server, visiting(browser, server.address) as visit:
        page = visit.page
        settle(page)
        with full_disk(server.process):
            upload(page, photo)  # which never touches the disk
            expect(page.get_by_text("What the model sees")).to_be_visible()
            type_words(page)
            give(page, ["melanoma"])
            click(page, SAVE)
            expect(page.get_by_text(NOT_SAVED)).to_be_visible()
            expect(page.get_by_text("What you entered is still here")).to_be_visible()
        assert rows(tmp_path, "answers") == 0
        click(page, SAVE)
        expect_result(page)
        assert rows(tmp_path, "answers") == 1
        with full_disk(server.process):
            click(page, KEPT)
            expect(page.get_by_text(NOT_SAVED)).to_be_visible()
        assert rows(tmp_path, "answers") == 1
        finish(page)
        assert rows(tmp_path, "answers") == 2


# The database


class Cable:
    """Between the server and the database; it can be pulled."""

    def __init__(self, port: int) -> None:
        self.to = port
        self.port = free_port()
        self.ends: list[socket.socket] = []
        self.plug_in()

    def plug_in(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self.listening,), daemon=True).start()

    def pull(self) -> None:
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        for end in self.ends:
            with closing(end):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # closed already
        self.ends.clear()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                ours, _ = listening.accept()
            except OSError:
                return
            theirs = socket.create_connection(("127.0.0.1", self.to))
            self.ends += (ours, theirs)
            for one, other in ((ours, theirs), (theirs, ours)):
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_RDWR)
        except OSError:
            return


def test_database_away_for_a_while_is_told_and_nothing_is_lost(browser: Browser, tmp_path: Path) -> None:
    engine = create_engine(empty_postgresql())
    cable = Cable(engine.url.port or 5432)
    url = engine.url.set(host="127.0.0.1", port=cable.port).render_as_string(hide_password=False)

    def kept() -> int:
        with engine.connect() as connection:
            return int(connection.execute(text("SELECT count(*) FROM answers")).scalar_one())

    with (
        serve(tmp_path, {"SKIN_AI_DATABASE_URL": url}) as server,
        visiting(browser, server.address) as visit,
    ):
        page = visit.page
        type_words(page)
        give(page, ["melanoma"])
        cable.pull()
        pulled = time.monotonic()
        click(page, SAVE)
        expect(page.get_by_text("Not saved: the database cannot be reached.")).to_be_visible()
        expect(page.get_by_role("textbox", name="In the patient's own words")).to_have_value(WORDS)
        time.sleep(max(0.0, AWAY_SECONDS - (time.monotonic() - pulled)))
        cable.plug_in()
        assert kept() == 0
        click(page, SAVE)
        expect_result(page)
        assert kept() == 1
        change_to(page, "nevus")
        cable.pull()
        page.get_by_label("Reason (optional)").fill("It has not changed.")
        click(page, "Save my final answer")
        expect(page.get_by_text("cannot be read now: the database cannot be reached")).to_be_visible()
        settle(page)  # leaving the field and the click are two runs; both find the database away
        cable.plug_in()
        click(page, "Try again")
        expect(page.get_by_label("Reason (optional)")).to_have_value("It has not changed.")
        finish(page, "Save my final answer")
        expect(page.get_by_text("nevus, 70% confident").first).to_be_visible()
        assert kept() == 2
    cable.pull()
    engine.dispose()


# The weights


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The app in a folder of its own, whose weights may break."""
    root = tmp_path / "installed"
    root.mkdir()
    for name in ("app.py", "navigation.py"):
        shutil.copy(ROOT / name, root)
    for name in ("skin_ai", "weights", ".streamlit"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    return root


def test_damaged_weights_are_told_and_the_answer_is_kept(
    browser: Browser, installed: Path, tmp_path: Path
) -> None:
    model = file_of(installed / "weights" / DEFAULT_BUNDLE, LANGUAGE_FILE)
    right = model.read_bytes()
    model.write_bytes(right[:-1000] + bytes(1000))
    with serve(tmp_path, root=installed) as server, visiting(browser, server.address) as visit:
        page = visit.page
        use_sample(page)
        give(page, ["melanoma"])
        click(page, SAVE)
        expect(page.get_by_role("button", name="Try again")).to_be_visible()
        expect(page.get_by_text("is damaged: its sha256 differs from the manifest")).to_be_visible()
        assert rows(tmp_path, "answers") == 1
        model.write_bytes(right)
        click(page, "Try again")
        expect_result(page)


def test_weights_damaged_while_the_server_runs_change_no_answer(
    browser: Browser, installed: Path, tmp_path: Path
) -> None:
    with serve(tmp_path, root=installed) as server, visiting(browser, server.address) as visit:
        page = visit.page
        use_sample(page)
        answer(page)
        said = page.locator(".st-key-ai").text_content()
        for name in (LANGUAGE_FILE, IMAGE_FILE):
            with file_of(installed / "weights" / DEFAULT_BUNDLE, name).open("r+b") as file:
                file.truncate(100_000)
        click(page, KEPT)
        click(page, "New case")
        use_sample(page)
        answer(page)
        expect(page.locator(".st-key-ai")).to_have_text(str(said))
        go_to(page, "Model card")
