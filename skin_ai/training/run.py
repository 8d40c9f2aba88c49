"""The settings of one training, and its image model's part."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from skin_ai.diseases import LABEL_SETS
from skin_ai.predict.bundle import READS_FACTS
from skin_ai.predict.chain import OWN_POOLING, WORDS_POOLING
from skin_ai.training.datasets import Case
from skin_ai.training.image import ImageSettings
from skin_ai.training.language import LanguageSettings
from skin_ai.training.sources import story_cases
from skin_ai.training.stories import HELD_OUT_VOICES

ALONE = "alone"
READING_FILE = "reading.safetensors"  # in the work folder
# Chosen by measurement; each can be set on the command line.
LANGUAGE_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "pad-ufes-20": {
        "pooling": WORDS_POOLING,
        "reads": READS_FACTS,
        "reading_updates": 400,
        "learning_rate": 1e-4,
        "head_learning_rate": 2e-4,
        "probe_strength": 0.01,
        "probe_share": 1.0,
    },
    "skin-26": {
        "pooling": WORDS_POOLING,
        "reads_more": True,
        "reading_updates": 2000,
        "schedule": (26, 13, 6, 3, 1),
        "examples_a_case": 2,
        "epochs": 2,
        "learning_rate": 2e-4,
        "probe_share": 1.0,
        "stray_photos": 0.1,
        "uniform_prior": 0.5,
        "missing_photo": 0.1,
        "word_prior": 3.0,
    },
}
# With adapters, on a decoder: its head reads the last token and cannot be fitted beforehand, and no layer is
# another bundle's.
ADAPTER_DEFAULTS: Mapping[str, Any] = {
    "pooling": OWN_POOLING,
    "probe_strength": 0.0,
    "lower_layers_from": "",
    "learning_rate": 2e-4,
    "head_learning_rate": 1e-4,
}
# From which a malignant type behind the first makes an answer to words alone "not sure"; chosen on the half
# "development" of evaluation/warning_signs.csv. Six types, three of them malignant, would never be sure.
LEAST_SUSPICION: Mapping[str, float] = {"skin-26": 0.04}


@dataclass(frozen=True)
class Run:
    """The settings of one training; saved in the work folder and in the manifest.

    start_from: folder of a bundle whose image model and its out-of-fold predictions are used.
    """

    label_set: str
    image: ImageSettings
    language: LanguageSettings
    start_from: str = ""

    @property
    def types(self) -> tuple[str, ...]:
        return LABEL_SETS[self.label_set]


@dataclass(frozen=True)
class Photos:
    """The image model's part of a training.

    types: those that it knows; logits: (photos, image types) out of fold; temperature: of the final model;
    figures: `checks.OF_PHOTOS`.
    """

    types: tuple[str, ...]
    logits: np.ndarray
    temperature: float
    figures: dict[str, Any]


def reading_stage(run: Run) -> tuple[tuple[str, ...], list[Case]]:
    """Types and stories of the reading stage, the same for all label sets where it reads more."""
    if not run.language.reads_more:
        return run.types, []
    return LABEL_SETS["skin-26"], [case for case in story_cases() if case.patient not in HELD_OUT_VOICES]


def begin(run: Run, cases: Sequence[Case], folds: np.ndarray, work: Path) -> None:
    """Writes settings and folds; refuses a work folder that was begun with others."""
    work.mkdir(parents=True, exist_ok=True)
    split = [[case.key, case.patient, int(fold)] for case, fold in zip(cases, folds, strict=True)]
    for name, content in (("settings.json", asdict(run)), ("folds.json", split)):
        path, text = work / name, json.dumps(content, indent=1)
        if path.exists() and path.read_text(encoding="utf-8") != text:
            raise ValueError(f"{work} was begun with another {name}; choose another work folder.")
        path.write_text(text, encoding="utf-8")
