"""From file to figure on photos that the shipped bundle was trained on; asserts no figure."""

import csv
import shutil
from collections import defaultdict

import pytest
from drawn_cases import ROOT

from skin_ai.evaluation.evaluate import evaluate
from skin_ai.evaluation.figures import MODES
from skin_ai.predict.bundle import DEFAULT_BUNDLE

DATA = ROOT.parent / "shared" / "data" / "pad-ufes-20"
PER_TYPE = 10


@pytest.fixture
def sixty_photos(tmp_path, types):
    """Ten rows of each type that have a photo, in a folder of their own."""
    with (DATA / "metadata.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    photos = {path.stem: path for path in (DATA / "images").iterdir()}
    chosen = defaultdict(list)
    for row in rows:
        photo = photos.get(row["img_id"].removesuffix(".png"))
        if photo is not None and len(chosen[row["diagnostic"]]) < PER_TYPE:
            chosen[row["diagnostic"]].append((row, photo))
    assert set(chosen) == set(types)
    (tmp_path / "images").mkdir()
    with (tmp_path / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row, photo in (pair for pairs in chosen.values() for pair in pairs):
            writer.writerow(row)
            shutil.copyfile(photo, tmp_path / "images" / photo.name)
    return tmp_path


@pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is not there")
def test_bundle_recognises_photos_that_it_was_trained_on(sixty_photos, types):
    found = evaluate(sixty_photos, DEFAULT_BUNDLE)
    assert found["trained_on"] == PER_TYPE * len(types)
    for mode in MODES:
        assert found[mode]["n"] == PER_TYPE * len(types)
    # Chance is 1/6; unseen photos give about 0.6 (photo), 0.65 (words) and 0.75 (both).
    for mode, least in (("photo_only", 0.5), ("words_only", 0.4), ("single_pass", 0.5), ("chain", 0.5)):
        assert found[mode]["balanced_accuracy"]["value"] > least, mode
