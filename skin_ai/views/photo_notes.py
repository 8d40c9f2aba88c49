"""What the clinician should know of a photo before any model is asked about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st


def show(square: np.ndarray, manifest: Mapping[str, Any]) -> None:
    """A warning for each fault, with what to do; nothing is stopped.

    square: (s, s, 3) uint8 as the image model will see it; manifest: of the bundle that will be asked.
    """
    from skin_ai import ink, quality  # SciPy comes with them, and a page without a photo must not wait for it

    faults = quality.problems(square, manifest["quality_limits"])
    for fault in faults:
        st.warning(quality.ADVICE[fault], icon=":material/photo_camera:")
    if faults:
        st.caption("You can go on with this photo; the result, and what is kept, will say so.")
    if ink.has_ink(square):
        st.info(ink.SEEN, icon=":material/ink_pen:")
