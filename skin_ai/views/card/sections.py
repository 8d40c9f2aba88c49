"""The model card on a page: the first sections open, the others folded, charts above their tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import streamlit as st

from skin_ai import model_card
from skin_ai.predict.bundle import DEFAULT_BUNDLE, bundle_names
from skin_ai.views.card.charts import CHARTS
from skin_ai.views.case import bundle_choice
from skin_ai.views.compare.charts import CONFIG, FOLLOW_THEME

OPEN: Final = 3  # sections: how good it is, where it fails, what it is for
# Tables scroll sideways where they are too wide; expanders within expanders take no width of their own.
STYLE: Final = """<style>
details details {border: 0 !important}
details details :is(summary, [data-testid=stExpanderDetails]) {padding-inline: 0}
[data-testid=stMarkdownContainer] table {display: block; overflow-x: auto; font-size: 0.9rem}
[data-testid=stMarkdownContainer] :is(th, td) {padding: 0.3rem 0.5rem}
@media (max-width: 640px) {[data-testid=stMarkdownContainer] :is(th, td) {padding: 0.3rem}}
@media (min-width: 1000px) {
[data-testid=stColumn] td + td {white-space: nowrap}
[data-testid=stColumn] :is(p, li) {font-size: 0.9rem}
}
</style>"""
CHART: Final = re.compile(r"<!-- chart: (\w+) -->")


def chosen_bundle(key: str) -> str:
    """The bundle that a page describes; there is no choice where only one is installed."""
    names = bundle_names()
    if len(names) < 2:
        return names[0] if names else DEFAULT_BUNDLE
    return st.segmented_control(
        "AI model",
        names,
        default=names[0],
        format_func=bundle_choice.title,
        required=True,
        label_visibility="collapsed",
        key=key,
    )


def show(manifest: Mapping[str, Any]) -> None:
    st.html(FOLLOW_THEME)
    st.html(STYLE)
    figures = manifest.get("figures", {})
    sections = list(model_card.sections(manifest).items())
    left, right = st.columns([7, 6], gap="medium")
    for column, (title, text) in zip((left, right, right), sections[:OPEN], strict=True):
        with column:
            st.header(title)
            _show(text, figures)
    st.header("All details")
    for title, text in sections[OPEN:]:
        with st.expander(title):
            before, *parts = re.split(r"^### (.+)\n", text, flags=re.MULTILINE)
            _show(before, figures)
            for part, part_text in zip(parts[::2], parts[1::2], strict=True):
                with st.expander(part):
                    _show(part_text, figures)


def _show(text: str, figures: Mapping[str, Any]) -> None:
    """Never as HTML: what a manifest holds cannot become a part of the page."""
    before, *parts = CHART.split(text)
    _markdown(before)
    for name, after in zip(parts[::2], parts[1::2], strict=True):
        title = name.replace("_", " ")
        st.plotly_chart(
            CHARTS[name](figures),
            config=CONFIG,
            alt=f"Chart: {title}. The table below it has the same figures.",
            key=f"card_{name}",
        )
        _markdown(after)


def _markdown(text: str) -> None:
    if text.strip():
        st.markdown(text.replace("n = ", "n\u00a0=\u00a0"))
