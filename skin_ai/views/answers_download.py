"""Answers as files to download, on Compare and Feedback."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from skin_ai.study import export


def offer(answers: pd.DataFrame, with_patient_words: bool = False) -> None:
    with st.container(horizontal=True):
        for label, file_name, mime, write in (
            ("CSV (spreadsheets)", "answers.csv", "text/csv", export.to_csv),
            ("JSON Lines", "answers.jsonl", "application/jsonl", export.to_jsonl),
        ):
            content = partial(write, answers, with_patient_words=with_patient_words)
            st.download_button(label, content, file_name=file_name, mime=mime, on_click="ignore")
