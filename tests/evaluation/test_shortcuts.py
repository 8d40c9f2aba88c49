import json

import numpy as np
import pytest

from skin_ai.evaluation import shortcuts
from skin_ai.evaluation.pen import MIDDLE, PEN_KINDS, draw_pen, paint_over
from skin_ai.predict.ink import ink_mask
from skin_ai.predict.photo import crop_square
from tests.drawn_cases import COLOURS, draw_lesion
from tests.drawn_samples import SAMPLES

TYPES = tuple(COLOURS)
MALIGNANT = ("BCC", "SCC", "MEL")


class Constant:
    """Looks at nothing but the photo's number."""

    def probabilities(self, place: int, square: np.ndarray) -> np.ndarray:
        return np.eye(len(TYPES))[place % len(TYPES)] * 0.7 + 0.05


class LooksAtInk:
    """Calls every photo with a pen's stroke a BCC and every other one a naevus."""

    def probabilities(self, place: int, square: np.ndarray) -> np.ndarray:
        first = "BCC" if ink_mask(square).any() else "NEV"
        return np.array([0.7 if type_ == first else 0.06 for type_ in TYPES])


class LooksAtDetail:
    """The fewer pixels and the smoother, the more a SEK."""

    def probabilities(self, place: int, square: np.ndarray) -> np.ndarray:
        detail = float(np.abs(np.diff(square.astype(float), axis=0)).mean()) * (len(square) >= 64)
        share = 0.9 * min(1.0, detail / 6)
        rest = np.full(len(TYPES), (1 - share) / (len(TYPES) - 1))
        rest[TYPES.index("BCC")] = share
        return rest


@pytest.fixture(scope="module")
def squares():
    """Two drawn photos of each type without a pen, then the same with one."""
    rng = np.random.default_rng(4)
    drawn = [crop_square(np.array(draw_lesion(type_, seed))) for seed in range(2) for type_ in TYPES]
    grainy = [np.clip(photo + rng.normal(0, 4, photo.shape), 0, 255).astype(np.uint8) for photo in drawn]
    inked = [draw_pen(photo, np.random.default_rng(n), "circle", 0.5) for n, photo in enumerate(grainy)]
    return [photo[::2, ::2].copy() for photo in [*grainy, *inked]]


def measured(squares, predictor):
    labels = np.arange(len(squares)) % len(TYPES)
    patients = np.array([f"patient {number % 7}" for number in range(len(squares))])
    return shortcuts.measure(squares, labels, TYPES, predictor, patients, MALIGNANT)


def values(result):
    """Every figure in the result, with the path to it."""
    for key, entry in result.items():
        if isinstance(entry, dict) and "value" in entry:
            yield key, entry
        elif isinstance(entry, dict):
            yield from ((f"{key}/{path}", figure) for path, figure in values(entry))


def test_model_that_looks_at_nothing_is_not_changed_by_anything(squares):
    result = measured(squares, Constant())
    changes = [
        (path, figure["value"])
        for path, figure in values(result)
        if any(word in path for word in ("change", "rise_by", "crosses"))
    ]
    assert len(changes) > 40
    assert all(value in (0, None) for _, value in changes), changes


def test_model_that_looks_at_ink_is_caught(squares):
    result = measured(squares, LooksAtInk())
    drawn, real = result["drawn_ink"], result["real_ink"]
    assert drawn["malignancy_changes_by"]["value"] > 0.4
    assert drawn["other_photos_rise_by"]["value"] > 0.4
    assert drawn["first_type_changes"]["value"] > 0.6
    assert drawn["malignancy_crosses_half"]["value"] > 0.6
    assert real["painted_over"]["other_photos_rise_by"]["value"] < -0.3
    assert real["painted_over_without_ink"]["malignancy_changes_by"]["value"] == 0
    assert (
        real["with_ink"]["malignancy_of_others"]["value"]
        > real["without_ink"]["malignancy_of_others"]["value"]
    )


def test_model_that_looks_at_detail_is_caught(squares):
    result = measured(squares, LooksAtDetail())
    for name in ("blurred", "small"):
        strengths = list(result[name]["by_strength"].values())
        assert strengths[-1]["malignant_photos_rise_by"]["value"] < -0.1, name
        assert (
            strengths[-1]["malignancy_changes_by"]["value"] >= strengths[0]["malignancy_changes_by"]["value"]
        ), name


def test_every_part_is_there_and_can_be_written_as_json(squares):
    result = measured(squares, LooksAtInk())
    assert set(result) == {"protocol", "drawn_ink", "real_ink", "blurred", "small"}
    json.dumps(result, allow_nan=False)
    for path, figure in values(result):
        assert set(figure) == {"value", "low", "high", "n"}, path
    counted = result["drawn_ink"]["malignancy_changes_by"]["n"]
    assert f"{counted} photos without detected ink" in result["protocol"]
    assert "BCC, SCC, MEL" in result["protocol"]


@pytest.mark.parametrize("part", (slice(0, 12), slice(0, 3)), ids=("no ink", "malignant only"))
def test_what_cannot_be_measured_is_none(squares, part):
    result = measured(squares[part], Constant())
    json.dumps(result, allow_nan=False)
    assert result["real_ink"]["painted_over"]["malignancy_changes_by"] == {
        "value": None, "low": None, "high": None, "n": 0,
    }  # fmt: skip


@pytest.mark.parametrize("side", (64, 300))
@pytest.mark.parametrize("kind", PEN_KINDS)
def test_pen_darkens_a_thin_part_and_never_the_middle(kind, side):
    photo = np.full((side, side, 3), (215, 175, 150), np.uint8)
    rows, columns = np.mgrid[:side, :side] / side - 0.5
    for seed in range(8):
        drawn = draw_pen(photo, np.random.default_rng(seed), kind)
        changed = (drawn != photo).any(2)
        assert 0.001 < changed.mean() < 0.25, seed
        assert (drawn <= photo).all(), seed
        assert not changed[np.hypot(rows, columns) <= MIDDLE].any(), seed


def test_skin_shows_through_the_pen():
    photo = SAMPLES[0].draw()
    drawn = draw_pen(photo, np.random.default_rng(1), "circle")
    stroke = (photo.astype(int) - drawn).max(2) > 40
    assert np.corrcoef(photo[stroke, 1], drawn[stroke, 1])[0, 1] > 0.2


def test_pen_follows_its_generator():
    photo = np.full((100, 100, 3), 200, np.uint8)
    one, same, other = (draw_pen(photo, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_painting_over_hides_the_stroke_and_leaves_the_rest():
    photo = SAMPLES[0].draw()
    drawn = draw_pen(photo, np.random.default_rng(0), "circle")
    stroke = (drawn != photo).any(2)
    painted = paint_over(drawn, stroke)
    before, after = (np.abs(version.astype(float) - photo)[stroke].mean() for version in (drawn, painted))
    assert after < 0.3 * before
    far = ~np.isin(np.arange(600), np.flatnonzero(stroke.any(1)))
    assert np.array_equal(painted[far][:, :5], drawn[far][:, :5])


@pytest.mark.parametrize("hidden", (False, True))
def test_nothing_or_all_to_paint_over_leaves_the_photo(hidden):
    photo = np.full((64, 64, 3), 90, np.uint8)
    assert np.array_equal(paint_over(photo, np.full((64, 64), hidden)), photo)
