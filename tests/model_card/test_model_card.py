"""The model card: its figures are those of the saved predictions, all are shown, and none is invented."""

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from app_at_work import table_of, texts
from safetensors.numpy import load_file
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, roc_auc_score
from streamlit.testing.v1 import AppTest

from skin_ai import model_card
from skin_ai.diseases import LABEL_SETS
from skin_ai.model_card import charts, nested
from skin_ai.model_card.blocks import (
    NOT_MEASURED,
    Block,
    Counts,
    Curves,
    Line,
    Section,
    Table,
    Text,
    interval,
    is_figure,
)
from skin_ai.model_card.failure_modes import failure_modes
from skin_ai.model_card.rows import most_frequent_wrong
from skin_ai.predict.bundle import (
    DEFAULT_BUNDLE,
    PREDICTIONS_FILE,
    WEIGHTS,
    bundle_names,
    file_of,
    read_manifest,
)
from skin_ai.views.card import charts as card_charts

MITCHELL = [  # Model Cards for Model Reporting, 2019, figure 1
    "Model Details",
    "Intended Use",
    "Factors",
    "Metrics",
    "Evaluation Data",
    "Training Data",
    "Quantitative Analyses",
    "Ethical Considerations",
    "Caveats and Recommendations",
]
MODES = ("photo_only", "words_only", "single_pass", "chain")
WIDEST = 4  # columns of a phone's table


class Made:
    """Made-up figures, no two alike, so that a missing one is found."""

    def __init__(self) -> None:
        self.given = 0

    def figure(self, value: float | None = None, n: int = 1186) -> dict[str, Any]:
        self.given += 1
        middle = 0.2 + self.given / 1000 if value is None else value
        return {
            "value": round(middle, 4),
            "low": round(middle - 0.03, 4),
            "high": round(middle + 0.0311, 4),
            "n": n,
        }


def made_up() -> dict[str, Any]:
    """The shipped manifest with everything that can be measured beside it."""
    manifest, figure = read_manifest(WEIGHTS / DEFAULT_BUNDLE), Made().figure
    curve = [{"coverage": share / 20, "accuracy": 0.95 - 0.2 * share / 20} for share in range(1, 21)]
    roc = [{"false_positive_rate": rate / 50, "sensitivity": (rate / 50) ** 0.2} for rate in range(51)]
    bins = [{"confidence": 0.3 + 0.1 * k, "accuracy": 0.25 + 0.1 * k, "n": 160 + k} for k in range(7)]
    manifest["not_sure"] = {"protocol": "Not sure, made up.", "least_probability": 0.41, "coverage": figure()}
    manifest["figures"] |= {
        "calibration": {
            mode: {"ece": figure(), "ece_shown": figure(), "bins": bins, "bins_shown": bins} for mode in MODES
        },
        "step_calibration": [{"step": step, "ece": figure(), "n": 1000 - step} for step in (1, 2, 3)],
        "risk_coverage": {
            mode: {"curve": curve, "full": figure(), "at_80": figure(), "gain": figure()} for mode in MODES
        },
        "malignancy": {
            mode: {
                "auc": figure(),
                "roc": roc,
                "sensitivity_at_80": figure(n=519),
                "sensitivity_at_90": figure(n=519),
            }
            for mode in MODES
        },
        "groups": {
            "protocol": "Groups, made up.",
            "skin_type": {
                "II": {"n": 600, "balanced_accuracy": figure(), "accuracy": figure()},
                "III": {"n": 500, "balanced_accuracy": figure(0.61), "accuracy": figure()},
                "VI": {"n": 3},
            },
            "body_site": {"nose": {"n": 100, "accuracy": figure(), "malignancy_auc": figure()}},
            "clinic": {"A": {"n": 86, "accuracy": figure()}},
        },
        "gate": {
            "protocol": "Gate, made up.",
            "method": "distance",
            "threshold": 12.5,
            "false_alarms": figure(),
            "caught": {"noise": figure(0.99, n=40), "extreme_crops": figure(0.32, n=60)},
            "tried": {"energy": {"caught": figure(), "false_alarms": figure()}},
        },
        "quality": {
            "protocol": "Quality, made up.",
            "limits": {"blurred": 0.3, "dark": 40},
            "false_stops": figure(),
            "kinds": {
                "blurred": {
                    "strengths": [1, 2, 3],
                    "accuracy": [figure(), figure(), figure()],
                    "strength_at_fall": 2,
                    "caught": figure(0.93, n=300),
                },
                "glare": {"strength_at_fall": 2, "caught": figure(0.44, n=300)},
                "dark": {"strength_at_fall": None, "caught": figure(0.12, n=300)},
            },
        },
        "shortcuts": {
            "protocol": "Shortcuts, made up.",
            "drawn_ink": {
                "absolute_change": figure(0.033),
                "by_kind": {"circle": figure(), "cross": figure()},
            },
            "real_ink": {"with_ink": {"accuracy": figure(n=130)}, "without_ink": {"accuracy": figure()}},
            "blurred": {
                "by_strength": {"2": {"answer_changed": figure()}, "4": {"answer_changed": figure()}}
            },
        },
        "heatmaps": {
            "protocol": "Heatmaps, made up.",
            "methods": {name: {"deletion": figure(), "road": figure()} for name in ("grad_cam", "random")},
            "curves": {
                name: {
                    kind: [{"part": part, **figure(0.5)} for part in (0.0, 0.4, 1.0)]
                    for kind in ("grad_cam", "centred_blob", "random")
                }
                for name in ("deletion", "insertion")
            },
            "randomised_head": figure(),
            "verdict": "no better than a centred blob",
        },
        "elimination": {
            "agreement": {"right": {"both": figure()}},
            "stability": {
                "shuffled": {"same_first_type": figure(0.97), "mean_absolute_change": figure()},
                "paraphrased": {"same_first_type": figure(0.83), "mean_absolute_change": figure()},
            },
        },
        "literature": {
            "protocol": "Literature, made up.",
            "ours": {"photo": {"accuracy": figure()}, "both": {"accuracy": figure()}},
            "literature": {"photo": {"accuracy": figure(), "over_folds": {"mean": 0.7123, "sd": 0.0345}}},
        },
    }
    return manifest


