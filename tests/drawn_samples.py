"""Photos drawn by code, as inputs of tests; they show no real lesion."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIDE: Final = 600  # pixels; all lengths below are fractions of it
ROWS, COLUMNS = np.mgrid[0:SIDE, 0:SIDE] / SIDE

Colour = tuple[float, float, float]  # red, green, blue from 0 to 255


@dataclass(frozen=True)
class Sample:
    """A drawn photo, (SIDE, SIDE, 3) uint8 and the same at each call, and what a patient might say."""

    name: str
    title: str
    narrative: str
    draw: Callable[[], np.ndarray]


def pearly_bump() -> np.ndarray:
    random = np.random.default_rng(1)
    skin = _skin(random, (214, 172, 150))
    distance = _blob(random, radius=0.19, roughness=0.01)
    inside = _within(distance, 0.05)
    redness = _within(distance - 0.05, 0.2)
    photo = _blend(skin, (205, 128, 118), 0.4 * redness)
    photo = _blend(photo, (214, 144, 132), 0.7 * inside)
    photo = _blend(photo, (234, 194, 182), 0.5 * np.exp(-(((distance + 0.035) / 0.025) ** 2)))
    dome = 0.12 * np.sqrt(np.clip(-distance, 0, None) + 1e-3) + 0.0022 * inside * _noise(random, 9, 2)
    pit = np.exp(-(((COLUMNS - 0.53) ** 2 + (ROWS - 0.52) ** 2) / 0.0035))
    photo = _blend(photo, (176, 98, 88), 0.5 * pit)
    photo = _lit(photo, _smooth(dome - 0.025 * pit, 4))
    for angle in np.arange(9) * 2 * np.pi / 9 + random.normal(0, 0.2, 9):
        rim = 0.5 + 0.18 * np.array([np.cos(angle), np.sin(angle)])
        vessels = _vessel(random, rim, heading=angle + np.pi, length=random.uniform(0.07, 0.14), width=0.0035)
        photo = _blend(photo, (172, 52, 58), random.uniform(0.35, 0.65) * vessels * inside)
    shine = np.exp(-(((COLUMNS - 0.42) / 0.035) ** 2) - ((ROWS - 0.39) / 0.02) ** 2)
    shine += 0.6 * np.exp(-(((COLUMNS - 0.385) / 0.015) ** 2) - ((ROWS - 0.45) / 0.03) ** 2)
    photo = _blend(photo, (255, 246, 240), 0.75 * np.clip(shine * (1 + 0.25 * _noise(random, 60)), 0, 1))
    return _as_photo(photo, random, hairs=5, hair_colour=(150, 120, 100))


def even_brown_spot() -> np.ndarray:
    random = np.random.default_rng(2)
    skin = _skin(random, (222, 180, 154))
    distance = _blob(random, radius=0.15, roughness=0.004, stretch=1.1)
    inside = _within(distance, 0.03)
    brown = _blend(np.full_like(skin, (134, 86, 58)), (104, 62, 42), _within(distance + 0.06, 0.1))
    network = np.clip(0.5 + 0.35 * _noise(random, 55, 2), 0, 1)
    brown = brown * (1.06 - 0.12 * network)[..., None]
    photo = skin + (0.9 * inside)[..., None] * (brown + 0.35 * (skin - skin.mean((0, 1))) - skin)
    photo = _lit(photo, 0.012 * _smooth(_within(distance + 0.015, 0.06), 6))
    return _as_photo(photo, random, hairs=9, hair_colour=(70, 50, 40))


def uneven_dark_patch() -> np.ndarray:
    random = np.random.default_rng(13)
    skin = _skin(random, (216, 176, 152))
    distance = _blob(random, radius=0.23, roughness=0.03, stretch=1.2)
    notch = np.hypot(COLUMNS - 0.5, ROWS - 0.79) - 0.12
    distance = np.maximum(distance, -notch)
    inside = _within(distance, 0.032)
    tones = _noise(random, 5, 4)
    patch = np.full_like(skin, (112, 70, 50))
    patch = _blend(patch, (158, 106, 76), _within(0.7 - tones, 0.8))
    patch = _blend(patch, (52, 34, 32), _within(tones + 0.35, 0.7))
    patch = _blend(patch, (36, 27, 29), _within(np.hypot(COLUMNS - 0.4, (ROWS - 0.55) * 1.2) - 0.085, 0.07))
    grey = _within(np.hypot(COLUMNS - 0.58, ROWS - 0.58) - 0.03 + 0.02 * _noise(random, 8, 2), 0.08)
    patch = _blend(patch, (122, 112, 116), 0.7 * grey)
    pink = _within(np.hypot(COLUMNS - 0.64, ROWS - 0.42) - 0.04 + 0.015 * _noise(random, 8, 2), 0.07)
    patch = _blend(patch, (190, 128, 118), 0.7 * pink)
    patch += (6 * _noise(random, 50, 2))[..., None]
    photo = _blend(skin, (196, 128, 114), 0.3 * _within(distance - 0.03, 0.09))
    photo = photo + (0.94 * inside)[..., None] * (patch + 0.4 * (skin - skin.mean((0, 1))) - photo)
    photo = _lit(photo, 0.01 * _smooth(_within(distance + 0.08, 0.1), 6))
    return _as_photo(photo, random, hairs=7, hair_colour=(80, 58, 46))


def rough_red_patch() -> np.ndarray:
    random = np.random.default_rng(4)
    skin = _skin(random, (218, 170, 146))
    freckles = _smooth(np.clip(_noise(random, 22, 2) - 1.6, 0, 0.6), 4)
    skin = _blend(skin, (168, 112, 82), 0.8 * freckles)
    distance = _blob(random, radius=0.2, roughness=0.035, stretch=1.2)
    inside = _within(distance, 0.1)
    photo = _blend(skin, (198, 104, 92), inside * np.clip(0.62 + 0.12 * _noise(random, 14, 3), 0, 1))
    flakes = 0.8 * _noise(random, 34, 3) + 0.6 * _noise(random, 7, 2)
    scales = _within(0.55 - flakes, 1.1) * _within(distance + 0.02, 0.1)
    photo = _blend(photo, (236, 216, 196), 0.72 * scales)
    crust = _within(1.75 - flakes, 0.5) * _within(distance + 0.05, 0.08)
    photo = _blend(photo, (198, 158, 104), 0.65 * crust)
    photo = _lit(photo, 0.0022 * inside * _smooth(np.clip(flakes, -0.3, 2), 1))
    return _as_photo(photo, random, hairs=4, hair_colour=(190, 170, 150))


def stuck_on_plaque() -> np.ndarray:
    random = np.random.default_rng(8)
    skin = _skin(random, (206, 160, 134))
    distance = _blob(random, radius=0.19, roughness=0.01, stretch=1.15)
    inside = _within(distance, 0.012)
    shadow = np.roll(_within(distance, 0.03), (8, 8), (0, 1)) * (1 - inside)
    photo = _blend(skin, (120, 80, 62), 0.45 * shadow)
    warts = _noise(random, 26, 3)
    cracks = np.clip(-warts - 0.7, 0, 1)
    plaque = np.full_like(skin, (140, 98, 68))
    plaque += _noise(random, 7, 3)[..., None] * np.array([11, 10, 8])
    plaque = _blend(plaque, (78, 52, 38), 0.75 * cracks)
    pearls = np.zeros((SIDE, SIDE))
    plugs = np.zeros((SIDE, SIDE))
    for number in range(26):
        spread = random.normal(0, 0.085, 2)
        row, column, radius = 0.5 + spread[0], 0.5 + 1.2 * spread[1], random.uniform(0.005, 0.011)
        dot = _within(np.hypot(COLUMNS - column, ROWS - row) - radius, 0.008)
        if number % 3:
            plugs = np.maximum(plugs, dot)
        else:
            pearls = np.maximum(pearls, dot)
    plaque = _blend(plaque, (48, 32, 26), 0.8 * plugs)
    plaque = _blend(plaque, (206, 178, 138), 0.75 * pearls)
    photo = photo + inside[..., None] * (plaque - photo)
    surface = 0.02 * _within(distance + 0.012, 0.03)
    surface += inside * (0.0022 * np.clip(warts, -1.5, 2) - 0.004 * plugs)
    photo = _lit(photo, _smooth(surface, 2))
    gloss = np.clip(_noise(random, 30, 2) - 1.1, 0, 1) * inside * _within(COLUMNS + ROWS - 0.95, 0.3)
    photo = _blend(photo, (236, 222, 200), 0.45 * gloss)
    return _as_photo(photo, random, hairs=6, hair_colour=(120, 100, 90))


SAMPLES: Final = (
    Sample(
        "pearly-bump",
        "Drawn: shiny pink bump beside the nose",
        "I am 67 and there is a shiny bump next to my nose that has slowly grown for about a year. "
        "It bleeds when I dry my face, forms a scab and never heals completely. It does not hurt.",
        pearly_bump,
    ),
    Sample(
        "even-brown-spot",
        "Drawn: even brown spot on the back",
        "I'm 29. My partner pointed out a brown spot on my back, but I think that I have had it since school "
        "and it looks the same in old holiday pictures. It doesn't itch, hurt or bleed.",
        even_brown_spot,
    ),
    Sample(
        "uneven-dark-patch",
        "Drawn: dark patch of several colours on the calf",
        "I am 54 and a dark patch on my left calf has become bigger over the last four months. "
        "One side has turned nearly black and the edge looks ragged now. It itches at times, and last week "
        "it bled a little after I had scratched it.",
        uneven_dark_patch,
    ),
    Sample(
        "rough-red-patch",
        "Drawn: rough red patch on the forehead",
        "I'm 72 and worked outdoors all my life. On my forehead there is a red patch that feels like "
        "sandpaper; the scale comes off and grows back. It stings a bit in the sun but has hardly grown in "
        "two years.",
        rough_red_patch,
    ),
    Sample(
        "stuck-on-plaque",
        "Drawn: waxy brown plaque on the chest",
        "I am 63. This brown thing on my chest has been there for many years and looks as if it was glued "
        "on. It catches on my shirt and sometimes itches, but it has never bled.",
        stuck_on_plaque,
    ),
)


def _noise(random: np.random.Generator, cells: int, octaves: int = 1) -> np.ndarray:
    """(SIDE, SIDE) smooth noise of mean 0 and deviation 1; its largest blobs are 1 / cells wide."""
    total = np.zeros((SIDE, SIDE))
    for octave in range(octaves):
        grid = random.standard_normal((cells * 2**octave, cells * 2**octave)).astype(np.float32)
        smooth = Image.fromarray(grid).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        total += np.asarray(smooth) / 2**octave
    return (total - total.mean()) / total.std()


def _smooth(height: np.ndarray, radius: int) -> np.ndarray:
    """The surface with its edges rounded over radius pixels."""
    kernel = np.exp(-((np.arange(-3 * radius, 3 * radius + 1) / radius) ** 2) / 2)
    kernel /= kernel.sum()
    padded = np.pad(height, 3 * radius, mode="edge")
    rows = np.apply_along_axis(np.convolve, 0, padded, kernel, "valid")
    return np.apply_along_axis(np.convolve, 1, rows, kernel, "valid")


def _blob(random: np.random.Generator, radius: float, roughness: float, stretch: float = 1.0) -> np.ndarray:
    """(SIDE, SIDE) distance to the outline of a roundish blob in the middle, negative inside."""
    distance = np.hypot((COLUMNS - 0.5) / stretch, (ROWS - 0.5) * stretch) - radius
    return distance + roughness * _noise(random, 6, 3)


def _within(distance: np.ndarray, edge: float) -> np.ndarray:
    """1 where the distance is negative and 0 where it is positive, blended over the width of the edge."""
    return 1 / (1 + np.exp(np.clip(5 * distance / edge, -30, 30)))


def _blend(photo: np.ndarray, colour: Colour, share: np.ndarray) -> np.ndarray:
    return photo + share[..., None] * (np.array(colour) - photo)


def _lit(photo: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Soft light from the upper left on a surface of this height."""
    down, right = np.gradient(height * SIDE)
    return photo * (1 + 0.35 * np.tanh(down + right))[..., None]


