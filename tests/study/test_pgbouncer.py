"""The study works through PgBouncer, which gives each transaction another connection, with its settings."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import pytest
from saver import save_answers
from sqlalchemy import make_url, text

from benchmarks.server import free_port
from skin_ai.study.store import Store, open_store

SERVER = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
SETTINGS = """
[databases]
* = host={host} port={port} user={user} password={password} pool_size=2
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
pool_mode = transaction
auth_type = any
user = postgres
"""


@pytest.fixture
def through_pgbouncer(postgresql: str, tmp_path: Path) -> Iterator[str]:
    if SERVER is None:
        pytest.skip("pgbouncer is missing; .ci/run installs it")
    url, listen = make_url(postgresql), free_port()
    settings = tmp_path / "pgbouncer.ini"
    settings.write_text(
        SETTINGS.format(
            host=url.host, port=url.port or 5432, user=url.username, password=url.password, listen=listen
        )
    )
    process = subprocess.Popen([SERVER, settings], stderr=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", listen)) == 0:
                    break
            time.sleep(0.05)
        yield url.set(host="127.0.0.1", port=listen).render_as_string(hide_password=False)
    finally:
        process.terminate()
        process.wait(20)


def test_eight_writers_share_two_connections(through_pgbouncer: str, tmp_path: Path) -> None:
    def work(_: int) -> Store:
        store = open_store(through_pgbouncer)
        list(islice(save_answers(store), 12))
        return store

    with ThreadPoolExecutor(8) as threads:
        stores = list(threads.map(work, range(8)))
    assert len(stores[0].answers()) == 8 * 12
    stores[0].backup(tmp_path / "copy.db")
    for store in stores:
        store.engine.dispose()


def test_times_are_in_utc_whatever_the_servers_time_zone(postgresql: str, tmp_path: Path) -> None:
    store = open_store(postgresql)
    with store.engine.begin() as connection:
        name = connection.scalar(text("SELECT current_database()"))
        connection.execute(text(f"ALTER DATABASE \"{name}\" SET timezone = 'Asia/Kathmandu'"))
    store.engine.dispose()
    try:
        list(islice(save_answers(store), 2))
        store.backup(tmp_path / "copy.db")
        copy = open_store(f"sqlite:///{tmp_path}/copy.db")
        assert list(copy.answers()["answered_at"]) == list(store.answers()["answered_at"])
    finally:
        with store.engine.begin() as connection:
            connection.execute(text(f'ALTER DATABASE "{name}" RESET timezone'))
        store.engine.dispose()
