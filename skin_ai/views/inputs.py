"""What a case is made of, as the clinician gives it: photo, frame, words, particulars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import streamlit as st
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
from skin_ai.study.store import AGE_BANDS
from skin_ai.study.tables import Case
from skin_ai.views import pictures
from skin_ai.views.case_state import CaseState, Photo, as_it_stands

T = TypeVar("T")
UPLOAD, CAMERA, SAMPLE = "Upload", "Camera", "Sample"
FILE_TYPES = ["jpg", "jpeg", "png", "webp", "heic", "heif"]
QUESTIONS = {
    "itch": "Does it itch?",
    "grew": "Has it grown?",
    "hurt": "Does it hurt?",
    "changed": "Has it changed its look?",
    "bleed": "Has it bled?",
    "elevation": "Is it raised?",
}
# What SCIN asked its patients besides (narrative.Facts), each with its words on the form.
KINDS = {
    "rash": "a rash",
    "growth": "a growth or lump",
    "pimples": "spots like in the teens",
    "colour": "a change of colour",
    "nail": "of the nail",
    "hair": "of the hair",
    "healthy": "the skin looks normal",
}
DURATIONS = {
    "day": "one day",
    "week": "less than a week",
    "month": "one to four weeks",
    "quarter": "one to three months",
    "year": "three to twelve months",
    "years": "more than one year",
    "many_years": "more than five years",
    "childhood": "since childhood",
}
REGIONS = {
    "HEAD_OR_NECK": "head or neck",
    "ARM_ANY": "arm",
    "PALM": "palm of the hand",
    "BACK_OF_HAND": "back of the hand",
    "TORSO_FRONT": "chest or belly",
    "TORSO_BACK": "back",
    "GENITALS_OR_GROIN": "genitals or groin",
    "BUTTOCKS": "buttocks",
    "LEG": "leg",
    "FOOT_TOP_OR_SIDE": "top or side of the foot",
    "FOOT_SOLE": "sole of the foot",
}
FURTHER_SYMPTOMS = {
    "burn": "it burns",
    "darken": "it has become darker",
    "rough": "it is rough or flaky",
    "fluid": "it is filled with fluid",
    "fever": "fever or chills",
    "tired": "unusually tired",
    "joints": "joint pain",
    "mouth": "sores in the mouth",
    "breath": "short of breath",
}
ALSO = "also_present"
ANSWERS = {
    Answer.YES: "yes",
    Answer.NO: "no",
    Answer.UNKNOWN: "don't know",
    Answer.UNSAID: "not said",
}
# Fitzpatrick 1988, Arch. Dermatol. 124:869.
SKIN_TYPES = {
    1: "I: always burns, never tans",
    2: "II: usually burns, tans little",
    3: "III: sometimes burns, tans evenly",
    4: "IV: rarely burns, tans well",
    5: "V: brown, very rarely burns",
    6: "VI: dark brown or black, never burns",
}


def choose_photo(case: CaseState) -> Crop:
    """Upload, camera or drawing; the frame that nothing has been framed by yet."""
    way = st.segmented_control(
        "Where the photo comes from",
        [UPLOAD, CAMERA, SAMPLE],
        default=UPLOAD,
        required=True,
        key="way",
        label_visibility="collapsed",
    )
    if way == UPLOAD:
        upload_photo(case)
    elif way == CAMERA:
        key = case.key("camera")
        st.camera_input("Fill the picture with the lesion", key=key, on_change=take_file, args=(case, key))
    else:
        titles = {sample.title: sample for sample in SAMPLES}
        title = st.selectbox("Drawn by code, to try the app without a patient", list(titles), key="sample")
        pictures.show(titles[title].draw(), title, title)
        st.button("Use this drawing", on_click=take_sample, args=(case, titles[title].name))
    if case.problem:
        st.error(case.problem)
    return Crop()


def upload_photo(case: CaseState) -> None:
    key = case.key("upload")
    st.file_uploader(
        f"JPEG, PNG, WebP or HEIC, at most {MAX_BYTES // 1024**2} MB",
        type=FILE_TYPES,
        key=key,
        on_change=take_file,
        args=(case, key),
    )


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
    let_go(file)


def let_go(file: UploadedFile) -> None:
    """Streamlit itself would keep the bytes, metadata included, until the session ends."""
    context = get_script_run_ctx()
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)


def take_sample(case: CaseState, name: str) -> None:
    """Takes a drawing, and its words where none were typed."""
    sample = next(sample for sample in SAMPLES if sample.name == name)
    words = case.words().strip()
    case.take(Photo(sample.draw(), sample.name))
    if words in ("", *(other.narrative for other in SAMPLES)):
        case.write_words(sample.narrative)


def remove_photo(case: CaseState) -> None:
    case.photo = None


def photo_title(photo: Photo) -> str:
    """What the photo is: the drawing's title, or the clinician's own."""
    return next((sample.title for sample in SAMPLES if sample.name == photo.sample), "Your photo")


def frame_photo(case: CaseState, kept: Case | None) -> Crop:
    """The photo with its frame, which the clinician can move; the frame."""
    photo = case.photo
    assert photo is not None
    # The kept frame is of the photo that came with the case, not of one that was taken in since.
    at_first = Crop(*kept.crop) if kept and not case.files else Crop()
    previews = st.columns(2, wrap=False)
    with st.expander("Frame the lesion"):
        st.caption("The lesion should lie in the middle and fill a good part of the frame.")
        x = _percent_slider("Left to right", 0, at_first.x, case.key("frame_x"))
        y = _percent_slider("Top to bottom", 0, at_first.y, case.key("frame_y"))
        size = _percent_slider("Size", 10, at_first.size, case.key("frame_size"))
    crop = Crop(x / 100, y / 100, size / 100)
    with previews[0]:
        title = photo_title(photo)
        pictures.show(pictures.framed(photo.pixels, crop), title, f"{title}, with the frame drawn on it")
    with previews[1]:
        seen = crop_square(photo.pixels, crop)
        pictures.show(seen, "What the model sees", "The part of the photo inside the frame")
    st.button("Remove the photo", on_click=remove_photo, args=(case,))
    return crop


def _percent_slider(label: str, least: int, at_first: float, key: str) -> int:
    percent = as_it_stands(key, round(100 * at_first))
    chosen: int = st.slider(label, least, 100, percent, format="%d%%", key=key, persist_state="session")
    return chosen


def ask_for_words(case: CaseState) -> str:
    words: str = st.text_area(
        "In the patient's own words, or yours",
        case.words(),
        key=case.words_key,
        height=180,
        persist_state="session",
        placeholder="For example: I am 58. The spot on my nose has been growing for a year and bled twice.",
    )
    try:
        length = len(clean_narrative(words))
        st.caption(f"{f'{length:,} of' if length else 'Up to'} {NARRATIVE_LIMIT:,} characters")
    except NarrativeError as error:
        st.error(str(error))
    return words


def fill_symptom_form(case: CaseState, *, is_wide: bool = False) -> None:
    """is_wide: with the further facts that a bundle may have learnt to read."""
    asked = ("age", "site", *SYMPTOMS, *(("kind", "duration", "more_sites", ALSO) if is_wide else ()))
    keys = {fact: f"{fact}_{case.id}_{case.forms}" for fact in asked}
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
        if is_wide:
            _ask_further_facts(keys)
        st.form_submit_button(
            "Add as sentences to the words", on_click=add_sentences, args=(case, keys, case.forms)
        )


def _ask_further_facts(keys: dict[str, str]) -> None:
    choices = (
        ("What is it like?", KINDS, keys["kind"]),
        ("For how long?", DURATIONS, keys["duration"]),
    )
    for column, (label, options, key) in zip(st.columns(2), choices, strict=True):
        column.selectbox(
            label,
            list(options),
            index=None,
            key=key,
            placeholder="not said",
            format_func=options.__getitem__,
        )
    for label, options, key in (
        ("All places where it is", REGIONS, keys["more_sites"]),
        ("Also present", FURTHER_SYMPTOMS, keys[ALSO]),
    ):
        st.multiselect(
            label,
            list(options),
            format_func=options.__getitem__,
            key=key,
            placeholder="not said",
            select_all=False,
        )


def _facts(said: dict[str, Any]) -> Facts:
    """What the form says; symptoms that it lists are present, others are not spoken of."""
    listed = dict.fromkeys(said.pop(ALSO, ()), Answer.YES)
    return Facts(**said | listed | {"more_sites": tuple(said.get("more_sites", ()))})


def add_sentences(case: CaseState, keys: dict[str, str], form: int) -> None:
    """Appends what the form with this number says to what was typed, and empties the form; once."""
    if form != case.forms:
        return
    said = sentences(_facts({fact: st.session_state[key] for fact, key in keys.items()}))
    # The second click of a double click can come with the empty form that the browser has not seen yet.
    if not said:
        return
    words = " ".join(filter(None, (case.words().rstrip(), said)))
    case.forms += 1
    case.write_words(words)


def ask_for_particulars(case: CaseState, kept: Case | None) -> dict[str, str | int | None]:
    """Age band, body site and skin type as `tables.Case` names them; none is required."""
    age, site, skin = st.columns(3)
    with age:
        age_band = _ask_for(
            "Age", ("", *AGE_BANDS), kept.age_band if kept else "", f"age_band_{case.id}", "{} years".format
        )
    with site:
        body_site = _ask_for(
            "Body site", ("", *SITES), kept.body_site if kept else "", f"body_site_{case.id}", str.lower
        )
    with skin:
        fitzpatrick = _ask_for(
            "Skin type",
            (None, *SKIN_TYPES),
            kept.fitzpatrick if kept else None,
            f"fitzpatrick_{case.id}",
            SKIN_TYPES.__getitem__,
            "After Fitzpatrick, I to VI",
        )
    return {"age_band": age_band, "body_site": body_site, "fitzpatrick": fitzpatrick}


def _ask_for(
    label: str, options: Sequence[T], at_first: T, key: str, in_words: Callable[[Any], str], help: str = ""
) -> T:
    """One of the options, of which the first is to state none.

    An option and no placeholder: a box with a default, as it has once something is chosen, cannot be emptied.
    """
    held = as_it_stands(key, at_first)
    chosen: T = st.selectbox(
        label,
        options,
        options.index(held) if held in options else 0,
        format_func=lambda option: in_words(option) if option else "not stated",
        key=key,
        help=help or None,
        persist_state="session",
    )
    return chosen


def particulars_in_words(case: Case) -> str:
    """Age, site and skin type where they are stated, for reading; "" where none is."""
    said = [
        case.age_band and f"{case.age_band} years",
        case.body_site.lower(),
        case.fitzpatrick and not case.deck_id and f"skin type {SKIN_TYPES[case.fitzpatrick]}",
    ]
    return " · ".join(str(part) for part in said if part)
