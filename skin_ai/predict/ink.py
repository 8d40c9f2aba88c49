"""Where a photo shows a surgeon's blue or violet pen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter
from scipy import ndimage

SEEN = (
    "The photo seems to show a pen's mark. Marks are no part of the lesion, and the model may be swayed "
    "by them: a photo without any is better."
)

SIDE = 256  # pixels; lengths and areas below are at this size
COARSE, MEDIAN = 48, 11  # the skin around a pixel is the median over 11 / 48 of the side, wider than a stroke
LEAST_RED, LEAST_BLUENESS, LEAST_SHARE = 0.10, 0.10, 0.25
LEAST_AREA = 60
REACH = 3  # gaps in a stroke that are closed

# Log odds that a piece is a stroke, per unit of its density in red, green and blue and of its slenderness:
# logistic regression on the pieces of 245 photos of PAD-UFES-20 that were labelled by eye. Violet pens take
# away green most, blue ones red and green; a dark naevus, though bluish on its skin, takes away all three.
WEIGHTS = np.array((-6.35, 24.52, -13.69, 0.59))
BIAS = -2.09
LEAST_SLENDERNESS, MIDDLE = 1.0, 0.10  # what is more compact this near the middle, share of SIDE, is a lesion
SURE, SUPPORTING = 0.7, 0.3  # a photo has ink if one piece is sure; then weaker pieces are believed too


@dataclass(frozen=True)
class Piece:
    """A bluish piece of a photo: (SIDE, SIDE) bool, and how probably it is a stroke of a pen."""

    pixels: np.ndarray
    probability: float


def has_ink(square: np.ndarray) -> bool:
    """Whether the photo, (s, s, 3) uint8, seems to show a pen's stroke."""
    return bool(ink_mask(square).any())


def ink_mask(square: np.ndarray) -> np.ndarray:
    """(s, s) bool: the pixels of a photo, (s, s, 3) uint8, that look like a blue or violet pen on skin.

    Misses dots, faint lines, and pens of other colours; clothes at the edge and dark, shiny naevi on orange
    skin can be taken for ink.
    """
    density = _densities(square)
    found = np.zeros((SIDE, SIDE), bool)
    bluish = pieces(density)
    if any(piece.probability >= SURE for piece in bluish):
        for piece in bluish:
            if piece.probability >= SUPPORTING:
                found |= piece.pixels
        # Where the pen ran dry, the stroke goes on in paler pixels.
        found = ndimage.binary_propagation(found, np.ones((3, 3)), mask=found | _pale(density))
    side = len(square)
    return np.array(Image.fromarray(found).resize((side, side), Image.Resampling.NEAREST))


def pieces(density: np.ndarray) -> list[Piece]:
    """Connected pixels that take away red rather than blue from the light of the skin around.

    density: (SIDE, SIDE, 3). Melanin and blood take away blue at least as much as red.
    """
    red, blueness = density[..., 0], density[..., 0] - density[..., 2]
    share = blueness / np.maximum(density.sum(-1), 0.3)
    bluish = (red > LEAST_RED) & (blueness > LEAST_BLUENESS) & (share > LEAST_SHARE)
    closed = ndimage.binary_closing(np.pad(bluish, REACH), _disc(REACH))[REACH:-REACH, REACH:-REACH]
    numbered, _ = ndimage.label(closed, np.ones((3, 3)))
    depth = ndimage.distance_transform_edt(np.pad(closed, 1))[1:-1, 1:-1]
    from_middle = np.hypot(*(np.indices(bluish.shape) - (SIDE - 1) / 2))
    result = []
    for number, box in enumerate(ndimage.find_objects(numbered), 1):
        inside = numbered[box] == number
        area = int(inside.sum())
        if area < LEAST_AREA:
            continue
        slenderness = np.log(area / (2 * depth[box][inside].max()) ** 2)
        if slenderness < LEAST_SLENDERNESS and from_middle[box][inside].min() < MIDDLE * SIDE:
            continue
        means = density[box][inside & bluish[box]].mean(0)
        pixels = np.zeros((SIDE, SIDE), bool)
        pixels[box] = inside
        odds = WEIGHTS @ np.array([*means, slenderness]) + BIAS
        result.append(Piece(pixels, float(1 / (1 + np.exp(-odds)))))
    return result


def _pale(density: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE) bool: half as bluish as what starts a piece, and of a pen's colour by WEIGHTS."""
    red, blueness = density[..., 0], density[..., 0] - density[..., 2]
    of_a_pen = density @ WEIGHTS[:3] + BIAS > 0
    return np.asarray((red > LEAST_RED / 2) & (blueness > LEAST_BLUENESS / 2) & of_a_pen)


def _densities(square: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE, 3) log of the light of the skin around over that of the pixel."""
    filter_ = Image.Resampling.BOX if len(square) > SIDE else Image.Resampling.BICUBIC
    image = Image.fromarray(square).resize((SIDE, SIDE), filter_)
    skin = image.resize((COARSE, COARSE), Image.Resampling.BOX).filter(ImageFilter.MedianFilter(MEDIAN))
    around = np.asarray(skin.resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32)
    pixels = ndimage.gaussian_filter(np.asarray(image, np.float32), (0.7, 0.7, 0))
    return np.asarray(np.log((around + 8) / (pixels + 8)))  # 8 of 255: below it the camera's noise rules


def _disc(radius: int) -> np.ndarray:
    rows, columns = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(rows**2 + columns**2 <= radius**2)
