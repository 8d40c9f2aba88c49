import shutil
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from drawn_cases import MINI_CASES
from safetensors.torch import load_file, save_file

from skin_ai.predict.image_model import Preprocessing
from skin_ai.training import loop
from skin_ai.training.augmentation import Augmentation
from skin_ai.training.image import (
    SQUARE,
    ImageSettings,
    log_prior,
    out_of_fold_logits,
    predict_logits,
    pretrained,
    read_squares,
    train_member,
    train_model,
)

BACKBONE = "mobilenetv2_050"


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """Two epochs of a small backbone that starts from random weights in a file."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / f"{BACKBONE}.safetensors"
    save_file(timm.create_model(BACKBONE, num_classes=10).state_dict(), path)
    return ImageSettings(
        backbone=BACKBONE, weights=str(path), frozen=(), preprocessing=Preprocessing(size=64), epochs=2,
        batch_size=8, members=1, views=2,
    )  # fmt: skip


@pytest.fixture(scope="module")
def squares(mini_dataset):
    paths = sorted((mini_dataset / "images").iterdir(), key=lambda path: int(path.stem.split("_")[2]))
    return read_squares(paths)


@pytest.fixture(scope="module")
def labels(types):
    return np.array([types.index(type_) for type_, _, ending in MINI_CASES if ending])


def same_weights(one, other):
    one, other = one.state_dict(), other.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


class Killed(Exception):
    pass


@pytest.fixture
def kill_at(monkeypatch):
    """Ends the training where an epoch (counted from 0) would begin, as a kill would; None lets it run."""
    original = loop.set_seed

    def kill(epoch):
        def set_seed(seed):
            if epoch is not None and seed % 1000 == epoch:
                raise Killed
            original(seed)

        monkeypatch.setattr(loop, "set_seed", set_seed)

    return kill


def test_photos_are_read_once_as_squares_of_one_size(squares):
    assert len(squares) == 14
    assert {square.shape for square in squares} == {(SQUARE, SQUARE, 3)}


def test_killed_run_goes_on_and_gives_the_same_weights(squares, labels, settings, tmp_path, kill_at):
    whole = train_model(squares, labels, 6, settings, tmp_path / "whole.safetensors")
    done = tmp_path / "killed.safetensors"
    kill_at(1)
    with pytest.raises(Killed):
        train_model(squares, labels, 6, settings, done)
    assert not done.exists()
    kill_at(0)  # the first epoch must not run again
    resumed = train_model(squares, labels, 6, settings, done)
    assert same_weights(whole, resumed)
    assert not list(tmp_path.glob("*.checkpoint"))
    kill_at(1)  # a finished model is read, not trained
    assert same_weights(whole, train_model(squares, labels, 6, settings, done))


def test_model_is_the_mean_of_its_members_and_goes_on_between_them(
    squares, labels, settings, tmp_path, kill_at
):
    two = replace(settings, epochs=1, head_epochs=0, members=2)
    paths = [tmp_path / f"alone{member}.safetensors" for member in range(2)]
    for member, path in enumerate(paths):
        train_member(squares, labels, 6, two, member, path)
    one, other = (load_file(path) for path in paths)
    done = tmp_path / "mean.safetensors"
    shutil.copyfile(paths[0], tmp_path / "mean-member0.safetensors")  # what a killed run had finished
    model = train_model(squares, labels, 6, two, done)
    assert not torch.equal(one["head.weight"], other["head.weight"])
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            assert torch.allclose(value, (one[name] + other[name]) / 2, atol=1e-6), name
    kill_at(0)  # a finished model is read, not trained
    assert same_weights(model, train_model(squares, labels, 6, two, done))
    assert [path.name for path in tmp_path.glob("mean*")] == ["mean.safetensors"]


def test_another_seed_gives_another_model(squares, labels, settings, tmp_path):
    short = replace(settings, epochs=1, head_epochs=0)
    one = train_model(squares, labels, 6, short, tmp_path / "one.safetensors")
    other = train_model(squares, labels, 6, replace(short, seed=7), tmp_path / "other.safetensors")
    assert not same_weights(one, other)


def test_first_epochs_train_the_head_only_and_frozen_modules_stay(squares, labels, settings, tmp_path):
    start = pretrained(settings, 6).backbone
    head_only = replace(settings, epochs=1, head_epochs=1, averaging=0)
    trained = train_model(squares, labels, 6, head_only, tmp_path / "head.safetensors").backbone
    changed = {
        name.split(".")[0]
        for name, value in trained.named_parameters()
        if not torch.equal(value, start.get_parameter(name))
    }
    assert not changed
    frozen = replace(settings, epochs=1, head_epochs=0, averaging=0, frozen=("conv_stem", "bn1", "blocks.0"))
    trained = train_model(squares, labels, 6, frozen, tmp_path / "frozen.safetensors").backbone
    for name, value in start.state_dict().items():
        if name.startswith(("conv_stem.", "bn1.", "blocks.0.")):
            assert torch.equal(value, trained.state_dict()[name]), name
    assert not torch.equal(start.conv_head.weight, trained.conv_head.weight)


def test_out_of_fold_logits_come_from_models_that_did_not_see_the_photo(squares, labels, settings, tmp_path):
    short = replace(settings, epochs=1, head_epochs=0)
    folds = np.arange(len(squares)) % 2
    logits = out_of_fold_logits(lambda: squares, labels, folds, 6, short, tmp_path)
    assert logits.shape == (len(squares), 6)
    for fold in (0, 1):
        train = np.flatnonzero(folds != fold)
        alone = train_model(
            [squares[i] for i in train], labels[train], 6, replace(short, seed=short.seed + fold),
            tmp_path / f"alone{fold}.safetensors",
        )  # fmt: skip
        test = np.flatnonzero(folds == fold)
        expected = predict_logits(alone, [squares[i] for i in test], short)
        assert np.allclose(logits[test], expected, atol=1e-5)


def test_training_learns_what_colour_tells(squares, labels, settings, types, tmp_path):
    # Layer norm: the running statistics of batch norm would need more than a few updates.
    torch.manual_seed(0)
    save_file(
        timm.create_model("convnext_atto", num_classes=0).state_dict(), tmp_path / "weights.safetensors"
    )
    eager = replace(
        settings, backbone="convnext_atto", weights=str(tmp_path / "weights.safetensors"), epochs=12, views=1,
        averaging=0, dropout=0.0, drop_path=0.0, augmentation=Augmentation(0.8, 0, 0, 0),
    )  # fmt: skip
    dark = np.array([types[label] in ("MEL", "NEV") for label in labels]).astype(int)
    model = train_model(squares, dark, 2, eager, tmp_path / "model.safetensors")
    assert (predict_logits(model, squares, eager).argmax(1) == dark).mean() > 0.8


def test_pretraining_is_read_from_the_file_and_must_fit(settings, tmp_path):
    state = load_file(settings.weights)
    model = pretrained(settings, 6)
    assert torch.equal(model.backbone.conv_stem.weight, state["conv_stem.weight"])
    assert model.head.out_features == 6
    del state["conv_stem.weight"]
    save_file(state, tmp_path / "broken.safetensors")
    with pytest.raises(ValueError, match=r"broken\.safetensors does not fit .*conv_stem\.weight"):
        pretrained(replace(settings, weights=str(tmp_path / "broken.safetensors")), 6)


def test_log_prior_is_the_frequency_and_bears_missing_types():
    prior = log_prior(np.array([0, 0, 0, 1]), 3)
    assert prior.exp().tolist() == pytest.approx([3 / 5, 1 / 5, 1 / 5])
    assert torch.isfinite(prior).all()
