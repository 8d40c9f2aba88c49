"""Decks: sets of cases that several readers work through."""

from __future__ import annotations

import streamlit as st

from skin_ai.study import consent, flow
from skin_ai.study.database import StoreError
from skin_ai.study.flow import Awaits
from skin_ai.study.store import Store
from skin_ai.study.tables import Deck
from skin_ai.views import deck_overview, deck_upload, local_time, notices
from skin_ai.views.case.case_state import begin_case
from skin_ai.views.free_text import plain
from skin_ai.views.session import readers


def main() -> None:
    head = readers.head("Deck")
    store = readers.store()
    if store is None:
        return
    with head:
        readers.show_reader(store)
    st.markdown(
        "A deck is a set of cases for several readers. You see them in your own random order, answer each "
        "before and after the AI, and can pause at any time."
    )
    try:
        show_decks(store)
        if readers.may_manage_decks():
            deck_upload.ask(store)
        else:
            st.caption(readers.who_manages_decks())
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
    st.header(plain(deck.name), anchor=False)
    if deck.note:
        st.text(deck.note)
    if is_begun:
        st.progress(done / size, text=f"{done} of {size} cases answered")
    else:
        shown = "is shown after your last case" if deck.shows_reference else "is not shown"
        st.caption(f"{size} cases; the reference diagnosis {shown}.")
    agreed = consent.of_reader(store, reader, deck.id)
    asks = bool(deck.consent) and agreed is None
    if asks and waiting:
        st.text(deck.consent)
    elif agreed is not None:
        st.caption(f"You agreed on {local_time.in_words(agreed.agreed_at)}, version {agreed.sha256[:8]}.")
    with st.container(horizontal=True, vertical_alignment="center"):
        if waiting:
            label = "I agree, begin" if asks else "Continue" if is_begun else "Begin"
            if st.button(label, key=f"begin_{deck.id}", type="primary"):
                begin(store, deck)
        else:
            st.markdown("You have answered every case.")
            st.page_link("skin_ai/pages/compare.py", label="See how I compare")
        if agreed is not None and reader is not None:
            offer_withdrawal(store, deck, reader)
        if readers.may_manage_decks():
            offer_deletion(store, deck)
    if readers.sees_each_reader():
        deck_overview.show(store, deck, size)


def offer_deletion(store: Store, deck: Deck) -> None:
    with st.popover("Delete the deck", type="tertiary"):
        st.markdown("Permanently deletes its cases and photos and **all readers' answers** to them.")
        if st.button("Delete it", key=f"delete_{deck.id}"):
            notices.say_next(store.delete_deck(deck.id))
            st.rerun()


def offer_withdrawal(store: Store, deck: Deck, reader: str) -> None:
    with st.popover("Withdraw", type="tertiary"):
        st.markdown(
            "Permanently deletes **all your answers, cases and feedback**, in all decks. Only the number of "
            "readers who withdrew is kept."
        )
        if st.button("Withdraw and delete", key=f"withdraw_{deck.id}"):
            notices.say_next(consent.withdraw(store, reader))
            readers.become(None)
            begin_case()
            st.rerun()


def begin(store: Store, deck: Deck) -> None:
    """Opens the reader's first unanswered case; a new visitor becomes a reader here.

    A text of consent stands above the button.
    """
    reader = readers.joined_reader(store)
    if deck.consent:
        consent.agree(store, reader, deck.id)
    case_id = flow.waiting_cases(flow.deck_order(store, reader, deck.id))[0]
    flow.open_deck_case(store, reader, case_id)
    begin_case(case_id)
    st.switch_page("skin_ai/pages/case.py")


main()
