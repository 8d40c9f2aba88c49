"""The figures of the Compare page as tables and sentences: the same content as its charts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from skin_ai.intervals import MIN_CASES, MIN_READERS, Estimate
from skin_ai.study import statistics
from skin_ai.study.statistics import (
    NOT_STATED,
    NOT_UNDERSTOOD,
    OUTSIDE_SCOPE,
    STAGES,
    TOPS,
    UNDECIDED,
    Missing,
    Reference,
    Summary,
)
from skin_ai.study.take_home import WHO, named
from skin_ai.views.case.elimination import in_a_row
from skin_ai.views.free_text import plain
from skin_ai.vocabulary import NOTHING, plural

Table = list[dict[str, str]]

OUTSIDE = "outside"  # short for OUTSIDE_SCOPE
OTHERS = "others"
CASES = {"ai": " cases"}  # what a bin counts, where it is not readings
REFERENCES: dict[Reference, str] = {
    "known": "One of the AI's types",
    "outside": "Outside the AI's types",
    "not understood": "Not understood",
    "none": "None",
}
CONFUSION_TYPES = 10  # rows and columns that fit on a phone
GROUPINGS = {
    "Skin type": "fitzpatrick",
    "Disease type": "truth",
    "Role": "role",
    "Years of practice": "years_of_practice",
}
# Of every subgroup, by title: a row's cells. Few columns each, so that they fit on a phone.
GROUP_MEASURES: dict[str, Callable[[Summary], dict[str, str]]] = {
    "Top 1 accuracy": lambda group: {WHO[who]: group.accuracy[who, 1].text() for who in WHO},
    "Switches": lambda group: {
        "▲ Beneficial": _with_count(group.switches.beneficial),
        "▼ Harmful": _with_count(group.switches.harmful),
    },
    "Adopted the AI's diagnosis": lambda group: {
        "When right": _with_count(group.reliance.followed_when_right),
        "When wrong": _with_count(group.reliance.followed_when_wrong),
    },
    "Top 3 accuracy": lambda group: {WHO[who]: group.accuracy[who, 3].text() for who in WHO},
    "Agreement with the AI (kappa)": lambda group: {
        WHO[stage]: group.agreement[stage].kappa.text() for stage in STAGES
    },
    "Mean confidence": lambda group: {WHO[stage]: group.confidence[stage].text("%") for stage in STAGES},
    "Median time": lambda group: {WHO[stage]: group.seconds[stage].text(" s") for stage in STAGES},
}
SHOWN_FIRST = ("Top 1 accuracy", "Switches", "Adopted the AI's diagnosis")
WITHOUT_TRUTH = ("Agreement with the AI (kappa)", "Mean confidence", "Median time")


def size(summary: Summary) -> str:
    """How many readings, cases and readers."""
    return (
        f"{plural(summary.n_readings, 'reading')} of {plural(summary.n_cases, 'case')} by "
        f"{plural(summary.n_readers, 'reader')}; {summary.n_with_truth:,} with a reference diagnosis."
    )


def few(summary: Summary) -> str:
    """That no figure of these readers has an interval, and why; "" if there are enough readers and cases."""
    if summary.n_readers >= MIN_READERS and summary.n_cases >= MIN_CASES:
        return ""
    return (
        f"With {plural(summary.n_readers, 'reader')} and {plural(summary.n_cases, 'case')}, the figures "
        f"describe these answers only. Intervals for other readers and cases need {MIN_READERS} readers and "
        f"{MIN_CASES} cases."
    )


def excluded(answers: pd.DataFrame, n_readings: int) -> str:
    """Which answers are not among the readings, and why."""
    blinded = answers["blinded"].astype(bool)
    unblinded = int((~blinded).sum())
    first = blinded & (answers["stage"] == "before")
    is_repeat = answers["repeat"].astype(bool)
    repeats = int((first & is_repeat).sum())
    second_looks = int((first & ~is_repeat & (answers["arm"] == NOTHING)).sum())
    unfinished = int(first.sum()) - repeats - n_readings - second_looks
    parts = [f"{plural(unblinded, 'unblinded answer')} (AI seen at once)"] if unblinded else []
    parts += [f"{plural(repeats, 'repeat')} (same photo or words met before)"] if repeats else []
    parts += [plural(unfinished, "unfinished case")] if unfinished else []
    parts += [f"{plural(second_looks, 'second look')} without the AI (see By arm)"] if second_looks else []
    return f"Excluded: {in_a_row(parts)}." if parts else "No answer was excluded."


def scope(summary: Summary) -> str:
    """How many diagnoses the AI could not have given, and how they are counted."""
    before, after = (summary.agreement[stage].outside_scope for stage in STAGES)
    if not before and not after:
        return f"No first diagnosis was {OUTSIDE_SCOPE}."
    return (
        f"First diagnoses {OUTSIDE_SCOPE}: {before:,} before, {after:,} after; they count for accuracy, "
        "not for agreement."
    )


def decided(summary: Summary) -> str:
    """What the AI's accuracy counts."""
    found = summary.undecided
    counted = "AI alone: each case once"
    if not found.n_cases:
        return f"{counted}."
    return f"{counted}, without {plural(found.n_cases, 'case')} in which it was undecided."


