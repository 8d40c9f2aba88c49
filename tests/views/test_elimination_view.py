import re

import pytest
from made_up_steps import STEPS, step

from skin_ai.diseases import DISEASES, LABEL_SETS
from skin_ai.predict.chain import Option
from skin_ai.views.case import elimination
from skin_ai.views.case.own_answer import Own


def test_rows_begin_with_the_last_standing_and_end_with_the_first_dropped():
    assert elimination.last_standing_first(STEPS) == ("NEV", "MEL", "SEK", "ACK")


def test_each_step_says_what_decided():
    assert [elimination.decided_by(step) for step in STEPS] == ["mostly photo", "mostly words"]


@pytest.mark.parametrize(
    ("kept", "dropped", "decision"),
    [
        ((1.0, 1.0), (-1.0, -1.0), "words and photo"),
        ((1.0, 0.0), (-1.0, 0.0), "words alone"),
        ((0.0, 1.0), (0.0, -1.0), "photo alone"),
        ((0.01, 0.01), (-0.01, -0.01), "neither clearly"),
        # Words that spoke against what was kept did not decide.
        ((-2.0, 3.0), (2.0, -3.0), "mostly photo"),
    ],
)
def test_decision_follows_what_sets_kept_and_dropped_apart(kept, dropped, decision):
    assert elimination.decided_by(step(("MEL", 0.6, *kept), ("NEV", 0.4, *dropped), keep=1)) == decision


@pytest.mark.parametrize(
    ("words", "photo", "marks", "compact"),
    [
        (0.1, -0.1, "", ""),
        (0.5, 0.0, "words ▲", "w ▲"),
        (2.0, -0.5, "words ▲▲<br>photo ▼", "w ▲▲ p ▼"),
        (0.0, -3.0, "photo ▼▼", "p ▼▼"),
    ],
)
def test_marks_show_notable_shares_only(words, photo, marks, compact):
    option = Option("MEL", 0.5, True, words, photo)
    assert elimination.marks(option) == marks
    assert elimination.marks(option, compact=True) == compact


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0.0, "0%"), (0.001, "<1%"), (0.014, "1%"), (0.5, "50%"), (0.999, ">99%"), (1.0, "100%")],
)
def test_percent_never_rounds_to_certainty(probability, text):
    assert elimination.percent(probability) == text


def bars(figure):
    return [trace for trace in figure.data if trace.type == "bar"]


def written(figure) -> str:
    return "\n".join(text for trace in figure.data if trace.type == "scatter" for text in trace.text)


def test_picture_has_a_bar_for_each_option_and_hatches_the_dropped():
    kept, dropped = bars(elimination.figure(STEPS))
    assert len(kept.x) == 3
    assert len(dropped.x) == 3
    assert dropped.marker.pattern.shape
    assert not kept.marker.pattern.shape


def test_bars_are_as_long_as_the_model_was_sure():
    kept, dropped = bars(elimination.figure(STEPS))
    lengths = {
        row[0]: length
        for bar in (kept, dropped)
        for row, length, base in zip(bar.customdata, bar.x, bar.base, strict=True)
        if base == 0
    }
    assert lengths["Melanoma"] / lengths["Nevus"] == pytest.approx(0.5 / 0.4)


def test_picture_is_readable_without_colour():
    text = written(elimination.figure(STEPS))
    for part in (
        "✕ 4%",
        "90%",
        "<b>Nevus · remains</b>",
        "Melanoma · dropped at step 2",
        "4 → 2",
        "mostly words",
    ):
        assert part in text


def test_picture_has_no_text_under_12_pixels_and_no_background():
    figure = elimination.figure(STEPS)
    assert min(trace.textfont.size for trace in figure.data if trace.type == "scatter") >= 12
    assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"


