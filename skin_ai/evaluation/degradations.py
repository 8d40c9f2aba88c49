"""Graded degradations of a photo's square, and the limits of quality that follow from them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage
from scipy.signal import fftconvolve
from tqdm import tqdm

from skin_ai.evaluation.figures import mean_figure, weighted_mean
from skin_ai.evaluation.protocols import protocol
from skin_ai.intervals import INTERVAL, SEED, patient_weights
from skin_ai.predict.quality import KINDS, linear_light, measures, reaches
from skin_ai.training.image import OutOfFold

Degradation = Callable[[np.ndarray, float], np.ndarray]

# Light on each channel of one stop of cast: a bulb, a shaded sky, and fluorescent tubes or green drapes.
LIGHTS = ((1.0, 0.0, -1.0), (-1.0, 0.0, 1.0), (-0.5, 0.5, -0.5))


def blurred(square: np.ndarray, strength: float) -> np.ndarray:
    """Out of focus: a Gaussian with a standard deviation of `strength` percent of the side."""
    sigma = strength / 100 * len(square)
    soft = ndimage.gaussian_filter(square.astype(np.float32), (sigma, sigma, 0), truncate=3.0)
    return _as_pixels(soft)


def small(square: np.ndarray, strength: float) -> np.ndarray:
    """Taken from far away: 1 / `strength` of the pixels on each side."""
    side = max(1, round(len(square) / strength))
    return np.array(Image.fromarray(square).resize((side, side), Image.Resampling.BICUBIC))


def shaken(square: np.ndarray, strength: float) -> np.ndarray:
    """Motion blur along `strength` percent of the side, in a direction drawn for each photo."""
    length = strength / 100 * len(square)
    angle = _random(square).uniform(0, np.pi)
    reach = int(np.ceil(length / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    for place in np.linspace(-length / 2, length / 2, 8 * reach):
        row, column = reach + place * np.sin(angle), reach + place * np.cos(angle)
        top, left = int(row), int(column)
        down, right = row - top, column - left
        kernel[top : top + 2, left : left + 2] += np.outer((1 - down, down), (1 - right, right))
    padded = np.pad(square.astype(np.float32), ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
    # By Fourier transform: a direct convolution with 90 pixels takes seconds.
    return _as_pixels(fftconvolve(padded, kernel[..., None] / kernel.sum(), mode="valid", axes=(0, 1)))


def low_contrast(square: np.ndarray, strength: float) -> np.ndarray:
    """A greasy or fogged lens: each pixel moves by the share `strength`, 0..1, towards the photo's mean."""
    mean = square.mean((0, 1), dtype=np.float32)
    return _as_pixels(square + strength * (mean - square))


def glare(square: np.ndarray, strength: float) -> np.ndarray:
    """Flash on wet skin: white spots over `strength` percent of the photo, most near its middle."""
    random = _random(square)
    side = len(square)
    rows, columns = np.mgrid[:side, :side] / side - 0.5
    light = np.zeros((side, side))
    while (light > WHITE).mean() < strength / 100:
        row, column = random.normal(0, 0.18, 2)
        angle, length = random.uniform(0, np.pi), random.uniform(0.02, 0.08)
        stretch = random.uniform(1, 2.5)
        along = (columns - column) * np.cos(angle) + (rows - row) * np.sin(angle)
        across = (rows - row) * np.cos(angle) - (columns - column) * np.sin(angle)
        light += 1.6 * np.exp(-((along / (length * stretch)) ** 2 + (across * stretch / length) ** 2) / 2)
    share = np.clip(light, 0, 1)[..., None]
    return _as_pixels(square + share * (255.0 - square))


WHITE = 0.9  # share of light from which a pixel counts as covered


def colour_cast(square: np.ndarray, strength: float) -> np.ndarray:
    """Warm, cold or green light, drawn for each photo: channels shift by up to `strength` stops."""
    light = LIGHTS[_random(square).integers(len(LIGHTS))]
    return _exposed(square, tuple(strength * part for part in light))


DEGRADATIONS: Mapping[str, Degradation] = {
    "small": small,
    "blurred": blurred,
    "shaken": shaken,
    "dark": lambda square, strength: _exposed(square, (-strength,) * 3),  # stops less light
    "bright": lambda square, strength: _exposed(square, (strength,) * 3),  # stops more light
    "low_contrast": low_contrast,
    "glare": glare,
    "colour_cast": colour_cast,
}


