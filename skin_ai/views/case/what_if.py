"""What if the patient had said something else: one symptom is changed and the elimination run again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
import torch

from skin_ai.diseases import DISEASES
from skin_ai.predict.bundle import Bundle, BundleError
from skin_ai.predict.chain import Question, Step, answer, eliminate
from skin_ai.predict.diagnose import Diagnosis
from skin_ai.predict.narrative import Answer, Facts, sentences
from skin_ai.views.case import bundle_choice
from skin_ai.views.case.elimination import name, percent
from skin_ai.views.case.run import models_in_turn
from skin_ai.views.case.symptom_form import ANSWERS, FURTHER_SYMPTOMS, QUESTIONS

LISTED = 6  # most probable types, before and now, that the table has
SYMPTOM, SAID = "what_if_symptom", "what_if_answer"  # keys of the choices
TRIED_OUT = (
    "For exploration only: this is not saved. It shows how the model would react to other words, not what "
    "the patient has."
)
TOO_LONG = (
    "The words are already longer than the language model can read, so a sentence added at the end would "
    "have no effect."
)


@dataclass(frozen=True)
class Changed:
    """The patient's words with one symptom answered differently.

    sentence: the form's sentence for that answer; replaced: the form's sentence in whose place it stands, ""
    where it was added at the end, and `sentence` itself where the words had it already.
    """

    narrative: str
    sentence: str
    replaced: str


def changed_words(narrative: str, symptom: str, said: Answer) -> Changed:
    """The narrative with the form's sentence for this answer, in place of that for another answer."""
    of_answer = {
        answered: sentences(Facts(**{symptom: answered}))  # type: ignore[arg-type]
        for answered in (Answer.YES, Answer.NO)
    }
    sentence = of_answer[said]
    for found in (sentence, *(other for other in of_answer.values() if other != sentence)):
        # Whole sentences only, and all of them: the form may have been sent several times.
        changed, times = re.subn(rf"(?<!\S){re.escape(found)}(?!\S)", lambda _: sentence, narrative)
        if times:
            return Changed(changed, sentence, found)
    return Changed(f"{narrative} {sentence}".lstrip(), sentence, "")


def show(diagnosis: Diagnosis) -> None:
    """The choice of a symptom and what it changes, to stand below the elimination."""
    with st.expander("What if?"):
        _try_out(diagnosis)


@st.fragment
def _try_out(diagnosis: Diagnosis) -> None:
    asked = QUESTIONS | (FURTHER_SYMPTOMS if bundle_choice.reads_more_facts(diagnosis.bundle) else {})
    symptom = st.selectbox(
        "Change one symptom",
        list(asked),
        index=None,
        format_func=lambda symptom: asked[symptom][0].upper() + asked[symptom][1:],
        placeholder="choose one",
        key=SYMPTOM,
    )
    said = st.segmented_control(
        "The patient says", [Answer.YES, Answer.NO], format_func=ANSWERS.__getitem__, key=SAID
    )
    if symptom is None or said is None:
        st.caption("Runs the elimination again with the changed words and compares the two.")
        return
    changed = changed_words(diagnosis.narrative, symptom, said)
    if changed.replaced == changed.sentence:
        st.markdown(f"The words already say “{changed.sentence}” Choose the other answer.")
        return
    try:
        with models_in_turn(
            lambda: bundle_choice.models(diagnosis.bundle), "Running the elimination again…"
        ) as bundle:
            steps = eliminated_again(diagnosis, changed.narrative, bundle)
    except BundleError as error:
        st.error(str(error))
        return
    if steps is None:
        st.warning(TOO_LONG)
        return
    st.markdown(what_was_changed(changed))
    st.markdown(what_changes(diagnosis.steps, steps))
    st.table(table(diagnosis.steps, steps), hide_index=True, border="horizontal")
    st.caption(TRIED_OUT)


def eliminated_again(diagnosis: Diagnosis, narrative: str, bundle: Bundle) -> tuple[Step, ...] | None:
    """The elimination with other words and everything else as in the diagnosis, without shares.

    None where the words are longer than the model reads.
    """
    photo = diagnosis.photo_over(bundle.types)
    question = Question(narrative, photo, tuple(range(len(bundle.types))))
    if bundle.language_model.is_cut(question):
        return None
    with torch.inference_mode():
        return eliminate(
            bundle.language_model,
            narrative,
            photo,
            bundle.types,
            bundle.schedule,
            bundle.chain_temperatures,
            shares=False,
        )


def what_was_changed(changed: Changed) -> str:
    if changed.replaced:
        return f"Instead of “{changed.replaced}” the words say “{changed.sentence}”"
    return (
        f"“{changed.sentence}” was added at the end of the words. "
        "If they already mention it in other words, they now say both."
    )


def what_changes(before: Sequence[Step], now: Sequence[Step]) -> str:
    """How the first type changes; the table says at which step each type is ruled out."""
    was, is_now = answer(before)[0], answer(now)[0]
    if was.type == is_now.type:
        return (
            f"Most probable is still **{DISEASES[was.type].name}**: "
            f"{percent(was.probability)} before, {percent(is_now.probability)} now."
        )
    return (
        f"Most probable is now **{DISEASES[is_now.type].name}, {percent(is_now.probability)}**; "
        f"before it was {DISEASES[was.type].name}, {percent(was.probability)}."
    )


def table(before: Sequence[Step], now: Sequence[Step]) -> list[dict[str, str]]:
    """The most probable types, before and now: probability, and the step that ruled each out."""
    answers = answer(before), answer(now)
    listed = {item.type for ranked in answers for item in ranked[:LISTED]}
    return [
        {"Type": name(item.type), "Before": _fate(before, item.type), "Now": _fate(now, item.type)}
        for item in answers[1]
        if item.type in listed
    ]


def _fate(steps: Sequence[Step], type_: str) -> str:
    (probability,) = (item.probability for item in answer(steps) if item.type == type_)
    for number, step in enumerate(steps, start=1):
        if any(option.type == type_ for option in step.dropped):
            return f"{percent(probability)} · ✕ step {number}"
    return f"{percent(probability)} · remains"
