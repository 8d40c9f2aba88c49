"""The charts of a model card as data, each with the table that says the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from skin_ai.model_card.blocks import Block, Counts, Curves, Line, Row, Table
from skin_ai.model_card.labels import label, type_name

MOST_COLUMNS = 8  # of a matrix that a phone can show
OTHERS = "others"
FALSE_POSITIVE_RATES = (0.05, 0.1, 0.2, 0.3, 0.5)  # at which the table tells the curve
SAME = 1e-6  # two shares that differ by less are one
# Lines that can be told apart in one chart; the single pass lies next to the chain, and is in the tables.
IN_ONE_CHART = ("photo_only", "words_only", "chain")
COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)

Figures = Mapping[str, Any]


def confusion(mode: str, counts: Sequence[Sequence[int]] | None, types: Sequence[str]) -> list[Block]:
    """What the lesions were against the first answers, of the types that have any case.

    counts: (K, K) cases, rows what it was.
    """
    if not counts:
        return []
    rows = [place for place, row in enumerate(counts) if sum(row)]
    answered = [sum(row[place] for row in counts) for place in range(len(types))]
    frequent = sorted(range(len(types)), key=lambda place: (place not in rows, -answered[place]))
    columns = sorted(place for place in frequent[:MOST_COLUMNS] if answered[place] or place in rows)
    rest = [sum(counts[row]) - sum(counts[row][column] for column in columns) for row in rows]
    has_rest = any(rest)
    return [
        Counts(
            key=f"confusion_{mode}",
            title=label(mode),
            rows=tuple(types[row] for row in rows),
            columns=(*(types[column] for column in columns), *((OTHERS,) if has_rest else ())),
            counts=tuple(
                (*(counts[row][column] for column in columns), *((left,) if has_rest else ()))
                for row, left in zip(rows, rest, strict=True)
            ),
            table=Table(
                tuple(_confused(types[row], counts[row], types) for row in rows),
                caption="Cases. Rows of the chart: what it was; columns: the first answer; framed: right.",
            ),
        )
    ]


def _confused(type_: str, row: Sequence[int], types: Sequence[str]) -> Row:
    others = {other: n for other, n in zip(types, row, strict=True) if n and other != type_}
    ordered = sorted(others.items(), key=lambda item: -item[1])
    return {
        "Was": f"{type_name(type_)} ({type_})",
        "Named right": f"{row[types.index(type_)]:,} of {sum(row):,}",
        "Taken for": ", ".join(f"{other} {n:,}" for other, n in ordered) or "nothing else",
    }


def reliability(modes: Figures, key: str, title: str) -> list[Block]:
    """How often the first answer was right over how sure it was."""
    lines = [
        _line(mode, measured["bins"], "confidence", "accuracy")
        for mode, measured in modes.items()
        if "bins" in measured
    ]
    rows = (
        {
            "": line.name,
            "How sure": f"{line.x[point]:.2f}",
            "How often right": line.written_y(point),
            "Cases": f"{line.n[point]:,}" if line.n else "",
        }
        for line in lines
        for point in range(len(line.x))
    )
    return _curves(
        key,
        title,
        lines,
        ("how sure (mean of the bin)", "how often right"),
        rows,
        caption="On the dotted line it is right as often as it is sure; below it is too sure.",
        diagonal=True,
        one_at_a_time=True,
    )


def malignancy_curve(modes: Figures) -> list[Block]:
    """Sensitivity over the false positive rate (ROC)."""
    lines = [
        _line(mode, modes[mode]["roc"], "false_positive_rate", "sensitivity")
        for mode in IN_ONE_CHART
        if modes.get(mode, {}).get("roc")
    ]
    rows = (
        {"False positive rate": f"{rate:.2f}", **{line.name: _at(line, rate) for line in lines}}
        for rate in FALSE_POSITIVE_RATES
    )
    return _curves(
        "roc",
        "ROC: malignant against the rest",
        lines,
        ("false positive rate (1 - specificity)", "sensitivity"),
        rows,
        caption="Sensitivity at some false positive rates. The dotted line is chance.",
        diagonal=True,
    )


def risk_coverage(modes: Figures) -> list[Block]:
    """Accuracy of the surest cases over their share."""
    lines = [
        _line(mode, modes[mode]["curve"], "coverage", "accuracy")
        for mode in IN_ONE_CHART
        if modes.get(mode, {}).get("curve")
    ]
    rows = (
        {"Coverage": f"{coverage:.0%}", **{line.name: _at(line, coverage) for line in lines}}
        for coverage in COVERAGES
    )
    return _curves(
        "risk_coverage",
        "Accuracy over coverage",
        lines,
        ("coverage (share of cases answered)", "accuracy"),
        rows,
        caption="Accuracy of the surest cases, at some coverages.",
    )


def deletion_and_insertion(curves: Figures) -> list[Block]:
    """The model's probability while a photo's places, strongest in the map first, go or come.

    curves: "deletion" and "insertion", each kind of map -> points.
    """
    blocks: list[Block] = []
    for name, what, good in (
        ("deletion", "taken away", "falls"),
        ("insertion", "shown", "rises"),
    ):
        lines = [_line(kind, points, "part", "value") for kind, points in curves.get(name, {}).items()]
        parts = lines[0].x if lines else ()
        rows = (
            {"Part of the photo": f"{part:.0%}", **{line.name: line.written_y(at) for line in lines}}
            for at, part in enumerate(parts)
        )
        blocks += _curves(
            f"heatmap_{name}",
            label(name),
            lines,
            (f"part {what}, strongest first", "probability of the type"),
            rows,
            caption=f"A map that marks what the model used: the line {good} at once.",
        )
    return blocks


def _line(mode: str, points: Sequence[Figures], x: str, y: str) -> Line:
    def column(name: str) -> tuple[Any, ...]:
        found = tuple(point.get(name) for point in points)
        return () if None in found else found

    return Line(mode, label(mode), column(x), column(y), column("low"), column("high"), column("n"))


def _at(line: Line, x: float) -> str:
    """The line's y at x, with its interval where x is one of its points, else in proportion between two."""
    for point, at in enumerate(line.x):
        if abs(at - x) < SAME and (point + 1 == len(line.x) or abs(line.x[point + 1] - x) >= SAME):
            return line.written_y(point)
    points = sorted(zip(line.x, line.y, strict=True))
    before = [point for point in points if point[0] < x]
    after = [point for point in points if point[0] > x]
    if not before or not after:
        return "not measured"
    (left, low), (right, high) = before[-1], after[0]
    return f"{low + (x - left) / (right - left) * (high - low):.2f}"


def _curves(
    key: str,
    title: str,
    lines: Sequence[Line],
    axes: tuple[str, str],
    rows: Iterable[Row],
    *,
    caption: str,
    diagonal: bool = False,
    one_at_a_time: bool = False,
) -> list[Block]:
    if not lines:
        return []
    content = Table(tuple(rows), caption=caption)
    return [Curves(key, title, tuple(lines), *axes, content, diagonal, one_at_a_time)]
