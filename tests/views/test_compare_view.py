"""Compare: what its charts, tables and sentences say, and which answers the page offers to whom."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import streamlit as st
from app_at_work import TIMEOUT
from sqlalchemy import select
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from skin_ai.study import arms, management, statistics
from skin_ai.study.statistics import OUTSIDE_SCOPE, STAGES
from skin_ai.study.store import Store, open_store
from skin_ai.study.tables import Deck
from skin_ai.study.take_home import WHO
from skin_ai.views.compare import charts as compare_charts
from skin_ai.views.compare import results as compare
from skin_ai.views.compare import tables as compare_tables
from skin_ai.views.compare.charts import Row
from skin_ai.views.session import readers
from tests.study.made_up_study import DECK, WORDS_OF_THE_PATIENT, answers, with_management

PAGE = str(Path(__file__).parents[2] / "skin_ai" / "pages" / "compare.py")
EVERYONE = answers(n_readers=6, n_cases=15, seed=2)
READINGS = statistics.readings(EVERYONE)
UNFINISHED = statistics.unfinished(EVERYONE)
SUMMARY = statistics.summary(READINGS, UNFINISHED)
FEW = READINGS.head(3)
FEW_SUMMARY = statistics.summary(FEW, UNFINISHED)


def cells(table: compare_tables.Table) -> str:
    return "\n".join(cell for row in table for cell in row.values())


def grouped(column: str) -> dict[str, statistics.Summary]:
    return statistics.by_group(READINGS, UNFINISHED, column)


def labels_in(figure) -> list[str]:
    return [*figure.layout.yaxis.ticktext, *(note.text for note in figure.layout.annotations)]


def of_mode(figure, mode: str):
    return [trace for trace in figure.data if trace.type == "scatter" and trace.mode == mode]


# ---- tables and charts ----


def test_tables_hold_the_figures_of_the_statistics():
    accuracy, switches = (
        cells(compare_tables.accuracy_table(SUMMARY)),
        cells(compare_tables.switches_table(SUMMARY)),
    )
    assert all(estimate.text() in accuracy for estimate in SUMMARY.accuracy.values())
    assert SUMMARY.gain[1].text() in accuracy
    for switch in (SUMMARY.switches.beneficial, SUMMARY.switches.harmful):
        assert switch.text() in switches
        assert f"{switch.count} of {switch.n}" in switches
    for table, estimates in (
        (
            compare_tables.reliance_table(SUMMARY),
            (SUMMARY.reliance.followed_when_wrong, SUMMARY.reliance.followed),
        ),
        (compare_tables.agreement_table(SUMMARY), [SUMMARY.agreement[stage].kappa for stage in STAGES]),
    ):
        assert all(estimate.text() in cells(table) for estimate in estimates)
    assert all(
        SUMMARY.seconds[stage].text(" s") in cells(compare_tables.time_table(SUMMARY)) for stage in STAGES
    )


@pytest.mark.parametrize(
    "table",
    [
        compare_tables.accuracy_table(FEW_SUMMARY),
        compare_tables.agreement_table(FEW_SUMMARY),
        compare_tables.time_table(FEW_SUMMARY),
        compare_tables.confidence_table(FEW_SUMMARY),
        *compare_tables.group_tables({"Nurse": FEW_SUMMARY}).values(),
    ],
)
def test_few_readings_give_words_instead_of_figures(table):
    assert "too few (n = " in cells(table)
    table = [{name: cell for name, cell in row.items() if name != "Left out"} for row in table]
    assert not re.search(r"\d\.\d|\d (s|%)|\d to \d", cells(table))


def test_chart_of_few_readings_says_so_and_draws_nothing():
    figure = compare_charts.intervals(compare.accuracy_rows(FEW_SUMMARY))
    assert sum("too few (n = 3)" in label for label in labels_in(figure)) == 4
    assert sum("too few (n = " in label and "cases" in label for label in labels_in(figure)) == 2  # the AI
    assert not of_mode(figure, "markers")


def test_chart_of_intervals_draws_what_the_table_says():
    figure = compare_charts.intervals(compare.accuracy_rows(SUMMARY))
    hovered = [data[2] for trace in of_mode(figure, "markers") for data in trace.customdata]
    assert sorted(hovered) == sorted(estimate.text() for estimate in SUMMARY.accuracy.values())
    before = next(trace for trace in of_mode(figure, "markers") if trace.customdata[0][1] == "before")
    estimate = SUMMARY.accuracy["before", 1]
    assert labels_in(figure)[0] == f"before {estimate.value:.2f}"
    assert before.x[0] == estimate.value
    assert before.x[0] - before.error_x.arrayminus[0] == pytest.approx(estimate.low)
    assert before.x[0] + before.error_x.array[0] == pytest.approx(estimate.high)


def test_markers_differ_beside_colour():
    assert len({style.symbol for style in compare_charts.STYLES.values()}) == len(compare_charts.STYLES)
    assert len({compare_charts.STYLES[who].dash for who in WHO}) == 3
    assert len({label for label, _ in compare_charts.SWITCHES.values()}) == 4


def figures():
    bins = statistics.calibrations(READINGS)
    yield compare_charts.intervals([Row("Accuracy", {"ai": SUMMARY.accuracy["ai", 1]})])
    yield compare_charts.before_to_after(compare_tables.flow_counts(statistics.flow(READINGS)))
    yield compare_charts.confusion(compare_tables.most_frequent(statistics.confusion(READINGS, "before")))
    yield compare_charts.calibration(bins)
    yield compare_charts.over_time(statistics.kappa_over_time(READINGS))


@pytest.mark.parametrize("figure", list(figures()))
def test_charts_have_readable_text_no_background_and_let_a_phone_scroll(figure):
    sizes = re.findall(r'"(?:tickfont|textfont|font)":{"size":(\d+)}', figure.to_json())
    assert sizes
    assert min(map(int, sizes)) >= 12
    assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert figure.layout.dragmode is False


def test_flow_has_the_same_counts_in_chart_and_table():
    flow = statistics.flow(READINGS)
    (sankey,) = compare_charts.before_to_after(compare_tables.flow_counts(flow)).data
    assert [row["Readings"] for row in compare_tables.flow_table(flow)] == [str(n) for n in flow["n"]]
    labels = sankey.node.label
    drawn = {
        (labels[source], labels[target]): value
        for source, target, value in zip(
            sankey.link.source, sankey.link.target, sankey.link.value, strict=True
        )
    }
    right, wrong = (
        f"{state} before: {flow.loc[flow['before'] == state, 'n'].sum()}" for state in ("right", "wrong")
    )
    n = compare_tables.flow_counts(flow)
    assert drawn == {
        (right, f"stayed right: {n['right', 'right']}"): n["right", "right"],
        (right, f"▼ right to wrong: {SUMMARY.switches.harmful.count}"): n["right", "wrong"],
        (wrong, f"▲ wrong to right: {SUMMARY.switches.beneficial.count}"): n["wrong", "right"],
        (wrong, f"stayed wrong: {n['wrong', 'wrong']}"): n["wrong", "wrong"],
    }


@pytest.mark.parametrize("stage", STAGES)
def test_confusion_shows_every_count_in_chart_and_table(stage):
    counts = compare_tables.most_frequent(statistics.confusion(READINGS, stage))
    assert counts.to_numpy().sum() == len(READINGS)
    numbers = compare_charts.confusion(counts).data[0].text
    assert [[int(number) for number in row] for row in numbers] == counts.to_numpy().tolist()
    table = compare_tables.confusion_table(counts)
    in_table = re.findall(r"\d+", " ".join(row["AI the same"] + " " + row["AI different"] for row in table))
    assert sum(map(int, in_table)) == len(READINGS)
    assert table[-1]["Reader"] == "outside"


def test_rare_types_of_a_large_label_set_are_summed():
    types = [f"T{number}" for number in range(26)]
    counts = pd.DataFrame(1, index=[*types, OUTSIDE_SCOPE], columns=types)
    counts.loc["T20", "T20"] = 50
    shown = compare_tables.most_frequent(counts)
    assert shown.to_numpy().sum() == counts.to_numpy().sum()
    assert len(shown.columns) == compare_tables.CONFUSION_TYPES + 1
    assert shown.loc["T20", "T20"] == 50
    assert list(shown.index)[-1] == "outside"


def test_calibration_shows_readers_and_ai_in_one_chart():
    bins = statistics.calibrations(READINGS)
    lines = of_mode(compare_charts.calibration(bins), "lines+markers")
    assert [line.name for line in lines] == ["before", "after", "AI"]
    assert [list(line.y) for line in lines] == [list(bins[who]["accuracy"]) for who in WHO]
    assert all(" cases" in row["Accuracy"] for row in compare_tables.calibration_table({"ai": bins["ai"]}))
    assert len(compare_tables.calibration_table(bins)) == sum(len(table) for table in bins.values())


def test_axis_of_times_reaches_values_that_have_no_interval():
    alone = {stage: replace(SUMMARY.seconds[stage], low=None, high=None) for stage in STAGES}
    end = compare_charts.times(alone).layout.xaxis.range[1]
    assert end >= max(estimate.value for estimate in alone.values()) > 1


def test_groups_have_every_figure_with_its_n():
    groups = grouped("role")
    tables = compare_tables.group_tables(groups)
    for group, summary in groups.items():
        rows = {title: next(row for row in table if row[""] == group) for title, table in tables.items()}
        assert rows["Top 1 accuracy"][WHO["after"]] == summary.accuracy["after", 1].text()
        assert rows["Switches"]["▼ Harmful"].endswith(summary.switches.harmful.text())
        assert rows["Median time"][WHO["before"]] == summary.seconds["before"].text(" s")


@pytest.mark.parametrize(
    ("grouping", "group", "name"),
    [
        ("Skin type", "5", "Type 5"),
        ("Skin type", "not stated", "Not stated"),
        ("Disease type", "reference not understood", "Reference not understood"),
        ("Disease type", "BCC", "Basal cell carcinoma"),
        ("Disease type", "tick bite", "Tick bite"),
        ("Role", "nurse", "Nurse"),
        ("Years of practice", "over 20", "Over 20 years"),
    ],
)
def test_groups_are_named_for_people(grouping, group, name):
    assert compare_tables.group_name(grouping, group) == name


def test_what_is_left_out_is_counted():
    table = EVERYONE.copy()
    n = len(READINGS)
    unblinded = int((~table["blinded"]).sum())
    assert unblinded
    left = table.drop(table[(table["stage"] == "after") & table["blinded"]].index[0])
    text = compare_tables.excluded(left, n - 1)
    assert f"{unblinded} unblinded answer" in text
    repeated = table.assign(repeat=table["case"] == READINGS["case"].iloc[0])
    n_repeats = int((READINGS["case"] == READINGS["case"].iloc[0]).sum())
    assert f"{n_repeats} repeats (same photo" in compare_tables.excluded(repeated, n - n_repeats)
    assert "unfinished" not in compare_tables.excluded(repeated, n - n_repeats)
    assert "1 unfinished case" in text
    assert "No answer" in compare_tables.excluded(table[table["blinded"]], n)


def test_scope_counts_what_the_ai_could_not_have_said():
    outside = SUMMARY.agreement["before"].outside_scope
    assert outside
    assert f"{outside} before" in compare_tables.scope(SUMMARY)


def test_missing_final_answers_are_shown_beside_the_gain():
    assert "No final answer is missing" in compare_tables.missing(SUMMARY.missing[1], SUMMARY.gain[1])
    left = EVERYONE.drop(EVERYONE[(EVERYONE["stage"] == "after") & EVERYONE["blinded"]].index[:9])
    summary = statistics.summary(statistics.readings(left), statistics.unfinished(left))
    assert f"9 of {len(READINGS)}" in compare_tables.missing(summary.missing[1], summary.gain[1])
    kept, changed = compare_tables.accuracy_table(summary)[-2:]
    for top, found in summary.missing.items():
        assert kept[f"Top {top}"] == f"{found.kept:.2f}"
        assert changed[f"Top {top}"] == f"{found.changed:.2f}"
    assert summary.missing[1].kept != summary.missing[1].changed


def test_few_readers_or_cases_are_said():
    assert compare_tables.few(SUMMARY) == ""
    two = READINGS[READINGS["reader"].isin(READINGS["reader"].unique()[:2])]
    text = compare_tables.few(statistics.summary(two, UNFINISHED))
    assert "2 readers and 15 cases" in text and "describe these answers only" in text


def test_undecided_results_are_said_with_what_readers_did():
    open_cases = EVERYONE["case"].isin(sorted(EVERYONE["case"].unique())[:4])
    table = EVERYONE.assign(ai_undecided=open_cases.map({True: "BCC SCC", False: ""}))
    summary = statistics.summary(statistics.readings(table), UNFINISHED)
    found = summary.undecided
    assert found.n_cases == 4
    text = compare_tables.undecided(summary)
    assert found.decided.text() in text
    assert found.changed.text() in text
    shown = cells(compare_tables.undecided_table(summary))
    assert all(estimate.text() in shown for estimate in (*found.candidate.values(), *found.right.values()))
    assert "without 4 cases" in compare_tables.decided(summary)
    assert "each case once." in compare_tables.decided(SUMMARY)


def test_references_that_the_ai_cannot_name_have_rows():
    assert compare_tables.references_table(SUMMARY) == []
    cases = sorted(EVERYONE["case"].unique())
    named = dict.fromkeys(cases[:5], "PSO") | dict.fromkeys(cases[5:7], "something odd")
    table = EVERYONE.assign(truth=EVERYONE["case"].map(named).fillna(EVERYONE["truth"]))
    summary = statistics.summary(statistics.readings(table), UNFINISHED)
    rows = {row["Reference"]: row for row in compare_tables.references_table(summary)}
    assert rows["Outside the AI's types"]["Cases"] == "5"
    assert rows["Outside the AI's types"][WHO["before"]] == summary.references["outside"].before.text()
    assert rows["Not understood"]["Cases"] == "2"
    assert rows["Not understood"][WHO["after"]] == "not judged"


def test_chart_says_what_each_n_counts():
    figure = compare_charts.intervals(compare.accuracy_rows(SUMMARY))
    n, n_cases = SUMMARY.gain[1].n, SUMMARY.accuracy["ai", 1].n
    assert any(f"n = {n}, {n_cases} cases" in label for label in labels_in(figure))


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("![x](http://a.b/c)", r"\!\[x\](http\://a\.b/c)"),
        ("**bold** <i>", r"\*\*bold\*\* \<i\>"),
        (":red[x] $x$", r"\:red\[x\] \$x\$"),
        ("- one", r"\- one"),
        ("1. one", r"1\. one"),
        ("Made-up deck 2", "Made-up deck 2"),
        ("-0.05 (-0.20 to 0.10), n = 12", "-0.05 (-0.20 to 0.10), n = 12"),
    ],
)
def test_text_of_users_is_no_markdown(text, escaped):
    assert compare_tables.plain(text) == escaped


def test_text_of_users_is_no_html_in_charts():
    figure = compare_charts.intervals([Row('<a href="http://a.b">x</a>', {"ai": SUMMARY.accuracy["ai", 1]})])
    assert "<a" not in figure.to_json().replace("\\u003c", "<")


# ---- the page ----


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty store that the page opens too."""
    monkeypatch.delenv("SKIN_AI_DATABASE_URL", raising=False)
    monkeypatch.delenv("SKIN_AI_KIOSK", raising=False)
    monkeypatch.setenv("SKIN_AI_DATA", str(tmp_path))
    monkeypatch.setattr(PagesManager, "uses_pages_directory", False)
    st.cache_resource.clear()
    store = open_store()
    yield store
    store.engine.dispose()
    st.cache_resource.clear()


