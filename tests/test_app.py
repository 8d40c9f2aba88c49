"""The pages, run without a browser on the real bundle."""

from collections.abc import Iterator
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from skin_ai import bundle
from skin_ai.narrative import NARRATIVE_LIMIT
from skin_ai.samples import SAMPLES
from skin_ai.views.case_state import CaseState
from skin_ai.views.elimination import name

APP = str(Path(__file__).parent.parent / "app.py")
PAGES = ("pages/case.py", "pages/about.py")
TIMEOUT = 180  # seconds: the first run loads the models, perhaps beside other work
WORDS = "I am 61. The spot on my back has grown and it bleeds now and then."


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_file(APP, default_timeout=TIMEOUT).run()


@pytest.fixture
def without_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(bundle, "WEIGHTS", tmp_path)
    monkeypatch.setattr(bundle, "load_bundle", partial(bundle.load_bundle, weights=tmp_path))
    st.cache_resource.clear()
    yield tmp_path
    st.cache_resource.clear()


def button(app: AppTest, label: str):
    return next(button for button in app.button if button.label == label)


def slider(app: AppTest, label: str):
    return next(slider for slider in app.slider if slider.label == label)


def texts(app: AppTest) -> str:
    return "\n".join(element.value for element in (*app.title, *app.subheader, *app.markdown, *app.caption))


def table_of(app: AppTest) -> str:
    return "\n".join(table.value.to_string() for table in app.table)


def case(app: AppTest) -> CaseState:
    return app.session_state["case"]


