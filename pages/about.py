"""What the tool is and is not, how it works, and what its bundles are made of."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import streamlit as st

from skin_ai import model_card
from skin_ai.predict.bundle import BundleError, bundle_names
from skin_ai.views import page_entry
from skin_ai.views.card import sections as card
from skin_ai.views.case import bundle_choice

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
  the photo alone would (see the model card). The sentences of the symptom form are what it understands best.
- It does not notice every photo that is unusable or shows no skin lesion, and it cannot say that a lesion is
  harmless. A low probability of melanoma is not an exclusion of melanoma.
- Its photos come from few clinics: where your camera or your patients differ, expect it to do worse.
"""

WHAT_SKIN_26_IS_NOT = """- Of the 26 types of the bundle skin-26, its photo model knows six only, those of
  pad-ufes-20: for the others it has the words alone.
- Most of the words that skin-26 was trained on are made up. Figures on made-up stories say that it learnt
  them; what to expect of patients, the figures on words of volunteers say (see the model card).
"""

HOW_IT_WORKS = """
An image model ranks the types from the photo and passes its probabilities on. A language model reads the
patient's words together with these recommendations and eliminates options in steps: it starts with all
types, keeps the most probable, and asks itself again with only these, until one is left. Where going on
would be a guess it says "not sure", and what is left is the answer. It was trained with
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

LICENCE = "The code is under the Apache License 2.0. The sample images are drawings, not photos of patients."


def main() -> None:
    st.title("About")
    st.subheader("What it is")
    st.markdown(WHAT_IT_IS)
    st.subheader("What it is not")
    st.markdown(
        WHAT_IT_IS_NOT + (WHAT_SKIN_26_IS_NOT if bundle_choice.WITHOUT_PHOTO in bundle_names() else "")
    )
    st.subheader("How it works")
    st.markdown(HOW_IT_WORKS)
    st.subheader("What is kept")
    st.markdown(WHAT_IS_KEPT)
    try:
        manifest = chosen_manifest()
    except BundleError as error:
        st.error(str(error))
        return
    st.subheader("The types it knows")
    st.table(model_card.types_of(manifest), hide_index=True, border="horizontal")
    st.page_link("pages/model_card.py", label="How well it does: Model card")
    show_sources(manifest)
    show_versions(manifest)


def chosen_manifest() -> dict[str, Any]:
    """Of the bundle that all that follows is about; raises BundleError."""
    if len(bundle_names()) > 1:
        st.subheader("The bundles")
        st.markdown("Types, data and versions below are of one bundle; the Case page lets you choose.")
    return bundle_choice.manifest_of(card.chosen_bundle("about_bundle"))


def show_sources(manifest: dict[str, Any]) -> None:
    st.subheader("Data and licences")
    lines = [*model_card.data_sources(manifest), LICENCE]
    st.markdown("\n".join(f"- {line}" for line in lines))


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


page_entry.enter(main)
