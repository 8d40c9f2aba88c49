"""Whether the size, the focus and the light of a photo's square will do, and what to do if not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from PIL import Image
from scipy import ndimage

WORKING_SIDE: Final = 224  # pixels; the image model sees no finer detail either
COLOUR_SIDE: Final = 112  # pixels; colour needs fewer, and Lab is the slowest step

# CIE a* and b* of the lightest fifth of skin photos: mean and covariance over the 1,186 photos of
# PAD-UFES-20 that the bundles were trained on.
SKIN: Final = np.array([8.53, 12.45])
SKIN_COVARIANCE: Final = np.array([[50.9, 38.6], [38.6, 82.8]])

WHITE: Final = 235  # of 255 in every channel: what a reflection looks like and skin does not
STANDS_OUT: Final = 20.0  # L* by which a reflection is lighter than the photo's middle; else all is bright
SURROUNDINGS: Final = 10.0  # pixels of COLOUR_SIDE; deviation of the Gaussian that a place is compared with

FINE, COARSE = 0.6, 2.0  # pixels of WORKING_SIDE; 0.6 and 4.0 caught fewer than half as many shaken photos
DIRECTIONS: Final = 8
# A phone that moves blurs one direction only, so the difference between directions counts too: of 60 photos
# shaken over 3.6% of their side, 0.87 were caught with it and 0.30 without, at 1% of 300 untouched ones.
UNEVENNESS: Final = 0.75
# Squared change between neighbours, in squared values of 0..255, that a smooth photo's rounding has.
ROUNDING: Final = 0.03


@dataclass(frozen=True)
class _Seen:
    """A square at working size; what several measures need is computed once.

    side: pixels of the square as it came; pixels: (WORKING_SIDE, WORKING_SIDE, 3) uint8.
    """

    side: int
    pixels: np.ndarray

    @cached_property
    def lab(self) -> np.ndarray:
        """(COLOUR_SIDE, COLOUR_SIDE, 3) CIE L* 0..100, a* and b* (sRGB, D65)."""
        small = Image.fromarray(self.pixels).resize((COLOUR_SIDE, COLOUR_SIDE), Image.Resampling.BOX)
        xyz = LINEAR[np.asarray(small)] @ XYZ
        curved = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
        x, y, z = np.moveaxis(curved, -1, 0)
        return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)

    @cached_property
    def lightness(self) -> np.ndarray:
        return self.lab[..., 0]


def linear_light() -> np.ndarray:
    """(256,) share of light for each value of a pixel (sRGB, IEC 61966-2-1)."""
    values = np.arange(256) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


LINEAR: Final = linear_light().astype(np.float32)
# (3, 3) linear RGB @ XYZ -> X, Y, Z as shares of D65's white (IEC 61966-2-1).
XYZ: Final = (
    np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])
    / np.array([0.9505, 1.0, 1.089])
).astype(np.float32)


def _side(seen: _Seen) -> float:
    """Pixels."""
    return float(seen.side)


def _sharpness(seen: _Seen) -> float:
    """Fine over coarse change of brightness, log, where it is least, less its unevenness over directions.

    Relative to the coarse, so that smooth skin and low contrast are not blur.
    """
    brightness = seen.pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    angles = np.arange(DIRECTIONS) * np.pi / DIRECTIONS
    mix = np.stack([np.sin(angles) ** 2, 2 * np.sin(angles) * np.cos(angles), np.cos(angles) ** 2], -1)
    squared = []
    for scale in FINE, COARSE:
        down, right = np.gradient(ndimage.gaussian_filter(brightness, scale, truncate=3.0))
        moments = np.mean(down * down), np.mean(down * right), np.mean(right * right)
        squared.append(mix @ np.array(moments))
    ratios = np.log((squared[0] + ROUNDING) / (squared[1] + ROUNDING))
    return float(ratios.min() - UNEVENNESS * np.ptp(ratios))


def _highlights(seen: _Seen) -> float:
    """L* that a tenth of the photo is lighter than: on dark skin too something reflects the light."""
    return float(np.percentile(seen.lightness, 90))


def _midtones(seen: _Seen) -> float:
    """L* that a quarter of the photo is lighter than: a few reflections do not move it."""
    return float(np.percentile(seen.lightness, 75))


def _contrast(seen: _Seen) -> float:
    """Geometric mean of the colour's deviation over the photo and from its surroundings, both in Lab.

    Over the root of the lightness: a dark photo has less of both, and that is another fault.
    """
    around = ndimage.gaussian_filter(seen.lab, (SURROUNDINGS, SURROUNDINGS, 0), truncate=2.0)
    product = seen.lab.var((0, 1)).sum() * (seen.lab - around).var((0, 1)).sum()
    return float(product**0.25 / np.sqrt(seen.lightness.mean() + 5))


def _reflections(seen: _Seen) -> float:
    """Share of the photo that is white and stands out: skin under too much light is white all over."""
    white = seen.pixels.min(2) >= WHITE
    if 100 - np.median(seen.lightness) < STANDS_OUT:
        return 0.0
    return float(white.mean())


def _cast(seen: _Seen) -> float:
    """Distance of the lightest fifth's a* and b* from those of skin, in deviations (Mahalanobis).

    Light that is reflected has the lamp's colour; the lesion, hairs and shadows are darker.
    """
    lightest = seen.lightness >= np.percentile(seen.lightness, 80)
    off = seen.lab[lightest][:, 1:].mean(0) - SKIN
    return float(np.sqrt(off @ np.linalg.inv(SKIN_COVARIANCE) @ off))


@dataclass(frozen=True)
class Kind:
    """One fault of photos: how it is measured, which way is worse, and what to tell the clinician."""

    measure: Callable[[_Seen], float]
    worse_when_lower: bool
    advice: str


KINDS: Final[Mapping[str, Kind]] = {
    "small": Kind(
        _side,
        True,
        "The chosen part of the photo is too small to show detail: hold the phone 15 cm away and take the "
        "photo again, or choose the original photo instead of a copy.",
    ),
    "blurred": Kind(
        _sharpness,
        True,
        "The photo is blurred: hold the phone still, 15 cm away, tap the lesion to focus, "
        "and take the photo again.",
    ),
    "dark": Kind(
        _highlights,
        True,
        "The photo is too dark: switch on more light or go to a window, and take the photo again.",
    ),
    "bright": Kind(
        _midtones,
        False,
        "The photo is too bright: switch the flash off or leave direct sunlight, tap the lesion so that the "
        "phone adapts to it, and take the photo again.",
    ),
    "low_contrast": Kind(
        _contrast,
        True,
        "The lesion hardly stands out from the skin around it: wipe the lens, let light fall from the side, "
        "and take the photo again.",
    ),
    "glare": Kind(
        _reflections,
        False,
        "White reflections hide a part of the skin: switch the flash off or tilt the phone until they are "
        "gone, and take the photo again.",
    ),
    "colour_cast": Kind(
        _cast,
        False,
        "The light gives the skin a wrong colour: use daylight or a white lamp, move coloured cloths away, "
        "and take the photo again.",
    ),
}
ADVICE: Final[Mapping[str, str]] = {name: kind.advice for name, kind in KINDS.items()}


def measures(square: np.ndarray) -> dict[str, float]:
    """Kind -> its measure of a square (s, s, 3) uint8, each in its own unit."""
    image = Image.fromarray(square)
    # Plain averaging down to twice the size first: bicubic alone takes several times as long for 3000 pixels.
    size = (WORKING_SIDE, WORKING_SIDE)
    seen = _Seen(len(square), np.asarray(image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)))
    return {name: kind.measure(seen) for name, kind in KINDS.items()}


def problems(square: np.ndarray, limits: Mapping[str, float]) -> tuple[str, ...]:
    """The kinds whose limit a square (s, s, 3) uint8 reaches, in the order of KINDS; none without a limit."""
    measured = measures(square)
    return tuple(name for name in KINDS if name in limits and reaches(name, measured[name], limits[name]))


def reaches(name: str, measured: float | np.ndarray, limit: float) -> np.ndarray:
    """() or (n,) bool: whether one or many measures of a kind are as bad as the limit or worse."""
    return np.asarray(
        np.less_equal(measured, limit) if KINDS[name].worse_when_lower else np.greater_equal(measured, limit)
    )
