"""What the tool is and is not, how it works, and the figures of its bundle."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import streamlit as st

from skin_ai.bundle import DEFAULT_BUNDLE, WEIGHTS, BundleError, read_manifest
from skin_ai.diseases import DISEASES
from skin_ai.views import door
from skin_ai.views.elimination import name

MODES = {
    "photo_only": "Photo only",
    "words_only": "Words only",
    "single_pass": "Single pass",
    "chain": "Chain",
    "words_only_in_held_out_wordings": "Words only, in wordings never trained on",
    "chain_in_held_out_wordings": "Chain, in wordings never trained on",
}
MEASURES = {
    "balanced_accuracy": "Balanced accuracy",
    "macro_auc": "Macro AUC",
    "top3": "Top 3",
    "accuracy": "Accuracy",
    "ece": "Calibration error",
}
IN_ONE_TABLE = 3  # measures: what a phone shows without scrolling sideways
PACKAGES = ("streamlit", "torch", "timm", "transformers", "pillow", "plotly")

WHAT_IT_IS = """
skin_ai takes a photo of a skin lesion and the patient's words and proposes a ranked differential
diagnosis. It shows how it came to it: what the photo suggests, which option fell at which step, and whether
words or photo decided. It is made for clinicians and researchers who study how such advice is used.
"""

WHAT_IT_IS_NOT = """
- It is not a medical device, and nothing in it has been validated for care.
- It knows only the types listed below. A lesion of any other type gets one of these names all the same.
- It reads the wordings that it was taught and misreads many others: then words can make the answer worse than
  the photo alone would (see the figures). The sentences of the symptom form are what it understands best.
- It cannot say that a photo is unusable or that a lesion is harmless. A low probability of melanoma is not an
  exclusion of melanoma.
