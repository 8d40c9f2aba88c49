"""How the names of the manifest are written for people."""

from __future__ import annotations

from typing import Final

from skin_ai.diseases import DISEASES
from skin_ai.model_card.blocks import capital

MODES: Final = {
    "photo_only": "Photo only",
    "words_only": "Words only",
    "single_pass": "Single pass",
    "chain": "Chain",
}
OTHER_MODES: Final = {
    "chain_in_held_out_wordings": "Chain, in wordings never trained on",
    "words_only_in_held_out_wordings": "Words only, in wordings never trained on",
    "words_only_single_pass": "Words only, single pass",
    "control_chain": "Control, chain",
    "control_single_pass": "Control, single pass",
    "control_words_only": "Control, words only",
    "regression_on_fields": "Regression on the same fields",
    "regression_on_words": "Regression on the words",
    "product": "Product of photo and regression",
    "most_frequent": "Always the most frequent types",
}
MEASURES: Final = {
    "balanced_accuracy": "Balanced accuracy",
    "macro_auc": "Macro AUC",
    "top3": "Top 3",
    "accuracy": "Accuracy",
    "ece": "Calibration error",
}
SOURCES: Final = {"scin": "words of volunteers (SCIN)", "stories-26": "made-up stories"}
GROUPINGS: Final = {
    "skin_type": "Fitzpatrick skin type",
    "age_band": "Age",
    "body_site": "Body site",
    "gender": "Gender",
    "proof": "How the label was proven",
}
_OTHERS: Final = {
    "malignancy_auc": "AUC, malignant",
    "auc": "AUC",
    "n": "Cases",
    "sd": "s.d.",
    "deletion": "Deletion",
    "insertion": "Insertion",
    "road": "ROAD",
    "grad_cam": "Grad-CAM",
    "grad_cam_against_others": "Grad-CAM, type against others",
    "grad_cam_plus_plus": "Grad-CAM++",
    "hires_cam": "HiResCAM",
    "score_cam": "Score-CAM",
    "eigen_cam": "Eigen-CAM",
    "centred_blob": "Centred blob",
    "random": "Random map",
    "against_blob": "Better than a centred blob by",
    "against_random": "Better than a random map by",
    "randomised_head": "Correlation with the map of a random head",
    "randomised_trunk": "Correlation with the map of a random trunk",
    "sensitivity_at_80": "Sensitivity at 0.80 specificity",
    "sensitivity_at_90": "Sensitivity at 0.90 specificity",
    "knn": "Nearest neighbours",
    "false_alarms": "False alarms",
    "false_stops": "Untouched photos stopped",
    "strength_at_fall": "Strength at which accuracy has fallen",
    "drawn_ink": "Ink drawn on unmarked photos",
    "real_ink": "Ink that is in the data",
    "blurred": "Blurred",
    "small": "Made smaller",
    "ours": "Ours",
    "literature": "The literature's",
}
_LABELS: Final = MODES | OTHER_MODES | MEASURES | SOURCES | GROUPINGS | _OTHERS


def label(key: str) -> str:
    """The words for a key of the manifest; what is not known is its own words."""
    if key in DISEASES:
        return type_name(key)
    words = key.replace("_", " ")
    return capital(_LABELS.get(key, words.lower() if words.isupper() else words))


def type_name(type_: str) -> str:
    """A type's name as a label starts."""
    return capital(DISEASES[type_].name if type_ in DISEASES else type_)
