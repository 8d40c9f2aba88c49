"""One way against another: Chain of Options, simple models, the figures of others, words alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skin_ai.model_card import nested
from skin_ai.model_card.blocks import NOT_MEASURED, Block, Text, counted, interval, table, with_n
from skin_ai.model_card.labels import MEASURES, MODES, OTHER_MODES, label, type_name
from skin_ai.model_card.rows import cases_of, most_frequent_wrong, rows_of

Figures = Mapping[str, Any]

MEASURES_OF_WORDS = {key: MEASURES[key] for key in ("balanced_accuracy", "accuracy", "top3")}
CONTROL = "Control: same model and data, trained with all options in every example (plain fine-tuning)."
LITERATURE = """
Figures of others are not ours and not comparable without their protocol:
- The paper of the method (arXiv 2411.13855) reports 91%: of 260 narratives written by a language model, in
  its own 26 classes. No patient told them.
- Published figures on PAD-UFES-20 mostly split by photo, so that a patient is in both parts, and use columns
  whose emptiness tells the label. Concatenation with ResNet-50: balanced accuracy 0.750 ± 0.033, AUC 0.958
  (arXiv 1909.12912); MetaBlock: 0.765 and 0.935.
"""


def protocols(measured: Figures) -> list[Block]:
    """Ours and the literature's, and what others report."""
    both = {key: measured[key] for key in ("ours", "literature") if key in measured}
    if not both:
        return [Text(f"The literature's protocol, run by us: {NOT_MEASURED}"), Text(LITERATURE)]
    others = {key: value for key, value in measured.items() if key not in both}
    return [*nested.tables(others), *nested.side_by_side(both), Text(LITERATURE)]


def chain_of_options(figures: Figures, modes: Figures) -> list[Block]:
    n = figures.get("modes", {}).get("chain", {}).get("n")
    differences = [
        {"Difference of balanced accuracy": entry["text"], "": with_n(entry, n)}
        for entry in figures.get("comparison", {}).values()
    ]
    controls = {key: mode for key, mode in modes.items() if key != "photo_only"}
    return [
        *told_of_gain(figures.get("comparison", {})),
        *table(differences),
        *table(rows_of(controls, MEASURES_OF_WORDS), caption=f"{counted(controls.values())}. {CONTROL}"),
    ]


def told_of_gain(comparison: Figures) -> list[Block]:
    """Whether the gain over plain fine-tuning can be told from none."""
    gain = comparison.get("chain_less_control_single_pass", {})
    if None in (gain.get("low"), gain.get("high")):
        return []
    if gain["low"] > 0:
        verdict = "a gain"
    elif gain["high"] < 0:
        verdict = "a loss"
    else:
        verdict = "no difference that could be told from none"
    return [Text(f"Against plain fine-tuning, in balanced accuracy: {interval(gain)}: {verdict}.")]


def on_words(told: Figures, types: Sequence[str]) -> list[Block]:
    """A source without photos."""
    modes = {key: told["modes"][key] for key in (MODES | OTHER_MODES) if key in told.get("modes", {})}
    first = modes.get("chain", {})
    wrong = most_frequent_wrong(first.get("confusion"), types)
    return [
        *table(rows_of(modes, MEASURES_OF_WORDS), caption=f"{counted(modes.values())}. {CONTROL}"),
        *table(
            {
                "Difference": entry["text"],
                **{name: interval(entry.get(measure)) for measure, name in MEASURES_OF_WORDS.items()},
            }
            for entry in told.get("comparison", {}).values()
        ),
        *table(
            (
                {
                    "Type": type_name(type_) + cases_of({"chain": first}, type_, types),
                    "Recall, chain": interval(recall),
                    "Most often taken for": wrong.get(type_, ""),
                }
                for type_, recall in first.get("recall", {}).items()
            ),
            caption="Most often taken for: the most frequent wrong first answer, in how many cases.",
        ),
    ]


def reading(measured: Figures) -> list[Block]:
    """How many facts are read from words, by the wordings that tell them."""
    trained, held_out = "_in_training_wordings", "_in_held_out_wordings"
    facts = [key.removesuffix(trained) for key in measured if key.endswith(trained)]
    return table(
        (
            {
                "Fact": label(fact),
                "In wordings trained on": nested.written(measured[fact + trained]),
                "In others": nested.written(measured.get(fact + held_out)),
            }
            for fact in facts
        ),
        caption="Share of facts that are read right from made-up narratives; no interval was computed.",
    )