def visit(reader: str | None = None, *, is_staff: bool | None = None) -> AppTest:
    """The page as study staff see it, or else a reader."""
    page = AppTest.from_file(PAGE, default_timeout=TIMEOUT)
    page.session_state["reader"] = reader
    if is_staff or (is_staff is None and reader is None):
        page.session_state[readers.LET_IN] = True
    page.run()
    assert not page.exception
    return page


def said(page: AppTest) -> str:
    elements = (*page.header, *page.markdown, *page.caption, *page.info)
    tables = [table.value.to_string() for table in page.table]
    return "\n".join([*(element.value for element in elements), *tables])


def choices(page: AppTest) -> list[str]:
    return page.selectbox(key="compare_choice").options


def two_decks() -> pd.DataFrame:
    """The same readers in two decks."""
    second = answers(n_readers=6, n_cases=8, seed=2)
    second["deck"] = "Second deck"
    codes = dict(zip(sorted(second["reader"].unique()), sorted(EVERYONE["reader"].unique()), strict=True))
    people = EVERYONE.drop_duplicates("reader").set_index("reader")
    second["reader"] = second["reader"].map(codes)
    for column in ("role", "years_of_practice"):
        second[column] = second["reader"].map(people[column])
    second["case"] = [f"b{case[1:]}" for case in second["case"]]
    return pd.concat([EVERYONE, second]).sort_values("answered_at", ignore_index=True)


