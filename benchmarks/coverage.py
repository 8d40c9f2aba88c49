"""How often the 95% intervals of a study contain the truth: `python -m benchmarks.coverage [STUDIES]`.

Made-up studies of readers and cases drawn anew each time. A reader's first diagnosis is right if skill, ease
of the case and chance add up to more than 0; the AI finds the same cases hard. Where reader and AI differ,
the reader adopts the AI's diagnosis with a probability that differs between readers; `influence` is its
mean. The truth is the figure over many readers and cases of the same kind. The figures are those of Compare,
by the same functions.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import norm

from skin_ai.study import statistics

DESIGNS: Final = ((5, 10), (5, 20), (10, 40))  # readers, cases
INFLUENCES: Final = {"very weak": 0.1, "weak": 0.3, "strong": 0.6}
STUDIES: Final = 1000
LEVEL, SKILL, EASE, CHANCE = 0.35, 0.35, 0.8, 0.8  # of the readers: mean, and standard deviations
AI_LEVEL, AI_EASE, AI_CHANCE = 0.8, 0.6, 0.9  # of the AI: mean, weight of the case's ease, deviation
TRUST = 0.7  # standard deviation between readers, on the probit scale of the influence
TYPES = np.array(["MEL", "NEV", "SEK"], dtype=object)  # the reference is always the first
SHARED_MISTAKE = 0.3  # how often reader and AI, both wrong, say the same
POPULATION = (200, 20_000)  # readers and cases of the truth


@dataclass(frozen=True)
class Covered:
    """share: of the intervals that contain the truth; shown: of the studies that have an interval."""

    truth: float
    share: float
    shown: float
    width: float


def draw(rng: np.random.Generator, shape: tuple[int, int], influence: float) -> dict[str, np.ndarray]:
    """(readers, cases) places in TYPES of what readers said before and after, and of the AI."""
    n_readers, n_cases = shape
    skill, ease = rng.normal(0, SKILL, (n_readers, 1)), rng.normal(0, EASE, n_cases)
    trust = rng.normal(0, TRUST, (n_readers, 1))
    right = LEVEL + skill + ease + rng.normal(0, CHANCE, shape) > 0
    ai_right = AI_LEVEL + AI_EASE * ease + rng.normal(0, AI_CHANCE, n_cases) > 0
    ai = np.where(ai_right, 0, 1)
    before = np.where(right, 0, np.where(rng.random(shape) < SHARED_MISTAKE, 1, 2))
    adopts = rng.random(shape) < norm.cdf(norm.ppf(influence) * np.sqrt(1 + TRUST**2) + trust)
    after = np.where(adopts, ai, before)
    return {"before": before, "after": after, "ai": np.broadcast_to(ai, shape)}


def readings(drawn: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """The columns of statistics.readings that the figures need."""
    n_readers, n_cases = drawn["ai"].shape
    reader, case = (side.ravel() for side in np.indices((n_readers, n_cases)))
    named, ranked = np.empty(len(TYPES), dtype=object), np.empty(len(TYPES), dtype=object)
    for place, type_ in enumerate(TYPES):
        named[place], ranked[place] = (type_,), tuple(np.roll(TYPES, -place))
    table = pd.DataFrame({"reader": reader, "case": case, "truth": TYPES[0]})
    table["ai"] = ranked[drawn["ai"].ravel()]
    table["undecided"] = pd.Series([()] * len(table), dtype=object)
    for stage in statistics.STAGES:
        table[stage] = named[drawn[stage].ravel()]
    return table


def figures(table: pd.DataFrame) -> dict[str, statistics.Estimate]:
    switches, relied = statistics.switches(table), statistics.reliance(table)
    return {
        "before": statistics.accuracy(table, "before"),
        "after": statistics.accuracy(table, "after"),
        "AI alone": statistics.accuracy(table, "ai"),
        "gain": statistics.gain(table),
        "beneficial": switches.beneficial,
        "harmful": switches.harmful,
        "adopted": relied.followed,
        "adopted, AI right": relied.followed_when_right,
        "adopted, AI wrong": relied.followed_when_wrong,
        "kappa before": statistics.agreement(table, "before").kappa,
        "kappa after": statistics.agreement(table, "after").kappa,
    }


def truth(influence: float, seed: int = 99) -> dict[str, float]:
    """The figures of many readers and cases."""
    drawn = draw(np.random.default_rng(seed), POPULATION, influence)
    before, after, ai = (drawn[name] for name in ("before", "after", "ai"))
    differ = before != ai
    adopted = after == ai

    def kappa(own: np.ndarray) -> float:
        shares = [[(said == place).mean() for place in range(len(TYPES))] for said in (own, ai)]
        expected = float(np.dot(*shares))
        return float(((own == ai).mean() - expected) / (1 - expected))

    return {
        "before": (before == 0).mean(),
        "after": (after == 0).mean(),
        "AI alone": (ai[0] == 0).mean(),
        "gain": (after == 0).mean() - (before == 0).mean(),
        "beneficial": (after == 0)[before != 0].mean(),
        "harmful": (after != 0)[before == 0].mean(),
        "adopted": adopted[differ].mean(),
        "adopted, AI right": adopted[differ & (ai == 0)].mean(),
        "adopted, AI wrong": adopted[differ & (ai != 0)].mean(),
        "kappa before": kappa(before),
        "kappa after": kappa(after),
    }


def coverage(
    n_readers: int, n_cases: int, influence: float, studies: int = STUDIES, seed: int = 1
) -> dict[str, Covered]:
    """By figure, in so many studies."""
    rng, true = np.random.default_rng(seed), truth(influence)
    found = [figures(readings(draw(rng, (n_readers, n_cases), influence))) for _ in range(studies)]
    covered = {}
    for name, value in true.items():
        shown = [one[name] for one in found if one[name].low is not None and one[name].high is not None]
        hits = [estimate.low <= value <= estimate.high for estimate in shown]
        widths = [estimate.high - estimate.low for estimate in shown]
        covered[name] = Covered(
            float(value),
            float(np.mean(hits)) if hits else float("nan"),
            len(shown) / studies,
            float(np.mean(widths)) if widths else float("nan"),
        )
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
        texts = ("none" if cell.shown == 0 else f"{cell.share:.3f} ({cell.shown:.2f})" for cell in cells)
        print(f"| {figure} | " + " | ".join(texts) + " |")


if __name__ == "__main__":
    main()
