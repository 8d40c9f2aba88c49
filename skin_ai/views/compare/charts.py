"""The pictures of the Compare page: every one is readable without colour, on a phone, in light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from skin_ai.study.statistics import MIN_N, Estimate
from skin_ai.study.take_home import short, written
from skin_ai.views.case.elimination import ACCENT, HAIRLINE, MUTED

# The text of a chart takes the colour of the text around it, as in views/elimination.py; here axes and
# legends have text too.
FOLLOW_THEME = "<style>{} {{fill: currentColor !important}}</style>".format(
    ", ".join(
        f".js-plotly-plot {part}"
        for part in (".scatterlayer text", ".xtick text", ".ytick text", ".xtitle", ".ytitle", ".legendtext")
    )
)
CONFIG = {"displayModeBar": False}
ORANGE = "#bf661c"  # at least 4 : 1 on the light and on the dark page, and told from the accent without red
CLEAR = "rgba(0,0,0,0)"


@dataclass(frozen=True)
class Style:
    """How one of those compared is drawn in every chart: by colour, by marker and by dash."""

    name: str
    colour: str
    symbol: str
    dash: str


STYLES = {
    "before": Style("before", MUTED, "circle", "dot"),
    "after": Style("after", ACCENT, "square", "solid"),
    "ai": Style("AI", ORANGE, "diamond", "dash"),
    "beneficial": Style("", ACCENT, "triangle-up", "solid"),
    "harmful": Style("", ORANGE, "triangle-down", "solid"),
}


@dataclass(frozen=True)
class Row:
    """A line of text and under it one mark for each of those compared."""

    label: str
    marks: Mapping[Any, Estimate]  # by a key of STYLES


# Pixels.
LABEL_HEIGHT, MARK_HEIGHT, ROW_MARGIN, TICKS_HEIGHT = 26, 20, 12, 24


def intervals(
    rows: Sequence[Row], ticks: Sequence[float] = (0, 0.25, 0.5, 0.75, 1), unit: str = ""
) -> go.Figure:
    """Values as markers, their 95% intervals as lines, and beside each its number or why there is none."""
    chart = go.Figure()
    first, last = ticks[0], ticks[-1]
    tops = np.cumsum([0] + [_height(row) for row in rows])
    places: dict[str, list[tuple[float, Estimate, str]]] = {key: [] for key in STYLES}
    beside: list[tuple[float, float, str]] = []
    for row, top in zip(rows, tops[:-1], strict=True):
        for line, (key, estimate) in enumerate(row.marks.items()):
            y = top + LABEL_HEIGHT + (line + 0.5) * MARK_HEIGHT
            who = STYLES[key].name
            if estimate.value is None:
                beside.append((first, y, f"{who} {written(estimate)}".strip()))
                continue
            places[key].append((y, estimate, row.label))
            right = estimate.value if estimate.high is None else estimate.high
            beside.append((min(last, right), y, f"{who} {short(estimate.value, unit)}".strip()))
    bottom = float(tops[-1])
    # All at once: chart.add_shape takes milliseconds for each.
    chart.layout.shapes = [
        {
            "type": "line",
            "x0": tick,
            "x1": tick,
            "y0": float(top) + LABEL_HEIGHT,
            "y1": float(end) - ROW_MARGIN / 2,
            "line": {"color": HAIRLINE, "width": 1},
            "layer": "below",
        }
        for top, end in pairwise(tops)
        for tick in ticks
    ]
    for key, marks in places.items():
        if marks:
            _add_marks(chart, STYLES[key], marks, unit)
    indent = 0.035 * (last - first)
    write(chart, [(x + indent, y, text) for x, y, text in beside], size=13)
    write(
        chart,
        [
            (first, top + LABEL_HEIGHT / 2, f"{escape(row.label)} · {_n(row)}")
            for row, top in zip(rows, tops[:-1], strict=True)
        ],
        size=14,
    )
    write(
        chart,
        [(tick, bottom + TICKS_HEIGHT / 2, f"{tick:g}{unit}") for tick in ticks],
        size=12,
        position="middle center",
    )
    lay_out(chart, height=round(bottom) + TICKS_HEIGHT)
    chart.update_layout(margin_l=10)  # for the half of the first tick's text
    # Beside an interval that reaches the last tick there is room for "before 0.74" on a phone.
    chart.update_xaxes(range=[first - indent, last + 0.34 * (last - first)], visible=False)
    chart.update_yaxes(range=[bottom + TICKS_HEIGHT, 0], visible=False)
    return chart


def even_ticks(longest: float) -> list[float]:
    """Round numbers from 0 to at least `longest`, four or five of them."""
    step = 10 ** np.floor(np.log10(max(longest, 4) / 4))
    step = float(next(step * factor for factor in (1, 2, 2.5, 5, 10) if step * factor * 4 >= longest))
    return [step * tick for tick in range(5)]


def _height(row: Row) -> int:
    return LABEL_HEIGHT + MARK_HEIGHT * len(row.marks) + ROW_MARGIN


def _n(row: Row) -> str:
    counts = sorted({estimate.n for estimate in row.marks.values()})
    return "n = " + " to ".join(f"{n:,}" for n in dict.fromkeys((counts[0], counts[-1])))


def _add_marks(
    chart: go.Figure, style: Style, marks: Sequence[tuple[float, Estimate, str]], unit: str
) -> None:
    values = [estimate.value or 0.0 for _, estimate, _ in marks]
    ends = [
        (value if estimate.low is None else estimate.low, value if estimate.high is None else estimate.high)
        for value, (_, estimate, _) in zip(values, marks, strict=True)
    ]
    chart.add_scatter(
        x=values,
        y=[y for y, _, _ in marks],
        mode="markers",
        marker={"symbol": style.symbol, "size": 12, "color": style.colour},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [high - value for value, (_, high) in zip(values, ends, strict=True)],
            "arrayminus": [value - low for value, (low, _) in zip(values, ends, strict=True)],
            "color": style.colour,
            "thickness": 3,
            "width": 0,
        },
        customdata=[[escape(label), style.name, written(estimate, unit)] for _, estimate, label in marks],
        hovertemplate="%{customdata[0]}<br>%{customdata[1]} %{customdata[2]}<extra></extra>",
    )


def faded(colour: str, alpha: float) -> str:
    if colour.startswith("#"):
        red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
        return f"rgba({red}, {green}, {blue}, {alpha})"
    return f"{colour[: colour.rindex(',')]}, {alpha})"


CELL_HEIGHT = 36  # pixels


def confusion(counts: pd.DataFrame) -> go.Figure:
    """Counts of the reader's first diagnosis (rows) against the AI's (columns); framed where they agree."""
    rows, columns = len(counts.index), len(counts.columns)
    numbers = counts.to_numpy()
    chart = go.Figure()
    chart.add_heatmap(
        z=np.sqrt(numbers),  # so that a single reading is seen beside a hundred
        x=np.arange(columns),
        y=np.arange(rows),
        colorscale=[[0, faded(ACCENT, 0.0)], [1, faded(ACCENT, 0.6)]],
        showscale=False,
        xgap=2,
        ygap=2,
        hoverinfo="skip",
    )
    write(
        chart,
        [(column, row, f"{numbers[row, column]:,}") for row in range(rows) for column in range(columns)],
        size=13,
        position="middle center",
    )
    same = [
        (row, list(counts.columns).index(type_))
        for row, type_ in enumerate(counts.index)
        if type_ in counts.columns
    ]
    chart.layout.shapes = [
        {
            "type": "rect",
            "x0": column - 0.47,
            "x1": column + 0.47,
            "y0": row - 0.45,
            "y1": row + 0.45,
            "line": {"color": ACCENT, "width": 2},
        }
        for row, column in same
    ]
    lay_out(chart, height=CELL_HEIGHT * (rows + 1))
    labels = {"tickfont": {"size": 13}, "showgrid": False, "zeroline": False, "ticks": ""}
    chart.update_xaxes(
        tickvals=list(range(columns)),
        ticktext=[escape(str(name)) for name in counts.columns],
        side="top",
        range=[-0.5, columns - 0.5],
        **labels,
    )
    chart.update_yaxes(
        tickvals=list(range(rows)),
        ticktext=[escape(str(name)) for name in counts.index],
        range=[rows - 0.5, -0.5],
        **labels,
    )
    chart.update_layout(margin={"l": 68, "t": 32})
    return chart


def calibration(bins: Mapping[Any, pd.DataFrame]) -> go.Figure:
    """How often those compared were right, over how sure they were.

    bins: by a key of STYLES, what statistics.calibration gives.
    """
    chart = go.Figure()
    chart.add_shape(
        type="line", x0=0, x1=1, y0=0, y1=1, line={"color": MUTED, "width": 1, "dash": "dot"}, layer="below"
    )
    for key, table in bins.items():
        shown = table[table["n"] >= MIN_N]
        _add_line(chart, STYLES[key], shown["confidence"], shown["accuracy"], shown["n"])
    lay_out(chart, height=380)
    lay_out_axes(chart, "how sure (mean of the bin)", "how often right")
    axis = {
        "range": [-0.02, 1.02],
        "tickvals": [0, 0.25, 0.5, 0.75, 1],
        "ticktext": ["0", "0.25", "0.5", "0.75", "1"],
    }
    chart.update_xaxes(**axis)
    chart.update_yaxes(**axis)
    return chart


def over_time(blocks: pd.DataFrame) -> go.Figure:
    """Kappa before and after over consecutive blocks of readings."""
    chart = go.Figure()
    for stage in ("before", "after"):
        _add_line(chart, STYLES[stage], blocks["block"], blocks[stage], blocks["n"])
    lay_out(chart, height=300)
    lay_out_axes(chart, "block of readings, in the order of time", "kappa")
    lowest = float(np.nanmin(blocks[["before", "after"]].to_numpy(float), initial=0.0))
    chart.update_yaxes(range=[lowest - 0.05, 1.05])
    chart.update_xaxes(tickvals=list(blocks["block"]))
    return chart


def _add_line(chart: go.Figure, style: Style, x: pd.Series, y: pd.Series, n: pd.Series) -> None:
    chart.add_scatter(
        x=x,
        y=y,
        name=style.name,
        mode="lines+markers",
        line={"color": style.colour, "dash": style.dash, "width": 2.5},
        marker={"symbol": style.symbol, "size": 11, "color": style.colour},
        customdata=n,
        hovertemplate=f"{style.name}: %{{y:.2f}} at %{{x:.2f}}<br>n = %{{customdata}}<extra></extra>",
    )


def lay_out_axes(chart: go.Figure, x: str, y: str) -> None:
    """Titles of both axes, and the legend above the chart; a touch there does not hide a line."""
    common: dict[str, Any] = {
        "tickfont": {"size": 13},
        "gridcolor": HAIRLINE,
        "zeroline": False,
        "title_font": {"size": 13},
    }
    chart.update_xaxes(title_text=x, **common)
    chart.update_yaxes(title_text=y, **common)
    chart.update_layout(
        showlegend=True,
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "yanchor": "bottom",
            "font": {"size": 14},
            "itemclick": False,
            "itemdoubleclick": False,
        },
        margin={"l": 56, "b": 48, "t": 36, "r": 8},
    )


def write(
    chart: go.Figure,
    places: Sequence[tuple[float, float, str]],
    *,
    size: int,
    position: str = "middle right",
) -> None:
    chart.add_scatter(
        x=[x for x, _, _ in places],
        y=[y for _, y, _ in places],
        text=[text for _, _, text in places],
        mode="text",
        textposition=position,
        textfont={"size": size},
        cliponaxis=False,
        hoverinfo="skip",
        showlegend=False,
    )


def lay_out(chart: go.Figure, *, height: int) -> None:
    chart.update_layout(
        height=height,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        showlegend=False,
        # Otherwise a finger on the picture zooms it and the phone's page does not scroll.
        dragmode=False,
        plot_bgcolor=CLEAR,
        paper_bgcolor=CLEAR,
        hoverlabel={"align": "left"},
    )
    chart.update_xaxes(fixedrange=True)
    chart.update_yaxes(fixedrange=True)
