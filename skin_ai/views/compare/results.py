"""What the Compare page shows of a set of answers: each chart with the same figures as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from skin_ai.study import statistics
from skin_ai.study.statistics import MIN_N, OUTSIDE_SCOPE, Summary
from skin_ai.study.take_home import STAGES, WHO, TakeHome, counted, moments, named, pace, sureness
from skin_ai.views.compare import charts, tables
from skin_ai.views.compare.before_to_after import flow_chart
from skin_ai.views.compare.charts import Row
from skin_ai.views.compare.tables import Table
from skin_ai.views.free_text import plain

WHAT_IT_TELLS = {
    "accuracy": "How often the reference diagnosis was the first that was named (top 1), or among the first "
    "three (top 3).",
    "switches": "A beneficial switch is a first diagnosis that was wrong before and right after the AI was "
    "seen, a harmful switch the reverse; each rate is of the readings in which it could happen.",
    "reliance": "Of the readings in which the reader had first said something else than the AI: how often "
    "the reader then took over the AI's first diagnosis, when that was right and when it was wrong.",
    "agreement": "Cohen's kappa says how often the first diagnoses of reader and AI were the same beyond "
    "chance: 1 is always, 0 as often as by chance. It does not say who was right.",
    "confidence": "Who is well calibrated is right in seven of ten cases when 70% sure: on the dotted line. "
    "Below it one is surer than right, above it more often right than sure.",
    "only confidence": "How sure the readers said that they were, on average, from 0 to 100%.",
    "time": "The median time from the showing of the case, and from the showing of the AI's result, to the "
    "answer.",
    "groups": "The same figures in parts of the readings. Parts are small: look at intervals and n first. "
    "Skin types are Fitzpatrick's.",
}
NO_TRUTH = (
    "None of these cases has a reference diagnosis, so nothing can be said about right and wrong: only "
    "agreement, confidence and time are shown."
)
NO_ANSWERS = (
    "There are no answers to compare yet. Give your own answer to a case, look at the AI's, and give your "
    "final answer: then the first figures appear here."
)
INTERVALS = (
    f"In brackets: 95% intervals, by bootstrap over readers and cases. No figure where n is under {MIN_N}. "
    "n: readings, each of one case by one reader."
)


def show(answers: pd.DataFrame) -> None:
    """All sections for these answers, or one sentence why there are none."""
    st.html(charts.FOLLOW_THEME)
    if answers.empty:
        st.info(NO_ANSWERS)
        return
    readings = statistics.readings(answers)
    if readings.empty:
        st.markdown(" ".join(tables.left_out(answers, 0)))
        st.info(NO_ANSWERS)
        return
    summary = statistics.summary(readings)
    st.markdown(f"**{tables.size(summary)}**")
    st.markdown(" ".join([*tables.left_out(answers, summary.n_readings), tables.scope(summary)]))
    st.caption(INTERVALS)
    sections: list[tuple[str, Callable[[], None]]] = [
        ("Agreement of reader and AI", lambda: _agreement(summary, readings)),
        ("Confidence", lambda: _confidence(summary, readings)),
        ("Time per case", lambda: _time(summary)),
        ("In parts of the readings", lambda: _groups(readings)),
    ]
    if summary.n_with_truth:
        sections = [
            ("Accuracy", lambda: _accuracy(summary)),
            ("Switches", lambda: _switches(summary, readings)),
            ("Following the AI", lambda: _reliance(summary)),
            *sections,
        ]
    else:
        st.markdown(NO_TRUTH)
    for number, (title, draw) in enumerate(sections, start=1):
        st.subheader(f"{number} · {title}")
        draw()


# ---- the sections ----


def _accuracy(summary: Summary) -> None:
    _explain("accuracy")
    _chart_beside_table(charts.intervals(accuracy_rows(summary)), tables.accuracy_table(summary), "accuracy")


def accuracy_rows(summary: Summary) -> list[Row]:
    return [
        Row(label, {who: summary.accuracy[who, top] for who in WHO})
        for top, label in ((1, "First diagnosis right"), (3, "Right among the first three"))
    ]


def _switches(summary: Summary, readings: pd.DataFrame) -> None:
    _explain("switches")
    flow = statistics.flow(readings)
    _chart_beside_table(
        flow_chart(tables.flow_counts(flow)),
        tables.switches_table(summary),
        "switches",
        tables.flow_table(flow),
    )


def _reliance(summary: Summary) -> None:
    _explain("reliance")
    rows = [
        Row("Followed when the AI was right", {"beneficial": summary.reliance.followed_when_right}),
        Row("Followed when the AI was wrong", {"harmful": summary.reliance.followed_when_wrong}),
    ]
    _chart_beside_table(charts.intervals(rows), tables.reliance_table(summary), "reliance")


def _agreement(summary: Summary, readings: pd.DataFrame) -> None:
    _explain("agreement")
    kappas = {stage: summary.agreement[stage].kappa for stage in STAGES}
    lowest = min((kappa.low for kappa in kappas.values() if kappa.low is not None), default=0.0)
    ticks = (0, 0.25, 0.5, 0.75, 1) if lowest >= 0 else (-1, -0.5, 0, 0.5, 1)
    _chart_beside_table(
        charts.intervals([Row("Kappa", kappas)], ticks), tables.agreement_table(summary), "kappa"
    )
    _confusion(readings)
    blocks = statistics.kappa_over_time(readings)
    if len(blocks) > 1:
        st.markdown("#### Kappa over time")
        _chart_beside_table(charts.over_time(blocks), tables.over_time_table(blocks), "over_time")


@st.fragment
def _confusion(readings: pd.DataFrame) -> None:
    st.markdown("#### Which diagnosis met which")
    stage = st.segmented_control(
        "Answers of the reader",
        list(STAGES),
        format_func=WHO.__getitem__,
        default="before",
        required=True,
        key="confusion_stage",
    )
    counts = tables.most_frequent(statistics.confusion(readings, stage))
    _chart_beside_table(charts.confusion(counts), tables.confusion_table(counts), "confusion")
    codes = ", ".join(f"{code} {named(code)}" for code in counts.columns if code != tables.OTHERS)
    st.caption(
        "Rows: the reader's first diagnosis, columns: the AI's; readings. Framed: the same diagnosis. "
        f"{tables.OUTSIDE}: {OUTSIDE_SCOPE}. {codes}."
    )


def _confidence(summary: Summary, readings: pd.DataFrame) -> None:
    if summary.n_with_truth < MIN_N:
        _explain("only confidence")
        _chart_beside_table(
            charts.intervals(confidence_rows(summary), (0, 25, 50, 75, 100), "%"),
            tables.confidence_table(summary),
            "confidence",
        )
        return
    _explain("confidence")
    bins = tables.calibration(readings)
    _chart_beside_table(
        charts.calibration(bins),
        tables.confidence_table(summary),
        "calibration",
        tables.calibration_table(bins),
    )


def confidence_rows(summary: Summary) -> list[Row]:
    return [Row("Mean confidence", {stage: summary.confidence[stage] for stage in STAGES})]


def _time(summary: Summary) -> None:
    _explain("time")
    longest = max((estimate.high or 0.0 for estimate in summary.seconds.values()), default=0.0)
    rows = [Row("Median time", {stage: summary.seconds[stage] for stage in STAGES})]
    _chart_beside_table(
        charts.intervals(rows, charts.even_ticks(longest), " s"), tables.time_table(summary), "time"
    )


@st.fragment
def _groups(readings: pd.DataFrame) -> None:
    _explain("groups")
    chosen = st.segmented_control(
        "By", tables.groupings(readings), default="Skin type", required=True, key="grouping"
    )
    groups = {
        tables.group_name(chosen, group): summary
        for group, summary in statistics.by_group(readings, tables.GROUPINGS[chosen]).items()
    }
    measures = tables.group_tables(groups)
    if (readings["truth"] == "").all():
        _titled(measures, tables.WITHOUT_TRUTH)
        return
    rows = [Row(group, {who: summary.accuracy[who, 1] for who in WHO}) for group, summary in groups.items()]
    _chart(charts.intervals(rows), "groups", measures["First diagnosis right"])
    _titled(measures, tables.FOREMOST)
    with st.expander("Top 3, agreement, confidence and time"):
        _titled(measures, [title for title in measures if title not in tables.FOREMOST])


def _titled(measures: Mapping[str, Table], titles: Sequence[str]) -> None:
    for title in titles:
        st.markdown(f"**{title}**")
        st.table(tables.escaped(measures[title]), hide_index=True, border="horizontal")


# ---- one reader, one deck ----


def show_take_home(summary: TakeHome) -> None:
    """The personal summary: the same as its PDF."""
    figures = summary.summary
    st.markdown(
        f"**{plain(summary.deck)}** · {summary.day.isoformat()} · {counted(summary)} · "
        f"AI: {plain(summary.ai)}"
    )
    if figures.n_with_truth:
        _chart_beside_table(
            charts.intervals(accuracy_rows(figures)),
            tables.accuracy_table(figures),
            "own_accuracy",
            tables.switches_table(figures),
        )
        lines = [*moments(summary), *sureness(summary), pace(summary)]
    else:
        st.table(tables.agreement_table(figures), hide_index=True, border="horizontal")
        lines = [*sureness(summary), pace(summary)]
    st.markdown("\n".join(f"- {plain(line)}" for line in lines))


# ---- drawing ----


def _explain(section: str) -> None:
    st.markdown(WHAT_IT_TELLS[section])


def _chart_beside_table(chart: go.Figure, table: Table, key: str, *more: Table) -> None:
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _chart(chart, key, table, *more)
    with right:
        for part in (table, *more):
            st.table(tables.escaped(part), hide_index=True, border="horizontal")


def _chart(chart: go.Figure, key: str, *same: Table) -> None:
    st.plotly_chart(chart, config=charts.CONFIG, alt=tables.in_words(*same), key=f"compare_{key}")