def _skin(random: np.random.Generator, tone: Colour) -> np.ndarray:
    """(SIDE, SIDE, 3) floats: bare skin with blotches, furrows and pores."""
    photo = np.full((SIDE, SIDE, 3), tone, float)
    photo += _noise(random, 3, 3)[..., None] * np.array([2.0, 3.0, 3.0])
    photo += _noise(random, 30, 2)[..., None] * np.array([1.5, 2.5, 2.5])
    # Skin's furrows form a net: smooth noise is near zero along such lines.
    furrows = sum(np.exp(-((_noise(random, cells) / 0.3) ** 2)) for cells in (40, 58, 75))
    depth = np.clip(0.7 + 0.3 * _noise(random, 5), 0.2, 1.2) * furrows
    pores = np.clip(_noise(random, 75) - 1.7, 0, 1)
    return _lit(photo - (2.2 * depth + 9 * pores)[..., None], -0.00022 * depth)


def _strokes(lines: list[np.ndarray], width: float) -> np.ndarray:
    """(SIDE, SIDE) share of each pixel that is covered by lines, each (n, 2) points (column, row)."""
    oversampling = 3
    canvas = Image.new("L", (SIDE * oversampling, SIDE * oversampling))
    for line in lines:
        points = [(float(column), float(row)) for column, row in line * SIDE * oversampling]
        ImageDraw.Draw(canvas).line(points, 255, max(1, round(width * SIDE * oversampling)), "curve")
    small = canvas.resize((SIDE, SIDE), Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(0.7))
    return np.asarray(small) / 255


