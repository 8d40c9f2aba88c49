"""How often the 95% intervals of a study contain the truth: `python -m benchmarks.coverage [STUDIES]`.

Made-up studies of readers and cases drawn anew each time. A reader's first diagnosis is right if skill, ease
of the case and chance add up to more than 0; the AI finds the same cases hard. Where reader and AI differ,
the reader adopts the AI's diagnosis with a probability that differs between readers; `influence` is its
mean. The truth is the figure over many readers and cases of the same kind.

All studies of a design are computed at once, as arrays (studies, readers, cases); the first studies of each
design are computed by skin_ai.study.statistics too, and must be equal.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtrit
from scipy.stats import norm

from skin_ai.intervals import MIN_CASES, MIN_READERS, PRIOR_READINGS, wilson
from skin_ai.study import statistics

DESIGNS: Final = ((5, 10), (5, 20), (10, 40))  # readers, cases
INFLUENCES: Final = {"very weak": 0.1, "weak": 0.3, "strong": 0.6}
STUDIES: Final = 1000
CHECKED: Final = 3  # studies of each design
LEVEL, SKILL, EASE, CHANCE = 0.35, 0.35, 0.8, 0.8  # of the readers: mean, and standard deviations
AI_LEVEL, AI_EASE, AI_CHANCE = 0.8, 0.6, 0.9  # of the AI: mean, weight of the case's ease, deviation
TRUST = 0.7  # standard deviation between readers, on the probit scale of the influence
TYPES = ("MEL", "NEV", "SEK")  # the reference is always the first
SHARED_MISTAKE = 0.3  # how often reader and AI, both wrong, say the same
POPULATION = (1, 200, 10_000)  # one study, of the truth


class Drawn(NamedTuple):
    """(studies, readers, cases) places in TYPES of first diagnoses."""

    before: np.ndarray
    after: np.ndarray
    ai: np.ndarray


class Intervals(NamedTuple):
    """(studies,) each; low and high are NaN where a study has no interval."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


