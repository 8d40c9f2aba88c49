import json
import logging
import shutil
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from drawn_cases import draw_dataset, mini_rows
from drawn_scin import LABEL_COLUMNS, draw_scin, scin_rows
from safetensors.torch import load_file, save_file

from skin_ai.commands import train_bundle
from skin_ai.commands.train_bundle import train
from skin_ai.diseases import LABEL_SETS
from skin_ai.evaluation import checks
from skin_ai.evaluation.evaluate import evaluate
from skin_ai.evaluation.figures import MODES
from skin_ai.evaluation.given_words import GivenWords
from skin_ai.predict.bundle import (
    FILES,
    GATE_FILE,
    IMAGE_FILE,
    LANGUAGE_BASE_FILE,
    LANGUAGE_FILE,
    MANIFEST,
    PREDICTIONS_FILE,
    READS_FACTS,
    TOKENIZER_FILES,
    WORD_PRIOR_FILE,
    load_bundle,
)
from skin_ai.predict.chain import SCALE
from skin_ai.predict.diagnose import diagnose
from skin_ai.predict.image_model import Preprocessing
from skin_ai.predict.prepared_photo import prepare
from skin_ai.training import loop, sources
from skin_ai.training.datasets import NEVER_TRAINED, split_folds
from skin_ai.training.image import ImageSettings
from skin_ai.training.language import LanguageSettings
from skin_ai.training.run import LANGUAGE_DEFAULTS, READING_FILE, Run
from skin_ai.training.stories import HELD_OUT_VOICES, STORIES_SOURCE, load_stories
from skin_ai.training.word_prior import fact_prior_of

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
        head_epochs=0, batch_size=8, members=1, views=2,
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
    result = diagnose(prepare(drawn_photo), "It itches.", bundle)
    assert sum(item.probability for item in result.answer) == pytest.approx(1, abs=1e-5)
    assert len(result.heatmaps) == 6


def test_predictions_are_kept_for_every_photo_and_mode(trained):
    saved = load_file(trained / PREDICTIONS_FILE)
    assert saved["photo_logits"].shape == (14, 6)
    assert len(set(saved["photos"].tolist())) == 14
    for mode in MODES:
        assert saved[mode].shape == (14, 6)
        assert saved[mode].float().sum(1).numpy() == pytest.approx(np.ones(14), abs=0.01)


def manifest_of(bundle):
    text = (bundle / MANIFEST).read_text(encoding="utf-8")
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_manifest_is_json_that_tells_every_setting_and_no_folder(trained, run, mini_dataset):
    manifest, text = manifest_of(trained), (trained / MANIFEST).read_text(encoding="utf-8")
    assert manifest["image_model"]["settings"]["epochs"] == run.image.epochs
    assert manifest["language_model"]["settings"]["schedule"] == list(run.language.schedule)
    assert set(manifest["figures"]["modes"]) == set(MODES)
    for figures in manifest["figures"]["modes"].values():
        assert figures["n"] == 14
    assert "chain_less_control_single_pass" in manifest["figures"]["comparison"]
    assert {
        "calibration", "step_calibration", "risk_coverage", "malignancy", "groups", "elimination",
        "literature", *checks.OF_PHOTOS,
    } <= set(manifest["figures"])  # fmt: skip
    assert manifest["data"][0] | {"photos": 14, "rows": 18, "patients": 15} == manifest["data"][0]
    for folder in (str(mini_dataset), run.image.weights, run.language.base):
        assert folder not in text


def test_language_model_is_saved_with_the_photos_weight_that_unseen_patients_gave(trained):
    work = trained.parent / "work"
    added = json.loads((work / "chain-prior-weights.json").read_text(encoding="utf-8"))
    learnt = load_file(work / "chain-final.safetensors")["photo_weight"].item()
    assert len(added) == 6  # five folds, and all
    assert load_file(trained / LANGUAGE_FILE)["photo_weight"].item() == pytest.approx(
        learnt + added[-1][0], abs=1e-2
    )


def test_model_that_reads_facts_has_a_regression_on_those_of_its_own_patients(
    run, trained, mini_dataset, tmp_path
):
    """Of a fold's patients it knows nothing; its weight and the photo's are fitted together."""
    run = replace(run, language=replace(run.language, reads=READS_FACTS))
    cases = sources.load_sources({"pad-ufes-20": mini_dataset}, run.types)
    folds = split_folds(cases)
    photos = [None if case.photo is None else torch.full((6,), 1 / 6) for case in cases]
    shutil.copyfile(trained.parent / "work" / READING_FILE, tmp_path / READING_FILE)
    given = GivenWords(extractor=object())  # finds nothing here: these facts are confirmed
    language = train_bundle._LanguageFolds(run, cases, folds, photos, tmp_path, given, None)
    model, whole = language.trained("chain", 0), language.trained("chain", None)
    photo, of_facts = json.loads((tmp_path / "chain-prior-weights.json").read_text(encoding="utf-8"))[0]
    learnt = load_file(tmp_path / "chain-fold0.safetensors")["photo_weight"].item()
    assert model.photo_weight.item() == pytest.approx(learnt + photo, abs=1e-4)
    assert model.word_prior.weight == pytest.approx(1 + of_facts)
    others = [case for case, fold in zip(cases, folds, strict=True) if fold not in (0, NEVER_TRAINED)]
    known = fact_prior_of(others, run.types)
    assert torch.equal(known.coefficients, model.word_prior.coefficients)
    assert not torch.equal(known.coefficients, whole.word_prior.coefficients)


