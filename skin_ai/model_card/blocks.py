"""What a model card is made of: text, tables and charts, each chart with its content as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NOT_MEASURED = "Not measured for this bundle."

Row = dict[str, str]  # column -> cell; the first column names the row


@dataclass(frozen=True)
class Text:
    """Sentences or a list, in Markdown."""

    markdown: str


@dataclass(frozen=True)
class Table:
    """Cells as they are read, all rows with the same columns; no more than a phone shows side by side."""

    rows: tuple[Row, ...]
    title: str = ""
    caption: str = ""


@dataclass(frozen=True)
class Line:
    """One of those compared.

    low, high: 95% interval of each y; n: cases at each point. Empty where they are not known for all points.
    """

    key: str
    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    n: tuple[int, ...] = ()

    def written_y(self, point: int) -> str:
        """The value at a point with its interval."""
        bounds = {"low": self.low[point], "high": self.high[point]} if self.low else {}
        return interval({"value": self.y[point], **bounds})


@dataclass(frozen=True)
class Curves:
    """A chart of lines, its content in `table`.

    diagonal: whether y = x is drawn for comparison; one_at_a_time: whether the lines are too many to be told
    apart in one chart; the first column of the table then holds the names of the lines.
    """

    key: str
    title: str
    lines: tuple[Line, ...]
    x_title: str
    y_title: str
    table: Table
    diagonal: bool = False
    one_at_a_time: bool = False


@dataclass(frozen=True)
class Counts:
    """A chart of a matrix of cases, its content in `table`."""

    key: str
    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    table: Table


@dataclass(frozen=True)
class Section:
    """A titled part; folded: whether a screen shows the title alone until it is asked for more."""

    title: str
    blocks: tuple[Block, ...]
    folded: bool = False


Block = Text | Table | Curves | Counts | Section


def section(title: str, blocks: Iterable[Block], *, folded: bool = False) -> Section:
    """A section that says so where nothing was measured."""
    return Section(title, tuple(blocks) or (Text(NOT_MEASURED),), folded)


def table(rows: Iterable[Row], *, title: str = "", caption: str = "") -> list[Block]:
    """A table as a list of one block; empty where there is no row."""
    found = tuple(rows)
    return [Table(found, title, caption)] if found else []


def is_figure(value: Any) -> bool:
    """Whether it is a measured value, as the manifest writes one: {"value", "low", "high"}."""
    return isinstance(value, Mapping) and "value" in value


def interval(figure: Mapping[str, Any] | None) -> str:
    """A value with its 95% interval, as 0.70 (0.67 to 0.73)."""
    value, low, high = ((figure or {}).get(key) for key in ("value", "low", "high"))
    if value is None:
        return "not measured"
    decimals = _decimals(value)
    if low is None or high is None:
        return f"{value:.{decimals}f}"
    return f"{value:.{decimals}f} ({low:.{decimals}f} to {high:.{decimals}f})"


def with_n(figure: Mapping[str, Any] | None, n: int | None = None) -> str:
    """A figure with its interval and its n, for within a sentence."""
    found = (figure or {}).get("n", n)
    return interval(figure) + (f", n = {found:,}" if isinstance(found, int) else "")


def number(value: float) -> str:
    """A number with as many decimals as it deserves."""
    if isinstance(value, int):
        return f"{value:,}"
    if 0 < abs(value) < 0.001:
        return f"{value:.1g}"
    return f"{value:,.{_decimals(value)}f}"


def _decimals(value: float) -> int:
    """Two, and one more for small figures, as calibration errors and differences are."""
    return 3 if abs(value) < 0.1 else 2


def counted(modes: Iterable[Mapping[str, Any]]) -> str:
    """The n of several figures, as n = 1,186."""
    found = sorted({mode["n"] for mode in modes if isinstance(mode.get("n"), int)})
    return "n = " + " or ".join(f"{n:,}" for n in found) if found else ""


def capital(text: str) -> str:
    """As a label starts."""
    return text[:1].upper() + text[1:]


def listed(parts: Sequence[str]) -> str:
    """As a, b and c."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
