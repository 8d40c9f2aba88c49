"""A surgeon's pen unlike the one that training draws, and painting it over with skin."""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

MIDDLE = 0.10  # no stroke comes nearer to the photo's middle, as a share of its side
OVERSAMPLING = 2
# Share of red, green and blue light that a full layer lets through.
BLUE, VIOLET = np.array((0.14, 0.30, 0.80)), np.array((0.40, 0.25, 0.88))


def draw_pen(
    square: np.ndarray, rng: np.random.Generator, kind: str | None = None, violet: float | None = None
) -> np.ndarray:
    """(s, s, 3) uint8 with one or two marks of a pen around the middle, which stays free.

    kind: one of PEN_KINDS; violet: 0 for blue to 1 for violet; both random if None. The ink absorbs light,
    more in furrows, so that the skin shows through.
    """
    kind = kind or PEN_KINDS[rng.integers(len(PEN_KINDS))]
    side = len(square)
    lines = [line for _ in range(rng.integers(1, 3)) for line in MARKS[kind](rng)]
    layer = _coverage(lines, side, rng.uniform(0.007, 0.03), rng)
    rows, columns = np.mgrid[:side, :side] / side - 0.5
    layer *= np.hypot(rows, columns) > MIDDLE
    shade = rng.uniform() if violet is None else violet
    through = (1 - shade) * BLUE + shade * VIOLET
    density = rng.uniform(0.4, 1.2) * layer * _hold(square, rng)
    return np.round(square * through ** density[..., None]).astype(np.uint8)


