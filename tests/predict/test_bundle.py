import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score

from skin_ai.diseases import DISEASES
from skin_ai.predict.bundle import (
    DEFAULT_BUNDLE,
    EXTRACTION,
    EXTRACTION_FILE,
    EXTRACTION_MANIFEST,
    FILES,
    FORMAT,
    GATE_FILE,
    IMAGE_FILE,
    LANGUAGE_BASE_FILE,
    LANGUAGE_FILE,
    MANIFEST,
    PREDICTIONS_FILE,
    SHARED,
    TOKENIZER_FILES,
    WEIGHTS,
    WORD_PRIOR_FILE,
    BundleError,
    bundle_names,
    file_of,
    load_bundle,
    load_extraction,
    read_manifest,
    sha256,
    write_manifest,
)

SHIPPED = WEIGHTS / DEFAULT_BUNDLE
LARGEST = 90e6  # bytes, all bundles and the extraction together
SHIPPED_FILES = (*FILES, WORD_PRIOR_FILE)
NOT_SHARED = (LANGUAGE_FILE, PREDICTIONS_FILE, WORD_PRIOR_FILE)
EVERY_MODE = ("photo_only", "words_only", "single_pass", "chain")


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A folder with the shipped files as links, but a manifest of its own."""
    folder = tmp_path / "copied"
    folder.mkdir()
    for name in SHIPPED_FILES:
        (folder / name).symlink_to(file_of(SHIPPED, name))
    shutil.copyfile(SHIPPED / MANIFEST, folder / MANIFEST)
    return folder


@pytest.fixture
def sharing(copied: Path) -> Path:
    """The same with those that bundles share in the folder beside it."""
    shared = copied.parent / SHARED
    shared.mkdir()
    for name in SHIPPED_FILES:
        if name not in NOT_SHARED:
            (copied / name).rename(shared / name)
    return copied


def flip_a_bit(path: Path) -> None:
    """In a copy that takes the link's place."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink()
    path.write_bytes(data)


def load_error(folder: Path) -> str:
    with pytest.raises(BundleError) as found:
        load_bundle(folder.name, folder.parent)
    return str(found.value)


# ---- what loads ----


def test_shipped_bundle_is_the_default_and_loads_ready_to_be_asked(bundle):
    assert bundle_names()[0] == bundle.name == DEFAULT_BUNDLE
    assert set(bundle.types) <= set(DISEASES)
    for model in (bundle.image_model, bundle.language_model):
        assert not any(module.training for module in model.modules())
        assert not any(parameter.requires_grad for parameter in model.parameters())


def test_unchanged_copy_loads_from_another_folder(copied, bundle):
    found = load_bundle(copied.name, copied.parent)
    assert found.name == "copied"
    assert found.schedule == bundle.schedule


def test_files_damaged_after_loading_change_nothing(copied):
    for path in copied.iterdir():
        data = path.read_bytes()
        path.unlink()  # a link, as a rule
        path.write_bytes(data)
    loaded = load_bundle(copied.name, copied.parent)

    def numbers() -> list[torch.Tensor]:
        models = (loaded.image_model, loaded.language_model)
        found = [value for model in models for value in model.state_dict().values()]
        return [value.clone() for value in (*found, loaded.gate.centre, loaded.gate.whitening)]

    before = numbers()
    for path in copied.iterdir():
        with path.open("r+b") as file:  # in place, as a failing disk does it
            file.write(bytes(path.stat().st_size))
    assert all(map(torch.equal, before, numbers()))


def test_image_model_knows_every_type_where_the_manifest_says_nothing_else(bundle):
    assert "types" not in bundle.manifest["image_model"]
    assert bundle.image_types == bundle.types


def test_image_model_may_know_fewer_types_than_the_language_model(bundle_of_26, bundle):
    assert bundle_of_26.image_types == bundle.types
    assert len(bundle_of_26.types) == 26
    assert bundle_of_26.image_model.head.out_features == 6


def test_limits_are_those_of_the_manifest(copied):
    manifest = read_manifest(copied)
    manifest["image_model"]["gate_threshold"] = 2
    manifest |= {"quality_limits": {"dark": 30}, "least_probability": 0.25}
    write_manifest(copied, manifest)
    found = load_bundle(copied.name, copied.parent)
    assert found.gate.threshold == 2.0
    assert found.quality_limits == {"dark": 30.0}
    assert found.least_probability == 0.25


# ---- what bundles share ----


