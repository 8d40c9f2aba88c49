"""The photo of a case with its frame, the patient's words and the skin type: asking and showing."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from urllib.parse import urlsplit

import streamlit as st
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile

from skin_ai.predict.narrative import NARRATIVE_LIMIT, NarrativeError, clean_narrative
from skin_ai.predict.photo import MAX_BYTES, Crop, PhotoError, read_photo
from skin_ai.study.kept_facts import answers_of
from skin_ai.study.tables import Case
from skin_ai.views.case import facts, pictures
from skin_ai.views.case.case_state import CaseState, Photo, as_it_stands, place_as_it_stands, still_current
from skin_ai.views.case.samples import CREDIT, SAMPLES, Sample, find
from skin_ai.views.case.understood import UNSAID
from skin_ai.views.session import kiosk, phone
from skin_ai.vocabulary import age_band_of

UPLOAD, CAMERA, PHONE, SAMPLE = "Upload", "Camera", "Phone", "Sample"
# Fitzpatrick 1988, Arch. Dermatol. 124:869.
SKIN_TYPES = {
    1: "I: always burns, never tans",
    2: "II: usually burns, tans little",
    3: "III: sometimes burns, tans evenly",
    4: "IV: rarely burns, tans well",
    5: "V: brown, very rarely burns",
    6: "VI: dark brown or black, never burns",
}
EXAMPLE = "For example: I am 58. The spot on my nose has been growing for a year and bled twice."
WORDS_HEIGHT = 180  # pixels
THUMBNAIL = 240  # pixels
PICTURES_AS_BUTTONS = """<style>
.st-key-samples {display: grid; grid-template-columns: repeat(auto-fit, minmax(6.5rem, 1fr)); gap: 0.5rem}
.st-key-samples button {width: 100%; padding: 0.25rem}
.st-key-samples button p {display: flex; flex-direction: column; gap: 0.25rem; font-size: 0.85rem}
.st-key-samples button img {width: 100%; max-width: none; max-height: none; border-radius: 0.3rem}
</style>"""


def choose_photo(case: CaseState) -> None:
    way = st.segmented_control(
        "Where the photo comes from",
        [
            *(UPLOAD, CAMERA),
            *([PHONE] if phone.is_possible() else []),
            *([] if kiosk.is_on() else [SAMPLE]),  # samples are its start screen
        ],
        default=UPLOAD,
        required=True,
        key="way",
        label_visibility="collapsed",
    )
    if way == UPLOAD:
        upload_photo(case)
    elif way == CAMERA and is_camera_refused(st.context.url or ""):
        st.info(
            "Browsers refuse the camera on this address, which is not HTTPS. Use Upload: it opens the camera."
        )
    elif way == CAMERA:
        key = case.key("camera")
        st.camera_input(
            "Fill the picture with the lesion",
            key=key,
            resolution="1080p",
            on_change=take_file,
            args=(case.id, key),
        )
    elif way == PHONE:
        if (pixels := phone.photo_sent(case.id)) is not None:
            case.take(Photo(pixels))
            st.rerun()
    elif sample := picked_sample(SAMPLES):
        take_sample(case, sample)
        st.rerun()
    if case.problem:
        st.error(case.problem)


def is_camera_refused(url: str) -> bool:
    """Whether browsers give no camera to a page at this address: plain HTTP from another machine.

    >>> [is_camera_refused(f"{url}/case") for url in ("http://10.0.0.2:8501", "http://localhost", "https://a.b")]
    [True, False, False]
    """
    address = urlsplit(url)
    host = address.hostname or ""
    is_here = host in ("localhost", "::1") or host.endswith(".localhost") or host.startswith("127.")
    return address.scheme == "http" and not is_here


def upload_photo(case: CaseState) -> None:
    key = case.key("upload")
    # Files of any name: devices end them in .hif, .jfif or nothing, and `read_photo` goes by their content.
    limit = MAX_BYTES // 1024**2
    st.file_uploader(
        f"JPEG, PNG, WebP or HEIC, at most {limit} MB",
        max_upload_size=limit,
        key=key,
        on_change=take_file,
        args=(case.id, key),
    )


def take_file(case_id: str, key: str) -> None:
    """Keeps the clean pixels of an uploaded file, or the reason why not, and releases its bytes."""
    file = st.session_state[key]
    # A click that interrupts the run after the upload makes Streamlit call this again, for a deleted file.
    if not isinstance(file, UploadedFile):
        return
    if (case := still_current(case_id)) is not None:
        try:
            case.take(Photo(read_photo(file.getvalue())))
        except PhotoError as error:
            case.refuse(str(error))
    let_go(file)


def let_go(file: UploadedFile) -> None:
    """Releases the bytes, metadata included, which Streamlit would keep until the session ends."""
    context = get_script_run_ctx()
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)


def picked_sample(offered: Sequence[Sample]) -> Sample | None:
    """The samples as pictures to click on; the one just clicked."""
    st.html(PICTURES_AS_BUTTONS)
    with st.container(key="samples"):
        clicked = [
            sample
            for sample in offered
            if st.button(f"![]({_thumbnail(sample)}) {sample.title}", key=f"sample_{sample.name}")
        ]
    st.caption(f"{CREDIT}. The words were written for this project.")
    return clicked[0] if clicked else None


@cache
def picture(sample: Sample) -> str:
    return pictures.as_uri(sample.pixels())


@cache
def _thumbnail(sample: Sample) -> str:
    return pictures.as_uri(sample.pixels(), THUMBNAIL)


def take_sample(case: CaseState, sample: Sample) -> None:
    words = case.words().strip()
    case.take(Photo(sample.pixels(), sample.name))
    if words in ("", *(other.narrative for other in SAMPLES)):
        case.write_words(sample.narrative)


def remove_photo(case_id: str) -> None:
    if (case := still_current(case_id)) is not None:
        case.photo = None


def photo_title(photo: Photo) -> str:
    sample = find(photo.sample)
    return sample.caption if sample else "Your photo"


def pictures_of(photo: Photo, crop: Crop) -> tuple[str, str]:
    """The photo with its frame, and the square inside it; made once per frame, as every run shows them."""
    if crop not in photo.pictures:
        photo.pictures.clear()
        framed, square = pictures.framed(photo.pixels, crop), photo.prepared(crop).square
        photo.pictures[crop] = pictures.as_uri(framed), pictures.as_uri(square)
    return photo.pictures[crop]


def frame_photo(case: CaseState, kept: Case | None) -> Crop:
    """Shows the photo with its frame, which the clinician can move; returns the frame."""
    photo = case.photo
    assert photo is not None
    # The kept frame belongs to the photo that came with the case, not to one chosen since.
    at_first = Crop(*kept.crop) if kept and not case.files else Crop()
    previews = st.columns(2, wrap=False)
    with st.expander("Frame the lesion"):
        st.caption("Centre the lesion; it should fill most of the frame.")
        x = _percent_slider("Left to right", 0, at_first.x, case.key("frame_x"))
        y = _percent_slider("Top to bottom", 0, at_first.y, case.key("frame_y"))
        size = _percent_slider("Size", 10, at_first.size, case.key("frame_size"))
    crop = Crop(x / 100, y / 100, size / 100)
    framed, square = pictures_of(photo, crop)
    with previews[0]:
        pictures.show(framed, photo_title(photo), "The photo, with the frame drawn on it")
    with previews[1]:
        pictures.show(square, "What the model sees", "The part of the photo inside the frame")
    st.button("Remove the photo", on_click=remove_photo, args=(case.id,))
    return crop


def _percent_slider(label: str, least: int, at_first: float, key: str) -> int:
    percent = as_it_stands(key, round(100 * at_first))
    chosen: int = st.slider(label, least, 100, percent, format="%d%%", key=key, persist_state="session")
    return chosen


def ask_for_words(case: CaseState) -> str | None:
    """The words in the text area, cleaned; None, with the reason on the page, where they are too long."""
    typed = st.text_area(
        "In the patient's own words, or yours",
        case.words(),
        key=case.words_key,
        height=WORDS_HEIGHT,
        persist_state="session",
        placeholder=EXAMPLE,
    )
    try:
        words = clean_narrative(typed)
    except NarrativeError as error:
        st.error(str(error))
        return None
    st.caption(f"{f'{len(words):,} of' if words else 'Up to'} {NARRATIVE_LIMIT:,} characters")
    return words


def ask_for_skin_type(case: CaseState, kept: Case | None) -> int | None:
    """The Fitzpatrick type, for reports only; optional."""
    key, options = f"fitzpatrick_{case.id}", (None, *SKIN_TYPES)
    chosen: int | None = st.selectbox(
        "Skin type (Fitzpatrick)",
        options,
        # "Not stated" is an option, not a placeholder: a box with a default cannot be emptied.
        place_as_it_stands(key, options, kept.fitzpatrick if kept else case.fitzpatrick),
        format_func=lambda option: SKIN_TYPES[option] if option else "not stated",
        key=key,
        persist_state="session",
    )
    return chosen


def particulars_in_words(case: Case) -> str:
    """Skin type, and age and site where they are not those of the facts, as in a deck's table; in one line.

    Without the skin type of a deck's case: whether it was recorded can give the diagnosis away.
    """
    facts = answers_of(case.facts_extracted, case.facts_confirmed)
    age = facts.get("age", UNSAID)
    is_same_age = age != UNSAID and age_band_of(age) == case.age_band
    stated = [
        case.age_band and not is_same_age and f"{case.age_band} years",
        facts.get("site") != case.body_site and case.body_site.lower(),
        case.fitzpatrick and not case.deck_id and f"skin type {SKIN_TYPES[case.fitzpatrick]}",
    ]
    return " · ".join(str(part) for part in stated if part)


def show_given(case: CaseState, kept: Case) -> None:
    photo_side, words_side = st.columns(2, gap="large")
    with photo_side:
        if case.photo is not None:
            title = photo_title(case.photo)
            _, square = pictures_of(case.photo, Crop(*kept.crop))
            pictures.show(square, title, title)
        else:
            st.markdown("The photo was not kept." if kept.photo_sha256 else "No photo")
    with words_side:
        st.text(kept.narrative or "No words")
        facts.show_fixed(kept)
        if particulars := particulars_in_words(kept):
            st.caption(particulars)
