"""Foreign photos are what their kind says, and the same for the same seed."""

import numpy as np
import pytest
from drawn_cases import COLOURS, draw_lesion
from scipy.ndimage import gaussian_filter

from skin_ai.evaluation.foreign import KINDS, foreign_photos
from skin_ai.evaluation.painting_over import lesion_mask

MADE_OF_DATA = {"painted_over", "skin_corner", "lesion_inside", "false_colours", "posterised"}


@pytest.fixture(scope="module")
def squares() -> np.ndarray:
    """Twelve drawn lesions on skin that is mottled a little, with the grain that a camera leaves."""
    rng = np.random.default_rng(3)
    drawn = np.stack(
        [np.asarray(draw_lesion(type_, seed))[:, 10:310] for seed in (1, 2) for type_ in COLOURS]
    )
    mottled = gaussian_filter(rng.normal(0, 1, (*drawn.shape[:3], 1)), (0, 8, 8, 0)) * 80
    return np.clip(drawn + mottled + rng.normal(0, 3, drawn.shape), 0, 255).astype(np.uint8)


def test_every_kind_is_made_again_from_the_same_seed(squares: np.ndarray) -> None:
    first, again, other = (foreign_photos(squares, seed, per_kind=3) for seed in (7, 7, 8))
    assert set(first) == set(KINDS)
    for kind, photos in first.items():
        assert len(photos) == 3, kind
        assert all(photo.pixels.shape == (300, 300, 3) and photo.pixels.dtype == np.uint8 for photo in photos)
        assert all((photo.place is not None) == (kind in MADE_OF_DATA) for photo in photos), kind
        same = [np.array_equal(a.pixels, b.pixels) for a, b in zip(photos, again[kind], strict=True)]
        assert all(same), kind
        different = [np.array_equal(a.pixels, b.pixels) for a, b in zip(photos, other[kind], strict=True)]
        assert not all(different), kind


def test_lesion_is_found_and_painting_over_leaves_skin(squares: np.ndarray) -> None:
    painted = KINDS["painted_over"](squares, np.random.default_rng(7), 12)
    assert len(painted) == 12
    for photo in painted:
        before = squares[photo.place]
        spot = lesion_mask(before)
        assert spot is not None
        assert spot[150, 150]
        skin = before[:20].reshape(-1, 3).mean(0)
        change = np.abs(before[spot].mean(0) - skin).max(), np.abs(photo.pixels[spot].mean(0) - skin).max()
        assert change[1] < 0.2 * change[0]


def test_corner_and_inside_are_parts_of_their_photo(squares: np.ndarray) -> None:
    rng = np.random.default_rng(7)
    for photo in KINDS["skin_corner"](squares, rng, 6):
        skin = squares[photo.place][:20].reshape(-1, 3).mean(0)
        assert np.abs(photo.pixels.reshape(-1, 3).mean(0) - skin).max() < 10
    for photo in KINDS["lesion_inside"](squares, rng, 6):
        lesion = squares[photo.place][lesion_mask(squares[photo.place])].mean(0)
        assert np.abs(photo.pixels.reshape(-1, 3).mean(0) - lesion).max() < 15


def test_skin_without_a_lesion_has_no_mask() -> None:
    skin = np.random.default_rng(1).normal((215, 175, 150), 4, (300, 300, 3)).clip(0, 255).astype(np.uint8)
    assert lesion_mask(skin) is None
