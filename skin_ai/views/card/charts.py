"""The charts of the model card: readable without colour, on a phone, in light and dark."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import plotly.express as px
import plotly.graph_objects as go

from skin_ai.model_card.charts import IN_CHARTS
from skin_ai.model_card.labels import label
from skin_ai.views.colours import ACCENT, MUTED, ORANGE
from skin_ai.views.compare.charts import lay_out, lay_out_axes

Figures = Mapping[str, Any]

HEIGHT: Final = 380  # pixels
TICKS: Final = (0, 0.25, 0.5, 0.75, 1)
COLOURS: Final = {"photo_only": ORANGE, "words_only": MUTED, "chain": ACCENT}
DASHES: Final = {"photo_only": "dash", "words_only": "dot", "chain": "solid"}


def malignancy_curve(figures: Figures) -> go.Figure:
    """Sensitivity against false positive rate (ROC), malignant types against all others."""
    chart = _lines(figures["malignancy"], "roc", "false_positive_rate", "sensitivity")
    lay_out_axes(chart, "false positive rate (1 - specificity)", "sensitivity")
    return _with_diagonal(chart)


def risk_coverage(figures: Figures) -> go.Figure:
    """Accuracy of the most confident cases against their share."""
    chart = _lines(figures["risk_coverage"], "curve", "coverage", "accuracy")
    lay_out_axes(chart, "coverage (share of cases answered)", "accuracy")
    return chart


def reliability(figures: Figures) -> go.Figure:
    """Accuracy of the chain against its probability as shown, with 95% intervals."""
    points = [
        {
            "probability": point["confidence"],
            "accuracy": (value := point["accuracy"]),
            "above": point.get("high", value) - value,
            "below": value - point.get("low", value),
            "n": point.get("n"),
        }
        for point in figures["calibration"]["chain"]["bins_shown"]
    ]
    chart = px.scatter(
        points, x="probability", y="accuracy", error_y="above", error_y_minus="below", hover_data=["n"]
    )
    chart.update_traces(marker={"color": ACCENT, "size": 10, "symbol": "square"})
    lay_out(chart, height=HEIGHT)
    lay_out_axes(chart, "probability (mean of the bin)", "accuracy")
    chart.update_layout(showlegend=False, margin_t=8)
    return _with_diagonal(chart)


CHARTS: Final[Mapping[str, Callable[[Figures], go.Figure]]] = {
    "malignancy_curve": malignancy_curve,
    "risk_coverage": risk_coverage,
    "reliability": reliability,
}


def _lines(measured: Figures, curve: str, x: str, y: str) -> go.Figure:
    """A line for each mode, told apart by dash as well as by colour."""
    points = [
        {"mode": label(mode), x: point[x], y: point[y]}
        for mode in IN_CHARTS
        for point in measured.get(mode, {}).get(curve, [])
    ]
    chart = px.line(
        points,
        x=x,
        y=y,
        color="mode",
        line_dash="mode",
        color_discrete_map={label(mode): colour for mode, colour in COLOURS.items()},
        line_dash_map={label(mode): dash for mode, dash in DASHES.items()},
    )
    chart.update_traces(line_width=2.5)
    lay_out(chart, height=HEIGHT)
    chart.update_layout(legend_title_text="")
    chart.update_xaxes(range=[-0.02, 1.02], tickvals=TICKS)
    chart.update_yaxes(nticks=6)
    return chart


def _with_diagonal(chart: go.Figure) -> go.Figure:
    """Chance for a ROC curve, perfect calibration for a reliability diagram."""
    chart.add_shape(
        type="line", x0=0, x1=1, y0=0, y1=1, line={"color": MUTED, "width": 1, "dash": "dot"}, layer="below"
    )
    chart.update_xaxes(range=[-0.02, 1.02], tickvals=TICKS)
    chart.update_yaxes(range=[-0.02, 1.02], tickvals=TICKS)
    return chart