def test_picture_grows_with_the_options_and_fits_the_columns():
    everything = [(type_, 1 / 6, 0.0, 1.0) for type_ in ("NEV", "MEL", "BCC", "SCC", "ACK", "SEK")]
    many = (step(*everything, keep=2), STEPS[1])
    assert elimination.figure(many).layout.height > elimination.figure(STEPS).layout.height
    assert elimination.figure(STEPS).layout.xaxis.range == (0, 2)


def test_many_steps_use_letters_that_the_legend_explains():
    chain = (STEPS[0], *[STEPS[1]] * 3)
    assert "w ▲▲" in written(elimination.figure(chain))
    assert "(w, p)" in elimination.legend(chain)
    assert "(w, p)" not in elimination.legend(STEPS)


def test_table_has_every_option_at_every_step():
    rows = elimination.table(STEPS)
    assert len(rows) == 6
    assert rows[-1] == {
        "Step": "2",
        "Type": "Melanoma",
        "Probability": "10%",
        "": "✕ dropped",
        "Words": "-1.80",
        "Photo": "-0.10",
    }


TYPES = LABEL_SETS["skin-26"]
FIRST, SECOND, *_ = TYPES
MANY = (
    step(*((type_, 0.24 if rank < 4 else 0.04 / 22, 0.0, 0.0) for rank, type_ in enumerate(TYPES)), keep=2),
    step((FIRST, 0.9, 0.0, 0.0), (SECOND, 0.1, 0.0, 0.0), keep=1),
)


@pytest.mark.parametrize(("ranks", "left_out"), [((), 22), (("PSO",), 21), (("my own idea",), 22)])
def test_picture_of_many_types_leaves_improbable_ones_to_the_table_but_never_the_own(ranks, left_out):
    own = Own(ranks)
    assert len(elimination.not_drawn(MANY, own)) == left_out
    kept, dropped = bars(elimination.figure(MANY, own))
    assert len(kept.x) + len(dropped.x) == 28 - left_out
    assert f"Not drawn, but in the table: {left_out} types dropped at step 1" in elimination.legend(MANY, own)
    assert len(elimination.table(MANY, own)) == 28


def test_picture_of_few_types_draws_all():
    assert elimination.not_drawn(STEPS) == ()
    assert "Not drawn" not in elimination.legend(STEPS)


# ---- the clinician's own diagnoses ----

OWN = Own(("NEV", "dermatofibroma", "SEK"))


def test_picture_marks_the_own_rows_in_words():
    text = written(elimination.figure(STEPS, OWN))
    for part in (
        "<b>◆ Nevus</b> (your 1st) · remains",
        "◆ Seborrheic keratosis (your 3rd) · ✕ step 1",
        "Melanoma · dropped at step 2",
    ):
        assert part in text
    assert text.count("◆") == 2
    assert "◆" not in written(elimination.figure(STEPS))


@pytest.mark.parametrize("type_", DISEASES)
@pytest.mark.parametrize("keep", [1, 2])
def test_row_labels_fit_a_phone_and_keep_name_rank_and_fate(type_, keep):
    other = "MEL" if type_ == "NEV" else "NEV"
    chain = (step((other, 0.9, 0.0, 0.0), (type_, 0.1, 0.0, 0.0), keep=keep),)
    for own in (Own(), Own((other, type_))):
        (label,) = [
            text
            for text in written(elimination.figure(chain, own)).splitlines()
            if elimination.name(type_) in text
        ]
        assert len(re.sub("<.*?>", "", label)) <= elimination.LABEL_LENGTH
        assert label.removesuffix("</b>").endswith("step 1" if keep == 1 else "remains")
        assert ("◆" in label) is ("2nd" in label) is bool(own.ranks)


def test_legend_explains_the_mark_where_there_is_one():
    assert "◆: your diagnoses" in elimination.legend(STEPS, OWN)
    assert "◆" not in elimination.legend(STEPS)


def test_table_has_a_column_for_the_own_ranks_where_there_are_any():
    assert [row["Yours"] for row in elimination.table(STEPS, OWN)] == ["", "1st", "3rd", "", "1st", ""]
    assert "Yours" not in elimination.table(STEPS)[0]
