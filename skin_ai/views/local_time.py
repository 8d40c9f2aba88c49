"""Times on screen, in the time zone of the browser; exports are in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st


def local(moment: datetime) -> datetime:
    """The same moment in the browser's time zone; in UTC where the browser names none that is known here."""
    return moment.astimezone(_zone(st.context.timezone))


def in_words(moment: datetime, how: str = "%d %B %Y, %H:%M") -> str:
    """With the name of the zone, as 02 March 2026, 09:30 CET."""
    return f"{local(moment):{how} %Z}"


def _zone(name: str | None) -> tzinfo:
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
