"""Memory and open files of the server after many visits: `python -m benchmarks.visits [VISITS]`.

Each visitor gives a photo and words and closes the tab; every tenth one completes a case.
"""

from __future__ import annotations

import sys

import psutil

from benchmarks.machine import machine
from benchmarks.server import started
from benchmarks.visitors import Visitor, wait_until_closed

VISITS, WARMING_UP = 500, 10


def main(visits: int = VISITS) -> None:
    """Prints what the server holds before and after the visits, once their sessions are closed."""
    print(f"machine: {machine()}")
    with started() as (address, process):
        for number in range(WARMING_UP):
            _visit(address, completes_a_case=number == 0)
        wait_until_closed(address)
        print(f"before: {_held(process)}", flush=True)
        for number in range(visits):
            _visit(address, completes_a_case=number % 10 == 0)
        print(f"right after {visits} visits: {_held(process)}", flush=True)
        wait_until_closed(address)
        print(f"after their sessions were closed: {_held(process)}")


def _visit(address: str, *, completes_a_case: bool) -> None:
    visitor = Visitor(address)
    if completes_a_case:
        visitor.one_case()
    else:
        visitor.begin()
    visitor.leave()


def _held(process: psutil.Process) -> str:
    memory = process.memory_info().rss / 1e6
    return f"{process.num_fds()} open files, {process.num_threads()} threads, {memory:.0f} MB"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
