"""Many hostile photos, decks, exports and narratives: `python -m benchmarks.fuzz`."""

from __future__ import annotations

import argparse
import resource
import time
import traceback
import warnings
from collections import Counter

import psutil

from benchmarks.machine import machine
from tests.hostile_runs import RUNS, TAKEN

TIMES = {"photos": 10_000, "zips": 2_000, "tables": 2_000, "exports": 2_000, "narratives": 5_000}
WARM = 0.1  # of the inputs, before memory is looked at


def main() -> int:
    """Prints how many inputs were refused, the slowest, and the memory; 1 after an unexpected error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the inputs")
    share = parser.parse_args().share
    warnings.simplefilter("ignore")
    process = psutil.Process()
    print(f"machine: {machine()}")
    broken = 0
    for kind, run in RUNS.items():
        times = max(10, round(TIMES[kind] * share))
        outcomes: Counter[str] = Counter()
        slowest, slow, warm = 0.0, 0, 0
        for number in range(times):
            begun = time.perf_counter()
            try:
                outcomes[run(number)] += 1
            except Exception:
                broken += 1
                print(f"{kind} {number}:\n{traceback.format_exc()}")
            seconds = time.perf_counter() - begun
            if seconds > slowest:
                slowest, slow = seconds, number
            if number == int(WARM * times):
                warm = process.memory_info().rss
        grown = (process.memory_info().rss - warm) / 2**20
        refused = times - outcomes.pop(TAKEN, 0)
        print(f"{kind}: {times}, of which {refused} refused, in {len(outcomes)} sentences", flush=True)
        print(f"  slowest {slowest:.2f} s (number {slow}); memory {grown:+.0f} MB after the first {WARM:.0%}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"largest memory at any time: {peak:.0f} MB; {broken} unexpected errors")
    return int(broken > 0)


if __name__ == "__main__":
    raise SystemExit(main())
