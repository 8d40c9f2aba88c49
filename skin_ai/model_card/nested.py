"""Any part of a manifest's figures as tables, so that what is measured is shown whatever its names are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skin_ai.model_card.blocks import Block, Row, Table, Text, interval, is_figure, number
from skin_ai.model_card.labels import label

MOST_COLUMNS = 3  # beside the name of the row: what a phone shows side by side
MOST_ROWS = 40  # of a list; a curve of more points is counted
SENTENCE = 60  # characters from which a text is no cell


def tables(measured: Mapping[str, Any], path: Sequence[str] = ()) -> list[Block]:
    """Sentences first, then single values, then what is nested, each table titled by where it stands.

    A value is a figure, a mean with its standard deviation, a number, a list or a short text; parts that all
    have the same few values stand in one table, a row each.
    """
    title = " · ".join(path)
    sentences = {key: value for key, value in measured.items() if _is_sentence(key, value)}
    curve = _parallel(measured)
    apart = sentences.keys() | curve.keys()
    values = {key: value for key, value in measured.items() if key not in apart and _is_value(value)}
    parts = {
        key: value for key, value in measured.items() if isinstance(value, Mapping) and key not in values
    }
    lists = {
        key: value for key, value in measured.items() if key not in apart | values.keys() and _is_rows(value)
    }
    blocks: list[Block] = [Text(_said(key, value, title)) for key, value in sentences.items()]
    if values:
        blocks.append(_table(title, {_named(key, value): {"Value": value} for key, value in values.items()}))
    if curve:
        names = [label(key) for key in curve]
        points = zip(*curve.values(), strict=True)
        rows = [dict(zip(names, map(written, point), strict=True)) for point in points]
        blocks.append(Table(tuple(rows), title if not values else ""))
    alike = {key: part for key, part in parts.items() if part and all(map(_is_value, part.values()))}
    columns = list(dict.fromkeys(column for part in alike.values() for column in part))
    if alike and len(columns) <= MOST_COLUMNS:
        blocks.append(
            _table(
                title,
                {
                    label(key): {label(column): part.get(column, "") for column in columns}
                    for key, part in alike.items()
                },
            )
        )
    else:
        alike = {}
    for key, part in parts.items():
        if key not in alike:
            blocks += tables(part, [*path, label(key)])
    for key, found in lists.items():
        blocks += _listed(found, " · ".join([*path, label(key)]))
    return blocks


def side_by_side(parts: Mapping[str, Mapping[str, Any]]) -> list[Block]:
    """Parts of the same shape as columns, a row for each value that any of them has; a table a measure.

    The measure is the last name on the way to a value.
    """
    flat = {key: _flat(part) for key, part in parts.items()}
    paths = list(dict.fromkeys(path for values in flat.values() for path in values))
    by_measure: dict[str, list[tuple[str, ...]]] = {}
    for path in paths:
        by_measure.setdefault(path[-1] if len(path) > 1 else "", []).append(path)
    return [
        _table(
            measure,
            {
                " · ".join(path[:-1] or path): {label(key): flat[key].get(path, "") for key in flat}
                for path in found
            },
        )
        for measure, found in by_measure.items()
    ]


def written(value: Any) -> str:
    """One value in a cell; its n is told beside it where it has one."""
    if value is None:
        return "not measured"
    if is_figure(value):
        return interval(value)
    if isinstance(value, Mapping):
        return f"{value['mean']:.3f} ± {value['sd']:.3f}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, list | tuple):
        return ", ".join(written(item) for item in value)
    return str(value)


def _said(key: str, sentence: str, title: str) -> str:
    if key == "protocol":
        return f"{title}: {sentence}" if title else sentence
    return f"{f'{title} · ' if title else ''}{label(key)}: {sentence.rstrip('.')}."


def _named(key: str, value: Any) -> str:
    return str(value["text"]) if is_figure(value) and "text" in value else label(key)


def _table(title: str, rows: Mapping[str, Mapping[str, Any]]) -> Table:
    """n stands in the caption where it is the same for all, else in each cell."""
    counts = {cell["n"] for row in rows.values() for cell in row.values() if is_figure(cell) and "n" in cell}
    figures = [cell for row in rows.values() for cell in row.values() if is_figure(cell)]
    is_same = len(counts) == 1 and all("n" in cell for cell in figures)
    found: list[Row] = []
    for name, row in rows.items():
        cells = {
            column: written(cell)
            + (f", n = {cell['n']:,}" if is_figure(cell) and "n" in cell and not is_same else "")
            for column, cell in row.items()
        }
        found.append({"": name, **cells})
    return Table(tuple(found), title, f"n = {counts.pop():,}" if is_same else "")


def _listed(rows: Sequence[Mapping[str, Any]], title: str) -> list[Block]:
    columns = list(dict.fromkeys(column for row in rows for column in row))[: MOST_COLUMNS + 1]
    if len(rows) > MOST_ROWS:
        return [Text(f"{title}: {len(rows):,} points, in the manifest.")]
    cells = tuple({label(column): written(row.get(column)) for column in columns} for row in rows)
    return [Table(cells, title)]


def _flat(part: Mapping[str, Any], path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    found: dict[tuple[str, ...], Any] = {}
    for key, value in part.items():
        here = (*path, label(key))
        if _is_value(value):
            found[here] = value
        elif isinstance(value, Mapping):
            found |= _flat(value, here)
    return found


def _is_sentence(key: str, value: Any) -> bool:
    return isinstance(value, str) and (key in ("protocol", "verdict", "text") or len(value) > SENTENCE)


def _is_value(value: Any) -> bool:
    if isinstance(value, Mapping):
        return is_figure(value) or {"mean", "sd"} <= value.keys()
    if isinstance(value, list | tuple):
        return all(item is None or isinstance(item, str | int | float) or is_figure(item) for item in value)
    return value is None or isinstance(value, str | int | float)


def _parallel(measured: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Lists of the same length that belong together, as strengths and what was measured at each."""
    lists = {k: v for k, v in measured.items() if isinstance(v, list) and len(v) > 2 and _is_value(v)}
    sizes = [len(value) for value in lists.values()]
    most = max(sizes, key=sizes.count, default=0)
    return {key: v for key, v in lists.items() if len(v) == most} if sizes.count(most) > 1 else {}


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, Mapping) for row in value)
