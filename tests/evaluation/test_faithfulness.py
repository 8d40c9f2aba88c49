import json

import numpy as np
import pytest
import torch
from colour_model import SIDE, ColourModel

from skin_ai.evaluation import faithfulness
from skin_ai.evaluation.faithfulness import BETTER, BLOB, NO_BETTER, RANDOM
from skin_ai.predict.heatmap import GRAD_CAM
from skin_ai.predict.image_model import Preprocessing
from skin_ai.training.image import ImageSettings, OutOfFold

# The library hands a tensor to numpy's argwhere.
pytestmark = pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")
PHOTOS = 16
SETTINGS = ImageSettings(preprocessing=Preprocessing(size=SIDE), views=2)


def red_patches() -> list[np.ndarray]:
    """Grey photos with a red patch beside the centre: a blob meets it late, a random map later."""
    random = np.random.default_rng(3)
    photos = []
    for _ in range(PHOTOS):
        photo = np.repeat(random.integers(100, 150, (SIDE, SIDE, 1)), 3, axis=2)
        top, left = random.choice([12, 36], 2)
        photo[top : top + 16, left : left + 16] = (220, 40, 40)
        photos.append(photo.astype(np.uint8))
    return photos


def measured(**changes):
    folds = np.arange(PHOTOS) % 2
    out_of_fold = OutOfFold([ColourModel(), ColourModel()], SETTINGS, folds, np.array([1.0, 2.0]))
    patients = np.array([f"patient {place // 2}" for place in range(PHOTOS)])
    return faithfulness.measure(red_patches(), out_of_fold, patients, seed=5, **{"n": 12} | changes)


@pytest.fixture(scope="module")
def result():
    return measured()


def test_true_map_comes_before_the_blob_and_the_blob_before_chance(result):
    values = {
        kind: {name: item["value"] for name, item in of.items()} for kind, of in result["methods"].items()
    }
    for name, sign in (("deletion", -1), ("insertion", 1), ("road", 1)):
        true, blob, chance = (sign * values[kind][name] for kind in (GRAD_CAM, BLOB, RANDOM))
        assert true > blob > chance, name
        assert result["against_blob"][GRAD_CAM][name]["low"] > 0
        assert result["against_random"][GRAD_CAM][name]["low"] > 0
    assert result["verdict"] == BETTER


def test_curves_begin_and_end_as_the_photo_and_enclose_the_areas(result):
    deletion, insertion = result["curves"]["deletion"], result["curves"]["insertion"]
    for kind in (GRAD_CAM, BLOB, RANDOM):
        for name, curve, other in (("deletion", deletion, insertion), ("insertion", insertion, deletion)):
            parts, values = ([point[key] for point in curve[kind]] for key in ("part", "value"))
            assert (parts[0], parts[-1]) == (0, 1)
            assert (values[0], values[-1]) == (other[kind][-1]["value"], other[kind][0]["value"])
            area = result["methods"][kind][name]["value"]
            assert np.trapezoid(values, parts) == pytest.approx(area, abs=2e-4)


def test_differences_are_those_of_the_same_photos(result):
    methods = result["methods"]
    for name, sign in (("deletion", -1), ("insertion", 1), ("road", 1)):
        difference = sign * (methods[GRAD_CAM][name]["value"] - methods[BLOB][name]["value"])
        assert result["against_blob"][GRAD_CAM][name]["value"] == pytest.approx(difference, abs=2e-4)


def test_result_is_ready_for_the_manifest_and_the_same_from_the_same_seed(result):
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["n"] == result["randomised_trunk"]["n"] == 12
    assert "12 photos" in result["protocol"]
    assert measured() == result


@pytest.mark.parametrize(
    ("deletion", "insertion", "road", "expected"),
    [(0.01, 0.02, 0.03, BETTER), (0.01, 0.02, -0.03, NO_BETTER), (0.0, 0.02, 0.03, NO_BETTER)],
)
def test_verdict_needs_every_interval_above_zero(deletion, insertion, road, expected):
    lows = {"deletion": deletion, "insertion": insertion, "road": road}
    assert faithfulness.verdict({name: {"low": low} for name, low in lows.items()}) == expected


@pytest.mark.parametrize("part", ["head", "trunk"])
def test_only_the_named_part_is_drawn_anew(part):
    model, state = ColourModel(), torch.random.get_rng_state()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    other = faithfulness.randomised(model, 1, part)
    for name, value in other.state_dict().items():
        assert torch.equal(value, before[name]) != (name.startswith("head.") == (part == "head")), name
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    again = faithfulness.randomised(model, 1, part).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in other.state_dict().items())
    assert torch.equal(state, torch.random.get_rng_state())
