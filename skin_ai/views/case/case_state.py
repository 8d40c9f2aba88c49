"""What one session knows about its case, behind one key of st.session_state.

Here and not in the page: a page's script runs anew at every click, and objects of classes that were
defined anew are never equal.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import streamlit as st

from skin_ai.predict.photo import Crop

if TYPE_CHECKING:  # torch comes with it, and the first page must not wait for torch
    from skin_ai.predict.diagnose import Diagnosis
    from skin_ai.views.case.photo_notes import Notes

KEY = "case"
T = TypeVar("T")


def new_id() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True, eq=False)
class Photo:
    """Clean pixels (h, w, 3) that a session took in; equal only to itself.

    sample: the name of a drawn sample, else "". A file's name is not kept: it may name a patient. notes: on
    the frame that is shown, for the bundle that will be asked. pictures: with that frame, and of the square
    in it, as data URIs.
    """

    pixels: np.ndarray
    sample: str = ""
    notes: dict[tuple[Crop, str], Notes] = field(default_factory=dict)
    pictures: dict[Crop, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Inputs:
    """What the models are asked about."""

    photo: Photo | None
    crop: Crop
    words: str


@dataclass
class CaseState:
    """problem: why the last file was not taken.

    files and forms count what was offered and filled in: their numbers in the keys of widgets give each
    a fresh one. emptied: the number of the form that last said a fact; has_opened_form: whether its fields
    were asked for. written: what the page, not the clinician, last wrote into the text area with words_key;
    formers: what those held, by key, that it replaced while the clinician may have gone on typing in them.
    loaded: names of the bundles whose models are in memory; bundle: the one that was asked, "" before.
    asked_at: when the models were first asked, 0 before; stage_shown, since: which stage is on screen and
    from when on; both by time.monotonic().
    """

    id: str = field(default_factory=new_id)
    photo: Photo | None = None
    problem: str = ""
    files: int = 0
    forms: int = 0
    emptied: dict[str, int] = field(default_factory=dict)
    has_opened_form: bool = False
    written: str = ""
    words_key: str = field(default_factory=new_id)
    formers: dict[str, str] = field(default_factory=dict)
    diagnosis: Diagnosis | None = None
    loaded: set[str] = field(default_factory=set)
    bundle: str = ""
    particulars: dict[str, Any] = field(default_factory=dict)
    is_restored: bool = False
    asked_at: float = 0.0
    stage_shown: str = ""
    since: float = 0.0

    def take(self, photo: Photo) -> None:
        self.photo, self.problem = photo, ""
        self.files += 1

    def refuse(self, problem: str) -> None:
        self.problem = problem
        self.files += 1

    def key(self, widget: str) -> str:
        """The key of a widget that starts empty with each case and each file."""
        return f"{widget}_{self.id}_{self.files}"

    @property
    def form_key(self) -> str:
        return f"symptom_form_{self.id}"

    def words(self) -> str:
        """What the text area holds: as typed, or as written where it has not been drawn yet."""
        return as_it_stands(self.words_key, self.written)

    def write_words(self, words: str) -> None:
        """Replaces what the text area holds, and the text area with it.

        Streamlit drops what a run drew and did not send before the next run starts, as at a double click.
        A value given to the text area on screen could be lost with it; a new one, whose default it is, is
        drawn anew by every run, and what the browser still sends of the former one counts no more.
        """
        former = self.words_key
        self.written, self.words_key = words, new_id()
        # Last, for touching st.session_state ends a run that the next click cuts short.
        st.session_state.pop(former, None)

    def go_on_from(self, typed: str, words: str) -> None:
        """As write_words, where the text area on screen held `typed` and may be typed in meanwhile."""
        self.formers[self.words_key] = typed
        self.written, self.words_key = words, new_id()

    def take_up_what_was_typed(self) -> None:
        """Brings into the words what was changed in former text areas since they were replaced."""
        for key, before in list(self.formers.items()):
            typed, words = as_it_stands(key, before), self.words()
            if typed != before:
                self.formers[key] = typed
                self.go_on_from(words, changed_alike(words, before, typed))

    def seconds_at(self, stage: str) -> float:
        """For how long this stage has been on screen."""
        if self.stage_shown != stage:
            self.stage_shown, self.since = stage, time.monotonic()
        return time.monotonic() - self.since


def changed_alike(words: str, before: str, after: str) -> str:
    """The words with the change from before to after, which they began with, or else its new end.

    >>> changed_alike("It itches. I am 70.", "It itches.", "It itches a lot.")
    'It itches a lot. I am 70.'
    """
    before, after = before.rstrip(), after.rstrip()
    if words.startswith(before):
        parts = after, words.removeprefix(before).lstrip()
    else:
        parts = words.rstrip(), after.removeprefix(before).lstrip()
    return " ".join(filter(None, parts))


def as_it_stands(key: str, at_first: T) -> T:
    """What the widget with this key holds, or begins with: to be its default in every run.

    A browser forgets what a widget held once a run has ended without it. Streamlit does not tell it again
    in a run whose click it sent before it forgot, as "Go on" right after "Keep for later": the browser then
    shows the default, and sends that as if it had been chosen.
    """
    held: T = st.session_state.get(key, at_first)
    return held


def place_as_it_stands(key: str, options: Sequence[T], at_first: T) -> int:
    """The place of what the widget with this key holds among its options; the first where it has none."""
    held = as_it_stands(key, at_first)
    return options.index(held) if held in options else 0


def has_case() -> bool:
    """Whether the session that asks has opened one yet."""
    return KEY in st.session_state


def current_case() -> CaseState:
    """The case of the session that asks."""
    if KEY not in st.session_state:
        st.session_state[KEY] = CaseState()
    case: CaseState = st.session_state[KEY]
    return case


def still_current(case_id: str) -> CaseState | None:
    """The case on screen if it is the one with this id.

    For callbacks: streamlit keeps them with what they were given until the session ends, so that a case
    which one of them held would stay in memory with its photo.
    """
    case = current_case()
    return case if case.id == case_id else None


def begin_case(case_id: str = "") -> None:
    """Puts the case on screen away, and a new one or the one with this id in its place."""
    former = current_case()
    st.session_state[KEY] = CaseState(case_id or new_id(), loaded=former.loaded)
    for key in (former.words_key, *former.formers):
        st.session_state.pop(key, None)
