"""What `streamlit run app.py` starts: the server, once the settings are understood.

Each page is drawn by `navigation.py`.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import streamlit as st
from starlette.middleware import Middleware
from streamlit import cli_util, config, runtime
from streamlit.web.server import server_util

from skin_ai import settings
from skin_ai.server import browser_secret, handover, hosts, page_script, uploads
from skin_ai.views.notices import RESEARCH_ONLY

if TYPE_CHECKING:
    import numpy as np

try:
    chosen = settings.current()
except settings.SettingsError as error:
    print(f"skin_ai: {error}", file=sys.stderr)
    sys.exit(2)
if chosen.base_path:
    config.set_option("server.baseUrlPath", chosen.base_path)
uploads.keep_off_the_disk()
listens_at = config.get_option("server.address")


@asynccontextmanager
async def at_the_start(_: st.App) -> AsyncIterator[None]:
    """Opens the browser, except on a server without a screen; Streamlit does not for an `st.App`."""
    url = server_util.get_url(server_util.get_display_address(listens_at))
    if chosen.base_path:  # Streamlit has named the address without it
        print(f"  URL: {url}/")
    if not config.get_option("server.headless"):
        cli_util.open_browser(url)
    yield


def is_active(session: str) -> bool:
    return runtime.get_instance().is_active_session(session)


def read_photo(data: bytes) -> np.ndarray:
    from skin_ai.predict import photo  # not at the start: NumPy and Pillow come with it

    return photo.read_photo(data)


budget = uploads.Budget(
    held=lambda: (
        uploads.held_in(runtime.get_instance().uploaded_file_mgr.file_storage) + handover.CODES.held()
    ),
    is_active=is_active,
)
app = st.App(
    "navigation.py",
    lifespan=at_the_start,
    middleware=[
        Middleware(hosts.NamedHostsOnly, names=[*chosen.hosts, listens_at]),
        Middleware(
            handover.FromPhone,
            budget=budget,
            read=read_photo,
            is_active=is_active,
            notice=RESEARCH_ONLY.replace("**", ""),
            base_path=chosen.base_path,
        ),
        Middleware(page_script.ScriptInPage),
        # In conference mode many people share a browser.
        *([] if chosen.is_kiosk else [Middleware(browser_secret.BrowserSecret, f"/{chosen.base_path}")]),
        Middleware(uploads.WithinBudget, budget=budget),
    ],
)