def test_empty_study_says_how_to_get_answers(store):
    page = visit()
    assert [info.value for info in page.info] == [compare.NO_ANSWERS]
    assert not page.get("plotly_chart")
    assert not page.get("download_button")


def test_whole_study_shows_every_section_with_its_figures(store):
    store.add_answers(EVERYONE)
    page = visit()
    assert choices(page)[0] == f"Deck: {DECK}"
    text = said(page)
    for title in ("Accuracy", "Switches", "Adopting", "Agreement", "Confidence", "Time per case"):
        assert title in text
    assert compare_tables.size(SUMMARY) in text
    assert f"{SUMMARY.switches.harmful.count} of {SUMMARY.switches.harmful.n}" in text
    assert len(page.get("download_button")) == 2
    assert WORDS_OF_THE_PATIENT not in text


def test_stage_of_the_confusion_can_be_changed(store):
    store.add_answers(EVERYONE)
    page = visit()
    before = said(page)
    page.segmented_control(key="confusion_stage").set_value("after").run()
    assert not page.exception
    table = compare_tables.confusion_table(
        compare_tables.most_frequent(statistics.confusion(READINGS, "after"))
    )
    assert said(page) != before
    assert all(row["AI different"] in said(page) for row in table)


def test_management_and_malignancy_have_sections_where_they_were_asked(store):
    store.add_answers(with_management(EVERYONE))
    page = visit()
    found = management.management(statistics.readings(with_management(EVERYONE)))
    text = said(page)
    assert {"Management", "Probability of malignancy"} <= {
        header.value.split(" · ")[1] for header in page.header if "·" in header.value
    }
    auc = management.malignancy_auc(statistics.readings(with_management(EVERYONE)))
    for change in (found.harm, found.unnecessary, found.right, auc):
        for estimate in (*change.at.values(), change.change):
            assert estimate.text().replace("n = ", "n\u00a0=\u00a0") in text.replace("\\", "")
    assert found.switches.beneficial.text().replace("n = ", "n\u00a0=\u00a0") in text.replace("\\", "")