@pytest.mark.parametrize("name", SHIPPED_FILES)
def test_file_is_looked_for_in_the_own_folder_and_then_in_shared(sharing, name):
    shared = sharing.parent / SHARED / name
    assert file_of(sharing, name) == (sharing / name if name in NOT_SHARED else shared)
    shared.unlink(missing_ok=True)
    assert file_of(sharing, name) == sharing / name


def test_own_file_goes_before_the_shared_one(sharing):
    (sharing / IMAGE_FILE).write_bytes(b"own")
    assert file_of(sharing, IMAGE_FILE) == sharing / IMAGE_FILE
    assert str(sharing / IMAGE_FILE) in load_error(sharing)


def test_tokenizer_is_read_from_one_folder(sharing):
    shutil.copyfile(sharing.parent / SHARED / TOKENIZER_FILES[0], sharing / TOKENIZER_FILES[0])
    assert {file_of(sharing, name).parent for name in TOKENIZER_FILES} == {sharing}
    assert str(sharing / TOKENIZER_FILES[1]) in load_error(sharing)


def test_bundle_that_shares_loads_and_says_the_same(sharing, bundle):
    found = load_bundle(sharing.name, sharing.parent)
    for one, other in (
        (found.image_model, bundle.image_model),
        (found.language_model, bundle.language_model),
    ):
        one, other = one.state_dict(), other.state_dict()
        assert one.keys() == other.keys()
        assert all(one[key].equal(other[key]) for key in one)


def test_writing_the_manifest_deletes_what_stands_in_shared_as_well(sharing):
    shared = sharing.parent / SHARED
    for name in SHIPPED_FILES:
        if name not in NOT_SHARED:
            (sharing / name).symlink_to(file_of(SHIPPED, name))
    write_manifest(sharing, read_manifest(sharing))
    assert {path.name for path in sharing.iterdir()} == {*NOT_SHARED, MANIFEST}
    assert {path.name for path in shared.iterdir()} == set(FILES) - set(NOT_SHARED)
    assert read_manifest(sharing)["files"] == {name: sha256(file_of(SHIPPED, name)) for name in SHIPPED_FILES}
    load_bundle(sharing.name, sharing.parent)


def test_writing_the_manifest_keeps_what_differs_from_shared_and_the_tokenizer_whole(sharing):
    for name in (IMAGE_FILE, *TOKENIZER_FILES):
        shutil.copyfile(file_of(SHIPPED, name), sharing / name)
    flip_a_bit(sharing / IMAGE_FILE)
    flip_a_bit(sharing / TOKENIZER_FILES[0])
    write_manifest(sharing, read_manifest(sharing))
    kept = {IMAGE_FILE, *TOKENIZER_FILES, *NOT_SHARED, MANIFEST}
    assert {path.name for path in sharing.iterdir()} == kept
    assert read_manifest(sharing)["files"][IMAGE_FILE] == sha256(sharing / IMAGE_FILE)


def test_no_bundle_is_named_as_what_bundles_share(sharing):
    with pytest.raises(BundleError, match="another name"):
        write_manifest(sharing.parent / SHARED, read_manifest(sharing))
    assert SHARED not in bundle_names()


# ---- what does not load ----


@pytest.mark.parametrize("name", (*SHIPPED_FILES, MANIFEST))
def test_missing_file_is_named(copied, name):
    (copied / name).unlink()
    assert str(copied / name) in load_error(copied)


@pytest.mark.parametrize("name", SHIPPED_FILES)
def test_one_flipped_bit_is_found_and_the_file_named(copied, name):
    flip_a_bit(copied / name)
    assert str(copied / name) in load_error(copied)


@pytest.mark.parametrize("name", [name for name in SHIPPED_FILES if name not in NOT_SHARED])
def test_one_flipped_bit_of_a_shared_file_is_found_and_the_file_named(sharing, name):
    path = sharing.parent / SHARED / name
    flip_a_bit(path)
    assert str(path) in load_error(sharing)


def test_cut_file_is_found_and_named(copied):
    data = (copied / IMAGE_FILE).read_bytes()
    (copied / IMAGE_FILE).unlink()
    (copied / IMAGE_FILE).write_bytes(data[:-100])
    assert str(copied / IMAGE_FILE) in load_error(copied)


@pytest.mark.parametrize("text", ("", "{", "[1]", "null", '{"format": 0}', "\x00\xff"))
def test_manifest_that_is_none_is_named(copied, text):
    (copied / MANIFEST).write_text(text, encoding="latin-1")
    assert str(copied / MANIFEST) in load_error(copied)


