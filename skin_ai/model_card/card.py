"""A bundle's model card in the order of Mitchell et al. 2019, Model Cards for Model Reporting (fig. 1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from skin_ai.model_card import background
from skin_ai.model_card.blocks import Block, Counts, Curves, Section, Table, Text
from skin_ai.model_card.failure_modes import failure_modes
from skin_ai.model_card.quantitative import quantitative_analyses

NOTICE = (
    "Research software, not a medical device. It has not been validated for care: do not base a decision "
    "about a patient on it."
)


def sections(manifest: Mapping[str, Any]) -> list[Section]:
    """The nine sections of the paper, every figure in them from the manifest."""
    return [
        background.model_details(manifest),
        background.intended_use(),
        background.factors(manifest),
        background.metrics(manifest),
        background.evaluation_data(manifest),
        background.training_data(manifest),
        quantitative_analyses(manifest),
        background.ethical_considerations(manifest),
        Section("Caveats and Recommendations", (failure_modes(manifest), background.recommendations())),
    ]


def as_markdown(manifest: Mapping[str, Any]) -> str:
    """The whole card as one text; charts are their tables."""
    parts = [f"# Model card: skin_ai, bundle {manifest['name']}", f"**{NOTICE}**"]
    for part in sections(manifest):
        parts += _section(part, 2)
    return "\n\n".join(parts) + "\n"


def _section(part: Section, level: int) -> Iterable[str]:
    yield f"{'#' * level} {part.title}"
    for block in part.blocks:
        yield from _block(block, level)


def _block(block: Block, level: int) -> Iterable[str]:
    if isinstance(block, Section):
        yield from _section(block, level + 1)
    elif isinstance(block, Text):
        yield block.markdown.strip()
    elif isinstance(block, Table):
        yield from _table(block)
    elif isinstance(block, Curves | Counts):
        yield f"**{block.title}**"
        yield from _table(block.table)


def _table(table: Table) -> Iterable[str]:
    if table.title:
        yield f"**{table.title}**"
    columns = list(table.rows[0])
    lines = [columns, ["---"] * len(columns), *(list(row.values()) for row in table.rows)]
    yield "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)
    if table.caption:
        yield f"*{table.caption}*"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
