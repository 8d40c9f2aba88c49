"""The start screen of conference mode: a sample, the visitor's diagnosis in three taps."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import streamlit as st

from skin_ai.diseases import DISEASES
from skin_ai.predict.bundle import DEFAULT_BUNDLE, BundleError
from skin_ai.study import conference, flow
from skin_ai.study.database import StoreError
from skin_ai.study.deck import small
from skin_ai.study.flow import FlowError, Given
from skin_ai.study.store import Store
from skin_ai.study.tables import Stage
from skin_ai.views.case import bundle_choice, focus, inputs, pictures, run, samples
from skin_ai.views.case.case_state import Photo, begin_case, current_case
from skin_ai.views.case.elimination import name
from skin_ai.views.case.samples import SAMPLES, Sample
from skin_ai.views.session import kiosk, phone, readers

STYLE: Final = Path(__file__).with_suffix(".css")
KEY: Final = "challenge"
OTHER: Final = "other"


@dataclass
class Challenge:
    """The samples of one visitor, in an order drawn for them; place: of the one on screen.

    seen_at: since when it is on screen.
    """

    order: list[Sample] = field(default_factory=lambda: random.sample(SAMPLES, len(SAMPLES)))
    place: int = 0
    is_on_screen: bool = True
    seen_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def sample(self) -> Sample:
        return self.order[self.place % len(self.order)]


def challenge() -> Challenge:
    if KEY not in st.session_state:
        st.session_state[KEY] = Challenge()
    found: Challenge = st.session_state[KEY]
    return found


def is_on_screen() -> bool:
    return kiosk.is_on() and challenge().is_on_screen


def another_case() -> None:
    """The next sample of this visitor's order."""
    shown = challenge()
    if current_case().photo is not None:
        begin_case()
    st.session_state[KEY] = Challenge(shown.order, shown.place + 1)


def case_of_own(*, is_story: bool = False) -> None:
    """Leads to the form for a photo or a story of one's own."""
    kiosk.begin_visit()
    challenge().is_on_screen = False
    begin_case()
    current_case().is_story = is_story


def show(store: Store) -> None:
    st.html(STYLE)
    sample = challenge().sample
    place = st.empty()
    with st.container(key="challenge"):
        st.title("Can you beat the AI?", anchor=False)
        with st.container(key="challenge_case", gap="xsmall"):
            with st.container(key="challenge_photo", gap="xxsmall"):
                pictures.show(inputs.picture(sample), "", f"The lesion: {sample.title}")
                st.caption(samples.CREDIT)
            st.markdown(f"“{sample.narrative}”")
        with st.container(key="challenge_answer", gap="xsmall"):
            diagnosis, sure = _ask()
            if st.button("Show the AI", type="primary", key="show_ai", width="stretch"):
                _answer(store, sample, diagnosis, sure, place)
            offer_others()
            if (sent := phone.offered(current_case().id)) is not None:
                case_of_own()
                current_case().take(Photo(sent))
                st.rerun()
            st.caption("Your answers are kept without your name.")
    kiosk.bar(store)
    case = current_case()
    if DEFAULT_BUNDLE not in case.loaded and run.load_models(case, DEFAULT_BUNDLE, place) is not None:
        place.empty()


def offer_others(*, is_primary: bool = False) -> None:
    """One tap to everything else that a visitor can do. is_primary: in the bar below a result."""
    with st.container(
        key="others",
        horizontal=True,
        horizontal_alignment="center" if is_primary else "left",
        gap="xsmall",
    ):
        st.button(
            "Another case",
            on_click=another_case,
            type="primary" if is_primary else "secondary",
            key="another_case",
        )
        st.button("My own photo", on_click=case_of_own, key="begin_own")
        st.button(
            "A patient's story" if is_primary else "Tell a patient's story: 26 diseases",
            on_click=case_of_own,
            kwargs={"is_story": True},
            key="begin_story",
        )


def _ask() -> tuple[str | None, int | None]:
    """The diagnosis, a type's code or OTHER, and how sure the visitor is, as in `conference.SURENESS`."""
    try:
        types = bundle_choice.manifest_of(DEFAULT_BUNDLE)["types"]
    except BundleError:  # reported where the models are loaded
        types = []
    place = challenge().place
    diagnosis = st.pills(
        "Your diagnosis",
        [*sorted(types, key=name), OTHER],
        format_func=lambda type_: name(type_) if type_ in DISEASES else "Other",
        key=f"pick_{place}",
        on_change=kiosk.begin_visit,
    )
    sure = st.segmented_control(
        "How sure are you?",
        [*conference.SURENESS],
        format_func=lambda step: conference.SURENESS[step].capitalize(),
        key=f"sure_{place}",
        on_change=kiosk.begin_visit,
    )
    return diagnosis, sure


def _answer(
    store: Store,
    sample: Sample,
    diagnosis: str | None,
    sure: int | None,
    place: st.delta_generator.DeltaGenerator,
) -> None:
    """Keeps the case and the visitor's answer, and leads to the result."""
    number = challenge().place
    if diagnosis is None or sure is None:
        focus.say_missing(
            "Choose a diagnosis." if diagnosis is None else "Say how sure you are.",
            f"{'pick' if diagnosis is None else 'sure'}_{number}",
        )
        return
    if current_case().photo is not None or current_case().words():
        begin_case()
    case = current_case()
    inputs.take_sample(case, sample)
    try:
        reader = readers.joined_reader(store)
        pixels = sample.pixels()
        kept = samples.as_case(sample, case.id)
        flow.keep_case(store, reader, kept, None, challenge().seen_at, small(pixels))
        flow.commit(store, reader, case.id, Stage.BEFORE, Given((diagnosis,), sure))
    except (FlowError, StoreError) as error:
        place.error(str(error))
        return
    case.is_restored = True
    kiosk.begin_visit()
    challenge().is_on_screen = False
    st.rerun()
