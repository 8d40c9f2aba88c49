"""How often the facts found in the words were corrected, for whoever runs the study."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from skin_ai.study import kept_facts
from skin_ai.study.kept_facts import FactCount
from skin_ai.views.case.symptom_form import name_of
from skin_ai.vocabulary import plural

WHAT = (
    "How often readers corrected the facts found in the patient's words before they went on. Deck cases are "
    "not counted: their facts cannot be changed."
)


def show(answers: pd.DataFrame) -> None:
    """The table below the other sections; nothing where no facts were confirmed."""
    n_cases, counts = kept_facts.counts(answers)
    if not n_cases:
        return
    st.header("Facts found in the words")
    st.markdown(f"{WHAT} {plural(n_cases, 'case')}.")
    st.table([_row(fact, count) for fact, count in counts.items()], hide_index=True, border="horizontal")


def _row(fact: str, count: FactCount) -> dict[str, str]:
    share = f" ({count.corrected / count.found:.0%})" if count.found else ""
    return {
        "Fact": "All" if fact == kept_facts.ALL else name_of(fact),
        "Found": f"{count.found}",
        "Corrected": f"{count.corrected}{share}",
        "Not found, added by hand": f"{count.added}",
    }
