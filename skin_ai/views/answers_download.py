"""Files to download on Compare and Feedback: single answers for study staff, figures for everybody."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from skin_ai.study import aggregates, export


def offer(answers: pd.DataFrame, with_patient_words: bool = False) -> None:
    with st.container(horizontal=True):
        for label, file_name, mime, write in (
            ("CSV (spreadsheets)", "answers.csv", "text/csv", export.to_csv),
            ("JSON Lines", "answers.jsonl", "application/jsonl", export.to_jsonl),
        ):
            content = partial(write, without_early_references(answers), with_patient_words=with_patient_words)
            st.download_button(label, content, file_name=file_name, mime=mime, on_click="ignore")


def offer_figures(answers: pd.DataFrame) -> None:
    st.download_button(
        "Figures (CSV)",
        partial(aggregates.to_csv, answers),
        file_name="figures.csv",
        mime="text/csv",
        on_click="ignore",
    )


def without_early_references(answers: pd.DataFrame) -> pd.DataFrame:
    """Without the reference of a sample whose final answer is still to come."""
    is_final = answers["case"].isin(answers["case"][answers["stage"] == "after"])
    return answers.assign(truth=answers["truth"].mask((answers["deck"] == "") & ~is_final, ""))
