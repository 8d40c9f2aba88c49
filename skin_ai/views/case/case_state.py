"""A session's case, behind one key of st.session_state.

Not in the page's script: it runs again at every click, and objects of redefined classes are never equal.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import streamlit as st

from skin_ai.predict.photo import Crop
from skin_ai.views.case.understood import Understood

if TYPE_CHECKING:  # torch comes with it, and the first page must not wait for torch
    from skin_ai.predict.ask_next import NextQuestion
    from skin_ai.predict.diagnose import Diagnosis
    from skin_ai.predict.narrative import Answer, Facts
    from skin_ai.predict.prepared_photo import PreparedPhoto

KEY = "case"
T = TypeVar("T")


def new_id() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True, eq=False)
class Photo:
    """Clean pixels (h, w, 3) that a session took in; equal only to itself.

    sample: the name of a sample case, else "". A file's name is not kept: it may name a patient. pictures:
    of the frame on screen, the whole photo with that frame and the square in it, as data URIs.
    """

    pixels: np.ndarray
    sample: str = ""
    pictures: dict[Crop, tuple[str, str]] = field(default_factory=dict)
    _prepared: dict[Crop, PreparedPhoto] = field(default_factory=dict)

    def prepared(self, crop: Crop) -> PreparedPhoto:
        """What the models see of it; prepared once for the frame on screen, which every run shows."""
        # Here, for SciPy comes with it, and a page without a photo must not wait for it.
        from skin_ai.predict.prepared_photo import prepare

        if crop not in self._prepared:
            self._prepared.clear()
            self._prepared[crop] = prepare(self.pixels, crop)
        return self._prepared[crop]


@dataclass
class Asking:
    """What the next question is found with.

    start: facts from the words; known: with the answers so far; first: the result before any question.

    question: None where none is worth asking; answered: what was clicked, until the models have seen it.
    """

    start: Facts
    known: Facts
    first: Diagnosis
    question: NextQuestion | None
    answered: Answer | None = None


@dataclass
class CaseState:
    """problem: why the last file was refused.

    files counts files offered; as a part of widgets' keys it gives each one fresh widgets. written: what the
    page, not the clinician, last wrote into the text area with words_key. facts: of the words, and set by
    hand.
    loaded: names of the bundles whose models are in memory; bundle: the one that was asked, "" before;
    bundle_sha256: of its manifest when it made the diagnosis. maps: (method, type) -> heatmap, as computed;
    saw_heatmap: whether one was opened. asked: questions after the result, as `flow.keep_asked` keeps them;
    asking: what the next one is found with, None before.
    asked_at: when the models were first asked, of time.monotonic(), 0 before; begun_at: when the clinician
    gave what is on screen, None before. is_story: begun with the patient's words, without a photo.
    taken: stage -> diagnoses, one of which was typed and left without choosing; times_taken: how often.
    confidence_typed, reason_typed: from before a reload; came_back: what the page says of it, "" without one.
    """

    id: str = field(default_factory=new_id)
    photo: Photo | None = None
    problem: str = ""
    files: int = 0
    written: str = ""
    words_key: str = field(default_factory=new_id)
    facts: Understood = field(default_factory=Understood)
    diagnosis: Diagnosis | None = None
    loaded: set[str] = field(default_factory=set)
    bundle: str = ""
    bundle_sha256: str = ""
    maps: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)
    saw_heatmap: bool = False
    asked: list[dict[str, Any]] = field(default_factory=list)
    asking: Asking | None = None
    fitzpatrick: int | None = None
    is_restored: bool = False
    asked_at: float = 0.0
    begun_at: datetime | None = None
    is_story: bool = False
    taken: dict[str, list[str]] = field(default_factory=dict)
    times_taken: int = 0
    confidence_typed: int | None = None
    reason_typed: str = ""
    came_back: str = ""

    def take(self, photo: Photo) -> None:
        self.photo, self.problem = photo, ""
        self.files += 1

    def refuse(self, problem: str) -> None:
        self.problem = problem
        self.files += 1

    def key(self, widget: str) -> str:
        """The key of a widget that starts empty with each case and each file."""
        return f"{widget}_{self.id}_{self.files}"

    def words(self) -> str:
        """The text area's content: as typed, or as written if it has not been drawn yet."""
        return as_it_stands(self.words_key, self.written)

    def write_words(self, words: str) -> None:
        """Replaces the text area's content, and the text area with it.

        Streamlit drops what a run drew but had not sent when the next run starts, as at a double click. A
        value set on the text area on screen could be lost with it. A new text area with that default is drawn
        by every run, and what the browser still sends of the former one is ignored.
        """
        former = self.words_key
        self.written, self.words_key = words, new_id()
        # Last, because accessing st.session_state ends a run that the next click has interrupted.
        st.session_state.pop(former, None)

    def note_begin(self, has_inputs: bool) -> None:
        if not has_inputs:
            self.begun_at = None
        elif self.begun_at is None:
            self.begun_at = datetime.now(UTC)


def as_it_stands(key: str, at_first: T) -> T:
    """What the widget with this key holds, or `at_first`: to be passed as its default in every run.

    A browser forgets a widget's value once a run has ended without the widget. If the next click was sent
    before that, as with "Continue" right after "Keep for later", Streamlit does not send the value again: the
    browser then shows the default, and sends it back as if it had been chosen.
    """
    held: T = st.session_state.get(key, at_first)
    return held


def place_as_it_stands(key: str, options: Sequence[T], at_first: T) -> int:
    """The position of the widget's value among its options; 0 if it is not one of them."""
    held = as_it_stands(key, at_first)
    return options.index(held) if held in options else 0


def current_case() -> CaseState:
    if KEY not in st.session_state:
        st.session_state[KEY] = CaseState()
    case: CaseState = st.session_state[KEY]
    return case


def still_current(case_id: str) -> CaseState | None:
    """The case on screen if it has this id.

    For callbacks: Streamlit keeps their arguments until the session ends, so a case given to one would stay
    in memory with its photo.
    """
    case = current_case()
    return case if case.id == case_id else None


def begin_case(case_id: str = "") -> None:
    """Replaces the case on screen with the one that has this id, or with a new one."""
    former = current_case()
    st.session_state[KEY] = CaseState(case_id or new_id(), loaded=former.loaded)
    st.session_state.pop(former.words_key, None)
