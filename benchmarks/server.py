"""Runs the app's server in its own process, for benchmarks and browser tests."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
STREAMLIT = ("-m", "streamlit")
START_SECONDS = 60


@contextmanager
def started(
    folder: Path | None = None,
    script: Path | str = "app.py",
    *,
    environment: Mapping[str, str] | None = None,
    streamlit: Sequence[str] = STREAMLIT,
    port: int = 0,
    root: Path = ROOT,
) -> Iterator[tuple[str, psutil.Process]]:
    """Address and process of a server that answers; raises RuntimeError with its log if it does not start.

    folder: where the app keeps its data and the log is written, None for a temporary one; streamlit: Python's
    arguments that run Streamlit; port: 0 for a free one; root: the working directory.
    """
    port = port or free_port()
    address = f"http://localhost:{port}/{(environment or {}).get('SKIN_AI_BASE_PATH', '')}".rstrip("/")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SKIN_AI_")}
    with tempfile.TemporaryDirectory() as temporary:
        folder = folder or Path(temporary)
        folder.mkdir(exist_ok=True)
        log = folder / "log.txt"
        with log.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, *streamlit, "run", str(script), "--server.port", str(port)],
                cwd=root,
                env=inherited
                | {"SKIN_AI_DATA": str(folder), "STREAMLIT_SERVER_HEADLESS": "true"}
                | dict(environment or {}),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            _wait_for(f"{address}/_stcore/health", process, log)
            yield address, psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(timeout=20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"The server did not start:\n{log.read_text()}")
