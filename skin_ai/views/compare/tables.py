"""The figures of the Compare page as tables and sentences: what the charts show, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from skin_ai.study import statistics
from skin_ai.study.statistics import NOT_STATED, OUTSIDE_SCOPE, Estimate, Summary, Who
from skin_ai.study.take_home import STAGES, WHO, named, written
from skin_ai.views.free_text import plain

Table = list[dict[str, str]]

OUTSIDE = "outside"  # what a chart and a table of counts have room for
OTHERS = "others"
CONFUSION_TYPES = 10  # rows and columns of counts that a phone can show
GROUPINGS = {
    "Skin type": "fitzpatrick",
    "Disease type": "truth",
    "Role": "role",
    "Years of practice": "years_of_practice",
}
FOREMOST = ("First diagnosis right", "Switches", "Following the AI")  # of what group_tables gives
WITHOUT_TRUTH = ("Agreement with the AI (kappa)", "Mean confidence", "Median time")


def size(summary: Summary) -> str:
    """n of everything, in a sentence."""
    return (
        f"{_many(summary.n_readings, 'reading')} of {_many(summary.n_cases, 'case')} by "
        f"{_many(summary.n_readers, 'reader')}; {summary.n_with_truth:,} with a reference diagnosis."
    )


def left_out(answers: pd.DataFrame, n_readings: int) -> list[str]:
    """Which answers are not among the readings, and why."""
    blinded = answers["blinded"].astype(bool)
    unblinded = int((~blinded).sum())
    begun = int((blinded & (answers["stage"] == "before")).sum()) - n_readings
    said = [
        f"Left out: {_many(unblinded, 'unblinded answer')} (the AI was seen at once)."
        if unblinded
        else "No answer was unblinded."
    ]
    if begun:
        said.append(
            f"{_many(begun, 'case')} begun but not finished {'is' if begun == 1 else 'are'} left out too."
        )
    return said


def scope(summary: Summary) -> str:
    """How many diagnoses the AI could not have given, and what is done with them."""
    before, after = (summary.agreement[stage].outside_scope for stage in STAGES)
    if not before and not after:
        return "No first diagnosis was outside the model's scope."
    return (
        f"First diagnoses outside the model's scope: {before:,} before, {after:,} after. They count in "
        "accuracy, but neither as agreement nor as disagreement."
    )


def _many(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def accuracy_table(summary: Summary) -> Table:
    return [
        {"": WHO[who], **{f"Top {top}": written(summary.accuracy[who, top]) for top in (1, 3)}} for who in WHO
    ] + [{"": "After less before", **{f"Top {top}": written(summary.gain[top]) for top in (1, 3)}}]


def switches_table(summary: Summary) -> Table:
    return [
        {"": label, "Count": f"{switch.count or 0:,} of {switch.n:,}", "Rate": written(switch)}
        for label, switch in (
            ("▲ Beneficial: wrong to right", summary.switches.beneficial),
            ("▼ Harmful: right to wrong", summary.switches.harmful),
        )
    ]


def flow_counts(flow: pd.DataFrame) -> dict[tuple[str, str], int]:
    return {
        (before, after): int(n)
        for before, after, n in zip(flow["before"], flow["after"], flow["n"], strict=True)
    }


def flow_table(flow: pd.DataFrame) -> Table:
    return [
        {"Before": before, "After": after, "Readings": f"{n:,}"}
        for (before, after), n in flow_counts(flow).items()
    ]


def reliance_table(summary: Summary) -> Table:
    found = summary.reliance
    return [
        {"": label, "Count": f"{estimate.count or 0:,} of {estimate.n:,}", "Rate": written(estimate)}
        for label, estimate in (
            ("Followed when right", found.followed_when_right),
            ("Followed when wrong", found.followed_when_wrong),
            ("Followed at all", found.followed),
        )
    ]


def agreement_table(summary: Summary) -> Table:
    return [
        {
            "": WHO[stage],
            "Kappa": written(summary.agreement[stage].kappa),
            "Outside the scope": f"{summary.agreement[stage].outside_scope:,}",
        }
        for stage in STAGES
    ]


def most_frequent(counts: pd.DataFrame) -> pd.DataFrame:
    """The counts with as many types as can be read; the rarer ones are summed, as they are on both sides."""
    types = list(counts.columns)
    total = {type_: counts[type_].sum() + counts.loc[type_].sum() for type_ in types}
    kept = set(sorted(types, key=lambda type_: -total[type_])[:CONFUSION_TYPES])
    shown = {type_: type_ if type_ in kept else OTHERS for type_ in types} | {OUTSIDE_SCOPE: OUTSIDE}
    return counts.T.groupby(shown, sort=False).sum().T.groupby(shown, sort=False).sum()


def confusion_table(counts: pd.DataFrame) -> Table:
    """All counts in three columns: those of a matrix are too many for a phone."""
    table = []
    for said, row in counts.iterrows():
        others = row.drop(said, errors="ignore")
        others = others[others > 0].sort_values(ascending=False, kind="stable")
        table.append(
            {
                "Reader": str(said),
                "AI the same": f"{row[said]:,}" if said in row.index else "none",
                "AI otherwise": ", ".join(f"{type_} {n:,}" for type_, n in others.items()) or "0",
            }
        )
    return table


def over_time_table(blocks: pd.DataFrame) -> Table:
    return [
        {"Block": str(block), "Before": _value(before), "After": _value(after), "n": f"{n:,}"}
        for block, n, before, after in blocks[["block", "n", "before", "after"]].itertuples(index=False)
    ]


def _value(value: float) -> str:
    if np.isnan(value):
        return "too few in scope"
    return f"{value:.2f}"


def confidence_table(summary: Summary) -> Table:
    return [{"": WHO[stage], "Mean confidence": written(summary.confidence[stage], "%")} for stage in STAGES]


def calibration(readings: pd.DataFrame) -> dict[Who, pd.DataFrame]:
    """Bins of the reader before and after and of the AI, of the readings that have a reference."""
    with_truth = readings[readings["truth"] != ""]
    sure = {
        "before": with_truth["before_confidence"] / 100,
        "after": with_truth["after_confidence"] / 100,
        "ai": with_truth["ai_probability"],
    }
    return {
        who: statistics.calibration(sure[who].to_numpy(float), statistics.correct(with_truth, who))
        for who in WHO
    }


def calibration_table(bins: Mapping[Who, pd.DataFrame]) -> Table:
    return [
        {"": WHO[who], "How sure": f"{confidence:.2f}", "How often right": f"{accuracy:.2f}, n = {int(n):,}"}
        for who, table in bins.items()
        for confidence, accuracy, n in table[["confidence", "accuracy", "n"]].itertuples(index=False)
    ]


def time_table(summary: Summary) -> Table:
    return [{"": WHO[stage], "Median time": written(summary.seconds[stage], " s")} for stage in STAGES]


def groupings(readings: pd.DataFrame) -> list[str]:
    """By what readings can be parted: not by disease where none is known, nor by the role of one reader."""
    unknown = {"truth"} if (readings["truth"] == "").all() else set()
    alike = {"role", "years_of_practice"} if readings["reader"].nunique() == 1 else set()
    return [label for label, column in GROUPINGS.items() if column not in unknown | alike]


def group_name(grouping: str, group: str) -> str:
    if group == NOT_STATED:
        return "Not stated"
    if grouping == "Skin type":
        return f"Type {group}"
    label = f"{group} years" if grouping == "Years of practice" else named(group)
    return label[0].upper() + label[1:]


def group_tables(groups: Mapping[str, Summary]) -> dict[str, Table]:
    """By measure, a row a group; with few columns each, so that a phone can show them."""

    def table(cells: Callable[[Summary], dict[str, str]]) -> Table:
        return [{"": group} | cells(summary) for group, summary in groups.items()]

    return {
        "First diagnosis right": table(
            lambda figures: {WHO[who]: written(figures.accuracy[who, 1]) for who in WHO}
        ),
        "Right among the first three": table(
            lambda figures: {WHO[who]: written(figures.accuracy[who, 3]) for who in WHO}
        ),
        "Switches": table(
            lambda figures: {
                "▲ Beneficial": _with_count(figures.switches.beneficial),
                "▼ Harmful": _with_count(figures.switches.harmful),
            }
        ),
        "Following the AI": table(
            lambda figures: {
                "When right": _with_count(figures.reliance.followed_when_right),
                "When wrong": _with_count(figures.reliance.followed_when_wrong),
            }
        ),
        "Agreement with the AI (kappa)": table(
            lambda figures: {WHO[stage]: written(figures.agreement[stage].kappa) for stage in STAGES}
        ),
        "Mean confidence": table(
            lambda figures: {WHO[stage]: written(figures.confidence[stage], "%") for stage in STAGES}
        ),
        "Median time": table(
            lambda figures: {WHO[stage]: written(figures.seconds[stage], " s") for stage in STAGES}
        ),
    }


def _with_count(estimate: Estimate) -> str:
    return f"{estimate.count or 0:,} · {written(estimate)}"


def escaped(table: Sequence[Mapping[str, str]]) -> Table:
    """Cells as they are written, with each n kept on one line."""
    return [
        {column: plain(cell).replace("n = ", "n\u00a0=\u00a0") for column, cell in row.items()}
        for row in table
    ]


def in_words(*tables: Table) -> str:
    """What a table holds, for who hears it instead of a chart."""
    return " ".join(
        "; ".join(f"{column} {cell}".strip() for column, cell in row.items()) + "."
        for table in tables
        for row in table
    )
