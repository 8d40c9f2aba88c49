"""Figures with 95% percentile bootstrap intervals, and how to write them.

Figures of models resample patients (`patient_weights`). Figures of readers resample readers and cases by the
pigeonhole bootstrap (`reading_weights`; Owen 2007, Ann. Appl. Stat. 1:386): both are drawn with replacement,
independently, and a reading counts as often as its reader was drawn times as often as its case was. These
intervals generalise to other readers and other cases, as in multi-reader multi-case studies, and readers need
not have read the same cases. Resamples in which a figure is undefined are left out.

No bootstrap of crossed readers and cases is exact (McCullagh 2000, Bernoulli 6:285); this one is
conservative. In simulations its intervals contain the true accuracy in 94 to 97% of studies of 40 cases and
1 to 20 readers. Where every reader has other cases, or readers and cases do not differ, they contain it in
over 99% and are 1.5 to 1.7 times as wide as needed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Final

import numpy as np
from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:  # it takes a quarter of a second, and a model card needs no table
    import pandas as pd

MIN_N: Final = 5  # readings; no figure is given for fewer
RESAMPLES: Final = 1000
INTERVAL: Final = (2.5, 97.5)  # percent
SEED: Final = 42  # of the patients
READING_SEED: Final = 0
BLAS: Final = ThreadpoolController().select(user_api="blas")
BLAS_LOCK: Final = Lock()  # the number of BLAS threads is set for the whole process


def figure_text(
    value: float, low: float | None = None, high: float | None = None, *, decimals: int = 2, unit: str = ""
) -> str:
    """A value with its interval, as 0.74 (0.65 to 0.82) or 30 s (29 to 31)."""
    interval = "" if low is None or high is None else f" ({low:.{decimals}f} to {high:.{decimals}f})"
    return f"{value:.{decimals}f}{unit}{interval}"


@dataclass(frozen=True)
class Estimate:
    """A figure of readers with its 95% interval; all three None if n is under MIN_N or it is undefined.

    n: readings; count: for rates, the readings in which it happened.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    count: int | None = None

    def text(self, unit: str = "") -> str:
        """With interval and n, as 0.74 (0.65 to 0.82), n = 120; otherwise why there is no figure."""
        if self.value is None:
            return f"too few (n = {self.n})" if self.n < MIN_N else f"not defined (n = {self.n:,})"
        value = figure_text(self.value, self.low, self.high, decimals=0 if unit else 2, unit=unit)
        return f"{value}, n = {self.n:,}"

    def value_text(self, unit: str = "") -> str:
        """The value alone."""
        return "" if self.value is None else figure_text(self.value, decimals=0 if unit else 2, unit=unit)


def percentile_interval(samples: np.ndarray) -> tuple[float, float]:
    """The 95% interval of the samples after the first, which is the figure itself; NaN if none is defined."""
    known = samples[1:][np.isfinite(samples[1:])]
    low, high = np.percentile(known, INTERVAL) if len(known) else (np.nan, np.nan)
    return float(low), float(high)


# ---- patients: the figures of models ----


def patient_weights(patients: np.ndarray) -> np.ndarray:
    """(1 + RESAMPLES, n) how often each case counts, resampling patients; the first row is all ones."""
    unique, index = np.unique(patients, return_inverse=True)
    rng = np.random.default_rng(SEED)
    drawn = rng.multinomial(len(unique), np.full(len(unique), 1 / max(len(unique), 1)), size=RESAMPLES)
    return np.vstack([np.ones(len(patients)), drawn[:, index]])


def with_interval(samples: np.ndarray) -> dict[str, float | None]:
    """{"value", "low", "high"} as a manifest holds it; None where undefined, as JSON has no NaN."""
    values = dict(zip(("value", "low", "high"), (samples[0], *percentile_interval(samples)), strict=True))
    return {name: round(float(value), 4) if np.isfinite(value) else None for name, value in values.items()}


# ---- readers and cases: the figures of a study ----


def reading_weights(readings: pd.DataFrame) -> np.ndarray:
    """(n, 1 + RESAMPLES) how often each reading counts; the first column is all ones, for the figure itself.

    A single reader or a single case is not resampled; if there is only one of each, readings are.
    """
    import pandas as pd

    n = len(readings)
    weights = np.ones((n, 1 + RESAMPLES), dtype=np.float32)
    random = np.random.default_rng(READING_SEED)
    sides = [pd.factorize(readings[column], sort=True)[0] for column in ("reader", "case")]
    for units in [side for side in sides if len(set(side)) > 1] or [np.arange(n)]:
        weights[:, 1:] *= _times_drawn(random, len(set(units)))[units]
    return weights