def test_weights_are_in_half_precision_and_the_language_models_matrices_in_eight_bits(trained):
    image = load_file(trained / IMAGE_FILE)
    assert {value.dtype for value in image.values() if value.is_floating_point()} == {torch.float16}
    for name in (LANGUAGE_BASE_FILE, LANGUAGE_FILE):
        for weight, value in load_file(trained / name).items():
            if weight.endswith(SCALE):
                assert value.shape[1:] == (1,)
            else:
                assert value.dtype == (torch.int8 if value.ndim == 2 else torch.float16), weight


def test_evaluating_on_training_photos_is_counted_and_warned_of(trained, mini_dataset, caplog):
    with caplog.at_level(logging.WARNING):
        found = evaluate(mini_dataset, "mini", weights=trained.parent)
    assert found["trained_on"] == 14
    assert "14 of 14 cases were in the training" in caplog.text


class Killed(Exception):
    pass


def test_run_that_is_killed_twice_gives_the_same_bundle(run, trained, mini_dataset, tmp_path, monkeypatch):
    original, epochs = loop.set_seed, []

    def set_seed(seed):
        epochs.append(seed)
        if len(epochs) in (4, 21):  # in the middle of the image model's folds, and of the language model's
            raise Killed
        original(seed)

    monkeypatch.setattr(loop, "set_seed", set_seed)
    (tmp_path / "work").mkdir()
    # These are measured once, and no weight depends on them.
    for figures in (*checks.OF_PHOTOS, "elimination", "literature"):
        shutil.copy(trained.parent / "work" / f"{figures}.json", tmp_path / "work")
    for done, left in (("image-fold0", "image-fold4"), ("chain-fold0", "chain-fold4")):
        with pytest.raises(Killed):
            train(run, {"pad-ufes-20": mini_dataset}, tmp_path / "work", tmp_path / "mini")
        assert (tmp_path / "work" / f"{done}.safetensors").exists()
        assert not (tmp_path / "work" / f"{left}.safetensors").exists()
        assert not (tmp_path / "mini").exists()
    train(run, {"pad-ufes-20": mini_dataset}, tmp_path / "work", tmp_path / "mini")
    for name in (IMAGE_FILE, LANGUAGE_FILE, PREDICTIONS_FILE):
        one, other = load_file(trained / name), load_file(tmp_path / "mini" / name)
        assert one.keys() == other.keys()
        for key in one:
            assert torch.equal(one[key], other[key]), (name, key)


def test_single_folds_are_tried_without_the_others(run, trained, mini_dataset, tmp_path):
    own = replace(run, start_from=str(trained))
    result = train(own, {"pad-ufes-20": mini_dataset}, tmp_path, None, tried=[1])
    assert set(result["balanced_accuracy"]) == {"chain fold 1", "control fold 1"}
    for figures in result["balanced_accuracy"].values():
        assert set(figures) == {"both", "words"}
        assert all(0 <= value <= 1 for value in figures.values())
    models = {path.name for path in tmp_path.glob("*.safetensors")}
    assert models == {READING_FILE, "chain-fold1.safetensors", "control-fold1.safetensors"}


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


# Several data sets, and a bundle that starts from another


@pytest.fixture(scope="module")
def scin_folder(tmp_path_factory):
    """Volunteers without photos: three conditions, five of each, told apart by one tick."""
    cases, labels = scin_rows()
    told = {
        "Eczema": "textures_rough_or_flaky",
        "Urticaria": "condition_symptoms_itching",
        "Tinea": "textures_flat",
    }
    many_cases, many_labels = [], []
    for number in range(15):
        condition, tick = list(told.items())[number % 3]
        key = str(500 + number)
        empty = {column: "" for column in cases[0] if column.startswith("image_")}
        many_cases.append(dict.fromkeys(cases[0], "") | empty | {"case_id": key, tick: "YES"})
        label = f"{{'{condition}': 0.8, 'Insect Bite': 0.2}}"
        many_labels.append(dict.fromkeys(labels[0], "") | {"case_id": key, LABEL_COLUMNS[1]: label})
    folder = tmp_path_factory.mktemp("scin")
    return draw_scin(folder, (many_cases, many_labels), photos=False)


