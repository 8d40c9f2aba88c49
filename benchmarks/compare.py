"""Compare with 10,000 answers, from the database to the drawn page: `python -m benchmarks.compare`."""

from __future__ import annotations

import os
import tempfile

from streamlit.testing.v1 import AppTest

from benchmarks.machine import machine, medians
from benchmarks.server import ROOT
from skin_ai.study.statistics import by_group, readings, summary, unfinished
from skin_ai.study.store import open_store
from skin_ai.views.session.readers import LET_IN
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
        read, left = readings(answers), unfinished(answers)
        page = AppTest.from_file(str(ROOT / "navigation.py"), default_timeout=120).run()
        page.session_state[LET_IN] = True  # who has not finished a deck is shown no figures of it
        page.switch_page("skin_ai/pages/compare.py").run()
        if page.exception or not page.get("plotly_chart"):
            raise SystemExit("The page was not drawn.")
        works = {
            "from the database": store.answers,
            "readings and summary": lambda: summary(readings(answers), unfinished(answers)),
            "by four groups": lambda: [by_group(read, left, group) for group in GROUPS],
            "the whole page, drawn on the server": page.run,
        }
        print(f"machine: {machine()}")
        print(f"{len(answers):,} answers, {len(read):,} readings by {READERS} readers, medians of {RUNS}")
        for name, median in zip(works, medians(list(works.values()), RUNS), strict=True):
            print(f"{name}: {median:.0f} ms")


if __name__ == "__main__":
    main()
