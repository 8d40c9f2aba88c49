"""One case: photo and words in, the decision out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from skin_ai.narrative import (
    AGE_LIMIT,
    NARRATIVE_LIMIT,
    SITES,
    SYMPTOMS,
    Answer,
    Facts,
    NarrativeError,
    clean_narrative,
    sentences,
)
from skin_ai.photo import MAX_BYTES, Crop, PhotoError, crop_square, read_photo
from skin_ai.samples import SAMPLES
from skin_ai.views import door, pictures
from skin_ai.views.case_state import CaseState, Inputs, Photo, Run, current_case

if TYPE_CHECKING:  # torch comes with it, and the first page must not wait for torch
    from skin_ai.bundle import Bundle

UPLOAD, CAMERA, SAMPLE = "Upload", "Camera", "Sample"
FILE_TYPES = ["jpg", "jpeg", "png", "webp", "heic", "heif"]
WORDS = "words"
QUESTIONS = {
    "itch": "Does it itch?",
    "grew": "Has it grown?",
    "hurt": "Does it hurt?",
    "changed": "Has it changed its look?",
    "bleed": "Has it bled?",
    "elevation": "Is it raised?",
}
ANSWERS = {
    Answer.YES: "yes",
    Answer.NO: "no",
    Answer.UNKNOWN: "don't know",
    Answer.UNSAID: "not said",
}


@st.cache_resource(show_spinner=False)
def models() -> Bundle:
    from skin_ai.bundle import load_bundle

    return load_bundle()


def main() -> None:
    case = current_case()
    st.title("Case")
    st.markdown(
        "Give a photo of the lesion, the patient's words, or both. "
        "The models rank the possible diagnoses and show which one they drop at which step."
    )
    photo_side, words_side = st.columns(2, gap="large")
    with photo_side:
        st.subheader("Photo")
        crop = choose_photo(case) if case.photo is None else frame_photo(case)
    with words_side:
        st.subheader("The patient's words")
        words = ask_for_words(case)
        fill_symptom_form(case)
    inputs = Inputs(case.photo, crop, words)
    is_asked = st.button("Diagnose", type="primary", width="stretch")
    place = st.empty()
    if is_asked:
        diagnose_case(case, inputs, place)
    if case.run is not None:
        show_result(case.run, inputs)
    if not case.models_are_loaded and load_models(place) is not None:
        # While the clinician looks for a photo; once a server, so mostly it takes no time.
        place.empty()
        case.models_are_loaded = True


def choose_photo(case: CaseState) -> Crop:
    way = st.segmented_control(
        "Where the photo comes from",
        [UPLOAD, CAMERA, SAMPLE],
        default=UPLOAD,
        required=True,
        key="way",
        label_visibility="collapsed",
    )
    # A fresh key for each file: the widget lets go of the one before.
    key = f"{way}_{case.files}"
    if way == UPLOAD:
        st.file_uploader(
            f"JPEG, PNG, WebP or HEIC, at most {MAX_BYTES // 1024**2} MB",
            type=FILE_TYPES,
            key=key,
            on_change=take_file,
            args=(case, key),
        )
    elif way == CAMERA:
        st.camera_input("Fill the picture with the lesion", key=key, on_change=take_file, args=(case, key))
    else:
        titles = {sample.title: sample for sample in SAMPLES}
        title = st.selectbox("Drawn by code, to try the app without a patient", list(titles), key="sample")
        pictures.show(titles[title].draw(), title, title)
        st.button("Use this drawing", on_click=take_sample, args=(case, title))
    if case.problem:
        st.error(case.problem)
    return Crop()


def take_file(case: CaseState, key: str) -> None:
    """Keeps the clean pixels of an uploaded file, or the sentence why not, and lets go of its bytes."""
    file = st.session_state[key]
    # A click that interrupts the run after the upload makes streamlit call again, now for a deleted file.
    if not isinstance(file, UploadedFile):
        return
    try:
        case.take(Photo(read_photo(file.getvalue())))
    except PhotoError as error:
        case.refuse(str(error))
    # Streamlit itself would keep the bytes, metadata included, until the session ends.
    context = get_script_run_ctx()
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)


def take_sample(case: CaseState, title: str) -> None:
    """Takes a drawing, and its words where none were typed."""
    sample = next(sample for sample in SAMPLES if sample.title == title)
    case.take(Photo(sample.draw(), sample.title))
    if st.session_state.get(WORDS, "").strip() in ("", *(other.narrative for other in SAMPLES)):
        case.words_to_show = sample.narrative


def remove_photo(case: CaseState) -> None:
    case.photo = None


def frame_photo(case: CaseState) -> Crop:
    photo = case.photo
    assert photo is not None
    previews = st.columns(2, wrap=False)
    with st.expander("Frame the lesion"):
        st.caption("The lesion should lie in the middle and fill a good part of the frame.")
        x = percent_slider("Left to right", 0, 50, f"frame_x_{case.files}")
        y = percent_slider("Top to bottom", 0, 50, f"frame_y_{case.files}")
        size = percent_slider("Size", 10, 100, f"frame_size_{case.files}")
    crop = Crop(x / 100, y / 100, size / 100)
    with previews[0]:
        title = photo.sample or "Your photo"
        pictures.show(pictures.framed(photo.pixels, crop), title, f"{title}, with the frame drawn on it")
    with previews[1]:
        seen = crop_square(photo.pixels, crop)
        pictures.show(seen, "What the model sees", "The part of the photo inside the frame")
    st.button("Remove the photo", on_click=remove_photo, args=(case,))
    return crop


def percent_slider(label: str, least: int, value: int, key: str) -> int:
    chosen: int = st.slider(label, least, 100, value, format="%d%%", key=key, persist_state="session")
    return chosen


def ask_for_words(case: CaseState) -> str:
    if case.words_to_show is not None:
        st.session_state[WORDS] = case.words_to_show
    words = st.text_area(
        "In the patient's own words, or yours",
        key=WORDS,
        height=180,
        persist_state="session",
        placeholder="For example: I am 58. The spot on my nose has been growing for a year and bled twice.",
    )
    case.words_to_show = None
    try:
        length = len(clean_narrative(words))
        st.caption(f"{f'{length:,} of' if length else 'Up to'} {NARRATIVE_LIMIT:,} characters")
    except NarrativeError as error:
        st.error(str(error))
    return words


def fill_symptom_form(case: CaseState) -> None:
    keys = {fact: f"{fact}_{case.forms}" for fact in ("age", "site", *SYMPTOMS)}
    with st.expander("Symptom form"), st.form("symptoms", border=False):
        st.caption("Writes sentences that the language model reads more surely than free words.")
        age, site = st.columns(2)
        age.number_input("Age in years", 0, AGE_LIMIT, None, key=keys["age"], placeholder="not said")
        site.selectbox(
            "Body site", SITES, index=None, key=keys["site"], placeholder="not said", format_func=str.lower
        )
        for symptom in SYMPTOMS:
            st.segmented_control(
                QUESTIONS[symptom],
                list(ANSWERS),
                format_func=ANSWERS.__getitem__,
                default=Answer.UNSAID,
                required=True,
                key=keys[symptom],
            )
        st.form_submit_button("Add as sentences to the words", on_click=add_sentences, args=(case, keys))


def add_sentences(case: CaseState, keys: dict[str, str]) -> None:
    """Appends what the form says to what was typed, and empties the form."""
    facts = Facts(**{fact: st.session_state[key] for fact, key in keys.items()})
    typed = st.session_state.get(WORDS, "").rstrip()
    case.words_to_show = " ".join(filter(None, (typed, sentences(facts))))
    case.forms += 1


def diagnose_case(case: CaseState, inputs: Inputs, place: DeltaGenerator) -> None:
    try:
        if inputs.photo is None and not clean_narrative(inputs.words):
            place.warning("Give a photo, the patient's words, or both.")
            return
        bundle = load_models(place)
        if bundle is None:
            return
        case.models_are_loaded = True
        from skin_ai.diagnose import diagnose

        with place.status("Looking at the photo and eliminating options step by step…") as status:
            pixels = None if inputs.photo is None else inputs.photo.pixels
            diagnosis = diagnose(pixels, inputs.words, bundle, inputs.crop)
            status.update(label=f"Done in {diagnosis.timings_ms['total'] / 1000:.1f} seconds")
    except (PhotoError, NarrativeError) as error:
        place.error(str(error))
    else:
        case.run = Run(inputs, diagnosis)


def load_models(place: DeltaGenerator) -> Bundle | None:
    """The models, with a visible status while they load; None, with the reason on the page, if they fail."""
    with place.status("Loading the models, once after the start. You can go on meanwhile."):
        from skin_ai.bundle import BundleError

        try:
            return models()
        except BundleError as error:
            reason = str(error)
    place.error(reason)
    return None


def show_result(run: Run, now: Inputs) -> None:
    from skin_ai.views import result

    st.divider()
    st.header("Result")
    if run.inputs != now:
        st.warning(
            "The photo, its frame or the words have changed since: this result belongs to the former input. "
            "Press Diagnose to ask again."
        )
    photo = run.inputs.photo
    square = None if photo is None else crop_square(photo.pixels, run.inputs.crop)
    result.show(run.diagnosis, square, models().manifest["probabilities"])
    with st.expander("What this result was made from"):
        st.markdown("The photo above" if photo is not None else "No photo")
        st.text(run.inputs.words or "No words")
        st.caption(f"Bundle {run.diagnosis.bundle}, {run.diagnosis.timings_ms['total'] / 1000:.1f} seconds")


door.enter(main)
