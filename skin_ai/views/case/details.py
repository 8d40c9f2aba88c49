"""What stands behind a click below the verdict: reasons, heatmap, what-if, all numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from skin_ai.diseases import DISEASES, Nature
from skin_ai.predict import chain, heatmap_overlay
from skin_ai.predict.bundle import READS_FACTS
from skin_ai.predict.diagnose import Diagnosis
from skin_ai.views.case import elimination, photo_evidence, reliability, result, what_if
from skin_ai.views.case.case_state import current_case
from skin_ai.views.case.elimination import name, percent
from skin_ai.views.case.own_answer import Own
from skin_ai.vocabulary import STEPS_AND_HEATMAP

if TYPE_CHECKING:
    from skin_ai.predict.bundle import Bundle

LISTED: Final = 6  # types that a table of a larger label set lists, besides the clinician's own
NOTABLE_DIFFERENCE: Final = 0.05  # of a probability, between chain and single pass
WHAT_PROBABILITIES_MEAN: Final = {
    "balanced": "The probabilities assume that all types are equally common. A type that is rarer among your "
    "patients is less probable than shown, one that is more common is more probable.",
    "prior": "The probabilities assume types as common as in the clinic that the training data came from.",
}  # by the manifest's "probabilities"


def show(
    diagnosis: Diagnosis,
    manifest: Mapping[str, Any] | None,
    own: Own,
    models: Callable[[], Bundle],
    ask_for_photo: Callable[[], None],
    show_given: Callable[[], None],
    arm: str = "",
) -> None:
    """What stands behind a click; in an arm of a study only what the arm is named after.

    manifest and models: of the bundle that made the diagnosis, the models only where they are asked again;
    manifest is None where that bundle is no longer there. ask_for_photo: asks for a photo that was not kept;
    show_given: shows photo and words as they were given.
    """
    if diagnosis.is_foreign and not diagnosis.narrative and not st.session_state.get("show_anyway"):
        show_given()
        return
    with st.container(key="details", gap="xxsmall"):
        has_steps, has_map = arm in result.WITH_STEPS, arm in ("", STEPS_AND_HEATMAP)
        if result.has_funnel(diagnosis) and has_steps:
            with st.expander("Why each was ruled out"):
                _reasons(diagnosis, own)
        if diagnosis.recommendations and manifest is not None and has_map:
            key = f"heatmap_{current_case().id}"
            opens = arm == STEPS_AND_HEATMAP  # every reader in this arm is to see it
            looked = st.expander("Where the photo model looked", opens, key=key, on_change="rerun")
            if looked.open:
                with looked:
                    _evidence(diagnosis, manifest, own, models, ask_for_photo)
        if diagnosis.steps and manifest is not None and not arm:
            what_if.show(diagnosis)
        if has_steps:
            with st.expander("All numbers"):
                _all_numbers(diagnosis, manifest or {}, own)
        show_given()


def _reasons(diagnosis: Diagnosis, own: Own) -> None:
    taken = chain.taken(diagnosis.steps, diagnosis.undecided)
    for sentence in elimination.sentences(diagnosis.steps, diagnosis.undecided, own):
        st.markdown(sentence)
    if taken:
        st.table(elimination.reasons_table(taken, own), hide_index=True, border="horizontal")
        st.caption(elimination.WHAT_ODDS_MEAN)


def _evidence(
    diagnosis: Diagnosis,
    manifest: Mapping[str, Any],
    own: Own,
    models: Callable[[], Bundle],
    ask_for_photo: Callable[[], None],
) -> None:
    if diagnosis.is_foreign and diagnosis.narrative:
        st.markdown("Hidden, because the photo is unlike those that the photo model was trained on.")
        if not st.toggle(result.SHOW_ANYWAY, key="show_anyway"):
            return
    if diagnosis.square is None:
        ask_for_photo()
        return
    current_case().saw_heatmap = True
    known = [item.type for item in diagnosis.recommendations]
    if diagnosis.answer[0].type not in known:
        st.caption(heatmap_overlay.no_map_for(DISEASES[diagnosis.answer[0].type].name, known))
    photo_evidence.show(diagnosis, own, models, manifest.get("figures", {}).get("heatmaps"))


def _all_numbers(diagnosis: Diagnosis, manifest: Mapping[str, Any], own: Own) -> None:
    single = {item.type: item.probability for item in diagnosis.single_pass}
    hides_photo = diagnosis.is_foreign and not st.session_state.get("show_anyway")
    photo = {} if hides_photo else {item.type: item.probability for item in diagnosis.recommendations}
    listed = [item for rank, item in enumerate(diagnosis.answer) if rank < LISTED or own.ordinal(item.type)]
    differs = any(
        abs(item.probability - single.get(item.type, item.probability)) >= NOTABLE_DIFFERENCE
        for item in diagnosis.answer
    )
    st.table(
        [
            {
                "Type": f"{name(item.type)} ({DISEASES[item.type].icd10}), {DISEASES[item.type].nature}",
                **({"Yours": own.ordinal(item.type)} if own.ranks else {}),
                "Probability": percent(item.probability),
                **({"Photo alone": percent(photo[item.type]) if item.type in photo else ""} if photo else {}),
                **({"Asked once": percent(single[item.type])} if differs else {}),
            }
            for item in listed
        ],
        hide_index=True,
        border="horizontal",
    )
    natures = {DISEASES[item.type].nature for item in diagnosis.answer}
    totals = ", ".join(
        f"{nature} {percent(result.total(diagnosis, nature))}" for nature in Nature if nature in natures
    )
    others = [item.probability for item in diagnosis.answer if item not in listed]
    rest = f"{len(others)} others together {percent(sum(others))}. " if others else ""
    st.markdown(f"{rest}Taken together: {totals}.")
    if differs:
        st.caption("Asked once: the same model without elimination, with all types as options.")
    st.caption(WHAT_PROBABILITIES_MEAN.get(manifest.get("probabilities", ""), ""))
    _measured(diagnosis, manifest)
    if not diagnosis.steps:
        st.markdown("Only the ranked answer of this result was saved.")
        return
    if understood := facts_used(diagnosis, manifest):
        st.text(f"Understood from the words: {understood}")
    taken = chain.taken(diagnosis.steps, diagnosis.undecided) if result.has_funnel(diagnosis) else ()
    if not taken:
        return
    st.table(elimination.steps_table(taken, own), hide_index=True, border="horizontal")
    st.caption(
        "History and photo: by how much each moved the type's logit relative to the other options; "
        "+0.7 doubles the odds, -0.7 halves them."
    )


def facts_used(diagnosis: Diagnosis, manifest: Mapping[str, Any]) -> str:
    """The facts that the language model was given, as sentences; "" where it read the words themselves."""
    return diagnosis.narrative if manifest.get("language_model", {}).get("reads") == READS_FACTS else ""


def _measured(diagnosis: Diagnosis, manifest: Mapping[str, Any]) -> None:
    """The exact counts behind the sentence on the verdict."""
    if not diagnosis.steps or diagnosis.undecided:
        return
    first = diagnosis.answer[0].type
    if found := reliability.of_type(first, reliability.mode_of(diagnosis), manifest):
        st.markdown(
            f"Measured on {found.measured_on}: right in {found.right_when_said.exactly} answers "
            f"“{DISEASES[first].name}”; found {found.found.exactly} true cases. Sure and unsure answers are "
            "counted alike."
        )
        st.caption(
            "Measured on patients that the models had not seen in training; the Model card has the protocol."
        )
