"""Saves answers and prints each once it is saved; tests kill it while it runs."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import numpy as np
from sqlalchemy import func, select

from skin_ai.study import flow
from skin_ai.study.flow import Given
from skin_ai.study.store import RANKS, Store, open_store
from skin_ai.study.tables import Answer, Case, Stage

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 0.4  # seconds from the first answer to the kill


@dataclass(frozen=True)
class Found:
    """Numbers of answers: said to be saved, kept, and of these two what must not be."""

    said: int
    kept: int
    lost: int
    half: int


def save_answers(store: Store) -> Iterator[tuple[str, str, str, int]]:
    """Reader, case, stage and confidence of one saved answer after the other, without end."""
    reader = store.add_clinician("nurse", "3-5")
    photo = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    for number in count():
        case_id = uuid.uuid4().hex
        flow.keep_case(store, reader, Case(id=case_id, narrative="It bleeds. " * 90), photo)
        for stage in Stage:
            answer = an_answer(number)
            flow.commit(store, reader, case_id, stage, answer)
            yield reader, case_id, str(stage), answer.confidence


def an_answer(number: int) -> Given:
    """One whose parts belong together, so that half of it is told from all of it."""
    confidence = number % 101
    return Given(
        (f"first of {confidence}", "MEL", f"third of {confidence}"), confidence, f"{confidence} " * 400
    )


def kill_while_saving(url: str, times: int) -> Found:
    """Starts the program and kills it (SIGKILL), `times` times; counts after each what the database holds."""
    said: list[list[str | int]] = []
    lost = half = kept = 0
    moments = random.Random(0)
    for _ in range(times):
        saver = start_saver(url)
        assert saver.stdout is not None
        first = saver.stdout.readline()
        time.sleep(moments.uniform(0, LONGEST))
        saver.kill()
        rest, _ = saver.communicate()
        # A line that the kill cut off has not been read by anybody.
        said += [json.loads(line) for line in (first + rest).splitlines(keepends=True) if line.endswith("\n")]
        kept, lost, half = _count(url, said)
        if lost or half:
            break
    return Found(len(said), kept, lost, half)


def start_saver(url: str, answers: int | None = None) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.study.saver", url, *([] if answers is None else [str(answers)])]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def _count(url: str, said: list[list[str | int]]) -> tuple[int, int, int]:
    """How many answers are kept, lost (said to be saved, and not there) and half."""
    store = open_store(url)
    table = store.answers()
    keys = ["reader", "case", "stage", "confidence"]
    lost = {tuple(one) for one in said} - set(table[keys].itertuples(index=False, name=None))
    found = table[["confidence", "reason", *RANKS]].itertuples(index=False, name=None)
    half = sum(
        Given(tuple(rank for rank in ranks if rank), confidence, reason) != an_answer(confidence)
        for confidence, reason, *ranks in found
    )
    with store.reading() as session:
        # What lacks its reader, case or reading is not in the table.
        kept = session.scalar(select(func.count()).select_from(Answer)) or 0
        if store.engine.dialect.name == "sqlite":
            connection = session.connection()
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalars().all() == ["ok"]
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    store.engine.dispose()
    return kept, len(lost), half + kept - len(table)


def main() -> None:
    url, *answers = sys.argv[1:]
    for saved in islice(save_answers(open_store(url)), int(answers[0]) if answers else None):
        print(json.dumps(saved), flush=True)


if __name__ == "__main__":
    main()
