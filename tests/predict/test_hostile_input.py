"""A part of what `python -m benchmarks.fuzz` runs at length: crashes, growth and files where none belong."""

import os

import pytest

from tests.hostile_runs import RUNS, TAKEN

TIMES = {"photos": 300, "zips": 150, "tables": 300, "exports": 150, "narratives": 500}


@pytest.mark.filterwarnings("ignore")  # Pillow tells the log that a tag or an animation is broken
@pytest.mark.parametrize("kind", RUNS)
def test_hostile_input_is_taken_or_refused_in_one_sentence(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = {RUNS[kind](number) for number in range(TIMES[kind])}
    assert TAKEN in said and len(said) > 1
    assert not os.listdir(tmp_path)
