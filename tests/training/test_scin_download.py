"""Against a server on this machine that has a drawn SCIN and fails on request."""

import base64
import hashlib
import socket
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from drawn_scin import MINI_SCIN, draw_scin

from skin_ai.__main__ import main
from skin_ai.diseases import LABEL_SETS
from skin_ai.training import scin_download
from skin_ai.training.scin import load_scin
from skin_ai.training.scin_download import ATTEMPTS, DownloadError, fetch_scin

TABLES = ("dataset/scin_cases.csv", "dataset/scin_labels.csv")
PHOTO = "dataset/images/-101.png"
N_PHOTOS = len({photo for _, photos, _ in MINI_SCIN.values() for photo in photos})


class Bucket(ThreadingHTTPServer):
    """Serves a folder as the bucket does; `mischief[path]` is what it does wrong, request by request."""

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.mischief = defaultdict(list)
        self.asked = []  # paths
        self.base = f"http://127.0.0.1:{self.server_port}/bucket/"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):
        pass

    def do_GET(self):
        path = self.path.removeprefix("/bucket/")
        self.server.asked.append(path)
        file = self.server.folder / path
        mischief = self.server.mischief[path].pop(0) if self.server.mischief[path] else ""
        if mischief.isdigit() or not file.is_file():
            self.send_error(int(mischief or 404))
            return
        if mischief == "slow":
            time.sleep(1.0)
        body = b"<html>Log in first</html>" if mischief == "page" else file.read_bytes()
        digest = hashlib.md5(body + (b"?" if mischief == "lie" else b"")).digest()
        self.send_response(200)
        if mischief != "bare":
            self.send_header("Content-Length", str(len(body)))
            self.send_header("x-goog-hash", "crc32c=AAAAAA==")
            self.send_header("x-goog-hash", f"md5={base64.b64encode(digest).decode()}")
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if mischief in ("drop", "bare") else body)
        self.close_connection = True


