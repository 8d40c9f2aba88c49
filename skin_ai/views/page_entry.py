"""Every page is entered through app.py."""

import runpy
from collections.abc import Callable
from pathlib import Path

from streamlit.runtime.pages_manager import PagesManager

APP = Path(__file__).parent.parent.parent / "app.py"


def enter(draw: Callable[[], None]) -> None:
    """Draws a page.

    Until app.py has called st.navigation for the first time, streamlit takes files in pages/ for pages of
    their own: a clinician whose address names a page of a fresh server would see it without the notice.
    """
    if PagesManager.uses_pages_directory:
        runpy.run_path(str(APP))
    else:
        draw()
