"""The photo of a result, with a heatmap of the image model's evidence if asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
import torch

from skin_ai.diseases import DISEASES
from skin_ai.predict import heatmap_overlay
from skin_ai.predict.bundle import BundleError
from skin_ai.predict.diagnose import Diagnosis, with_maps
from skin_ai.predict.heatmap import GRAD_CAM, METHODS, HeatmapError, computed_by
from skin_ai.views.case import pictures
from skin_ai.views.case.case_state import current_case
from skin_ai.views.case.elimination import name
from skin_ai.views.case.own_answer import Own
from skin_ai.views.case.run import models_in_turn

if TYPE_CHECKING:
    from skin_ai.predict.bundle import Bundle

WARNING = (
    "The map shows what the photo model used, not where disease is. Such maps are the weakest part of the "
    "explanation; rely on the elimination first."
)
RELATIVE = (
    "Colours are relative to the map's own maximum: they do not show how strong the evidence is, nor which "
    "regions argue against the type."
)
HOW = {
    GRAD_CAM: "Grad-CAM on the scale of the model's logit: the evidence over the photo adds up to the logit, "
    "and all types share one scale.",
    "grad_cam_plus_plus": "Grad-CAM++ uses only features in favour of the type, with more weight on those "
    "that cover little of the photo.",
    "hires_cam": "HiResCAM weights each feature where it occurs. For this model it equals Grad-CAM.",
    "layer_cam": "Layer-CAM uses only features in favour of the type.",
    "score_cam": "Score-CAM masks the photo with one feature at a time and weights each by the model's "
    "response; only the upright view of the photo is used.",
    "eigen_cam": "Eigen-CAM shows where the model's features vary most together, the same for every type.",
}  # a key of METHODS -> what the method does
MEASURES = {
    "deletion": "removing its strongest regions",
    "insertion": "showing only its strongest regions",
    "road": "replacing them with their surroundings (ROAD)",
}  # as in the manifest's figures -> what was done to the photo


@st.fragment
def show(
    diagnosis: Diagnosis,
    own: Own,
    models: Callable[[], Bundle],
    measured: Mapping[str, Any] | None = None,
) -> None:
    """A map over the photo, with its words.

    diagnosis: one with its photo; models: gives the bundle that made it, called only where it has no maps
    yet or another method than Grad-CAM is chosen; measured: "heatmaps" of the manifest's figures.
    """
    square = diagnosis.square
    assert square is not None
    picture, beside = st.columns(2, gap="large")
    with beside:
        type_ = st.selectbox(
            "Evidence for and against",
            [item.type for item in diagnosis.recommendations],
            format_func=lambda type_: " · ".join(filter(None, (name(type_), own.mark(type_)))),
            key="heatmap_type",
        )
        method = st.selectbox("Method", list(METHODS), format_func=METHODS.__getitem__, key="heatmap_method")
        opacity = st.slider("Strength of the colours", 0, 100, 60, format="%d%%", key="heatmap_opacity")
        try:
            if not diagnosis.heatmaps:
                _compute_maps(diagnosis, square, models)
            evidence, scale = _evidence(diagnosis, square, type_, method, models)
        except (HeatmapError, BundleError) as error:
            with picture:
                photo(square)
            st.warning(str(error))
            return
        smaller = pictures.smaller(square)
        colours = heatmap_overlay.overlay(evidence, scale, len(smaller))
        coloured = heatmap_overlay.on_photo(smaller, colours, opacity / 100)
        if is_relative := method != GRAD_CAM:
            what = "regions that the method highlights"
            words = heatmap_overlay.relative_in_words(evidence, DISEASES[type_].name)
        else:
            what = "evidence for. Purple: against"
            words = heatmap_overlay.in_words(evidence, scale, DISEASES[type_].name)
        with picture:
            pictures.show(pictures.as_uri(coloured), f"Green: {what}.", words)
        st.markdown(words)
        st.caption(" ".join(filter(None, (HOW[method], RELATIVE if is_relative else "", WARNING))))
        if measurement := faithfulness(measured, method):
            st.caption(measurement)


def photo(square: np.ndarray | None) -> None:
    if square is None:
        st.caption("The photo of this case was not kept.")
        return
    uri = pictures.as_uri(square)
    pictures.show(uri, "The photo as the model saw it", "Photo of the lesion as the model saw it")


def _compute_maps(diagnosis: Diagnosis, square: np.ndarray, models: Callable[[], Bundle]) -> None:
    """Gives the case on screen the maps that were not kept, and draws the page again."""
    with models_in_turn(models, "Computing the heatmaps…") as bundle:
        current_case().diagnosis = with_maps(diagnosis, square, bundle)
    st.rerun()


def _evidence(
    diagnosis: Diagnosis, square: np.ndarray, type_: str, method: str, models: Callable[[], Bundle]
) -> tuple[np.ndarray, float]:
    """The map, and the evidence that gets full colour."""
    if method == GRAD_CAM:
        return diagnosis.heatmaps[type_], heatmap_overlay.common_scale(diagnosis.heatmaps)
    maps = current_case().maps
    if (method, type_) not in maps:
        assert diagnosis.feature_map is not None
        with models_in_turn(models, f"{METHODS[method]} …") as bundle:
            maps[method, type_] = computed_by(
                method,
                bundle.image_model,
                torch.from_numpy(diagnosis.feature_map),
                bundle.preprocessing(square),
                bundle.image_types.index(type_),
            )
    return maps[method, type_], 1.0


def faithfulness(measured: Mapping[str, Any] | None, method: str) -> str:
    """How faithful a method's maps were found to be, "" if nothing was measured."""
    if not measured:
        return ""
    # HiResCAM ranks the regions as Grad-CAM does.
    against = measured["against_blob"].get(GRAD_CAM if method == "hires_cam" else method)
    if against is None:
        return f"The faithfulness of {METHODS[method]} was not measured."
    is_better = [against[key]["low"] > 0 for key in MEASURES]
    if all(is_better):
        verdict = "shows what the model used better than a blob in the centre does"
    elif any(is_better):
        verdict = "is better than a blob in the centre by some measures only: do not rely on it"
    else:
        verdict = "is no better than a blob in the centre: do not rely on it"
    figures = "; ".join(
        f"{words} {against[key]['value']:+.3f} ({against[key]['low']:+.3f} to {against[key]['high']:+.3f})"
        for key, words in MEASURES.items()
    )
    return (
        f"On {measured['n']} photos of patients new to the model, {METHODS[method]} {verdict}. Difference in "
        f"the model's probability: {figures}."
    )
