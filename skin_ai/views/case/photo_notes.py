"""What the clinician should know of a photo before any model is asked about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st


@dataclass(frozen=True)
class Notes:
    """faults: kinds of `quality.py`, in its order; has_ink: whether a pen's mark is seen."""

    faults: tuple[str, ...]
    has_ink: bool


def of(square: np.ndarray, manifest: Mapping[str, Any]) -> Notes:
    """What is seen in a square, (s, s, 3) uint8, as the image model of the manifest's bundle will see it."""
    from skin_ai.predict import (
        ink,
        quality,  # SciPy comes with them, and a page without a photo must not wait for it
    )

    return Notes(quality.problems(square, manifest["quality_limits"]), ink.has_ink(square))


def show(notes: Notes) -> None:
    """A warning for each fault, with what to do; nothing is stopped."""
    from skin_ai.predict import ink, quality

    for fault in notes.faults:
        st.warning(quality.ADVICE[fault], icon=":material/photo_camera:")
    if notes.faults:
        st.caption("You can go on with this photo; the result, and what is kept, will say so.")
    if notes.has_ink:
        st.info(ink.SEEN, icon=":material/ink_pen:")