def _vessel(
    random: np.random.Generator, start: np.ndarray, heading: float, length: float, width: float
) -> np.ndarray:
    """(SIDE, SIDE) coverage by a small vessel that winds and forks."""
    steps = 16
    headings = heading + np.cumsum(random.normal(0, 0.3, steps))
    path = start + np.cumsum(np.stack([np.cos(headings), np.sin(headings)], 1), 0) * length / steps
    coverage = _strokes([path], width)
    if width > 0.0018:
        side = random.choice([-0.7, 0.7])
        branch = _vessel(random, path[7], headings[7] + side, 0.6 * length, 0.6 * width)
        coverage = np.maximum(coverage, branch)
    return coverage


def _as_photo(photo: np.ndarray, random: np.random.Generator, hairs: int, hair_colour: Colour) -> np.ndarray:
    """(SIDE, SIDE, 3) uint8: with hairs, light that falls off to the corners, and the camera's grain."""
    for _ in range(hairs):
        root, heading = random.uniform(0, 1, 2), random.normal(0.9, 0.35)
        bend, length = random.normal(0, 0.5), random.uniform(0.12, 0.3)
        along = np.linspace(0, 1, 24)
        headings = heading + bend * along
        path = root + np.cumsum(np.stack([np.cos(headings), np.sin(headings)], 1), 0) * length / 24
        photo = _blend(photo, (90, 60, 50), 0.18 * np.roll(_strokes([path], 0.004), (3, 3), (0, 1)))
        photo = _blend(photo, hair_colour, 0.75 * _strokes([path], random.uniform(0.002, 0.0035)))
    light = 1.05 - 0.45 * ((COLUMNS - 0.42) ** 2 + (ROWS - 0.4) ** 2)
    photo = photo * light[..., None] + 1.5 * random.standard_normal((SIDE, SIDE, 1))
    return np.clip(photo, 0, 255).astype(np.uint8)
