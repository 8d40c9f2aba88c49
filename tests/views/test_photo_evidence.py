"""The photo with its evidence as the page draws it; other methods than Grad-CAM on demand."""

from collections.abc import Callable

import numpy as np
import pytest
from drawn_samples import SAMPLES
from streamlit.testing.v1 import AppTest

from skin_ai.predict.bundle import Bundle
from skin_ai.predict.diagnose import Diagnosis, diagnose
from skin_ai.predict.heatmap import METHODS
from skin_ai.predict.prepared_photo import prepare
from skin_ai.views.case import photo_evidence

TIMEOUT = 60  # seconds: the first import, perhaps beside other work


@pytest.fixture(scope="module")
def diagnoses(bundle: Bundle) -> list[Diagnosis]:
    return [diagnose(prepare(sample.draw()), "It itches.", bundle) for sample in SAMPLES[:2]]


def against_blob(deletion: float, insertion: float, road: float) -> dict:
    """Figures with these values, each within 0.01."""
    values = {"deletion": deletion, "insertion": insertion, "road": road}
    return {
        name: {"value": value, "low": value - 0.01, "high": value + 0.01, "n": 200}
        for name, value in values.items()
    }


MEASURED = {
    "n": 200,
    "against_blob": {
        "grad_cam": against_blob(0.02, 0.03, 0.04),
        "grad_cam_plus_plus": against_blob(0.02, 0.0, 0.04),
        "eigen_cam": against_blob(0.0, -0.03, 0.001),
    },
}


def shown(diagnosis: Diagnosis, models: Callable[[], Bundle], measured: dict | None = MEASURED) -> AppTest:
    """The page with the map asked for."""

    def page(diagnosis, models, measured):
        from skin_ai.views.case import photo_evidence
        from skin_ai.views.case.own_answer import NONE

        photo_evidence.show(diagnosis, NONE, models, measured)

    app = AppTest.from_function(
        page,
        kwargs={"diagnosis": diagnosis, "models": models, "measured": measured},
        default_timeout=TIMEOUT,
    )
    app.run()
    assert not app.exception
    return app


class Loader:
    """Gives the models and counts how often they were asked for."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle, self.calls = bundle, 0

    def __call__(self) -> Bundle:
        self.calls += 1
        return self.bundle


def texts(app: AppTest) -> str:
    return "\n".join(element.value for element in (*app.markdown, *app.caption, *app.warning))


def choose(app: AppTest, method: str) -> AppTest:
    app.selectbox(key="heatmap_method").set_value(method).run()
    assert not app.exception
    return app


def test_grad_cam_asks_no_model(bundle, diagnoses):
    models = Loader(bundle)
    app = shown(diagnoses[0], models)
    assert app.selectbox(key="heatmap_method").value == "grad_cam"
    assert models.calls == 0
    assert "all types share one scale" in texts(app)
    assert photo_evidence.RELATIVE not in texts(app)


@pytest.mark.parametrize("method", ["grad_cam_plus_plus", "hires_cam", "layer_cam", "eigen_cam"])
def test_other_methods_say_what_they_are_and_that_they_are_on_no_scale(bundle, diagnoses, method):
    app = choose(shown(diagnoses[0], Loader(bundle)), method)
    assert photo_evidence.HOW[method] in texts(app)
    assert photo_evidence.RELATIVE in texts(app)
    assert "is strongest" in texts(app) or "no evidence" in texts(app)
    assert "evidence against" not in texts(app)


def test_a_map_is_computed_once_for_each_method_and_type(bundle, diagnoses):
    models = Loader(bundle)
    app = choose(shown(diagnoses[0], models), "grad_cam_plus_plus")
    assert models.calls == 1
    app.slider(key="heatmap_opacity").set_value(20).run()
    choose(choose(app, "grad_cam"), "grad_cam_plus_plus")
    assert models.calls == 1
    app.selectbox(key="heatmap_type").set_value(diagnoses[0].recommendations[1].type).run()
    assert models.calls == 2


def test_another_case_in_the_same_session_gets_its_own_map(bundle, diagnoses):
    on_screen = list(diagnoses)

    def page(on_screen, models):
        import streamlit as st

        from skin_ai.views.case import photo_evidence
        from skin_ai.views.case.case_state import begin_case
        from skin_ai.views.case.own_answer import NONE

        photo_evidence.show(on_screen[0], NONE, models)
        st.button("New case", on_click=begin_case)

    kwargs = {"on_screen": on_screen, "models": Loader(bundle)}
    app = AppTest.from_function(page, kwargs=kwargs, default_timeout=TIMEOUT)
    app.run()
    choose(app, "layer_cam").selectbox(key="heatmap_type").set_value("NEV").run()
    former = app.session_state["case"].maps["layer_cam", "NEV"]
    del on_screen[0]
    app.button[0].click().run()
    app.selectbox(key="heatmap_type").set_value("NEV").run()
    maps = app.session_state["case"].maps
    assert not np.array_equal(maps["layer_cam", "NEV"], former)


def test_a_method_that_fails_leaves_the_photo_and_says_why(bundle, diagnoses):
    def no_models():
        raise photo_evidence.HeatmapError("The grad-cam library cannot be loaded: no libGL.")

    app = choose(shown(diagnoses[0], no_models), "eigen_cam")
    assert app.warning[0].value == "The grad-cam library cannot be loaded: no libGL."
    assert len(app.get("image")) == 1


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("grad_cam", "Grad-CAM shows what the model used better than a blob"),
        ("hires_cam", "HiResCAM shows what the model used better than a blob"),
        ("grad_cam_plus_plus", "by some measures only: do not rely on it"),
        ("eigen_cam", "Eigen-CAM is no better than a blob in the centre: do not rely on it"),
        ("score_cam", "The faithfulness of Score-CAM was not measured."),
    ],
)
def test_page_says_how_far_each_method_can_be_believed(method, expected):
    assert expected in photo_evidence.faithfulness(MEASURED, method)


def test_page_gives_the_measured_figures_with_their_intervals(bundle, diagnoses):
    assert "(ROAD) +0.040 (+0.030 to +0.050)" in texts(shown(diagnoses[0], Loader(bundle)))
    assert "new to the model" not in texts(shown(diagnoses[0], Loader(bundle), None))


def test_every_method_is_explained():
    assert set(photo_evidence.HOW) == set(METHODS)
