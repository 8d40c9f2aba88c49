"""The result as the page draws it, with the clinician's own diagnoses marked."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from app_at_work import html_texts, texts
from streamlit.testing.v1 import AppTest

from skin_ai.diseases import LABEL_SETS
from skin_ai.predict.chain import Probability, Step, answer, eliminate, single_pass
from skin_ai.predict.diagnose import FEW_TYPES, FLAGS, UNLIKE, Diagnosis
from skin_ai.predict.stability import IRRELEVANT, OPTIONS_REVERSED, in_words
from skin_ai.views.case import elimination

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
        from skin_ai.views.case import details, result
        from skin_ai.views.case.own_answer import Own

        own = Own(own_ranks)
        result.show(diagnosis, manifest or {}, own, "70%" if own_ranks else "", "abc")
        details.show(diagnosis, manifest, own, lambda: None, lambda: None, lambda: None)

    kwargs = {"diagnosis": of or diagnosis(), "manifest": manifest, "own_ranks": own_ranks}
    app = AppTest.from_function(page, kwargs=kwargs, default_timeout=TIMEOUT).run()
    assert not app.exception
    return app


def headline(app: AppTest) -> str:
    return next(text for text in html_texts(app) if text.strip()).strip()


def amber(app: AppTest) -> str:
    """The text of the one amber box, "" if there is none."""
    boxes = [element.proto.body for element in app.get("html") if 'class="unsure"' in element.proto.body]
    assert len(boxes) <= 1
    return re.sub("<[^>]+>", "", boxes[0]).strip() if boxes else ""


def expanders(app: AppTest) -> list[str]:
    return [expander.label for expander in app.expander]


@pytest.mark.parametrize("reads", ["facts", "narrative"])
def test_facts_that_were_read_from_the_words_are_shown(reads):
    app = shown((), manifest={**MANIFEST, "language_model": {"reads": reads}})
    assert any("Understood from the words" in text.value for text in app.text) is (reads == "facts")


@pytest.mark.parametrize(
    ("own", "undecided", "expected"),
    [
        (("BCC",), (), "You and the AI agree"),
        (("NEV",), (), "You and the AI differ"),
        (("NEV", "BCC"), (), "The AI's first diagnosis is your 2nd"),
        (("dermatofibroma",), (), "The AI does not know your diagnosis"),
        ((), (), "The AI's answer"),
        (("SCC",), ("BCC", "SCC"), "The AI is not sure; it names your diagnosis"),
        (("NEV",), ("BCC", "SCC"), "The AI is not sure; it does not name your diagnosis"),
        (("dermatofibroma",), ("BCC", "SCC"), "The AI is not sure; it does not know your diagnosis"),
        ((), ("BCC", "SCC"), "The AI is not sure"),
    ],
)
def test_headline_says_whether_both_agree(own, undecided, expected):
    assert headline(shown(own, replace(diagnosis(), undecided=undecided))) == expected


def test_you_and_the_ai_have_one_probability_each():
    app = shown(("MEL", "dermatofibroma", "BCC"))
    assert [text.value for text in app.text][:2] == [
        "Melanoma 70%",
        "2nd dermatofibroma, 3rd Basal cell carcinoma",
    ]
    (ai,) = [text for text in html_texts(app) if text.strip().startswith("AI ")]
    first = elimination.percent(diagnosis().answer[0].probability)
    assert ai.split("AI")[1].strip() == f"Basal cell carcinoma {first}"


def test_what_was_written_freely_reaches_the_page_as_plain_text_only():
    written = "**bold** <b>tag</b> [link](http://example.org) :smile:"
    app = shown((written,))
    assert f"{written} 70%" in [text.value for text in app.text]
    assert not any("bold" in element.value for element in (*app.markdown, *app.caption))
    assert not any("tag" in element.proto.body for element in app.get("html"))


def test_malignant_types_are_added_up():
    malignant = sum(item.probability for item in diagnosis().answer if item.type in ("BCC", "SCC", "MEL"))
    assert f"Malignant in total {malignant:.0%}" in " ".join(texts(shown(())).split())


@pytest.mark.parametrize(
    ("flags", "said"), [(("no_photo",), "Photo: none"), ((), "Photo: not used")], ids=["none", "ignored"]
)
def test_input_that_was_not_used_has_no_dots(flags, said):
    steps = tuple(
        Step(tuple(replace(option, words=0.5, photo=0.0) for option in one.options))
        for one in diagnosis().steps
    )
    app = shown((), replace(diagnosis(), steps=steps, flags=flags))
    assert said in texts(app)
    assert sum(element.proto.body.count('class="dots"') for element in app.get("html")) == 1


def test_history_that_counts_against_the_verdict_is_said_to():
    first, *others = diagnosis().steps
    against = Step(
        tuple(replace(option, words=-2.0 if option.type == "BCC" else 0.4) for option in first.options)
    )
    assert "History: speaks against it" in texts(shown((), replace(diagnosis(), steps=(against, *others))))


def test_funnel_and_tables_mark_the_own_diagnoses():
    app = shown(("MEL", "BCC"))
    assert "◆  Melanoma" in texts(app)
    reasons, answer_rows, _ = (table.value for table in app.table)
    assert "Melanoma · ◆ your 1st" in list(reasons["Ruled out"])
    assert list(answer_rows["Yours"]) == ["2nd", "", "1st", "", "", ""]


def test_heatmap_choice_marks_the_own_and_starts_with_the_photo_models_first():
    app = shown(("MEL",))
    assert "heatmap_type" not in {box.key for box in app.selectbox}
    app.session_state[f"heatmap_{app.session_state['case'].id}"] = True
    choice = app.run().selectbox(key="heatmap_type")
    assert choice.value == "BCC"
    assert choice.options[:3] == ["Basal cell carcinoma", "Squamous cell carcinoma", "Melanoma · ◆ your 1st"]


def test_own_diagnoses_are_listed_among_many_types_however_improbable():
    app = shown(("VIRX",), diagnosis("skin-26", (26, 13, 6, 3, 1)))
    assert len(app.table[1].value) == 7
    assert "19 others together" in texts(app)


def test_without_own_diagnoses_nothing_is_marked():
    app = shown(())
    assert "◆" not in texts(app)
    assert not any("Yours" in table.value for table in app.table)


# ---- not sure, and unstable ----


def test_not_sure_names_the_candidates_in_one_box_and_the_page_contradicts_it_nowhere():
    app = shown(("MEL",), replace(diagnosis(), undecided=("BCC", "SCC")))
    assert amber(app).startswith("Not sure: basal cell carcinoma (")
    assert " or squamous cell carcinoma (" in amber(app)
    assert "AI Not sure" in [" ".join(text.split()) for text in html_texts(app)]
    assert "2 left: not sure" in texts(app)
    assert "1 left" not in texts(app)
    assert "Squamous cell carcinoma" not in list(app.table[0].value["Ruled out"])
    steps = app.table[2].value
    assert set(steps["Step"]) == {"1", "2"}
    assert "✕ ruled out" not in list(steps[steps["Type"] == "Squamous cell carcinoma"][""])


def test_not_sure_names_what_it_depends_on_and_a_malignant_type_that_the_photo_suggests():
    suggested = (Probability("NEV", 0.6), Probability("MEL", 0.25), Probability("SCC", 0.15))
    found = replace(diagnosis(), undecided=("BCC", "NEV"), matters=("bleed",), recommendations=suggested)
    said = amber(shown((), found))
    assert "whether it bleeds" in said
    assert "The photo alone gives melanoma 25%." in said
    assert "squamous" not in said


ADDED_UP = (("NEV", 0.4), ("SEK", 0.23), ("BCC", 0.14), ("MEL", 0.13), ("SCC", 0.1))


def test_malignant_types_that_add_up_are_named_where_no_candidate_is_malignant():
    found = replace(
        diagnosis(),
        undecided=("NEV", "SEK"),
        answer=tuple(Probability(*item) for item in ADDED_UP),
        recommendations=(),
    )
    said = amber(shown((), found))
    assert "Malignant types together: 37%; the most likely is basal cell carcinoma (14%)." in said
    assert "together" not in amber(shown((), replace(found, undecided=("NEV", "BCC"))))
    benign = tuple(Probability(*item) for item in (("NEV", 0.5), ("SEK", 0.35), ("BCC", 0.15)))
    assert "together" not in amber(shown((), replace(found, answer=benign)))


def test_foreign_photo_suggests_nothing():
    suggested = (Probability("MEL", 0.9), Probability("NEV", 0.1))
    found = replace(
        diagnosis(), undecided=("BCC", "SCC"), recommendations=suggested, is_foreign=True, flags=(UNLIKE,)
    )
    said = amber(shown((), found))
    assert "photo alone" not in said
    assert FLAGS[UNLIKE] in said


@pytest.mark.parametrize(
    "unstable", [{IRRELEVANT: "MEL"}, {IRRELEVANT: "NEV", OPTIONS_REVERSED: "SCC"}], ids=len
)
def test_each_variant_that_would_change_the_answer_is_a_sentence_in_the_box(unstable):
    said = amber(shown((), replace(diagnosis(), unstable=unstable)))
    assert said == " ".join(in_words(variant, type_, WORDS) for variant, type_ in unstable.items())


def test_variant_that_only_leads_to_another_candidate_adds_nothing():
    found = replace(diagnosis(), undecided=("BCC", "SCC"), unstable={IRRELEVANT: "SCC"})
    assert "irrelevant" not in amber(shown((), found))


def test_types_that_the_photo_model_does_not_know_are_not_said_to_be_ruled_out_by_it():
    known = ("BCC", "SCC", "MEL", "ACK", "NEV", "SEK")
    many = diagnosis("skin-26", (26, 13, 6, 3, 1))
    app = shown((), replace(many, undecided=known, flags=("no_words", FEW_TYPES), narrative=""))
    assert "✕" not in texts(app)
    assert "Why each was ruled out" not in expanders(app)
    assert FLAGS[FEW_TYPES] in amber(app)


def test_plain_result_says_nothing_of_being_unsure_or_unstable():
    app = shown(())
    assert amber(app) == ""
    assert "not sure" not in texts(app).lower()


# ---- a result that was kept ----


def test_result_of_a_bundle_that_is_gone_is_shown_without_maps_and_what_if():
    app = shown(("MEL",), replace(diagnosis(), undecided=("BCC", "SCC")), manifest=None)
    assert amber(app).startswith("Not sure")
    assert expanders(app) == ["Why each was ruled out", "All numbers"]
    assert not app.selectbox


@pytest.mark.parametrize("of", [{}, {"recommendations": [], "chain": []}], ids=["imported", "empty"])
def test_answer_alone_is_shown_where_nothing_else_was_kept(of):
    kept = of | {"answer": diagnosis().as_json()["answer"]}
    app = shown(("MEL", "BCC"), Diagnosis.from_json(kept, WORDS))
    assert "Basal cell carcinoma" in texts(app)
    assert expanders(app) == ["All numbers"]
    assert len(app.table[0].value) == 6
