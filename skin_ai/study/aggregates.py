"""The figures of the Compare page as a table to download, without any single reader's row."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from skin_ai.intervals import Estimate
from skin_ai.study import export, statistics
from skin_ai.study.statistics import STAGES, Summary

COLUMNS = ("bundle", "figure", "of", "value", "low", "high", "n", "count", "counted")


def to_csv(answers: pd.DataFrame) -> str:
    """One row for each figure, for each bundle on its own; docs/study.md says what each one counts.

    value, low, high: empty where the page shows no figure or no interval; n: how many `counted`; count: of a
    rate, in how many it happened.
    """
    finished, unfinished = statistics.readings(answers), statistics.unfinished(answers)
    rows = []
    for bundle in statistics.bundles(finished):
        summary = statistics.summary(
            statistics.of_bundle(finished, bundle), statistics.of_bundle(unfinished, bundle)
        )
        rows += [(bundle, *row) for row in (*_sizes(summary), *_figures(summary))]
    return export.as_csv(COLUMNS, rows)


def _sizes(summary: Summary) -> Iterator[tuple[object, ...]]:
    for name in ("readings", "readers", "cases"):
        n = getattr(summary, f"n_{name}")
        yield ("size", name, n, None, None, n, None, name)


def _figures(summary: Summary) -> Iterator[tuple[object, ...]]:
    for (who, top), estimate in summary.accuracy.items():
        yield _row(f"accuracy, top {top}", who, estimate)
    for top, estimate in summary.gain.items():
        yield _row(f"gain, top {top}", "after minus before", estimate)
        missing = summary.missing[top]
        for name, value in (("kept", missing.kept), ("changed", missing.changed)):
            yield (
                f"gain, top {top}, with missing answers", name, value, None, None, missing.n, None, "readings"
            )  # fmt: skip
    yield _row("switches", "beneficial", summary.switches.beneficial)
    yield _row("switches", "harmful", summary.switches.harmful)
    yield _row("adopted the AI's diagnosis", "all", summary.reliance.followed)
    yield _row("adopted the AI's diagnosis", "AI right", summary.reliance.followed_when_right)
    yield _row("adopted the AI's diagnosis", "AI wrong", summary.reliance.followed_when_wrong)
    yield _row("AI gave a diagnosis", "ai", summary.undecided.decided)
    for stage in STAGES:
        yield _row("kappa with the AI", stage, summary.agreement[stage].kappa)
        yield _row("mean confidence, percent", stage, summary.confidence[stage])
        yield _row("median time, seconds", stage, summary.seconds[stage])


def _row(figure: str, of: str, estimate: Estimate) -> tuple[object, ...]:
    return (
        figure, of, estimate.value, estimate.low, estimate.high, estimate.n,
        None if estimate.value is None else estimate.count,  # else it would tell of one or two readers
        estimate.unit or "readings",
    )  # fmt: skip
