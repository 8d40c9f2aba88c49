"""The code for a phone on the case page: where it is shown, and what becomes of the photo."""

import re
from collections.abc import Iterator
from urllib.parse import unquote

import numpy as np
import pytest
from app_at_work import button, buttons, case, texts, type_words, words_area
from streamlit.testing.v1 import AppTest

from skin_ai.server.handover import CODES
from skin_ai.views.session import phone

PIXELS = np.full((90, 120, 3), 128, np.uint8)


@pytest.mark.parametrize(
    ("page", "listens_at", "names", "expected"),
    [
        ("http://localhost:8501/", "localhost", [], ""),
        ("http://localhost:8501/", "localhost", ["10.42.0.1"], ""),
        ("http://localhost:8501/", "0.0.0.0", [], ""),
        ("", "0.0.0.0", ["10.42.0.1"], ""),
        ("http://localhost:8501/", "0.0.0.0", ["10.42.0.1", "other"], "http://10.42.0.1:8501"),
        ("https://127.0.0.1:8501/deck", "", ["10.42.0.1"], "https://10.42.0.1:8501"),
        ("http://[::1]:8501/", "192.168.1.7", ["localhost"], "http://192.168.1.7:8501"),
        ("http://localhost:8501/", "::", ["fd00::7"], "http://[fd00::7]:8501"),
        ("https://skin.example.org/skin/", "localhost", ["skin.example.org"], "https://skin.example.org"),
        ("https://10.42.0.1:8501/", "0.0.0.0", ["10.42.0.1"], "https://10.42.0.1:8501"),
    ],
)
def test_phones_are_led_to_a_name_that_reaches_the_server(
    page: str, listens_at: str, names: list[str], expected: str
) -> None:
    assert phone.origin(page, listens_at, names) == expected


@pytest.fixture
def at_the_code(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    monkeypatch.setattr(phone, "_origin", lambda: "http://10.42.0.1:8501")
    monkeypatch.setattr(phone, "path_for", lambda _: "send")  # cookies are made up here
    app.run()
    yield app.segmented_control(key="way").set_value("Phone").run()
    CODES._codes.clear()
    CODES._photos.clear()


def test_photo_from_the_phone_becomes_the_cases_and_words_stay(at_the_code: AppTest) -> None:
    assert "http://10.42.0.1:8501" in texts(at_the_code)
    assert "not encrypted" in texts(at_the_code)
    type_words(at_the_code, "It bleeds.")
    [code] = CODES._codes
    assert CODES.deliver(code, PIXELS)
    at_the_code.run()
    assert case(at_the_code).photo.pixels is PIXELS
    assert words_area(at_the_code).value == "It bleeds."
    assert not CODES._codes and not CODES._photos
    assert "Remove the photo" in buttons(at_the_code)


@pytest.mark.parametrize("origin", ["http://10.42.0.1:8501", f"https://{'skin.' * 8}hospital.example.org"])
def test_code_has_a_quiet_zone_and_modules_that_any_phone_can_read(
    at_the_code: AppTest, monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    monkeypatch.setattr(phone, "_origin", lambda: origin)
    monkeypatch.setattr(phone, "path_for", lambda _: f"send/{'0' * 32}")
    [drawing] = at_the_code.run().image[0].value
    ground, modules = re.findall(" d='([^']*)", unquote(drawing))
    side = int(ground.removeprefix("M0 0h").partition("v")[0])
    assert modules.startswith("M4 4.5h7")  # four modules of white, then the first corner
    assert phone.WIDTH / side >= 4  # pixels


@pytest.mark.parametrize("leave", ["another way", "another page", "another case"])
def test_code_ends_when_the_page_shows_it_no_longer(at_the_code: AppTest, leave: str) -> None:
    [code] = CODES._codes
    if leave == "another way":
        at_the_code.segmented_control(key="way").set_value("Sample").run()
    elif leave == "another page":
        at_the_code.switch_page("skin_ai/pages/about.py").run()
    else:
        type_words(at_the_code)
        button(at_the_code, "Keep for later").click().run()
    assert code not in CODES._codes
