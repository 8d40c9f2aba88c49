"""The model card of a bundle: how good it is, where it fails, and what it is for."""

from __future__ import annotations

from functools import partial

import streamlit as st

from skin_ai import model_card
from skin_ai.predict import bundle as bundles
from skin_ai.predict.bundle import MANIFEST, BundleError
from skin_ai.views.card import sections as card
from skin_ai.views.case import bundle_choice


def main() -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title("Model card", width="content")
        name = card.chosen_bundle("card_bundle")
    try:
        manifest = bundle_choice.manifest_of(name)
    except BundleError as error:
        st.error(str(error))
        return
    card.show(manifest)
    show_downloads(name, partial(model_card.as_markdown, manifest))


def show_downloads(name: str, as_markdown: partial[str]) -> None:
    path = bundles.WEIGHTS / name / MANIFEST
    sha256 = bundles.sha256(path)[:12]
    with st.container(horizontal=True):
        st.download_button(
            "Download as Markdown",
            as_markdown,
            file_name=f"model_card_{name}_{sha256}.md",
            mime="text/markdown",
            on_click="ignore",
        )
        st.download_button(
            "Download all figures (JSON)",
            path.read_bytes,
            file_name=f"manifest_{name}_{sha256}.json",
            mime="application/json",
            on_click="ignore",
        )
    st.caption(
        f"Sections follow Mitchell et al. 2019, *Model Cards for Model Reporting*. All figures come from the "
        f"model's manifest (sha256 {sha256}); the JSON file contains further figures.",
        width="content",
    )


main()
