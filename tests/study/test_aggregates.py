"""The figures to download are those of the page, and tell of no single reader."""

import csv
from io import StringIO

import pandas as pd
import pytest

from skin_ai.intervals import MIN_N
from skin_ai.study import aggregates, statistics
from tests.study.made_up_study import WORDS_OF_THE_PATIENT, answers

EVERYONE = answers(n_readers=6, n_cases=15, seed=2)


def rows(table) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(aggregates.to_csv(table).removeprefix("\ufeff"))))


def test_figures_are_those_of_the_page():
    summary = statistics.summary(statistics.readings(EVERYONE), statistics.unfinished(EVERYONE))
    found = {(row["figure"], row["of"]): row for row in rows(EVERYONE)}
    for (figure, of), estimate in {
        ("accuracy, top 1", "before"): summary.accuracy["before", 1],
        ("accuracy, top 3", "ai"): summary.accuracy["ai", 3],
        ("gain, top 1", "after minus before"): summary.gain[1],
        ("switches", "harmful"): summary.switches.harmful,
        ("kappa with the AI", "after"): summary.agreement["after"].kappa,
        ("median time, seconds", "before"): summary.seconds["before"],
    }.items():
        row = found[figure, of]
        assert [float(row[name]) for name in ("value", "low", "high", "n")] == pytest.approx(
            [estimate.value, estimate.low, estimate.high, estimate.n]
        )
    assert found["size", "readers"]["value"] == "6"


def test_no_row_tells_of_a_reader():
    text = aggregates.to_csv(EVERYONE.assign(reason="my reason", comment="my comment"))
    for secret in (*EVERYONE["reader"].unique(), *EVERYONE["case"].unique(), "my reason", "my comment"):
        assert secret not in text
    assert WORDS_OF_THE_PATIENT not in text


def test_few_readings_give_neither_value_nor_count():
    few = EVERYONE[EVERYONE["case"] == EVERYONE["case"].iloc[0]]
    few = few[few["reader"].isin(few["reader"].unique()[:2])]
    figures = [row for row in rows(few) if row["figure"] != "size"]
    assert figures
    assert all(row["value"] == row["count"] == "" for row in figures if int(row["n"]) < MIN_N)


def test_bundles_are_not_pooled():
    cases = EVERYONE["case"].isin(sorted(EVERYONE["case"].unique())[:5])
    other = EVERYONE[cases].assign(bundle="=skin-26", bundle_sha256="1" * 64)
    found = rows(pd.concat([EVERYONE[~cases], other]))
    sizes = {row["bundle"]: row["value"] for row in found if row["of"] == "cases"}
    assert sizes == {"pad-ufes-20": "10", "'=skin-26": "5"}  # guarded against spreadsheets


def test_empty_study_gives_the_header_alone():
    assert rows(EVERYONE.head(0)) == []