def _random(square: np.ndarray) -> np.random.Generator:
    """The same for a photo at any strength, so that stronger means more of the same degradation."""
    return np.random.default_rng((SEED, zlib.crc32(square.tobytes())))


def _exposed(square: np.ndarray, stops: tuple[float, ...]) -> np.ndarray:
    """Light scaled by 2 ** stops in each channel, before the sRGB curve (IEC 61966-2-1) is applied."""
    light = np.clip(linear_light()[:, None] * 2.0 ** np.array(stops), 0, 1)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return _as_pixels(encoded * 255)[square, np.arange(3)]


def _as_pixels(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


# From barely visible to extreme, in each degradation's unit.
STRENGTHS: Mapping[str, tuple[float, ...]] = {
    "small": (4, 8, 11, 15, 22),
    "blurred": (1, 1.6, 2.3, 3.5, 6),
    "shaken": (2, 3.5, 5, 8, 14),
    "dark": (1, 2, 3, 4, 5.5),
    "bright": (0.8, 1.4, 2, 2.6, 3.4),
    "low_contrast": (0.3, 0.5, 0.65, 0.8, 0.93),
    "glare": (1, 2.5, 5, 10, 20),
    "colour_cast": (0.3, 0.5, 0.8, 1.3, 2.2),
}
NOTHING = {name: 1.0 if name == "small" else 0.0 for name in DEGRADATIONS}  # strengths that change nothing
KIND_OF = {name: "blurred" if name == "shaken" else name for name in DEGRADATIONS}
DROP = 0.10  # of accuracy
AIM = 0.85  # share of photos at the strength of the drop that a limit should catch
REQUIRED = 0.80  # share that must be caught
MOST_STOPPED = 0.045  # share of untouched photos that all limits together may stop; the aim is 0.05
PHOTOS, VIEWS = 400, 1  # views of each; the app averages more


def measure(
    squares: Sequence[np.ndarray],
    labels: np.ndarray,
    types: Sequence[str],
    out_of_fold: OutOfFold,
    patients: np.ndarray,
    *,
    photos: int = PHOTOS,
) -> dict[str, Any]:
    """Limits for `quality.problems` and their error rates, for the manifest.

    squares: n of (s, s, 3) uint8; labels, patients: (n,).
    """
    chosen = np.sort(np.random.default_rng(SEED).permutation(len(squares))[:photos])
    all_weights = patient_weights(patients)
    weights = all_weights[:, chosen]

    def is_right(name: str, strength: float) -> np.ndarray:
        """(photos,) whether the first type is the true one."""
        shown = [
            out_of_fold.probabilities(place, DEGRADATIONS[name](squares[place], strength), VIEWS)
            for place in tqdm(chosen, desc=f"{name} {strength}", leave=False)
        ]
        return np.asarray(np.array(shown).argmax(1) == labels[chosen])

    untouched_right = is_right("dark", NOTHING["dark"])
    kinds: dict[str, dict[str, Any]] = {}
    degraded: dict[str, np.ndarray] = {}
    for name, degrade in DEGRADATIONS.items():
        right = [untouched_right, *(is_right(name, strength) for strength in STRENGTHS[name])]
        kinds[name] = curve((NOTHING[name], *STRENGTHS[name]), right, weights)
        versions = (degrade(squares[place], kinds[name]["caught_at"]) for place in chosen)
        degraded[name] = np.array([measures(version)[KIND_OF[name]] for version in versions])
    measured = [measures(square) for square in tqdm(squares, desc="measuring", leave=False)]
    untouched = {kind: np.array([row[kind] for row in measured]) for kind in KINDS}
    harmful = {KIND_OF[name] for name, row in kinds.items() if row["strength_at_fall"] is not None}

    stopped = {kind: np.zeros(len(squares), dtype=bool) for kind in KINDS}
    for fold in np.unique(out_of_fold.folds):
        test = out_of_fold.folds == fold
        here = test[chosen]
        limits = fit_limits(
            {kind: values[~test] for kind, values in untouched.items()},
            {name: values[~here] for name, values in degraded.items()},
            harmful,
        )
        for kind, limit in limits.items():
            stopped[kind][test] = reaches(kind, untouched[kind][test], limit)
        for name, row in kinds.items():
            row.setdefault("caught", np.zeros(len(chosen), dtype=bool))
            if limits:
                row["caught"][here] = reaches(KIND_OF[name], degraded[name][here], limits[KIND_OF[name]])
    for row in kinds.values():
        row["caught"] = mean_figure(row["caught"], weights)
        row["remark"] = _remark(row)
    any_stopped = np.any(list(stopped.values()), axis=0)
    return {
        "protocol": protocol(
            "quality",
            photos=len(chosen),
            n=len(squares),
            views=VIEWS,
            all_views=out_of_fold.settings.views,
            drop=DROP,
        ),
        "limits": fit_limits(untouched, degraded, harmful),
        "false_stops": mean_figure(any_stopped, all_weights),
        "false_stops_by_kind": {kind: mean_figure(row, all_weights) for kind, row in stopped.items()},
        "false_stops_by_type": {
            types[k]: mean_figure(any_stopped[labels == k], all_weights[:, labels == k])
            for k in np.unique(labels)
        },
        "kinds": kinds,
    }


def curve(strengths: Sequence[float], right: Sequence[np.ndarray], weights: np.ndarray) -> dict[str, Any]:
    """Accuracy by strength, and the strength at which it is DROP below that at the first.

    right: for each strength (n,) whether the answer was right; weights: (1 + resamples, n).
    "caught_at" is the strength at the drop, or the greatest where accuracy never drops so far.
    """
    samples = np.stack([weighted_mean(row, weights) for row in right], 1)
    drops = [_strength_at_drop(strengths, accuracy) for accuracy in samples]
    interval = np.percentile(drops[1:], INTERVAL, method="nearest")
    return {
        "strengths": list(strengths),
        "accuracy": [mean_figure(row, weights) for row in right],
        "strength_at_fall": _finite(drops[0]),
        "strength_at_fall_interval": [_finite(edge) for edge in interval],
        "caught_at": round(min(drops[0], strengths[-1]), 4),
    }


def _strength_at_drop(strengths: Sequence[float], accuracy: np.ndarray) -> float:
    """Interpolated between the strengths before and at the drop; infinite where there is none."""
    wanted = accuracy[0] - DROP
    below = np.flatnonzero(accuracy <= wanted)
    if not len(below):
        return np.inf
    around = [below[0], below[0] - 1]
    return float(np.interp(wanted, accuracy[around], np.take(strengths, around)))


def fit_limits(
    untouched: Mapping[str, np.ndarray], degraded: Mapping[str, np.ndarray], harmful: Collection[str]
) -> dict[str, float]:
    """Kind -> its limit, which catches AIM of the degraded photos, or fewer where that stops too many.

    untouched: kind -> (n,) its measure; degraded: degradation -> (m,) its kind's measure. Every harmful
    kind may stop the same share of the untouched photos, the greatest with which all kinds together
    stop at most MOST_STOPPED; the others stop at most the worst one. Without photos there are no limits.
    """
    n = len(next(iter(untouched.values())))
    if not n or not len(next(iter(degraded.values()))):
        return {}
    for stops in range(int(MOST_STOPPED * n), -1, -1):
        limits = {}
        for kind, values in untouched.items():
            sign = 1 if KINDS[kind].worse_when_lower else -1  # so that lower is worse
            allowed = np.sort(sign * values)[stops if kind in harmful else 0]
            own = [sign * row for name, row in degraded.items() if KIND_OF[name] == kind]
            needed = max(np.quantile(row, AIM, method="higher") for row in own)
            limits[kind] = round(float(sign * min(allowed, needed)), 4)
        stopped = [reaches(kind, values, limits[kind]) for kind, values in untouched.items()]
        if np.any(stopped, axis=0).mean() <= MOST_STOPPED:
            break
    return limits


def _finite(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None


def _remark(row: Mapping[str, Any]) -> str:
    """Why the figures of a kind miss the aim, or nothing."""
    if row["strength_at_fall"] is None:
        return (
            f"Accuracy does not drop by {DROP} at any strength tried; caught is counted at the greatest, and "
            "the limit stops at most the worst untouched photo."
        )
    if row["caught"]["value"] < REQUIRED:
        return f"Fewer than {REQUIRED:.0%} are caught: a stricter limit would stop too many untouched photos."
    return ""