@pytest.fixture
def bucket(tmp_path):
    server = Bucket(draw_scin(tmp_path / "bucket"))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(scin_download, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(scin_download, "TIMEOUT", 0.5)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "scin"


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_command_fetches_all_and_tells_the_licence_first(bucket, folder, capsys):
    assert main(["data", "scin", str(folder), "--from", bucket.base]) == 0
    out = capsys.readouterr().out
    assert "Data Use License" in out.splitlines()[0]
    assert "https://github.com/google-research-datasets/scin/blob/main/LICENSE" in out.splitlines()[1]
    assert f"6 cases and {N_PHOTOS} photos" in out
    assert contents(folder) == contents(bucket.folder)
    assert bucket.asked[:2] == list(TABLES)
    assert len(bucket.asked) == len(TABLES) + N_PHOTOS  # a photo that two cases share is fetched once
    assert all(case.photo for case in load_scin(folder, LABEL_SETS["skin-26"]))


def test_finished_files_are_left_alone_and_what_is_missing_is_fetched(bucket, folder):
    fetch_scin(folder, bucket.base)
    (folder / PHOTO).unlink()
    bucket.asked.clear()
    assert fetch_scin(folder, bucket.base).photos == N_PHOTOS
    assert bucket.asked == [PHOTO]


def test_tables_that_lie_in_the_folder_itself_are_not_fetched_again(bucket, folder):
    draw_scin(folder, tables="", photos=False)
    fetch_scin(folder, bucket.base)
    assert not set(TABLES) & set(bucket.asked)


# What goes wrong on the way, again and again, but fewer times than there are attempts.
PASSING = {
    "busy": ["503", "429", "500"],
    "too slow": ["slow"],
    "connection dropped": ["drop", "drop"],
    "wrong hash": ["lie", "lie"],
    "a page instead": ["page"],
}


@pytest.mark.parametrize("path", [TABLES[0], PHOTO])
@pytest.mark.parametrize("what", PASSING)
def test_what_passes_is_tried_again(bucket, folder, what, path):
    bucket.mischief[path] = list(PASSING[what])
    assert fetch_scin(folder, bucket.base).photos == N_PHOTOS
    assert contents(folder) == contents(bucket.folder)


def test_half_a_photo_is_found_out_without_size_and_hash(bucket, folder):
    bucket.mischief[PHOTO] = ["bare"]
    fetch_scin(folder, bucket.base)
    assert contents(folder) == contents(bucket.folder)


def test_part_of_an_earlier_run_is_written_again(bucket, folder):
    part = folder / f"{PHOTO}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 100)
    fetch_scin(folder, bucket.base)
    assert contents(folder) == contents(bucket.folder)


def test_photo_that_the_bucket_lacks_is_told_at_the_end_and_is_no_failure(bucket, folder, capsys):
    (bucket.folder / PHOTO).unlink()
    assert main(["data", "scin", str(folder), "--from", bucket.base]) == 0
    out = capsys.readouterr().out
    assert f"{N_PHOTOS - 1} photos" in out
    assert f"Not in the bucket (1): {PHOTO}" in out.splitlines()[-1]
    assert bucket.asked.count(PHOTO) == 1


# What goes wrong for good, where, and a word of the sentence.
FAILURES = {
    "busy for good": ({PHOTO: ["503"] * ATTEMPTS}, "503"),
    "forbidden": ({PHOTO: ["403"]}, "403"),
    "wrong hash for good": ({PHOTO: ["lie"] * ATTEMPTS}, "MD5"),
    "no photo": ({PHOTO: ["page"] * ATTEMPTS}, "PNG"),
    "no table": ({TABLES[1]: ["404"]}, "does not exist"),
    "a page for a table": ({TABLES[0]: ["page"] * ATTEMPTS}, "lacks the columns"),
    "table forbidden": ({TABLES[0]: ["403"]}, "403"),
}


@pytest.mark.parametrize("what", FAILURES)
def test_failure_is_one_sentence_and_status_one_and_a_later_run_mends_it(bucket, folder, capsys, what):
    mischief, named = FAILURES[what]
    ((path, _),) = mischief.items()
    bucket.mischief |= mischief
    assert main(["data", "scin", str(folder), "--from", bucket.base]) == 1
    err = capsys.readouterr().err
    (sentence,) = [line for line in err.splitlines() if line.startswith("skin_ai: ")]
    assert named in sentence
    assert path in sentence
    assert "Traceback" not in err
    assert not (folder / path).exists()
    if path == PHOTO:
        assert sum(name.endswith(".png") for name in contents(folder)) == N_PHOTOS - 1
    assert main(["data", "scin", str(folder), "--from", bucket.base]) == 0
    assert contents(folder) == contents(bucket.folder)


def test_many_failures_end_the_run_early(bucket, folder, monkeypatch):
    monkeypatch.setattr(scin_download, "MOST_GIVEN_UP", 2)
    monkeypatch.setattr(scin_download, "CONNECTIONS", 1)
    for path in contents(bucket.folder):
        if path.endswith(".png"):
            bucket.mischief[path] = ["403"]
    with pytest.raises(DownloadError, match="2 photos could not be fetched"):
        fetch_scin(folder, bucket.base)
    assert len(bucket.asked) < len(TABLES) + N_PHOTOS


def test_no_server_and_no_web_address_are_told(folder, capsys):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        assert main(["data", "scin", str(folder), "--from", base]) == 1
    assert "no connection" in capsys.readouterr().err
    assert main(["data", "scin", str(folder), "--from", "file:///etc/"]) == 1
    assert "file:///etc/" in capsys.readouterr().err


def test_spoilt_table_is_named(bucket, folder, capsys):
    draw_scin(folder, photos=False)
    (folder / TABLES[0]).write_text("case_id\n1\n", encoding="utf-8")
    assert main(["data", "scin", str(folder), "--from", bucket.base]) == 1
    assert "lacks the columns" in capsys.readouterr().err
