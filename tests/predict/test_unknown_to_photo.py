"""An answer that the photo model does not know, and a photo unlike any that it knows, as they are shown."""

from dataclasses import replace

import numpy as np
import pytest
from app_at_work import table_of, texts
from PIL import Image
from streamlit.testing.v1 import AppTest

from skin_ai.__main__ import main
from skin_ai.diseases import LABEL_SETS
from skin_ai.predict import bundle as bundles
from skin_ai.predict.chain import Probability
from skin_ai.predict.diagnose import FLAGS, Diagnosis, diagnose
from skin_ai.predict.heatmap_overlay import no_map_for
from skin_ai.predict.prepared_photo import prepare
from skin_ai.views.case import result

WORDS = "I am 67. It is on my nose, it bleeds and it has grown."
NO_MAP = no_map_for("acne", dict.fromkeys(LABEL_SETS["pad-ufes-20"]))
TIMEOUT = 60  # seconds: the first import, perhaps beside other work


@pytest.fixture(scope="module")
def familiar(bundle_of_26, drawn_photo) -> Diagnosis:
    """One whose answer is acne."""
    found = diagnose(prepare(drawn_photo), WORDS, bundle_of_26)
    first = Probability("ACNE", 0.9)
    others = [replace(item, probability=0.1 / 25) for item in found.answer if item.type != "ACNE"]
    return replace(found, answer=(first, *others))


@pytest.fixture(scope="module")
def unlike(bundle_of_26, drawn_photo) -> Diagnosis:
    return diagnose(prepare(drawn_photo), WORDS, refusing(bundle_of_26))


def refusing(bundle):
    return replace(bundle, gate=replace(bundle.gate, threshold=0.0))


def shown(diagnosis: Diagnosis) -> AppTest:
    def page(diagnosis):
        import streamlit as st

        from skin_ai.views.case import bundle_choice, details, result
        from skin_ai.views.case.case_state import current_case
        from skin_ai.views.case.own_answer import NONE

        st.session_state[f"heatmap_{current_case().id}"] = True
        manifest = bundle_choice.manifest_of("pad-ufes-20")
        result.show(diagnosis, manifest, NONE, None, "abc")
        details.show(diagnosis, manifest, NONE, lambda: None, lambda: None, lambda: None)

    kwargs = {"diagnosis": diagnosis}
    app = AppTest.from_function(page, kwargs=kwargs, default_timeout=TIMEOUT).run()
    assert not app.exception
    return app


def test_page_says_that_there_is_no_map_of_the_answer_and_offers_the_others(familiar):
    app = shown(familiar)
    assert NO_MAP in [caption.value for caption in app.caption]
    assert len(app.selectbox(key="heatmap_type").options) == 6


def test_page_says_nothing_of_it_where_the_photo_model_knows_the_answer(familiar):
    known = replace(
        familiar, answer=tuple(sorted(familiar.answer, key=lambda item: item.type not in familiar.heatmaps))
    )
    assert known.answer[0].type in familiar.heatmaps
    assert not any("No heatmap" in caption.value for caption in shown(known).caption)


def test_page_of_a_foreign_photo_shows_its_recommendations_only_where_asked_for(unlike):
    app = shown(unlike)
    assert FLAGS["photo_unlike"] in texts(app)
    assert [toggle.label for toggle in app.toggle] == [result.SHOW_ANYWAY]
    assert "Photo alone" not in table_of(app)
    app.toggle(key="show_anyway").set_value(True).run()
    assert not app.exception
    assert "Photo alone" in table_of(app)
    assert "heatmap_type" in {box.key for box in app.selectbox}


def test_page_of_a_foreign_photo_without_words_shows_nothing_until_asked(bundle_of_26, drawn_photo):
    app = shown(diagnose(prepare(drawn_photo), "", refusing(bundle_of_26)))
    assert FLAGS["photo_unlike_alone"] in texts(app)
    assert not app.table
    app.toggle(key="show_anyway").set_value(True).run()
    assert not app.exception
    assert "Photo alone" in table_of(app)


@pytest.fixture
def command(monkeypatch, tmp_path, drawn_photo, bundle_of_26):
    """Runs `diagnose --heatmap` on a bundle; returns the exit status and whether a picture was written."""

    def run(changed, *arguments):
        monkeypatch.setattr(bundles, "load_bundle", lambda name: changed)
        photo, target = tmp_path / "photo.jpg", tmp_path / "map.png"
        photo.write_bytes(drawn_photo)
        status = main(["diagnose", str(photo), "--heatmap", str(target), *arguments])
        return status, target.is_file() and bool(Image.open(target).size)

    return run


def answering(bundle, type_):
    """The bundle with a language model that answers one type to everything."""
    logits = np.where(np.array(bundle.types) == type_, 9.0, 0.0)
    return replace(bundle, language_model=_Answering(bundle.language_model, logits))


class _Answering:
    def __init__(self, model, logits):
        self.is_cut, self.logits, self.model = model.is_cut, logits, model

    def __call__(self, questions):
        found = self.model(questions)
        return found * 0 + found.new_tensor(self.logits)


def test_command_line_has_no_map_of_an_answer_that_the_photo_model_does_not_know(
    command, bundle_of_26, capsys
):
    assert command(answering(bundle_of_26, "ACNE"), "--narrative", WORDS) == (2, False)
    assert capsys.readouterr().err.strip() == f"skin_ai: {NO_MAP} Without --heatmap the answer is shown."


def test_command_line_maps_an_answer_that_the_photo_model_knows(command, bundle_of_26):
    assert command(answering(bundle_of_26, "SEK"), "--narrative", WORDS) == (0, True)


def test_command_line_maps_a_foreign_photo_and_says_what_it_is(command, bundle_of_26, capsys):
    status = command(refusing(answering(bundle_of_26, "SEK")), "--narrative", WORDS)
    assert status == (0, True)
    assert FLAGS["photo_unlike"] in capsys.readouterr().out
