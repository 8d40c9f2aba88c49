"""The AI's result: verdict and funnel at a glance, everything else behind a click."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from skin_ai.diseases import DISEASES, Nature
from skin_ai.predict import heatmap_overlay, stability, words
from skin_ai.predict.bundle import READS_FACTS
from skin_ai.predict.diagnose import FEW_TYPES, FLAGS, NO_FACTS, NOT_ENGLISH, UNLIKE, UNLIKE_ALONE, Diagnosis
from skin_ai.views.case import elimination, funnel, outcome, photo_evidence, pictures, reliability, what_if
from skin_ai.views.case.case_state import current_case
from skin_ai.views.case.elimination import in_a_row, name, percent
from skin_ai.views.case.own_answer import ORDINALS, Own

if TYPE_CHECKING:
    from skin_ai.predict.bundle import Bundle

STYLE: Final = Path(__file__).with_suffix(".css")
SHOW_ANYWAY: Final = "Show anyway"
LISTED: Final = 6  # types that a table of a larger label set lists, besides the clinician's own
LEAST_SUSPICION: Final = 0.2  # of the photo model, from which a malignant type is named
NOTABLE_DIFFERENCE: Final = 0.05  # of a probability, between chain and single pass
SERIOUS: Final = (UNLIKE, UNLIKE_ALONE, NOT_ENGLISH, NO_FACTS, FEW_TYPES, "words_cut")  # flags on the verdict
SAID_BY_THE_DOTS: Final = ("no_photo", "no_words", "disagree")  # the last one by the table of all numbers

WHAT_PROBABILITIES_MEAN: Final = {
    "balanced": "The probabilities assume that all types are equally common. A type that is rarer among your "
    "patients is less probable than shown, one that is more common is more probable.",
    "prior": "The probabilities assume types as common as in the clinic that the training data came from.",
}  # by the manifest's "probabilities"


def show_verdict(
    diagnosis: Diagnosis,
    manifest: Mapping[str, Any],
    own: Own,
    confidence: int | None,
    case_id: str,
    *,
    takes_focus: bool = True,
) -> None:
    """What it is, how sure, whether both agree, and how it was found; "Show anyway" where it is a guess.

    confidence: the clinician's, 0 to 100, None where the AI was shown at once.
    """
    st.html(STYLE)
    is_guess = diagnosis.is_foreign and not diagnosis.narrative
    if is_guess and not st.toggle(SHOW_ANYWAY, key="show_anyway"):
        outcome.heading("The AI's answer is a guess", "verdict", case_id, takes_focus=takes_focus)
        _unsure([FLAGS[UNLIKE_ALONE]])
        return
    with st.container(key="verdict"):
        if diagnosis.square is not None:
            with st.container(key="verdict_photo"):
                pictures.show(pictures.as_uri(diagnosis.square), "", "The lesion, as the model saw it")
        with st.container(key="verdict_side", gap="xsmall"):
            outcome.heading(headline(diagnosis, own), "verdict", case_id, takes_focus=takes_focus)
            with st.container(key="both", horizontal=True, gap="medium"):
                if confidence is not None:
                    _yours(own, confidence)
                _ais(diagnosis)
        with st.container(key="verdict_facts", gap="xsmall"):
            st.html(_facts(diagnosis))
            if cautions := _cautions(diagnosis):
                _unsure(cautions)
            if said := reliability.in_words(diagnosis, manifest):
                st.html(f'<p class="reliability">{said}</p>')
    if _has_funnel(diagnosis):
        with st.container(key="funnel"):
            st.html(funnel.html(diagnosis.steps, diagnosis.undecided, own))
        st.caption(funnel.LEGEND)
    for flag in diagnosis.flags:
        if flag not in (*SERIOUS, *SAID_BY_THE_DOTS):
            st.caption(FLAGS[flag])


def headline(diagnosis: Diagnosis, own: Own) -> str:
    """Whether the clinician and the AI agree."""
    first = diagnosis.answer[0].type
    if diagnosis.undecided:
        if not own.ranks:
            return "The AI is not sure"
        is_possible = own.ranks[0] in diagnosis.undecided
        return f"The AI is not sure; yours is {'among' if is_possible else 'not among'} its candidates"
    if not own.ranks:
        return "The AI's answer"
    if own.ranks[0] == first:
        return "You and the AI agree"
    if own.ordinal(first):
        return f"The AI's first diagnosis is your {own.ordinal(first)}"
    types = [item.type for item in diagnosis.answer]
    if own.ranks[0] not in types:
        return f"Your diagnosis is not one of the {len(types)} that the AI knows"
    return "You and the AI differ"


def _yours(own: Own, confidence: int) -> None:
    """As plain text, for a diagnosis may be what the clinician typed."""
    first, *others = [" ".join((name(rank) if rank in DISEASES else rank).split()) for rank in own.ranks]
    with st.container(key="you"):
        st.html('<p class="who">You</p>')
        with st.container(key="you_first"):
            st.text(f"{first} {confidence}%")
        if others:
            with st.container(key="you_others"):
                ranked = zip(ORDINALS[1:], others, strict=False)
                st.text(", ".join(f"{ordinal} {other}" for ordinal, other in ranked))


def _ais(diagnosis: Diagnosis) -> None:
    first = diagnosis.answer[0]
    verdict = "Not sure" if diagnosis.undecided else f"{name(first.type)} {percent(first.probability)}"
    with st.container(key="ai"):
        st.html(f'<p class="who">AI</p><p class="diagnosis">{verdict}</p>')


def _facts(diagnosis: Diagnosis) -> str:
    malignant = _total(diagnosis, Nature.MALIGNANT)
    said = [
        f"<p>Malignant in total <b>{percent(malignant)}</b>"
        f'<span class="malignant" style="--share: {malignant:.0%}"></span></p>'
    ]
    if diagnosis.steps:
        said += [_contribution(diagnosis, source) for source in elimination.SOURCES]
    return f'<div class="facts">{"".join(said)}</div>'


def _contribution(diagnosis: Diagnosis, source: elimination.Source) -> str:
    """Three dots: how much history or photo raised the odds of the verdict, or of its candidates."""
    label, step = elimination.SOURCES[source].capitalize(), diagnosis.steps[0]
    if not elimination.is_used(step, source):
        is_missing = {"words": "no_words", "photo": "no_photo"}[source] in diagnosis.flags
        return f"<p>{label}: {'none' if is_missing else 'not used'}</p>"
    types = diagnosis.undecided or (diagnosis.answer[0].type,)
    if len(types) == len(step.options) or FEW_TYPES in diagnosis.flags:
        return ""
    moved = elimination.contribution(step, types, source)
    if moved <= -elimination.NOTABLE:
        return f"<p>{label}: speaks against it</p>"
    count = elimination.dots(moved)
    return (
        f'<p>{label} <span class="dots" role="img" aria-label="{count} of 3">'
        f"{'●' * count}{'○' * (3 - count)}</span></p>"
    )


def _has_funnel(diagnosis: Diagnosis) -> bool:
    """Not where nothing was ruled out by evidence."""
    is_open = bool(diagnosis.steps) and len(diagnosis.undecided) == len(diagnosis.steps[0].options)
    return bool(diagnosis.steps) and not is_open and FEW_TYPES not in diagnosis.flags


def _cautions(diagnosis: Diagnosis) -> list[str]:
    """What the one amber box says; nothing where the answer is sure and stable."""
    said = [_not_sure(diagnosis)] if diagnosis.undecided else []
    if diagnosis.matters:
        said.append(words.in_words(diagnosis.matters))
    if diagnosis.undecided and not diagnosis.is_foreign:
        said += [
            f"The photo alone gives {DISEASES[item.type].name} {percent(item.probability)}."
            for rank, item in enumerate(diagnosis.recommendations)
            if DISEASES[item.type].nature is Nature.MALIGNANT
            and (rank == 0 or item.probability >= LEAST_SUSPICION)
            and item.type not in diagnosis.undecided
        ]
    said += [
        stability.in_words(variant, type_, diagnosis.narrative)
        for variant, type_ in diagnosis.unstable.items()
    ]
    return [*said, *(FLAGS[flag] for flag in diagnosis.flags if flag in SERIOUS)]


def _not_sure(diagnosis: Diagnosis) -> str:
    if len(diagnosis.undecided) == len(diagnosis.answer):
        return "Not sure: all types are still possible."
    probability = {item.type: item.probability for item in diagnosis.answer}
    named = [f"{DISEASES[type_].name} ({percent(probability[type_])})" for type_ in diagnosis.undecided]
    return f"Not sure: {in_a_row(named, 'or')}."


def _unsure(said: list[str]) -> None:
    first, *others = said
    st.html(f'<p class="unsure"><b>{first}</b> {" ".join(others)}</p>')


def show_details(
    diagnosis: Diagnosis,
    manifest: Mapping[str, Any] | None,
    own: Own,
    models: Callable[[], Bundle],
    ask_for_photo: Callable[[], None],
    show_given: Callable[[], None],
) -> None:
    """What stands behind a click.

    manifest and models: of the bundle that made the diagnosis, the models only where they are asked again;
    manifest is None where that bundle is no longer there. ask_for_photo: asks for a photo that was not kept;
    show_given: shows photo and words as they were given.
    """
    if diagnosis.is_foreign and not diagnosis.narrative and not st.session_state.get("show_anyway"):
        show_given()
        return
    with st.container(key="details", gap="xxsmall"):
        if _has_funnel(diagnosis):
            with st.expander("Why each was ruled out"):
                _reasons(diagnosis, own)
        if diagnosis.recommendations and manifest is not None:
            key = f"heatmap_{current_case().id}"
            looked = st.expander("Where the photo model looked", key=key, on_change="rerun")
            if looked.open:
                with looked:
                    _evidence(diagnosis, manifest, own, models, ask_for_photo)
        if diagnosis.steps and manifest is not None:
            what_if.show(diagnosis)
        with st.expander("All numbers"):
            _all_numbers(diagnosis, manifest or {}, own)
        show_given()


def _reasons(diagnosis: Diagnosis, own: Own) -> None:
    taken = elimination.taken(diagnosis.steps, diagnosis.undecided)
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
        if not st.toggle(SHOW_ANYWAY, key="show_anyway"):
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
    totals = ", ".join(f"{nature} {percent(_total(diagnosis, nature))}" for nature in Nature)
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
    if manifest.get("language_model", {}).get("reads") == READS_FACTS and diagnosis.narrative:
        st.text(f"Understood from the words: {diagnosis.narrative}")
    if diagnosis.undecided:
        st.markdown("The steps after the answer stopped being sure are listed too.")
    st.table(elimination.steps_table(diagnosis.steps, own), hide_index=True, border="horizontal")
    st.caption(
        "History and photo: by how much each moved the type's logit relative to the other options; "
        "+0.7 doubles the odds, -0.7 halves them."
    )


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
        st.caption(manifest["figures"].get("protocol", ""))


def _total(diagnosis: Diagnosis, nature: Nature) -> float:
    return sum(item.probability for item in diagnosis.answer if DISEASES[item.type].nature is nature)
