"""Which bundle answers a case: the reader's choice or the automatic one; its models and manifest."""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import streamlit as st

from skin_ai import settings
from skin_ai.diseases import DISEASES, Nature
from skin_ai.predict import bundle as bundles
from skin_ai.predict.bundle import (
    DEFAULT_BUNDLE,
    WITHOUT_PHOTO,
    BundleError,
    automatic_bundle,
    bundle_names,
)
from skin_ai.study.flow import Awaits, Progress
from skin_ai.views.case.case_state import CaseState, place_as_it_stands
from skin_ai.vocabulary import NOTHING

if TYPE_CHECKING:  # torch comes with it, and the first page must not wait for torch
    from skin_ai.predict.bundle import Bundle

log = logging.getLogger(__name__)

AUTOMATIC: Final = "Automatic"
CHOICE: Final = "bundle_choice"
PAGE_FIRST: Final = 1.5  # seconds that the browser has to fetch the first page's parts


def models(name: str) -> Bundle:
    """Both models of a bundle, loaded once per server; raises BundleError."""
    return _models(str(bundles.WEIGHTS / name))


@st.cache_resource(show_spinner=False)
def _models(folder: str) -> Bundle:
    if "torch" not in sys.modules:
        time.sleep(PAGE_FIRST)  # importing torch blocks this process, which serves them
    import torch

    from skin_ai.predict.diagnose import diagnose
    from skin_ai.predict.prepared_photo import prepare

    if not settings.current().threads:  # set where several servers share a machine's cores
        torch.set_num_threads(cores())  # all of them, for one case at a time (`turns.py`)
    start = time.monotonic()
    bundle = bundles.load_bundle(Path(folder).name, weights=Path(folder).parent)
    # The first run of the networks takes seconds longer than all others; here no clinician waits for it.
    diagnose(prepare(np.full((300, 300, 3), 128, np.uint8)), "Nothing yet.", bundle)
    took = round(1000 * (time.monotonic() - start), 1)
    log.info("models loaded", extra={"bundle": bundle.name, "ms": {"total": took}})
    return bundle


def cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def manifest_of(name: str) -> dict[str, Any]:
    """A bundle's manifest, without loading its models; raises BundleError."""
    return _manifest(str(bundles.WEIGHTS / name))[0]


def manifest_if_unchanged(name: str, sha256: str) -> dict[str, Any] | None:
    """The manifest of a bundle; None where the bundle is not there or is not the one with this checksum."""
    try:
        manifest, found = _manifest(str(bundles.WEIGHTS / name))
    except BundleError:
        return None
    return manifest if found == sha256 else None


@st.cache_resource(show_spinner=False)
def _manifest(folder: str) -> tuple[dict[str, Any], str]:
    return bundles.read_manifest(Path(folder)), bundles.sha256(Path(folder) / bundles.MANIFEST)


def title(name: str) -> str:
    """What the page calls a bundle, such as "6-tumour model"; its name where the manifest cannot be read.

    Where several bundles would be called the same, each with its name.
    """
    called = _titles().get(name, name)
    is_shared = list(_titles().values()).count(called) > 1
    return f"{called} ({name})" if is_shared else called


def title_of_version(label: str) -> str:
    """The same for a bundle that a study names with its version, as `statistics.readings` does."""
    name, space, version = label.partition(" ")
    return f"{title(name)}{space}{version}"


def _titles() -> dict[str, str]:
    return {name: _title(name) for name in bundle_names()}


def _title(name: str) -> str:
    try:
        manifest = manifest_of(name)
    except BundleError:
        return name
    types = manifest["types"]
    known = [DISEASES[type_].nature for type_ in types if type_ in DISEASES]
    kind = "disease" if Nature.NOT_A_TUMOUR in known else "tumour"
    has_all = len(bundles.image_types_of(manifest)) == len(types)
    return f"{len(types)}-{kind} model" + ("" if has_all else " (history only)")