NEW = ("calibration", "risk_coverage", "malignancy", "groups", "gate", "quality", "shortcuts", "heatmaps")


def figures_in(value: Any) -> Iterator[dict[str, Any]]:
    if is_figure(value):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from figures_in(part)


def blocks_in(blocks: tuple[Block, ...] | list[Section]) -> Iterator[Block]:
    for block in blocks:
        yield block
        if isinstance(block, Section):
            yield from blocks_in(block.blocks)


def charts_of(manifest: dict[str, Any]) -> list[Curves | Counts]:
    return [b for b in blocks_in(model_card.sections(manifest)) if isinstance(b, Curves | Counts)]


def part_of(text: str, title: str) -> str:
    return text.split(f"# {title}\n", 1)[1].split("\n## ")[0].split("\n### ")[0]


# ---- from the saved predictions ----


@pytest.mark.parametrize("name", bundle_names())
def test_figures_are_those_of_the_saved_predictions(name):
    """Balanced accuracy of the chain, macro AUC of the photo alone, confusion matrix, by scikit-learn."""
    manifest = read_manifest(WEIGHTS / name)
    saved = load_file(file_of(WEIGHTS / name, PREDICTIONS_FILE))
    truth, chain, photo = (saved[key] for key in ("truth", "chain", "photo_only"))
    modes, size = manifest["figures"]["modes"], len(manifest["types"])
    balanced = balanced_accuracy_score(truth, chain.argmax(1))
    area = np.mean([roc_auc_score(truth == k, photo[:, k]) for k in np.unique(truth)])
    assert modes["chain"]["n"] == len(truth)
    assert modes["chain"]["balanced_accuracy"]["value"] == pytest.approx(balanced, abs=1e-4)
    assert modes["photo_only"]["macro_auc"]["value"] == pytest.approx(area, abs=1e-4)
    matrix = confusion_matrix(truth, chain.argmax(1), labels=range(size))
    assert modes["chain"]["confusion"] == matrix.tolist()
    card = model_card.as_markdown(manifest)
    assert f"| Chain | {balanced:.2f} (" in card
    for type_, row in zip(manifest["types"], matrix, strict=True):
        if row.sum():
            right = row[manifest["types"].index(type_)]
            assert f"({type_}) | {right:,} of {row.sum():,} |" in card


# ---- all of it, in order ----


