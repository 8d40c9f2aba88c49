import numpy as np
import pytest

from skin_ai.predict import heatmap_overlay as view


def spot(row: int, column: int, value: float = 1.0, side: int = 9) -> np.ndarray:
    evidence = np.zeros((side, side), dtype=np.float32)
    evidence[row, column] = value
    return evidence


def test_for_and_against_have_their_own_colours():
    colours = view.overlay(spot(2, 2) - spot(6, 6), scale=1.0, side=90)
    assert tuple(colours[25, 25, :3]) == view.FOR
    assert tuple(colours[65, 65, :3]) == view.AGAINST


def test_no_evidence_is_transparent_and_the_strongest_opaque():
    colours = view.overlay(spot(4, 4, 2.0), scale=1.0, side=90)
    assert colours.shape == (90, 90, 4)
    assert colours[45, 45, 3] == 255
    assert colours[5, 5, 3] == 0


def test_all_types_share_the_scale_of_the_strongest():
    maps = {"MEL": spot(4, 4, 3.0), "NEV": spot(4, 4, -0.3)}
    scale = view.common_scale(maps)
    assert scale == 3.0
    strong, weak = (view.overlay(map_, scale, 90)[..., 3].max() for map_ in maps.values())
    assert weak < 0.15 * strong


def test_all_but_empty_maps_look_empty():
    maps = {"MEL": spot(4, 4, 1e-4), "NEV": spot(1, 1, -1e-4)}
    colours = view.overlay(maps["MEL"], view.common_scale(maps), 90)
    assert colours[..., 3].max() < 5
    assert "hardly any evidence" in view.in_words(maps["MEL"], view.common_scale(maps), "melanoma")


@pytest.mark.parametrize(("opacity", "red"), [(0.0, 200), (0.5, 100), (1.0, 0)])
def test_opacity_mixes_photo_and_colour(opacity, red):
    photo = np.full((90, 90, 3), 200, dtype=np.uint8)
    mixed = view.on_photo(photo, view.overlay(spot(4, 4, 2.0), 1.0, 90), opacity)
    assert mixed.dtype == np.uint8
    assert mixed[45, 45, 0] == pytest.approx(red, abs=1)
    assert np.array_equal(mixed[0, 0], photo[0, 0])


@pytest.mark.parametrize(
    ("row", "column", "place"),
    [
        (0, 0, "upper left of the centre"),
        (0, 4, "above the centre"),
        (1, 8, "upper right of the centre"),
        (4, 1, "left of the centre"),
        (4, 4, "at the centre"),
        (4, 8, "right of the centre"),
        (8, 0, "lower left of the centre"),
        (8, 4, "below the centre"),
    ],
)
def test_words_say_where_the_strongest_evidence_lies(row, column, place):
    assert f" {place};" in view.in_words(spot(row, column), 1.0, "melanoma")


def test_words_say_how_much_lies_in_the_middle():
    evidence = spot(4, 4, 3.0) + spot(0, 0, 1.0)
    assert "75%" in view.in_words(evidence, 3.0, "melanoma")
    # Even evidence: half of the width times half of the height, also where places straddle the border.
    assert "25%" in view.in_words(np.ones((7, 7)), 1.0, "melanoma")


def test_words_tell_for_from_against():
    words = view.in_words(spot(4, 4, -1.0), 1.0, "nevus")
    assert "hardly any evidence for nevus" in words
    assert "evidence against nevus is at the centre" in words


def test_strong_evidence_has_no_ring_of_the_opposite():
    for sign in (1, -1):
        smooth = view.enlarged(spot(4, 4, sign * 3.0), 90)
        assert (sign * smooth).min() == 0
        assert (sign * smooth).max() == pytest.approx(3, rel=0.05)


def test_words_of_a_map_on_no_scale_say_only_where_it_is_strongest():
    words = view.relative_in_words(spot(0, 4, 1.0), "melanoma")
    assert "melanoma is strongest above the centre" in words and "0%" in words
    assert "against" not in words
    assert "no evidence for melanoma" in view.relative_in_words(np.zeros((7, 7)), "melanoma")