def _times_drawn(random: np.random.Generator, n: int) -> np.ndarray:
    """(n, RESAMPLES) how often each of n units is drawn in n draws; faster than random.multinomial."""
    drawn = random.integers(max(1, n), size=(n, RESAMPLES)) * RESAMPLES + np.arange(RESAMPLES)
    return np.bincount(drawn.ravel(), minlength=n * RESAMPLES).reshape(n, RESAMPLES).astype(np.float32)


def means(
    readings: pd.DataFrame,
    columns: Sequence[tuple[np.ndarray, np.ndarray]],
    weights: np.ndarray | None = None,
) -> list[Estimate]:
    """For each pair of values (n,) and mask (n,): the mean of the masked values; a rate if they are bool."""
    weights = reading_weights(readings) if weights is None else weights
    rows = [row for values, among in columns for row in (np.where(among, values, 0), among)]
    sums = weighted_sums(np.array(rows), weights)
    estimates = []
    for (values, among), total, number in zip(columns, sums[::2], sums[1::2], strict=True):
        with np.errstate(invalid="ignore"):
            samples = total / number
        n, count = int(among.sum()), int(values[among].sum()) if values.dtype == bool else None
        estimate = estimate_of(samples, n, count)
        if estimate.value is not None and count in (0, n):
            low, high = bounds_of_none_or_all(count == n, readings[among])
            estimate = replace(estimate, low=low, high=high)
        estimates.append(estimate)
    return estimates


def weighted_sums(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(k, n) rows and (n, m) weights -> (k, m).

    On one thread: while other sessions use the cores, BLAS threads wait for each other; 3 ms became 600 ms.
    """
    with BLAS_LOCK, BLAS.limit(limits=1):
        return (rows.astype(np.float32) @ weights).astype(float)


def median(readings: pd.DataFrame, values: np.ndarray, weights: np.ndarray | None = None) -> Estimate:
    """The median of the values (n,) that are not NaN."""
    weights = reading_weights(readings) if weights is None else weights
    n = int(np.isfinite(values).sum())
    if n < MIN_N:
        return Estimate(None, None, None, n)
    order = np.argsort(values)[:n]  # nan is last
    samples = _weighted_medians(values[order], weights[order])
    return estimate_of(samples, n)


def _weighted_medians(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(m,) weighted medians of the ascending values (n,), one for each column of weights (n, m).

    The weights are summed by blocks of rows first, then within the block of the median, which is five times
    as fast as a running sum over all rows.
    """
    n, resamples = weights.shape
    side, columns = math.isqrt(n - 1) + 1, np.arange(resamples)
    blocks = np.zeros((side * side, resamples), dtype=weights.dtype)
    blocks[:n] = weights
    blocks = blocks.reshape(side, side, resamples)
    mass = np.cumsum(blocks.sum(axis=1), axis=0)
    half = mass[-1] / 2
    middle = []
    # The mean of the two middle values: the first at which the mass, a whole number, reaches half of the
    # total, and the first at which it exceeds it.
    for target in (half, half + 0.25):
        block = np.minimum(np.count_nonzero(mass < target, axis=0), side - 1)
        inside = np.cumsum(blocks[block, :, columns], axis=1)
        missing = target - mass[block, columns] + inside[:, -1]
        place = block * side + np.count_nonzero(inside < missing[:, None], axis=1)
        middle.append(values[np.minimum(place, n - 1)])
    return np.where(half > 0, np.mean(middle, axis=0), np.nan)


def estimate_of(samples: np.ndarray, n: int, count: int | None = None) -> Estimate:
    """From samples (1 + RESAMPLES,): the figure itself, then its bootstrap."""
    if n < MIN_N or not np.isfinite(samples[0]):
        return Estimate(None, None, None, n, count)
    return Estimate(float(samples[0]), *percentile_interval(samples), n, count)


def bounds_of_none_or_all(all_true: bool, readings: pd.DataFrame) -> tuple[float, float]:
    """The 95% interval of a rate of 0 or 1 (Clopper and Pearson 1934).

    All resamples are equal then, and the bootstrap would call 0 of 7 harmful switches certain. n is the
    number of cases or of readers, whichever is larger: ten readings of one case are not ten independent
    observations.
    """
    bound = 0.025 ** (1 / max(readings["case"].nunique(), readings["reader"].nunique()))
    return (bound, 1.0) if all_true else (0.0, 1 - bound)
