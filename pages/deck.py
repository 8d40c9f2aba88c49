"""Decks: sets of cases that several readers work through."""

from __future__ import annotations

from pathlib import PurePosixPath

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from skin_ai.study import deck as study_deck
from skin_ai.study import flow
from skin_ai.study.database import StoreError
from skin_ai.study.deck import DeckError
from skin_ai.study.flow import Awaits
from skin_ai.study.store import Store
from skin_ai.study.tables import Deck
from skin_ai.views import page_entry
from skin_ai.views.case import inputs
from skin_ai.views.case.case_state import begin_case
from skin_ai.views.free_text import plain
from skin_ai.views.session import readers

ZIP, FOLDER = "Zip", "Folder"
MAX_DECK_MB = 500


def main() -> None:
    title, who = st.columns([3, 1], vertical_alignment="bottom")
    title.title("Deck")
    store = readers.store()
    if store is None:
        return
    with who, st.container(horizontal_alignment="right"):
        readers.show_reader(store)
    st.markdown(
        "A deck is a set of cases for several readers. You see them in a random order of your own, answer "
        "each before and after the AI, and can pause whenever you like."
    )
    try:
        show_decks(store)
        load_deck(store)
    except StoreError as error:
        st.error(str(error))


def show_decks(store: Store) -> None:
    decks = store.decks()
    if not decks:
        st.info("No deck is loaded yet.")
    for deck, size in decks:
        with st.container(border=True):
            show_deck(store, deck, size)


def show_deck(store: Store, deck: Deck, size: int) -> None:
    reader = readers.current_reader()
    order = flow.deck_order(store, reader or "", deck.id)
    waiting = flow.waiting_cases(order)
    done = size - len(waiting)
    is_begun = any(awaits is not Awaits.BEFORE for _, awaits in order)
    st.subheader(plain(deck.name), anchor=False)
    if deck.note:
        st.text(deck.note)
    if is_begun:
        st.progress(done / size, text=f"{done} of {size} cases answered")
    else:
        shown = "is shown after each final answer" if deck.shows_reference else "is not shown"
        st.caption(f"{size} cases; the reference diagnosis {shown}.")
    with st.container(horizontal=True):
        if waiting:
            if st.button("Go on" if is_begun else "Begin", key=f"begin_{deck.id}", type="primary"):
                begin(store, deck)
        else:
            st.markdown("You have answered every case.")
            st.page_link("pages/compare.py", label="See how I compare")
        if not readers.may_run_study():
            return
        with st.popover("Delete the deck", type="tertiary"):
            st.markdown("Removes its cases and photos and **all readers' answers** to them, for good.")
            if st.button("Delete it", key=f"delete_{deck.id}"):
                store.delete_deck(deck.id)
                st.rerun()


def begin(store: Store, deck: Deck) -> None:
    """Opens the first case that waits, in the order of a reader who may have joined only now."""
    reader = readers.joined_reader(store)
    case_id = flow.waiting_cases(flow.deck_order(store, reader, deck.id))[0]
    flow.open_deck_case(store, reader, case_id)
    begin_case(case_id)
    st.switch_page("pages/case.py")


def load_deck(store: Store) -> None:
    if not readers.may_run_study():
        st.caption("Decks are loaded and deleted by who runs the study: open the Feedback page first.")
        return
    with st.expander("Load a deck"):
        st.markdown(
            "A folder or a zip of it, with `cases.csv` and the photos. Columns: `photo` (file), `narrative`, "
            "`age_band` or `age`, `body_site`, `fitzpatrick`, `reference`, `explanation`; photo or narrative "
            'is needed, all else may be empty. A file `deck.toml` beside it may hold `name = "…"`, '
            '`show_reference = true` and `note = "…"`. The whole deck is checked before anything is taken.'
        )
        way = st.segmented_control("As", [ZIP, FOLDER], default=ZIP, required=True, key="deck_way")
        loads = st.session_state.get("decks_offered", 0)
        if way == ZIP:
            file = st.file_uploader(
                "Zip of the deck", type="zip", max_upload_size=MAX_DECK_MB, key=f"deck_zip_{loads}"
            )
            files = [file] if file else []
        else:
            files = st.file_uploader(
                "Folder of the deck",
                accept_multiple_files="directory",
                max_upload_size=MAX_DECK_MB,
                key=f"deck_folder_{loads}",
            )
        if files and st.button("Check and load", type="primary"):
            with st.spinner("Checking every row and photo…"):
                st.session_state["deck_said"] = taken(store, way, files)
            st.session_state["decks_offered"] = loads + 1
            for file in files:
                inputs.let_go(file)
            st.rerun()
    # Outside of the expander, which closes when a deck is loaded.
    if (said := st.session_state.get("deck_said")) is not None:
        sentence, problems = said
        if not problems:
            (st.success if sentence.startswith("Loaded") else st.error)(plain(sentence))
        else:
            st.error(plain(sentence))
            st.table(problems, hide_index=True, border="horizontal")


def taken(store: Store, way: str, files: list[UploadedFile]) -> tuple[str, list[dict[str, str]]]:
    """Loads a deck; a sentence, and what is wrong, a row each (then nothing was taken)."""
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
        return "Nothing was taken: the deck needs some changes first.", rows
    except StoreError as error:
        return str(error), []
    return f"Loaded the deck “{deck.name}” with {len(deck.cases)} cases.", []


page_entry.enter(main)
