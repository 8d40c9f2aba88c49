"""The result as the page draws it, with the clinician's own diagnoses marked."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from skin_ai.diseases import LABEL_SETS
from skin_ai.predict.chain import Probability, answer, eliminate, single_pass
from skin_ai.predict.diagnose import Diagnosis
from skin_ai.predict.stability import IRRELEVANT, OPTIONS_REVERSED, in_words
from skin_ai.views.case import elimination_text

WORDS = "It itches."
MANIFEST = {"probabilities": "balanced", "least_probability": 0.9}
TIMEOUT = 60  # seconds: the first import, perhaps beside other work


def diagnosis(label_set: str = "pad-ufes-20", schedule: tuple[int, ...] = (6, 3, 2, 1)) -> Diagnosis:
    """One whose order is that of the label set: BCC, SCC, MEL, ACK, NEV, SEK."""
    types = LABEL_SETS[label_set]
    logits = torch.linspace(4, 0, len(types))
    photo = logits.softmax(0)
    steps = eliminate(
        lambda questions: logits.expand(len(questions), -1),
        WORDS,
        photo,
        types,
        schedule,
        (1.0,) * (len(schedule) - 1),
    )
    return Diagnosis(
        bundle=label_set,
        recommendations=tuple(map(Probability, types, photo.tolist())),
        steps=steps,
        answer=answer(steps),
        single_pass=single_pass(steps),
        is_foreign=False,
        undecided=(),
        unstable={},
        flags=(),
        timings_ms={},
        narrative=WORDS,
        square=np.full((8, 8, 3), 128, np.uint8),
        heatmaps={type_: np.full((2, 2), 0.1) for type_ in types},
    )


def shown(
    own_ranks: tuple[str, ...], of: Diagnosis | None = None, manifest: dict | None = MANIFEST
) -> AppTest:
    def page(diagnosis, manifest, own_ranks):
        from skin_ai.views.case import result

        result.show(diagnosis, manifest, lambda: None, own_ranks)

    kwargs = {"diagnosis": of or diagnosis(), "manifest": manifest, "own_ranks": own_ranks}
    app = AppTest.from_function(page, kwargs=kwargs, default_timeout=TIMEOUT).run()
    assert not app.exception
    return app


def texts(app: AppTest) -> list[str]:
    return [element.value for element in (*app.subheader, *app.markdown, *app.caption, *app.text)]


def bars(app: AppTest) -> list[str]:
    return [bar.proto.text for bar in app.get("progress")]


@pytest.mark.parametrize("reads", ["facts", "narrative"])
def test_facts_that_were_read_from_the_words_are_shown(reads):
    app = shown((), manifest={**MANIFEST, "language_model": {"reads": reads}})
    assert any("Understood from the words" in text.value for text in app.text) is (reads == "facts")


def test_own_diagnoses_lead_the_result():
    app = shown(("MEL", "dermatofibroma", "BCC"))
    assert app.subheader[0].value == "Your diagnosis and the AI's"
    first, third, *_ = [element.value for element in app.markdown]
    assert first.startswith("**◆ Your 1st, melanoma,** was dropped at step 2 of 3, with ")
    assert third.startswith("**◆ Your 3rd, basal cell carcinoma,** is also the AI's first, ")
    assert [element.value for element in app.text] == [
        "◆ Your 2nd, dermatofibroma, is outside the six types that this model knows."
    ]


def test_result_says_when_the_ais_first_is_none_of_the_own():
    assert shown(("MEL",)).markdown[0].value.endswith("**, is not among yours.")
    assert not any("not among yours" in text for text in texts(shown(("MEL", "BCC"))))


def test_what_was_written_freely_reaches_the_page_as_plain_text_only():
    written = "**bold** <b>tag</b> [link](http://example.org) :smile:"
    app = shown((written,))
    assert written in app.text[0].value
    assert not any("bold" in text for text in texts(app) if text != app.text[0].value)
    assert elimination_text.WHAT_ODDS_MEAN not in texts(app)


def test_own_diagnoses_are_marked_in_bars_sentences_answer_and_tables():
    app = shown(("MEL", "BCC"))
    assert [bar.split(" · ")[2:] for bar in bars(app)] == [["◆ your 2nd"], [], ["◆ your 1st"], [], [], []]
    assert any(
        text.startswith("**Step 2:**") and "Your 1st diagnosis, melanoma, was dropped here with" in text
        for text in texts(app)
    )
    assert "Malignant · ICD-10 C44.9 · ◆ your 2nd" in "\n".join(texts(app))
    elimination_rows, answer_rows = (table.value for table in app.table)
    assert list(elimination_rows["Yours"][:6]) == ["2nd", "", "1st", "", "", ""]
    assert list(answer_rows["Yours"]) == ["2nd", "", "1st", "", "", ""]


def test_heatmap_choice_marks_the_own_and_starts_with_the_photo_models_first():
    app = shown(("MEL",))
    app.toggle(key="heatmap").set_value(True).run()
    choice = app.selectbox(key="heatmap_type")
    assert choice.value == "BCC"
    assert choice.options[:3] == ["Basal cell carcinoma", "Squamous cell carcinoma", "Melanoma · ◆ your 1st"]


def test_own_diagnoses_are_listed_among_many_types_however_improbable():
    many = diagnosis("skin-26", (26, 13, 6, 3, 1))
    app = shown(("VIRX",), many)
    assert len(bars(app)) == 7
    assert bars(app)[-1].startswith("Viral exanthem")
    assert len(app.table[1].value) == 7
    assert "19 others together" in "\n".join(texts(app))


def test_without_own_diagnoses_nothing_is_marked():
    app = shown(())
    assert app.subheader[0].value.startswith("1 · ")
    assert "◆" not in "\n".join((*texts(app), *bars(app)))
    assert not any("Yours" in table.value for table in app.table)


# ---- not sure, and unstable ----


def headings(app: AppTest) -> list[str]:
    """First lines of what is written as a heading of the answer."""
    return [element.value.splitlines()[0] for element in app.markdown if element.value.startswith("### ")]


def test_answer_that_is_not_sure_is_headed_by_what_is_left_and_not_by_its_first():
    app = shown(("MEL", "SCC"), replace(diagnosis(), undecided=("BCC", "SCC", "MEL")))
    assert headings(app) == ["### Not sure"]
    assert (
        "Still possible: Basal cell carcinoma, Squamous cell carcinoma · ◆ your 2nd, Melanoma · ◆ your 1st."
    ) in "\n".join(texts(app))
    assert "reaches 90%" in "\n".join(texts(app))
    assert len(app.table[1].value) == 6


def test_not_sure_names_what_it_depends_on_and_a_malignant_type_that_the_photo_suggests():
    suggested = (Probability("NEV", 0.6), Probability("MEL", 0.25), Probability("SCC", 0.15))
    found = replace(diagnosis(), undecided=("BCC", "NEV"), matters=("bleed",), recommendations=suggested)
    said = "\n".join(texts(shown((), found)))
    assert "whether it bleeds" in said
    assert "suggests Melanoma (25%)" in said
    assert "suggests Squamous" not in said


def test_no_first_is_held_against_the_own_diagnoses_where_the_answer_is_not_sure():
    app = shown(("MEL",), replace(diagnosis(), undecided=("BCC", "SCC")))
    assert not any("not among yours" in text for text in texts(app))


@pytest.mark.parametrize(
    "unstable", [{IRRELEVANT: "MEL"}, {IRRELEVANT: "NEV", OPTIONS_REVERSED: "SCC"}], ids=len
)
def test_each_variant_that_would_change_the_answer_is_a_sentence_before_the_result(unstable):
    app = shown((), replace(diagnosis(), unstable=unstable))
    said = [element.value for element in app.markdown[: len(unstable)]]
    assert said == [f"**Unstable:** {in_words(variant, type_, WORDS)}" for variant, type_ in unstable.items()]


def test_plain_result_says_nothing_of_being_unsure_or_unstable():
    app = shown(())
    (heading,) = headings(app)
    assert heading.startswith("### Basal cell carcinoma, ")
    for words in ("Not sure", "Still possible", "Unstable", "Note:"):
        assert words not in "\n".join(texts(app))


# ---- a result that was kept ----


def test_result_of_a_bundle_that_is_gone_is_shown_without_maps_and_what_if():
    app = shown(("MEL",), replace(diagnosis(), undecided=("BCC", "SCC")), manifest=None)
    assert headings(app) == ["### Not sure"]
    assert len(bars(app)) == 6
    assert not app.toggle
    assert not app.selectbox


@pytest.mark.parametrize("of", [{}, {"recommendations": [], "chain": []}], ids=["imported", "empty"])
def test_answer_alone_is_shown_where_nothing_else_was_kept(of):
    kept = of | {"answer": diagnosis().as_json()["answer"]}
    app = shown(("MEL", "BCC"), Diagnosis.from_json(kept, WORDS))
    assert headings(app)[0].startswith("### Basal cell carcinoma, ")
    assert len(app.table) == 1
    assert len(app.table[0].value) == 6
    assert not app.get("plotly_chart")
