"""A case after the clinician's own answer: the AI's result, the final answer, feedback, the next case."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import streamlit as st

from skin_ai.predict.narrative import NarrativeError
from skin_ai.predict.photo import Crop
from skin_ai.study import flow
from skin_ai.study.database import StoreError
from skin_ai.study.flow import FlowError, Given, Missing, Progress
from skin_ai.study.store import Store
from skin_ai.study.stored_photo import pixels_sha256
from skin_ai.study.tables import Case, Stage
from skin_ai.views import notices
from skin_ai.views.case import (
    answer_form,
    bundle_choice,
    feedback_form,
    focus,
    inputs,
    outcome,
    questions,
    run,
    samples,
)
from skin_ai.views.case.case_state import CaseState, begin_case
from skin_ai.views.case.own_answer import Own
from skin_ai.views.session import kiosk, start_screen, truth
from skin_ai.vocabulary import NOTHING

STYLE = Path(__file__).with_name("result.css")  # result.py needs torch, a second look does not
SECOND_LOOK = "**No AI result in this case.** Look once more, then keep your answer or change it."
OTHER_VERSION = "This result was made by another version of the {}. It is shown as it was saved."


def show(store: Store, case: CaseState, progress: Progress) -> None:
    kept = progress.case
    _refuse_another_photo(case, kept)
    place = st.empty()
    if progress.after is not None and not progress.bundle:
        st.markdown("You answered this case without an AI result.")
    elif progress.reading.arm == NOTHING:
        st.html(STYLE)
        focus.heading("Look again", "verdict", case.id)
        st.markdown(SECOND_LOOK)
        inputs.show_given(case, kept)
    elif case.diagnosis is None and not run.open_kept(store, case, progress):
        if kept.photo_sha256 and case.photo is None:
            _show_given(case, kept)
            _ask_for_photo_again(case, "to get the AI's result")
            return
        if not run.ask_models(store, case, progress, place):
            _show_given(case, kept)
            return
    is_told = truth.is_told_at_once(kept)
    with st.container(key="outcome_place"):  # always there, so that the funnel is not drawn anew below it
        if is_told:
            truth.show(store, case, progress)
        elif progress.after is not None:
            outcome.show(store, case, progress)
    if case.diagnosis is not None:
        _show_result(store, case, progress)
    elif progress.after is not None:
        _show_given(case, kept)
    if progress.after is None and not is_told:
        _ask_final_answer(store, case, progress)
    else:
        with st.container(key="feedback"), st.expander("Your feedback (optional)", key=f"say_{case.id}"):
            feedback_form.ask(store, case, progress)
    if is_told:
        truth.offer_next(store, progress)
    else:
        _offer_next(store, case, progress)


def _show_given(case: CaseState, kept: Case) -> None:
    with st.expander("Photo and words"):
        inputs.show_given(case, kept)


def _refuse_another_photo(case: CaseState, kept: Case) -> None:
    """A photo that was not kept can be chosen again, but only the same one."""
    has_square = case.diagnosis is not None and case.diagnosis.square is not None
    if has_square or case.photo is None or not kept.photo_sha256:
        return
    if pixels_sha256(case.photo.pixels) != kept.photo_sha256:
        case.photo = None
        case.refuse("This is not the photo of this case; choose the same file.")


def _ask_for_photo_again(case: CaseState, why: str) -> None:
    st.info(f"The photo of this case was not kept. Choose it again {why}.")
    inputs.upload_photo(case)
    if case.problem:
        st.error(case.problem)


def _show_result(store: Store, case: CaseState, progress: Progress) -> None:
    from skin_ai.views.case import details, result

    diagnosis = case.diagnosis
    assert diagnosis is not None
    crop, picture = Crop(*progress.case.crop), ""
    if case.photo is not None:
        _, picture = inputs.pictures_of(case.photo, crop)
        if diagnosis.square is None:
            square = case.photo.prepared(crop).square
            diagnosis = case.diagnosis = replace(diagnosis, square=square)
    before = progress.before
    own = Own(tuple(before.ranks) if before else ())
    diagnosis = questions.take_answer(store, case, progress) or diagnosis
    name = diagnosis.bundle
    manifest = bundle_choice.manifest_if_unchanged(name, case.bundle_sha256)
    is_told = truth.is_told_at_once(progress.case)
    sure = (f"({truth.sure(before.confidence)})" if is_told else f"{before.confidence}%") if before else ""
    is_new = progress.after is None and not is_told
    arm = progress.reading.arm

    def below() -> None:
        if manifest is not None:
            run.mark(store, case, progress)
        if not is_told:  # nobody at the stand can ask the patient of a sample
            questions.show(case, progress)

    result.show(
        diagnosis,
        manifest or {},
        own,
        sure,
        case.id,
        below,
        picture=picture,
        takes_focus=is_new,
        arm=arm,
        marks=truth.marks(case, progress),
    )
    if before is None:
        st.caption("You saw the AI before giving an answer: your final answer is marked as unblinded.")
    if manifest is None:
        st.info(OTHER_VERSION.format(bundle_choice.title(name)))
    details.show(
        diagnosis,
        manifest,
        own,
        lambda: bundle_choice.models(name),
        lambda: _ask_for_photo_again(case, "to see the heatmaps"),
        lambda: _show_given(case, progress.case),
        arm,
    )
    outcome.show_for_print(progress, name, details.facts_used(diagnosis, manifest or {}))


def _ask_final_answer(store: Store, case: CaseState, progress: Progress) -> None:
    """Keep or change: a bar that is always in sight; the form only for who changes, or has no answer yet."""
    former = progress.before
    changing = f"changes_{case.id}"
    if former is not None and not st.session_state.get(changing):
        with st.container(key="bar", horizontal=True):
            place = st.empty()
            if st.button("Keep my answer", type="primary", key="keep"):
                kept = Given(
                    tuple(former.ranks),
                    former.confidence,
                    management=former.management,
                    malignancy=former.malignancy,
                )
                _save_final_answer(store, case, progress, kept, place)
            if st.button("Change it", key="change"):
                st.session_state[changing] = True
                st.rerun()
        return
    focus.heading("Your final answer", "final_answer", case.id, takes_focus=former is not None)
    with st.container(key="final_form"):
        written = answer_form.ask(case, Stage.AFTER, former, progress.deck)
        place = st.empty()
        if st.button("Save my final answer", type="primary", key="final"):
            try:
                answer = flow.given(*written)
            except Missing as error:
                with place.container():
                    focus.say_missing(str(error), answer_form.key(case, Stage.AFTER, error.field))
            except (FlowError, NarrativeError) as error:
                place.error(str(error))
            else:
                _save_final_answer(store, case, progress, answer, place)


def _save_final_answer(
    store: Store,
    case: CaseState,
    progress: Progress,
    answer: Given,
    place: st.delta_generator.DeltaGenerator,
) -> None:
    try:
        flow.commit(store, progress.reading.clinician, case.id, Stage.AFTER, answer)
    except (FlowError, StoreError) as error:
        place.error(str(error))
    else:
        st.rerun()


def _offer_next(store: Store, case: CaseState, progress: Progress) -> None:
    credit = f". {samples.CREDIT}" if progress.case.sample else ""
    source = f"{bundle_choice.title(case.bundle)}{credit}" if case.bundle else credit
    if progress.deck is not None:
        st.caption(source)
        if progress.after is not None:
            _offer_next_of_deck(store, progress)
        return
    with st.container(key="next", horizontal=True, vertical_alignment="center"):
        st.caption(source)
        if kiosk.is_on():
            start_screen.offer_others()
        else:
            st.button("New case", on_click=begin_case, type="primary" if progress.after else "secondary")
        with st.popover("Delete this case", type="tertiary"):
            st.markdown(
                "Permanently deletes its words, its photo, the AI's result, your answers and feedback."
            )
            if st.button("Delete it", key="delete"):
                notices.say_next(flow.delete_case(store, progress.reading.clinician, case.id))
                begin_case()
                st.rerun()


def _offer_next_of_deck(store: Store, progress: Progress) -> None:
    deck, reader = progress.deck, progress.reading.clinician
    assert deck is not None
    waiting = flow.waiting_cases(flow.deck_order(store, reader, deck.id))
    if not waiting:
        st.success("You have answered every case of this deck.")
        outcome.show_references_of_deck(store, reader, deck)
        if st.button("See how I compare", type="primary"):
            st.switch_page("skin_ai/pages/compare.py")
    elif st.button("Next case", type="primary"):
        flow.open_deck_case(store, reader, waiting[0])
        begin_case(waiting[0])
        st.rerun()
