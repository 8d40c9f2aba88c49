"""The charts of the model card: every one is readable without colour, on a phone, in light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from skin_ai.model_card.blocks import Counts, Curves, Line
from skin_ai.views.case.elimination import ACCENT, MUTED
from skin_ai.views.compare import charts as compare_charts
from skin_ai.views.compare.charts import ORANGE, Style, lay_out, lay_out_axes

STYLES = {
    "chain": Style("", ACCENT, "square", "solid"),
    "photo_only": Style("", ORANGE, "diamond", "dash"),
    "words_only": Style("", MUTED, "circle", "dot"),
    "single_pass": Style("", MUTED, "triangle-up", "dashdot"),
    "grad_cam": Style("", ACCENT, "square", "solid"),
    "centred_blob": Style("", ORANGE, "diamond", "dash"),
    "random": Style("", MUTED, "circle", "dot"),
}
OTHER_STYLES = (Style("", ACCENT, "cross", "longdash"), Style("", ORANGE, "x", "longdashdot"))
CURVES_HEIGHT = 400  # pixels
MOST_MARKERS = 8  # on one line, so that a curve of a thousand points stays a line
FULL_RANGE = (0.0, 0.25, 0.5, 0.75, 1.0)


def curves(chart: Curves, lines: Sequence[Line]) -> go.Figure:
    """Some or all lines of a chart; each has its own colour, dash and marker."""
    figure = go.Figure()
    if chart.diagonal:
        figure.add_shape(
            type="line",
            x0=0,
            x1=1,
            y0=0,
            y1=1,
            line={"color": MUTED, "width": 1, "dash": "dot"},
            layer="below",
        )
    others = cycle(OTHER_STYLES)
    for line in lines:
        _add_line(figure, STYLES.get(line.key) or next(others), line)
    lay_out(figure, height=CURVES_HEIGHT)
    lay_out_axes(figure, chart.x_title, chart.y_title)
    figure.update_xaxes(range=[-0.02, 1.02], tickvals=FULL_RANGE)
    lowest = 0.0 if chart.diagonal else min((min(line.y) for line in lines), default=0.0)
    figure.update_yaxes(
        range=[lowest - 0.02, 1.02], **({"tickvals": FULL_RANGE} if chart.diagonal else {"nticks": 6})
    )
    if len(lines) < 2:
        figure.update_layout(showlegend=False, margin_t=8)
    return figure


def _add_line(figure: go.Figure, style: Style, line: Line) -> None:
    cases = "<br>n = %{customdata}" if line.n else ""
    figure.add_scatter(
        x=line.x,
        y=line.y,
        name=line.name,
        mode="lines+markers",
        line={"color": style.colour, "dash": style.dash, "width": 2.5},
        marker={
            "symbol": style.symbol,
            "size": 10,
            "color": style.colour,
            "maxdisplayed": 0 if line.n else MOST_MARKERS,
        },
        error_y=_bounds(line, style) if line.n and line.low else None,
        customdata=line.n or None,
        hovertemplate=f"{line.name}: %{{y:.2f}} at %{{x:.2f}}{cases}<extra></extra>",
    )


def _bounds(line: Line, style: Style) -> dict[str, Any]:
    """95% intervals as lines, where each point has its own cases."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - y for y, high in zip(line.y, line.high, strict=True)],
        "arrayminus": [y - low for y, low in zip(line.y, line.low, strict=True)],
        "color": style.colour,
        "thickness": 1.5,
        "width": 0,
    }


def counts(chart: Counts) -> go.Figure:
    """A matrix of cases, framed where row and column are the same."""
    return compare_charts.confusion(pd.DataFrame(chart.counts, index=chart.rows, columns=chart.columns))