def test_arms_are_compared_with_the_one_comparison_that_was_named(store):
    shown = ("nothing", "ranking", "steps")
    keys = EVERYONE[["reader", "case"]].apply(tuple, axis=1)
    table = EVERYONE.assign(arm=keys.map({key: shown[place % 3] for place, key in enumerate(keys.unique())}))
    none = table["arm"] == "nothing"
    for column in ("bundle", "bundle_version", "bundle_sha256", "ai_undecided"):
        table[column] = table[column].mask(none, "")
    table["ai_answer"] = table["ai_answer"].where(~none, None)
    store.add_answers(table)
    assert "No primary comparison is known" in said(visit())
    with store.writing() as session:
        session.scalar(select(Deck)).primary_comparison = ["steps", "ranking"]
    readings = arms.with_arms(statistics.readings(table, second_looks=True))
    text = said(visit())
    difference = arms.difference_of_gains(readings, ("steps", "ranking"))
    assert difference.low is not None
    assert f"steps against ranking.** Difference of the gains: {difference.text()}" in text
    for arm in arms.by_arm(readings, table).values():
        assert arm.gain.text().replace("n = ", "n\u00a0=\u00a0") in text.replace("\\", "")
    second_looks = int((none & (table["stage"] == "before")).sum())
    assert f"{second_looks} second looks without the AI" in text


