"""One case: the clinician's own answer, then the AI's, the final answer, and what they think of it."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from skin_ai.predict.bundle import BundleError
from skin_ai.predict.narrative import NarrativeError, clean_narrative
from skin_ai.predict.photo import Crop, PhotoError, crop_square
from skin_ai.server import turns
from skin_ai.study import flow
from skin_ai.study.database import StoreError
from skin_ai.study.flow import Awaits, FlowError, Progress
from skin_ai.study.store import Store
from skin_ai.study.tables import Case, Stage
from skin_ai.views import page_entry
from skin_ai.views.case import answer_form, bundle_choice, feedback_form, inputs, photo_notes, pictures
from skin_ai.views.case.case_state import (
    CaseState,
    Inputs,
    Photo,
    as_it_stands,
    begin_case,
    current_case,
    has_case,
)
from skin_ai.views.case.samples import SAMPLES
from skin_ai.views.case.symptom_form import ask_for_words, fill_symptom_form
from skin_ai.views.free_text import plain
from skin_ai.views.session import kiosk, readers, start_screen

if TYPE_CHECKING:  # torch comes with it, and the first page must not wait for torch
    from skin_ai.predict.bundle import Bundle

log = logging.getLogger("skin_ai.case")

CASE = "case"
AS_GIVEN = "What was given"
ASKING = "Looking at the photo and eliminating options step by step…"


def main() -> None:
    store = readers.store()
    if store is None:
        return
    if kiosk.is_on() and not kiosk.has_visitor():
        start_screen.show(store)
        return
    try:
        case, progress = opened_case(store)
        bundle_choice.sidebar(case, progress)
        show_head(store, case, progress)
        if progress is None or progress.awaits is Awaits.BEFORE:
            ask_before(store, case, progress)
        else:
            show_after(store, case, progress)
    except StoreError as error:
        st.error(str(error))
        st.button("Try again")


def opened_case(store: Store) -> tuple[CaseState, Progress | None]:
    """The case on screen, and how far its reader is: after a reload, the one that the address names."""
    reader = readers.current_reader()
    # Only a session that has no case yet: "New case" must not lead back to the former one.
    named = "" if has_case() else st.query_params.get(CASE, "")
    if reader and named and flow.progress(store, reader, named) is not None:
        begin_case(named)
    case = current_case()
    progress = flow.progress(store, reader, case.id) if reader else None
    if progress is not None and not case.is_restored:
        restore(store, case, progress)
    if progress is not None and not kiosk.is_on():
        st.query_params[CASE] = case.id
    else:
        st.query_params.clear()
    return case, progress


def restore(store: Store, case: CaseState, progress: Progress) -> None:
    """Puts what is kept of a case into the session, the photo as far as it is kept."""
    case.is_restored = True
    if case.photo is None:
        sample = next((sample for sample in SAMPLES if sample.name == progress.case.sample), None)
        if sample is not None:
            case.photo = Photo(sample.draw(), sample.name)
        elif (pixels := flow.kept_photo(store, case.id)) is not None:
            case.photo = Photo(pixels)
        if progress.deck is None:
            case.write_words(progress.case.narrative)


def show_head(store: Store, case: CaseState, progress: Progress | None) -> None:
    title, who = st.columns([3, 1], vertical_alignment="bottom")
    with title:
        st.title("Case")
    with who, st.container(horizontal_alignment="right"):
        if not kiosk.is_on():
            readers.show_reader(store)
    if progress is not None and progress.deck is not None:
        show_deck_progress(store, progress)
    elif progress is None:
        st.markdown(
            "Give a photo of the lesion, the patient's words, or both, and **your own diagnosis first**. "
            "Then the models rank the possible diagnoses and show which one they drop at which step, and you "
            "decide again."
        )
        offer_unfinished(store)


def show_deck_progress(store: Store, progress: Progress) -> None:
    deck = progress.deck
    assert deck is not None
    order = flow.deck_order(store, progress.reading.clinician, deck.id)
    done = len(order) - len(flow.waiting_cases(order))
    st.progress(
        done / len(order),
        text=f"Deck “{plain(deck.name)}”: {done} of {len(order)} cases answered",
    )
    if st.button(
        "Pause", icon=":material/pause:", help="All that you saved stays; go on from the Deck page."
    ):
        begin_case()
        st.switch_page("pages/deck.py")


def offer_unfinished(store: Store) -> None:
    reader = readers.current_reader()
    waiting = flow.unfinished(store, reader) if reader else []
    if not waiting:
        return
    with st.expander(f"Cases to go on with ({len(waiting)})"):
        for one in waiting:
            awaited = "your diagnosis" if one.awaits is Awaits.BEFORE else "your final answer"
            with st.container(horizontal=True, vertical_alignment="center"):
                st.button("Go on", key=f"go_on_{one.case.id}", on_click=begin_case, args=(one.case.id,))
                words = one.case.narrative[:60] or "photo without words"
                st.text(
                    f"{one.case.opened_at.astimezone():%d %b %H:%M}, awaits {awaited}: {words}",
                    width="stretch",
                )


def ask_before(store: Store, case: CaseState, progress: Progress | None) -> None:
    """What the case is made of, and the clinician's own answer: nothing of the AI."""
    is_deck = progress is not None and progress.deck is not None
    if is_deck:
        assert progress is not None
        show_given(case, progress.case)
        given = None
        seconds = case.seconds_at(Stage.BEFORE)
    else:
        given, keep_photo = ask_for_inputs(case, progress)
        is_begun = given.photo is not None or bool(given.words.strip())
        seconds = case.seconds_at(Stage.BEFORE if is_begun else "nothing")
    st.subheader("Your diagnosis")
    diagnoses, confidence, reason = answer_form.ask(case, Stage.BEFORE)
    role, years = "", ""
    if readers.current_reader() is None and not kiosk.is_on():
        with st.expander("About you, asked once (optional)"):
            role, years = readers.ask_who()
    with st.container(horizontal=True):
        commits = st.button("Save my diagnosis and show the AI's", type="primary")
        at_once = not is_deck and st.button(
            "Show me the AI at once", help="Your answer then counts as unblinded."
        )
        keeps = not is_deck and not kiosk.is_on() and st.button("Keep for later", type="tertiary")
        bundle_choice.say_who_is_asked(case)
    place = st.empty()
    if commits or at_once or keeps:
        try:
            answer = flow.given(diagnoses, confidence, reason) if commits else None
            kept = None if given is None else as_case(case, given)
            if given is not None and kept is None:
                place.warning("Give a photo, the patient's words, or both.")
                return
            reader = readers.joined_reader(store, role, years)
            if given is not None and kept is not None:
                photo = given.photo.pixels if given.photo and keep_photo and not given.photo.sample else None
                flow.keep_case(store, reader, kept, photo)
                case.is_restored = True  # whatever fails from here on: what is typed next is newer
            if answer is not None:
                flow.commit(store, reader, case.id, Stage.BEFORE, answer, seconds)
            elif at_once:
                flow.show_at_once(store, reader, case.id)
        except (FlowError, NarrativeError, StoreError) as error:
            place.error(str(error))
            return
        if keeps:
            begin_case()
        st.rerun()
    name = bundle_choice.of_case(case, progress)
    if name not in case.loaded and load_models(case, name, place) is not None:
        # While the clinician looks at the case; once a server, so mostly it takes no time.
        place.empty()


