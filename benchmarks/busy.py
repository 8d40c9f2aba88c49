"""A diagnosis on a quiet machine and beside four busy processes: `python -m benchmarks.busy`.

For each way in which threads can wait for one another, in a process of its own: OpenMP reads the setting when
torch is imported.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.machine import machine, medians

BUSY = 4
RUNS = 7
POLICIES = ("PASSIVE", "ACTIVE")  # the first is what skin_ai sets
TARGET = 4
SPIN = "while True: pass"


def main() -> None:
    """Prints medians in milliseconds and their ratio."""
    if len(sys.argv) > 1:
        measure()
        return
    print(f"machine: {machine()}; {BUSY} busy processes; medians of {RUNS}; target: at most {TARGET} times")
    for policy in POLICIES:
        print(f"OMP_WAIT_POLICY={policy}", flush=True)
        environment = os.environ | {"OMP_WAIT_POLICY": policy}
        subprocess.run([sys.executable, "-m", "benchmarks.busy", "one"], env=environment, check=True)


def measure() -> None:
    from skin_ai.predict.bundle import load_bundle
    from skin_ai.predict.diagnose import diagnose
    from skin_ai.predict.prepared_photo import prepare
    from skin_ai.views.case.samples import SAMPLES

    bundle, pixels, words = load_bundle(), SAMPLES[0].pixels(), SAMPLES[0].narrative

    def one() -> None:
        diagnose(prepare(pixels), words, bundle)

    one()
    [quiet] = medians([one], RUNS)
    with busy():
        [beside] = medians([one], RUNS)
    print(f"  quiet {quiet:.0f} ms, busy {beside:.0f} ms, ratio {beside / quiet:.1f}")


@contextmanager
def busy() -> Iterator[None]:
    processes = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(BUSY)]
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGKILL)
            process.wait()


if __name__ == "__main__":
    main()
