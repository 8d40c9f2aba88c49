"""The charts of the Compare page; each can be read without colour, on a phone, in light and dark mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from skin_ai.intervals import MIN_N, Estimate, counted
from skin_ai.views.colours import ACCENT, CLEAR, HAIRLINE, MUTED, ORANGE, faded

# Streamlit does not redraw a chart when the theme changes, so its text takes the colour of the page's text.
FOLLOW_THEME = "<style>{} {{fill: currentColor !important; text-shadow: none !important}}</style>".format(
    ", ".join(
        f".js-plotly-plot {part}"
        for part in (
            ".scatterlayer text",
            ".heatmap-label text",
            ".annotation-text",
            ".node-label",
            ".xtick text",
            ".ytick text",
            ".xtitle",
            ".ytitle",
            ".legendtext",
        )
    )
)
CONFIG = {"displayModeBar": False}
LINE_HEIGHT, LABEL_WIDTH, CELL_HEIGHT, FLOW_HEIGHT = 24, 96, 36, 300  # pixels


@dataclass(frozen=True)
class Style:
    """How a series is drawn in every chart: by colour, marker and dash."""

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
SWITCHES = {
    # (before, after): label and colour
    ("right", "right"): ("stayed right", MUTED),
    ("wrong", "right"): ("▲ wrong to right", ACCENT),
    ("right", "wrong"): ("▼ right to wrong", ORANGE),
    ("wrong", "wrong"): ("stayed wrong", MUTED),
}


@dataclass(frozen=True)
class Row:
    """A title and, below it, a line for each series."""

    label: str
    marks: Mapping[Any, Estimate]  # by a key of STYLES


def intervals(rows: Sequence[Row], span: tuple[float, float] = (0, 1), unit: str = "") -> go.Figure:
    """Values as markers with their 95% intervals; the labels give each value, or why there is none.

    span: of the axis.
    """
    chart = go.Figure()
    points: dict[str, list[tuple[int, Estimate, str]]] = {key: [] for key in STYLES}
    labels: dict[int, str] = {}
    texts: list[tuple[int, str, int]] = []  # line, text, and pixels from the left end of the values
    line = 0
    for row in rows:
        texts.append((line, f"<b>{escape(row.label)}</b> · {_n(row)}", -LABEL_WIDTH))
        for key, estimate in row.marks.items():
            line += 1
            labels[line] = f"{STYLES[key].name} {estimate.value_text(unit)}".strip()
            if estimate.value is None:
                texts.append((line, estimate.text(), 4))
            else:
                points[key].append((line, estimate, escape(row.label)))
        line += 1
    for key, marks in points.items():
        if marks:
            _add_marks(chart, STYLES[key], marks, unit)
    lay_out(chart, height=LINE_HEIGHT * (line + 1))
    chart.update_layout(margin={"l": LABEL_WIDTH, "r": 12, "b": LINE_HEIGHT})
    # All at once: add_annotation takes milliseconds for each.
    position = {"xref": "paper", "x": 0, "xanchor": "left", "showarrow": False, "font": {"size": 14}}
    chart.layout.annotations = [
        position | {"y": y, "text": text, "xshift": shift} for y, text, shift in texts
    ]
    pad = 0.02 * (span[1] - span[0])
    chart.update_xaxes(range=[span[0] - pad, span[1] + pad], nticks=6, ticksuffix=unit, tickfont_size=12)
    chart.update_xaxes(showgrid=True, gridcolor=HAIRLINE, zeroline=False)
    chart.update_yaxes(range=[line - 0.5, -0.5], tickvals=list(labels), ticktext=list(labels.values()))
    chart.update_yaxes(showgrid=False, zeroline=False, ticks="", tickfont_size=14)
    return chart


def times(seconds: Mapping[Any, Estimate]) -> go.Figure:
    """Median times, whose axis reaches the longest; in a small study that is a value without an interval."""
    longest = max(estimate.high or estimate.value or 1.0 for estimate in seconds.values())
    return intervals([Row("Median time", seconds)], (0, longest), " s")


def _n(row: Row) -> str:
    counts: dict[str, list[int]] = {}
    for estimate in row.marks.values():
        counts.setdefault(estimate.unit, []).append(estimate.n)
    ranges = (
        f"{min(ns):,} to {counted(max(ns), unit)}" if min(ns) < max(ns) else counted(max(ns), unit)
        for unit, ns in counts.items()
    )
    return "n = " + ", ".join(ranges)


def _add_marks(chart: go.Figure, style: Style, marks: Sequence[tuple[int, Estimate, str]], unit: str) -> None:
    values = np.array([estimate.value for _, estimate, _ in marks], dtype=float)
    low, high = (
        np.array([getattr(estimate, end) for _, estimate, _ in marks], dtype=float) for end in ("low", "high")
    )
    chart.add_scatter(
        x=values,
        y=[line for line, _, _ in marks],
        mode="markers",
        cliponaxis=False,
        marker={"symbol": style.symbol, "size": 12, "color": style.colour},
        error_x={
            "symmetric": False,
            "array": np.nan_to_num(high - values),
            "arrayminus": np.nan_to_num(values - low),
            "color": style.colour,
            "thickness": 3,
            "width": 0,
        },
        customdata=[[label, style.name, estimate.text(unit)] for _, estimate, label in marks],
        hovertemplate="%{customdata[0]}<br>%{customdata[1]} %{customdata[2]}<extra></extra>",
    )


def before_to_after(counts: Mapping[tuple[str, str], int]) -> go.Figure:
    """How many readings went from right or wrong before to right or wrong after.

    counts: by (before, after), each "right" or "wrong".
    """
    n = {pair: counts.get(pair, 0) for pair in SWITCHES}
    states = ("right", "wrong")
    before = [f"{state} before: {sum(n[pair] for pair in n if pair[0] == state):,}" for state in states]
    after = [f"{label}: {n[pair]:,}" for pair, (label, _) in SWITCHES.items()]
    colours = [colour for _, colour in SWITCHES.values()]
    sankey = go.Sankey(
        node={
            "label": [*before, *after],
            "color": [MUTED, MUTED, *colours],
            "pad": 30,
            "thickness": 14,
            "line_width": 0,
        },
        link={
            "source": [states.index(first) for first, _ in SWITCHES],
            "target": [len(states) + place for place in range(len(SWITCHES))],
            "value": list(n.values()),
            "color": [faded(colour, 0.3) for colour in colours],
        },
        textfont_size=14,
        hoverinfo="skip",
    )
    chart = go.Figure(sankey)
    lay_out(chart, height=FLOW_HEIGHT)
    chart.update_layout(margin={"t": 12, "b": 12})
    return chart


def confusion(counts: pd.DataFrame) -> go.Figure:
    """Counts of one first diagnosis (rows) against another (columns); framed where they are the same."""
    rows, columns = ([escape(str(name)) for name in names] for names in (counts.index, counts.columns))
    numbers = counts.to_numpy()
    chart = go.Figure()
    chart.add_heatmap(
        z=np.sqrt(numbers),  # so that a single case remains visible beside a hundred
        x=columns,
        y=rows,
        text=[[f"{n:,}" for n in row] for row in numbers],
        texttemplate="%{text}",
        textfont_size=13,
        colorscale=[[0, faded(ACCENT, 0.0)], [1, faded(ACCENT, 0.6)]],
        showscale=False,
        xgap=2,
        ygap=2,
        hoverinfo="skip",
    )
    chart.layout.shapes = [
        {
            "type": "rect",
            "x0": columns.index(name) - 0.47,
            "x1": columns.index(name) + 0.47,
            "y0": row - 0.45,
            "y1": row + 0.45,
            "line": {"color": ACCENT, "width": 2},
        }
        for row, name in enumerate(rows)
        if name in columns
    ]
    lay_out(chart, height=CELL_HEIGHT * (len(rows) + 1))
    labels = {"type": "category", "tickfont_size": 13, "showgrid": False, "ticks": ""}
    # No fixed angle: on a phone "undecided" is wider than its column, and labels that would touch are turned.
    chart.update_xaxes(side="top", automargin=True, **labels)
    chart.update_yaxes(autorange="reversed", **labels)
    chart.update_layout(margin={"l": 68, "t": 32})
    return chart


def calibration(
    bins: Mapping[Any, pd.DataFrame], titles: tuple[str, str] = ("mean confidence", "accuracy")
) -> go.Figure:
    """How often it was so, by what was stated.

    bins: by a key of STYLES, as statistics.calibration returns them; titles: of the axes.
    """
    chart = go.Figure()
    line = {"color": MUTED, "width": 1, "dash": "dot"}
    chart.add_shape(type="line", x0=0, x1=1, y0=0, y1=1, line=line, layer="below")
    for key, table in bins.items():
        shown = table[table["n"] >= MIN_N]
        _add_line(chart, STYLES[key], shown["confidence"], shown["accuracy"], shown["n"])
    lay_out(chart, height=380)
    lay_out_axes(chart, *titles)
    for axis in (chart.update_xaxes, chart.update_yaxes):
        axis(range=[-0.02, 1.02], nticks=6)
    return chart


def over_time(blocks: pd.DataFrame) -> go.Figure:
    """Kappa before and after in consecutive blocks of readings."""
    chart = go.Figure()
    for stage in ("before", "after"):
        _add_line(chart, STYLES[stage], blocks["block"], blocks[stage], blocks["n"])
    lay_out(chart, height=300)
    lay_out_axes(chart, "block of readings, oldest first", "kappa")
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
    """Titles of both axes, and the legend above the chart; touching it does not hide a line."""
    common: dict[str, Any] = {
        "tickfont_size": 13,
        "title_font_size": 13,
        "gridcolor": HAIRLINE,
        "zeroline": False,
    }
    chart.update_xaxes(title_text=x, **common)
    chart.update_yaxes(title_text=y, **common)
    legend = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font_size": 14}
    chart.update_layout(
        showlegend=True,
        legend=legend | {"itemclick": False, "itemdoubleclick": False},
        margin={"l": 56, "b": 48, "t": 36, "r": 8},
    )


def lay_out(chart: go.Figure, *, height: int) -> None:
    """No background, no margins and no zoom."""
    chart.update_layout(
        height=height,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        showlegend=False,
        dragmode=False,  # otherwise a finger zooms the chart, and a phone does not scroll
        plot_bgcolor=CLEAR,
        paper_bgcolor=CLEAR,
        hoverlabel={"align": "left"},
    )
    chart.update_xaxes(fixedrange=True)
    chart.update_yaxes(fixedrange=True)