Change = Callable[[dict], object]
# What is changed in the manifest, the change, and the file that the error must name.
MISMATCHES: dict[str, tuple[Change, str]] = {
    "other format": (lambda m: m.update(format=FORMAT + 1), MANIFEST),
    "other backbone": (lambda m: m["image_model"].update(backbone="mobilenetv2_100"), IMAGE_FILE),
    "unknown backbone": (lambda m: m["image_model"].update(backbone="no_such_network"), IMAGE_FILE),
    "other prompts": (lambda m: m["language_model"].update(prompts=["a", "b", "c"]), MANIFEST),
    "unknown pooling": (lambda m: m["language_model"].update(pooling="median"), LANGUAGE_FILE),
    "type too many": (lambda m: m["types"].append("ACNE"), MANIFEST),
    "image model of an unknown type": (
        lambda m: m["image_model"].update(types=[*m["types"][:5], "ACNE"]),
        MANIFEST,
    ),
    "image model of no type": (lambda m: m["image_model"].update(types=[]), MANIFEST),
    "image model's types in another order": (
        lambda m: m["image_model"].update(types=m["types"][::-1]),
        MANIFEST,
    ),
    "image model's types no list": (lambda m: m["image_model"].update(types=6), MANIFEST),
    "image model of fewer types": (lambda m: m["image_model"].update(types=m["types"][:3]), IMAGE_FILE),
    "gate's threshold no number": (lambda m: m["image_model"].update(gate_threshold="far"), MANIFEST),
    "no threshold of the gate": (lambda m: m["image_model"].pop("gate_threshold"), MANIFEST),
    "no checksum of the gate": (lambda m: m["files"].pop(GATE_FILE), MANIFEST),
    "quality's limit no number": (lambda m: m["quality_limits"].update(dark="night"), MANIFEST),
    "quality's limits no table": (lambda m: m.update(quality_limits=[20.0]), MANIFEST),
    "no limits of quality": (lambda m: m.pop("quality_limits"), MANIFEST),
    "least probability no number": (lambda m: m.update(least_probability=None), MANIFEST),
    "no least probability": (lambda m: m.pop("least_probability"), MANIFEST),
    "no checksum of the language model's base": (lambda m: m["files"].pop(LANGUAGE_BASE_FILE), MANIFEST),
    "schedule too short": (lambda m: m["language_model"].update(schedule=[6, 3]), MANIFEST),
    "schedule that rises": (lambda m: m["language_model"].update(schedule=[6, 2, 3, 1]), MANIFEST),
    "empty schedule": (lambda m: m["language_model"].update(schedule=[], temperatures=[]), MANIFEST),
    "temperature too few": (lambda m: m["language_model"]["temperatures"].pop(), MANIFEST),
    "unknown preprocessing": (lambda m: m["image_model"]["preprocessing"].update(hue=1), MANIFEST),
    "types no list": (lambda m: m.update(types=6), MANIFEST),
    "no types": (lambda m: m.pop("types"), MANIFEST),
    "no image model": (lambda m: m.pop("image_model"), MANIFEST),
    "no schedule": (lambda m: m["language_model"].pop("schedule"), MANIFEST),
    "no photo temperature": (lambda m: m["image_model"].pop("temperature"), MANIFEST),
    "no checksums": (lambda m: m.pop("files"), MANIFEST),
    "no checksum of the predictions": (lambda m: m["files"].pop(PREDICTIONS_FILE), MANIFEST),
    "swapped checksums": (
        lambda m: m["files"].update({IMAGE_FILE: m["files"][LANGUAGE_FILE]}),
        IMAGE_FILE,
    ),
}