def ask_for_inputs(case: CaseState, progress: Progress | None) -> tuple[Inputs, bool]:
    """Photo, words and particulars of a case of the clinician's own; whether the photo is to be kept."""
    photo_side, words_side = st.columns(2, gap="large")
    with photo_side:
        st.subheader("Photo")
        kept = progress.case if progress else None
        crop = inputs.choose_photo(case) if case.photo is None else inputs.frame_photo(case, kept)
        if case.photo is not None:
            say_of_photo(case.photo, crop, bundle_choice.of_case(case, progress))
        keep_photo = show_what_is_kept(case, progress)
    with words_side:
        st.subheader("The patient's words")
        words = ask_for_words(case)
        asked = bundle_choice.of_case(case, progress)
        fill_symptom_form(case, is_wide=bundle_choice.reads_more_facts(asked))
        case.particulars = inputs.ask_for_particulars(case, kept)
    return Inputs(case.photo, crop, words), keep_photo


def say_of_photo(photo: Photo, crop: Crop, bundle: str) -> None:
    try:
        manifest = bundle_choice.manifest_of(bundle)
    except BundleError:  # said where the models are loaded
        return
    if (crop, bundle) not in photo.notes:  # which take a twentieth of a second, too long for each run
        photo.notes.clear()
        photo.notes[crop, bundle] = photo_notes.of(crop_square(photo.pixels, crop), manifest)
    photo_notes.show(photo.notes[crop, bundle])


