"""Warnings about a photo before any model runs."""

import numpy as np
import pytest
from app_at_work import answer, case, problems, texts, type_words, upload
from drawn_cases import as_jpeg
from drawn_samples import SAMPLES, Sample
from PIL import Image, ImageDraw
from streamlit.testing.v1 import AppTest

from skin_ai.predict import ink, quality
from skin_ai.predict.bundle import DEFAULT_BUNDLE, WEIGHTS, read_manifest
from skin_ai.predict.diagnose import FLAGS
from skin_ai.predict.prepared_photo import prepare

TIMEOUT = 60  # seconds: the first import, perhaps beside other work


def notes(square: np.ndarray, limits: dict[str, float] | None = None) -> AppTest:
    """The notes on a square; limits: of the shipped bundle, or these."""

    def page(photo, limits):
        from skin_ai.views.case import photo_notes

        photo_notes.show(photo, limits)

    if limits is None:
        limits = read_manifest(WEIGHTS / DEFAULT_BUNDLE)["quality_limits"]
    kwargs = {"photo": prepare(square), "limits": limits}
    app = AppTest.from_function(page, kwargs=kwargs, default_timeout=TIMEOUT).run()
    assert not app.exception
    return app


def warnings(app: AppTest) -> list[str]:
    return [element.value for element in app.warning]


def infos(app: AppTest) -> list[str]:
    return [element.value for element in app.info]


def darkened(photo: np.ndarray) -> np.ndarray:
    return (photo * 0.06).astype(np.uint8)


def marked(photo: np.ndarray) -> np.ndarray:
    """With a circle drawn around the lesion by a violet pen."""
    image = Image.fromarray(photo)
    box = [share * image.width for share in (0.2, 0.2, 0.8, 0.8)]
    ImageDraw.Draw(image).ellipse(box, outline=(60, 50, 150), width=image.width // 50)
    return np.asarray(image)


each_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)


@each_sample
def test_dark_photo_gets_its_advice_and_can_be_used_all_the_same(sample: Sample):
    app = notes(darkened(sample.draw()))
    assert quality.ADVICE["dark"] in warnings(app)
    assert len(app.caption) == 1


@each_sample
def test_sample_is_not_called_dark_or_marked(sample: Sample):
    app = notes(sample.draw())
    assert quality.ADVICE["dark"] not in warnings(app)
    assert infos(app) == []


def test_nothing_is_said_of_a_photo_without_fault():
    app = notes(SAMPLES[0].draw())
    assert [*warnings(app), *infos(app), *app.caption] == []


def test_limits_of_the_bundle_decide_and_each_fault_has_its_own_advice():
    photo = darkened(SAMPLES[0].draw())
    assert warnings(notes(photo, {})) == []
    assert warnings(notes(photo, {"small": 10_000, "dark": 20})) == [
        quality.ADVICE["small"],
        quality.ADVICE["dark"],
    ]


def test_ink_on_the_photo_is_said_and_is_no_fault_of_the_light():
    app = notes(marked(SAMPLES[0].draw()), {})
    assert infos(app) == [ink.ADVICE]
    assert not app.caption


@pytest.mark.parametrize(
    ("spoil", "said", "flag"),
    [(darkened, quality.ADVICE["dark"], "photo_dark"), (marked, ink.ADVICE, "ink")],
)
def test_page_says_it_before_the_answer_and_again_with_the_result(app: AppTest, spoil, said, flag):
    upload(app, "photo.jpg", as_jpeg(spoil(SAMPLES[0].draw())))
    assert not app.exception
    assert said in (*problems(app), *infos(app))
    answer(type_words(app))
    assert not app.exception
    assert flag in case(app).diagnosis.flags
    assert FLAGS[flag] in texts(app)