def undecided(summary: Summary) -> str:
    """How often the AI decided, and how often readers changed their diagnosis where it did not."""
    found = summary.undecided
    return (
        f"Share of cases in which the AI gave a diagnosis: {found.decided.text()}. It was undecided in "
        f"{found.n_cases:,}. There, readers changed their first diagnosis in {found.changed.count or 0:,} of "
        f"{plural(found.n_readings, 'reading')}: {found.changed.text()}."
    )


def reliance_leaves_out(summary: Summary) -> str:
    found = summary.reliance
    return (
        f"Left out: {found.outside_scope:,} first diagnoses outside the AI's scope, "
        f"{plural(found.undecided, 'reading')} with an undecided result."
    )


def calibration_leaves_out(readings: pd.DataFrame) -> str:
    """How many readings and cases have no reference or no diagnosis of the AI, and what a point counts."""
    scored = statistics.is_scored(readings)
    undecided = readings.loc[scored & statistics.is_undecided(readings), "case"].nunique()
    return (
        f"Readers' points count readings; the AI's count each case once. Left out: "
        f"{plural(int((~scored).sum()), 'reading')} without a usable reference and, of the AI, "
        f"{plural(undecided, 'undecided case')}."
    )


def missing(missing: Missing, gain: Estimate) -> str:
    """How many final answers are missing."""
    if not missing.n:
        return "No final answer is missing."
    return (
        f"Final answers missing: {missing.n:,} of {missing.n + gain.n:,}. The last two rows give the gain if "
        "these readers had kept their answer, or had put the AI's diagnosis first."
    )


def _plain(value: float | None) -> str:
    return "too few" if value is None else f"{value:.2f}"


def references_table(summary: Summary) -> Table:
    """By kind of reference: cases, readings and accuracy; nothing if all are among the AI's types."""
    if set(summary.references) <= {"known", "none"}:
        return []
    return [
        {
            "Reference": REFERENCES[kind],
            "Cases": f"{found.n_cases:,}",
            WHO["before"]: "not judged" if found.before is None else found.before.text(),
            WHO["after"]: "not judged" if found.after is None else found.after.text(),
        }
        for kind, found in summary.references.items()
    ]


def undecided_table(summary: Summary) -> Table:
    """What readers did, where the AI was undecided and where it was not."""
    found = summary.undecided
    return [
        {
            "": "Right, AI decided",
            **{WHO[stage]: found.right_where_decided[stage].text() for stage in STAGES},
        },
        {"": "Right, AI undecided", **{WHO[stage]: found.right[stage].text() for stage in STAGES}},
        {
            "": "Among its candidates, AI undecided",
            **{WHO[stage]: found.candidate[stage].text() for stage in STAGES},
        },
    ]


def accuracy_table(summary: Summary) -> Table:
    rows = {WHO[who]: {top: summary.accuracy[who, top] for top in TOPS} for who in WHO}
    rows["After minus before"] = summary.gain
    table = [
        {"": label} | {f"Top {top}": estimate.text() for top, estimate in row.items()}
        for label, row in rows.items()
    ]
    if not summary.missing[1].n:
        return table
    ends = {"kept": "Same, missing answers kept", "changed": "Same, missing answers changed"}
    return table + [
        {"": label} | {f"Top {top}": _plain(getattr(found, end)) for top, found in summary.missing.items()}
        for end, label in ends.items()
    ]


def rates_table(rates: Mapping[str, Estimate]) -> Table:
    return [
        {"": label, "Count": f"{rate.count or 0:,} of {rate.n:,}", "Rate": rate.text()}
        for label, rate in rates.items()
    ]


def switches_table(summary: Summary) -> Table:
    return rates_table(
        {
            "▲ Beneficial: wrong to right": summary.switches.beneficial,
            "▼ Harmful: right to wrong": summary.switches.harmful,
        }
    )


def flow_counts(flow: pd.DataFrame) -> dict[tuple[str, str], int]:
    return {(before, after): int(n) for before, after, n in flow.itertuples(index=False)}


def flow_table(flow: pd.DataFrame) -> Table:
    return [
        {"Before": before, "After": after, "Readings": f"{n:,}"}
        for (before, after), n in flow_counts(flow).items()
    ]


