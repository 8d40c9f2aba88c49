"""The command line of a study: from a data set to a deck, answers, an export and back."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from drawn_cases import ROOT

from skin_ai.__main__ import main
from skin_ai.study import flow, logins
from skin_ai.study.deck import read_folder
from skin_ai.study.store import open_store
from skin_ai.study.tables import Stage


@pytest.fixture
def deck_folder(mini_dataset: Path, tmp_path: Path) -> Path:
    assert main(["study", "make-deck", str(mini_dataset), "--n", "3", "--out", str(tmp_path / "three")]) == 0
    return tmp_path / "three"


def answer_everything(deck: str) -> None:
    store = open_store()
    reader = store.add_clinician("nurse", "0-2")
    deck_id = next(loaded.id for loaded, _ in store.decks() if loaded.name == deck)
    for case_id, _ in flow.deck_order(store, reader, deck_id):
        flow.open_deck_case(store, reader, case_id)
        for stage in Stage:
            flow.commit(store, reader, case_id, stage, flow.given(["nevus"], 70))


def test_made_deck_says_that_its_cases_are_known_to_the_bundle(deck_folder, capsys):
    assert "better than it is" in read_folder(deck_folder).note


def test_deck_that_the_ai_cannot_judge_is_loaded_only_as_it_is(tmp_path, capsys):
    (tmp_path / "cases.csv").write_text("narrative,reference\nIt itches.,bcell\n", encoding="utf-8")
    assert main(["study", "add-deck", str(tmp_path)]) == 2
    told = capsys.readouterr()
    assert "1 not understood: row 2 'bcell'; did you mean basal cell carcinoma" in told.out
    assert "--as-it-is" in told.err
    assert open_store().decks() == []
    assert main(["study", "add-deck", str(tmp_path), "--as-it-is"]) == 0
    assert len(open_store().decks()) == 1


def test_export_comes_back_into_an_empty_database(deck_folder, tmp_path, monkeypatch):
    assert main(["study", "add-deck", str(deck_folder)]) == 0
    answer_everything("three")
    before = open_store().answers()
    assert len(before) == 6
    assert main(["study", "export", str(tmp_path / "out"), "--deck", "three", "--format", "jsonl"]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"answers.jsonl", "dataset_schema.md"}
    monkeypatch.setenv("SKIN_AI_DATA", str(tmp_path / "elsewhere"))
    assert main(["study", "import", str(tmp_path / "out")]) == 0
    assert before["facts_extracted"].notna().all()
    without_words = before.assign(narrative="", facts_extracted=None, facts_confirmed=None)
    pd.testing.assert_frame_equal(open_store().answers(), without_words)


def test_reader_who_lost_their_browser_gets_a_code(capsys):
    reader = open_store().add_clinician()
    assert main(["study", "new-code", reader]) == 0
    assert logins.reader_with_code(open_store(), capsys.readouterr().out) == reader
    assert main(["study", "new-code", "R-AAAAAAAA"]) != 0
    assert "No reader has this pseudonym" in capsys.readouterr().err


def test_first_command_says_its_own_lines_only(tmp_path):
    """The database is made on the way, of which a library would tell."""
    run = subprocess.run(
        [sys.executable, "-m", "skin_ai", "study", "backup", str(tmp_path / "copy.db")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.count("\n") == 1


def test_backup_is_a_database_to_work_with(deck_folder, tmp_path, monkeypatch):
    main(["study", "add-deck", str(deck_folder)])
    assert main(["study", "backup", str(tmp_path / "copy.db")]) == 0
    monkeypatch.setenv("SKIN_AI_DATABASE_URL", f"sqlite:///{tmp_path / 'copy.db'}")
    assert [(deck.name, size) for deck, size in open_store().decks()] == [("three", 3)]


# What goes wrong, and words that the sentence must have.
ERRORS = {
    "no such folder": (["make-deck", "{folder}/none"], "none"),
    "more cases than patients": (["make-deck", "{dataset}", "--n", "999", "--out", "{folder}/a"], "999"),
    "the same deck twice": (["add-deck", "{deck}"], "three"),
    "no deck": (["add-deck", "{folder}/none"], "none"),
    "a deck that nobody answered": (["export", "{folder}/out", "--deck", "three"], "three"),
    "import of nothing": (["import", "{folder}/none"], "none"),
    "backup over a file": (["backup", "{deck}/cases.csv"], "exists"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error_is_one_sentence_and_status_two(deck_folder, mini_dataset, tmp_path, capsys, name):
    main(["study", "add-deck", str(deck_folder)])
    capsys.readouterr()
    arguments, named = ERRORS[name]
    places = {"folder": tmp_path, "dataset": mini_dataset, "deck": deck_folder}
    assert main(["study", *(argument.format(**places) for argument in arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert named in err
    assert "Traceback" not in err
