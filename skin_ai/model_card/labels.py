"""Readable labels for the manifest's keys."""

from __future__ import annotations

from typing import Final

from skin_ai.diseases import DISEASES

MODES: Final = {
    "photo_only": "Photo only",
    "photo_no_words": "Photo, no words",
    "words_only": "Words only",
    "single_pass": "Single pass",
    "chain": "Chain",
}
OTHER_MODES: Final = {
    "chain_free_words": "Chain, free words",
    "chain_confirmed_facts": "Chain, facts of the free words confirmed",
    **{f"chain_free_words_by_{writer}": f"Chain, free words of writer {writer}" for writer in "abcdef"},
    "chain_one_fact": "Chain, one fact told",
    "chain_two_facts": "Chain, two facts told",
    "chain_three_facts": "Chain, three facts told",
    "chain_in_held_out_wordings": "Chain, held-out wordings",
    "words_only_in_held_out_wordings": "Words only, held-out wordings",
    "words_only_single_pass": "Words only, single pass",
    "control_chain": "Control, chain",
    "control_single_pass": "Control, single pass",
    "control_words_only": "Control, words only",
    "regression_on_fields": "Regression on the same fields",
    "regression_on_words": "Regression on the words",
    "product": "Product of photo and regression",
    "most_frequent": "Most frequent types",
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
    "proof": "Diagnosis confirmed",
}
_OTHERS: Final = {
    "grad_cam": "Grad-CAM",
    "grad_cam_against_others": "Grad-CAM, type against others",
    "grad_cam_plus_plus": "Grad-CAM++",
    "hires_cam": "HiResCAM",
    "score_cam": "Score-CAM",
    "eigen_cam": "Eigen-CAM",
    "centred_blob": "Centred blob (baseline)",
    "random": "Random map (baseline)",
    "everyday": "Everyday objects",
    "grey": "Greyscale photos",
    "other_medicine": "Other medical images",
    "plain": "Plain surfaces",
    "painted_over": "Lesion photos painted over",
    "skin_corner": "Corner of a lesion photo",
    "lesion_inside": "Lesion filling the frame",
    "small": "Too few pixels",
    "shaken": "Motion blur",
    "held_out_wordings": "Held-out wordings",
    "shuffled": "Sentences reordered",
    "irrelevant": "Irrelevant sentence added",
    "kind": "Kind of lesion",
    "regions": "Body regions",
    "more_symptoms": "Further symptoms",
}
_LABELS: Final = MODES | OTHER_MODES | MEASURES | SOURCES | GROUPINGS | _OTHERS


def label(key: str) -> str:
    """The words for a key of the manifest; an unknown key is written as it is, without underscores."""
    if key in DISEASES:
        return type_name(key)
    words = key.replace("_", " ")
    return capital(_LABELS.get(key, words.lower() if words.isupper() else words))


def type_name(type_: str) -> str:
    """A type's name with a capital."""
    return capital(DISEASES[type_].name if type_ in DISEASES else type_)


def group_name(grouping: str, group: str) -> str:
    return f"Type {group}" if grouping == "skin_type" and len(group) < len("type") else label(group)


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def listed(parts: list[str]) -> str:
    """As a, b and c."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
