"""The elimination as one picture and as a table; in sentences it is in elimination_text.py."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from skin_ai.diseases import DISEASES
from skin_ai.views.case.own_answer import MARK, NONE, Own
from skin_ai.views.colours import ACCENT, HAIRLINE, MUTED, TRACK

if TYPE_CHECKING:  # torch comes with it
    from skin_ai.predict.chain import Option, Step

# From which change of the odds against the other options a mark is drawn, and from which it is doubled.
NOTABLE = math.log(1.5)
STRONG = math.log(4)
# Words or photo decided a step alone when it set kept and dropped apart at least twice as far as the other.
MOSTLY = 2 / 3

# Streamlit does not redraw a chart when the theme changes between light and dark, so its text takes the
# colour of the text around it.
FOLLOW_THEME = "<style>.js-plotly-plot .scatterlayer text {fill: currentColor !important}</style>"

# Pixels, from the top of a row; a row's height is theirs and a margin.
NAME_MIDDLE, BAR_MIDDLE, BAR_HEIGHT, MARKS_TOP, MARKS_LINE, MARGIN = 16, 38, 19, 51, 15, 8
HEADER_HEIGHT = 76
BAR_LENGTH = 0.58  # of a column, for 100%: the rest is for the number
# From how many columns a phone has room for one letter instead of "words" and "photo", and for shorter bars.
COMPACT_FROM = 4
COMPACT_BAR_LENGTH = 0.46
# With more types, those ruled out at step 1 below this probability are not drawn, except the clinician's.
MANY_TYPES, WORTH_A_ROW = 12, 0.02
LABEL_LENGTH = 48  # characters that fit over the bars on a phone 390 pixels wide

KEPT_BAR = {"color": ACCENT, "line": {"width": 0}}
DROPPED_BAR = {
    "color": MUTED,
    "line": {"color": MUTED, "width": 1.5},
    "pattern": {
        "shape": "/",
        "fillmode": "replace",
        "fgcolor": MUTED,
        "bgcolor": "rgba(0,0,0,0)",
        "size": 6,
        "solidity": 0.3,
    },
}


def percent(probability: float) -> str:
    """A probability for reading: never 0% or 100% for what is neither."""
    if 0 < probability < 0.005:
        return "<1%"
    if 0.995 < probability < 1:
        return ">99%"
    return f"{probability:.0%}"


def name(type_: str) -> str:
    """A type's name as a label starts."""
    return DISEASES[type_].name[0].upper() + DISEASES[type_].name[1:]


def last_standing_first(steps: Sequence[Step]) -> tuple[str, ...]:
    """The types in reverse order of elimination, with the one that is left first."""
    left = [option.type for option in steps[-1].kept]
    return tuple(left + [option.type for step in reversed(steps) for option in step.dropped])


def not_drawn(steps: Sequence[Step], own: Own = NONE) -> tuple[Option, ...]:
    """Options of step 1 that the picture leaves out if there are many types; the table has them."""
    if len(steps[0].options) <= MANY_TYPES:
        return ()
    return tuple(
        option
        for option in steps[0].dropped
        if option.probability < WORTH_A_ROW and not own.ordinal(option.type)
    )


def decided_by(step: Step) -> str:
    """Whether words or photo set the kept options apart from the dropped ones."""
    if not any(option.photo for option in step.options):
        return "words alone"
    if not any(option.words for option in step.options):
        return "photo alone"
    words, photo = (max(0.0, _distance(step, source)) for source in ("words", "photo"))
    if max(words, photo) < NOTABLE / 2:
        return "neither clearly"
    if words >= MOSTLY * (words + photo):
        return "mostly words"
    if photo >= MOSTLY * (words + photo):
        return "mostly photo"
    return "words and photo"


def _distance(step: Step, source: str) -> float:
    kept = fmean(getattr(option, source) for option in step.kept)
    return kept - fmean(getattr(option, source) for option in step.dropped)


