import re

import numpy as np
import pytest
from drawn_samples import SAMPLES
from PIL import Image

from skin_ai.evaluation.degradations import DEGRADATIONS
from skin_ai.predict import quality
from skin_ai.predict.quality import ADVICE, KINDS, measures, reaches

# Between what drawn samples measure and what they measure after DEGRADED.
LIMITS = {
    "small": 30, "blurred": 0.13, "dark": 45.0, "bright": 90.0, "low_contrast": 0.42, "glare": 0.02,
    "colour_cast": 3.0,
}  # fmt: skip
DEGRADED = (
    ("blurred", 2, "blurred"),
    ("blurred", 6, "blurred"),
    ("shaken", 6, "blurred"),
    ("dark", 3, "dark"),
    ("bright", 2, "bright"),
    ("low_contrast", 0.75, "low_contrast"),
    ("glare", 6, "glare"),
    ("colour_cast", 1.6, "colour_cast"),
)


@pytest.fixture(scope="module", params=(1, 2, 4), ids=lambda place: SAMPLES[place].name)
def photo(request):
    return SAMPLES[request.param].draw()


def problems(photo, limits):
    return quality.problems(measures(photo), limits)


def resized(photo, side):
    return np.array(Image.fromarray(photo).resize((side, side), Image.Resampling.BICUBIC))


def test_good_photo_has_no_problem(photo):
    assert problems(photo, LIMITS) == ()


@pytest.mark.parametrize(("degradation", "strength", "kind"), DEGRADED)
def test_a_fault_is_called_by_its_name_and_by_no_other(photo, degradation, strength, kind):
    assert problems(DEGRADATIONS[degradation](photo, strength), LIMITS) == (kind,)


def test_few_pixels_are_called_small_first(photo):
    assert problems(resized(photo, 28), LIMITS)[0] == "small"
    assert "small" not in problems(resized(photo, 32), LIMITS)


def test_photo_that_was_enlarged_is_called_blurred(photo):
    assert problems(resized(resized(photo, 24), 600), LIMITS) == ("blurred",)


def test_two_faults_are_both_named(photo):
    shaken_in_the_dark = DEGRADATIONS["dark"](DEGRADATIONS["shaken"](photo, 8), 3)
    assert problems(shaken_in_the_dark, LIMITS) == ("blurred", "dark")


def test_smooth_skin_is_not_called_blurred():
    """Hardly any detail but the camera's grain."""
    grain = np.random.default_rng(3).normal(0, 3, (300, 300, 1))
    skin = np.clip(np.array([214, 172, 150]) + grain, 0, 255).astype(np.uint8)
    assert "blurred" not in problems(skin, LIMITS)


def test_large_photo_may_have_no_detail_at_all():
    assert problems(np.full((224, 224, 3), (214, 172, 150), np.uint8), LIMITS) == ("blurred", "low_contrast")


@pytest.mark.parametrize("side", (64, 100, 300, 1200, 3000))
def test_size_of_the_same_photo_changes_only_its_own_measure(photo, side):
    before, after = measures(resized(photo, 600)), measures(resized(photo, side))
    assert after["small"] == side
    assert after["blurred"] > LIMITS["blurred"]
    for kind in ("dark", "bright", "low_contrast", "colour_cast"):
        assert after[kind] == pytest.approx(before[kind], rel=0.05, abs=0.02), kind
    assert problems(resized(photo, side), LIMITS) == ()


@pytest.mark.parametrize("turns", (1, 2, 3))
def test_turned_phone_changes_nothing(photo, turns):
    before, after = measures(photo), measures(np.rot90(photo, turns).copy())
    assert after == pytest.approx(before, rel=0.02)


def test_kinds_without_a_limit_are_not_looked_for(photo):
    dark = DEGRADATIONS["dark"](photo, 3)
    assert problems(dark, {}) == ()
    assert problems(dark, {"bright": 90.0}) == ()


@pytest.mark.parametrize(
    ("kind", "measured", "is_reached"),
    (
        ("dark", 44, True),
        ("dark", 45, True),
        ("dark", 46, False),
        ("bright", 90, True),
        ("bright", 89, False),
    ),
)
def test_limit_itself_counts_as_reached(kind, measured, is_reached):
    assert bool(reaches(kind, measured, LIMITS[kind])) is is_reached


def test_photo_is_left_as_it_was_and_measured_the_same_twice(photo):
    before = photo.copy()
    assert measures(photo) == measures(photo)
    assert np.array_equal(photo, before)


@pytest.mark.parametrize("kind", KINDS)
def test_advice_says_what_is_wrong_and_what_to_do_in_one_plain_sentence(kind):
    wrong, to_do = ADVICE[kind].split(": ")
    assert wrong and to_do
    assert ADVICE[kind].endswith(".") and ADVICE[kind].count(".") == 1
    jargon = r"\b(pixels?|exposure|luminance|contrast|saturat\w*|histogram|white balance|model|threshold)\b"
    assert not re.search(jargon, ADVICE[kind], re.IGNORECASE)
    assert len(ADVICE[kind]) < 200
