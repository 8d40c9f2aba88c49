"""Samples in other codings than sRGB (HDR, linear light, wide gamut) -> sRGB.

Codings are named by the code points of ITU-T H.273, as in HEIC's nclx profile, PNG's cICP and ICC's cicp.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

PQ: Final = 16
HLG: Final = 18
EXPONENTS: Final = {4: 2.2, 5: 2.8, 8: 1.0}  # transfers that are a power of the signal; 8 is linear

# CIE xy of white, red, green and blue.
D65: Final = (0.3127, 0.3290)
BT709: Final = (*D65, 0.640, 0.330, 0.300, 0.600, 0.150, 0.060)
CHROMATICITIES: Final = {
    5: (*D65, 0.640, 0.330, 0.290, 0.600, 0.150, 0.060),
    6: (*D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    9: (*D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),  # BT.2020, BT.2100
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # Display P3
}

WHITE: Final = 203  # cd/m² of diffuse white, which becomes sRGB's white; 75% of HLG's signal (BT.2408)
BRIGHTEST: Final = 1000  # cd/m²; light above it is clipped
GLINTS: Final = 0.1  # percent of the pixels that may be clipped: skin reflects the flash in small spots

_PIXELS_AT_ONCE: Final = 2**20
_BRADFORD: Final = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


@dataclass(frozen=True)
class Coding:
    """How the samples of a photo stand for light."""

    chromaticities: tuple[float, ...] = BT709
    transfer: int = 13  # code point; those unknown here count as sRGB's
    exponent: float | None = None  # light is this power of the signal; None: as the transfer says
    full_range: bool = True

    @property
    def is_hdr(self) -> bool:
        return self.transfer in (PQ, HLG)

    @property
    def is_srgb(self) -> bool:
        """Whether reading the samples as sRGB is right."""
        near = np.allclose(self.chromaticities, BT709, atol=0.005)
        return near and self.exponent is None and not self.is_hdr and self.full_range


def by_code_points(primaries: int, transfer: int, full_range: bool = True) -> Coding:
    """The coding of these H.273 code points. BT.709's transfer counts as sRGB's, as in viewers of photos."""
    chromaticities = CHROMATICITIES.get(primaries, BT709)
    return Coding(chromaticities, transfer, EXPONENTS.get(transfer), full_range)


def to_srgb(samples: np.ndarray, most: int, coding: Coding, max_side: int) -> np.ndarray:
    """(h, w, 1) or (h, w, 3) uint8 or uint16 samples, `most` for a full signal -> sRGB, uint8.

    Light above WHITE is compressed as far as the photo has any (BT.2390). A photo more than twice as long as
    `max_side` is reduced by a whole factor, in linear light.
    """
    height, width = samples.shape[:2]
    light = _light(coding, most, samples.itemsize)
    matrix = _to_bt709(coding.chromaticities) if samples.shape[2] == 3 else np.eye(1, dtype=np.float32)
    if coding.is_hdr:
        step = max(1, int((height * width / _PIXELS_AT_ONCE) ** 0.5))
        peak = float(np.percentile(light[samples[::step, ::step]].max(axis=2), 100 - GLINTS))
        levels, gains = _compression(min(peak, BRIGHTEST / WHITE))

    factor = max(1, max(height, width) // max_side)
    height, width = height // factor, width // factor
    srgb = np.empty((height, width, samples.shape[2]), np.uint8)
    rows = max(1, _PIXELS_AT_ONCE // (width * factor**2))
    for top in range(0, height, rows):
        band = samples[top * factor : min(top + rows, height) * factor, : width * factor]
        linear = light[band]
        if factor > 1:
            linear = linear.reshape(-1, factor, width, factor, samples.shape[2]).mean(axis=(1, 3))
        linear = np.maximum(linear @ matrix.T, 0)
        if coding.is_hdr:
            linear *= np.interp(linear.max(axis=2, keepdims=True), levels, gains).astype(np.float32)
        srgb[top : top + rows] = _SRGB[np.rint(np.minimum(linear, 1) * 65535).astype(np.uint16)]
    return srgb


def _light(coding: Coding, most: int, itemsize: int) -> np.ndarray:
    """Linear light of every sample value, float32; 1 is diffuse white."""
    signal = np.arange(256**itemsize) / most
    if not coding.full_range:
        signal = (signal * most / (most + 1) * 256 - 16) / 219
    signal = np.clip(signal, 0, 1)
    if coding.exponent is not None:
        light = signal**coding.exponent
    elif coding.transfer == PQ:
        light = _pq_light(signal)
    elif coding.transfer == HLG:
        light = _hlg_light(signal) / _hlg_light(np.array(0.75))
    else:
        light = np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


def _pq_light(signal: np.ndarray) -> np.ndarray:
    """The EOTF of SMPTE ST 2084, in units of WHITE."""
    power = signal ** (32 / 2523)
    light = np.maximum(power - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * power)
    return 10_000 / WHITE * light ** (16384 / 2610)


def _pq_signal(light: np.ndarray) -> np.ndarray:
    power = (light * WHITE / 10_000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)


def _hlg_light(signal: np.ndarray) -> np.ndarray:
    """Light of the scene by the inverse OETF of BT.2100: reflectance, without the look of a display."""
    bright = (np.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return np.where(signal <= 0.5, signal**2 / 3, bright)


def _compression(peak: float) -> tuple[np.ndarray, np.ndarray]:
    """Levels of a pixel's brightest channel, and by what to multiply the pixel so that `peak` becomes white.

    Report ITU-R BT.2390, section 5.4.1 (EETF). The same factor for all channels keeps the hue.
    """
    levels = np.concatenate([np.linspace(0, 1, 257)[:-1], np.geomspace(1, 10_000 / WHITE, 512)])
    if peak <= 1:
        return levels, 1 / np.maximum(levels, 1)
    brightest = _pq_signal(np.array(peak))
    white = _pq_signal(np.array(1.0)) / brightest
    knee = max(0.0, 1.5 * white - 0.5)
    signal = np.minimum(_pq_signal(levels) / brightest, 1)
    t = (signal - knee) / (1 - knee)
    blend = 3 * t**2 - 2 * t**3
    curve = (1 - blend) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + blend * white
    mapped = _pq_light(np.where(signal < knee, signal, curve) * brightest)
    return levels, np.where(signal < knee, 1, mapped / np.maximum(levels, 1e-6))


def _to_bt709(chromaticities: tuple[float, ...]) -> np.ndarray:
    """(3, 3) matrix from linear light of these primaries to that of BT.709, adapted to its white."""
    try:
        source, target = _to_xyz(chromaticities), _to_xyz(BT709)
        from_white, to_white = (_BRADFORD @ matrix.sum(axis=1) for matrix in (source, target))
        adapted = np.linalg.inv(_BRADFORD) @ np.diag(to_white / from_white) @ _BRADFORD @ source
        matrix = np.linalg.inv(target) @ adapted
    except (np.linalg.LinAlgError, ZeroDivisionError):
        return np.eye(3, dtype=np.float32)
    return matrix.astype(np.float32)


def _to_xyz(chromaticities: tuple[float, ...]) -> np.ndarray:
    white, *primaries = (
        np.array([x / y, 1, (1 - x - y) / y])
        for x, y in zip(chromaticities[::2], chromaticities[1::2], strict=True)
    )
    columns = np.stack(primaries, axis=1)
    scales: np.ndarray = np.linalg.solve(columns, white)
    return columns * scales


def _srgb_levels() -> np.ndarray:
    """sRGB's value, uint8, of each of 65,536 levels of linear light (IEC 61966-2-1)."""
    linear = np.linspace(0, 1, 65536)
    signal = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(255 * signal).astype(np.uint8)


_SRGB: Final = _srgb_levels()