@pytest.fixture(scope="module")
def trained_26(run, trained, mini_dataset, scin_folder, tmp_path_factory):
    """The bundle of 26 types that takes its image model from the small one, with two stories a type."""
    language = replace(
        run.language,
        **(LANGUAGE_DEFAULTS["skin-26"] | {"reading_updates": 5, "reading_batch_size": 8}),
        lower_layers_from=str(trained / LANGUAGE_BASE_FILE),
    )
    run_26 = replace(run, label_set="skin-26", start_from=str(trained), language=language)
    folder = tmp_path_factory.mktemp("trained_26")
    shutil.copytree(trained, folder / "mini")
    (folder / "shared").mkdir()
    for name in (IMAGE_FILE, GATE_FILE, LANGUAGE_BASE_FILE, *TOKENIZER_FILES):
        shutil.copyfile(trained / name, folder / "shared" / name)
    by_voice = {(story.type, story.voice): story for story in load_stories()}
    few = tuple(story for (_, voice), story in by_voice.items() if voice in ("plain", HELD_OUT_VOICES[0]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "load_stories", lambda: few)
        patch.setattr(train_bundle, "training_stories", lambda: few[::2])
        train(run_26, {"pad-ufes-20": mini_dataset, "scin": scin_folder}, folder / "work", folder / "mini-26")
    return folder / "mini-26"


def test_second_bundle_keeps_only_what_the_first_does_not_have(trained_26):
    own = {LANGUAGE_FILE, PREDICTIONS_FILE, WORD_PRIOR_FILE, MANIFEST}
    assert {path.name for path in trained_26.iterdir()} == own
    bundle = load_bundle("mini-26", trained_26.parent)
    assert bundle.language_model.word_prior.weight == LANGUAGE_DEFAULTS["skin-26"]["word_prior"]
    assert bundle.types == LABEL_SETS["skin-26"]
    assert bundle.image_types == LABEL_SETS["pad-ufes-20"]
    assert bundle.schedule == (26, 13, 6, 3, 1)


def test_second_bundle_has_the_gate_and_the_figures_of_the_photo_model_that_it_takes(trained, trained_26):
    first, second = manifest_of(trained), manifest_of(trained_26)
    assert second["image_model"]["gate_threshold"] == first["image_model"]["gate_threshold"]
    assert second["quality_limits"] == first["quality_limits"]
    for name in checks.OF_PHOTOS:
        assert second["figures"][name] == first["figures"][name]


def test_words_of_every_source_without_photos_are_tested_once_by_a_model_that_never_saw_them(trained_26):
    manifest = manifest_of(trained_26)
    words = manifest["figures"]["words"]
    assert set(words) == {"scin", STORIES_SOURCE}
    assert words["scin"]["modes"]["chain"]["n"] == 15
    assert words[STORIES_SOURCE]["modes"]["chain"]["n"] == 26
    assert {"most_frequent", "regression_on_fields"} <= set(words["scin"]["modes"])
    assert set(words["scin"]["comparison"]["chain_less_control_single_pass"]) == {
        "text", "balanced_accuracy", "accuracy", "top3",
    }  # fmt: skip
    assert manifest["figures"]["modes"]["chain"]["n"] == 14
    assert {source["name"]: source["rows"] for source in manifest["data"]} == {
        "PAD-UFES-20": 18, "SCIN": 15, "Stories": 52,
    }  # fmt: skip
    for prior in (manifest["prior"], *manifest["priors"].values()):
        assert sum(prior.values()) == pytest.approx(1, abs=0.01)


def test_evaluating_on_volunteers_gives_top_1_and_top_3_of_words(trained_26, scin_folder, caplog):
    with caplog.at_level(logging.WARNING):
        found = evaluate(scin_folder, "mini-26", weights=trained_26.parent)
    assert "photo_only" not in found
    assert found["trained_on"] == 15
    for mode in ("words_only", "single_pass", "chain"):
        assert found[mode]["n"] == 15
        assert {"top1", "top3", "balanced_accuracy"} <= set(found[mode])


def test_bundle_to_start_from_must_have_the_same_folds(trained, run, mini_dataset, tmp_path):
    damaged = tmp_path / "mini"
    shutil.copytree(trained, damaged)
    saved = load_file(damaged / PREDICTIONS_FILE)
    save_file(saved | {"folds": (saved["folds"] + 1) % 5}, damaged / PREDICTIONS_FILE)
    other = replace(run, start_from=str(damaged))
    with pytest.raises(ValueError, match="other folds"):
        train(other, {"pad-ufes-20": mini_dataset}, tmp_path / "work", tmp_path / "out")
