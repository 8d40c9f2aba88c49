from datetime import UTC, datetime

import pytest
import streamlit as st

from skin_ai.views import local_time

MOMENT = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("Europe/Vienna", "02 July 2026, 00:30 CEST"),
        ("America/Sao_Paulo", "01 July 2026, 19:30 -03"),
        ("UTC", "01 July 2026, 22:30 UTC"),
        (None, "01 July 2026, 22:30 UTC"),
        ("", "01 July 2026, 22:30 UTC"),
        ("Mars/Base", "01 July 2026, 22:30 UTC"),
        ("../../etc/passwd", "01 July 2026, 22:30 UTC"),
    ],
)
def test_times_are_shown_in_the_zone_of_the_browser(monkeypatch, zone, shown):
    monkeypatch.setattr(type(st.context), "timezone", property(lambda context: zone))
    assert local_time.in_words(MOMENT) == shown