def drawn_evenly(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Normal values at even quantiles, in random order: many readers or cases without luck."""
    n = int(np.prod(shape))
    return rng.permutation(norm.ppf((np.arange(n) + 0.5) / n)).reshape(shape)


def draw(
    rng: np.random.Generator, shape: tuple[int, int, int], influence: float, *, evenly: bool = False
) -> Drawn:
    studies, n_readers, n_cases = shape
    of_readers, of_cases = (studies, n_readers, 1), (studies, 1, n_cases)
    skill, trust, ease = (
        deviation * (drawn_evenly(rng, units) if evenly else rng.standard_normal(units))
        for deviation, units in ((SKILL, of_readers), (TRUST, of_readers), (EASE, of_cases))
    )
    right = LEVEL + skill + ease + rng.normal(0, CHANCE, shape) > 0
    ai_right = AI_LEVEL + AI_EASE * ease + rng.normal(0, AI_CHANCE, ease.shape) > 0
    ai = np.broadcast_to(np.where(ai_right, 0, 1), shape)
    before = np.where(right, 0, np.where(rng.random(shape) < SHARED_MISTAKE, 1, 2))
    adopts = rng.random(shape) < norm.cdf(norm.ppf(influence) * np.sqrt(1 + TRUST**2) + trust)
    return Drawn(before, np.where(adopts, ai, before), ai)


class Spread(NamedTuple):
    """As intervals.Spread, for all studies at once."""

    variance: np.ndarray
    t: np.ndarray
    units: np.ndarray
    describes_only: np.ndarray

    def effective_n(self, variance_of_one: np.ndarray) -> np.ndarray:
        is_spread = (self.variance > 0) & (variance_of_one > 0)
        return np.where(is_spread, variance_of_one / self.variance, self.units)


def spread(influence: np.ndarray, among: np.ndarray) -> Spread:
    """influence: 0 outside of `among`."""
    n_readers, n_cases = among.any(2).sum(1), among.any(1).sum(1)
    of_reader = influence.sum(2)
    between = n_readers / (n_readers - 1) * np.square(of_reader).sum(1)
    centred = np.where(among, influence - (of_reader / among.sum(2))[:, :, None], 0)
    shared = np.square(centred.sum(1)).sum(1) - np.square(centred).sum((1, 2))
    variance = between + np.maximum(0, shared * n_readers / (n_readers - 1) * n_cases / (n_cases - 1))
    degrees = np.where(between > 0, (n_readers - 1) * np.square(variance / between), np.inf)
    return Spread(
        np.maximum(variance, np.square(influence).sum((1, 2))),
        stdtrit(degrees, 0.975),
        np.maximum(n_readers, n_cases),
        (n_readers < MIN_READERS) | (n_cases < MIN_CASES),
    )


def intervals(value: np.ndarray, ends: tuple[np.ndarray, np.ndarray], none: np.ndarray) -> Intervals:
    return Intervals(value, *(np.where(none, np.nan, end) for end in ends))


def rate(happened: np.ndarray, among: np.ndarray) -> Intervals:
    n = among.sum((1, 2))
    value = (happened & among).sum((1, 2)) / n
    found = spread(np.where(among, (happened - value[:, None, None]) / n[:, None, None], 0), among)
    ends = wilson(value, found.effective_n(value * (1 - value)), found.t)
    return intervals(value, ends, found.describes_only)


def gain(drawn: Drawn) -> Intervals:
    gained = (drawn.before != 0) & (drawn.after == 0)
    lost = (drawn.before == 0) & (drawn.after != 0)
    more, less = gained.mean((1, 2)), lost.mean((1, 2))
    value = more - less
    change = gained.astype(float) - lost
    everyone = np.ones(gained.shape, dtype=bool)
    found = spread((change - value[:, None, None]) / gained[0].size, everyone)
    n = found.effective_n(more + less - value**2)
    added = n + 4 * PRIOR_READINGS
    more, less = ((share * n + PRIOR_READINGS) / added for share in (more, less))
    middle, half = more - less, found.t * np.sqrt((more + less - (more - less) ** 2) / added)
    _, of_none = wilson(np.zeros(len(n)), n, found.t)
    nobody = ~change.any((1, 2))
    ends = np.where(nobody, -of_none, middle - half), np.where(nobody, of_none, middle + half)
    return intervals(value, ends, found.describes_only)


def kappa(own: np.ndarray, ai: np.ndarray) -> Intervals:
    shares = [np.stack([(said == k).mean((1, 2)) for k in range(len(TYPES))], 1) for said in (own, ai)]
    expected = (shares[0] * shares[1]).sum(1)[:, None, None]
    same = (own == ai).astype(float)
    observed = same.mean((1, 2))[:, None, None]
    value = (observed - expected) / (1 - expected)
    study = np.arange(len(own))[:, None, None]
    by_chance = shares[1][study, own] + shares[0][study, ai] - 2 * expected
    influence = (same - observed - (1 - value) * by_chance) / own[0].size
    found = spread(influence, np.ones(own.shape, dtype=bool))
    observed, expected, value = (part[:, 0, 0] for part in (observed, expected, value))
    ends = wilson(observed, np.minimum(found.effective_n(observed * (1 - observed)), own[0].size), found.t)
    one_type = ((shares[0] > 0).sum(1) == 1) | ((shares[1] > 0).sum(1) == 1)
    low, high = ((end - expected) / (1 - expected) for end in ends)
    return intervals(value, (low, high), found.describes_only | one_type)


def ai_alone(drawn: Drawn) -> Intervals:
    value = (drawn.ai[:, 0] == 0).mean(1)
    return intervals(value, wilson(value, drawn.ai.shape[2], norm.ppf(0.975)), np.zeros(len(value), bool))


def figures(drawn: Drawn) -> dict[str, Intervals]:
    before, after, ai = drawn
    everyone, adopted, differ = np.ones(before.shape, dtype=bool), after == ai, before != ai
    return {
        "Accuracy before": rate(before == 0, everyone),
        "Accuracy after": rate(after == 0, everyone),
        "AI alone": ai_alone(drawn),
        "Gain": gain(drawn),
        "Beneficial switches": rate(after == 0, before != 0),
        "Harmful switches": rate(after != 0, before == 0),
        "Adopted": rate(adopted, differ),
        "Adopted, AI right": rate(adopted, differ & (ai == 0)),
        "Adopted, AI wrong": rate(adopted, differ & (ai != 0)),
        "Kappa before": kappa(before, ai),
        "Kappa after": kappa(after, ai),
    }


def figures_of_compare(drawn: Drawn, study: int) -> Iterator[statistics.Estimate]:
    """The same figures of one study, by the functions that Compare uses."""
    reader, case = (side.ravel() for side in np.indices(drawn.ai.shape[1:]))
    before, after, ai = (part[study].ravel() for part in drawn)
    table = pd.DataFrame({"reader": reader, "case": case, "truth": TYPES[0]})
    table["ai"] = [(TYPES[first], *(type_ for type_ in TYPES if type_ != TYPES[first])) for first in ai]
    table["undecided"] = [()] * len(table)
    for stage, said in (("before", before), ("after", after)):
        table[stage] = [(TYPES[first],) for first in said]
    for who in statistics.WHO:
        yield statistics.accuracy(table, who)
    yield statistics.gain(table)
    switches, relied = statistics.switches(table), statistics.reliance(table)
    yield from (switches.beneficial, switches.harmful)
    yield from (relied.followed, relied.followed_when_right, relied.followed_when_wrong)
    yield from (statistics.agreement(table, stage).kappa for stage in statistics.STAGES)


def check(drawn: Drawn, found: Mapping[str, Intervals]) -> None:
    """Raises AssertionError if Compare's functions give other intervals."""
    for study in range(CHECKED):
        for (name, all_studies), one in zip(found.items(), figures_of_compare(drawn, study), strict=True):
            ours = [end[study] for end in all_studies]
            theirs = [np.nan if end is None else end for end in (one.value, one.low, one.high)]
            if one.value is not None:
                np.testing.assert_allclose(ours, theirs, atol=1e-9, err_msg=name)


def coverage(
    n_readers: int, n_cases: int, influence: float, studies: int = STUDIES, seed: int = 1
) -> dict[str, tuple[float, float]]:
    """By figure: the share of intervals that contain the truth, and of studies that have one."""
    truth = figures(draw(np.random.default_rng(99), POPULATION, influence, evenly=True))
    drawn = draw(np.random.default_rng(seed), (studies, n_readers, n_cases), influence)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = figures(drawn)
    check(drawn, found)
    covered = {}
    for name, (_, low, high) in found.items():
        shown = np.isfinite(low)
        hits = (low <= truth[name].value) & (truth[name].value <= high)
        covered[name] = (float(hits[shown].mean()) if shown.any() else np.nan, float(shown.mean()))
    return covered


def main() -> None:
    """Prints a table in Markdown."""
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else STUDIES
    columns = [(design, name) for design in DESIGNS for name in INFLUENCES]
    found = {(design, name): coverage(*design, INFLUENCES[name], studies) for design, name in columns}
    print(f"{studies:,} studies; share of the intervals with the truth (share of studies with an interval)")
    print("| figure | " + " | ".join(f"{r} x {c}, {name}" for (r, c), name in columns) + " |")
    print("|---|" + "---|" * len(columns))
    for figure in found[columns[0]]:
        cells = (found[column][figure] for column in columns)
        texts = ("none" if shown < 0.005 else f"{share:.3f} ({shown:.2f})" for share, shown in cells)
        print(f"| {figure} | " + " | ".join(texts) + " |")


if __name__ == "__main__":
    main()
