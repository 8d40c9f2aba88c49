"""The figures of a manifest: all modes, their spread over folds, and the comparisons that matter."""

from __future__ import annotations

from typing import Any

import numpy as np

from skin_ai.evaluation.figures import MODES, Evaluated, figures, gains, over_folds
from skin_ai.evaluation.protocols import protocol
from skin_ai.evaluation.simple_models import SIMPLE_MODELS

PHOTO_COMPARISONS = {
    ("chain", "control_single_pass"): "Chain of Options minus plain fine-tuning, each in its own way",
    ("single_pass", "control_single_pass"): "Chain of Options minus plain fine-tuning, both in a single pass",
    ("chain", "control_chain"): "Chain of Options minus plain fine-tuning, both eliminating",
    ("chain", "single_pass"): "Elimination minus a single pass, same model",
    ("chain", "product"): "Chain of Options minus the product of photo and regression on fields",
    ("words_only", "regression_on_fields"): "Words alone minus the regression on the same fields",
}
_PAIRS = (("chain", "control_single_pass"), ("single_pass", "control_single_pass"), ("chain", "single_pass"))
WORD_COMPARISONS = {pair: PHOTO_COMPARISONS[pair] for pair in _PAIRS} | {
    ("chain", simple): f"Chain of Options minus {name}" for simple, name in SIMPLE_MODELS.items()
}


def summary_of_photos(evaluated: Evaluated, folds: np.ndarray) -> dict[str, Any]:
    """The manifest's figures: all modes, their spread over folds, and the comparisons that matter."""
    modes = figures(evaluated)
    for name in modes:
        modes[name]["balanced_accuracy_folds"] = over_folds(evaluated, name, folds)["balanced_accuracy"]
    words = "facts_given" if "chain_free_words" in modes else "words_from_fields"
    return {
        "protocol": " ".join(map(protocol, ("out_of_fold", words, "app"))),
        "modes": {name: modes[name] for name in MODES},
        "others": {name: value for name, value in modes.items() if name not in MODES},
        "comparison": {
            f"{mode}_less_{over}": gains(evaluated, mode, over)["balanced_accuracy"] | {"text": text}
            for (mode, over), text in PHOTO_COMPARISONS.items()
        },
    }


def summary_of_words(evaluated: Evaluated) -> dict[str, Any]:
    """The manifest's figures of a source without photos."""
    return {
        "protocol": protocol("words"),
        "modes": figures(evaluated),
        "comparison": {
            f"{mode}_less_{over}": {"text": text, **gains(evaluated, mode, over)}
            for (mode, over), text in WORD_COMPARISONS.items()
            if over in evaluated.modes
        },
    }
