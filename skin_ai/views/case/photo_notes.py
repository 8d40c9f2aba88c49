"""Warnings about a photo before any model runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from skin_ai.predict.prepared_photo import PreparedPhoto


def show(photo: PreparedPhoto, limits: Mapping[str, float]) -> None:
    """A warning for each fault, with what to do; the photo can still be used.

    limits: "quality_limits" of the manifest of the bundle that will be asked.
    """
    # Here, for SciPy comes with them, and a page without a photo must not wait for it.
    from skin_ai.predict import ink, quality

    faults = photo.problems(limits)
    for fault in faults:
        st.warning(quality.ADVICE[fault], icon=":material/photo_camera:")
    if faults:
        st.caption("You can still use this photo; the result will repeat these warnings.")
    if photo.has_ink:
        st.info(ink.ADVICE, icon=":material/ink_pen:")
