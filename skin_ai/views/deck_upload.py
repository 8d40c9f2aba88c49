"""Loading a deck from a zip or a folder, for study staff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from skin_ai.predict.bundle import BundleError
from skin_ai.predict.photo import MAX_BYTES
from skin_ai.server import uploads
from skin_ai.study import deck as study_deck
from skin_ai.study.database import StoreError
from skin_ai.study.deck import MAX_CASES, DeckError, Problem
from skin_ai.study.store import Store
from skin_ai.views.case import inputs
from skin_ai.views.free_text import plain

ZIP, FOLDER = "Zip", "Folder"
CHECKING = "Checking every row and photo. A hundred photos take some minutes…"
# Tells deploy/nginx.conf that many files may come; the server itself knows who may load a deck.
COOKIE = (
    "<script>document.cookie = 'skin_ai_deck=1; Max-Age=3600; Path=/; SameSite=Strict'"
    " + (location.protocol === 'https:' ? '; Secure' : '')</script>"
)
OFFERED, OUTCOME = "decks_offered", "deck_outcome"  # keys of the session's state


@dataclass(frozen=True)
class Outcome:
    """What became of an upload; asks_about: the files whose deck waits for its owner's decision."""

    is_loaded: bool
    sentence: str
    problems: Sequence[Problem] = ()
    asks_about: tuple[str, ...] = ()


def limit() -> int:
    """Bytes of a deck: the server's own limit of an upload, which .streamlit/config.toml sets."""
    megabytes: int = st.get_option("server.maxUploadSize")
    return megabytes * uploads.MEGABYTE


def ask(store: Store) -> None:
    """The form, and below it the outcome of the last upload."""
    st.html(COOKIE, unsafe_allow_javascript=True)
    most, photo = limit() // uploads.MEGABYTE, MAX_BYTES // uploads.MEGABYTE
    with st.expander("Load a deck"):
        st.markdown(
            "Load a folder, or a zip of it, with `cases.csv` and the photos.\n"
            "- Columns: `photo` (file), `narrative`, `age_band` or `age`, `body_site`, `fitzpatrick`, "
            "`reference`, `explanation`. Each case needs a photo or a narrative; the rest is optional.\n"
            f"- At most {MAX_CASES:,} cases, {photo} MB for a photo and {most} MB for the whole deck. On the "
            "server, `skin_ai study add-deck` takes a larger one.\n"
            '- Optional file `deck.toml`: `name = "…"`, `show_reference = true`, `note = "…"`, and what a '
            "study asks: management, probability of malignancy, arms, consent (docs/study.md).\n"
            "- A deck with errors is not loaded; all errors are listed. If a reference is not one of the "
            "AI's types, or no known diagnosis, you are asked first."
        )
        way = st.segmented_control("As", [ZIP, FOLDER], default=ZIP, required=True, key="deck_way")
        offered = st.session_state.get(OFFERED, 0)
        if way == ZIP:
            file = st.file_uploader(
                f"Zip of the deck, at most {most} MB", type="zip", key=f"deck_zip_{offered}"
            )
            files = [file] if file else []
        else:
            files = st.file_uploader(
                f"Folder of the deck, at most {most} MB together",
                accept_multiple_files="directory",
                max_upload_size=photo,
                key=f"deck_folder_{offered}",
            )
        outcome: Outcome | None = st.session_state.get(OUTCOME)
        waiting = outcome is not None and files and outcome.asks_about == _ids(files)
        if files and not waiting and st.button("Check and load", type="primary"):
            with st.spinner(CHECKING):
                outcome = _load(store, way, files)
            _finish(outcome, files)
    # Outside the expander, which closes when a deck is loaded.
    if outcome is None or (outcome.asks_about and not waiting):
        return
    level = st.warning if waiting else st.success if outcome.is_loaded else st.error
    level(plain(outcome.sentence))
    if outcome.problems:
        what = "Note" if waiting or outcome.is_loaded else "What to do"
        rows = [
            {"Row": str(problem.row or ""), "Column": plain(problem.column), what: plain(problem.what)}
            for problem in outcome.problems
        ]
        st.table(rows, hide_index=True, border="horizontal")
    if waiting:
        with st.container(horizontal=True):
            if st.button("Load it as it is", type="primary"):
                with st.spinner(CHECKING):
                    outcome = _load(store, way, files, as_it_is=True)
                _finish(outcome, files)
            if st.button("Do not load it"):
                _finish(Outcome(False, "The deck was not loaded."), files)


def _finish(outcome: Outcome, files: list[UploadedFile]) -> None:
    """Keeps the outcome for the next run, and the files only if the owner is asked about them."""
    st.session_state[OUTCOME] = outcome
    if not outcome.asks_about:
        st.session_state[OFFERED] = st.session_state.get(OFFERED, 0) + 1
        for file in files:
            inputs.let_go(file)
    st.rerun()


def _ids(files: list[UploadedFile]) -> tuple[str, ...]:
    return tuple(file.file_id for file in files)


def _load(store: Store, way: str, files: list[UploadedFile], *, as_it_is: bool = False) -> Outcome:
    try:
        if way == ZIP:
            deck = study_deck.read_zip(files[0].getvalue(), PurePosixPath(files[0].name).stem)
        else:
            name = PurePosixPath(files[0].name).parts[0]
            deck = study_deck.read_files({file.name: file.getvalue() for file in files}, name)
        if deck.doubts and not as_it_is:
            sentence = f"The deck is not loaded yet. {deck.references}".strip()
            return Outcome(False, sentence, deck.doubts + deck.remarks, _ids(files))
        store.add_deck(study_deck.with_facts(deck))
    except DeckError as error:
        return Outcome(False, "The deck was not loaded. Correct the following first.", error.problems)
    except (BundleError, StoreError) as error:
        return Outcome(False, str(error))
    sentence = f"Loaded the deck “{deck.name}” with {len(deck.cases)} cases. {deck.references}".strip()
    return Outcome(True, sentence, deck.remarks)