def test_management_is_no_section_where_it_was_not_asked(store):
    store.add_answers(EVERYONE)
    assert "Management" not in said(visit())


@pytest.mark.parametrize("grouping", compare_tables.GROUPINGS)
def test_every_grouping_can_be_shown(store, grouping):
    store.add_answers(EVERYONE)
    page = visit()
    page.segmented_control(key="grouping").set_value(grouping).run()
    assert not page.exception
    groups = grouped(compare_tables.GROUPINGS[grouping])
    text = said(page)
    assert all(compare_tables.group_name(grouping, group) in text for group in groups)


def test_study_without_reference_shows_agreement_time_and_confidence_only(store):
    store.add_answers(EVERYONE.assign(truth=""))
    page = visit()
    text = said(page)
    assert compare.NO_TRUTH in text
    titles = [header.value.split(" · ")[1] for header in page.header if "·" in header.value]
    assert titles == ["Agreement with the AI", "Confidence", "Time per case", "Subgroups"]
    assert "Disease type" not in page.segmented_control(key="grouping").options


def test_bundles_are_shown_one_at_a_time(store):
    other = {"bundle": "skin-26", "bundle_sha256": "1" * 64}
    cases = EVERYONE["case"].isin(sorted(EVERYONE["case"].unique())[:5])
    store.add_answers(pd.concat([EVERYONE[~cases], EVERYONE[cases].assign(**other)]))
    page = visit()
    finished = statistics.readings(EVERYONE)
    n = {
        name: int((finished["case"].isin(EVERYONE.loc[cases, "case"]) == is_other).sum())
        for name, is_other in (("pad-ufes-20", False), ("skin-26", True))
    }
    chosen = page.selectbox(key="compare_bundle")
    assert chosen.options == ["6-tumour model", "26-disease model (history only)"]
    assert not {"pad-ufes-20", "skin-26"} & set(said(page).replace("\\", "").split())
    assert f"{n['pad-ufes-20']} readings of 10 cases" in said(page)
    chosen.set_value("skin-26").run()
    assert not page.exception
    assert f"{n['skin-26']} readings of 5 cases" in said(page)