def chosen(has_photo: bool) -> str:
    """The bundle for a case with or without a photo, by the choice in the sidebar."""
    names = bundle_names()
    choice = st.session_state.get(CHOICE, AUTOMATIC)
    if choice in names:
        return str(choice)
    return automatic_bundle(has_photo)


def of_case(case: CaseState, progress: Progress | None) -> str:
    """The bundle that answers a case; once it has, or the deck has one, a later choice does not change it."""
    fixed = (progress.bundle or progress.deck_bundle) if progress else ""
    return fixed or case.bundle or chosen(_has_photo(case, progress))


def _has_photo(case: CaseState, progress: Progress | None) -> bool:
    """Whether the case has a photo, or its deck has any: all its cases are answered by one bundle."""
    return case.photo is not None or (progress is not None and progress.deck_has_photos)


def reads_more_facts(name: str) -> bool:
    """Whether the language model was trained on SCIN, which has more facts than PAD-UFES-20."""
    try:
        return any(source["name"] == "SCIN" for source in manifest_of(name).get("data", []))
    except BundleError:  # reported where the models are loaded
        return False


def say_who_is_asked(case: CaseState, progress: Progress | None) -> None:
    """A line beside the button that runs the AI; nothing where there is only one bundle."""
    if len(bundle_names()) < 2:
        return
    if progress is not None and progress.deck_bundle:
        st.caption(f"AI: **{title(progress.deck_bundle)}**, for all readers of this deck.", width="content")
        return
    has_photo = _has_photo(case, progress)
    is_automatic = st.session_state.get(CHOICE, AUTOMATIC) == AUTOMATIC
    if is_automatic and progress is None and not (has_photo or case.words().strip()):
        return  # nothing to choose a model for yet
    why = f"because there is {'a' if has_photo else 'no'} photo" if is_automatic else "by your choice"
    st.caption(
        f"AI: **{title(chosen(has_photo))}**, {why}. Another one can be chosen in the sidebar (»).",
        width="content",
    )


def sidebar(case: CaseState, progress: Progress | None) -> None:
    """The choice of a bundle and what each can do; nothing where there is only one."""
    names = bundle_names()
    if len(names) < 2:
        return
    with st.sidebar:
        choices = [AUTOMATIC, *names]
        place = place_as_it_stands(CHOICE, choices, AUTOMATIC)
        st.radio("AI model", choices, place, format_func=_choice, key=CHOICE, persist_state="session")
        if progress is not None and progress.awaits is not Awaits.BEFORE:
            st.markdown(_what_answers(case, progress))
        elif progress is not None and progress.deck_bundle:
            st.caption(
                f"All readers of this deck are shown the {title(progress.deck_bundle)}; "
                "a choice is for other cases."
            )
        elif WITHOUT_PHOTO in names:
            st.caption(
                f"Automatic: {title(DEFAULT_BUNDLE)} for a case with a photo, {title(WITHOUT_PHOTO)} without."
            )
        st.divider()
        for name in names:
            _describe(name)
        st.page_link("skin_ai/pages/model_card.py", label="How good they are: Model card")


def _choice(name: str) -> str:
    return name if name == AUTOMATIC else title(name)


def _what_answers(case: CaseState, progress: Progress) -> str:
    if progress.reading.arm == NOTHING:
        return "This case is shown without the AI."
    if progress.after is not None and not progress.bundle:
        return "This case was answered without an AI result."
    is_answered = progress.bundle or case.bundle
    applies = "; another choice applies to the next case." if is_answered else "."
    return f"This case is answered by the **{title(of_case(case, progress))}**{applies}"


def _describe(name: str) -> None:
    try:
        manifest = manifest_of(name)
        types = len(manifest["types"])
        seen = len(bundles.image_types_of(manifest))
    except BundleError as error:
        st.caption(str(error))
        return
    knows = "all of them" if seen == types else f"{seen} of them"
    st.markdown(f"**{title(name)}**: {types} types; its photo model knows {knows}.")
