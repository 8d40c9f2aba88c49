"""The photo on a result, with the image model's evidence over it where that is asked for."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import streamlit as st

from skin_ai.diseases import DISEASES
from skin_ai.predict import heatmap_overlay
from skin_ai.predict.diagnose import Diagnosis
from skin_ai.predict.heatmap import GRAD_CAM, METHODS, HeatmapError, computed_by
from skin_ai.server import turns
from skin_ai.views.case import pictures
from skin_ai.views.case.elimination import name
from skin_ai.views.case.own_answer import Own

if TYPE_CHECKING:
    from skin_ai.predict.bundle import Bundle

COMPUTED: Final = "heatmap_computed"
WARNING = (
    "The map says what the photo model used, not where disease is; such maps are the weakest part of an "
    "explanation, so weigh the elimination first."
)
RELATIVE = (
    "Its colours run from nothing to its own strongest place, whatever the type: they do not tell strong "
    "evidence from weak, and show nothing that speaks against the type."
)
HOW = {
    GRAD_CAM: "Grad-CAM on the scale of the model's logit: the evidence of all places adds up to it, and "
    "all types share one scale.",
    "grad_cam_plus_plus": "Grad-CAM++ counts only features that speak for the type, those most that the "
    "photo shows least of.",
    "hires_cam": "HiResCAM weighs each feature where it occurs. In this model that gives Grad-CAM's map "
    "again.",
    "layer_cam": "Layer-CAM counts only features that speak for the type.",
    "score_cam": "Score-CAM shows the model the photo through one feature at a time and counts each by "
    "what the model then makes of it; the photo is looked at one way up only.",
    "eigen_cam": "Eigen-CAM shows where the model's features vary most together. It is the same map for "
    "every type.",
}  # a key of METHODS -> what the method does
MEASURES = {
    "deletion": "taking its strongest places away",
    "insertion": "showing its strongest places alone",
    "road": "filling them in from around (ROAD)",
}  # as in the manifest's figures -> what was done to the photo


@dataclass
class _Computed:
    """Maps of the library's methods for one diagnosis, which is held weakly: it goes with its case."""

    diagnosis: weakref.ref[Diagnosis]
    maps: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)  # by method and type


@st.fragment
def show(
    diagnosis: Diagnosis,
    square: np.ndarray,
    own: Own,
    models: Callable[[], Bundle],
    measured: Mapping[str, Any] | None = None,
) -> None:
    """The photo, and on demand a map over it with its words.

    square: the photo as the model saw it; models: gives the bundle that made the diagnosis, called only
    where another method than Grad-CAM is chosen; measured: "heatmaps" of the manifest's figures.
    """
    picture = st.container()
    if not st.toggle("Show where the photo model found evidence", key="heatmap"):
        with picture:
            photo(square)
        return
    type_ = st.selectbox(
        "Evidence for and against",
        [item.type for item in diagnosis.recommendations],
        format_func=lambda type_: " · ".join(filter(None, (name(type_), own.mark(type_)))),
        key="heatmap_type",
    )
    method = st.selectbox("Method", list(METHODS), format_func=METHODS.__getitem__, key="heatmap_method")
    opacity = st.slider("Strength of the colours", 0, 100, 60, format="%d%%", key="heatmap_opacity")
    try:
        evidence, scale = _evidence(diagnosis, square, type_, method, models)
    except HeatmapError as error:
        with picture:
            photo(square)
        st.warning(str(error))
        return
    smaller = pictures.smaller(square)
    coloured = heatmap_overlay.on_photo(
        smaller, heatmap_overlay.overlay(evidence, scale, len(smaller)), opacity / 100
    )
    is_relative = method != GRAD_CAM
    if is_relative:
        words = heatmap_overlay.relative_in_words(evidence, DISEASES[type_].name)
    else:
        words = heatmap_overlay.in_words(evidence, scale, DISEASES[type_].name)
    with picture:
        what = (
            "strong where the method points" if is_relative else "evidence for the type. Purple: against it"
        )
        pictures.show(pictures.as_uri(coloured), f"Green: {what}.", words)
    st.markdown(words)
    st.caption(" ".join(filter(None, (HOW[method], RELATIVE if is_relative else "", WARNING))))
    if said := how_far_to_believe(measured, method):
        st.caption(said)


def photo(square: np.ndarray) -> None:
    """The photo alone."""
    uri = pictures.as_uri(square)
    pictures.show(uri, "The photo as the model saw it", "Photo of the lesion as the model saw it")


def _evidence(
    diagnosis: Diagnosis, square: np.ndarray, type_: str, method: str, models: Callable[[], Bundle]
) -> tuple[np.ndarray, float]:
    """The map and what gets full colour."""
    if method == GRAD_CAM:
        return diagnosis.heatmaps[type_], heatmap_overlay.common_scale(diagnosis.heatmaps)
    computed = st.session_state.get(COMPUTED)
    if computed is None or computed.diagnosis() is not diagnosis:
        computed = st.session_state[COMPUTED] = _Computed(weakref.ref(diagnosis))
    if (method, type_) not in computed.maps:
        import torch

        queue = st.empty()
        with st.spinner(f"{METHODS[method]} …"):
            bundle = models()
            assert diagnosis.feature_map is not None
            with turns.OF_MODELS.taken(lambda before: queue.caption(turns.in_words(before))):
                queue.empty()
                computed.maps[method, type_] = computed_by(
                    method,
                    bundle.image_model,
                    torch.from_numpy(diagnosis.feature_map),
                    bundle.preprocessing(square),
                    bundle.image_types.index(type_),
                )
    return computed.maps[method, type_], 1.0


def how_far_to_believe(measured: Mapping[str, Any] | None, method: str) -> str:
    """What was measured of a method, "" where nothing was measured at all."""
    if not measured:
        return ""
    # HiResCAM ranks the places as Grad-CAM does.
    against = measured["against_blob"].get(GRAD_CAM if method == "hires_cam" else method)
    if against is None:
        return f"How far {METHODS[method]} can be believed was not measured."
    is_better = [against[key]["low"] > 0 for key in MEASURES]
    if all(is_better):
        verdict = "tells better than a plain blob in the middle what the model used"
    elif any(is_better):
        verdict = "does better than a plain blob in the middle by some measures only: do not rely on it"
    else:
        verdict = "does no better than a plain blob in the middle: do not rely on it"
    figures = "; ".join(
        f"{words} {against[key]['value']:+.3f} ({against[key]['low']:+.3f} to {against[key]['high']:+.3f})"
        for key, words in MEASURES.items()
    )
    return (
        f"Measured on {measured['n']} photos of patients new to the model, {METHODS[method]} {verdict}. Gain "
        f"over the blob, in the model's probability: {figures}."
    )