def test_one_bundle_needs_no_choice(store):
    store.add_answers(EVERYONE)
    assert [box.key for box in visit().selectbox] == ["compare_choice"]


def test_diagnoses_that_are_all_outside_the_scope_break_nothing(store):
    store.add_answers(EVERYONE.assign(rank_1="foreign body reaction"))
    assert "too few (n = 0)" in said(visit()).replace("\u00a0", " ")


def test_reader_sees_their_own_answers_first_with_a_summary_to_take_home(store):
    store.add_answers(two_decks())
    reader = EVERYONE["reader"].iloc[0]
    page = visit(reader)
    assert choices(page)[0] == "My answers"
    assert "by 1 reader" in said(page)
    assert "describe these answers only" in said(page)
    assert "The AI helped" in said(page)
    assert page.selectbox(key="take_home_deck").options == [DECK, "Second deck"]
    assert downloads(page) == ["Download as PDF (one page)", "Figures (CSV)"]


def downloads(page: AppTest) -> list[str]:
    return [button.proto.label for button in page.get("download_button")]


def test_each_reader_can_be_chosen_and_downloaded_by_who_runs_the_study_only(store):
    store.add_answers(two_decks())
    codes = sorted(store.answers()["reader"].unique())
    page = visit(codes[0])
    assert not any(choice.startswith("Reader: ") for choice in choices(page))
    assert "CSV (spreadsheets)" not in downloads(page)
    page = visit()
    assert [choice for choice in choices(page) if choice.startswith("Reader: ")] == [
        f"Reader: {code}" for code in codes
    ]
    assert "CSV (spreadsheets)" in downloads(page)
    page.selectbox(key="compare_choice").set_value(f"Reader: {codes[0]}").run()
    assert not page.exception
    assert " by 1 reader" in said(page)


