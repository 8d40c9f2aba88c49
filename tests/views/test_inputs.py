"""Where the photo comes from."""

import pytest

from skin_ai.views.case.inputs import is_camera_refused


@pytest.mark.parametrize(
    ("address", "is_refused"),
    [
        ("http://skin.test:8501/", True),
        ("http://192.168.1.7:8501/skin/", True),
        ("https://skin.example.org/", False),
        ("http://localhost:8501/", False),
        ("http://127.0.0.1:8501/", False),
        ("http://[::1]:8501/", False),
        ("", False),
    ],
)
def test_camera_is_offered_only_where_browsers_allow_it(address: str, is_refused: bool) -> None:
    assert is_camera_refused(address) is is_refused
