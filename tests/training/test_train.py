import json
import logging
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from drawn_cases import draw_dataset, mini_rows
from safetensors.torch import load_file, save_file

from skin_ai.bundle import FILES, IMAGE_FILE, LANGUAGE_FILE, MANIFEST, PREDICTIONS_FILE, load_bundle
from skin_ai.diagnose import diagnose
from skin_ai.image_model import Preprocessing
from skin_ai.training import loop
from skin_ai.training.evaluation import MODES, evaluate
from skin_ai.training.image import ImageSettings
from skin_ai.training.language import LanguageSettings
from skin_ai.training.train import Run, train

BACKBONE = "mobilenetv2_050"
# A fold of three photos has no case of some types.
pytestmark = pytest.mark.filterwarnings("ignore:The least populated class", "ignore:Mean of empty slice")


@pytest.fixture(scope="module")
def run(tiny_language_model, tmp_path_factory):
    torch.manual_seed(0)
    weights = tmp_path_factory.mktemp("weights") / "backbone.safetensors"
    save_file(timm.create_model(BACKBONE, num_classes=10).state_dict(), weights)
    image = ImageSettings(
        backbone=BACKBONE, weights=str(weights), frozen=(), preprocessing=Preprocessing(size=64), epochs=2,
        head_epochs=0, batch_size=8, views=2,
    )  # fmt: skip
    language = LanguageSettings(
        base=str(tiny_language_model),
        reading_updates=5,
        reading_batch_size=8,
        epochs=1,
        batch_size=16,
        frozen_layers=1,
    )
    return Run("pad-ufes-20", image, language)


@pytest.fixture(scope="module")
def trained(run, mini_dataset, tmp_path_factory):
    """The bundle of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("trained")
    train(run, {"pad-ufes-20": mini_dataset}, folder / "work", folder / "mini")
    return folder / "mini"


def test_trained_bundle_loads_and_diagnoses(trained, drawn_photo):
    assert {path.name for path in trained.iterdir()} == {*FILES, MANIFEST}
    bundle = load_bundle("mini", trained.parent)
    assert bundle.views == 2
    assert bundle.preprocessing.size == 64
    result = diagnose(drawn_photo, "It itches.", bundle)
    assert sum(item.probability for item in result.answer) == pytest.approx(1, abs=1e-5)
    assert len(result.heatmaps) == 6


def test_predictions_are_kept_for_every_photo_and_mode(trained):
    saved = load_file(trained / PREDICTIONS_FILE)
    assert saved["photo_logits"].shape == (14, 6)
    assert len(set(saved["photos"].tolist())) == 14
    for mode in MODES:
        assert saved[mode].shape == (14, 6)
        assert saved[mode].float().sum(1).numpy() == pytest.approx(np.ones(14), abs=0.01)


def test_manifest_is_json_that_tells_every_setting_and_no_folder(trained, run, mini_dataset):
    text = (trained / MANIFEST).read_text(encoding="utf-8")
    manifest = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert manifest["image_model"]["settings"]["epochs"] == run.image.epochs
    assert manifest["language_model"]["settings"]["schedule"] == list(run.language.schedule)
    assert set(manifest["figures"]["modes"]) == set(MODES)
    for figures in manifest["figures"]["modes"].values():
        assert figures["n"] == 14
    assert "chain_less_control_single_pass" in manifest["figures"]["comparison"]
    assert manifest["data"][0] | {"photos": 14, "rows": 18, "patients": 15} == manifest["data"][0]
    for folder in (str(mini_dataset), run.image.weights, run.language.base):
        assert folder not in text


def test_weights_are_in_half_precision(trained):
    for name in (IMAGE_FILE, LANGUAGE_FILE):
        kinds = {value.dtype for value in load_file(trained / name).values() if value.is_floating_point()}
        assert kinds == {torch.float16}


def test_evaluating_on_training_photos_is_counted_and_warned_of(trained, mini_dataset, caplog):
    with caplog.at_level(logging.WARNING):
        found = evaluate(mini_dataset, "mini", weights=trained.parent)
    assert found["trained_on"] == 14
    assert "14 of 14 photos were in the training" in caplog.text


class Killed(Exception):
    pass


def test_run_that_is_killed_twice_gives_the_same_bundle(run, trained, mini_dataset, tmp_path, monkeypatch):
    original, epochs = loop.set_seed, []

    def set_seed(seed):
        epochs.append(seed)
        if len(epochs) in (4, 18):  # in the middle of the image model's folds, and of the language model's
            raise Killed
        original(seed)

    monkeypatch.setattr(loop, "set_seed", set_seed)
    for _ in range(2):
        with pytest.raises(Killed):
            train(run, {"pad-ufes-20": mini_dataset}, tmp_path / "work", tmp_path / "mini")
        assert not (tmp_path / "mini").exists()
    train(run, {"pad-ufes-20": mini_dataset}, tmp_path / "work", tmp_path / "mini")
    for name in (IMAGE_FILE, LANGUAGE_FILE, PREDICTIONS_FILE):
        one, other = load_file(trained / name), load_file(tmp_path / "mini" / name)
        assert one.keys() == other.keys()
        for key in one:
            assert torch.equal(one[key], other[key]), (name, key)


def test_work_folder_of_other_settings_is_refused(run, trained, mini_dataset, tmp_path):
    work = trained.parent / "work"
    other = replace(run, image=replace(run.image, epochs=3))
    with pytest.raises(ValueError, match=r"settings\.json; choose another work folder"):
        train(other, {"pad-ufes-20": mini_dataset}, work, tmp_path / "out")


def test_work_folder_of_other_cases_is_refused(run, trained, tmp_path):
    rows = mini_rows()
    rows[4]["patient_id"] = rows[3]["patient_id"]
    with pytest.raises(ValueError, match=r"folds\.json; choose another work folder"):
        train(
            run,
            {"pad-ufes-20": draw_dataset(tmp_path / "data", rows)},
            trained.parent / "work",
            tmp_path / "out",
        )
    assert not (tmp_path / "out").exists()
