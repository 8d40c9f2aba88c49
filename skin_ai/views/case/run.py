"""The AI's result of a case: the saved one, or a new run of the models when its turn in the queue comes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from skin_ai.predict.bundle import BundleError
from skin_ai.predict.narrative import NarrativeError
from skin_ai.predict.photo import Crop
from skin_ai.server import turns
from skin_ai.study import flow
from skin_ai.study.database import StoreError
from skin_ai.study.flow import FlowError, Progress
from skin_ai.study.store import Store
from skin_ai.views.case import bundle_choice
from skin_ai.views.case.case_state import CaseState
from skin_ai.views.case.understood import told

if TYPE_CHECKING:  # torch comes with them, and the first page must not wait for torch
    from skin_ai.predict.bundle import Bundle
    from skin_ai.predict.diagnose import Diagnosis

log = logging.getLogger("skin_ai.case")

ASKING = "The AI is working…"
LOADING = "Loading the models (once, after the server starts)."
MEANWHILE = f"{LOADING} You can continue meanwhile."


def open_kept(store: Store, case: CaseState, progress: Progress) -> bool:
    """Takes up the result that this reader was given before, as it was kept; whether there is one."""
    kept = flow.kept_run(store, progress.reading.clinician, case.id)
    if kept is None or not kept.result.get("answer"):
        return False
    with st.spinner("Opening the saved result…"):
        from skin_ai.predict.diagnose import Diagnosis

        result = kept.result.get(flow.ASKED_RESULT, kept.result)
        case.diagnosis = Diagnosis.from_json(result | {"bundle": kept.bundle}, progress.case.narrative)
    case.bundle, case.bundle_sha256 = kept.bundle, kept.bundle_sha256
    case.asked = list(kept.result.get("asked", ()))
    return True


def ask_models(store: Store, case: CaseState, progress: Progress, place: DeltaGenerator) -> bool:
    """Runs the models and keeps their result; False, with the reason and a way on, if that fails."""
    name = bundle_choice.of_case(case, progress)
    bundle = load_models(case, name, place, LOADING)
    if bundle is None:
        st.button("Try again")
        return False
    case.bundle, case.bundle_sha256 = name, bundle.sha256
    from skin_ai.predict.diagnose import NothingToDiagnose, verdict

    kept = progress.case
    status = place.status(ASKING, expanded=True)
    case.asked_at = case.asked_at or time.monotonic()
    waited = 0.0

    def tell(step: str) -> None:
        status.markdown(step)

    def in_turn() -> Diagnosis:
        nonlocal waited
        with turns.OF_MODELS.taken(lambda before: status.update(label=turns.in_words(before)), case.asked_at):
            waited = time.monotonic() - case.asked_at
            status.update(label=ASKING)
            if case.photo is not None:
                tell("Reading the photo")
            photo = None if case.photo is None else case.photo.prepared(Crop(*kept.crop))
            return verdict(photo, kept.narrative, bundle, told(kept, bundle.extractor), tell)

    try:
        with status:
            case.diagnosis = flow.reveal(store, progress.reading.clinician, case.id, bundle, in_turn)
    except (NothingToDiagnose, NarrativeError, FlowError, StoreError) as error:
        place.error(str(error))
        st.button("Try again")
        return False
    stages = {"queue": 1000 * waited, **case.diagnosis.timings_ms}
    rounded = {stage: round(milliseconds, 1) for stage, milliseconds in stages.items()}
    log.info("diagnosed", extra={"case": case.id, "bundle": name, "ms": rounded})
    place.empty()
    return True


def mark(store: Store, case: CaseState, progress: Progress) -> None:
    """With the verdict on screen, and before anybody who asked later: whether it is stable, once a result."""
    diagnosis = case.diagnosis
    if diagnosis is None or diagnosis.unstable is not None:
        return
    try:
        models = partial(bundle_choice.models, diagnosis.bundle)
        with models_in_turn(
            models, "Checking whether the answer is stable…", case.asked_at or None
        ) as bundle:
            from skin_ai.predict.diagnose import marked

            case.diagnosis = marked(diagnosis, bundle)
        took = {"stability": round(case.diagnosis.timings_ms["stability"], 1)}
        log.info("stability tested", extra={"case": case.id, "bundle": diagnosis.bundle, "ms": took})
        flow.keep_marks(store, progress.reading.clinician, case.id, case.diagnosis.unstable or {})
    except (BundleError, FlowError, StoreError) as error:
        st.error(str(error))
        return
    if case.diagnosis.unstable:
        st.rerun()


@contextmanager
def models_in_turn(models: Callable[[], Bundle], text: str, since: float | None = None) -> Iterator[Bundle]:
    """The models for the block alone, with a spinner; until its turn, the place in the queue is shown.

    since: as in `Turns.taken`.
    """
    queue = st.empty()
    with st.spinner(text):
        bundle = models()
        with turns.OF_MODELS.taken(lambda before: queue.caption(turns.in_words(before)), since):
            queue.empty()
            yield bundle


def load_models(case: CaseState, name: str, place: DeltaGenerator, label: str = MEANWHILE) -> Bundle | None:
    """The models, with a visible status while they load; None, with the reason on the page, if they fail."""
    with place.status(label):
        try:
            bundle = bundle_choice.models(name)
        except BundleError as error:
            reason = str(error)
        else:
            case.loaded.add(name)
            return bundle
    place.error(reason)
    return None
