"""What the app is and is not, how it works, what is kept, and what its models are made of."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import streamlit as st

from skin_ai import model_card
from skin_ai.predict.bundle import WITHOUT_PHOTO, BundleError, bundle_names
from skin_ai.views.card import sections as card
from skin_ai.views.case import bundle_choice

PACKAGES = ("streamlit", "torch", "timm", "transformers", "pillow", "plotly")

WHAT_IT_IS = """
skin_ai takes a photo of a skin lesion and the patient's words and gives a ranked differential diagnosis. It
shows what the photo suggests, which diagnoses were ruled out at which step, and whether words or photo
decided. It is for clinicians and researchers who study how such advice is used.
"""

WHAT_IT_IS_NOT = """
- It is not a medical device and has not been validated for care.
- It cannot tell that a lesion is harmless: a low probability of melanoma does not exclude melanoma.
- It knows only the types listed below, and gives every other lesion one of these names.
- It misreads some free text, such as sarcasm, typing errors or two spots in one text. Check the facts shown
  below the words: if they are wrong, the answer can be worse than from the photo alone.
- It does not notice every photo that is unusable or shows no skin lesion.
- It was trained on photos from few clinics. With other cameras or patients, expect worse results.
"""

WHAT_SKIN_26_IS_NOT = """- From a photo, the 26-disease model knows only six of its 26 types, those of the
  6-tumour model. For the others it has the words alone.
- Most of the words that the 26-disease model was trained on are made up. The figures on volunteers' own words
  are nearer to your patients than those on made-up stories (see the Model card).
"""

HOW_IT_WORKS = """
1. An image model gives each type a probability from the photo.
2. A language model reads the patient's words together with these probabilities. The 6-tumour model reads the
   facts found in the words, the 26-disease model the words themselves.
3. It starts with all types, keeps the most probable, and is run again with only these, until one is left.
4. If no type is likely enough, the answer is "not sure" and lists what is still possible.
5. Every step is also run without the words and without the photo. The difference shows what each contributed.

A type that is ruled out keeps the probability that it had then, so the answer adds up to 100%.

The method is called Chain of Options: the language model is trained with one example for each step. This is
our interpretation of [arXiv 2411.13855](https://arxiv.org/abs/2411.13855), which publishes neither prompts
nor code.

You give your own diagnosis before the AI runs, because people who see advice first follow it even when it is
wrong (Buçinca 2021, Tschandl 2020). The Compare page shows how your answers changed, helpful and harmful
changes separately.
"""

WHAT_IS_KEPT = """
- **For each case**: the patient's words, age, site and skin type, your answers with times, the AI's result
  and your feedback. They are stored on the computer that runs this app or in the study's database, and
  nowhere else. "Delete this case" deletes all of it.
- **The photo** loses its metadata and stays in memory until your session ends. It is saved only if you tick
  that for a case, or if it belongs to a deck.
- **About you**: a pseudonym, and your role and years of practice if you give them. A cookie lets this browser
  open your cases again.
- **What you typed and have not saved** stays in the server's memory for ten minutes, in case you reload the
  page; not in conference mode.

Nothing is sent to anyone else.
"""

LICENCE = (
    "The code is under the Apache License 2.0. The sample photos are from PAD-UFES-20 (CC BY 4.0); no model "
    "was trained on them, and their words were written for this project."
)


def main() -> None:
    st.title("About")
    st.header("What it is")
    st.markdown(WHAT_IT_IS)
    st.header("What it is not")
    st.markdown(WHAT_IT_IS_NOT + (WHAT_SKIN_26_IS_NOT if WITHOUT_PHOTO in bundle_names() else ""))
    st.header("How it works")
    st.markdown(HOW_IT_WORKS)
    st.header("What is kept")
    st.markdown(WHAT_IS_KEPT)
    if len(bundle_names()) > 1:
        st.header("The AI models")
        st.markdown("Types, data and versions of:")
    try:
        manifest = bundle_choice.manifest_of(card.chosen_bundle("about_bundle"))
    except BundleError as error:
        st.error(str(error))
        return
    st.header("The types it knows")
    st.table(model_card.types_of(manifest), hide_index=True, border="horizontal")
    st.page_link("skin_ai/pages/model_card.py", label="How good it is: Model card")
    show_sources(manifest)
    show_versions(manifest)


def show_sources(manifest: dict[str, Any]) -> None:
    st.header("Data and licences")
    lines = [*model_card.data_sources(manifest), LICENCE]
    st.markdown("\n".join(f"- {line}" for line in lines))


def show_versions(manifest: dict[str, Any]) -> None:
    st.header("Versions")
    schedule = " → ".join(str(options) for options in manifest["language_model"]["schedule"])
    st.markdown(
        f"- {bundle_choice.title(manifest['name'])} (bundle {manifest['name']}), made by skin_ai "
        f"{manifest['code_version']}\n"
        f"- Image model {manifest['image_model']['backbone']}\n"
        f"- Language model {manifest['language_model']['base']}\n"
        f"- Options at each step: {schedule}\n"
        f"- {', '.join(f'{package} {version(package)}' for package in PACKAGES)}"
    )


main()