def show_what_is_kept(case: CaseState, progress: Progress | None) -> bool:
    if case.photo is not None and not case.photo.sample:
        key = case.key("keep_photo")
        keeps: bool = st.checkbox(
            "Keep the photo with this case",
            as_it_stands(key, progress is not None and progress.has_kept_photo),
            key=key,
            persist_state="session",
        )
        st.caption(
            "The photo will be kept, its pixels only, with words, answers and feedback."
            if keeps
            else "The photo is not kept: it is gone with this session. Words, answers and feedback are kept."
        )
        return keeps
    st.caption("Words, answers and feedback are kept for the study; a photo only if you say so.")
    return False


def as_case(case: CaseState, given: Inputs) -> Case | None:
    """What is kept of the case; None without photo and words. Raises NarrativeError."""
    words = clean_narrative(given.words)
    if given.photo is None and not words:
        return None
    crop = given.crop
    return Case(
        id=case.id,
        sample=given.photo.sample if given.photo else "",
        narrative=words,
        photo_sha256=flow.pixels_sha256(given.photo.pixels) if given.photo else "",
        crop=[crop.x, crop.y, crop.size],
        **case.particulars,
    )


def show_after(store: Store, case: CaseState, progress: Progress) -> None:
    """The AI's result beside the clinician's own answer, then the final answer and feedback."""
    kept = progress.case
    if kept.photo_sha256 and case.photo is None:
        ask_for_photo_again(case)
        return
    # Until there is a result: no photo is taken in after it.
    if (
        case.diagnosis is None
        and case.photo is not None
        and kept.photo_sha256
        and flow.pixels_sha256(case.photo.pixels) != kept.photo_sha256
    ):
        case.photo = None
        case.refuse("This is another photo than the one that you answered; choose the same file.")
        ask_for_photo_again(case)
        return
    with st.expander(AS_GIVEN, expanded=False):
        show_given(case, kept)
    place = st.empty()
    if progress.after is not None and not progress.bundle:
        st.markdown("You answered this case without an AI result.")
    elif case.diagnosis is None and not run_models(store, case, progress, place):
        return
    if case.diagnosis is not None:
        show_result(case, progress)
    st.divider()
    if progress.after is None:
        ask_final_answer(store, case, progress)
    else:
        show_final_answer(store, case, progress)
    offer_next(store, case, progress)


def ask_for_photo_again(case: CaseState) -> None:
    st.info("The photo of this case was not kept. Choose it again to see the AI's result.")
    inputs.upload_photo(case)
    if case.problem:
        st.error(case.problem)


def show_given(case: CaseState, kept: Case) -> None:
    """Photo, words and particulars, for reading.

    Not the skin type of a deck's case: where it was not recorded can tell of the diagnosis.
    """
    photo_side, words_side = st.columns(2, gap="large")
    with photo_side:
        if case.photo is not None:
            title = inputs.photo_title(case.photo)
            _, square = inputs.pictures_of(case.photo, Crop(*kept.crop))
            pictures.show(square, title, title)
        else:
            st.markdown("No photo")
    with words_side:
        st.text(kept.narrative or "No words")
        if said := inputs.particulars_in_words(kept):
            st.caption(said)


