"""The picture of the elimination, as HTML."""

import re

import torch
from made_up_steps import STEPS

from skin_ai.diseases import LABEL_SETS
from skin_ai.predict.chain import Step, eliminate_photo
from skin_ai.views.case import elimination, funnel
from skin_ai.views.case.own_answer import Own


def columns(html: str) -> list[list[str]]:
    """The texts of each column, its heading first."""
    parts = re.split(r'<div class="step"[^>]*>', html)[1:]
    return [
        [re.sub("<[^>]+>", "", text).strip() for text in re.findall(r"<p[^>]*>(.*?)</p>", part)]
        for part in parts
    ]


def of_26() -> tuple[Step, ...]:
    types = LABEL_SETS["skin-26"]
    return eliminate_photo(torch.linspace(3, 0, len(types)).softmax(0), types, (26, 13, 6, 3, 1))


def test_a_column_for_each_step_and_a_pill_for_each_type():
    assert columns(funnel.html(STEPS)) == [
        ["4 possible", "Melanoma", "Nevus", "Seborrheic keratosis ✕ photo", "Actinic keratosis ✕ photo"],
        ["2 left", "Nevus", "Melanoma ✕ history"],
        ["1 left", "Nevus"],
    ]


def test_what_is_ruled_out_is_struck_through_and_says_why_without_colour():
    html = funnel.html(STEPS)
    assert '<s>Melanoma</s> <span class="reason">✕ history</span>' in html
    assert html.count("<s>") == html.count("✕ ") == 3


def test_bars_are_the_probabilities_of_the_step():
    shares = re.findall(r'class="pill (\w+)" style="--share: (\d+%)"', funnel.html(STEPS))
    assert shares == [
        ("kept", "50%"), ("kept", "40%"), ("out", "6%"), ("out", "4%"), ("kept", "90%"), ("out", "10%")
    ]  # fmt: skip


def test_funnel_stops_where_the_answer_is_not_sure():
    html = funnel.html(STEPS, ("NEV", "MEL"))
    assert columns(html)[1:] == [["2 left: not sure", "Nevus", "Melanoma"]]
    assert html.count('class="pill candidate"') == 2
    assert "<s>Melanoma" not in html


def test_types_beside_the_candidates_are_neither_kept_nor_ruled_out():
    assert columns(funnel.html(STEPS, ("NEV", "SEK"))) == [
        ["4 possible: not sure", "Nevus", "Seborrheic keratosis", "+ 2 less likely"]
    ]


def test_many_types_show_six_and_how_many_more():
    shown = columns(funnel.html(of_26()))
    assert [column[0] for column in shown] == ["26 possible", "13 left", "6 left", "3 left", "1 left"]
    assert [column[-1] for column in shown[:2]] == ["+ 20 more, 13 ✕", "+ 10 more, 7 ✕"]
    assert [len(column) - 1 for column in shown] == [7, 4, 6, 3, 1]


def test_own_diagnosis_is_marked_and_shown_however_improbable():
    last = LABEL_SETS["skin-26"][-1]
    first, *rest = columns(funnel.html(of_26(), (), Own((last, "BCC"))))
    assert first[1] == "◆ Basal cell carcinoma"
    assert first[7:] == [f"◆ {elimination.name(last)} ✕ photo", "+ 19 more, 12 ✕"]
    assert all(column[1] == "◆ Basal cell carcinoma" for column in rest)


def test_screen_readers_get_the_same_in_sentences():
    html = funnel.html(STEPS, (), Own(("MEL",)))
    described = " ".join(elimination.sentences(STEPS, (), Own(("MEL",))))
    assert f'role="img" aria-label="{described}"' in html


def test_steps_appear_one_after_the_other():
    delays = re.findall(r"--after: ([\d.]+)s", funnel.html(STEPS))
    assert delays == ["0.0", "0.6", "1.2"]


def test_nothing_that_was_typed_is_in_the_html():
    assert "granuloma" not in funnel.html(STEPS, (), Own(("<b>granuloma</b>",)))
