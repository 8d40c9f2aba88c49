"""Compare with 10,000 answers, from the database to the drawn page: `python -m benchmarks.compare`."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from benchmarks.machine import machine
from benchmarks.server import ROOT
from skin_ai.study.statistics import by_group, readings, summary
from skin_ai.study.store import open_store
from tests.study import made_up_study

READERS, CASES = 51, 100
RUNS = 5
GROUPS = ("fitzpatrick", "truth", "role", "years_of_practice")


def main() -> None:
    """Prints the medians in milliseconds of each part and of the whole page."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SKIN_AI_DATA"] = folder
        store = open_store()
        store.add_answers(made_up_study.answers(READERS, CASES, seed=0))
        answers = store.answers()
        read = readings(answers)
        print(f"machine: {machine()}")
        print(f"{len(answers):,} answers, {len(read):,} readings by {READERS} readers, SQLite")
        print(f"from the database: {_median(store.answers)} ms (median of {RUNS})")
        print(f"readings and summary: {_median(lambda: summary(readings(answers)))} ms")
        print(f"by four groups: {_median(lambda: [by_group(read, group) for group in GROUPS])} ms")
        page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
        page.switch_page("skin_ai/pages/compare.py").run()
        if page.exception or not page.get("plotly_chart"):
            raise SystemExit("The page was not drawn.")
        print(f"the whole page, drawn on the server: {_median(page.run)} ms")


def _median(work: Callable[[], object]) -> str:
    took = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        took.append(1000 * (time.perf_counter() - start))
    return f"{statistics.median(took):.0f}"


if __name__ == "__main__":
    main()
