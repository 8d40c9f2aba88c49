"""How many readers and cases a comparison of two arms needs, by simulation.

    .venv/bin/python -m benchmarks.sample_size [STUDIES]

Readers, cases and AI are those of `benchmarks.coverage`. For each reader and case one of two arms is drawn,
in blocks. With the ranking, readers adopt the AI's diagnosis in 40% of the cases in which they differ. With
the steps they adopt a right one more often and a wrong one less often. Power: the share of studies whose
interval for the difference of gains lies above 0. Coverage: the share of intervals with the true difference.
"""

from __future__ import annotations

import sys
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm

from benchmarks import coverage
from skin_ai.study import arms
from skin_ai.vocabulary import RANKING, STEPS

DESIGNS: Final = ((10, 40), (20, 40), (20, 80), (40, 80), (60, 120))  # readers, cases
ADOPTED: Final = 0.4  # of the AI's diagnoses that differ, with the ranking
EFFECTS: Final = {
    "none": 0.0,
    "small": 0.1,
    "medium": 0.2,
    "large": 0.3,
}  # more right, fewer wrong ones adopted
STUDIES: Final = 200
AT_ONCE: Final = 20  # studies, for memory
CHECKED: Final = 2  # studies that are computed a second time, by the function that Compare uses
POPULATION: Final = (1, 200, 10_000)  # one study, of the truth


class Drawn(NamedTuple):
    """(studies, readers, cases): change of the first diagnosis to right (1) or wrong (-1); has steps."""

    change: np.ndarray
    has_steps: np.ndarray


def in_blocks(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    """Which readings have the steps: one of every two cases of a reader, in the reader's own order."""
    studies, n_readers, n_cases = shape
    pairs = rng.random((studies, n_readers, (n_cases + 1) // 2)) < 0.5
    drawn = np.stack([pairs, ~pairs], axis=3).reshape(studies, n_readers, -1)[:, :, :n_cases]
    order = rng.random(shape).argsort(axis=2)
    return np.take_along_axis(drawn, order, axis=2)


def draw(
    rng: np.random.Generator, shape: tuple[int, int, int], effect: float, *, evenly: bool = False
) -> Drawn:
    base = coverage.draw(rng, shape, ADOPTED, evenly=evenly)
    has_steps = in_blocks(rng, shape)
    ai_right = base.ai == 0
    wanted = ADOPTED + effect * np.where(ai_right, 1, -1) * has_steps
    trust = coverage.TRUST * rng.standard_normal((shape[0], shape[1], 1))
    adopts = rng.random(shape) < norm.cdf(norm.ppf(wanted) * np.sqrt(1 + coverage.TRUST**2) + trust)
    after = np.where(adopts, base.ai, base.before)
    return Drawn((after == 0).astype(float) - (base.before == 0), has_steps)


def differences(drawn: Drawn) -> coverage.Intervals:
    """As arms.difference_of_gains, for all studies at once."""
    influence, means = np.zeros(drawn.change.shape), []
    for mask, sign in ((drawn.has_steps, 1), (~drawn.has_steps, -1)):
        n = mask.sum((1, 2), keepdims=True)
        mean = (drawn.change * mask).sum((1, 2), keepdims=True) / n
        influence += np.where(mask, sign * (drawn.change - mean) / n, 0)
        means.append(mean[:, 0, 0])
    found = coverage.spread(influence, np.ones(drawn.change.shape, dtype=bool))
    value, half = means[0] - means[1], found.t * np.sqrt(found.variance)
    return coverage.Intervals(value, value - half, value + half)


def check(drawn: Drawn, found: coverage.Intervals) -> None:
    """Raises AssertionError if Compare's function gives other intervals."""
    for study in range(CHECKED):
        reader, case = (side.ravel() for side in np.indices(drawn.change.shape[1:]))
        change, has_steps = drawn.change[study].ravel(), drawn.has_steps[study].ravel()
        table = pd.DataFrame({"reader": reader, "case": case, "truth": "MEL"})
        table["arm"] = np.where(has_steps, STEPS, RANKING)
        table["before"] = [("MEL",) if one < 0 else ("NEV",) for one in change]
        table["after"] = [
            ("MEL",) if one > 0 else ("NEV",) if one < 0 else before
            for one, before in zip(change, table["before"], strict=True)
        ]
        one = arms.difference_of_gains(table, (STEPS, RANKING))
        ours = [end[study] for end in found]
        np.testing.assert_allclose(ours, [one.value, one.low, one.high], atol=1e-9)


def measured(n_readers: int, n_cases: int, effect: float, studies: int, truth: float) -> tuple[float, float]:
    """Power and coverage."""
    rng, parts = np.random.default_rng(1), []
    for start in range(0, studies, AT_ONCE):
        drawn = draw(rng, (min(AT_ONCE, studies - start), n_readers, n_cases), effect)
        parts.append(differences(drawn))
        if not start:
            check(drawn, parts[0])
    low, high = (np.concatenate([getattr(part, end) for part in parts]) for end in ("low", "high"))
    return float((low > 0).mean()), float(((low <= truth) & (truth <= high)).mean())


def main() -> None:
    """Prints a table in Markdown."""
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else STUDIES
    truths = {
        name: float(differences(draw(np.random.default_rng(99), POPULATION, effect, evenly=True)).value[0])
        for name, effect in EFFECTS.items()
    }
    print(f"{studies:,} studies each; share with an interval above 0 (coverage)")
    print("| readers x cases | " + " | ".join(f"{name}: {truths[name]:+.3f}" for name in EFFECTS) + " |")
    print("|---|" + "---|" * len(EFFECTS))
    for n_readers, n_cases in DESIGNS:
        cells = (measured(n_readers, n_cases, EFFECTS[name], studies, truths[name]) for name in EFFECTS)
        texts = (f"{power:.2f} ({covered:.2f})" for power, covered in cells)
        print(f"| {n_readers} x {n_cases} | " + " | ".join(texts) + " |")


if __name__ == "__main__":
    main()
