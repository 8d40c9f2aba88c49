"""Time to the first page after the server starts, against an empty app: `python -m benchmarks.first_page`."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import sync_playwright

from benchmarks.machine import machine
from benchmarks.server import ROOT, STREAMLIT, started

RUNS = 7
BROWSER = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
EMPTY = "import streamlit as st\nst.write('empty')\n"
NOTICE, LAST = "Research software", "Keep for later"
# Streamlit without uvloop.
PLAIN = ("-c", "import sys; sys.modules['uvloop'] = None; from streamlit.web.cli import main; main()")


def main() -> None:
    """Prints medians of seconds from the start of the process, and their ratio to those of an empty app."""
    print(f"machine: {machine()}")
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.py"
        empty.write_text(EMPTY)
        data = Path(folder) / "data"
        _seconds(ROOT / "app.py", [LAST], data)  # makes the database
        runs = [
            (
                *_seconds(empty, ["empty"], data, PLAIN),
                *_seconds(empty, ["empty"], data),
                *_seconds(ROOT / "app.py", [NOTICE, LAST], data),
            )
            for _ in range(RUNS)
        ]
    plain, of_empty, notice, last = (statistics.median(column) for column in zip(*runs, strict=True))
    print(f"an empty app: {plain:.2f} s, with uvloop {of_empty:.2f} s (medians of {RUNS}, taken in turns)")
    for name, seconds in (("first words", notice), ("last button", last)):
        print(f"ours, its {name}: {seconds:.2f} s, {seconds / plain:.2f} and {seconds / of_empty:.2f} times")


def _seconds(script: Path, texts: list[str], data: Path, streamlit: Sequence[str] = STREAMLIT) -> list[float]:
    """Seconds from the start of the server's process to each of the texts in a fresh browser."""
    found = []
    with sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=BROWSER).new_page()
        start = time.perf_counter()
        with started(data, script, streamlit=streamlit) as (address, _):
            page.goto(address)
            for text in texts:
                page.get_by_text(text).first.wait_for(timeout=60_000)
                found.append(time.perf_counter() - start)
    return found


if __name__ == "__main__":
    main()
