"""Finds marks of a blue or violet surgical pen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter
from scipy import ndimage

SEEN = "The photo seems to show pen marks, which can mislead the model."
ADVICE = f"{SEEN} Use a photo without them if you can."

SIDE = 256  # pixels; lengths and areas below are for this size
COARSE, MEDIAN = 48, 11  # surrounding skin: the median over 11 / 48 of the side, wider than a stroke
LEAST_RED, LEAST_BLUENESS, LEAST_SHARE = 0.10, 0.10, 0.25
LEAST_AREA = 60
REACH = 3  # radius of the closing that bridges gaps in a stroke

# Log odds that a piece is a stroke, per unit of its density in red, green and blue and of its slenderness:
# logistic regression on the pieces of 245 photos of PAD-UFES-20, labelled by eye. Violet ink absorbs mostly
# green, blue ink red and green; a dark naevus that looks bluish absorbs all three.
WEIGHTS = np.array((-6.35, 24.52, -13.69, 0.59))
BIAS = -2.09
LEAST_SLENDERNESS, MIDDLE = 1.0, 0.10  # a compact piece this near the middle (share of SIDE) is a lesion
SURE, SUPPORTING = 0.7, 0.3  # a photo has ink if one piece is sure; weaker pieces then count too


@dataclass(frozen=True)
class Piece:
    """A bluish piece of a photo: (SIDE, SIDE) bool, and the probability that it is a pen stroke."""

    pixels: np.ndarray
    probability: float


def has_ink(square: np.ndarray) -> bool:
    """Whether the square, (s, s, 3) uint8, seems to show pen marks."""
    return bool(_found(_densities(square)).any())


def ink_mask(square: np.ndarray) -> np.ndarray:
    """(s, s) bool: pixels of a square, (s, s, 3) uint8, that look like blue or violet ink on skin.

    Misses dots, faint lines and other colours; clothes at the edge and dark, shiny naevi on orange skin can
    be mistaken for ink.
    """
    side = len(square)
    found = Image.fromarray(_found(_densities(square)))
    return np.array(found.resize((side, side), Image.Resampling.NEAREST))


def _found(density: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE) bool: the ink, by the density (SIDE, SIDE, 3)."""
    found = np.zeros((SIDE, SIDE), bool)
    bluish = pieces(density)
    if any(piece.probability >= SURE for piece in bluish):
        for piece in bluish:
            if piece.probability >= SUPPORTING:
                found |= piece.pixels
        # Where the pen ran dry, the stroke continues in paler pixels.
        found = ndimage.binary_propagation(found, np.ones((3, 3)), mask=found | _pale(density))
    return found


def pieces(density: np.ndarray) -> list[Piece]:
    """Connected pixels that absorb more red than blue, compared with the surrounding skin.

    density: (SIDE, SIDE, 3). Melanin and blood absorb at least as much blue as red.
    """
    red, blueness = density[..., 0], density[..., 0] - density[..., 2]
    share = blueness / np.maximum(density.sum(-1), 0.3)
    bluish = (red > LEAST_RED) & (blueness > LEAST_BLUENESS) & (share > LEAST_SHARE)
    if not bluish.any():  # of one photo in four
        return []
    closed = ndimage.binary_closing(np.pad(bluish, REACH), _disc(REACH))[REACH:-REACH, REACH:-REACH]
    numbered, _ = ndimage.label(closed, np.ones((3, 3)))
    from_middle = np.hypot(*(np.indices(bluish.shape) - (SIDE - 1) / 2))
    result = []
    for number, box in enumerate(ndimage.find_objects(numbered), 1):
        inside = numbered[box] == number
        area = int(inside.sum())
        if area < LEAST_AREA:
            continue
        depth = ndimage.distance_transform_edt(np.pad(inside, 1)).max()
        slenderness = np.log(area / (2 * depth) ** 2)
        if slenderness < LEAST_SLENDERNESS and from_middle[box][inside].min() < MIDDLE * SIDE:
            continue
        means = density[box][inside & bluish[box]].mean(0)
        pixels = np.zeros((SIDE, SIDE), bool)
        pixels[box] = inside
        odds = WEIGHTS @ np.array([*means, slenderness]) + BIAS
        result.append(Piece(pixels, float(1 / (1 + np.exp(-odds)))))
    return result


def _pale(density: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE) bool: half as bluish as a piece must be, and ink-coloured by WEIGHTS."""
    red, blueness = density[..., 0], density[..., 0] - density[..., 2]
    of_a_pen = density @ WEIGHTS[:3] + BIAS > 0
    return np.asarray((red > LEAST_RED / 2) & (blueness > LEAST_BLUENESS / 2) & of_a_pen)


def _densities(square: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE, 3) optical density: log of the surrounding skin's value over the pixel's."""
    filter_ = Image.Resampling.BOX if len(square) > SIDE else Image.Resampling.BICUBIC
    image = Image.fromarray(square).resize((SIDE, SIDE), filter_)
    skin = image.resize((COARSE, COARSE), Image.Resampling.BOX).filter(ImageFilter.MedianFilter(MEDIAN))
    around = np.asarray(skin.resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32)
    pixels = ndimage.gaussian_filter(np.asarray(image, np.float32), (0.7, 0.7, 0))
    return np.asarray(np.log((around + 8) / (pixels + 8)))  # 8 of 255: below it is mostly noise


def _disc(radius: int) -> np.ndarray:
    rows, columns = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(rows**2 + columns**2 <= radius**2)
