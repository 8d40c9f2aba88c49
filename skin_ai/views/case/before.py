"""A case before the AI runs: photo, words and facts, and the clinician's own answer."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from skin_ai.predict.bundle import DEFAULT_BUNDLE, WITHOUT_PHOTO, BundleError, bundle_names
from skin_ai.predict.narrative import NarrativeError
from skin_ai.predict.photo import Crop
from skin_ai.study import flow
from skin_ai.study.database import StoreError
from skin_ai.study.deck import small
from skin_ai.study.flow import FlowError, Missing, Progress
from skin_ai.study.store import Store
from skin_ai.study.stored_photo import pixels_sha256
from skin_ai.study.tables import Case, Stage
from skin_ai.views import notices
from skin_ai.views.case import answer_form, bundle_choice, facts, focus, inputs, photo_notes, run, typed
from skin_ai.views.case.case_state import CaseState, as_it_stands, begin_case
from skin_ai.views.case.samples import explanation, find
from skin_ai.views.case.understood import UNSAID, asked
from skin_ai.views.session import kiosk, readers, start_screen
from skin_ai.vocabulary import age_band_of

SAVE = "Save my diagnosis and show the AI's"


def show(store: Store, case: CaseState, progress: Progress | None) -> None:
    """Everything up to the own answer, and nothing that the AI says."""
    of_deck = progress.case if progress is not None and progress.deck is not None else None
    if of_deck is not None:
        inputs.show_given(case, of_deck)
    else:
        if case.came_back and case.photo is None:
            st.info(case.came_back)
        crop, keeps_photo, words = _ask_for_inputs(case, progress)
        is_begun = case.photo is not None or words != "" or bool(case.facts.set_by_hand)
        case.note_begin(is_begun)
    st.header("Your diagnosis")
    written = answer_form.ask(case, Stage.BEFORE, deck=progress.deck if progress else None)
    if progress is None:
        typed.keep(case, written.diagnoses, written.confidence, written.reason)
    role, years = "", ""
    if readers.current_reader() is None and not kiosk.is_on():
        with st.expander("About you (optional, asked once)"):
            role, years = readers.ask_who()
    with st.container(horizontal=True):
        draws = bool(progress and progress.deck and progress.deck.arms)  # then it does not say what follows
        commits = st.button("Save my diagnosis" if draws else SAVE, type="primary")
        at_once = not of_deck and st.button(
            "Show me the AI at once", help="Your answer then counts as unblinded."
        )
        keeps = not of_deck and not kiosk.is_on() and st.button("Keep for later", type="tertiary")
        if kiosk.is_on():
            st.button("Back to the samples", type="tertiary", on_click=start_screen.another_case)
        if not draws:
            bundle_choice.say_who_is_asked(case, progress)
    place = st.empty()
    if not (commits or at_once or keeps):
        _load_models_meanwhile(case, progress, place)
        if of_deck is None and case.loaded and facts.is_waiting(case, words):
            st.rerun()
        case.facts.seen = case.facts.words
        return
    try:
        answer = flow.given(*written) if commits else None
        own = None if of_deck else _as_case(case, progress, crop, words)
        reader = readers.joined_reader(store, role, years)
        if own is not None:
            pixels = case.photo.pixels if case.photo else None
            seen = None if pixels is None else small(pixels)
            kept_pixels = pixels if keeps_photo else None
            notices.say_next(flow.keep_case(store, reader, own, kept_pixels, case.begun_at, seen))
            typed.forget()
            case.is_restored = True  # if anything fails from here on, what is on screen is newer
        if answer is not None:
            flow.commit(store, reader, case.id, Stage.BEFORE, answer)
        elif at_once:
            flow.show_at_once(store, reader, case.id)
    except Missing as error:
        with place.container():
            focus.say_missing(str(error), answer_form.key(case, Stage.BEFORE, error.field))
        case.facts.seen = case.facts.words
    except (FlowError, NarrativeError, StoreError) as error:
        place.error(str(error))
        case.facts.seen = case.facts.words
    else:
        if keeps:
            begin_case()
        st.rerun()


def _load_models_meanwhile(case: CaseState, progress: Progress | None, place: DeltaGenerator) -> None:
    """While the clinician looks at the case; they are loaded once per server, so mostly this is instant."""
    name = bundle_choice.of_case(case, progress)
    if name not in case.loaded and run.load_models(case, name, place) is not None:
        place.empty()


def _ask_for_inputs(case: CaseState, progress: Progress | None) -> tuple[Crop, bool, str | None]:
    """The frame, whether the photo is to be kept, and the words, None if they are too long."""
    _ask_how_to_begin(case)
    if case.is_story and case.photo is None:
        st.header("Tell a patient's story")
        words = _ask_for_words(case, progress)
        st.caption("Words, answers and feedback are kept.")
        return Crop(), False, words
    photo_side, words_side = st.columns(2, gap="large")
    kept = progress.case if progress else None
    with photo_side:
        st.header("Photo")
        asked, crop = bundle_choice.of_case(case, progress), Crop()
        if case.photo is None:
            inputs.choose_photo(case)
        else:
            crop = inputs.frame_photo(case, kept)
            try:
                limits = bundle_choice.manifest_of(asked)["quality_limits"]
            except BundleError:  # reported where the models are loaded
                limits = {}
            photo_notes.show(case.photo.prepared(crop), limits)
        keeps_photo = _ask_to_keep_photo(case, progress)
    with words_side:
        st.header("The patient's words")
        words = _ask_for_words(case, progress)
    return crop, keeps_photo, words


def _ask_how_to_begin(case: CaseState) -> None:
    """With a photo or with a story alone, for which there is a bundle of its own."""
    if case.photo is not None or WITHOUT_PHOTO not in bundle_names():
        return
    photo, story = (bundle_choice.title(name) for name in (DEFAULT_BUNDLE, WITHOUT_PHOTO))
    key = f"begin_with_{case.id}"
    case.is_story = st.segmented_control(
        "Begin with",
        [False, True],
        default=as_it_stands(key, case.is_story),
        format_func=lambda is_story: (
            f"**Tell a patient's story** · {story}" if is_story else f"**Show a photo** · {photo}"
        ),
        required=True,
        key=key,
        label_visibility="collapsed",
        persist_state="session",
    )


def _ask_for_words(case: CaseState, progress: Progress | None) -> str | None:
    """The words, None if they are too long; also their facts and the skin type."""
    words = inputs.ask_for_words(case)
    asked = bundle_choice.of_case(case, progress)
    facts.show(case, words, is_wide=bundle_choice.reads_more_facts(asked))
    case.fitzpatrick = inputs.ask_for_skin_type(case, progress.case if progress else None)
    return words


def _ask_to_keep_photo(case: CaseState, progress: Progress | None) -> bool:
    if case.photo is None or case.photo.sample:
        st.caption("Words, answers and feedback are kept. Your own photo is kept only if you agree.")
        return False
    key = case.key("keep_photo")
    keeps: bool = st.checkbox(
        "Keep the photo with this case",
        as_it_stands(key, progress is not None and progress.has_kept_photo),
        key=key,
        persist_state="session",
    )
    photo = "The photo is kept without its metadata."
    if not keeps:
        photo = (
            "The photo is not kept: it is deleted when this session ends. A short code stays, by which the "
            "same photo is recognised; no picture can be made from it."
        )
    st.caption(f"Words, answers and feedback are kept. {photo}")
    return keeps


def _as_case(case: CaseState, progress: Progress | None, crop: Crop, words: str | None) -> Case:
    """What is kept of the case; raises FlowError where something is missing or too long."""
    if words is None:
        raise FlowError("Shorten the patient's words first.")
    is_wide = bundle_choice.reads_more_facts(bundle_choice.of_case(case, progress))
    confirmed = case.facts.confirmed(asked(is_wide))
    if case.photo is None and not words and confirmed is None:
        raise FlowError("Give a photo, the patient's words, or both.")
    sample = find(case.photo.sample) if case.photo else None
    age, site = case.facts.answer("age"), case.facts.answer("site")
    return Case(
        id=case.id,
        sample=sample.name if sample else "",
        narrative=words,
        facts_extracted=case.facts.extracted(),
        facts_confirmed=confirmed,
        age_band="" if age == UNSAID else age_band_of(age),
        body_site="" if site == UNSAID else site,
        fitzpatrick=case.fitzpatrick,
        photo_sha256=pixels_sha256(case.photo.pixels) if case.photo else "",
        crop=[crop.x, crop.y, crop.size],
        reference=sample.reference if sample else "",
        explanation=explanation(sample) if sample else "",
    )
