import argparse
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from drawn_cases import ROOT, draw_dataset, mini_rows
from PIL import Image

from skin_ai.__main__ import main
from skin_ai.commands import train
from skin_ai.predict.bundle import DEFAULT_BUNDLE, LANGUAGE_BASE_FILE, SHARED, WEIGHTS
from skin_ai.predict.chain import OWN_POOLING, WORDS_POOLING
from skin_ai.predict.narrative import NARRATIVE_LIMIT
from skin_ai.predict.stability import OPTIONS_REVERSED, in_words
from skin_ai.study.store import open_store

WORDS = "I am 67. It is on my nose, it bleeds and it has grown."
MODES = ("photo_only", "photo_no_words", "words_only", "single_pass", "chain")
FIGURES = ("balanced_accuracy", "accuracy", "macro_auc", "top3", "ece")


@pytest.fixture(scope="module")
def photo_file(drawn_photo, tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "photo.jpg"
    path.write_bytes(drawn_photo)
    return path


def test_json_is_all_that_a_process_writes_to_standard_output(photo_file):
    run = subprocess.run(
        [sys.executable, "-m", "skin_ai", "diagnose", str(photo_file), "--narrative", WORDS, "--json"],
        cwd=ROOT, capture_output=True, text=True, timeout=300, env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert run.stdout.count("\n") == 1
    assert set(found) == {
        "bundle", "recommendations", "chain", "answer", "single_pass", "undecided", "unstable", "matters",
        "words_read", "flags", "timings_ms",
    }  # fmt: skip
    assert len(found["answer"]) == len(found["recommendations"]) == 6
    assert found["chain"][0]["step"] == 1


@pytest.mark.parametrize(("photo", "words"), [(True, ""), (False, WORDS)])
def test_one_input_is_enough(photo_file, capsys, photo, words):
    arguments = ["diagnose", *([str(photo_file)] if photo else []), "--narrative", words, "--json"]
    assert main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert bool(found["recommendations"]) == photo


def test_text_tells_answer_steps_and_flags(photo_file, capsys):
    assert main(["diagnose", str(photo_file)]) == 0
    out = capsys.readouterr().out
    for part in ("Recommendations", "Answer", "Step 1: 6 options", "melanoma", "No words were given"):
        assert part in out


@pytest.mark.parametrize("is_sure", [True, False])
def test_text_tells_what_is_left_where_the_answer_is_not_sure(
    photo_file, bundle, monkeypatch, capsys, is_sure
):
    changed = replace(bundle, least_probability=0.0 if is_sure else 1.01)
    monkeypatch.setattr("skin_ai.predict.bundle.load_bundle", lambda name: changed)
    assert main(["diagnose", str(photo_file), "--narrative", WORDS]) == 0
    left = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Not sure: ")]
    if is_sure:
        assert left == []
    else:
        (line,) = left
        assert line.endswith(" are left")
        assert line.count(", ") >= 1


def test_text_tells_what_would_change_the_answer(photo_file, monkeypatch, capsys):
    monkeypatch.setattr("skin_ai.predict.diagnose.unstable", lambda *_: {OPTIONS_REVERSED: "NEV"})
    assert main(["diagnose", str(photo_file), "--narrative", WORDS]) == 0
    assert in_words(OPTIONS_REVERSED, "NEV", WORDS) in capsys.readouterr().out.splitlines()


def test_heatmap_is_written_as_a_picture(photo_file, tmp_path, capsys):
    target = tmp_path / "heatmap.png"
    arguments = ["diagnose", str(photo_file), "--narrative", WORDS, "--heatmap", str(target), "--json"]
    assert main(arguments) == 0
    json.loads(capsys.readouterr().out)
    with Image.open(target) as picture:
        assert picture.format == "PNG"
        assert picture.width == picture.height
        assert len(picture.getcolors(maxcolors=10**7)) > 100


def damaged_photo(folder):
    path = folder / "photo.jpg"
    path.write_bytes(b"\xff\xd8\xff nothing more")
    return path


# What goes wrong, and a word that the sentence must have; {photo}, {damaged} and {folder} are filled in.
ERRORS = {
    "nothing given": (["diagnose"], "photo"),
    "damaged photo": (["diagnose", "{damaged}"], "photo"),
    "no such photo": (["diagnose", "{folder}/none.jpg"], "none.jpg"),
    "over-long narrative": (["diagnose", "--narrative", "a" * (NARRATIVE_LIMIT + 1)], "1,500"),
    "no such bundle": (["diagnose", "--narrative", WORDS, "--bundle", "no-such"], "there are: pad-ufes-20"),
    "crop without a photo": (["diagnose", "--narrative", WORDS, "--crop", "0.5", "0.5", "0.5"], "photo"),
    "crop outside the photo": (["diagnose", "{photo}", "--crop", "2", "0.5", "0.5"], "crop"),
    "heatmap without a photo": (["diagnose", "--narrative", WORDS, "--heatmap", "{folder}/h.png"], "photo"),
    "a text and a file of texts": (["extract", WORDS, "--lines", "{folder}/lines.txt"], "either"),
    "no such file of texts": (["extract", "--lines", "{folder}/lines.txt"], "lines.txt does not exist."),
    "texts that are not UTF-8": (["extract", "--lines", "{damaged}"], "UTF-8"),
    "no case to evaluate": (["evaluate", "{folder}", "--limit", "0"], "--limit must be at least 1"),
    "evaluate an empty folder": (["evaluate", "{folder}"], "metadata.csv"),
    "evaluate with no such bundle": (["evaluate", "{folder}", "--bundle", "no-such"], "no-such"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error_is_one_sentence_and_status_two(photo_file, tmp_path, capsys, name):
    arguments, named = ERRORS[name]
    places = {"photo": photo_file, "damaged": damaged_photo(tmp_path), "folder": tmp_path}
    assert main([argument.format(**places) for argument in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (sentence,) = [line for line in err.splitlines() if line.startswith("skin_ai: ")]
    assert named in sentence
    assert "Traceback" not in err


def test_evaluate_prints_every_figure_with_its_interval(tmp_path, capsys):
    folder = draw_dataset(tmp_path)
    assert {path.suffix for path in (folder / "images").iterdir()} == {".jpg", ".png"}
    assert main(["evaluate", str(folder), "--json"]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    found = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    types = found["types"]
    for mode in MODES:
        figures = found[mode]
        assert figures["n"] == 14
        for name in FIGURES:
            assert set(figures[name]) == {"value", "low", "high"}
            assert 0 <= figures[name]["low"] <= figures[name]["high"] <= 1
            assert 0 <= figures[name]["value"] <= 1
        assert set(figures["recall"]) == set(types)
        confusion = figures["confusion"]
        assert [len(confusion), *map(len, confusion)] == [len(types)] * (len(types) + 1)
        assert [sum(row) for row in confusion] == [
            sum(row["diagnostic"] == type_ for row in mini_rows()[:14]) for type_ in types
        ]
    assert found["trained_on"] == 0


def test_evaluate_with_narratives_of_a_file_prints_every_mode(tmp_path, capsys):
    folder, row = draw_dataset(tmp_path), mini_rows()[0]
    file = tmp_path / "narratives.csv"
    file.write_text(
        f"patient_id,lesion_id,text\n{row['patient_id']},{row['lesion_id']},It bleeds.\n", encoding="utf-8"
    )
    assert main(["evaluate", str(folder), "--narratives", str(file)]) == 0
    protocol, *lines = capsys.readouterr().out.splitlines()
    assert "narratives of a file" in protocol
    assert [line.split()[0] for line in lines if "(n = " in line] == list(MODES)


def test_evaluate_reads_stories_of_a_file(tmp_path, capsys):
    file = tmp_path / "stories.csv"
    file.write_text(
        "type,story\nBCC,A sore on my nose that bleeds.\nMEL,My mole grew and itches.\n", encoding="utf-8"
    )
    assert main(["evaluate", "--stories", str(file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    stories = found["stories"]
    assert stories["n"] == 2
    for name in ("top1", "top3", "balanced_accuracy", "ece"):
        assert set(stories[name]) == {"value", "low", "high"}
    assert main(["evaluate", "--stories", str(file)]) == 0
    assert "stories (n = 2)" in capsys.readouterr().out
    file.write_text("type,story\nBCC,It bleeds.\nXYZ,It itches.\n", encoding="utf-8")
    assert main(["evaluate", "--stories", str(file)]) == 2
    assert "row 3" in capsys.readouterr().err


def test_evaluate_names_the_row_that_is_wrong(tmp_path, capsys):
    rows = mini_rows()
    rows[2]["diagnostic"] = "XYZ"
    assert main(["evaluate", str(draw_dataset(tmp_path, rows)), "--json"]) == 2
    assert "row 4" in capsys.readouterr().err


def test_check_tells_the_bundle_and_ends_with_a_verdict(capsys):
    status = main(["check"])
    lines = capsys.readouterr().out.splitlines()
    assert any("pad-ufes-20" in line and "every checksum right" in line for line in lines)
    assert (lines[-1] == "all is well") == (status == 0)


def test_check_tells_what_is_wrong_with_what_is_kept(tmp_path, monkeypatch, capsys):
    data = tmp_path / "data"
    monkeypatch.setenv("SKIN_AI_DATA", str(data))
    monkeypatch.delenv("SKIN_AI_DATABASE_URL", raising=False)
    status = main(["check"])
    assert "database: none yet" in capsys.readouterr().out
    assert not data.exists()
    open_store().engine.dispose()
    assert main(["check"]) == status
    said = capsys.readouterr().out
    assert "database: sqlite, up to date" in said
    assert f"data folder: {data}, " in said
    assert "chmod" not in said
    data.chmod(0o755)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 99, 1))
    (data / "study.db").write_bytes(b"no database at all, but long enough to be taken for one")
    assert main(["check"]) == 1
    said = capsys.readouterr().out
    assert f"run chmod 700 {data}" in said
    assert "nearly full" in said
    assert "The database cannot be opened" in said
    assert said.splitlines()[-1].endswith("found wrong")
    for folder in (data / "study.db", data / "study.db" / "x"):
        monkeypatch.setenv("SKIN_AI_DATA", str(folder))
        assert main(["check"]) == 1
        assert f"{folder} cannot be used: {data / 'study.db'} is not a folder" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("image.epochs=many", "JSON"),
        ('image.epochs="3"', "int"),
        ("image.nothing=3", "nothing"),
        ("nothing=3", "nothing"),
    ],
)
def test_setting_that_does_not_fit_is_named(mini_dataset, tmp_path, capsys, setting, named):
    arguments = [
        "train",
        "--dataset",
        f"pad-ufes-20={mini_dataset}",
        "--llm",
        "x",
        "--work",
        str(tmp_path),
        "--out",
        str(tmp_path),
    ]
    assert main([*arguments, "--set", setting]) == 2
    assert named in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "pooling", "lower_layers_from", "learning_rate"),
    [
        ([], WORDS_POOLING, str(WEIGHTS / SHARED / LANGUAGE_BASE_FILE), 1e-4),
        (["language.learning_rate=1e-3", "language.lora_rank=16"], OWN_POOLING, "", 1e-3),
    ],
)
def test_adapters_bring_the_settings_of_a_decoder(settings, pooling, lower_layers_from, learning_rate):
    parser = argparse.ArgumentParser()
    train.add_parser(parser.add_subparsers())
    start = str(WEIGHTS / DEFAULT_BUNDLE)
    arguments = ["--dataset", "pad-ufes-20=x", "--llm", "x", "--work", "x", "--try-fold", "0"]
    given = [text for setting in settings for text in ("--set", setting)]
    language = train.settings_of(
        parser.parse_args(["train", *arguments, "--start-from", start, *given])
    ).language
    assert (language.pooling, language.lower_layers_from) == (pooling, lower_layers_from)
    assert language.learning_rate == learning_rate


@pytest.mark.parametrize("lines", [False, True])
def test_extract_prints_every_fact_with_probability_and_span(capsys, tmp_path, lines):
    text = "I am 62. It is on my nose. It itches."
    path = tmp_path / "texts.txt"
    path.write_text(f"{text}\nEs juckt und blutet, auf der Nase.\n", encoding="utf-8")
    assert main(["extract", *(["--lines", str(path)] if lines else [text]), "--json"]) == 0
    first, *others = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert first["language"] == "en"
    facts = first["facts"]
    assert (facts["itch"]["answer"], facts["site"]["answer"], facts["age"]["answer"]) == ("yes", "NOSE", 62)
    for fact in ("itch", "site", "age"):
        start, end = facts[fact]["span"]
        assert 0 <= start < end <= len(text)
        assert 0 < facts[fact]["probability"] <= 1
    assert facts["bleed"] == {"answer": "unsaid", "probability": facts["bleed"]["probability"], "span": None}
    assert [found["language"] for found in others] == ["de"] * lines


def test_extract_needs_one_source_of_text(capsys):
    assert main(["extract"]) == 2
    assert "--lines" in capsys.readouterr().err
