import json

import numpy as np
import pytest
import torch
from drawn_cases import draw_lesion
from drawn_samples import SAMPLES

from skin_ai.evaluation.degradations import (
    AIM,
    DEGRADATIONS,
    KIND_OF,
    LIGHTS,
    MOST_STOPPED,
    NOTHING,
    STRENGTHS,
    curve,
    fit_limits,
    measure,
)
from skin_ai.predict.image_model import ImageModel, Preprocessing
from skin_ai.predict.quality import KINDS, measures, reaches
from skin_ai.training.image import ImageSettings, OutOfFold


@pytest.fixture(scope="module")
def photo():
    return np.ascontiguousarray(SAMPLES[2].draw()[::2, ::2])


def gray(value, side=100):
    return np.full((side, side, 3), value, np.uint8)


def point(side):
    """A white square of a fifteenth of the side in the middle of black."""
    square = gray(0, side)
    half = side // 30
    square[side // 2 - half : side // 2 + half, side // 2 - half : side // 2 + half] = 255
    return square


def spread(square):
    """(2,) variance along the two main axes of the light, squared pixels."""
    light = square[..., 0].astype(float)
    rows, columns = np.nonzero(light)
    return np.linalg.eigvalsh(np.cov(np.stack([rows, columns]), aweights=light[rows, columns]))


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_stronger_is_further_from_the_photo_and_nothing_is_the_photo(photo, name):
    def distance(strength):
        changed = DEGRADATIONS[name](photo, strength)
        enlarged = Preprocessing(size=len(photo)).resize(changed)
        return np.abs(enlarged.astype(float) - photo).mean()

    assert np.abs(DEGRADATIONS[name](photo, NOTHING[name]).astype(float) - photo).max() <= 1
    distances = [distance(strength) for strength in STRENGTHS[name]]
    assert distances[0] > 0
    assert distances == sorted(distances)


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_same_photo_is_degraded_in_the_same_way_and_left_as_it_was(photo, name):
    before = photo.copy()
    one, same = (DEGRADATIONS[name](photo, STRENGTHS[name][1]) for _ in range(2))
    assert np.array_equal(one, same)
    assert np.array_equal(photo, before)
    assert one.dtype == np.uint8


@pytest.mark.parametrize("name", ("glare", "shaken"))
def test_another_photo_is_degraded_in_another_way(name):
    """Two photos that differ in one pixel far from where it is compared."""
    one, other = point(120), point(120)
    other[0, 0] = 255
    changed = [DEGRADATIONS[name](square, 10)[20:100, 20:100] for square in (one, other)]
    assert not np.array_equal(*changed)


@pytest.mark.parametrize("side", (300, 600))
def test_blur_is_in_percent_of_the_side(side):
    added = spread(DEGRADATIONS["blurred"](point(side), 2)) - spread(point(side))
    assert np.sqrt(added) == pytest.approx([0.02 * side] * 2, rel=0.1)


def test_shaking_blurs_in_one_direction():
    across, along = spread(DEGRADATIONS["shaken"](point(300), 12)) - spread(point(300))
    assert along == pytest.approx(36**2 / 12, rel=0.15)
    assert across == pytest.approx(0, abs=4)


@pytest.mark.parametrize(("side", "strength", "left"), ((300, 6, 50), (300, 1, 300), (64, 200, 1)))
def test_small_keeps_fewer_pixels(side, strength, left):
    assert DEGRADATIONS["small"](gray(90, side), strength).shape == (left, left, 3)


@pytest.mark.parametrize(
    ("name", "before", "strength", "after"),
    # 188 is half of the light (0.503), 137 a quarter, 99 an eighth, 255 all.
    (("dark", 188, 1, 137), ("dark", 188, 2, 99), ("bright", 137, 1, 188), ("bright", 188, 2, 255)),
)
def test_exposure_is_in_stops_of_light(name, before, strength, after):
    assert DEGRADATIONS[name](gray(before), strength) == pytest.approx(gray(after), abs=1)


def test_low_contrast_keeps_the_mean_and_scales_the_rest(photo):
    flat = DEGRADATIONS["low_contrast"](photo, 0.75)
    assert flat.mean((0, 1)) == pytest.approx(photo.mean((0, 1)), abs=0.5)
    assert flat.std((0, 1)) == pytest.approx(0.25 * photo.std((0, 1)), rel=0.03)


@pytest.mark.parametrize("strength", (3, 13, 35))
def test_glare_covers_its_share_of_the_photo(photo, strength):
    white = (DEGRADATIONS["glare"](photo, strength) >= 230).all(2).mean()
    assert strength / 100 <= white <= strength / 100 + 0.08


def test_colour_cast_is_one_of_the_lights():
    """On gray at a tenth of the light one stop of a channel is a factor of two."""
    seen = set()
    for shade in range(80, 104):
        red, green, blue = DEGRADATIONS["colour_cast"](gray(shade), 1)[0, 0] / 255
        light = [((value + 0.055) / 1.055) ** 2.4 for value in (shade / 255, red, green, blue)]
        stops = np.log2(np.array(light[1:]) / light[0])
        nearest = min(LIGHTS, key=lambda lamp: np.abs(np.array(lamp) - stops).max())
        assert stops == pytest.approx(nearest, abs=0.05)
        seen.add(nearest)
    assert seen == set(LIGHTS)


@pytest.mark.parametrize(
    ("right_of_ten", "fall"),
    (((8, 8, 8), None), ((8, 7, 2), 1.0), ((8, 6, 2), 0.5), ((8, 8, 6), 1.5), ((8, 9, 8), None)),
)
def test_strength_at_the_fall_is_interpolated(right_of_ten, fall):
    right = [np.arange(10) < count for count in right_of_ten]
    weights = np.ones((5, 10))
    found = curve((0.0, 1.0, 2.0), right, weights)
    assert found["strength_at_fall"] == (None if fall is None else pytest.approx(fall))
    assert found["strength_at_fall_interval"] == [found["strength_at_fall"]] * 2
    assert found["caught_at"] == (2.0 if fall is None else pytest.approx(fall))
    assert [row["value"] for row in found["accuracy"]] == [count / 10 for count in right_of_ten]


@pytest.fixture
def values():
    """Untouched and degraded measures, as far apart as a test asks for: (untouched, degraded)."""

    def draw(gap):
        random = np.random.default_rng(1)
        signs = {kind: -1 if KINDS[kind].worse_when_lower else 1 for kind in KINDS}
        untouched = {kind: random.normal(0, 1, 2000) for kind in KINDS}
        degraded = {name: random.normal(gap * signs[KIND_OF[name]], 1, 200) for name in DEGRADATIONS}
        return untouched, degraded

    return draw


def stopped(untouched, limits):
    return np.any([reaches(kind, untouched[kind], limits[kind]) for kind in KINDS], axis=0).mean()


def caught(degraded, limits):
    return [reaches(KIND_OF[name], values, limits[KIND_OF[name]]).mean() for name, values in degraded.items()]


def test_limits_catch_what_they_aim_at_and_stop_nobody_for_more(values):
    untouched, degraded = values(gap=8)
    limits = fit_limits(untouched, degraded, set(KINDS))
    assert stopped(untouched, limits) == 0
    found = dict(zip(degraded, caught(degraded, limits), strict=True))
    assert min(found.values()) >= AIM
    assert found["dark"] == pytest.approx(AIM, abs=0.01)


def test_limits_stop_few_untouched_photos_even_where_the_degraded_look_alike(values):
    untouched, degraded = values(gap=1)
    limits = fit_limits(untouched, degraded, set(KINDS))
    assert 0.7 * MOST_STOPPED < stopped(untouched, limits) <= MOST_STOPPED
    assert max(caught(degraded, limits)) < AIM


def test_what_costs_no_accuracy_stops_only_the_worst_untouched_photo(values):
    untouched, degraded = values(gap=1)
    limits = fit_limits(untouched, degraded, set(KINDS) - {"dark", "glare"})
    assert limits["dark"] == pytest.approx(untouched["dark"].min(), abs=1e-4)
    assert limits["glare"] == pytest.approx(untouched["glare"].max(), abs=1e-4)


@pytest.fixture(scope="module")
def out_of_fold():
    torch.manual_seed(0)
    models = [ImageModel("mobilenetv2_050", 3).eval().requires_grad_(False) for _ in range(2)]
    settings = ImageSettings(backbone="mobilenetv2_050", preprocessing=Preprocessing(size=32), views=2)
    return OutOfFold(models, settings, np.arange(20) % 2, np.ones(2))


def test_result_is_ready_for_the_manifest_and_the_same_each_time(out_of_fold):
    drawn = [np.array(draw_lesion(("BCC", "MEL", "NEV")[place % 3], place)) for place in range(20)]
    squares = [lesion[:300, :300] for lesion in drawn]
    arguments = squares, np.arange(20) % 3, ("BCC", "MEL", "NEV"), out_of_fold, np.arange(20) // 2
    one, same = (measure(*arguments, photos=6) for _ in range(2))
    assert json.dumps(one, allow_nan=False) == json.dumps(same, allow_nan=False)
    assert list(one["limits"]) == list(KINDS)
    assert list(one["kinds"]) == list(DEGRADATIONS)
    assert one["false_stops"]["n"] == 20
    for name, row in one["kinds"].items():
        assert len(row["strengths"]) == len(row["accuracy"]) == 6
        assert row["caught"]["n"] == 6
        assert (row["strength_at_fall"] is None) == ("does not fall" in row["remark"]), name
    # The limits are of the measures that the app takes.
    measured = [measures(square) for square in squares]
    assert all(row["small"] > one["limits"]["small"] for row in measured)
