"""The machine of a benchmark, and how long something took on it."""

import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path


def machine() -> str:
    """The processor's name and the number of its cores."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return f"{name or platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def took(work: Callable[[], object]) -> float:
    """Milliseconds."""
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def medians(works: list[Callable[[], object]], runs: int) -> list[float]:
    """Of the milliseconds of each; in turns, so that a slow moment affects all."""
    rows = [[took(work) for work in works] for _ in range(runs)]
    return [statistics.median(column) for column in zip(*rows, strict=True)]
