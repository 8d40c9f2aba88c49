"""Figures of a manifest as text and as Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from skin_ai.intervals import figure_text
from skin_ai.model_card.labels import label

NOT_MEASURED = "Not measured for this bundle."
MOST_MISTAKES = 5

Figures = Mapping[str, Any]


def is_figure(value: Any) -> bool:
    """Whether it is a measured value, as the manifest writes one: {"value", "low", "high"}."""
    return isinstance(value, Mapping) and "value" in value


def value_of(figure: Any) -> float | None:
    """The value alone; None where it was not measured."""
    return figure.get("value") if isinstance(figure, Mapping) else None


def interval(figure: Figures | None) -> str:
    """A value with its 95% confidence interval, as 0.70 (0.67 to 0.73)."""
    value, low, high = ((figure or {}).get(key) for key in ("value", "low", "high"))
    if value is None:
        return "not measured"
    return figure_text(value, low, high, decimals=_decimals(value))


def with_n(figure: Figures | None, n: int | None = None) -> str:
    """A figure with its interval and its n, for use in a sentence; n: used where the figure has none."""
    return interval(figure) + _n((figure or {}).get("n", n))


def number(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.{_decimals(value)}f}"


def _decimals(value: float) -> int:
    """Two, and three for small figures such as calibration errors and differences."""
    return 3 if abs(value) < 0.1 else 2


def compared(parts: Figures | None, columns: Mapping[str, str], first: str = "") -> str:
    """A Markdown table with a row for each part and a column for each measure.

    parts: name -> measures, or name -> one figure; columns: measure -> heading, at most three, so that the
    table fits on a phone; measures that no part has are left out. n stands once where it can: below the
    table, beside the names of the rows, in the headings, or else in the cells.
    """
    rows = {
        label(name): {"value": part} if is_figure(part) else part
        for name, part in (parts or {}).items()
        if isinstance(part, Mapping)
    }
    present = [key for key in columns if any(is_figure(row.get(key)) for row in rows.values())]
    if not present:
        return NOT_MEASURED
    counts = {
        (name, key): row[key].get("n", row.get("n"))
        for name, row in rows.items()
        for key in present
        if value_of(row.get(key)) is not None
    }
    counts |= {(name, ""): row["n"] for name, row in rows.items() if "n" in row}

    def common(name: str | None = None, key: str | None = None) -> int | None:
        """The n that all cells of a row, of a column, or of the table have in common."""
        found = {n for (row, column), n in counts.items() if name in (None, row) and key in (None, column)}
        return found.pop() if len(found) == 1 else None

    in_caption = common()
    by_row = in_caption is None and all(common(name) is not None for name, _ in counts)
    by_column = in_caption is None and not by_row and all(common(key=key) is not None for key in present)
    write = with_n if in_caption is None and not by_row and not by_column else interval
    headings = [columns[key] + (_n(common(key=key)) if by_column else "") for key in present]
    lines = [[first, *headings], ["---"] * (len(present) + 1)]
    for name, row in rows.items():
        title = name + (_n(common(name)) if by_row else "")
        lines.append([title, *(write(row.get(key)) for key in present)])
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return table + (f"\n\n*{_n(in_caption)[2:]}*" if in_caption is not None else "")


def _n(n: Any) -> str:
    return f", n = {n:,}" if isinstance(n, int) else ""


class Confusion(NamedTuple):
    """The answers for lesions of one type; mistakes: type ranked first -> cases, the most frequent first."""

    correct: int
    n: int
    mistakes: dict[str, int]

    def mistaken_for(self) -> str:
        """As "BCC 31, ACK 11"; of many wrong types the rarer ones are summed."""
        names = [f"{other} {n:,}" for other, n in list(self.mistakes.items())[:MOST_MISTAKES]]
        rest = sum(self.mistakes.values()) - sum(list(self.mistakes.values())[:MOST_MISTAKES])
        return ", ".join([*names, *([f"others {rest:,}"] if rest else [])]) or "nothing else"


def confusions(mode: Figures | None, types: Sequence[str]) -> dict[str, Confusion]:
    """Every type that has cases; empty where the mode has no confusion matrix.

    Its confusion matrix: (K, K) cases, rows the true type, columns the type ranked first.
    """
    matrix = (mode or {}).get("confusion") or ()
    found = {}
    for place, (type_, row) in enumerate(zip(types, matrix, strict=bool(matrix))):
        wrong = {other: n for other, n in zip(types, row, strict=True) if n and other != type_}
        if sum(row):
            ordered = sorted(wrong, key=lambda other: -wrong[other])
            found[type_] = Confusion(row[place], sum(row), {other: wrong[other] for other in ordered})
    return found
