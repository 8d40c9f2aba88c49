"""One more question to the patient: the one whose answer is expected to change the result most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from skin_ai.diseases import DISEASES
from skin_ai.predict.bundle import BundleError
from skin_ai.predict.narrative import FACTS_READ, Answer, Facts, sentences
from skin_ai.study import flow
from skin_ai.study.database import StoreError
from skin_ai.study.flow import FlowError, Progress
from skin_ai.study.kept_facts import found_answer
from skin_ai.study.store import Store
from skin_ai.study.tables import Case
from skin_ai.views.case import bundle_choice
from skin_ai.views.case.case_state import Asking, CaseState, still_current
from skin_ai.views.case.elimination import percent
from skin_ai.views.case.run import models_in_turn
from skin_ai.views.case.symptom_form import QUESTIONS
from skin_ai.views.case.understood import told
from skin_ai.vocabulary import MOST_QUESTIONS

if TYPE_CHECKING:  # torch comes with them
    from skin_ai.predict.ask_next import NextQuestion
    from skin_ai.predict.bundle import Bundle
    from skin_ai.predict.diagnose import Diagnosis

CHOICES: Final = {Answer.YES: "Yes", Answer.NO: "No", Answer.UNKNOWN: "Not known"}
NOTHING_MORE: Final = (
    "No further question is suggested: the answers that were tried would not change the first diagnosis."
)


def take_answer(store: Store, case: CaseState, progress: Progress) -> Diagnosis | None:
    """The result with the answer that was just clicked, which is kept with the run; None without one."""
    asking = case.asking
    if asking is None or asking.question is None or asking.answered is None:
        return None
    before, symptom, said = case.diagnosis, asking.question.symptom, asking.answered
    assert before is not None
    asking.answered = None
    # Nothing changes until it is saved: after a failure the same question can be answered again.
    try:
        with models_in_turn(
            lambda: bundle_choice.models(before.bundle), "Running the elimination again…"
        ) as bundle:
            from skin_ai.predict.diagnose import with_words

            known = replace(asking.known, **{symptom: said})  # type: ignore[arg-type]
            prompt = _tell(asking, bundle, known)
            # What is not known says nothing, and without any words the photo answers alone.
            diagnosis = before if prompt == before.narrative else with_words(before, prompt, bundle)
            asked = [*case.asked, _as_kept(symptom, said, before, diagnosis)]
            then = replace(asking, known=known, question=None)
            if left := MOST_QUESTIONS - len(asked):
                then.question = _next(then, diagnosis, bundle, left)
        flow.keep_asked(store, progress.reading.clinician, case.id, asked, diagnosis)
    except (BundleError, FlowError, StoreError) as error:
        st.error(str(error))
        return None
    case.asked, case.diagnosis, case.asking = asked, diagnosis, then
    return diagnosis


def show(case: CaseState, progress: Progress) -> None:
    """What was asked and what it changed, and the next question where the answer is still open.

    Not in decks: a reader without the patient cannot know the answer.
    """
    with st.container(key="questions", gap="xsmall"):
        for asked in case.asked:
            st.markdown(in_words(asked))
        if progress.deck is not None or progress.after is not None or not _can_be_asked(case):
            return
        if case.asking is None:
            _begin(case, progress.case)
        if case.asking is None or case.asking.question is None:
            if 0 < len(case.asked) < MOST_QUESTIONS:
                st.caption(NOTHING_MORE)
            return
        symptom = case.asking.question.symptom
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**Ask next: {QUESTIONS[symptom]}**", width="content")
            for said, label in CHOICES.items():
                st.button(
                    label, key=f"asked_{said}_{symptom}_{case.id}", on_click=_answer, args=(case.id, said)
                )


def _answer(case_id: str, said: Answer) -> None:
    case = still_current(case_id)
    if case is not None and case.asking is not None:
        case.asking.answered = said


def _can_be_asked(case: CaseState) -> bool:
    """Whether the models made this result in this visit, and a symptom can change it."""
    diagnosis = case.diagnosis
    return bool(case.asked_at and diagnosis and diagnosis.steps and not diagnosis.is_foreign)


def _begin(case: CaseState, kept: Case) -> None:
    diagnosis = case.diagnosis
    assert diagnosis is not None
    try:
        with models_in_turn(
            lambda: bundle_choice.models(diagnosis.bundle), "Looking for the next question…"
        ) as bundle:
            known = _known(kept, bundle)
            asking = Asking(known, known, diagnosis, None)
            asking.question = _next(asking, diagnosis, bundle, MOST_QUESTIONS)
    except BundleError as error:
        st.error(str(error))
    else:
        case.asking = asking


def _known(kept: Case, bundle: Bundle) -> Facts:
    """What the words say, as the models got it."""
    from skin_ai.predict.words import read

    if bundle.extractor is not None:
        return read(kept.narrative, bundle.extractor, told(kept, bundle.extractor)).facts or Facts()
    confirmed = kept.facts_confirmed or {}
    return Facts.from_answers(
        {fact: confirmed.get(fact, found_answer(kept.facts_extracted, fact)) for fact in FACTS_READ}
    )


def _tell(asking: Asking, bundle: Bundle, facts: Facts) -> str:
    """The facts as the bundle's language model gets them: as sentences, or beside the words it reads."""
    if bundle.extractor is not None:
        return sentences(facts)
    start = asking.start.symptoms
    new = {symptom: said for symptom, said in facts.symptoms.items() if said is not start[symptom]}
    words = asking.first.narrative
    return " ".join(filter(None, (words, sentences(Facts(**new)))))  # type: ignore[arg-type]


def _next(asking: Asking, diagnosis: Diagnosis, bundle: Bundle, left: int) -> NextQuestion | None:
    import torch

    from skin_ai.predict.ask_next import next_question

    # A single pass finds the question as well, in a third of the time.
    single = (len(bundle.types), 1), bundle.chain_temperatures[:1]
    with torch.inference_mode():
        return next_question(
            bundle.language_model,
            asking.known,
            partial(_tell, asking, bundle),
            diagnosis.photo_over(bundle.types),
            diagnosis.answer,
            bundle.types,
            *single,
            left=left,
        )


def _as_kept(symptom: str, said: Answer, before: Diagnosis, now: Diagnosis) -> dict[str, Any]:
    return {"symptom": symptom, "answer": said.value, "before": _first(before), "now": _first(now)}


def _first(diagnosis: Diagnosis) -> dict[str, Any]:
    first = diagnosis.answer[0]
    return {
        "type": first.type,
        "probability": round(first.probability, 4),
        "not_sure": bool(diagnosis.undecided),
    }


def in_words(asked: Mapping[str, Any]) -> str:
    """An answered question and what it changed."""
    before, now = asked["before"], asked["now"]
    said = CHOICES[Answer(asked["answer"])].lower()
    change = "nothing changes" if before == now else f"{_verdict(before)} → **{_verdict(now)}**"
    return f"{QUESTIONS[asked['symptom']]} *{said}*: {change}"


def _verdict(first: Mapping[str, Any]) -> str:
    found = f"{DISEASES[first['type']].name} {percent(first['probability'])}"
    return f"not sure, most likely {found}" if first["not_sure"] else found