@pytest.mark.parametrize("name", bundle_names())
def test_sections_are_those_of_the_paper_in_its_order(name):
    manifest = read_manifest(WEIGHTS / name)
    assert [section.title for section in model_card.sections(manifest)] == MITCHELL
    assert re.findall(r"^## (.+)$", model_card.as_markdown(manifest), re.MULTILINE) == MITCHELL


def test_every_figure_is_shown():
    manifest = made_up()
    card = model_card.as_markdown(manifest)
    found = [*figures_in(manifest["not_sure"]), *figures_in([manifest["figures"][key] for key in NEW])]
    found += figures_in(
        [manifest["figures"][key] for key in ("elimination", "literature", "step_calibration")]
    )
    assert len(found) > 60
    assert [figure for figure in found if interval(figure) not in card] == []
    assert "0.712 ± 0.035" in card
    assert NOT_MEASURED not in card


@pytest.mark.parametrize("key", [*NEW, "elimination", "literature", "not_sure", "reading", "comparison"])
def test_part_that_is_missing_is_said_to_be_so_or_left_out(key):
    manifest = made_up()
    (manifest if key == "not_sure" else manifest["figures"]).pop(key)
    if key == "calibration":
        del manifest["figures"]["step_calibration"]
    if key == "risk_coverage":
        del manifest["not_sure"]
    card = model_card.as_markdown(manifest)
    assert (NOT_MEASURED in card) == (key not in ("not_sure", "comparison"))
    if key == "gate":
        assert NOT_MEASURED in part_of(card, "Photos unlike those in training")


@pytest.mark.parametrize(
    "figures",
    [
        {},
        {"words": {"scin": {}, "other": {"modes": {"chain": {"n": 3, "accuracy": None}}}}},
        {"modes": {"chain": {"n": 3, "balanced_accuracy": {"value": None, "low": None, "high": None}}}},
        {"calibration": {"protocol": "x", "chain": {}}, "groups": {"protocol": "x", "skin_type": {}}},
        {"malignancy": {"chain": {"roc": []}}, "risk_coverage": {"chain": {"curve": []}}},
        {"gate": {"caught": {}}, "quality": {"kinds": {}}, "shortcuts": {}, "heatmaps": {"verdict": None}},
        {"literature": {"ours": {}, "literature": {}}, "elimination": {"protocol": "x"}},
    ],
)
def test_figures_that_are_not_there_break_nothing(figures):
    manifest = read_manifest(WEIGHTS / DEFAULT_BUNDLE) | {"figures": figures}
    card = model_card.as_markdown(manifest)
    assert NOT_MEASURED in card
    assert not re.search(r"\b(None|nan)\b", card)


def test_downloaded_tables_have_the_columns_of_their_heads():
    tables = re.findall(r"(?:^\|.*\|\n)+", model_card.as_markdown(made_up()), re.MULTILINE)
    assert len(tables) > 30
    for lines in (table.splitlines() for table in tables):
        assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {lines[0].count("|")}
        assert set(lines[1]) == set("| -")


def test_papers_own_figure_stands_with_its_protocol():
    told = part_of(model_card.as_markdown(made_up()), "Two protocols side by side")
    assert "reports 91%: of 260 narratives written by a language model" in " ".join(told.split())
    assert "not ours" in told


# ---- any nesting ----


@pytest.mark.parametrize(
    ("measured", "shown"),
    [
        ({}, []),
        ({"a_b": None}, ["A b", "not measured"]),
        ({"FACE": 3, "share": 0.04567, "sure": True}, ["Face", "3", "0.046", "yes"]),
        (
            {"a": {"b": {"c": {"d": {"value": 0.5, "low": 0.4, "high": 0.6}}}}},
            ["0.50 (0.40 to 0.60)", "A · B"],
        ),
        ({"rows": [{"x": 1, "y": 0.25}, {"x": 2}]}, ["X", "0.25", "not measured"]),
        ({"curve": [{"x": point} for point in range(99)]}, ["99 points"]),
        ({"strengths": [1, 2, 3], "accuracy": [0.9, 0.8, 0.7]}, ["Strengths", "0.70"]),
        ({"folds": [0.41, 0.42], "mean": {"mean": 0.65, "sd": 0.031}}, ["0.41, 0.42", "0.650 ± 0.031"]),
        ({"x": {"value": 0.5, "low": None, "high": None, "text": "One less another"}}, ["One less another"]),
        ({"remark": "a text too long for a cell of a table on the screen of a phone"}, ["Remark: a text"]),
        ({"unequal": {"a": {"p": 1}, "b": {"q": 2, "r": 3, "s": 4}}}, ["P", "Q", "S"]),
    ],
)
def test_any_nesting_of_figures_is_shown(measured, shown):
    blocks = nested.tables(measured)
    assert all(isinstance(block, Text | Table) for block in blocks)
    written = json.dumps([vars(block) for block in blocks], ensure_ascii=False, default=vars)
    assert [text for text in shown if text not in written] == []


