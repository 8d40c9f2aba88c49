"""A case after the clinician's own answer: the AI's result, the final answer, feedback, the next case."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from skin_ai.predict.narrative import NarrativeError
from skin_ai.predict.photo import Crop
from skin_ai.study import flow
from skin_ai.study.database import StoreError
from skin_ai.study.flow import FlowError, Progress
from skin_ai.study.store import Store, pixels_sha256
from skin_ai.study.tables import Case, Stage
from skin_ai.views.case import answer_form, bundle_choice, feedback_form, inputs, run, samples
from skin_ai.views.case.case_state import CaseState, begin_case
from skin_ai.views.free_text import plain


def show(store: Store, case: CaseState, progress: Progress) -> None:
    kept = progress.case
    _refuse_another_photo(case, kept)
    with st.expander("Photo and words"):
        inputs.show_given(case, kept)
    place = st.empty()
    if progress.after is not None and not progress.bundle:
        st.markdown("You answered this case without an AI result.")
    elif case.diagnosis is None and not run.open_kept(store, case, progress):
        if kept.photo_sha256 and case.photo is None:
            _ask_for_photo_again(case, "to get the AI's result")
            return
        if not run.ask_models(store, case, progress, place):
            return
    if case.diagnosis is not None:
        _show_result(case, progress)
    st.divider()
    if progress.after is None:
        _ask_final_answer(store, case, progress)
    else:
        _show_final_answer(store, case, progress)
    _offer_next(store, case, progress)


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


def _show_result(case: CaseState, progress: Progress) -> None:
    from skin_ai.views.case import result

    diagnosis = case.diagnosis
    assert diagnosis is not None
    if diagnosis.square is None and case.photo is not None:
        square = case.photo.prepared(Crop(*progress.case.crop)).square
        diagnosis = case.diagnosis = replace(diagnosis, square=square)
    own = tuple(progress.before.ranks) if progress.before else ()
    if not own:
        st.caption("You saw the AI before giving an answer: your final answer is marked as unblinded.")
    name = diagnosis.bundle
    manifest = bundle_choice.manifest_if_unchanged(name, case.bundle_sha256)
    if manifest is None:
        st.info(
            f"This result was made by another version of bundle {name}. It is shown as it was saved, "
            "without heatmaps and what-if."
        )
    result.show(
        diagnosis,
        manifest,
        lambda: bundle_choice.models(name),
        own,
        lambda: _ask_for_photo_again(case, "to see it here with the heatmaps"),
    )
    seconds = diagnosis.timings_ms.get("total", 0) / 1000
    credit = f". {samples.CREDIT}" if progress.case.sample else ""
    st.caption(f"Bundle {name}" + (f", {seconds:.1f} seconds" if seconds else "") + credit)


def _ask_final_answer(store: Store, case: CaseState, progress: Progress) -> None:
    st.header("Your final answer")
    former = progress.before
    diagnoses, confidence, reason = answer_form.ask(case, Stage.AFTER, former)
    place = st.container()
    try:
        answer = flow.given(diagnoses, confidence, reason)
    except (FlowError, NarrativeError) as error:
        answer, problem = None, str(error)
    same = answer is not None and answer_form.is_unchanged(former, answer)
    if st.button("Keep my answer unchanged" if same else "Save my final answer", type="primary", key="final"):
        if answer is None:
            place.error(problem)
            return
        try:
            flow.commit(store, progress.reading.clinician, case.id, Stage.AFTER, answer)
        except (FlowError, StoreError) as error:
            place.error(str(error))
        else:
            st.rerun()


def _show_final_answer(store: Store, case: CaseState, progress: Progress) -> None:
    after, before = progress.after, progress.before
    assert after is not None
    st.header("Your final answer is saved")
    if before is not None:
        st.text(f"Before: {answer_form.in_words(before.ranks, before.confidence)}")
    st.text(f"Final: {answer_form.in_words(after.ranks, after.confidence)}")
    if progress.case.reference and (progress.deck is None or progress.deck.shows_reference):
        st.subheader(f"Reference diagnosis: {plain(answer_form.written(progress.case.reference))}")
        st.text(progress.case.explanation)
    feedback_form.ask(store, case, progress)


def _offer_next(store: Store, case: CaseState, progress: Progress) -> None:
    if progress.deck is not None:
        if progress.after is not None:
            _offer_next_of_deck(store, progress)
        return
    with st.container(horizontal=True):
        st.button("New case", on_click=begin_case, type="primary" if progress.after else "secondary")
        with st.popover("Delete this case", type="tertiary"):
            st.markdown(
                "Permanently deletes its words, its photo, the AI's result, your answers and feedback."
            )
            if st.button("Delete it", key="delete"):
                flow.delete_case(store, progress.reading.clinician, case.id)
                begin_case()
                st.rerun()


def _offer_next_of_deck(store: Store, progress: Progress) -> None:
    deck, reader = progress.deck, progress.reading.clinician
    assert deck is not None
    waiting = flow.waiting_cases(flow.deck_order(store, reader, deck.id))
    if not waiting:
        st.success("You have answered every case of this deck.")
        if st.button("See how I compare", type="primary"):
            st.switch_page("skin_ai/pages/compare.py")
    elif st.button("Next case", type="primary"):
        flow.open_deck_case(store, reader, waiting[0])
        begin_case(waiting[0])
        st.rerun()
