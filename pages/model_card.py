"""The model card of a bundle: what it was made of, how good it is, and where it fails."""

from __future__ import annotations

from functools import partial

import streamlit as st

from skin_ai import model_card
from skin_ai.predict import bundle as bundles
from skin_ai.predict.bundle import MANIFEST, BundleError
from skin_ai.views import page_entry
from skin_ai.views.card import sections as card
from skin_ai.views.case import bundle_choice

HOW_IT_IS_MADE = """
In the order of Mitchell et al. 2019, *Model Cards for Model Reporting*. Every figure is read from the
bundle's manifest, where training wrote it.
"""


def main() -> None:
    st.title("Model card")
    st.markdown(HOW_IT_IS_MADE)
    name = card.chosen_bundle("card_bundle")
    try:
        manifest = bundle_choice.manifest_of(name)
    except BundleError as error:
        st.error(str(error))
        return
    sha256 = bundles.sha256(bundles.WEIGHTS / name / MANIFEST)
    st.download_button(
        "Download as Markdown",
        partial(model_card.as_markdown, manifest),
        file_name=f"model_card_{name}_{sha256[:12]}.md",
        mime="text/markdown",
        on_click="ignore",
    )
    st.caption(f"Bundle {name}, sha256 of its manifest {sha256[:12]}.", width="content")
    card.show(model_card.sections(manifest))


page_entry.enter(main)