def marks(option: Option, compact: bool = False) -> str:
    """An option's notable shares: "words ▲▲" and "photo ▼" in two lines, or "w ▲▲ p ▼" in one."""
    labels = ("w", "p") if compact else ("words", "photo")
    return (" " if compact else "<br>").join(
        f"{label} {('▲' if share > 0 else '▼') * (2 if abs(share) >= STRONG else 1)}"
        for label, share in zip(labels, (option.words, option.photo), strict=True)
        if abs(share) >= NOTABLE
    )


def legend(steps: Sequence[Step], own: Own = NONE) -> str:
    yours = f"{MARK}: your diagnoses. " if own.ranks else ""
    short = " (w, p)" if _is_compact(steps) else ""
    left_out = not_drawn(steps, own)
    together = percent(sum(option.probability for option in left_out))
    others = (
        f"Not drawn, but in the table: {len(left_out)} types dropped at step 1, together {together}. "
        if left_out
        else ""
    )
    return (
        f"{others}Bars: how probable the model held a type among the options left at that step. "
        f"Solid: kept. Hatched with ✕: dropped. {yours}"
        f"▲ or ▼: words or photo{short} spoke for or against a type, compared with the other options; "
        "doubled where strong. These shares say what the model used, not what is true."
    )


def _is_compact(steps: Sequence[Step]) -> bool:
    return len(steps) >= COMPACT_FROM


def _decided_by(step: Step, compact: bool) -> str:
    decision = decided_by(step)
    if not compact:
        return decision.replace("words and photo", "words + photo")
    return {"words and photo": "both", "neither clearly": "neither"}.get(
        decision, "words" if "words" in decision else "photo"
    )


def figure(steps: Sequence[Step], own: Own = NONE) -> go.Figure:
    """A row for each type but those `not_drawn`, a column for each step, a bar for how sure the model was.

    All text is at least 12 pixels tall, on any width.
    """
    left_out = {option.type for option in not_drawn(steps, own)}
    order = [type_ for type_ in last_standing_first(steps) if type_ not in left_out]
    cells = [
        (column, option)
        for column, step in enumerate(steps)
        for option in step.options
        if option.type not in left_out
    ]
    compact = _is_compact(steps)
    bar_length = COMPACT_BAR_LENGTH if compact else BAR_LENGTH
    lines = max(marks(option, compact).count("<br>") + 1 for _, option in cells)
    row_height = MARKS_TOP + lines * MARKS_LINE + MARGIN
    top = {type_: row * row_height for row, type_ in enumerate(order)}
    chart = go.Figure()
    for kept in (True, False):
        chosen = [(column, option) for column, option in cells if option.kept is kept]
        chart.add_bar(
            orientation="h",
            base=[column for column, _ in chosen],
            x=[bar_length * option.probability for _, option in chosen],
            y=[top[option.type] + BAR_MIDDLE for _, option in chosen],
            width=BAR_HEIGHT,
            marker=KEPT_BAR if kept else DROPPED_BAR,
            customdata=[[name(option.type), _in_words(option, own)] for _, option in chosen],
            hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]}<extra></extra>",
        )
    _write(
        chart,
        [
            (column + bar_length * option.probability + 0.02, top[option.type] + BAR_MIDDLE)
            for column, option in cells
        ],
        [("" if option.kept else "✕ ") + percent(option.probability) for _, option in cells],
        size=14,
    )
    _write(
        chart,
        [(column, top[option.type] + MARKS_TOP) for column, option in cells],
        [marks(option, compact) for _, option in cells],
        size=12,
        below=True,
    )
    _write(
        chart,
        [(0, top[type_] + NAME_MIDDLE) for type_ in order],
        [_row_label(steps, type_, own) for type_ in order],
        size=14,
    )
    _write(
        chart,
        [(column, -HEADER_HEIGHT / 2) for column in range(len(steps))],
        [
            f"<b>Step {number}</b><br>{len(step.options)} → {len(step.kept)}<br>{_decided_by(step, compact)}"
            for number, step in enumerate(steps, start=1)
        ],
        size=13,
    )
    tracks = [
        {
            "type": "rect",
            "x0": column,
            "x1": column + bar_length,
            "y0": top[option.type] + BAR_MIDDLE - BAR_HEIGHT / 2,
            "y1": top[option.type] + BAR_MIDDLE + BAR_HEIGHT / 2,
            "fillcolor": TRACK,
            "line": {"width": 0},
            "layer": "below",
        }
        for column, option in cells
    ]
    between_rows = [
        {
            "type": "line",
            "xref": "x domain",
            "x0": 0,
            "x1": 1,
            "y0": line,
            "y1": line,
            "line": {"color": HAIRLINE, "width": 1},
            "layer": "below",
        }
        for line in top.values()
    ]
    chart.update_layout(
        shapes=[*tracks, *between_rows],  # all at once: one by one each takes milliseconds
        height=HEADER_HEIGHT + len(order) * row_height,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        barmode="overlay",
        showlegend=False,
        # Otherwise a finger on the picture zooms it instead of scrolling the phone's page.
        dragmode=False,
        plot_bgcolor="rgba(0,0,0,0)",
        paper_bgcolor="rgba(0,0,0,0)",
        hoverlabel={"align": "left"},
    )
    chart.update_xaxes(range=[0, len(steps)], visible=False, fixedrange=True)
    chart.update_yaxes(range=[len(order) * row_height, -HEADER_HEIGHT], visible=False, fixedrange=True)
    return chart


