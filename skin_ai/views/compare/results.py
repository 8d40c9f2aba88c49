"""The sections of the Compare page: each chart beside its content as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from skin_ai.diseases import DISEASES
from skin_ai.intervals import MIN_CASES, MIN_N, MIN_READERS
from skin_ai.study import arms, management, statistics
from skin_ai.study.statistics import OUTSIDE_SCOPE, STAGES, Summary
from skin_ai.study.take_home import (
    ACCURACY_TITLES,
    WHO,
    TakeHome,
    case_count,
    confidence_lines,
    help_and_harm,
    named,
    time_line,
)
from skin_ai.views.case import bundle_choice
from skin_ai.views.compare import arms as arm_tables
from skin_ai.views.compare import charts, tables
from skin_ai.views.compare import management as management_tables
from skin_ai.views.compare.charts import Row
from skin_ai.views.compare.tables import Table
from skin_ai.views.free_text import plain

NO_TRUTH = "These cases have no reference diagnosis, so accuracy and switches cannot be shown."
SAMPLES_DO_NOT_COUNT = "Those of the samples are not counted."
NO_ANSWERS = (
    "No answers to compare yet. Answer a case, look at the AI's result and give your final answer: "
    "the first figures then appear here."
)
INTERVALS = (
    f"Brackets: 95% intervals for other readers and other cases; they need {MIN_READERS} readers and "
    f"{MIN_CASES} cases. n: readings (one reader, one case); a figure needs {MIN_N}."
)


def show(answers: pd.DataFrame, primary: Mapping[str, Sequence[str]]) -> None:
    """All sections for these answers, or why there are none. primary: deck -> its primary comparison."""
    st.html(charts.FOLLOW_THEME)
    if answers.empty:
        st.info(NO_ANSWERS)
        return
    finished = statistics.readings(answers)
    if finished.empty:
        st.markdown(tables.excluded(answers, 0))
        st.info(NO_ANSWERS)
        return
    bundle = _choose_bundle(statistics.bundles(finished))
    readings = statistics.of_bundle(finished, bundle)
    unfinished = statistics.of_bundle(statistics.unfinished(answers), bundle)
    summary = statistics.summary(readings, unfinished)
    st.markdown(f"**{tables.size(summary)}** AI: {plain(bundle_choice.title_of_version(bundle))}.")
    st.markdown(f"{tables.excluded(answers, len(finished))} {tables.scope(summary)}")
    if few := tables.few(summary):
        st.info(few)
    st.caption(INTERVALS)
    with_truth: dict[str, Callable[[], None]] = {
        "Accuracy": lambda: _accuracy(summary),
        "Switches": lambda: _switches(summary, readings),
        "Adopting the AI's diagnosis": lambda: _reliance(summary),
        "Where the AI was undecided": lambda: _undecided(summary),
    }
    sections: dict[str, Callable[[], None]] = {
        "Agreement with the AI": lambda: _agreement(summary, readings),
        "Confidence": lambda: _confidence(summary, readings),
        "Time per case": lambda: _time(summary),
        "Subgroups": lambda: _groups(readings, unfinished),
    }
    if summary.n_with_truth and not management.has_management(readings).empty:
        with_truth["Management"] = lambda: _management(readings)
    if summary.n_with_truth and not management.has_malignancy(readings).empty:
        with_truth["Probability of malignancy"] = lambda: _malignancy(readings)
    if summary.n_with_truth:
        sections = with_truth | sections
    else:
        has_samples = readings["case"].str.startswith("sample:").any()
        st.markdown(f"{NO_TRUTH} {SAMPLES_DO_NOT_COUNT if has_samples else ''}")
    drawn = arms.with_arms(statistics.of_bundle(statistics.readings(answers, second_looks=True), bundle))
    if summary.n_with_truth and not drawn.empty:
        sections = {"By arm": lambda: _arms(drawn, answers, primary)} | sections
    for number, (title, draw) in enumerate(sections.items(), start=1):
        st.header(f"{number} · {title}")
        draw()


def _choose_bundle(names: Sequence[str]) -> str:
    """The bundle whose readings are shown; figures of several are never pooled."""
    if len(names) == 1:
        return names[0]
    return st.selectbox(
        "AI model",
        names,
        format_func=bundle_choice.title_of_version,
        key="compare_bundle",
        help="These answers were given with several models. Each is shown on its own.",
    )


# ---- the sections ----


def _accuracy(summary: Summary) -> None:
    st.markdown(
        "Top 1: the reference diagnosis was named first. Top 3: it was among the first three. Where a reader "
        "named fewer before or after, only that many are counted, of the AI too."
    )
    st.markdown(f"{tables.decided(summary)} {tables.missing(summary.missing[1], summary.gain[1])}")
    references = tables.references_table(summary)
    _chart_beside_table(
        charts.intervals(accuracy_rows(summary)),
        tables.accuracy_table(summary),
        "accuracy",
        *([references] if references else []),
    )


def accuracy_rows(summary: Summary) -> list[Row]:
    return [
        Row(title, {who: summary.accuracy[who, top] for who in WHO}) for top, title in ACCURACY_TITLES.items()
    ]


def _switches(summary: Summary, readings: pd.DataFrame) -> None:
    st.markdown(
        "Beneficial: the first diagnosis was wrong before the AI and right after it. Harmful: the reverse. "
        "Each rate is of the readings in which that switch was possible."
    )
    flow = statistics.flow(readings)
    _chart_beside_table(
        charts.before_to_after(tables.flow_counts(flow)),
        tables.switches_table(summary),
        "switches",
        tables.flow_table(flow),
    )


def _reliance(summary: Summary) -> None:
    st.markdown(
        "When the reader's first diagnosis differed from the AI's: how often the reader adopted the AI's. "
        f"{tables.reliance_leaves_out(summary)}"
    )
    rows = [
        Row("Adopted when the AI was right", {"beneficial": summary.reliance.followed_when_right}),
        Row("Adopted when the AI was wrong", {"harmful": summary.reliance.followed_when_wrong}),
    ]
    _chart_beside_table(charts.intervals(rows), tables.reliance_table(summary), "reliance")


def _undecided(summary: Summary) -> None:
    found = summary.undecided
    if not found.n_cases:
        st.markdown("The AI gave a diagnosis in every case.")
        return
    st.markdown(tables.undecided(summary))
    rows = [
        Row("Right where the AI decided", found.right_where_decided),
        Row("Right where it was undecided", found.right),
    ]
    _chart_beside_table(charts.intervals(rows), tables.undecided_table(summary), "undecided")


def _management(readings: pd.DataFrame) -> None:
    found = management.management(readings)
    st.markdown(f"{management_tables.WHAT} {management_tables.left_out(found)}")
    _chart_beside_table(
        charts.intervals(management_tables.rows(found)),
        management_tables.rates_table(found),
        "management",
        management_tables.switches_table(found),
        management_tables.chosen_table(found),
    )


def _malignancy(readings: pd.DataFrame) -> None:
    st.markdown(f"{management_tables.MALIGNANCY} {management_tables.AUC}")
    bins = management.malignancy_calibration(readings)
    chart = charts.calibration(bins, ("mean stated probability", "share of malignant lesions"))
    auc = management_tables.auc_table(management.malignancy_auc(readings))
    stated = tables.calibration_table(bins, ("Stated", "Malignant"))
    _chart_beside_table(chart, auc, "malignancy", stated)


def _agreement(summary: Summary, readings: pd.DataFrame) -> None:
    st.markdown(
        "Cohen's kappa: agreement of the first diagnoses of reader and AI beyond chance (1: always the same, "
        "0: chance level). It does not say who was right. Diagnoses outside the AI's scope and undecided "
        "results are left out."
    )
    kappas = {stage: summary.agreement[stage].kappa for stage in STAGES}
    lowest = min((kappa.low for kappa in kappas.values() if kappa.low is not None), default=0.0)
    chart = charts.intervals([Row("Kappa", kappas)], (0 if lowest >= 0 else -1, 1))
    _chart_beside_table(chart, tables.agreement_table(summary), "kappa")
    _confusion(readings)
    blocks = statistics.kappa_over_time(readings)
    if len(blocks) > 1:
        st.markdown("### Kappa over time")
        st.markdown("In small blocks of readings, without intervals: look for a trend, not at single points.")
        _chart_beside_table(charts.over_time(blocks), tables.over_time_table(blocks), "over_time")


@st.fragment
def _confusion(readings: pd.DataFrame) -> None:
    st.markdown("### Diagnoses of reader and AI")
    stage = st.segmented_control(
        "Reader's answers",
        list(STAGES),
        format_func=WHO.__getitem__,
        default="before",
        required=True,
        key="confusion_stage",
    )
    counts = tables.most_frequent(statistics.confusion(readings, stage))
    _chart_beside_table(charts.confusion(counts), tables.confusion_table(counts), "confusion")
    codes = ", ".join(f"{code} {named(code)}" for code in counts.columns if code in DISEASES)
    st.caption(
        "Number of readings by the reader's (rows) and the AI's first diagnosis (columns). Framed: the same "
        f"diagnosis. {tables.OUTSIDE}: {OUTSIDE_SCOPE}. {codes}."
    )


def _confidence(summary: Summary, readings: pd.DataFrame) -> None:
    table = tables.confidence_table(summary)
    if summary.n_with_truth < MIN_N:
        st.markdown("Mean confidence as the readers stated it, 0 to 100%.")
        rows = [Row("Mean confidence", {stage: summary.confidence[stage] for stage in STAGES})]
        _chart_beside_table(charts.intervals(rows, (0, 100), "%"), table, "confidence")
        return
    st.markdown(
        "On the dotted line, confidence matches accuracy; below it, readers are overconfident; above it, "
        f"underconfident. {tables.calibration_leaves_out(readings)}"
    )
    bins = statistics.calibrations(readings)
    _chart_beside_table(charts.calibration(bins), table, "calibration", tables.calibration_table(bins))


def _time(summary: Summary) -> None:
    st.markdown(
        "Median time from first seeing the case to the first answer (before), and from there to the final "
        "answer (after). Pauses and the AI's computing time count; cases without a final answer do not."
    )
    _chart_beside_table(charts.times(summary.seconds), tables.time_table(summary), "time")


def _arms(readings: pd.DataFrame, answers: pd.DataFrame, primary: Mapping[str, Sequence[str]]) -> None:
    decks = readings["deck"].unique()
    if len(decks) > 1:
        st.markdown(arm_tables.SEVERAL)
        return
    found = arms.by_arm(readings, answers)
    st.markdown(arm_tables.WHAT)
    comparison = primary.get(decks[0], ())
    difference = arms.difference_of_gains(readings, comparison or ("", ""))
    st.markdown(arm_tables.primary(comparison, difference))
    chart = charts.intervals(arm_tables.rows(found))
    _chart_beside_table(chart, arm_tables.gains_table(found), "arms", arm_tables.times_table(found))


@st.fragment
def _groups(readings: pd.DataFrame, unfinished: pd.DataFrame) -> None:
    st.markdown("Subgroups are small: check intervals and n. Skin types are Fitzpatrick types.")
    chosen = st.segmented_control(
        "Group by", tables.groupings(readings), default="Skin type", required=True, key="grouping"
    )
    groups = {
        tables.group_name(chosen, group): summary
        for group, summary in statistics.by_group(readings, unfinished, tables.GROUPINGS[chosen]).items()
    }
    measures = tables.group_tables(groups)
    if not statistics.is_scored(readings).any():
        _titled(measures, tables.WITHOUT_TRUTH)
        return
    rows = [Row(group, {who: summary.accuracy[who, 1] for who in WHO}) for group, summary in groups.items()]
    _chart(charts.intervals(rows), "groups", measures["Top 1 accuracy"])
    _titled(measures, tables.SHOWN_FIRST)
    with st.expander("Top 3 accuracy, agreement, confidence and time"):
        _titled(measures, [title for title in measures if title not in tables.SHOWN_FIRST])


def _titled(measures: Mapping[str, Table], titles: Sequence[str]) -> None:
    for title in titles:
        st.markdown(f"**{title}**")
        st.table(tables.escaped(measures[title]), hide_index=True, border="horizontal")


# ---- one reader, one deck ----


def show_take_home(summary: TakeHome) -> None:
    """The personal summary, with the same content as its PDF."""
    figures = summary.summary
    st.markdown(
        f"**{plain(summary.deck)}** · {summary.day.isoformat()} · "
        f"{plain(case_count(summary, bundle_choice.title_of_version))} · "
        f"AI: {plain(bundle_choice.title_of_version(summary.ai))}"
    )
    if figures.n_with_truth:
        _chart_beside_table(
            charts.intervals(accuracy_rows(figures)),
            tables.accuracy_table(figures),
            "own_accuracy",
            tables.switches_table(figures),
        )
    else:
        st.table(tables.agreement_table(figures), hide_index=True, border="horizontal")
    lines = [
        *(help_and_harm(summary) if figures.n_with_truth else ()),
        *confidence_lines(summary),
        time_line(summary),
    ]
    st.markdown("\n".join(f"- {plain(line)}" for line in lines))


# ---- drawing ----


def _chart_beside_table(chart: go.Figure, table: Table, key: str, *more: Table) -> None:
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _chart(chart, key, table, *more)
    with right:
        for part in (table, *more):
            st.table(tables.escaped(part), hide_index=True, border="horizontal")


def _chart(chart: go.Figure, key: str, *same: Table) -> None:
    st.plotly_chart(chart, config=charts.CONFIG, alt=tables.in_words(*same), key=f"compare_{key}")