def reliance_table(summary: Summary) -> Table:
    found = summary.reliance
    return rates_table(
        {
            "When the AI was right": found.followed_when_right,
            "When the AI was wrong": found.followed_when_wrong,
            "Overall": found.followed,
        }
    )


def agreement_table(summary: Summary) -> Table:
    return [
        {
            "": WHO[stage],
            "Kappa": agreement.kappa.text(),
            "Left out": f"{agreement.outside_scope:,} outside scope, {agreement.undecided:,} AI undecided",
        }
        for stage, agreement in summary.agreement.items()
    ]


def most_frequent(counts: pd.DataFrame) -> pd.DataFrame:
    """The counts of the most frequent types; rarer ones are added up as others, in rows and columns."""
    types = [type_ for type_ in counts.columns if type_ != UNDECIDED]
    total = {type_: counts[type_].sum() + counts.loc[type_].sum() for type_ in types}
    kept = set(sorted(types, key=lambda type_: -total[type_])[:CONFUSION_TYPES])
    shown = {type_: type_ if type_ in kept else OTHERS for type_ in types}
    shown |= {OUTSIDE_SCOPE: OUTSIDE, UNDECIDED: UNDECIDED}
    return counts.T.groupby(shown, sort=False).sum().T.groupby(shown, sort=False).sum()


def confusion_table(counts: pd.DataFrame) -> Table:
    """All counts in three columns: a matrix is too wide for a phone."""
    table = []
    for diagnosis, row in counts.iterrows():
        others = row.drop(diagnosis, errors="ignore")
        others = others[others > 0].sort_values(ascending=False, kind="stable")
        table.append(
            {
                "Reader": str(diagnosis),
                "AI the same": f"{row[diagnosis]:,}" if diagnosis in row.index else "none",
                "AI different": ", ".join(f"{type_} {n:,}" for type_, n in others.items()) or "0",
            }
        )
    return table


def over_time_table(blocks: pd.DataFrame) -> Table:
    def kappa(value: float) -> str:
        return "not defined" if np.isnan(value) else f"{value:.2f}"

    return [
        {"Block": str(block), "Before": kappa(before), "After": kappa(after), "n": f"{n:,}"}
        for block, n, before, after in blocks[["block", "n", "before", "after"]].itertuples(index=False)
    ]


def confidence_table(summary: Summary) -> Table:
    return [{"": WHO[stage], "Mean confidence": summary.confidence[stage].text("%")} for stage in STAGES]


def calibration_table(
    bins: Mapping[Any, pd.DataFrame], titles: tuple[str, str] = ("Confidence", "Accuracy")
) -> Table:
    """bins: by a key of WHO, as statistics.calibration makes them."""
    return [
        {
            "": WHO[who],
            titles[0]: f"{confidence:.2f}",
            titles[1]: f"{accuracy:.2f}, n = {int(n):,}{CASES.get(who, '')}",
        }
        for who, table in bins.items()
        for confidence, accuracy, n in table[["confidence", "accuracy", "n"]].itertuples(index=False)
    ]


def time_table(summary: Summary) -> Table:
    return [{"": WHO[stage], "Median time": summary.seconds[stage].text(" s")} for stage in STAGES]


def groupings(readings: pd.DataFrame) -> list[str]:
    """The ways to group these readings: not by disease without a reference, nor by the role of one reader."""
    unknown = set() if statistics.is_scored(readings).any() else {"truth"}
    constant = {"role", "years_of_practice"} if readings["reader"].nunique() == 1 else set()
    return [label for label, column in GROUPINGS.items() if column not in unknown | constant]


def group_name(grouping: str, group: str) -> str:
    if group in (NOT_STATED, NOT_UNDERSTOOD):
        return group.capitalize()
    if grouping == "Skin type":
        return f"Type {group}"
    label = f"{group} years" if grouping == "Years of practice" else named(group)
    return label[0].upper() + label[1:]


def group_tables(groups: Mapping[str, Summary]) -> dict[str, Table]:
    """By title, a row for each group."""
    return {
        title: [{"": name} | cells(group) for name, group in groups.items()]
        for title, cells in GROUP_MEASURES.items()
    }


def _with_count(estimate: Estimate) -> str:
    return f"{estimate.count or 0:,} · {estimate.text()}"


def escaped(table: Sequence[Mapping[str, str]]) -> Table:
    """Cells as plain text, with each n kept on one line."""
    return [
        {column: plain(cell).replace("n = ", "n\u00a0=\u00a0") for column, cell in row.items()}
        for row in table
    ]


def in_words(*tables: Table) -> str:
    """The content of tables as sentences, for screen readers."""
    return " ".join(
        "; ".join(f"{column} {cell}".strip() for column, cell in row.items()) + "."
        for table in tables
        for row in table
    )
