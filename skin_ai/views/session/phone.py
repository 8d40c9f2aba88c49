"""Send a photo from your phone: the code on the screen, and the photo once it has come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import segno
import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from skin_ai import settings
from skin_ai.server.handover import CODES, path_for
from skin_ai.server.hosts import LOCAL

if TYPE_CHECKING:
    import numpy as np

TITLE: Final = "Send a photo from your phone"
SHOWN: Final = "phone_code_is_shown"
LOOK_EVERY: Final = timedelta(seconds=1)
ANY: Final = ("", "0.0.0.0", "::")  # addresses to listen at that are nobody's own
VISIT: Final = "skin_ai_visit"  # cookie of deploy/nginx.conf, which leads to one of several servers
WIDTH: Final = 260  # pixels of the code


def is_possible() -> bool:
    return bool(_origin())


def offered(case_id: str) -> np.ndarray | None:
    """Behind a click, where phones reach this server; pixels (h, w, 3) once a photo has come."""
    if not is_possible():
        return None
    place = st.expander(TITLE, key="phone", on_change="rerun")
    with place:
        return photo_sent(case_id) if place.open else None


def photo_sent(case_id: str) -> np.ndarray | None:
    """Shows the code for this case; pixels (h, w, 3) once a photo has come, for the caller to keep."""
    st.session_state[SHOWN] = True
    pixels = CODES.take(_session(), case_id)
    if pixels is None:
        _show_code(case_id)
    return pixels


@contextmanager
def only_while_shown() -> Iterator[None]:
    """A run of the page within the block that shows no code ends the one that was shown before."""
    st.session_state[SHOWN] = False
    yield
    if not st.session_state.get(SHOWN):
        CODES.void(_session())


@st.fragment(run_every=LOOK_EVERY)
def _show_code(case_id: str) -> None:
    if CODES.has_come(_session()):
        st.rerun()
    server = _origin()
    base = settings.current().base_path
    path = path_for(st.context.cookies.get(VISIT, ""))
    address = f"{server}/{f'{base}/' if base else ''}{path}#{CODES.of(_session(), case_id)}"
    code = segno.make(address, error="m", micro=False)
    st.image(
        code.svg_data_uri(border=4, light="#fff", scale=4),
        alt="QR code. It opens a page on your phone that sends one photo to this screen.",
        width=WIDTH,
    )
    st.markdown(
        f"Scan the code with your phone's camera. The phone must reach `{server}`. The code takes one photo, "
        "within ten minutes, and the photo appears here."
    )
    if not server.startswith("https:"):
        st.caption(
            "This connection is not encrypted: others on the same network can read along. "
            "`docs/conference.md` shows two ways to HTTPS."
        )


def _origin() -> str:
    return origin(st.context.url or "", st.get_option("server.address") or "", settings.current().hosts)


def origin(page: str, listens_at: str, names: Sequence[str]) -> str:
    """Scheme, name and port under which phones reach this server; "" where only this machine does.

    The name in the page's own address, unless it is localhost: then the first of the names that the operator
    gave, or the address that the server listens at.
    """
    here = urlsplit(page)
    if not here.hostname:
        return ""
    if here.hostname not in LOCAL:
        return f"{here.scheme}://{here.netloc}"
    known = [name for name in (*names, listens_at) if name not in (*LOCAL, *ANY)]
    if listens_at in LOCAL or not known:
        return ""
    name = f"[{known[0]}]" if ":" in known[0] else known[0]
    return f"{here.scheme}://{name}" + (f":{here.port}" if here.port else "")


def _session() -> str:
    context = get_script_run_ctx()
    return "" if context is None else context.session_id
