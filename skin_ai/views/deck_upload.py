"""Loading a deck from a zip or a folder, for study staff."""

from __future__ import annotations

from pathlib import PurePosixPath

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from skin_ai.server import uploads
from skin_ai.study import deck as study_deck
from skin_ai.study.database import StoreError
from skin_ai.study.deck import DeckError
from skin_ai.study.store import Store
from skin_ai.views.case import inputs
from skin_ai.views.free_text import plain

ZIP, FOLDER = "Zip", "Folder"
MAX_DECK_MB = 500
OFFERED, OUTCOME = "decks_offered", "deck_outcome"  # keys of the session's state


def ask(store: Store) -> None:
    """The form, and below it the outcome of the last upload."""
    context = get_script_run_ctx()
    if context is not None:
        uploads.allow(context.session_id, uploads.DECK)
    with st.expander("Load a deck"):
        st.markdown(
            "Load a folder, or a zip of it, with `cases.csv` and the photos.\n"
            "- Columns: `photo` (file), `narrative`, `age_band` or `age`, `body_site`, `fitzpatrick`, "
            "`reference`, `explanation`. Each case needs a photo or a narrative; the rest is optional.\n"
            '- Optional file `deck.toml`: `name = "…"`, `show_reference = true`, `note = "…"`.\n'
            "- A deck with errors is not loaded; all errors are listed."
        )
        way = st.segmented_control("As", [ZIP, FOLDER], default=ZIP, required=True, key="deck_way")
        offered = st.session_state.get(OFFERED, 0)
        if way == ZIP:
            file = st.file_uploader(
                "Zip of the deck", type="zip", max_upload_size=MAX_DECK_MB, key=f"deck_zip_{offered}"
            )
            files = [file] if file else []
        else:
            files = st.file_uploader(
                "Folder of the deck",
                accept_multiple_files="directory",
                max_upload_size=MAX_DECK_MB,
                key=f"deck_folder_{offered}",
            )
        if files and st.button("Check and load", type="primary"):
            with st.spinner("Checking every row and photo…"):
                st.session_state[OUTCOME] = _load(store, way, files)
            st.session_state[OFFERED] = offered + 1
            for file in files:
                inputs.let_go(file)
            st.rerun()
    # Outside the expander, which closes when a deck is loaded.
    if OUTCOME in st.session_state:
        is_loaded, sentence, problems = st.session_state[OUTCOME]
        (st.success if is_loaded else st.error)(plain(sentence))
        if problems:
            st.table(problems, hide_index=True, border="horizontal")


def _load(store: Store, way: str, files: list[UploadedFile]) -> tuple[bool, str, list[dict[str, str]]]:
    """Whether the deck was loaded, a sentence, and one row for each problem."""
    try:
        if way == ZIP:
            deck = study_deck.read_zip(files[0].getvalue(), PurePosixPath(files[0].name).stem)
        else:
            name = PurePosixPath(files[0].name).parts[0]
            deck = study_deck.read_files({file.name: file.getvalue() for file in files}, name)
        store.add_deck(deck)
    except DeckError as error:
        rows = [
            {
                "Row": str(problem.row or ""),
                "Column": plain(problem.column),
                "What to do": plain(problem.what),
            }
            for problem in error.problems
        ]
        return False, "The deck was not loaded. Correct the following first.", rows
    except StoreError as error:
        return False, str(error), []
    return True, f"Loaded the deck “{deck.name}” with {len(deck.cases)} cases.", []