- Its photos come from few clinics: where your camera or your patients differ, expect it to do worse.
"""

HOW_IT_WORKS = """
An image model ranks the types from the photo and passes its probabilities on. A language model reads the
patient's words together with these recommendations and eliminates options in steps: it starts with all
types, keeps the most probable, and asks itself again with only these, until one is left. It was trained with
one example for each step, which is called Chain of Options. This is our reading of
[arXiv 2411.13855](https://arxiv.org/abs/2411.13855), which publishes neither prompts nor code. An option
that is dropped keeps the probability that it had reached, so the answer sums to 100%. To tell what words and
photo contributed, every step is also asked with the words and with the photo left out.

You give your own diagnosis before the AI is even asked: seeing advice first makes people follow it, wrong
advice too (Buçinca 2021, Tschandl 2020). What changed between your first and your final answer is on the
Compare page, helpful and harmful changes apart.
"""

WHAT_IS_KEPT = """
On the computer that runs this app, or in the database of whoever runs the study, and nowhere else: the
patient's words and particulars, your answers with times, the AI's result, and your feedback. You are a code,
with your role and years of practice if you say them. A photo is stripped of its metadata and stays in memory
for the session; its pixels are kept only where you tick that for a case, or where a deck brings it. "Delete
this case" removes all of it. Nothing is sent anywhere.
"""


def main() -> None:
    st.title("About")
    st.subheader("What it is")
    st.markdown(WHAT_IT_IS)
    st.subheader("What it is not")
    st.markdown(WHAT_IT_IS_NOT)
    st.subheader("How it works")
    st.markdown(HOW_IT_WORKS)
    st.subheader("What is kept")
    st.markdown(WHAT_IS_KEPT)
    try:
        manifest = read_manifest(WEIGHTS / DEFAULT_BUNDLE)
    except BundleError as error:
        st.error(str(error))
        return
    show_types(manifest)
    show_figures(manifest.get("figures", {}), manifest["types"])
    show_sources(manifest)
    show_versions(manifest)


def show_types(manifest: dict[str, Any]) -> None:
    st.subheader("The types it knows")
    st.table(
        [
            {
                "Code": type_,
                "Type": name(type_),
                "Nature": str(DISEASES[type_].nature),
                "ICD-10": DISEASES[type_].icd10,
            }
            for type_ in manifest["types"]
        ],
        hide_index=True,
        border="horizontal",
    )


def show_figures(figures: dict[str, Any], types: list[str]) -> None:
    st.subheader("How well it does")
    measured = figures.get("modes", {}) | figures.get("others", {})
    modes = {key: measured[key] for key in MODES if key in measured}
    if not modes:
        st.markdown("This bundle has no figures.")
        return
    st.markdown(figures.get("protocol", "The manifest does not say how the figures were made."))
    measures = [key for key in MEASURES if any(key in mode for mode in modes.values())]
    for shown in (measures[:IN_ONE_TABLE], measures[IN_ONE_TABLE:]):
        st.table(
            [
                {"": MODES[key]} | {MEASURES[measure]: interval(mode.get(measure)) for measure in shown}
                for key, mode in modes.items()
            ],
            hide_index=True,
            border="horizontal",
        )
    cases = " or ".join(sorted({f"{mode['n']:,}" for mode in modes.values()}))
    st.caption(f"In brackets: 95% intervals. Cases: {cases}. Best is 1, for the calibration error 0.")
    for entry in figures.get("comparison", {}).values():
        st.markdown(f"- {entry['text']}: {interval(entry)}")
    show_by_type({key: mode for key, mode in modes.items() if key in figures["modes"]}, types)


def show_by_type(modes: dict[str, Any], types: list[str]) -> None:
    st.markdown("#### By type")
    chosen = st.segmented_control(
        "Figures of",
        list(modes),
        format_func=MODES.__getitem__,
        default=list(modes)[-1],
        required=True,
        label_visibility="collapsed",
    )
    mode = modes[chosen]
    if "recall" in mode:
        st.table(
            [
                {"Type": name(type_), "Recall": interval(mode["recall"][type_])}
                for type_ in types
                if type_ in mode["recall"]
            ],
            hide_index=True,
            border="horizontal",
        )
    if "confusion" in mode:
        with st.expander("Which types it takes for which"):
            st.table(
                [
                    {"": truth} | {answer: str(count) for answer, count in zip(types, row, strict=True)}
                    for truth, row in zip(types, mode["confusion"], strict=True)
                ],
                hide_index=True,
                border="horizontal",
            )
            st.caption("Rows: what the lesion was. Columns: the first answer. Cases.")


def interval(figure: dict[str, Any] | None) -> str:
    """A value with its 95% interval, as 0.70 (0.67 to 0.73)."""
    if figure is None:
        return "not measured"
    value = f"{figure['value']:.2f}"
    return f"{value} ({figure['low']:.2f} to {figure['high']:.2f})" if "low" in figure else value


def show_sources(manifest: dict[str, Any]) -> None:
    st.subheader("Data and licences")
    lines = [
        f"- Trained on {source['name']}, {source['licence']}. {source.get('citation', '')}"
        for source in manifest.get("data", [])
    ]
    lines += [
        f"- Started from the weights {source['name']}, {source['licence']}."
        for source in manifest.get("starting_weights", [])
    ]
    lines.append(
        "- The code is under the Apache License 2.0. Sample photos are drawn by code and show nobody."
    )
    st.markdown("\n".join(lines))


def show_versions(manifest: dict[str, Any]) -> None:
    st.subheader("Versions")
    schedule = " → ".join(str(options) for options in manifest["language_model"]["schedule"])
    st.markdown(
        f"- Bundle {manifest['name']}, made by skin_ai {manifest['code_version']}\n"
        f"- Image model {manifest['image_model']['backbone']}\n"
        f"- Language model {manifest['language_model']['base']}\n"
        f"- Options at each step: {schedule}\n"
        f"- {', '.join(f'{package} {version(package)}' for package in PACKAGES)}"
    )


door.enter(main)
