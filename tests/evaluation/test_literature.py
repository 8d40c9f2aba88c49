import json

import numpy as np
import pytest
import torch
from drawn_cases import PAD_COLUMNS
from safetensors.torch import save_file

from skin_ai.evaluation import literature
from skin_ai.evaluation.figures import Evaluated
from skin_ai.evaluation.literature import ALL_COLUMNS, PATIENT_TELLS, TYPES, from_columns, measured, split
from skin_ai.training.datasets import FOLDS
from skin_ai.training.image import ImageSettings

N = 180


@pytest.fixture(scope="module")
def rows():
    """Two photos a patient; symptoms say nothing, and `smoke` is empty where the type is ACK, NEV or SEK."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(N):
        type_ = TYPES[number // 2 % len(TYPES)]
        row = dict.fromkeys(PAD_COLUMNS, "") | {"diagnostic": type_, "patient_id": f"PAT_{number // 2}"}
        row |= {"img_id": f"PAT_{number // 2}_{number}_1.png", "region": "FACE", "lesion_id": str(number)}
        row |= {
            name: str(rng.choice(["True", "False"])) for name in ("itch", "grew", "hurt", "changed", "bleed")
        }
        row |= {"age": str(rng.integers(20, 90)), "smoke": "False" if type_ in ("BCC", "SCC", "MEL") else ""}
        rows.append(row)
    return rows


@pytest.fixture(scope="module")
def labels(rows):
    return np.array([TYPES.index(row["diagnostic"]) for row in rows])


@pytest.fixture(scope="module")
def patients(rows):
    return np.array([row["patient_id"] for row in rows])


@pytest.fixture
def only_a_regression(monkeypatch):
    """The quickest of the models that are chosen from."""
    monkeypatch.setattr(literature, "MODELS", {"regression, C 1.0": literature.MODELS["regression, C 1.0"]})


def test_split_by_photo_has_patients_on_both_sides(labels, patients):
    folds = split(labels)
    assert sorted(set(folds.tolist())) == list(range(FOLDS))
    assert any(len(set(folds[patients == patient].tolist())) > 1 for patient in set(patients.tolist()))


@pytest.mark.usefixtures("only_a_regression")
def test_emptiness_of_a_column_tells_the_type_where_all_columns_are_used(rows, labels, patients):
    folds = split(labels)
    is_cancer = labels < 3
    told = {}
    for name, columns in (("patient", PATIENT_TELLS), ("all", ALL_COLUMNS)):
        scores = from_columns(rows, columns, labels, folds)
        assert scores.sum(1) == pytest.approx(np.ones(N))
        told[name] = ((scores[:, :3].sum(1) > 0.5) == is_cancer).mean()
    assert told["all"] == 1.0
    assert told["patient"] < 0.7


def test_the_model_is_chosen_without_the_tested_fold(rows, labels, patients):
    # Wrong labels in the tested fold change nothing of its predictions.
    folds = split(labels)
    spoilt = labels.copy()
    spoilt[folds == 0] = (spoilt[folds == 0] + 1) % len(TYPES)
    first, second = (
        from_columns(rows, PATIENT_TELLS, each, np.minimum(folds, 1))[folds == 0] for each in (labels, spoilt)
    )
    assert first == pytest.approx(second)


def test_mean_and_spread_over_folds_of_a_worked_example():
    # Fold 0: all right. Fold 1: half of each type.
    truth = np.array([0, 0, 1, 1] * 2)
    called = np.array([0, 0, 1, 1, 0, 1, 1, 0])
    evaluated = Evaluated(("BCC", "NEV"), truth, np.arange(8), np.full(2, 0.5), {"photo": np.eye(2)[called]})
    found = measured(evaluated, np.repeat([0, 1], 4))["photo"]
    assert found["balanced_accuracy"]["value"] == 0.75 and found["balanced_accuracy"]["n"] == 8
    assert found["over_folds"]["balanced_accuracy"] == {"mean": 0.75, "sd": 0.3536}
    assert found["over_folds"]["accuracy"] == {"mean": 0.75, "sd": 0.3536}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("pad")
    (folder / "images").mkdir()
    for row in rows:  # no photo is read: their logits are there
        (folder / "images" / row["img_id"]).touch()
    lines = [",".join(PAD_COLUMNS), *(",".join(row[name] for name in PAD_COLUMNS) for row in rows)]
    (folder / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.mark.usefixtures("only_a_regression")
def test_run_goes_on_from_the_models_that_are_there(folder, tmp_path, rows, labels, patients):
    work, settings = tmp_path / "work", ImageSettings()
    folds = split(labels)
    literature._begin(work, settings, rows, folds)
    rng = np.random.default_rng(1)
    for fold in range(FOLDS):
        logits = 2 * np.eye(len(TYPES))[labels[folds == fold]] + rng.normal(size=((folds == fold).sum(), 6))
        save_file(
            {"logits": torch.tensor(logits, dtype=torch.float32)},
            work / f"image-fold{fold}-logits.safetensors",
        )
    result = literature.run(folder, work, settings)
    apart = result["literature"].pop("patients_on_both_sides")
    found = {name: mode["balanced_accuracy"]["value"] for name, mode in result["literature"].items()}
    assert set(found) == {
        f"{name}{suffix}" for name in ("metadata", "product", "stacking") for suffix in ("", "_with_biopsed")
    } | {"photo"}
    # Which of the two halves a type is of tells what the photo alone does not.
    assert 0.3 < found["photo"] < found["product"]
    assert found["photo"] < found["stacking"]
    assert 0.5 < apart["value"] < 1
    json.dumps(result, allow_nan=False)


@pytest.mark.parametrize("found", ("another split's model", "other settings"))
def test_a_folder_of_another_training_is_refused(folder, tmp_path, rows, labels, patients, found):
    work = tmp_path / "work"
    work.mkdir()
    if found == "other settings":
        literature._begin(work, ImageSettings(epochs=3), rows, split(labels))
    else:
        (work / "image-fold0-logits.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match="was begun with another split or other settings"):
        literature.run(folder, work, ImageSettings())
