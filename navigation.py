"""Page setup and navigation: what `app.py` serves runs this for every page."""

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from skin_ai.predict.photo import MAX_BYTES
from skin_ai.server import log as server_log
from skin_ai.server import memory, uploads
from skin_ai.views import deck_upload, notices
from skin_ai.views.session import kiosk, phone, readers, sign_in, start_screen

server_log.begin()
memory.share_arenas()
st.set_page_config(
    page_title="skin_ai",
    layout="wide",
    # An open sidebar covers a phone's page and makes a laptop's columns too narrow for the symptom form.
    initial_sidebar_state="collapsed",
    menu_items={"About": notices.RESEARCH_ONLY},
)
kiosk.leave_if_asked()
titles = ["Case", "Deck", "Compare", "Feedback", "Model card", "About"]
if kiosk.is_on():
    titles = [title for title in titles if title not in ("Deck", "Feedback")]
is_let_in = sign_in.is_let_in()
if is_let_in and not readers.may_open_feedback():  # before signing in its address asks for that, as others do
    titles = [title for title in titles if title != "Feedback"]
pages = [
    st.Page(f"skin_ai/pages/{title.lower().replace(' ', '_')}.py", title=title, default=title == "Case")
    for title in titles
]
page = st.navigation(pages, position="top" if is_let_in else "hidden")
context = get_script_run_ctx()
if context is not None and not is_let_in:
    uploads.allow(context.session_id, *uploads.NOTHING)
elif context is not None and page.title == "Deck" and readers.may_manage_decks():
    uploads.allow(context.session_id, uploads.DECK, deck_upload.limit())
elif context is not None:
    uploads.allow(context.session_id, uploads.PHOTOS, MAX_BYTES)
with st.container(horizontal_alignment="center"), st.container(width=notices.PAGE_WIDTH):
    notices.research_only()
    if not is_let_in:
        sign_in.ask()
        st.stop()
    sign_in.bar()
    with kiosk.presence():
        with st.container():  # always there, so that what follows keeps its place
            if kiosk.is_on() and not (page.title == "Case" and start_screen.is_on_screen()):  # has its own
                kiosk.bar(readers.store())
        with st.container():
            notices.show_said()
        with phone.only_while_shown():
            page.run()
memory.collect_now_and_then()
