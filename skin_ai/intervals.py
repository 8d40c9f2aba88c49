"""Figures with 95% intervals, and how to write them.

Figures of models: percentile bootstrap over patients (`patient_weights`).

Figures of readers speak of other readers and other cases, so both are random, as in multi-reader multi-case
studies. The variance is that of Obuchowski and Rockette (1995, Commun. Stat. Simul. 24:285), the degrees of
freedom are Hillis's (2007, Stat. Med. 26:596, eq. 12); for a mean over readings both have a closed form, so
nothing is drawn at random and the order and names of readers do not matter. A rate then has Wilson's interval
(1927, JASA 22:209) with the effective number of readings, that is the number of independent readings that
would have this variance: near 0 and 1 it is not symmetric and never without width. `benchmarks.coverage`
measures how often the intervals contain the truth; docs/study.md has the results.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import stdtrit

from skin_ai.vocabulary import plural

if TYPE_CHECKING:  # it takes a quarter of a second, and a model card needs no table
    import pandas as pd

MIN_N: Final = 5  # readings; no figure is given for fewer
# With fewer, a figure of readers has no interval: it describes these readers and cases, and no others.
MIN_READERS: Final = 5
MIN_CASES: Final = 10
RESAMPLES: Final = 1000
INTERVAL: Final = (2.5, 97.5)  # percent
SEED: Final = 42  # of the patients
# Added to each of the four cells right-right, right-wrong, wrong-right, wrong-wrong (Perks 1947, J. Inst.
# Actuaries 73:285), so that a gain is not called certain where few readings or none have changed.
PRIOR_READINGS: Final = 0.25


def figure_text(
    value: float, low: float | None = None, high: float | None = None, *, decimals: int = 2, unit: str = ""
) -> str:
    """A value with its interval, as 0.74 (0.65 to 0.82) or 30 s (29 to 31)."""
    interval = "" if low is None or high is None else f" ({low:.{decimals}f} to {high:.{decimals}f})"
    return f"{value:.{decimals}f}{unit}{interval}"


def counted(n: int, unit: str) -> str:
    """A number with what it counts, as 40, 40 cases, 1 case."""
    return plural(n, unit.removesuffix("s")) if unit else f"{n:,}"


@dataclass(frozen=True)
class Estimate:
    """A figure of a study with its 95% interval.

    value: None if n is under MIN_N or the figure is undefined; low, high: None too where it only describes
    these readers and cases. n: readings, or what `unit` says; count: for rates, in how many it happened.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    count: int | None = None
    unit: str = ""

    def text(self, unit: str = "") -> str:
        """With interval and n, as 0.74 (0.65 to 0.82), n = 120; otherwise why there is no figure."""
        n = f"n = {counted(self.n, self.unit)}"
        if self.value is None:
            return f"too few ({n})" if self.n < MIN_N else f"not defined ({n})"
        value = figure_text(self.value, self.low, self.high, decimals=0 if unit else 2, unit=unit)
        return f"{value}, {n}"

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


@dataclass(frozen=True)
class Spread:
    """How far a figure may be from that of all readers and cases.

    variance: of the figure; degrees: of freedom of its estimate.
    """

    variance: float
    degrees: float
    n_readers: int
    n_cases: int

    @property
    def describes_only(self) -> bool:
        return self.n_readers < MIN_READERS or self.n_cases < MIN_CASES

    @property
    def t(self) -> float:
        """Student's t of a 95% interval."""
        return float(stdtrit(self.degrees, INTERVAL[1] / 100))

    def effective_n(self, variance_of_one: float) -> float:
        """The number of independent readings that would vary as much.

        Without any spread (nobody was wrong, or nobody changed), the larger of the numbers of readers and of
        cases: ten readings of one case are not ten independent observations.
        """
        if self.variance <= 0 or variance_of_one <= 0:
            return float(max(self.n_readers, self.n_cases))
        return variance_of_one / self.variance


def spread(readings: pd.DataFrame, influence: np.ndarray) -> Spread:
    """The spread of a figure over readers and cases.

    influence: (n,) how much each reading moves the figure; (value - mean) / n for a mean. The variance of
    Obuchowski and Rockette is that between readers plus, if positive, the covariance of different readers of
    the same case. It is never less than if all readings were independent.
    """
    import pandas as pd

    reader, case = (pd.factorize(readings[column])[0] for column in ("reader", "case"))
    n_readers, n_cases = reader.max(initial=-1) + 1, case.max(initial=-1) + 1
    counts = (int(n_readers), int(n_cases))
    if n_readers < 2 or n_cases < 2:
        return Spread(math.nan, math.inf, *counts)
    # A reader may have read a case twice, as the samples: such readings are taken together.
    cells, cell = np.unique(reader * n_cases + case, return_inverse=True)
    of_cell = np.bincount(cell, influence)
    reader, case = np.divmod(cells, n_cases)
    of_reader = np.bincount(reader, of_cell)
    between_readers = n_readers / (n_readers - 1) * np.square(of_reader).sum()
    centred = of_cell - (of_reader / np.bincount(reader))[reader]
    shared = np.square(np.bincount(case, centred)).sum() - np.square(centred).sum()
    shared *= n_readers / (n_readers - 1) * n_cases / (n_cases - 1)
    variance = between_readers + max(shared, 0.0)
    # Hillis's degrees of freedom, at least those of the readers.
    degrees = (n_readers - 1) * (variance / between_readers) ** 2 if between_readers > 0 else math.inf
    return Spread(float(max(variance, np.square(influence).sum())), float(degrees), *counts)


