"""The parts of a model card on a page: each chart beside its content as a table."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
import streamlit as st

from skin_ai.model_card.blocks import Block, Counts, Curves, Row, Section, Table, Text
from skin_ai.predict.bundle import DEFAULT_BUNDLE, bundle_names
from skin_ai.views.card import charts as card_charts
from skin_ai.views.compare.charts import CONFIG, FOLLOW_THEME
from skin_ai.views.compare.tables import escaped, in_words

# An expander takes of a phone's width what a fourth column needs.
NARROW_TABLES = """<style>@media (max-width: 640px) {
[data-testid=stExpander] [data-testid=stTable] :is(th, td) {padding-left: 0.2rem; padding-right: 0.2rem}
}</style>"""


def chosen_bundle(key: str) -> str:
    """The bundle that a page speaks of; nothing is asked where there is one."""
    names = bundle_names()
    if len(names) < 2:
        return names[0] if names else DEFAULT_BUNDLE
    return st.segmented_control(
        "Bundle", names, default=names[0], required=True, label_visibility="collapsed", key=key
    )


def show(sections: Sequence[Section]) -> None:
    """All sections under their headings, folded ones closed."""
    st.html(FOLLOW_THEME)
    st.html(NARROW_TABLES)
    for section in sections:
        st.subheader(section.title)
        draw(section.blocks)


def draw(blocks: Sequence[Block]) -> None:
    for block in blocks:
        if isinstance(block, Text):
            st.markdown(block.markdown)
        elif isinstance(block, Table):
            _table(block, block.rows)
        elif isinstance(block, Curves):
            _curves(block)
        elif isinstance(block, Counts):
            st.markdown(f"**{block.title}**")
            _beside(block, card_charts.counts(block), block.table.rows)
        elif block.folded:
            with st.expander(block.title):
                draw(block.blocks)
        else:
            st.markdown(f"#### {block.title}")
            draw(block.blocks)


def _table(table: Table, rows: Sequence[Row]) -> None:
    if table.title:
        st.markdown(f"**{table.title}**")
    st.table(escaped(rows), hide_index=True, border="horizontal")
    if table.caption:
        st.caption(table.caption)


@st.fragment
def _curves(chart: Curves) -> None:
    names = [line.name for line in chart.lines]
    st.markdown(f"**{chart.title}**")
    if not chart.one_at_a_time:
        _beside(chart, card_charts.curves(chart, chart.lines), chart.table.rows)
        return
    shown = st.segmented_control(
        chart.title,
        names,
        default=names[-1],
        required=True,
        label_visibility="collapsed",
        key=f"card_{chart.key}",
    )
    lines = [line for line in chart.lines if line.name == shown]
    first = next(iter(chart.table.rows[0]))
    rows = [
        {column: cell for column, cell in row.items() if column != first}
        for row in chart.table.rows
        if row[first] == shown
    ]
    _beside(chart, card_charts.curves(chart, lines), rows)


def _beside(chart: Curves | Counts, figure: go.Figure, rows: Sequence[Row]) -> None:
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.plotly_chart(figure, config=CONFIG, alt=in_words(list(rows)), key=f"card_chart_{chart.key}")
    with right:
        _table(chart.table, rows)
