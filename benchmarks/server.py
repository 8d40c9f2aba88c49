"""The app's server, started for a benchmark."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
STREAMLIT = ("-m", "streamlit")


@contextmanager
def started(
    script: Path = ROOT / "app.py", data: str = "", streamlit: Sequence[str] = STREAMLIT
) -> Iterator[tuple[str, psutil.Process]]:
    """Address and process of a server that takes connections.

    data: the folder that it keeps everything in, "" for one of its own that is gone afterwards.
    streamlit: what Python is told in order to be Streamlit's command.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, *streamlit, "run", str(script), "--server.port", str(port)],
            cwd=ROOT,
            env=os.environ | {"SKIN_AI_DATA": data or folder},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.02)
            yield f"http://127.0.0.1:{port}", psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait()
