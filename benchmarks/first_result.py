"""From the start of the server's process to the first result: `python -m benchmarks.first_result`.

A visitor is there as soon as the server answers, gives a photo and words, and commits at once.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.machine import machine
from benchmarks.server import started
from benchmarks.visitors import Visitor

RUNS = 5
TARGET = 8  # seconds


def main() -> None:
    """Prints the median in seconds."""
    print(f"machine: {machine()}")
    with tempfile.TemporaryDirectory() as folder:
        took = [_seconds(Path(folder)) for _ in range(RUNS + 1)][1:]  # the first makes the database
    median = statistics.median(took)
    print(f"from the server's start to the first result: {median:.1f} s (median of {RUNS}; target {TARGET})")


def _seconds(folder: Path) -> float:
    start = time.perf_counter()
    with started(folder) as (address, _):
        visitor = Visitor(address)
        visitor.begin()
        visitor.commit()
        seconds = time.perf_counter() - start
        visitor.leave()
    return seconds


if __name__ == "__main__":
    main()
