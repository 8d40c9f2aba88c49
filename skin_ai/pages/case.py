"""One case: the clinician's own answer, then the AI's result, the final answer and feedback."""

from __future__ import annotations

import streamlit as st

from skin_ai.study import flow
from skin_ai.study.database import StoreError
from skin_ai.study.flow import Awaits, Progress
from skin_ai.study.store import Store
from skin_ai.views import local_time
from skin_ai.views.case import after, before, bundle_choice, typed
from skin_ai.views.case.case_state import KEY, CaseState, Photo, begin_case, current_case
from skin_ai.views.case.samples import find
from skin_ai.views.free_text import plain
from skin_ai.views.session import kiosk, readers, start_screen

CASE = "case"  # in the address


def main() -> None:
    store = readers.store()
    if store is None:
        return
    # The form is one container; an empty element in its place takes it and its buttons away at once while the
    # AI works. Not st.empty().container(): emptied in every run, it would lose the focus and what is typed.
    if start_screen.is_on_screen():
        with st.container():
            start_screen.show(store)
        return
    try:
        case, progress = opened_case(store)
        bundle_choice.sidebar(case, progress)
        if progress is None or progress.awaits is Awaits.BEFORE:
            with st.container():
                show_head(store, progress)
                before.show(store, case, progress)
        else:
            st.empty()
            show_head(store, progress)
            after.show(store, case, progress)
    except StoreError as error:
        st.error(str(error))
        st.button("Try again")


def opened_case(store: Store) -> tuple[CaseState, Progress | None]:
    """The case on screen and its reader's progress; after a reload, the case that the address names."""
    reader = readers.current_reader()
    # Only in a session without a case: "New case" must not lead back to the former one.
    named = "" if KEY in st.session_state else st.query_params.get(CASE, "")
    if reader and named and flow.progress(store, reader, named) is not None:
        begin_case(named)
    elif KEY not in st.session_state:
        typed.bring_back()
    case = current_case()
    progress = flow.progress(store, reader, case.id) if reader else None
    if progress is not None and not case.is_restored:
        restore(store, case, progress)
    if progress is not None and not kiosk.is_on():
        st.query_params[CASE] = case.id
    else:
        st.query_params.clear()
    return case, progress


def restore(store: Store, case: CaseState, progress: Progress) -> None:
    """Brings the saved words and facts into the session, and the photo if it was kept."""
    case.is_restored = True
    if case.photo is None:
        if sample := find(progress.case.sample):
            case.photo = Photo(sample.pixels(), sample.name)
        elif (pixels := flow.kept_photo(store, case.id)) is not None:
            case.photo = Photo(pixels)
        if progress.deck is None:
            case.write_words(progress.case.narrative)
            case.facts.restore(progress.case)


def show_head(store: Store, progress: Progress | None) -> None:
    with readers.head("Case"):
        if not kiosk.is_on():
            readers.show_reader(store)
    if progress is not None and progress.deck is not None:
        show_deck_progress(store, progress)
    elif progress is None:
        st.markdown(
            "Give a photo of the lesion, the patient's words, or both, and **your own diagnosis first**. "
            "Then the AI rules out diagnoses step by step, and you decide again."
        )
        offer_unfinished(store)


def show_deck_progress(store: Store, progress: Progress) -> None:
    deck = progress.deck
    assert deck is not None
    order = flow.deck_order(store, progress.reading.clinician, deck.id)
    done = len(order) - len(flow.waiting_cases(order))
    st.progress(
        done / len(order),
        text=f"Deck “{plain(deck.name)}”: {done} of {len(order)} cases answered",
    )
    if done < len(order) and st.button(
        "Pause", icon=":material/pause:", help="Saved answers are kept; continue on the Deck page."
    ):
        begin_case()
        st.switch_page("skin_ai/pages/deck.py")


def offer_unfinished(store: Store) -> None:
    reader = readers.current_reader()
    waiting = flow.unfinished(store, reader) if reader else []
    if not waiting:
        return
    with st.expander(f"Unfinished cases ({len(waiting)})"):
        for one in waiting:
            awaited = "your diagnosis" if one.awaits is Awaits.BEFORE else "your final answer"
            with st.container(horizontal=True, vertical_alignment="center"):
                st.button("Continue", key=f"go_on_{one.case.id}", on_click=begin_case, args=(one.case.id,))
                without = "photo without words" if one.case.photo_sha256 else "facts without words"
                words = one.case.narrative[:60] or without
                st.text(
                    f"{local_time.local(one.case.opened_at):%d %b %H:%M}, waiting for {awaited}: {words}",
                    width="stretch",
                )


main()