def test_both_protocols_stand_in_one_row():
    table = next(
        block
        for block in blocks_in(model_card.sections(made_up()))
        if isinstance(block, Table) and "The literature's" in block.rows[0]
    )
    literature = made_up()["figures"]["literature"]
    row = next(row for row in table.rows if row[""] == "Photo")
    assert interval(literature["ours"]["photo"]["accuracy"]) in row["Ours"]
    assert interval(literature["literature"]["photo"]["accuracy"]) in row["The literature's"]
    assert next(row for row in table.rows if row[""] == "Both")["The literature's"] == ""


# ---- where it fails ----


@pytest.mark.parametrize(
    "told",
    [
        "Squamous cell carcinoma is the type found least often: recall 0.51 (0.38 to 0.64), n = 78",
        "falls from 0.76 (0.73 to 0.80) to 0.66 (0.62 to 0.69); the photo alone reaches 0.68 (0.64 to 0.72)",
        "too few cases to say anything of Type VI (n = 3)",
        "lowest balanced accuracy in Type II",
        "Least often: extreme crops, caught in 0.32 (0.29 to 0.35), n = 60",
        "caught too seldom where they cost accuracy: glare 0.44 (0.41 to 0.47), n = 300.",
        "absolute change 0.033 (0.003 to 0.064)",
        "Most of all: paraphrased, the same answer in 0.83 (0.80 to 0.86), n = 1,186",
        "no better than a centred blob",
    ],
)
def test_failure_modes_are_read_off_the_figures(told):
    [text] = failure_modes(made_up()).blocks
    assert told in text.markdown


def test_failure_modes_follow_the_figures():
    manifest = made_up()
    figures = manifest["figures"]
    figures["gate"]["caught"] = {"extreme_crops": {"value": 0.95}, "noise": {"value": 0.21}}
    figures["heatmaps"]["verdict"] = "better than a centred blob"
    figures["modes"]["chain"]["recall"]["NEV"] = {"value": 0.11, "low": 0.05, "high": 0.2}
    [text] = failure_modes(manifest).blocks
    assert text.markdown.startswith("- Nevus is missed more often than found: recall 0.11 (0.05 to 0.20)")
    assert "Least often: noise, caught in 0.21" in text.markdown
    assert "blob" not in text.markdown


def test_nothing_measured_gives_no_failure_modes():
    manifest = read_manifest(WEIGHTS / DEFAULT_BUNDLE) | {"figures": {}}
    assert failure_modes(manifest).blocks == (Text(NOT_MEASURED),)


def test_most_frequent_wrong_answer_is_told_with_its_cases():
    confusion = [[5, 3, 2], [0, 4, 0], [1, 1, 0]]
    assert most_frequent_wrong(confusion, ("MEL", "NEV", "SEK")) == {
        "MEL": "Nevus (3 of 10)",
        "NEV": "",
        "SEK": "Melanoma (1 of 2)",
    }


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.01, 0.05, "a gain"), (-0.05, -0.01, "a loss"), (-0.01, 0.05, "no difference that could be told")],
)
def test_gain_of_chain_of_options_is_called_one_only_where_it_is(low, high, verdict):
    manifest = made_up()
    manifest["figures"]["comparison"]["chain_less_control_single_pass"] |= {"low": low, "high": high}
    told = part_of(model_card.as_markdown(manifest), "What Chain of Options adds")
    assert f": {verdict}" in told


# ---- charts ----


