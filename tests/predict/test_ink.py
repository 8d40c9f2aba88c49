import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from skin_ai.evaluation.pen import PEN_KINDS, draw_pen
from skin_ai.predict.ink import has_ink, ink_mask
from skin_ai.predict.photo import crop_square
from skin_ai.training.augmentation import INK_COLOURS
from tests.drawn_cases import COLOURS, draw_lesion
from tests.drawn_samples import SAMPLES

SKIN = (215, 175, 150)


@pytest.fixture(scope="module")
def samples():
    return {sample.name: sample.draw()[::2, ::2].copy() for sample in SAMPLES}


def skin(side: int = 300) -> Image.Image:
    grain = np.random.default_rng(1).normal(0, 3, (side, side, 1))
    return Image.fromarray(np.clip(np.array(SKIN) + grain, 0, 255).astype(np.uint8))


def with_ring(side: int) -> np.ndarray:
    image = skin(side)
    box = (0.2 * side, 0.2 * side, 0.8 * side, 0.8 * side)
    ImageDraw.Draw(image).ellipse(box, outline=(80, 60, 150), width=max(2, side // 50))
    return np.array(image)


def with_blob(colour: tuple[int, int, int], box: tuple[int, int, int, int]) -> np.ndarray:
    image = skin()
    ImageDraw.Draw(image).ellipse(box, fill=colour)
    return np.array(image.filter(ImageFilter.GaussianBlur(2)))


@pytest.mark.parametrize("violet", (0.0, 0.5, 1.0), ids=("blue", "between", "violet"))
@pytest.mark.parametrize("kind", PEN_KINDS)
def test_pen_of_every_kind_and_hue_is_found(samples, kind, violet):
    found = [
        has_ink(draw_pen(photo, np.random.default_rng(seed), kind, violet))
        for photo in samples.values()
        for seed in range(3)
    ]
    assert np.mean(found) >= 0.8  # a pale pen is missed now and then


@pytest.mark.parametrize("colour", INK_COLOURS)
def test_flat_strokes_of_training_are_found(colour):
    image = skin()
    ImageDraw.Draw(image).line((40, 60, 120, 200, 250, 230), fill=colour, width=6)
    assert has_ink(np.array(image))


def test_mask_lies_on_the_stroke(samples):
    photo = samples["pearly-bump"]
    marked = draw_pen(photo, np.random.default_rng(0), "circle", 0.5)
    stroke = (photo.astype(int) - marked).max(2) > 20
    mask = ink_mask(marked)
    assert mask.shape == photo.shape[:2]
    assert (mask & stroke).sum() > 0.6 * stroke.sum()
    assert (mask & stroke).sum() > 0.6 * mask.sum()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_drawn_sample_has_no_ink(samples, sample):
    assert not has_ink(samples[sample.name])


@pytest.mark.parametrize("type_", COLOURS)
def test_drawn_lesion_has_no_ink(type_):
    for seed in range(10):
        assert not has_ink(crop_square(np.array(draw_lesion(type_, seed)))), seed


@pytest.mark.parametrize(
    ("colour", "box"),
    (
        ((52, 52, 66), (90, 90, 210, 210)),
        ((70, 74, 96), (130, 130, 170, 170)),
        ((40, 70, 140), (-100, 200, 400, 500)),
        ((40, 110, 190), (240, -100, 500, 400)),
    ),
    ids=("blue-black lesion", "small blue-grey lesion", "blue cloth below", "blue glove at the side"),
)
def test_blue_that_is_no_pen_is_left_alone(colour, box):
    assert not has_ink(with_blob(colour, box))


@pytest.mark.parametrize("side", (64, 100, 256, 300, 777, 2000))
def test_any_size_is_answered_at_its_own_size(side):
    assert ink_mask(with_ring(side)).shape == (side, side)
    assert has_ink(with_ring(side))
    assert not has_ink(np.array(skin(side)))


@pytest.mark.parametrize("value", (0, 128, 255))
def test_empty_photo_has_no_ink(value):
    assert not has_ink(np.full((80, 80, 3), value, np.uint8))