def _write(
    chart: go.Figure,
    places: Sequence[tuple[float, float]],
    texts: Sequence[str],
    *,
    size: int,
    below: bool = False,
) -> None:
    chart.add_scatter(
        x=[x for x, _ in places],
        y=[y for _, y in places],
        text=texts,
        mode="text",
        textposition="bottom right" if below else "middle right",
        textfont={"size": size},
        cliponaxis=False,
        hoverinfo="skip",
    )


def _row_label(steps: Sequence[Step], type_: str, own: Own) -> str:
    fates: tuple[str, ...] = ("remains",)
    for number, step in enumerate(steps, start=1):
        if any(option.type == type_ for option in step.dropped):
            fates = (f"dropped at step {number}", f"✕ step {number}")
    ordinal = own.ordinal(type_)
    ranks = (f" (your {ordinal})", f" ({ordinal})") if ordinal else ("",)
    marked = f"{MARK} {name(type_)}" if ordinal else name(type_)
    rests = [f"{rank} · {fate}" for rank in ranks for fate in fates]
    rest = next((rest for rest in rests if len(marked + rest) <= LABEL_LENGTH), rests[-1])
    if len(fates) > 1:
        return marked + rest
    # Bold is wide: with a rank beside the name there is room for the name only.
    return f"<b>{marked}</b>{rest}" if ordinal else f"<b>{marked}{rest}</b>"


def _in_words(option: Option, own: Own) -> str:
    fate = "kept" if option.kept else "dropped"
    mark = f"{own.mark(option.type)}<br>" if own.ordinal(option.type) else ""
    return (
        f"{mark}{percent(option.probability)}, {fate}<br>words {option.words:+.2f}, photo {option.photo:+.2f}"
    )


def table(steps: Sequence[Step], own: Own = NONE) -> list[dict[str, str]]:
    """Every option at every step with its numbers, a row each."""
    return [
        {
            "Step": str(number),
            "Type": name(option.type),
            **({"Yours": own.ordinal(option.type)} if own.ranks else {}),
            "Probability": percent(option.probability),
            "": "kept" if option.kept else "✕ dropped",
            "Words": f"{option.words:+.2f}",
            "Photo": f"{option.photo:+.2f}",
        }
        for number, step in enumerate(steps, start=1)
        for option in step.options
    ]