def jpeg_of(photo: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(photo).save(file, "JPEG")
    return file.getvalue()


def upload(app: AppTest, filename: str, content: bytes) -> AppTest:
    return app.file_uploader[0].set_value((filename, content, "image/jpeg")).run()


def use_sample(app: AppTest) -> AppTest:
    app.segmented_control(key="way").set_value("Sample").run()
    return button(app, "Use this drawing").click().run()


def diagnose(app: AppTest) -> AppTest:
    return button(app, "Diagnose").click().run()


@pytest.mark.parametrize("page", PAGES)
def test_every_page_says_that_it_is_for_research_only(app, page):
    app.switch_page(page).run()
    assert not app.exception
    assert "not a medical device" in app.info[0].value


def test_neither_photo_nor_words_gives_one_sentence(app):
    diagnose(app)
    assert [warning.value for warning in app.warning] == ["Give a photo, the patient's words, or both."]
    assert case(app).run is None


def test_words_alone_are_diagnosed(app):
    app.text_area(key="words").set_value(WORDS).run()
    diagnose(app)
    assert not app.exception
    assert "words alone" in texts(app)
    assert "What the photo model recommends" not in texts(app)
    assert "Answer" in texts(app)


def test_drawn_sample_is_diagnosed_step_by_step(app):
    diagnose(use_sample(app))
    assert not app.exception
    shown = texts(app)
    for number, step in enumerate(case(app).run.diagnosis.steps, start=1):
        assert f"**Step {number}:**" in shown
        assert all(name(option.type) in table_of(app) for option in step.options)
    assert len(app.get("plotly_chart")) == 1
    assert len(app.get("progress")) == len(case(app).run.diagnosis.recommendations)


def test_sample_brings_its_words_but_keeps_typed_ones(app):
    use_sample(app)
    assert app.text_area(key="words").value == SAMPLES[0].narrative
    button(app, "Remove the photo").click().run()
    app.text_area(key="words").set_value(WORDS).run()
    use_sample(app)
    assert app.text_area(key="words").value == WORDS


def test_heatmap_is_off_until_asked_for_and_speaks_in_words(app):
    diagnose(use_sample(app))
    assert "evidence" not in texts(app)
    app.toggle(key="heatmap").set_value(True).run()
    assert not app.exception
    assert "evidence" in texts(app)


def test_overlong_words_give_one_sentence_and_stay(app):
    too_long = "It itches. " * NARRATIVE_LIMIT
    app.text_area(key="words").set_value(too_long).run()
    assert f"at most {NARRATIVE_LIMIT:,}" in app.error[0].value
    diagnose(app)
    assert app.text_area(key="words").value == too_long
    assert case(app).run is None


def test_bad_file_gives_one_sentence_and_nothing_typed_is_lost(app):
    app.text_area(key="words").set_value(WORDS).run()
    upload(app, "lesion.jpg", b"These are notes, not a photo.")
    assert not app.exception
    assert [error.value for error in app.error] == [
        "The file is not a JPEG, PNG, WebP or HEIC photo: save it as one of these first."
    ]
    assert app.text_area(key="words").value == WORDS
    upload(app, "lesion.jpg", jpeg_of(SAMPLES[0].draw()))
    assert not app.error
    assert case(app).photo is not None


def test_upload_leaves_only_pixels_in_the_session(app):
    upload(app, "Jane Doe 1950.jpg", jpeg_of(SAMPLES[0].draw()))
    assert case(app).photo.pixels.shape == (600, 600, 3)
    kept = repr(app.session_state)
    assert "CaseState" in kept
    assert "UploadedFile" not in kept
    assert "Jane" not in kept


def test_frame_decides_what_the_model_sees(app):
    use_sample(app)
    slider(app, "Size").set_value(50).run()
    diagnose(app)
    assert case(app).run.inputs.crop.size == 0.5
    button(app, "Remove the photo").click().run()
    use_sample(app)
    assert slider(app, "Size").value == 100


@pytest.mark.parametrize("change", ["words", "frame", "photo"])
def test_result_says_when_it_belongs_to_former_input(app, change):
    diagnose(use_sample(app))
    assert not app.warning
    if change == "words":
        app.text_area(key="words").set_value(WORDS).run()
    elif change == "frame":
        slider(app, "Left to right").set_value(20).run()
    else:
        button(app, "Remove the photo").click().run()
    assert "former input" in app.warning[0].value
    diagnose(app)
    assert not app.warning


def test_symptom_form_appends_sentences_and_empties_itself(app):
    app.text_area(key="words").set_value("Typed before.").run()
    app.number_input[0].set_value(70)
    app.segmented_control(key="bleed_0").set_value("yes")
    button(app, "Add as sentences to the words").click().run()
    words = app.text_area(key="words").value
    assert words.startswith("Typed before. ")
    assert "70" in words
    assert "bl" in words.removeprefix("Typed before.")
    assert app.number_input[0].value is None
    button(app, "Add as sentences to the words").click().run()
    assert app.text_area(key="words").value == words


def test_words_survive_a_look_at_another_page(app):
    app.text_area(key="words").set_value(WORDS).run()
    app.switch_page("pages/about.py").run()
    app.switch_page("pages/case.py").run()
    assert app.text_area(key="words").value == WORDS


def test_about_shows_the_figures_of_the_manifest(app):
    app.switch_page("pages/about.py").run()
    manifest = bundle.read_manifest(bundle.WEIGHTS / bundle.DEFAULT_BUNDLE)
    assert manifest["figures"]["protocol"] in texts(app)
    shown = table_of(app)
    for mode in manifest["figures"]["modes"].values():
        for figure in (mode["balanced_accuracy"], mode["macro_auc"]):
            assert f"{figure['value']:.2f} ({figure['low']:.2f} to {figure['high']:.2f})" in shown


@pytest.mark.parametrize("page", PAGES)
def test_missing_bundle_gives_one_sentence_that_names_the_file(without_bundle, page):
    app = AppTest.from_file(APP, default_timeout=TIMEOUT).run()
    app.switch_page(page).run()
    assert not app.exception
    assert [str(without_bundle / "pad-ufes-20" / "manifest.json") in error.value for error in app.error] == [
        True
    ]