def test_tables_say_what_charts_show():
    drawn = {chart.key: chart for chart in charts_of(made_up())}
    assert set(drawn) == {
        "confusion_chain",
        "confusion_photo_only",
        "reliability",
        "reliability_shown",
        "roc",
        "risk_coverage",
        "heatmap_deletion",
        "heatmap_insertion",
    }
    assert drawn["heatmap_deletion"].table.rows[1]["Part of the photo"] == "40%"
    rows = drawn["reliability"].table.rows
    assert {row[""] for row in rows} == {line.name for line in drawn["reliability"].lines}
    assert len(rows) == sum(len(line.x) for line in drawn["reliability"].lines)
    assert [row["How often right"] for row in rows[:2]] == ["0.25", "0.35"]
    at_80 = next(row for row in drawn["risk_coverage"].table.rows if row["Coverage"] == "80%")
    assert at_80["Chain"] == "0.79"
    matrix = drawn["confusion_chain"]
    for type_, counts, row in zip(matrix.rows, matrix.counts, matrix.table.rows, strict=True):
        wrong = {column: n for column, n in zip(matrix.columns, counts, strict=True) if n and column != type_}
        assert row["Taken for"].count(",") == len(wrong) - 1
        assert all(f"{column} {n}" in row["Taken for"] for column, n in wrong.items())


def test_matrix_of_many_types_sums_the_rare_answers():
    types = LABEL_SETS["skin-26"]
    counts = [[column + 1 if row < 5 else 0 for column in range(26)] for row in range(26)]
    [matrix] = charts.confusion("chain", counts, types)
    assert isinstance(matrix, Counts)
    assert matrix.rows == types[:5]
    assert set(types[:5]) < set(matrix.columns)
    assert matrix.columns[-1] == charts.OTHERS
    assert len(matrix.columns) <= 9
    assert list(map(sum, matrix.counts)) == [sum(range(27))] * 5


@pytest.mark.parametrize("chart", charts_of(made_up()), ids=lambda chart: chart.key)
def test_charts_are_readable_without_colour_and_let_a_phone_scroll(chart):
    if isinstance(chart, Counts):
        figure = card_charts.counts(chart)
    else:
        figure = card_charts.curves(chart, chart.lines)
        assert len({(trace.line.dash, trace.marker.symbol) for trace in figure.data}) == len(chart.lines)
        assert figure.layout.showlegend == (len(chart.lines) > 1)
    assert figure.layout.plot_bgcolor == figure.layout.paper_bgcolor == "rgba(0,0,0,0)"
    assert figure.layout.dragmode is False
    assert figure.layout.xaxis.fixedrange


def test_modes_that_nobody_knows_yet_are_drawn_too():
    lines = [Line(f"mode {number}", "", (0.0, 1.0), (0.0, 1.0)) for number in range(3)]
    chart = Curves("any", "Any", tuple(lines), "x", "y", Table(({"": ""},)))
    assert len(card_charts.curves(chart, lines).data) == 3


# ---- the page ----


def test_page_shows_the_card_of_the_bundle(app: AppTest):
    app.switch_page("pages/model_card.py").run()
    assert not app.exception
    assert [header.value for header in app.subheader] == MITCHELL
    assert "not a medical device" in "\n".join(info.value for info in app.info)
    manifest = read_manifest(WEIGHTS / DEFAULT_BUNDLE)
    assert manifest["figures"]["protocol"] in texts(app)
    shown = table_of(app)
    for mode in manifest["figures"]["modes"].values():
        for name in ("balanced_accuracy", "macro_auc", "accuracy", "top3"):
            assert interval(mode[name]) in shown
    assert max(len(table.value.columns) for table in app.table) <= WIDEST
    [download] = app.get("download_button")
    assert download.proto.label == "Download as Markdown"


def test_page_draws_all_that_can_be_measured():
    def page(manifest):
        from skin_ai import model_card
        from skin_ai.views.card import sections as card

        card.show(model_card.sections(manifest))

    app = AppTest.from_function(page, kwargs={"manifest": made_up()}, default_timeout=60).run()
    assert not app.exception
    assert len(app.get("plotly_chart")) == len(charts_of(made_up()))
    assert max(len(table.value.columns) for table in app.table) <= WIDEST
    app.segmented_control(key="card_reliability").set_value("Words only").run()
    assert not app.exception


def test_page_without_a_bundle_says_which_file_is_missing(
    app: AppTest, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("skin_ai.predict.bundle.WEIGHTS", tmp_path)
    app.switch_page("pages/model_card.py").run()
    assert not app.exception
    [error] = app.error
    assert str(tmp_path / DEFAULT_BUNDLE / "manifest.json") in error.value