def _hold(square: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(s, s) how much ink the skin takes, about 1: more in furrows, uneven with the pressure of the hand."""
    light = square.mean(2)
    furrows = ndimage.gaussian_filter(light, len(light) / 40) - light
    pressed = _smooth_noise(rng, len(light), 9) + 0.5 * _smooth_noise(rng, len(light), 60)
    return np.clip(1 + furrows / 40 + 0.3 * pressed, 0.05, 1.8)


def _smooth_noise(rng: np.random.Generator, side: int, cells: int) -> np.ndarray:
    grid = Image.fromarray(rng.standard_normal((cells, cells)).astype(np.float32))
    return np.asarray(grid.resize((side, side), Image.Resampling.BICUBIC))


def _coverage(lines: list[np.ndarray], side: int, width: float, rng: np.random.Generator) -> np.ndarray:
    """(s, s) coverage 0..1 by lines of varying width, each (n, 2) columns and rows in 0..1."""
    scale = side * OVERSAMPLING
    canvas = Image.new("L", (scale, scale))
    pen = ImageDraw.Draw(canvas)
    for line in lines:
        swell = np.interp(np.linspace(0, 5, len(line)), np.arange(6), rng.uniform(0.6, 1.3, 6))
        radii = np.maximum(width * swell * scale / 2, 1.0)
        for (column, row), radius in zip(line * scale, radii, strict=True):
            pen.ellipse((column - radius, row - radius, column + radius, row + radius), fill=255)
    small = canvas.resize((side, side), Image.Resampling.BOX)
    return ndimage.gaussian_filter(np.asarray(small, np.float32) / 255, side * 0.0015)


def _bezier(points: np.ndarray) -> np.ndarray:
    """(150, 2) along a cubic curve of (4, 2) control points."""
    t = np.linspace(0, 1, 150)[:, None]
    first, second, third, last = points
    return (1 - t) ** 3 * first + 3 * (1 - t) ** 2 * t * second + 3 * (1 - t) * t**2 * third + t**3 * last


def _line(start: np.ndarray, end: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A slightly bent line."""
    bend = rng.normal(0, 0.08 * np.hypot(*(end - start)), (2, 2))
    return _bezier(np.stack([start, (2 * start + end) / 3 + bend[0], (start + 2 * end) / 3 + bend[1], end]))


def _at(distance: float, angle: float) -> np.ndarray:
    return 0.5 + distance * np.array([np.cos(angle), np.sin(angle)])


def _circle(rng: np.random.Generator) -> list[np.ndarray]:
    start, turn = rng.uniform(0, 2 * np.pi), rng.uniform(1.6, 2.2) * np.pi
    angles = np.linspace(start, start + turn, 600)
    wobble = sum(
        rng.normal(0, 0.07 / n) * np.cos(n * angles * 0.9 + rng.uniform(0, 2 * np.pi)) for n in range(1, 6)
    )
    radius = rng.uniform(0.2, 0.52) * (1 + wobble)
    stretch, tilt = rng.uniform(0.75, 1.0), rng.uniform(0, np.pi)
    columns, rows = radius * np.cos(angles), radius * stretch * np.sin(angles)
    middle = 0.5 + rng.uniform(-0.05, 0.05, 2)
    turned = (columns * np.cos(tilt) - rows * np.sin(tilt), columns * np.sin(tilt) + rows * np.cos(tilt))
    return [middle + np.stack(turned, 1)]


def _arrow(rng: np.random.Generator) -> list[np.ndarray]:
    """Points at the lesion."""
    angle, tip_at = rng.uniform(0, 2 * np.pi), rng.uniform(0.17, 0.32)
    tip, tail = _at(tip_at, angle), _at(tip_at + rng.uniform(0.15, 0.35), angle + rng.normal(0, 0.15))
    back = np.arctan2(*(tail - tip)[::-1])
    head = rng.uniform(0.05, 0.09)
    barbs = (tip + head * np.array([np.cos(back + turn), np.sin(back + turn)]) for turn in (-0.55, 0.6))
    return [_line(tail, tip, rng), *(_line(barb, tip, rng) for barb in barbs)]


def _cross(rng: np.random.Generator) -> list[np.ndarray]:
    middle, turn = _at(rng.uniform(0.27, 0.48), rng.uniform(0, 2 * np.pi)), rng.uniform(0, np.pi)
    arms = []
    for angle in (turn, turn + rng.normal(np.pi / 2, 0.15)):
        arm = rng.uniform(0.05, 0.12) * np.array([np.cos(angle), np.sin(angle)])
        arms.append(_line(middle - arm, middle + arm, rng))
    return arms


def _tick(rng: np.random.Generator) -> list[np.ndarray]:
    corner, size = _at(rng.uniform(0.28, 0.48), rng.uniform(0, 2 * np.pi)), rng.uniform(0.06, 0.12)
    down, up = np.array([-0.45, -0.5]), np.array([0.8, -1.0])
    return [_line(corner + size * down, corner, rng), _line(corner, corner + size * up, rng)]


def _writing(rng: np.random.Generator) -> list[np.ndarray]:
    """Two to four strokes in a row that look like letters."""
    start, size = _at(rng.uniform(0.32, 0.45), rng.uniform(0, 2 * np.pi)), rng.uniform(0.05, 0.09)
    count = int(rng.integers(2, 5))
    first = start - np.array([count * size / 2, 0])
    letters = first + np.arange(count)[:, None] * np.array([size, 0.0])
    return [_bezier(letter + size * rng.uniform(-0.6, 0.6, (4, 2))) for letter in letters]


MARKS: Final = {"circle": _circle, "arrow": _arrow, "cross": _cross, "tick": _tick, "writing": _writing}
PEN_KINDS: Final = tuple(MARKS)


def paint_over(square: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(s, s, 3) uint8 with masked pixels replaced by skin from beyond the nearest edge of the mask.

    The tone is a weighted mean of the surroundings, the texture that of the mirrored pixel.
    """
    side = len(square)
    hidden = ndimage.binary_dilation(mask, iterations=max(1, round(side / 75)))
    if not hidden.any() or hidden.all():
        return square.copy()
    shown = (~hidden).astype(np.float32)
    spread = side / 30
    weight = ndimage.gaussian_filter(shown, spread, truncate=8) + 1e-6
    around = ndimage.gaussian_filter(square * shown[..., None], (spread, spread, 0), truncate=8)
    tone = around / weight[..., None]
    nearest = ndimage.distance_transform_edt(hidden, return_distances=False, return_indices=True)
    mirrored = np.clip(2 * nearest - np.indices(hidden.shape), 0, side - 1)
    source = np.where(hidden[tuple(mirrored)], nearest, mirrored)
    texture = (square - tone)[tuple(source)]
    return np.where(hidden[..., None], np.clip(np.round(tone + texture), 0, 255), square).astype(np.uint8)
