"""Rows that several tables of figures have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from skin_ai.model_card.blocks import Row, interval
from skin_ai.model_card.labels import MEASURES, MODES, label, type_name

Figures = Mapping[str, Any]

FEW = 30  # cases: under them the interval of a share of one half is wider than ±0.18


def by_mode(measured: Figures) -> dict[str, Any]:
    """What was measured of each mode, in the order in which people look for them, and nothing else."""
    return {key: measured[key] for key in [*MODES, *measured] if isinstance(measured.get(key), Mapping)}


def rows_of(modes: Figures, measures: Iterable[str]) -> list[Row]:
    wanted = list(measures)
    return [
        {"": label(key), **{MEASURES[measure]: interval(mode.get(measure)) for measure in wanted}}
        for key, mode in modes.items()
    ]


def groups_of(measured: Figures) -> dict[str, dict[str, Figures]]:
    """Grouping -> group -> its figures."""
    return {
        grouping: {group: values for group, values in found.items() if isinstance(values, Mapping)}
        for grouping, found in by_mode(measured).items()
    }


def group_name(grouping: str, group: str) -> str:
    return f"Type {group}" if grouping == "skin_type" and len(group) < len("type") else label(group)


def cases_of(modes: Figures, type_: str, types: Sequence[str]) -> str:
    found = {sum(m["confusion"][types.index(type_)]) for m in modes.values() if m.get("confusion")}
    return f", n = {found.pop():,}" if len(found) == 1 else ""


def most_frequent_wrong(confusion: Sequence[Sequence[int]] | None, types: Sequence[str]) -> dict[str, str]:
    """Type -> what it is most often taken for, as "Nevus (3 of 20)"; "" where it is never wrong.

    confusion: (K, K) cases, rows what it was, columns the first answer.
    """
    found = {}
    for place, (type_, row) in enumerate(zip(types, confusion or (), strict=bool(confusion))):
        wrong = [0 if column == place else count for column, count in enumerate(row)]
        most = max(wrong)
        found[type_] = f"{type_name(types[wrong.index(most)])} ({most} of {sum(row)})" if most else ""
    return found
