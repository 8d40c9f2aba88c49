"""A bundle's model card in the order of Mitchell et al. 2019, Model Cards for Model Reporting (fig. 1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jinja2 import ChainableUndefined, Environment, FileSystemLoader

from skin_ai.diseases import DISEASES
from skin_ai.model_card import charts
from skin_ai.model_card.failure_modes import failure_modes
from skin_ai.model_card.labels import (
    GROUPINGS,
    MODES,
    OTHER_MODES,
    SOURCES,
    capital,
    group_name,
    label,
    type_name,
)
from skin_ai.model_card.tables import (
    NOT_MEASURED,
    Figures,
    compared,
    confusions,
    interval,
    number,
    value_of,
    with_n,
)
from skin_ai.predict.bundle import image_types_of

MARKUP: Final = re.compile(r"[\\`*<>\[\]|#$]")
_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    undefined=ChainableUndefined,  # parts that a manifest lacks are "Not measured"
    trim_blocks=True,
    lstrip_blocks=True,
    autoescape=False,  # it writes Markdown; texts of the manifest are escaped by _plain
)
_TEMPLATES.globals |= {
    "NOT_MEASURED": NOT_MEASURED,
    "SOURCES": SOURCES,
    "as_figure": charts.as_figure,
    "compared": compared,
    "confusions": confusions,
    "malignancy_curve": charts.malignancy_curve,
    "risk_coverage": charts.risk_coverage,
}
_TEMPLATES.filters |= {
    function.__name__: function for function in (capital, interval, label, number, type_name, with_n)
}


def as_markdown(manifest: Mapping[str, Any]) -> str:
    """The whole card; a comment marks where the page draws a chart, with the chart's figures below it."""
    manifest = _plain(manifest)
    figures = manifest.get("figures", {})
    modes = _in_order(figures.get("modes"), MODES)
    for mode, measured in figures.get("calibration", {}).items():
        if mode in modes and "ece" in measured:  # its interval has the bins' bias taken off
            modes[mode] = modes[mode] | {"ece": measured["ece"]}
    text = _TEMPLATES.get_template("card.md.j2").render(
        manifest=manifest,
        figures=figures,
        modes=modes,
        everything=modes | _in_order(figures.get("others"), OTHER_MODES),
        summary=_summary(figures),
        recall=_recall_by_type(modes, manifest["types"]),
        rule=_in_order(manifest.get("not_sure"), MODES),
        literature=_two_protocols(figures.get("literature", {})),
        quality=_quality(figures.get("quality", {})),
        groups=_groups(figures.get("groups", {})),
        shortcuts=_shortcuts(figures.get("shortcuts", {})),
        failures=failure_modes(manifest),
        rows_of_types=types_of(manifest),
        sources=data_sources(manifest),
        image_types=image_types_of(dict(manifest)),
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def sections(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Title -> Markdown of every section of the card."""
    _, *parts = re.split(r"^## (.+)\n", as_markdown(manifest), flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def types_of(manifest: Mapping[str, Any]) -> list[dict[str, str]]:
    """The types that the bundle knows, as rows of a table."""
    return [
        {
            "Code": type_,
            "Type": type_name(type_),
            "Nature": str(DISEASES[type_].nature),
            "ICD-10": DISEASES[type_].icd10,
        }
        for type_ in manifest["types"]
    ]


def data_sources(manifest: Mapping[str, Any]) -> list[str]:
    """A sentence for each data set and each network that training started from, with its licence."""
    return [
        *(
            f"Trained on {source['name']}, {source['licence']}. {source.get('citation', '')}".strip()
            for source in manifest.get("data", [])
        ),
        *(
            f"Started from the weights {source['name']}, {source['licence']}."
            for source in manifest.get("starting_weights", [])
        ),
    ]


def _plain(value: Any) -> Any:
    """A manifest whose texts are each on one line and mean nothing to Markdown or HTML."""
    if isinstance(value, str):
        return MARKUP.sub(r"\\\g<0>", " ".join(value.split()))
    if isinstance(value, Mapping):
        return {_plain(key): _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value


def _in_order(measured: Figures | None, names: Mapping[str, str]) -> dict[str, Any]:
    return {key: measured[key] for key in names if key in measured} if measured else {}


def _summary(figures: Figures) -> dict[str, Figures]:
    """At most five rows: each input alone, both, the baseline to beat, and words of people never read."""
    modes, others = figures.get("modes", {}), figures.get("others", {})
    rows = {
        "Photo only": modes.get("photo_only"),
        "Words only": modes.get("words_only"),
        "Photo and words (chain)": modes.get("chain"),
        "Baseline: photo and regression": others.get("product"),
    }
    if scin := figures.get("words", {}).get("scin", {}).get("modes", {}).get("chain"):
        rows[f"{capital(SOURCES['scin'])}, no photo"] = scin
    elif "chain_free_words" in others:
        rows["Photo and free words"] = others["chain_free_words"]
    else:
        rows["Photo and words, held-out wordings"] = others.get("chain_in_held_out_wordings")
    return {name: mode for name, mode in rows.items() if mode}


def _recall_by_type(modes: Figures, types: list[str]) -> dict[str, dict[str, Any]]:
    recall = {mode: measured.get("recall", {}) for mode, measured in modes.items()}
    counts = confusions(modes.get("chain"), types)
    return {
        type_: {mode: found.get(type_) for mode, found in recall.items()}
        | {"n": counts[type_].n if type_ in counts else None}
        for type_ in types
        if any(value_of(found.get(type_)) is not None for found in recall.values())
    }


def _two_protocols(literature: Figures) -> dict[str, dict[str, Any]]:
    """Predictor -> its balanced accuracy under our protocol and under that of the literature."""
    protocols = {key: literature.get(key, {}) for key in ("ours", "literature")}
    rows = {
        name: {key: found.get(name, {}).get("balanced_accuracy") for key, found in protocols.items()}
        for name in dict.fromkeys([*protocols["ours"], *protocols["literature"]])
        if not name.endswith("_with_biopsed")  # a column that reveals the label
    }
    return {name: row for name, row in rows.items() if any(row.values())}


def _groups(measured: Figures) -> dict[str, dict[str, Figures]]:
    """Grouping -> group, with the number of types in it -> its figures."""
    return {
        grouping: {
            group_name(grouping, group)
            + (f", {part['n_types']} types" if part.get("n_types", 1) > 1 else ""): part
            for group, part in found.items()
        }
        for grouping, found in _in_order(measured, GROUPINGS | dict.fromkeys(measured, "")).items()
        if isinstance(found, Mapping)
    }


def _quality(measured: Figures) -> dict[str, Figures]:
    """Fault -> how often degraded photos, and untouched ones by mistake, are flagged for it."""
    by_mistake = measured.get("false_stops_by_kind", {})
    return {
        kind: {"caught": found.get("caught"), "false_stops": by_mistake.get(kind)}
        for kind, found in measured.get("kinds", {}).items()
    }


def _shortcuts(measured: Figures) -> dict[str, Figures]:
    """What was changed in the photos -> how much the answers changed."""
    ink = measured.get("real_ink", {})
    rows = {
        "Ink drawn on unmarked photos": measured.get("drawn_ink"),
        "Ink in the photo painted over": ink.get("painted_over"),
        "Control: same shapes painted over without ink": ink.get("painted_over_without_ink"),
    }
    for key, what in (("blurred", "Blurred (SD {}% of the side)"), ("small", "Downscaled {} times")):
        for strength, part in measured.get(key, {}).get("by_strength", {}).items():
            rows[what.format(strength)] = part
    return {name: part for name, part in rows.items() if part}
