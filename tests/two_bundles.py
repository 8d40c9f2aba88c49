"""A folder of weights with the shipped bundle and a made-up one of 26 types beside it."""

import json
import shutil
from pathlib import Path

from skin_ai.diseases import LABEL_SETS
from skin_ai.predict.bundle import DEFAULT_BUNDLE, MANIFEST, SHARED, WEIGHTS

TYPES = LABEL_SETS["skin-26"]


def figure(value: float) -> dict[str, float]:
    return {"value": value, "low": round(value - 0.04, 4), "high": round(value + 0.04, 4)}


def mode(value: float) -> dict[str, object]:
    """Figures of one mode: every type is taken for the next one in two cases of ten."""
    size = len(TYPES)
    return {
        "n": 10 * size,
        **{name: figure(value) for name in ("balanced_accuracy", "accuracy", "macro_auc", "ece")},
        "top3": figure(value + 0.2),
        "recall": {type_: figure(0.8) for type_ in TYPES},
        "confusion": [
            [8 if column == row else 2 * (column == (row + 1) % size) for column in range(size)]
            for row in range(size)
        ],
    }


def told(modes: dict[str, float]) -> dict[str, object]:
    """Figures of a source without photos."""
    difference = {
        "text": "Eliminating less asking once, same model",
        **{name: figure(0.01) for name in ("balanced_accuracy", "accuracy", "top3")},
    }
    return {
        "protocol": "Words alone, made up.",
        "modes": {name: mode(value) for name, value in modes.items()},
        "comparison": {"chain_less_single_pass": difference},
    }


FIGURES = {
    "protocol": "Photos and words, made up.",
    "modes": {"words_only": mode(0.31), "chain": mode(0.32)},
    "comparison": {"one": {"text": "One less another", **figure(0.02)}},
    "words": {
        "scin": told({"chain": 0.41, "control_single_pass": 0.42, "regression_on_fields": 0.43}),
        "stories-26": told({"chain": 0.71, "most_frequent": 0.04, "regression_on_words": 0.72}),
    },
}


def lay_out(folder: Path, made_up_26: Path, **image: object) -> Path:
    """Makes `folder` such a folder; image: entries of the made-up manifest's image model."""
    for name in (SHARED, DEFAULT_BUNDLE):
        (folder / name).symlink_to(WEIGHTS / name)
    shutil.copytree(made_up_26, folder / "skin-26")
    path = folder / "skin-26" / MANIFEST
    manifest = json.loads(path.read_text())
    manifest |= {"name": "skin-26", "figures": FIGURES}
    manifest["image_model"] |= image
    manifest["data"].append({"name": "SCIN", "licence": "made up"})
    path.write_text(json.dumps(manifest))
    return folder
