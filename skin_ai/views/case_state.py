"""What one session knows about its case, behind one key of st.session_state.

Here and not in the page: a page's script runs anew at every click, and objects of classes that were
defined anew are never equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from skin_ai.photo import Crop

if TYPE_CHECKING:  # torch comes with it, and the first page must not wait for torch
    from skin_ai.diagnose import Diagnosis

KEY = "case"


@dataclass(frozen=True, eq=False)
class Photo:
    """Clean pixels (h, w, 3) that a session took in; equal only to itself.

    sample: the title of a drawn sample, else "". A file's name is not kept: it may name a patient.
    """

    pixels: np.ndarray
    sample: str = ""


@dataclass(frozen=True)
class Inputs:
    """What the models are asked about: equal when a run on it would be the same."""

    photo: Photo | None
    crop: Crop
    words: str


@dataclass(frozen=True)
class Run:
    """A diagnosis and the inputs that it belongs to."""

    inputs: Inputs
    diagnosis: Diagnosis


@dataclass
class CaseState:
    """problem: why the last file was not taken.

    files and forms count what was offered and filled in: their numbers in the keys of widgets give each
    a fresh one. words_to_show: words that the page, not the clinician, writes into the text area. They wait
    here until it is drawn, for what a callback writes into st.session_state is lost when the next click
    cuts the run short.
    """

    photo: Photo | None = None
    problem: str = ""
    files: int = 0
    forms: int = 0
    words_to_show: str | None = None
    run: Run | None = None
    models_are_loaded: bool = False

    def take(self, photo: Photo) -> None:
        self.photo, self.problem = photo, ""
        self.files += 1

    def refuse(self, problem: str) -> None:
        self.problem = problem
        self.files += 1


def current_case() -> CaseState:
    """The case of the session that asks."""
    if KEY not in st.session_state:
        st.session_state[KEY] = CaseState()
    case: CaseState = st.session_state[KEY]
    return case