def rate(readings: pd.DataFrame, happened: np.ndarray, among: np.ndarray) -> Estimate:
    """How often it happened, (n,) bool, among the readings of a mask (n,)."""
    count, n = int(happened[among].sum()), int(among.sum())
    if n < MIN_N:
        return Estimate(None, None, None, n, count)
    value = count / n
    return as_rate(value, spread(readings[among], (happened[among] - value) / n), n, count)


def as_rate(value: float, found: Spread, n: int, count: int | None = None) -> Estimate:
    """A figure from 0 to 1 with Wilson's interval for the effective number of readings."""
    if found.describes_only:
        return Estimate(value, None, None, n, count)
    low, high = wilson(value, found.effective_n(value * (1 - value)), found.t)
    return Estimate(value, float(low), float(high), n, count)


def wilson(value: float, n: float, t: float) -> tuple[float, float]:
    """Wilson's interval of a rate among n independent observations; of arrays too."""
    scale = 1 + t * t / n
    middle = (value + t * t / (2 * n)) / scale
    half = t / scale * np.sqrt(value * (1 - value) / n + (t / (2 * n)) ** 2)
    return np.maximum(0.0, middle - half), np.minimum(1.0, middle + half)


def difference(readings: pd.DataFrame, gained: np.ndarray, lost: np.ndarray, among: np.ndarray) -> Estimate:
    """The rate of `gained` minus the rate of `lost`, (n,) bool, among the readings of a mask (n,).

    The interval is that of Agresti and Min (2005, Stat. Med. 24:729) for paired rates, with PRIOR_READINGS
    in each cell and the effective number of readings. Without any change it is as wide as that of one rate
    of 0, on both sides.
    """
    n = int(among.sum())
    if n < MIN_N:
        return Estimate(None, None, None, n)
    more, less = gained[among].mean(), lost[among].mean()
    value = float(more - less)
    change = gained[among].astype(float) - lost[among]
    found = spread(readings[among], (change - value) / n)
    if found.describes_only:
        return Estimate(value, None, None, n)
    variance_of_one = float(more + less - value**2)
    n_effective = found.effective_n(variance_of_one)
    if variance_of_one == 0:  # nobody changed, or everybody in the same way
        low, high = wilson(abs(value), n_effective, found.t)
        low, high = (-high, high) if value == 0 else (low, high) if value > 0 else (-high, -low)
        return Estimate(value, float(low), float(high), n)
    added = n_effective + 4 * PRIOR_READINGS
    more, less = ((share * n_effective + PRIOR_READINGS) / added for share in (more, less))
    middle = more - less
    half = found.t * math.sqrt((more + less - middle**2) / added)
    return Estimate(value, float(max(-1.0, middle - half)), float(min(1.0, middle + half)), n)


def mean(readings: pd.DataFrame, values: np.ndarray, limits: tuple[float, float]) -> Estimate:
    """The mean of values (n,) that lie within limits; no interval if all are equal."""
    n = len(values)
    if n < MIN_N:
        return Estimate(None, None, None, n)
    value = float(values.mean())
    return around(value, spread(readings, (values - value) / n), limits, n)


def around(value: float, found: Spread, limits: tuple[float, float], n: int) -> Estimate:
    """A figure with an interval that is symmetric but for its limits; none where nothing varies."""
    if found.describes_only or found.variance <= 0:
        return Estimate(value, None, None, n)
    half = found.t * math.sqrt(found.variance)
    return Estimate(value, max(limits[0], value - half), min(limits[1], value + half), n)


def median(readings: pd.DataFrame, values: np.ndarray) -> Estimate:
    """The median of values (n,), with the interval of Woodruff (1952, JASA 47:635).

    It ends at the quantiles of the values between which the share up to the median lies.
    """
    n = len(values)
    if n < MIN_N:
        return Estimate(None, None, None, n)
    value = float(np.median(values))
    up_to = values <= value
    share = float(up_to.mean())
    found = spread(readings, (up_to - share) / n)
    if found.describes_only or values.min() == values.max():
        return Estimate(value, None, None, n)
    ends = wilson(0.5, found.effective_n(share * (1 - share)), found.t)
    low, high = np.quantile(values, ends)
    return Estimate(value, float(low), float(high), n)


def rate_of_cases(values: np.ndarray) -> Estimate:
    """The mean of one value from 0 to 1 for each case, with Wilson's interval over cases."""
    n = len(values)
    if n < MIN_N:
        return Estimate(None, None, None, n, unit="cases")
    value = float(values.mean())
    if n < MIN_CASES:
        return Estimate(value, None, None, n, unit="cases")
    low, high = wilson(value, n, float(stdtrit(math.inf, INTERVAL[1] / 100)))
    return Estimate(value, float(low), float(high), n, unit="cases")
