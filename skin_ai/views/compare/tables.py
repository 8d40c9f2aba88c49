"""The figures of the Compare page as tables and sentences: the same content as its charts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from skin_ai.intervals import Estimate
from skin_ai.study import statistics
from skin_ai.study.statistics import NOT_STATED, OUTSIDE_SCOPE, STAGES, TOPS, Summary, Who
from skin_ai.study.take_home import WHO, named, plural
from skin_ai.views.free_text import plain

Table = list[dict[str, str]]

OUTSIDE = "outside"  # short for OUTSIDE_SCOPE
OTHERS = "others"
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


def excluded(answers: pd.DataFrame, n_readings: int) -> str:
    """Which answers are not among the readings, and why."""
    blinded = answers["blinded"].astype(bool)
    unblinded = int((~blinded).sum())
    unfinished = int((blinded & (answers["stage"] == "before")).sum()) - n_readings
    parts = [f"{plural(unblinded, 'unblinded answer')} (AI seen at once)"] if unblinded else []
    parts += [plural(unfinished, "unfinished case")] if unfinished else []
    return f"Excluded: {' and '.join(parts)}." if parts else "No answer was excluded."


def scope(summary: Summary) -> str:
    """How many diagnoses the AI could not have given, and how they are counted."""
    before, after = (summary.agreement[stage].outside_scope for stage in STAGES)
    if not before and not after:
        return f"No first diagnosis was {OUTSIDE_SCOPE}."
    return (
        f"First diagnoses {OUTSIDE_SCOPE}: {before:,} before, {after:,} after; they count for accuracy, "
        "not for agreement."
    )


def accuracy_table(summary: Summary) -> Table:
    rows = {WHO[who]: {top: summary.accuracy[who, top] for top in TOPS} for who in WHO}
    rows["After minus before"] = summary.gain
    return [
        {"": label} | {f"Top {top}": estimate.text() for top, estimate in row.items()}
        for label, row in rows.items()
    ]


def _rates(rates: Mapping[str, Estimate]) -> Table:
    return [
        {"": label, "Count": f"{rate.count or 0:,} of {rate.n:,}", "Rate": rate.text()}
        for label, rate in rates.items()
    ]


def switches_table(summary: Summary) -> Table:
    return _rates(
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
    return _rates(
        {
            "When the AI was right": found.followed_when_right,
            "When the AI was wrong": found.followed_when_wrong,
            "Overall": found.followed,
        }
    )


def agreement_table(summary: Summary) -> Table:
    return [
        {"": WHO[stage], "Kappa": agreement.kappa.text(), "Outside scope": f"{agreement.outside_scope:,}"}
        for stage, agreement in summary.agreement.items()
    ]


def most_frequent(counts: pd.DataFrame) -> pd.DataFrame:
    """The counts of the most frequent types; rarer ones are added up as others, in rows and columns."""
    types = list(counts.columns)
    total = {type_: counts[type_].sum() + counts.loc[type_].sum() for type_ in types}
    kept = set(sorted(types, key=lambda type_: -total[type_])[:CONFUSION_TYPES])
    shown = {type_: type_ if type_ in kept else OTHERS for type_ in types} | {OUTSIDE_SCOPE: OUTSIDE}
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
        return "too few in scope" if np.isnan(value) else f"{value:.2f}"

    return [
        {"Block": str(block), "Before": kappa(before), "After": kappa(after), "n": f"{n:,}"}
        for block, n, before, after in blocks[["block", "n", "before", "after"]].itertuples(index=False)
    ]


def confidence_table(summary: Summary) -> Table:
    return [{"": WHO[stage], "Mean confidence": summary.confidence[stage].text("%")} for stage in STAGES]


def calibration(readings: pd.DataFrame) -> dict[Who, pd.DataFrame]:
    """Bins of the reader before and after and of the AI, for the readings with a reference."""
    with_truth = readings[readings["truth"] != ""]
    confidence = {
        "before": with_truth["before_confidence"] / 100,
        "after": with_truth["after_confidence"] / 100,
        "ai": with_truth["ai_probability"],
    }
    return {
        who: statistics.calibration(confidence[who].to_numpy(float), statistics.correct(with_truth, who))
        for who in WHO
    }


def calibration_table(bins: Mapping[Who, pd.DataFrame]) -> Table:
    return [
        {"": WHO[who], "Confidence": f"{confidence:.2f}", "Accuracy": f"{accuracy:.2f}, n = {int(n):,}"}
        for who, table in bins.items()
        for confidence, accuracy, n in table[["confidence", "accuracy", "n"]].itertuples(index=False)
    ]


def time_table(summary: Summary) -> Table:
    return [{"": WHO[stage], "Median time": summary.seconds[stage].text(" s")} for stage in STAGES]


def groupings(readings: pd.DataFrame) -> list[str]:
    """The ways to group these readings: not by disease without a reference, nor by the role of one reader."""
    unknown = {"truth"} if (readings["truth"] == "").all() else set()
    constant = {"role", "years_of_practice"} if readings["reader"].nunique() == 1 else set()
    return [label for label, column in GROUPINGS.items() if column not in unknown | constant]


def group_name(grouping: str, group: str) -> str:
    if group == NOT_STATED:
        return "Not stated"
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
