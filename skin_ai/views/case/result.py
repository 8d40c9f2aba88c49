"""A diagnosis on the page: the clinician's own compared with it, then photo, elimination and answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

import streamlit as st

from skin_ai.diseases import DISEASES, Nature
from skin_ai.predict import heatmap_overlay, stability
from skin_ai.predict.bundle import READS_FACTS
from skin_ai.predict.chain import Probability
from skin_ai.predict.diagnose import FLAGS, Diagnosis
from skin_ai.predict.words import in_words
from skin_ai.views.case import elimination, elimination_text, photo_evidence, what_if
from skin_ai.views.case.elimination import name, percent
from skin_ai.views.case.elimination_text import in_a_row
from skin_ai.views.case.own_answer import MARK, ORDINALS, Own

if TYPE_CHECKING:
    from skin_ai.predict.bundle import Bundle

SHOW_ANYWAY = "Show anyway"
LISTED = 6  # types that are listed; the others of a larger label set are summed up in a line
LEAST_SUSPICION = 0.2  # of the photo model, from which a malignant type is named
NOTABLE_DIFFERENCE = 0.05  # of a probability, between chain and single pass

WHAT_PROBABILITIES_MEAN = {
    "balanced": "The probabilities assume that all types are equally common. A type that is rarer among your "
    "patients is less probable than shown, one that is more common is more probable.",
    "prior": "The probabilities assume types as common as in the clinic that the training data came from.",
}  # by the manifest's "probabilities"


def show(
    diagnosis: Diagnosis,
    manifest: Mapping[str, Any] | None,
    models: Callable[[], Bundle],
    own_ranks: tuple[str, ...] = (),
    ask_for_photo: Callable[[], None] = lambda: None,
) -> None:
    """The whole result.

    manifest and models: of the bundle that made the diagnosis, the models only where they are asked again;
    manifest is None where that bundle is no longer there and nothing can be asked. own_ranks: the
    clinician's diagnoses, codes or free text, empty where the AI was shown at once. ask_for_photo: asks for
    a photo that was not kept.
    """
    own = Own(own_ranks)
    narrative, figures = diagnosis.narrative, manifest or {}
    for flag in diagnosis.flags:
        st.markdown(f"**Note:** {FLAGS[flag]}")
    if diagnosis.is_foreign and not narrative and not st.toggle(SHOW_ANYWAY, key="show_anyway"):
        return
    if narrative and figures.get("language_model", {}).get("reads") == READS_FACTS:
        st.text(f"Understood from the words: {narrative}")
    for variant, type_ in diagnosis.unstable.items():
        st.markdown(f"**Unstable:** {stability.in_words(variant, type_, narrative)}")
    if own.ranks and diagnosis.steps:
        st.subheader("Your diagnosis and the AI's")
        _own_beside_answer(diagnosis, own)
    headings = count(1)
    if diagnosis.recommendations:
        st.subheader(f"{next(headings)} · What the photo model recommends")
        _photo_beside_recommendations(diagnosis, own, manifest, models, ask_for_photo, hides=bool(narrative))
    if diagnosis.steps:
        st.subheader(f"{next(headings)} · How the options were eliminated")
        _elimination(diagnosis, own)
        if manifest is not None:
            what_if.show(diagnosis)
    else:
        st.markdown("Only the ranked answer of this result was saved.")
    st.subheader(f"{next(headings)} · Answer")
    _answer(diagnosis, own, figures)
    if (meaning := WHAT_PROBABILITIES_MEAN.get(figures.get("probabilities", ""))) is not None:
        st.caption(meaning)


def _own_beside_answer(diagnosis: Diagnosis, own: Own) -> None:
    """A sentence on each of the clinician's diagnoses: agreed, ruled out (step and reason), or unknown."""
    first = diagnosis.answer[0]
    if not own.ordinal(first.type) and not diagnosis.undecided:
        st.markdown(
            f"The AI's first diagnosis, **{DISEASES[first.type].name}, {percent(first.probability)}**, "
            "is not among yours."
        )
    for ordinal, rank in zip(ORDINALS, own.ranks, strict=False):
        label = f"{MARK} Your {ordinal}, {elimination_text.own_name(rank)},"
        if rank in diagnosis.undecided:
            fate = "is one of the types that the AI is undecided between."
        else:
            fate = elimination_text.own_fate(rank, diagnosis.steps, diagnosis.answer, own)
        if rank in DISEASES:
            st.markdown(f"**{label}** {fate}")
        else:
            # As plain text, so that what the clinician typed is not read as Markdown.
            st.text(f"{label} {fate}")
    if any(own.ordinal(item.type) for item in diagnosis.answer):
        st.caption(elimination_text.WHAT_ODDS_MEAN)


def _photo_beside_recommendations(
    diagnosis: Diagnosis,
    own: Own,
    manifest: Mapping[str, Any] | None,
    models: Callable[[], Bundle],
    ask_for_photo: Callable[[], None],
    *,
    hides: bool,
) -> None:
    """hides: the recommendations for a foreign photo, until they are asked for."""
    left, right = st.columns(2, gap="large")
    if diagnosis.is_foreign and hides:
        with right:
            st.markdown("Hidden, because the photo is unlike those that the photo model was trained on.")
            shows = st.toggle(SHOW_ANYWAY, key="show_anyway")
        if not shows:
            with left:
                photo_evidence.photo(diagnosis.square)
            return
    with left:
        if manifest is None:
            photo_evidence.photo(diagnosis.square)
        elif diagnosis.square is None:
            ask_for_photo()
        else:
            photo_evidence.show(diagnosis, own, models, manifest.get("figures", {}).get("heatmaps"))
    with right:
        st.markdown("From the photo alone:")
        _bars(diagnosis.recommendations, own)
        first = diagnosis.answer[0].type
        known = [item.type for item in diagnosis.recommendations]
        if first not in known:
            st.caption(heatmap_overlay.no_map_for(DISEASES[first].name, known))


