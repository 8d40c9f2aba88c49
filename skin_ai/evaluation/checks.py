"""The figures on a bundle's reliability; slow ones are measured once and kept in the work folder."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from skin_ai.diseases import DISEASES, Nature
from skin_ai.evaluation import degradations, faithfulness, gate_fitting, groups, literature, shortcuts
from skin_ai.evaluation.figures import MODES, Evaluated
from skin_ai.evaluation.malignancy import malignancy
from skin_ai.evaluation.reliability import calibration, risk_coverage, step_calibration
from skin_ai.predict.chain import Step
from skin_ai.training.datasets import Case
from skin_ai.training.image import ImageSettings, OutOfFold
from skin_ai.training.sources import PAD_UFES_20

log = logging.getLogger(__name__)

SEED = 42
# Figures of the image model alone, shared by all bundles that use it.
OF_PHOTOS = ("gate", "quality", "shortcuts", "heatmaps")


def malignant(types: Sequence[str]) -> tuple[str, ...]:
    """The types that are malignant, pre-malignant ones apart."""
    return tuple(type_ for type_ in types if DISEASES[type_].nature is Nature.MALIGNANT)


def of_photos(
    squares: list[np.ndarray],
    labels: np.ndarray,
    types: tuple[str, ...],
    out_of_fold: OutOfFold,
    patients: np.ndarray,
    work: Path,
) -> dict[str, Any]:
    """The figures OF_PHOTOS of a newly trained image model.

    squares: (s, s, 3) uint8 each; labels: (n,) index into `types`.
    """
    rest = squares, labels, types, out_of_fold, patients
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "gate": lambda: gate_fitting.measure(np.stack(squares), out_of_fold, patients, SEED),
        "quality": lambda: degradations.measure(*rest),
        "shortcuts": lambda: shortcuts.measure(*rest, malignant(types)),
        "heatmaps": lambda: faithfulness.measure(squares, out_of_fold, patients, SEED),
    }
    return {name: measured_once(work / f"{name}.json", part) for name, part in parts.items()}


def of_answers(evaluated: Evaluated, steps: Sequence[tuple[Step, ...]]) -> dict[str, Any]:
    """Calibration, coverage and malignancy from out-of-fold predictions.

    steps: the chain's eliminations of the cases, with the temperatures that other folds gave.
    """
    return {
        "calibration": {mode: calibration(evaluated, mode) for mode in MODES},
        "step_calibration": step_calibration(
            steps, evaluated.truth, evaluated.prior, evaluated.types, evaluated.patients
        ),
        "risk_coverage": {mode: risk_coverage(evaluated, mode) for mode in MODES},
        "malignancy": {mode: malignancy(evaluated, mode, malignant(evaluated.types)) for mode in MODES},
    }


def of_groups(folders: Mapping[str, Path], cases: Sequence[Case], evaluated: Evaluated) -> dict[str, Any]:
    """Figures by group of patients, where all photos are from PAD-UFES-20, whose table has the groups."""
    if {case.source for case in cases} != {PAD_UFES_20}:
        return {}
    particulars = groups.particulars_of(folders[PAD_UFES_20], cases)
    return {"groups": groups.by_group(evaluated, particulars, "chain", malignant(evaluated.types))}


def by_the_literature(folder: Path, settings: ImageSettings, work: Path) -> dict[str, Any]:
    """The literature's protocol; trains one more image model a fold, in one run each to save hours."""
    single = replace(settings, members=1)
    return measured_once(
        work / "literature.json", lambda: literature.run(folder, work / "literature", single)
    )


def measured_once(path: Path, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The content of `path`, measured if it does not exist."""
    if not path.exists():
        log.info("measuring: %s", path.stem)
        whole = path.with_suffix(".new")  # renamed when complete
        whole.write_text(json.dumps(measure()), encoding="utf-8")
        whole.replace(path)
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
