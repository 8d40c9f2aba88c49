"""What `streamlit run app.py` starts: the server, once the settings are understood.

Each page is drawn by `navigation.py`.
"""

import sys

import streamlit as st
from starlette.middleware import Middleware
from streamlit import config, runtime

from skin_ai import settings
from skin_ai.server import hosts, page_script, uploads

try:
    chosen = settings.current()
except settings.SettingsError as error:
    print(f"skin_ai: {error}", file=sys.stderr)
    sys.exit(2)
if chosen.base_path:
    config.set_option("server.baseUrlPath", chosen.base_path)
    print(f"  Served under /{chosen.base_path}")
uploads.keep_off_the_disk()
app = st.App(
    "navigation.py",
    middleware=[
        Middleware(hosts.NamedHostsOnly, names=[*chosen.hosts, config.get_option("server.address")]),
        Middleware(page_script.ScriptInPage),
        Middleware(
            uploads.WithinBudget,
            held=lambda: runtime.get_instance().uploaded_file_mgr.file_storage,
            is_active=lambda session: runtime.get_instance().is_active_session(session),
        ),
    ],
)