def run_models(store: Store, case: CaseState, progress: Progress, place: DeltaGenerator) -> bool:
    """Asks the AI, now that it may be asked; whether it spoke."""
    name = bundle_choice.of_case(case, progress)
    bundle = load_models(case, name, place)
    if bundle is None:
        st.button("Try again")
        return False
    case.bundle = name
    from skin_ai.predict.diagnose import Diagnosis, NothingToDiagnose, diagnose

    kept = progress.case
    pixels = None if case.photo is None else case.photo.pixels
    status = place.status(ASKING)

    case.asked_at = case.asked_at or time.monotonic()
    waited = 0.0

    def in_turn() -> Diagnosis:
        nonlocal waited
        with turns.OF_MODELS.taken(lambda before: status.update(label=turns.in_words(before)), case.asked_at):
            waited = time.monotonic() - case.asked_at
            status.update(label=ASKING)
            return diagnose(pixels, kept.narrative, bundle, Crop(*kept.crop))

    try:
        with status:
            case.diagnosis = flow.reveal(store, progress.reading.clinician, case.id, bundle, in_turn)
    except (NothingToDiagnose, PhotoError, NarrativeError, FlowError, StoreError) as error:
        place.error(str(error))
        st.button("Try again")
        return False
    stages = {"queue": 1000 * waited, **case.diagnosis.timings_ms}
    rounded = {stage: round(milliseconds, 1) for stage, milliseconds in stages.items()}
    log.info("diagnosed", extra={"case": case.id, "bundle": name, "ms": rounded})
    place.empty()
    return True


def load_models(case: CaseState, name: str, place: DeltaGenerator) -> Bundle | None:
    """The models, with a visible status while they load; None, with the reason on the page, if they fail."""
    with place.status("Loading the models, once after the start. You can go on meanwhile."):
        from skin_ai.predict.bundle import BundleError

        try:
            bundle = bundle_choice.models(name)
        except BundleError as error:
            reason = str(error)
        else:
            case.loaded.add(name)
            return bundle
    place.error(reason)
    return None


def show_result(case: CaseState, progress: Progress) -> None:
    from skin_ai.views.case import result

    assert case.diagnosis is not None
    square = None if case.photo is None else crop_square(case.photo.pixels, Crop(*progress.case.crop))
    own = tuple(progress.before.ranks) if progress.before else ()
    if not own:
        st.caption("Shown at once, without an answer of your own: what you answer is marked unblinded.")
    name = case.diagnosis.bundle
    manifest = bundle_choice.manifest_of(name)
    result.show(
        case.diagnosis, square, progress.case.narrative, manifest, lambda: bundle_choice.models(name), own
    )
    st.caption(f"Bundle {case.diagnosis.bundle}, {case.diagnosis.timings_ms['total'] / 1000:.1f} seconds")


def ask_final_answer(store: Store, case: CaseState, progress: Progress) -> None:
    st.header("Your final answer")
    former = progress.before
    seconds = case.seconds_at(Stage.AFTER)
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
            flow.commit(store, progress.reading.clinician, case.id, Stage.AFTER, answer, seconds)
        except (FlowError, StoreError) as error:
            place.error(str(error))
        else:
            st.rerun()


def show_final_answer(store: Store, case: CaseState, progress: Progress) -> None:
    after, before = progress.after, progress.before
    assert after is not None
    st.header("Your final answer is saved")
    if before is not None:
        st.text(f"Before: {answer_form.in_words(before.ranks, before.confidence)}")
    st.text(f"Final: {answer_form.in_words(after.ranks, after.confidence)}")
    if progress.deck is not None and progress.deck.shows_reference and progress.case.reference:
        st.subheader("Reference diagnosis")
        st.text(answer_form.written(progress.case.reference))
        st.text(progress.case.explanation)
    feedback_form.ask(store, case, progress)


def offer_next(store: Store, case: CaseState, progress: Progress) -> None:
    """On to the next case, and the way to remove this one."""
    if progress.deck is not None:
        if progress.after is not None:
            offer_next_of_deck(store, progress)
        return
    with st.container(horizontal=True):
        st.button("New case", on_click=begin_case, type="primary" if progress.after else "secondary")
        with st.popover("Delete this case", type="tertiary"):
            st.markdown("Removes its words, its photo, the AI's result, your answers and feedback, for good.")
            if st.button("Delete it", key="delete"):
                flow.delete_case(store, progress.reading.clinician, case.id)
                begin_case()
                st.rerun()


def offer_next_of_deck(store: Store, progress: Progress) -> None:
    deck, reader = progress.deck, progress.reading.clinician
    assert deck is not None
    waiting = flow.waiting_cases(flow.deck_order(store, reader, deck.id))
    if not waiting:
        st.success("You have answered every case of this deck.")
        if st.button("See how I compare", type="primary"):
            st.switch_page("pages/compare.py")
    elif st.button("Next case", type="primary"):
        flow.open_deck_case(store, reader, waiting[0])
        begin_case(waiting[0])
        st.rerun()


page_entry.enter(main)
