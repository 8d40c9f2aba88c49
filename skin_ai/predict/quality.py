"""Quality of a photo's square: size, focus and light, with advice for a better photo."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from PIL import Image
from scipy import ndimage

WORKING_SIDE: Final = 224  # pixels; the image model sees no more detail
COLOUR_SIDE: Final = 112  # pixels; enough for colour, and Lab is the slowest step

# CIE a* and b* of the lightest fifth of a photo: mean and covariance over the 1,186 photos of PAD-UFES-20
# that the bundles were trained on.
SKIN: Final = np.array([8.53, 12.45])
SKIN_COVARIANCE: Final = np.array([[50.9, 38.6], [38.6, 82.8]])

WHITE: Final = 235  # of 255 in every channel: a reflection, not skin
STANDS_OUT: Final = (
    20.0  # L* by which a reflection is lighter than the median; else the whole photo is bright
)
SURROUNDINGS: Final = 10.0  # pixels of COLOUR_SIDE; standard deviation of the Gaussian for the local mean

FINE, COARSE = 0.6, 2.0  # pixels of WORKING_SIDE; 0.6 and 4.0 found fewer than half as many shaken photos
DIRECTIONS: Final = 8
# A moving phone blurs in one direction, so the difference between directions counts too: of 60 photos shaken
# by 3.6% of their side it found 0.87, against 0.30 without, with 1% of 300 unchanged photos flagged.
UNEVENNESS: Final = 0.75
# Mean squared difference between neighbours (values 0..255) in a smooth photo, due to rounding.
ROUNDING: Final = 0.03


@dataclass(frozen=True)
class _Seen:
    """A square at working size; shared intermediate results are computed once.

    side: pixels of the original square; pixels: (WORKING_SIDE, WORKING_SIDE, 3) uint8.
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
    """(256,) linear light, 0 to 1, for each pixel value (sRGB, IEC 61966-2-1)."""
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
    """Log ratio of fine to coarse gradients in the least sharp direction, less the range over directions.

    Relative to coarse gradients, so that smooth skin and low contrast do not count as blur.
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
    """90th percentile of L*: on dark skin too, something reflects the light."""
    return float(np.percentile(seen.lightness, 90))


def _midtones(seen: _Seen) -> float:
    """75th percentile of L*: a few reflections do not change it."""
    return float(np.percentile(seen.lightness, 75))


def _contrast(seen: _Seen) -> float:
    """Geometric mean of the standard deviations of Lab over the photo and from the local mean.

    Divided by the root of the lightness: a dark photo has less contrast, and darkness is another fault.
    """
    around = ndimage.gaussian_filter(seen.lab, (SURROUNDINGS, SURROUNDINGS, 0), truncate=2.0)
    product = seen.lab.var((0, 1)).sum() * (seen.lab - around).var((0, 1)).sum()
    return float(product**0.25 / np.sqrt(seen.lightness.mean() + 5))


def _reflections(seen: _Seen) -> float:
    """Share of white pixels; 0 where the whole photo is bright, which is another fault."""
    white = seen.pixels.min(2) >= WHITE
    if 100 - np.median(seen.lightness) < STANDS_OUT:
        return 0.0
    return float(white.mean())


def _cast(seen: _Seen) -> float:
    """Mahalanobis distance of the lightest fifth's mean a* and b* from those of skin.

    The lightest fifth shows the colour of the light; lesion, hairs and shadows are darker.
    """
    lightest = seen.lightness >= np.percentile(seen.lightness, 80)
    off = seen.lab[lightest][:, 1:].mean(0) - SKIN
    return float(np.sqrt(off @ np.linalg.inv(SKIN_COVARIANCE) @ off))


@dataclass(frozen=True)
class Kind:
    """One fault of a photo: its measure, which direction is worse, and advice for the clinician."""

    measure: Callable[[_Seen], float]
    worse_when_lower: bool
    advice: str


KINDS: Final[Mapping[str, Kind]] = {
    "small": Kind(
        _side,
        True,
        "The selected area is too small to show detail: take the photo again from 15 cm away, or upload the "
        "original photo instead of a copy.",
    ),
    "blurred": Kind(
        _sharpness,
        True,
        "The photo is blurred: hold the phone still 15 cm away, tap the lesion to focus, and take the photo "
        "again.",
    ),
    "dark": Kind(
        _highlights,
        True,
        "The photo is too dark: add light or move to a window, and take the photo again.",
    ),
    "bright": Kind(
        _midtones,
        False,
        "The photo is too bright: turn off the flash or avoid direct sunlight, tap the lesion to adjust the "
        "brightness, and take the photo again.",
    ),
    "low_contrast": Kind(
        _contrast,
        True,
        "The lesion hardly differs from the skin around it: clean the lens, light it from the side, and "
        "take the photo again.",
    ),
    "glare": Kind(
        _reflections,
        False,
        "Reflections hide part of the skin: turn off the flash or tilt the phone until they disappear, and "
        "take the photo again.",
    ),
    "colour_cast": Kind(
        _cast,
        False,
        "The light distorts the skin colour: use daylight or a white lamp, remove coloured cloths, and take "
        "the photo again.",
    ),
}
ADVICE: Final[Mapping[str, str]] = {name: kind.advice for name, kind in KINDS.items()}


def measures(square: np.ndarray, side: int | None = None) -> dict[str, float]:
    """Kind -> its measure for a square (s, s, 3) uint8, each in its own unit.

    side: pixels of the photo's square where this one is its `reduced`.
    """
    image = Image.fromarray(square)
    # Averaged to twice the size first: bicubic alone takes several times as long for 3,000 pixels.
    size = (WORKING_SIDE, WORKING_SIDE)
    pixels = np.asarray(image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0))
    seen = _Seen(side or len(square), pixels)
    return {name: kind.measure(seen) for name, kind in KINDS.items()}


def reduced(square: np.ndarray) -> np.ndarray:
    """A square (s, s, 3) averaged over blocks of pixels: at least twice WORKING_SIDE, as `measures` does."""
    factor = len(square) // (2 * WORKING_SIDE)
    return np.asarray(Image.fromarray(square).reduce(factor)) if factor > 1 else square


def problems(measured: Mapping[str, float], limits: Mapping[str, float]) -> tuple[str, ...]:
    """Faults by `measures`: kinds that reach their limit, in the order of KINDS."""
    return tuple(name for name in KINDS if name in limits and reaches(name, measured[name], limits[name]))


def reaches(name: str, measured: float | np.ndarray, limit: float) -> np.ndarray:
    """() or (n,) bool: whether measures of a kind are at the limit or worse."""
    return np.asarray(
        np.less_equal(measured, limit) if KINDS[name].worse_when_lower else np.greater_equal(measured, limit)
    )
