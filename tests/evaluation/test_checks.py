"""Every measure on data with little or nothing to measure."""

import json

import numpy as np
import pytest
import torch
from drawn_cases import draw_lesion

from skin_ai.diseases import LABEL_SETS
from skin_ai.evaluation import checks, literature, reliability
from skin_ai.evaluation.figures import MODES, Evaluated
from skin_ai.evaluation.groups import Particulars, by_group
from skin_ai.evaluation.pen import draw_pen
from skin_ai.predict import quality
from skin_ai.predict.chain import Option, Step
from skin_ai.predict.image_model import ImageModel, Preprocessing
from skin_ai.training.image import ImageSettings, OutOfFold

TYPES = LABEL_SETS["pad-ufes-20"]
BCC, NEV = TYPES.index("BCC"), TYPES.index("NEV")
BACKBONE = "mobilenetv2_050"
pytestmark = pytest.mark.filterwarnings("ignore:Only one sample available")


def lesions(types):
    return [np.asarray(draw_lesion(type_, k).resize((300, 300))) for k, type_ in enumerate(types)]


def inked(squares):
    return [draw_pen(square, np.random.default_rng(k), "circle", 0.0) for k, square in enumerate(squares)]


PHOTOS = {
    "two photos, one type, one patient": (lesions(["NEV"] * 2), [NEV, NEV], ["a", "a"], [0, 1]),
    "folds without photos": (lesions(["BCC", "NEV", "NEV"]), [BCC, NEV, NEV], ["a", "b", "c"], [0, 2, 4]),
    "all inked": (inked(lesions(["BCC", "NEV", "SEK"])), [BCC, NEV, 5], ["a", "b", "c"], [0, 1, 2]),
    "black, all alike": ([np.zeros((300, 300, 3), np.uint8)] * 3, [BCC] * 3, ["a", "b", "b"], [0, 1, 1]),
}  # fmt: skip


def numbers(found):
    """Every number in a result, which has no other than those that JSON has."""
    plain = json.loads(json.dumps(found), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    if isinstance(plain, dict | list):
        for entry in plain.values() if isinstance(plain, dict) else plain:
            yield from numbers(entry)
    elif isinstance(plain, float | int):
        yield plain


@pytest.fixture(scope="module")
def models():
    torch.manual_seed(0)
    return [ImageModel(BACKBONE, len(TYPES)).eval().requires_grad_(False) for _ in range(5)]


@pytest.mark.parametrize("squares, labels, patients, folds", PHOTOS.values(), ids=PHOTOS.keys())
def test_photos_are_measured_however_few_or_odd(squares, labels, patients, folds, models, tmp_path):
    settings = ImageSettings(backbone=BACKBONE, preprocessing=Preprocessing(size=64), views=1)
    out_of_fold = OutOfFold(models, settings, np.array(folds), np.ones(5))
    found = checks.of_photos(squares, np.array(labels), TYPES, out_of_fold, np.array(patients), tmp_path)
    assert set(found) == set(checks.OF_PHOTOS)
    assert np.isfinite(list(numbers(found))).all()
    assert isinstance(found["gate"]["threshold"], float)
    assert set(found["quality"]["limits"]) <= set(quality.KINDS)
    assert None not in found["quality"]["limits"].values()
    assert all(figure["n"] for figure in found["gate"]["caught"].values())


def eliminated(row):
    order = np.argsort(-row).tolist()
    steps = []
    for kept in (3, 1):
        mass = row[order] / row[order].sum()
        pairs = enumerate(zip(order, mass.tolist(), strict=True))
        steps.append(Step(tuple(Option(TYPES[k], p, place < kept, 0.0, 0.0) for place, (k, p) in pairs)))
        order = order[:kept]
    return tuple(steps)


ANSWERS = {
    "one case": ([NEV], [0]),
    "one type, benign": ([NEV] * 12, [0, 1, 2] * 4),
    "one type, malignant": ([BCC] * 12, [0, 1, 2] * 4),
    "types seen in one fold only": ([BCC] * 4 + [NEV] * 8, [0] * 4 + [1] * 8),
}


@pytest.mark.parametrize("truth, folds", ANSWERS.values(), ids=ANSWERS.keys())
@pytest.mark.parametrize("asked", ("all", "none in words"))
def test_answers_are_measured_however_few_or_odd(truth, folds, asked):
    rng, truth, folds = np.random.default_rng(0), np.array(truth), np.array(folds)
    names = (*MODES, "regression_on_fields", "product")
    modes = {mode: rng.dirichlet(np.ones(len(TYPES)), len(truth)) for mode in names}
    if asked == "none in words":
        modes["words_only"][:] = np.nan
    prior = np.bincount(truth, minlength=len(TYPES)) / len(truth)
    evaluated = Evaluated(TYPES, truth, np.arange(len(truth)) // 2, prior, modes)
    steps = [eliminated(row) for row in modes["chain"]]
    not_sure = reliability.not_sure(evaluated, folds, steps=steps)
    people = [Particulars()] * len(truth)
    found = [
        checks.of_answers(evaluated, steps),
        by_group(evaluated, people, "chain", checks.malignant(TYPES)),
        literature.ours(evaluated, folds),
        not_sure,
    ]
    assert np.isfinite(list(numbers(found))).all()
    assert 0 <= not_sure["least_probability"] <= 1


@pytest.mark.parametrize("truth", ([BCC, NEV], [BCC] * 3, [0, 1, 2, 3], [0, 0, 0, 1, 1, 2, 3, 4, 5]))
def test_literature_takes_types_of_few_cases(truth):
    rows = [{"age": str(20 + k), "region": "FACE"} for k in range(len(truth))]
    labels = np.array(truth)
    folds = literature.split(labels)
    found = literature.from_columns(rows, ("age", "region"), labels, folds)
    both = literature.stacked([found, found], labels, folds)
    assert found.sum(1) == pytest.approx(np.ones(len(truth)))
    assert both.sum(1) == pytest.approx(np.ones(len(truth)))