@pytest.mark.parametrize("name", MISMATCHES)
def test_mismatched_manifest_names_the_file_in_one_short_line(copied, name):
    change, named = MISMATCHES[name]
    manifest = json.loads((SHIPPED / MANIFEST).read_text(encoding="utf-8"))
    change(manifest)
    (copied / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    message = load_error(copied)
    assert str(copied / named) in message
    assert "\n" not in message
    assert len(message) < 500


def test_weights_of_another_label_set_do_not_fit(copied):
    manifest = json.loads((SHIPPED / MANIFEST).read_text(encoding="utf-8"))
    manifest["types"] = manifest["types"][:3]
    manifest["language_model"] |= {"schedule": [3, 2, 1], "temperatures": [1.0, 1.0]}
    (copied / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    assert str(copied / IMAGE_FILE) in load_error(copied)


# ---- what is in weights/ ----


def bundle_folders() -> list[Path]:
    return [WEIGHTS / name for name in bundle_names()]


def test_nothing_in_weights_is_pickled():
    for path in WEIGHTS.rglob("*"):
        if path.is_file():
            assert path.suffix in (".json", ".safetensors"), path
            # A zip starts with PK, a bare pickle of protocol 2 or later with 0x80; safetensors with a length.
            assert not path.read_bytes()[:2].startswith((b"PK", b"\x80\x02", b"\x80\x04")), path


def test_bundles_are_small_and_every_file_is_used_and_stands_once():
    found = [path for path in WEIGHTS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in found) < LARGEST
    used = {
        file_of(folder, name)
        for folder in bundle_folders()
        for name in (*read_manifest(folder)["files"], MANIFEST)
    }
    used |= {WEIGHTS / EXTRACTION / name for name in (EXTRACTION_FILE, EXTRACTION_MANIFEST)}
    assert set(found) == used
    assert len({sha256(path) for path in found}) == len(found)


@pytest.mark.parametrize("folder", bundle_folders(), ids=lambda folder: folder.name)
def test_manifest_says_what_a_reader_must_know(folder):
    manifest = read_manifest(folder)
    for entry in ("name", "types", "prior", "figures", "data", "starting_weights", "code_version"):
        assert manifest.get(entry), entry
    for data in manifest["data"]:
        assert data["name"]
        assert data["licence"]
    assert manifest["name"] == folder.name
    assert sum(manifest["prior"].values()) == pytest.approx(1, abs=1e-3)
    assert "patient" in manifest["figures"]["protocol"]
    text = (folder / MANIFEST).read_text(encoding="utf-8")
    assert "NaN" not in text
    assert "/root" not in text


@pytest.fixture(scope="module", params=bundle_folders(), ids=lambda folder: folder.name)
def out_of_fold(request):
    """The manifest and the out-of-fold predictions of a bundle."""
    return read_manifest(request.param), load_file(request.param / PREDICTIONS_FILE)


def test_no_patient_is_in_two_folds(out_of_fold):
    _, saved = out_of_fold
    assert set(saved["folds"].tolist()) == set(range(5))
    fold_of = {}
    for patient, fold in zip(saved["patients"].tolist(), saved["folds"].tolist(), strict=True):
        assert fold_of.setdefault(patient, fold) == fold


@pytest.mark.parametrize("mode", EVERY_MODE)
def test_figures_of_the_manifest_are_those_of_the_saved_predictions(out_of_fold, mode):
    manifest, saved = out_of_fold
    figures = manifest["figures"]["modes"][mode]
    truth, scores = saved["truth"], saved[mode].astype(float)
    scores = scores / scores.sum(1, keepdims=True)
    prior = np.array([manifest["prior"][type_] for type_ in manifest["types"]])
    with_prior = (scores * prior).argmax(1)
    aucs = [roc_auc_score(truth == k, scores[:, k]) for k in np.unique(truth)]
    recomputed = {
        "balanced_accuracy": balanced_accuracy_score(truth, scores.argmax(1)),
        "accuracy": accuracy_score(truth, with_prior),
        "macro_auc": np.mean(aucs),
    }
    assert figures["n"] == len(truth)
    for name, value in recomputed.items():
        # Half precision may turn a near tie, and a type has as few as twenty cases.
        assert figures[name]["value"] == pytest.approx(value, abs=0.01), name
        assert figures[name]["low"] <= figures[name]["value"] <= figures[name]["high"], name


@pytest.fixture
def extraction_folder(tmp_path):
    """`weights/` with the extraction and what it shares with the bundles, as links."""
    for name in (EXTRACTION, SHARED):
        (tmp_path / name).mkdir()
        for path in (WEIGHTS / name).iterdir():
            (tmp_path / name / path.name).symlink_to(path)
    return tmp_path


def test_extraction_loads_once_for_all(bundle):
    assert load_extraction() is bundle.extractor
    assert not any(parameter.requires_grad for parameter in bundle.extractor.parameters())


@pytest.mark.parametrize("name", [EXTRACTION_FILE, EXTRACTION_MANIFEST])
def test_damaged_or_missing_extraction_is_named(extraction_folder, name):
    path = extraction_folder / EXTRACTION / name
    path.unlink()
    with pytest.raises(BundleError, match=f"{name} is missing"):
        load_extraction(extraction_folder)
    path.write_bytes(b"{}")
    with pytest.raises(BundleError, match=name):
        load_extraction(extraction_folder)
