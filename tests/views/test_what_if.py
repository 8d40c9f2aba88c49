"""What the page shows when one symptom is changed."""

from dataclasses import replace

import pytest
from drawn_samples import SAMPLES
from made_up_steps import step
from streamlit.testing.v1 import AppTest

from skin_ai.predict.chain import answer
from skin_ai.predict.diagnose import diagnose
from skin_ai.predict.narrative import Answer, Facts, sentences
from skin_ai.predict.prepared_photo import prepare
from skin_ai.views.case.what_if import (
    TOO_LONG,
    TRIED_OUT,
    changed_words,
    eliminated_again,
    table,
    what_changes,
    what_was_changed,
)
from skin_ai.vocabulary import SYMPTOMS

TIMEOUT = 120  # seconds: the models are loaded once, perhaps beside other work
FORM = sentences(Facts(age=58, site="NOSE", itch=Answer.YES, bleed=Answer.NO))
ITCHES, DOES_NOT = (sentences(Facts(itch=answered)) for answered in (Answer.YES, Answer.NO))
BLEEDS, NO_BLOOD = (sentences(Facts(bleed=answered)) for answered in (Answer.YES, Answer.NO))


# ---- the words ----


@pytest.mark.parametrize(
    ("narrative", "symptom", "said", "expected", "replaced"),
    [
        (FORM, "itch", Answer.NO, FORM.replace(ITCHES, DOES_NOT), ITCHES),
        (FORM, "bleed", Answer.YES, FORM.replace(NO_BLOOD, BLEEDS), NO_BLOOD),
        (FORM, "itch", Answer.YES, FORM, ITCHES),
        (FORM, "grew", Answer.YES, f"{FORM} {sentences(Facts(grew=Answer.YES))}", ""),
        ("", "itch", Answer.NO, DOES_NOT, ""),
        (f"{ITCHES} {ITCHES}", "itch", Answer.NO, f"{DOES_NOT} {DOES_NOT}", ITCHES),
        # Part of a word or of another sentence is not the form's sentence.
        (f"x{ITCHES}", "itch", Answer.NO, f"x{ITCHES} {DOES_NOT}", ""),
    ],
)
def test_form_sentence_is_replaced_and_any_other_word_stays(narrative, symptom, said, expected, replaced):
    told = changed_words(narrative, symptom, said)
    assert (told.narrative, told.replaced) == (expected, replaced)


def test_page_says_whether_a_sentence_was_replaced_or_added():
    assert what_was_changed(changed_words(FORM, "itch", Answer.NO)) == (
        f"Instead of “{ITCHES}” the words say “{DOES_NOT}”"
    )
    added = what_was_changed(changed_words("", "itch", Answer.NO))
    assert added.startswith(f"“{DOES_NOT}” was added at the end")


# ---- what changes ----

BEFORE = (
    step(("MEL", 0.4, 0, 0), ("NEV", 0.3, 0, 0), ("SEK", 0.2, 0, 0), ("ACK", 0.1, 0, 0), keep=3),
    step(("NEV", 0.5, 0, 0), ("MEL", 0.3, 0, 0), ("SEK", 0.2, 0, 0), keep=2),
    step(("NEV", 0.6, 0, 0), ("MEL", 0.4, 0, 0), keep=1),
)
# SEK falls at once now, and MEL remains.
NOW = (
    step(("MEL", 0.5, 0, 0), ("NEV", 0.3, 0, 0), ("ACK", 0.1, 0, 0), ("SEK", 0.1, 0, 0), keep=3),
    step(("MEL", 0.6, 0, 0), ("NEV", 0.3, 0, 0), ("ACK", 0.1, 0, 0), keep=2),
    step(("MEL", 0.9, 0, 0), ("NEV", 0.1, 0, 0), keep=1),
)


def test_other_first_type_is_named_with_both_probabilities():
    assert what_changes(BEFORE, NOW) == "Most probable is now **melanoma, 73%**; before it was nevus, 43%."


def test_same_type_has_both_probabilities():
    sharper = (*BEFORE[:2], step(("NEV", 0.9, 0, 0), ("MEL", 0.1, 0, 0), keep=1))
    assert what_changes(BEFORE, sharper) == "Most probable is still **nevus**: 43% before, 65% now."


def test_table_has_probability_and_fate_before_and_now():
    assert table(BEFORE, NOW)[:2] == [
        {"Type": "Melanoma", "Before": "29% · ✕ step 3", "Now": "73% · remains"},
        {"Type": "Seborrheic keratosis", "Before": "18% · ✕ step 2", "Now": "10% · ✕ step 1"},
    ]


# ---- on the page ----


@pytest.fixture(scope="module")
def diagnosed(bundle):
    return diagnose(prepare(SAMPLES[0].draw()), FORM, bundle)


def shown(diagnosis, narrative):
    def page(diagnosis):
        from skin_ai.views.case import what_if

        what_if.show(diagnosis)

    kwargs = {"diagnosis": replace(diagnosis, narrative=narrative)}
    app = AppTest.from_function(page, kwargs=kwargs, default_timeout=TIMEOUT).run()
    assert not app.exception
    return app


def choose(app, symptom, said):
    app.selectbox(key="what_if_symptom").set_value(symptom)
    app.segmented_control(key="what_if_answer").set_value(said)
    app.run()
    assert not app.exception
    return app


def test_unchanged_words_give_the_diagnosis_again(diagnosed, bundle):
    again = eliminated_again(diagnosed, FORM, bundle)
    for one, other in zip(again, diagnosed.steps, strict=True):
        found, expected = (
            {option.type: option.probability for option in steps.options} for steps in (one, other)
        )
        assert found == pytest.approx(expected, abs=1e-4)


def test_photo_that_the_language_model_was_not_told_of_stays_untold(diagnosed, bundle):
    untold = replace(diagnosed, photo_probabilities=None)
    steps = eliminated_again(untold, FORM, bundle)
    assert steps == eliminated_again(diagnose(None, FORM, bundle), FORM, bundle)
    assert steps != eliminated_again(diagnosed, FORM, bundle)


def test_changed_symptom_shows_answer_and_table_at_once(diagnosed, bundle):
    app = shown(diagnosed, FORM)
    assert app.selectbox(key="what_if_symptom").options[0] == "Does it itch?"
    assert len(app.selectbox(key="what_if_symptom").options) == len(SYMPTOMS)
    assert not app.table
    choose(app, "itch", Answer.NO)
    now = answer(eliminated_again(diagnosed, FORM.replace(ITCHES, DOES_NOT), bundle))
    said = [element.value for element in app.markdown]
    assert said[0].startswith(f"Instead of “{ITCHES}”")
    assert said[1].startswith("Most probable is ")
    rows = app.table[0].value
    assert list(rows.columns) == ["Type", "Before", "Now"]
    assert f"{now[0].probability:.0%}" in rows["Now"].iloc[0]
    assert TRIED_OUT in [element.value for element in app.caption]
    choose(app, "itch", Answer.YES)
    assert not app.table
    assert "already" in app.markdown[0].value


def test_words_longer_than_the_model_reads_are_not_tried(diagnosed):
    app = choose(shown(diagnosed, "xylophone and so on. " * 65), "itch", Answer.YES)
    assert [element.value for element in app.warning] == [TOO_LONG]
    assert not app.table