@pytest.mark.parametrize("who", ["nobody", "a new reader"])
def test_window_in_which_no_deck_was_finished_shows_no_figures_of_decks(store, who):
    """A reader could otherwise look at a deck's figures in a private window, and go on as if blinded."""
    store.add_answers(two_decks())
    page = visit(store.add_clinician() if who == "a new reader" else None, is_staff=False)
    assert choices(page) == ["All answers"]
    assert "Hidden until you have finished: Made-up deck, Second deck" in said(page)
    assert compare.NO_ANSWERS in [info.value for info in page.info]
    assert not downloads(page)


def test_forged_choice_shows_nothing_that_is_hidden(store):
    store.add_answers(two_decks())
    for forged in (f"Deck: {DECK}", f"Reader: {EVERYONE['reader'].iloc[0]}", "My answers"):
        page = visit(is_staff=False)
        page.selectbox(key="compare_choice").set_value("All answers")
        sent = WidgetStates()
        sent.widgets.add(id=page.selectbox(key="compare_choice").id, string_value=forged)
        page._run(sent)
        assert compare.NO_ANSWERS in [info.value for info in page.info], forged


def test_unfinished_deck_is_kept_from_its_reader_in_every_choice(store):
    table = two_decks()
    reader = EVERYONE["reader"].iloc[0]
    unfinished = table[
        (table["reader"] == reader) & (table["deck"] == DECK) & (table["stage"] == "after")
    ].index[-1]
    store.add_answers(table.drop(unfinished))
    page = visit(reader)
    assert choices(page) == ["My answers", "Deck: Second deck", "All answers"]
    assert not set(choices(visit(reader, is_staff=True))) & {f"Deck: {DECK}"}
    assert "Hidden until you have finished: Made-up deck" in said(page)
    n = len(statistics.readings(table[table["deck"] == "Second deck"]))
    page.selectbox(key="compare_choice").set_value("All answers").run()
    assert f"{n} readings" in said(page)
    others = visit(EVERYONE["reader"].iloc[-1])
    assert f"Deck: {DECK}" in choices(others)


def test_hostile_names_are_shown_as_they_were_written(store):
    hostile = "![x](http://evil.example/x.png) :red[x]"
    store.add_answers(EVERYONE.assign(deck=hostile, truth=hostile, bundle=hostile))
    page = visit(EVERYONE["reader"].iloc[0])
    assert not page.exception
    shown = said(page)
    assert "![x](" not in shown
    assert ":red[" not in shown
    assert "\\!\\[x\\]" in shown
