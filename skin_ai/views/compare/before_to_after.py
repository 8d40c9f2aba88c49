"""The flow from right and wrong before to right and wrong after, as one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from skin_ai.views.case.elimination import ACCENT, MUTED
from skin_ai.views.compare.charts import ORANGE, faded, lay_out, write

FLOW_HEIGHT, NODE_GAP, LABEL_DISTANCE = 330, 34, 46  # pixels
# Where the bars stand, in parts of the width: beside them a phone has room for the labels.
NODE, RIGHT_NODE = (0.19, 0.22), (0.47, 0.50)
FLOWS = {
    # (before, after): what it is called, its colour, its hatching
    ("right", "right"): ("stayed right", MUTED, ""),
    ("wrong", "right"): ("▲ wrong to right<br>(beneficial)", ACCENT, "\\"),
    ("right", "wrong"): ("▼ right to wrong<br>(harmful)", ORANGE, "/"),
    ("wrong", "wrong"): ("stayed wrong", MUTED, "."),
}


def flow_chart(counts: Mapping[tuple[str, str], int]) -> go.Figure:
    """Ribbons from right and wrong before to right and wrong after, each with its name and count.

    counts: by (before, after), "right" or "wrong". Drawn as areas: a Sankey of plotly can neither write on
    its ribbons nor hatch them.
    """
    total = max(1, sum(counts.values()))
    scale = (FLOW_HEIGHT - NODE_GAP) / total
    n = {pair: counts.get(pair, 0) for pair in FLOWS}
    left = _stacked(
        [("right", "right"), ("right", "wrong"), ("wrong", "right"), ("wrong", "wrong")], n, scale, 0
    )
    right = _stacked(list(FLOWS), n, scale, 1)
    chart = go.Figure()
    along = np.linspace(0, 1, 24)
    bend = along * along * (3 - 2 * along)
    x = NODE[1] + along * (RIGHT_NODE[0] - NODE[1])
    for pair, (_, colour, hatching) in FLOWS.items():
        if not n[pair]:
            continue
        upper = left[pair] + bend * (right[pair] - left[pair])
        lower = upper + n[pair] * scale
        chart.add_scatter(
            x=np.concatenate([x, x[::-1]]),
            y=np.concatenate([upper, lower[::-1]]),
            mode="lines",
            line={"width": 1, "color": colour},
            fill="toself",
            fillcolor=faded(colour, 0.35),
            fillpattern={"shape": hatching, "fgcolor": colour, "bgcolor": faded(colour, 0.22), "size": 8}
            if hatching
            else None,
            hoverinfo="skip",
        )
    for side, (x0, x1) in enumerate((NODE, RIGHT_NODE)):
        for state in ("right", "wrong"):
            of_state = [pair for pair in FLOWS if pair[side] == state]
            starts = (left, right)[side]
            top = min(starts[pair] for pair in of_state)
            chart.add_shape(
                type="rect",
                x0=x0,
                x1=x1,
                y0=top,
                y1=top + scale * sum(n[pair] for pair in of_state),
                fillcolor=MUTED,
                line_width=0,
            )
    befores = {state: sum(n[pair] for pair in FLOWS if pair[0] == state) for state in ("right", "wrong")}
    middles = [left[state, "right"] + scale * befores[state] / 2 for state in ("right", "wrong")]
    write(
        chart,
        [
            (NODE[0] - 0.015, y, f"<b>{state}</b><br>before<br><b>{befores[state]:,}</b>")
            for state, y in zip(befores, _apart(middles, 60), strict=True)
        ],
        size=14,
        position="middle left",
    )
    middles = [right[pair] + scale * n[pair] / 2 for pair in FLOWS]
    write(
        chart,
        [
            (RIGHT_NODE[1] + 0.015, y, f"<b>{n[pair]:,}</b> {FLOWS[pair][0]}")
            for pair, y in zip(FLOWS, _apart(middles, LABEL_DISTANCE), strict=True)
        ],
        size=14,
    )
    lay_out(chart, height=FLOW_HEIGHT + 20)
    chart.update_xaxes(range=[0, 1], visible=False)
    chart.update_yaxes(range=[FLOW_HEIGHT + 10, -10], visible=False)
    return chart


def _stacked(
    order: Sequence[tuple[str, str]], n: Mapping[tuple[str, str], int], scale: float, side: int
) -> dict[tuple[str, str], float]:
    """Where each ribbon begins on a side, from the top; a gap lies between right and wrong."""
    starts: dict[tuple[str, str], float] = {}
    y = 0.0
    for pair in order:
        if pair[side] == "wrong" and not any(other[side] == "wrong" for other in starts):
            y += NODE_GAP
        starts[pair] = y
        y += n[pair] * scale
    return starts


def _apart(places: Sequence[float], distance: float) -> list[float]:
    """The places in their order, moved so that neighbours are at least `distance` apart and none leaves."""
    moved = list(places)
    moved[0] = max(moved[0], distance / 2)
    for index in range(1, len(moved)):
        moved[index] = max(moved[index], moved[index - 1] + distance)
    moved[-1] = min(moved[-1], FLOW_HEIGHT - distance / 2)
    for index in range(len(moved) - 2, -1, -1):
        moved[index] = min(moved[index], moved[index + 1] - distance)
    return moved
