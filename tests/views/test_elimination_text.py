import pytest
import torch
from made_up_steps import STEPS, step

from skin_ai.diseases import DISEASES, LABEL_SETS
from skin_ai.predict.chain import Step, answer, eliminate
from skin_ai.views.case import elimination_text
from skin_ai.views.case.own_answer import Own


def fate(diagnosis: str, *others: str, steps: tuple[Step, ...] = STEPS) -> str:
    return elimination_text.own_fate(diagnosis, steps, answer(steps), Own((diagnosis, *others)))


def test_sentences_say_what_the_picture_shows():
    first, second = elimination_text.step_sentences(STEPS)
    assert first == (
        "Step 1: four options. Kept melanoma (50%) and nevus (40%). "
        "Dropped seborrheic keratosis (6%) and actinic keratosis (4%). "
        "The photo decided more than the words. "
        "The photo spoke most for melanoma and against seborrheic keratosis."
    )
    assert "The words spoke most for nevus and against melanoma." in second


def test_sentences_count_the_improbable_instead_of_listing_them():
    tail = [(type_, 0.001, 0.0, 0.0) for type_ in ("BCC", "SCC", "MEL", "ACK", "NEV")]
    sentence = elimination_text.step_sentences((step(("SEK", 0.995, 0.0, 0.0), *tail, keep=1),))[0]
    assert "melanoma (<1%) and two more under 1%" in sentence


def test_sentences_mark_the_own_diagnoses_and_end_with_their_fall():
    own = Own(("MEL", "dermatofibroma", "ACK", "NEV"))
    first, second = (
        sentence.replace("\N{NO-BREAK SPACE}", " ")
        for sentence in elimination_text.step_sentences(STEPS, own)
    )
    assert "Kept ◆ melanoma (50%) and ◆ nevus (40%)." in first
    assert "Dropped seborrheic keratosis (6%) and ◆ actinic keratosis (4%)." in first
    assert first.endswith("Your 3rd diagnosis, actinic keratosis, was dropped here with 4%.")
    assert second.endswith("Your 1st diagnosis, melanoma, was dropped here with 10%.")
    assert "dermatofibroma" not in first + second


def test_sentences_name_an_own_diagnosis_however_improbable():
    tail = [(type_, 0.001, 0.0, 0.0) for type_ in ("BCC", "SCC", "MEL", "ACK", "NEV")]
    steps = (step(("SEK", 0.995, 0.0, 0.0), *tail, keep=1),)
    sentence = elimination_text.step_sentences(steps, Own(("ACK",)))[0]
    assert "◆\N{NO-BREAK SPACE}actinic keratosis (<1%) and one more under 1%" in sentence


def test_fate_of_what_the_ai_holds_too():
    assert fate("NEV") == (
        "is also the AI's first, 81%: it was kept at every step. "
        "Among the four options of step 1, the words spoke neither way, the photo for it (odds times 2.7)."
    )


def test_fate_of_a_second_diagnosis_that_falls_at_the_first_step():
    assert fate("SEK") == (
        "was dropped at step 1 of 2, with 6% among four options: the words spoke neither way, "
        "the photo strongly against it (odds divided by 4.5). Kept: melanoma (50%) and nevus (40%)."
    )


def test_fate_of_what_falls_last():
    assert fate("MEL", "NEV") == (
        "was kept until the last step and dropped there, with 10% among two options: "
        "the words spoke strongly against it (odds divided by 6), the photo neither way. "
        "Kept: ◆\N{NO-BREAK SPACE}nevus (90%)."
    )


@pytest.mark.parametrize("diagnosis", ["dermatofibroma", "PSO", "*bold* <b>"])
def test_fate_of_what_the_model_does_not_know_repeats_nothing_of_it(diagnosis):
    assert fate(diagnosis) == ("is outside the four types that this model knows.")


@pytest.mark.parametrize(
    ("words", "photo", "reason"),
    [
        (-1.1, 0.5, "the words spoke against it (odds divided by 3), the photo for it (odds times 1.6)"),
        (-0.5, -0.7, "the words spoke against it (odds divided by 1.6), the photo too (odds divided by 2)"),
        (-2.5, 0.1, "the words spoke strongly against it (odds divided by 12), the photo neither way"),
        (0.1, -5.0, "the words spoke neither way, "
                    "the photo strongly against it (odds divided by more than 100)"),
        (0.1, -0.1, "neither words nor photo spoke clearly for or against it"),
        (-1.0, 0.0, "the words spoke against it (odds divided by 2.7)"),
        (0.0, -1.0, "the photo spoke against it (odds divided by 2.7)"),
        (0.7, 0.1, "the words spoke for it (odds times 2), the photo neither way; "
                   "even so, the model held others more probable"),
    ],
)  # fmt: skip
def test_reason_says_what_words_and_photo_did(words, photo, reason):
    steps = (step(("NEV", 0.6, -words, -photo), ("MEL", 0.4, words, photo), keep=1),)
    assert f"among two options: {reason}. Kept:" in fate("MEL", steps=steps)


def test_words_alone_are_not_said_to_be_two_sources():
    steps = (step(("NEV", 0.52, 0.1, 0.0), ("MEL", 0.48, -0.1, 0.0), keep=1),)
    assert "the words spoke neither way." in fate("MEL", steps=steps)


def test_own_name_is_a_types_name_or_what_was_written_in_one_line():
    assert elimination_text.own_name("MEL") == "melanoma"
    assert elimination_text.own_name(" Spitz\n nevus? ") == "Spitz nevus?"


def test_sentences_work_for_26_types():
    types = LABEL_SETS["skin-26"]
    logits = torch.linspace(3, 0, len(types))
    steps = eliminate(
        lambda questions: logits.expand(len(questions), -1), "It itches.", logits.softmax(0), types,
        (26, 13, 6, 3, 1), (1.0,) * 4,
    )  # fmt: skip
    own = Own((types[-1], types[7], types[1], "dermatofibroma"))
    sentences = elimination_text.step_sentences(steps, own)
    assert [sentence.split(".")[0] for sentence in sentences] == [
        "Step 1: 26 options",
        "Step 2: 13 options",
        "Step 3: six options",
        "Step 4: three options",
    ]
    fates = [elimination_text.own_fate(diagnosis, steps, answer(steps), own) for diagnosis in own.ranks]
    assert "dropped at step 1 of 4" in fates[0]
    assert "and ten more." in fates[0]
    assert "dropped at step 2 of 4" in fates[1]
    assert f"Kept: {DISEASES[types[0]].name} (" in fates[2]
    assert "outside the 26 types" in fates[3]
