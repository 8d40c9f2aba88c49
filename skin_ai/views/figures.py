"""The figures that a manifest holds: in short, and in tables beside how they were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from skin_ai.views.elimination import name

MODES = {
    "photo_only": "Photo only",
    "words_only": "Words only",
    "single_pass": "Single pass",
    "chain": "Chain",
    "words_only_in_held_out_wordings": "Words only, in wordings never trained on",
    "chain_in_held_out_wordings": "Chain, in wordings never trained on",
}
MODES_OF_WORDS = {
    "chain": "Chain",
    "single_pass": "Single pass",
    "control_single_pass": "Control, single pass",
    "control_chain": "Control, chain",
    "most_frequent": "Always the most frequent types",
    "regression_on_fields": "Regression on the same fields",
    "regression_on_words": "Regression on the words",
}
MEASURES = {
    "balanced_accuracy": "Balanced accuracy",
    "macro_auc": "Macro AUC",
    "top3": "Top 3",
    "accuracy": "Accuracy",
    "ece": "Calibration error",
}
MEASURES_OF_WORDS = {
    "balanced_accuracy": "Balanced accuracy",
    "accuracy": "Accuracy (top 1)",
    "top3": "Top 3",
}
IN_ONE_TABLE = 3  # measures: what a phone shows without scrolling sideways
MANY_TYPES = 8  # from more on, a confusion matrix is wider than a phone

PHOTOS = "photos and words of PAD-UFES-20"
WORDS = {"scin": "words of volunteers (SCIN)", "stories-26": "made-up stories"}  # by source
IN_SHORT = {"scin": ("top3", "accuracy")}  # by source, the others by accuracy alone
HOW_TO_READ = (
    "Accuracy: how often the first answer is right; balanced: the mean over types. Top 3: how often one of "
    "the first three is. In brackets: 95% intervals. How they were measured: About."
)


def interval(figure: Mapping[str, Any] | None) -> str:
    """A value with its 95% interval, as 0.70 (0.67 to 0.73)."""
    if figure is None or figure.get("value") is None:
        return "not measured"
    value = f"{figure['value']:.2f}"
    if figure.get("low") is None or figure.get("high") is None:
        return value
    return f"{value} ({figure['low']:.2f} to {figure['high']:.2f})"


def in_short(manifest: Mapping[str, Any]) -> list[str]:
    """A line for each kind of cases that the chain was measured on."""
    figures = manifest.get("figures", {})
    measured = [
        (WORDS.get(source, source), told.get("modes", {}).get("chain"), IN_SHORT.get(source, ("accuracy",)))
        for source, told in figures.get("words", {}).items()
    ]
    measured.append((PHOTOS, figures.get("modes", {}).get("chain"), ("balanced_accuracy",)))
    return [
        f"{what[0].upper()}{what[1:]}, n = {mode['n']:,}: "
        + ", ".join(f"{MEASURES[measure].lower()} {interval(mode.get(measure))}" for measure in measures)
        for what, mode, measures in measured
        if mode
    ]


def show(manifest: Mapping[str, Any]) -> None:
    """Everything that the manifest has, the photos first."""
    st.subheader("How well it does")
    figures, types = manifest.get("figures", {}), manifest["types"]
    measured = figures.get("modes", {}) | figures.get("others", {})
    modes = {key: measured[key] for key in MODES if key in measured}
    words = figures.get("words", {})
    if not modes and not words:
        st.markdown("This bundle has no figures.")
        return
    if words:
        st.markdown(f"#### On {PHOTOS}")
    if modes:
        _show_photos(figures, modes, types)
    for source, told in words.items():
        st.markdown(f"#### On {WORDS.get(source, source)}")
        _show_words(source, told, types)


def _show_photos(figures: Mapping[str, Any], modes: Mapping[str, Any], types: Sequence[str]) -> None:
    st.markdown(figures.get("protocol", "The manifest does not say how the figures were made."))
    measures = [key for key in MEASURES if any(key in mode for mode in modes.values())]
    for shown in (measures[:IN_ONE_TABLE], measures[IN_ONE_TABLE:]):
        _show_modes(modes, MODES, {measure: MEASURES[measure] for measure in shown})
    cases = " or ".join(sorted({f"{mode['n']:,}" for mode in modes.values()}))
    st.caption(f"In brackets: 95% intervals. Cases: {cases}. Best is 1, for the calibration error 0.")
    for entry in figures.get("comparison", {}).values():
        st.markdown(f"- {entry['text']}: {interval(entry)}")
    by_mode = {key: mode for key, mode in modes.items() if key in figures.get("modes", {})}
    if by_mode:
        st.markdown("##### By type")
        shown_mode = st.segmented_control(
            "Figures of",
            list(by_mode),
            format_func=MODES.__getitem__,
            default=list(by_mode)[-1],
            required=True,
            label_visibility="collapsed",
        )
        _show_by_type(by_mode[shown_mode], types)


def _show_words(source: str, told: Mapping[str, Any], types: Sequence[str]) -> None:
    st.markdown(told.get("protocol", "The manifest does not say how the figures were made."))
    modes = {key: told["modes"][key] for key in MODES_OF_WORDS if key in told.get("modes", {})}
    if not modes:
        return
    _show_modes(modes, MODES_OF_WORDS, MEASURES_OF_WORDS)
    cases = " or ".join(sorted({f"{mode['n']:,}" for mode in modes.values()}))
    st.caption(
        f"In brackets: 95% intervals. Cases: {cases}. Control: the same model and data, trained with all "
        "options in every example (plain fine-tuning)."
    )
    if comparison := told.get("comparison"):
        st.table(
            [
                {"Difference": entry["text"]}
                | {label: interval(entry.get(measure)) for measure, label in MEASURES_OF_WORDS.items()}
                for entry in comparison.values()
            ],
            hide_index=True,
            border="horizontal",
        )
    with st.expander(f"By type: {WORDS.get(source, source)}, {MODES_OF_WORDS[next(iter(modes))].lower()}"):
        _show_by_type(next(iter(modes.values())), types)


def _show_modes(modes: Mapping[str, Any], labels: Mapping[str, str], measures: Mapping[str, str]) -> None:
    st.table(
        [
            {"": labels[key]} | {label: interval(mode.get(measure)) for measure, label in measures.items()}
            for key, mode in modes.items()
        ],
        hide_index=True,
        border="horizontal",
    )


def _show_by_type(mode: Mapping[str, Any], types: Sequence[str]) -> None:
    is_wide = len(types) > MANY_TYPES
    wrong = most_frequent_wrong(mode.get("confusion"), types) if is_wide else {}
    if "recall" in mode:
        st.table(
            [
                {"Type": name(type_), "Recall": interval(mode["recall"][type_])}
                | ({"Most often taken for": wrong.get(type_, "")} if is_wide else {})
                for type_ in types
                if type_ in mode["recall"]
            ],
            hide_index=True,
            border="horizontal",
        )
        if is_wide:
            st.caption("Most often taken for: the most frequent wrong first answer, in how many cases.")
    if "confusion" in mode and not is_wide:
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


def most_frequent_wrong(confusion: Sequence[Sequence[int]] | None, types: Sequence[str]) -> dict[str, str]:
    """Type -> what it is most often taken for, as "Nevus (3 of 20)"; "" where it is never wrong.

    confusion: (K, K) cases, rows what it was, columns the first answer.
    """
    found = {}
    for place, (type_, row) in enumerate(zip(types, confusion or (), strict=bool(confusion))):
        wrong = [0 if column == place else count for column, count in enumerate(row)]
        most = max(wrong)
        found[type_] = f"{name(types[wrong.index(most)])} ({most} of {sum(row)})" if most else ""
    return found
