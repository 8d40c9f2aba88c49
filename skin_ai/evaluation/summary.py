"""The figures of a manifest: all modes, their spread over folds, and the comparisons that matter."""

from __future__ import annotations

from typing import Any

import numpy as np

from skin_ai.evaluation.evaluate import PROTOCOL, WORDS_FROM_FIELDS
from skin_ai.evaluation.figures import (
    MODES,
    Evaluated,
    balanced_accuracy_gain,
    figures,
    gains,
    is_asked,
    recall_samples,
)
from skin_ai.evaluation.simple_models import SIMPLE_MODELS

PROTOCOL = (
    "Out of fold: five folds grouped by patient and stratified by type (StratifiedGroupKFold, seed 42). "
    "Models, temperatures and recommendations are fitted without the patient who is predicted. "
    f"{WORDS_FROM_FIELDS}{PROTOCOL}"
)
WORDS_PROTOCOL = (
    "Words alone. Out of fold: five folds by case, stratified by type; made-up stories: the voices that no "
    "model was trained on, asked of the first fold's model. Where a label is weighted, the type is the one "
    "with most weight. Balanced accuracy: probabilities for equally frequent types; accuracy and top 3: with "
    "the frequency of the types multiplied in, as the training mixed it. Intervals: 95%, bootstrap over "
    "cases."
)


def summary_of_photos(evaluated: Evaluated, folds: np.ndarray) -> dict[str, Any]:
    """The manifest's figures: all modes, their spread over folds, and the comparisons that matter."""
    modes = figures(evaluated)
    for name, scores in evaluated.modes.items():
        by_fold = []
        asked = is_asked(scores)
        for fold in np.unique(folds[asked]).tolist():
            tested = asked & (folds == fold)
            weights = np.ones((1, tested.sum()))
            found = scores[tested].argmax(1)
            recall = recall_samples(evaluated.truth[tested], found, len(evaluated.types), weights)
            by_fold.append(np.nanmean(recall))
        modes[name]["balanced_accuracy_folds"] = {
            "mean": round(float(np.mean(by_fold)), 4),
            "sd": round(float(np.std(by_fold, ddof=1)), 4),
        }
    texts = {
        (
            "chain",
            "control_single_pass",
        ): "Chain of Options less plain fine-tuning, each asked in its own way",
        ("single_pass", "control_single_pass"): "Chain of Options less plain fine-tuning, both asked once",
        ("chain", "control_chain"): "Chain of Options less plain fine-tuning, both eliminating",
        ("chain", "single_pass"): "Eliminating less asking once, same model",
        ("chain", "product"): "Chain of Options less the product of photo and regression on fields",
        ("words_only", "regression_on_fields"): "Words alone less the regression on the same fields",
    }
    comparison = {
        f"{mode}_less_{over}": balanced_accuracy_gain(evaluated, mode, over) | {"text": text}
        for (mode, over), text in texts.items()
    }
    return {
        "protocol": PROTOCOL,
        "modes": {name: modes[name] for name in MODES},
        "others": {name: value for name, value in modes.items() if name not in MODES},
        "comparison": comparison,
    }


def summary_of_words(evaluated: Evaluated) -> dict[str, Any]:
    """The manifest's figures of a source without photos."""
    texts = {
        ("chain", "control_single_pass"): "Chain of Options less plain fine-tuning, each in its own way",
        ("single_pass", "control_single_pass"): "Chain of Options less plain fine-tuning, both asked once",
        ("chain", "single_pass"): "Eliminating less asking once, same model",
        **{
            ("chain", simple): f"Chain of Options less {name}"
            for simple, name in SIMPLE_MODELS.items()
            if simple in evaluated.modes
        },
    }
    return {
        "protocol": WORDS_PROTOCOL,
        "modes": figures(evaluated),
        "comparison": {
            f"{mode}_less_{over}": {"text": text, **gains(evaluated, mode, over)}
            for (mode, over), text in texts.items()
        },
    }