def _bars(ranked: Sequence[Probability], own: Own) -> None:
    """A bar and its number for the most probable types and the clinician's, a line for the others."""
    for item in _listed(ranked, own):
        text = f"{name(item.type)} · **{percent(item.probability)}**"
        st.progress(min(1.0, item.probability), text=_marked(text, item.type, own))
    _others(ranked, own)


def _marked(text: str, type_: str, own: Own) -> str:
    return " · ".join(filter(None, (text, own.mark(type_))))


def _listed(ranked: Sequence[Probability], own: Own) -> list[Probability]:
    return [item for rank, item in enumerate(ranked) if rank < LISTED or own.ordinal(item.type)]


def _others(ranked: Sequence[Probability], own: Own) -> None:
    listed = _listed(ranked, own)
    if others := [item for item in ranked if item not in listed]:
        st.caption(f"{len(others)} others together: {percent(sum(item.probability for item in others))}")


def _elimination(diagnosis: Diagnosis, own: Own) -> None:
    sentences = elimination_text.step_sentences(diagnosis.steps, own)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.html(elimination.FOLLOW_THEME)
        st.plotly_chart(
            elimination.figure(diagnosis.steps, own),
            config={"displayModeBar": False},
            alt=" ".join(sentences),
            key="elimination",
        )
        st.caption(elimination.legend(diagnosis.steps, own))
    with right:
        if diagnosis.undecided:
            st.markdown(f"**Not sure** between {in_a_row([name(t) for t in diagnosis.undecided])}.")
        for sentence in sentences:
            number, rest = sentence.split(":", 1)
            st.markdown(f"**{number}:**{rest}")
    with st.expander("The elimination as a table"):
        st.table(elimination.table(diagnosis.steps, own), hide_index=True, border="horizontal")
        st.caption(
            "Words and photo: by how much each moved the type's logit relative to the other options; "
            "+0.7 doubles the odds, -0.7 halves them."
        )


def _answer(diagnosis: Diagnosis, own: Own, manifest: Mapping[str, Any]) -> None:
    first = diagnosis.answer[0]
    disease = DISEASES[first.type]
    if diagnosis.undecided:
        _not_sure(diagnosis, own, manifest)
    else:
        st.markdown(
            f"### {name(first.type)}, {percent(first.probability)}\n"
            + _marked(f"{disease.nature.capitalize()} · ICD-10 {disease.icd10}", first.type, own)
        )
    single = {item.type: item.probability for item in diagnosis.single_pass}
    differ = _differ(diagnosis)
    st.table(
        [
            {
                # In one column: a phone has no room for another.
                "Type": f"{name(item.type)} ({DISEASES[item.type].icd10}), {DISEASES[item.type].nature}",
                **({"Yours": own.ordinal(item.type)} if own.ranks else {}),
                "Chain" if differ else "Probability": percent(item.probability),
                **({"Single pass": percent(single[item.type])} if differ else {}),
            }
            for item in _listed(diagnosis.answer, own)
        ],
        hide_index=True,
        border="horizontal",
    )
    _others(diagnosis.answer, own)
    st.markdown(_by_nature(diagnosis.answer))
    if not diagnosis.single_pass:
        return
    st.caption(
        "Chain: the answer after elimination. Single pass: the same model asked once with all options."
        if differ
        else "Asked once with all options (single pass), the same model gives the same order "
        "and nearly the same probabilities."
    )


def _not_sure(diagnosis: Diagnosis, own: Own, manifest: Mapping[str, Any]) -> None:
    """The candidates, and any malignant type that the photo alone puts first or at LEAST_SUSPICION."""
    left = [_marked(name(type_), type_, own) for type_ in diagnosis.undecided]
    least = manifest.get("least_probability")
    reasons = [f"Still possible: {', '.join(left)}."]
    if least and diagnosis.answer[0].probability < least:
        reasons.append(f"No type reaches {percent(least)}.")
    if diagnosis.matters:
        reasons.append(in_words(diagnosis.matters))
    reasons += [
        f"The photo alone suggests {name(item.type)} ({percent(item.probability)})."
        for rank, item in enumerate(diagnosis.recommendations)
        if DISEASES[item.type].nature is Nature.MALIGNANT
        and (rank == 0 or item.probability >= LEAST_SUSPICION)
        and item.type not in diagnosis.undecided
    ]
    st.markdown("### Not sure")
    st.markdown(" ".join(reasons))


def _differ(diagnosis: Diagnosis) -> bool:
    """Whether the single pass would tell the reader something else than the chain."""
    single = {item.type: item.probability for item in diagnosis.single_pass}
    if not single:  # of a result of which only the answer was kept
        return False
    return [item.type for item in diagnosis.answer] != [item.type for item in diagnosis.single_pass] or any(
        abs(item.probability - single[item.type]) >= NOTABLE_DIFFERENCE for item in diagnosis.answer
    )


def _by_nature(ranked: Sequence[Probability]) -> str:
    sums = {
        nature: sum(item.probability for item in ranked if DISEASES[item.type].nature is nature)
        for nature in (Nature.MALIGNANT, Nature.PRE_MALIGNANT, Nature.BENIGN)
    }
    return (
        "Taken together: " + ", ".join(f"{nature} {percent(total)}" for nature, total in sums.items()) + "."
    )
