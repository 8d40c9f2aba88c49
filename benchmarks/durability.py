"""Fifty times kill -9 in the middle of saving: `python -m benchmarks.durability`."""

from __future__ import annotations

import os
import sqlite3
import tempfile

from benchmarks.machine import machine
from tests.study.saver import kill_while_saving

KILLS = 50


def main() -> None:
    """Prints how many answers were reported as saved, and how many of these were lost or incomplete."""
    print(f"machine: {machine()}, SQLite {sqlite3.sqlite_version}")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SKIN_AI_DATA"] = folder
        found = kill_while_saving(f"sqlite:///{folder}/study.db", KILLS)
    print(
        f"{KILLS} kills: {found.said} answers reported as saved, {found.lost} lost, {found.half} incomplete"
    )


if __name__ == "__main__":
    main()
