"""The gate separates photos like its training photos from others, and stores no photo."""

from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_cases import COLOURS, draw_lesion
from PIL import Image, ImageDraw
from safetensors.torch import load_file

from skin_ai.evaluation.gate_fitting import distances, features_of, fit_gate
from skin_ai.predict.bundle import DEFAULT_BUNDLE, IMAGE_FILE, WEIGHTS, file_of, read_manifest
from skin_ai.predict.gate import STAGE, Gate, early_features, load_gate, of_stage
from skin_ai.predict.image_model import ImageModel, Preprocessing


def lesion(number: int) -> np.ndarray:
    """One drawn lesion of type number mod 6, with a camera's grain."""
    square = np.asarray(draw_lesion(list(COLOURS)[number % len(COLOURS)], number))[:, 10:310]
    grain = np.random.default_rng(number).normal(0, 4, square.shape)
    return np.clip(square + grain, 0, 255).astype(np.uint8)


def text_page() -> np.ndarray:
    page = Image.new("RGB", (300, 300), "white")
    for y in range(5, 300, 14):
        ImageDraw.Draw(page).text((5, y), "the patient was seen again in spring, no change", fill="black")
    return np.asarray(page)


@pytest.fixture(scope="module")
def model() -> ImageModel:
    """The shipped image model."""
    folder = WEIGHTS / DEFAULT_BUNDLE
    manifest = read_manifest(folder)
    model = ImageModel(manifest["image_model"]["backbone"], len(manifest["types"]))
    model.load_state_dict(load_file(file_of(folder, IMAGE_FILE)))
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def gate(model: ImageModel) -> Gate:
    """Fitted on 60 drawn lesions; the threshold lets 12 others pass."""
    fitted = fit_gate(features_of(model, Preprocessing(), [lesion(number) for number in range(60)]))
    others = features_of(model, Preprocessing(), [lesion(number) for number in range(60, 72)])
    return Gate(fitted.centre, fitted.whitening, 1.5 * float(distances(fitted, others).max()))


FOREIGN = {
    "text page": text_page(),
    "noise": np.random.default_rng(1).integers(0, 256, (300, 300, 3), dtype=np.uint8),
    "plain": np.full((300, 300, 3), (40, 90, 200), dtype=np.uint8),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_photo_is_refused(kind: str, gate: Gate, model: ImageModel) -> None:
    (features,) = early_features(model, Preprocessing()(FOREIGN[kind]))
    assert not gate.is_familiar(features)


def test_photo_like_those_of_the_training_passes(gate: Gate, model: ImageModel) -> None:
    for number in (100, 101, 102):
        (features,) = early_features(model, Preprocessing()(lesion(number)))
        assert gate.is_familiar(features)


def test_saved_gate_gives_the_same_distance_and_holds_no_photo(tmp_path: Path) -> None:
    rows = np.random.default_rng(4).normal(3, 2, (200, 16)).astype(np.float32)
    gate = fit_gate(rows, threshold=2.5)
    gate.save(tmp_path / "gate.safetensors")
    again = load_gate(tmp_path / "gate.safetensors", 2.5)
    assert distances(again, rows).tolist() == distances(gate, rows).tolist()
    assert all(len(rows) not in value.shape for value in load_file(tmp_path / "gate.safetensors").values())


def test_distance_is_about_one_on_the_training_and_grows_away_from_it() -> None:
    rng = np.random.default_rng(5)
    mixing = rng.normal(0, 1, (12, 12))
    rows = (rng.normal(0, 1, (3000, 12)) @ mixing + 7).astype(np.float32)
    gate = fit_gate(rows)
    assert distances(gate, rows).mean() == pytest.approx(1, abs=0.15)  # the shrinkage takes a little
    along = torch.from_numpy((7 + 3 * rng.normal(0, 1, 12) @ mixing).astype(np.float32))
    assert gate.distance(along) > gate.distance((along + 7) / 2) > gate.distance(gate.centre)


def test_early_features_of_the_diagnosis_are_those_that_the_gate_was_fitted_on(bundle):
    inputs = Preprocessing()(FOREIGN[next(iter(FOREIGN))])
    with torch.inference_mode():
        features, early = bundle.image_model.feature_map_and_stage(inputs, 2, STAGE)
        assert torch.equal(of_stage(early), early_features(bundle.image_model, inputs))
        assert torch.equal(features, bundle.image_model.feature_map_of_views(inputs, 2))
