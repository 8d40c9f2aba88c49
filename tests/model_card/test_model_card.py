"""The model card: its figures are those of the manifest, what is missing says so, and nothing is invented."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from app_at_work import texts
from safetensors.numpy import load_file
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, roc_auc_score
from streamlit.testing.v1 import AppTest

from skin_ai import model_card
from skin_ai.model_card.failure_modes import failure_modes
from skin_ai.model_card.tables import NOT_MEASURED, compared, confusions, interval, is_figure, with_n
from skin_ai.predict.bundle import (
    DEFAULT_BUNDLE,
    MANIFEST,
    PREDICTIONS_FILE,
    WEIGHTS,
    bundle_names,
    file_of,
    read_manifest,
)
from skin_ai.views.card import charts as card_charts

FIRST_SCREEN = ["How good is it?", "Where does it fail?", "What is it for, and what not?"]
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
PARTS = {  # of `figures` -> where the card reports them
    "modes": "By input",
    "malignancy": "Malignant against the rest",
    "groups": "By patient group",
    "calibration": "Calibration",
    "risk_coverage": "Not sure: accuracy and coverage",
    "literature": "Comparison with published protocols",
    "reading": "Reading facts from words",
    "gate": "Unsuitable photos",
    "quality": "Photo quality",
    "shortcuts": "Shortcuts: ink, blur, size",
    "heatmaps": "Heatmaps",
    "elimination": "Stability of the elimination",
}
LEFT_OUT = re.compile(
    r"by_kind|rise|crosses|own_sharpness|share_by_type|malignancy_of|false_stops_by_type"
    r"|quality\.kinds\.\w+\.accuracy|\.area|against_(blob|random)|absolute$|randomised_both|middle_share|curves"
    r"|biopsed|ours\.\w+\.(accuracy|macro_auc)|literature\.\w+\.(accuracy|macro_auc)|(ece|macro_auc)$|where"
    r"|right_way|others\.\w+\.recall|(words_only|photo_only)\.coverage_by_type|not_sure\.\w+\.(accuracy|gain)$"
    r"|single_pass\.recall|control_\w+\.recall|(most_frequent|regression_on_\w+)\.recall"
)


@pytest.fixture(params=bundle_names())
def manifest(request) -> dict[str, Any]:
    return read_manifest(WEIGHTS / request.param)


@pytest.fixture
def complete() -> dict[str, Any]:
    """The manifest with every part, to be changed."""
    return read_manifest(WEIGHTS / DEFAULT_BUNDLE)


def bare(figures: dict[str, Any] | None = None) -> dict[str, Any]:
    """A manifest without optional parts."""
    full = read_manifest(WEIGHTS / DEFAULT_BUNDLE)
    needed = ("name", "code_version", "types", "image_model", "language_model")
    return {key: full[key] for key in needed} | ({} if figures is None else {"figures": figures})


def figures_in(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if is_figure(value):
        yield path, value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from figures_in(part, f"{path}.{key}")


def part_of(text: str, title: str) -> str:
    return re.split(r"\n##+ ", text.split(f"# {title}\n", 1)[1])[0]


def tables_of(text: str) -> list[list[str]]:
    return [table.splitlines() for table in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)]


# ---- its figures ----


def test_figures_are_those_of_the_saved_predictions(manifest):
    """Balanced accuracy of the chain, macro AUC of the photo alone, confusion matrix, by scikit-learn."""
    saved = load_file(file_of(WEIGHTS / manifest["name"], PREDICTIONS_FILE))
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
            assert f"({type_}) | {right:,} of {row.sum():,}: " in card


def test_every_figure_is_shown_but_those_left_to_the_manifest(manifest):
    card = model_card.as_markdown(manifest)
    measured = {"figures": manifest["figures"], "not_sure": manifest["not_sure"]}
    found = [(path, figure) for path, figure in figures_in(measured) if not LEFT_OUT.search(path)]
    assert len(found) > 200
    assert [path for path, figure in found if interval(figure) not in card] == []


def test_first_screen_has_one_table_of_at_most_five_rows_with_n(manifest):
    sections = model_card.sections(manifest)
    [table] = tables_of(sections[FIRST_SCREEN[0]])
    assert 1 <= len(table) - 2 <= 5
    assert all(re.search(r"0\.\d\d \(0\.\d\d to 0\.\d\d\)", row) for row in table[2:])
    assert "n = 1,186" in sections[FIRST_SCREEN[0]]
    assert manifest["figures"]["protocol"].split(". ")[0] in sections[FIRST_SCREEN[0]]


def test_sections_are_those_of_the_paper_in_its_order(manifest):
    assert list(model_card.sections(manifest)) == FIRST_SCREEN + MITCHELL


def test_every_measured_part_has_its_protocol(manifest):
    card = model_card.as_markdown(manifest)
    for key, title in PARTS.items():
        found = manifest["figures"].get(key, {})
        protocol = found.get("protocol") or found.get("chain", {}).get("protocol")
        assert protocol is None or protocol in part_of(card, title)


@pytest.mark.parametrize("key", PARTS)
def test_part_that_is_missing_says_so(complete, key):
    title = PARTS[key]
    assert NOT_MEASURED not in part_of(model_card.as_markdown(complete), title)
    del complete["figures"][key]
    assert NOT_MEASURED in part_of(model_card.as_markdown(complete), title)


@pytest.mark.parametrize(
    "figures",
    [
        None,
        {},
        {"words": {"scin": {}, "other": {"modes": {"chain": {"n": 3, "accuracy": None}}}}},
        {"modes": {"chain": {"n": 3, "balanced_accuracy": {"value": None, "low": None, "high": None}}}},
        {"calibration": {"protocol": "x", "chain": {}}, "groups": {"protocol": "x", "skin_type": {}}},
        {"malignancy": {"chain": {"roc": []}}, "risk_coverage": {"chain": {"curve": []}}},
        {"gate": {"caught": {}}, "quality": {"kinds": {}}, "shortcuts": {}, "heatmaps": {"verdict": None}},
        {"literature": {"ours": {}, "literature": {}}, "elimination": {"protocol": "x"}},
        {"comparison": {"chain_less_control_single_pass": {"value": 0.1}}, "others": {}},
    ],
)
def test_figures_that_are_not_there_break_nothing(figures):
    card = model_card.as_markdown(bare(figures))
    assert NOT_MEASURED in card
    assert not re.search(r"\b(None|nan|Undefined)\b", card)


def test_tables_have_the_columns_of_their_heads_and_fit_a_phone(manifest):
    tables = tables_of(model_card.as_markdown(manifest))
    assert len(tables) > 20
    for lines in tables:
        assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {lines[0].count("|")}
        assert set(lines[1]) == set("| -")
        assert lines[0].count("|") <= 5


def test_published_figures_stand_with_their_protocol(complete):
    text = part_of(model_card.as_markdown(complete), PARTS["literature"])
    assert "91% on 260 narratives written by a language model" in text
    literature = complete["figures"]["literature"]
    accuracies = [interval(literature[key]["photo"]["balanced_accuracy"]) for key in ("ours", "literature")]
    assert f"| Photo | {' | '.join(accuracies)} |" in text


def test_text_of_a_manifest_becomes_neither_markup_nor_a_section(complete):
    hostile = "<b onclick=x>\n## Fake section\n![x](http://a.b/c.png) | [y](http://d.e) `$z$`"
    complete["figures"]["protocol"] = complete["name"] = hostile
    complete["figures"]["gate"]["method"] = hostile
    complete["figures"]["groups"][hostile] = {"<i>": {"n": 40, "accuracy": {"value": 0.5}}}
    card = model_card.as_markdown(complete)
    assert list(model_card.sections(complete)) == FIRST_SCREEN + MITCHELL
    assert not re.search(r"(?<!\\)<(?!!-- chart: \w+ -->)", card)
    assert not re.search(r"(?<!\\)\[(?!arXiv)", card)
    assert not re.search(r"(?<!\\)[`$]", card)


# ---- one table, one way ----


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([[7, 7], [7, 7]], ["| A |", "*n = 7*"]),
        ([[7, 7], [8, 8]], ["| A, n = 7 |", "| B, n = 8 |"]),
        ([[7, 8], [7, 8]], ["| One, n = 7 |", "Two, n = 8 |"]),
        ([[7, 8], [8, 7]], ["0.50 (0.40 to 0.60), n = 7 | 0.50 (0.40 to 0.60), n = 8"]),
        ([[None, None], [None, None]], ["| A | 0.50 (0.40 to 0.60) |"]),
    ],
)
def test_table_gives_n_once(counts, expected):
    def figure(n):
        return {"value": 0.5, "low": 0.4, "high": 0.6} | ({} if n is None else {"n": n})

    parts = {
        name: {"one": figure(one), "two": figure(two)} for name, (one, two) in zip("AB", counts, strict=True)
    }
    table = compared(parts, {"one": "One", "two": "Two", "three": "Three"})
    assert all(text in table for text in expected)
    assert "Three" not in table
    assert table.count("n = ") == len(re.findall("n = ", " ".join(expected))) * (2 if "), n" in table else 1)


def test_table_of_nothing_says_so():
    assert compared({}, {"one": "One"}) == compared({"A": {}}, {"one": "One"}) == NOT_MEASURED


def test_confusions_name_the_most_frequent_mistakes_first():
    types = ["MEL", "NEV", "SEK", "ACK", "BCC", "SCC", "ECZ", "ACD"]
    matrix = [[5, 3, 2, 1, 4, 1, 1, 2], [0, 4, *[0] * 6], *[[0] * 8] * 6]
    found = confusions({"confusion": matrix}, types)
    assert found["MEL"].mistaken_for() == "BCC 4, NEV 3, SEK 2, ACD 2, ACK 1, others 2"
    assert (found["NEV"].correct, found["NEV"].n, found["NEV"].mistaken_for()) == (4, 4, "nothing else")
    assert set(found) == {"MEL", "NEV"}


# ---- where it fails ----


def failures_by_title(manifest: dict[str, Any]) -> dict[str, str]:
    return dict(re.match(r"\*\*(.+)\.\*\* (.+)", line).groups() for line in failure_modes(manifest))


def test_failure_modes_are_read_from_the_figures(manifest):
    figures, found = manifest["figures"], failures_by_title(manifest)
    chain = figures["modes"]["chain"]
    for type_, name, n in (("SCC", "squamous cell carcinoma", 78), ("MEL", "melanoma", 38)):
        assert f"{name} in {with_n(chain['recall'][type_], n)}" in found["Missed types"]
    held_out = figures["others"]["chain_in_held_out_wordings"]["balanced_accuracy"]
    assert interval(held_out) in found["Unfamiliar wording"]
    skin = figures["groups"]["skin_type"]
    assert f"type IV, {interval(skin['IV']['balanced_accuracy'])}, n = 34" in found["Fitzpatrick skin type"]
    assert "Type V (n = 5) and Type VI (n = 1)" in found["Fitzpatrick skin type"]
    assert with_n(figures["gate"]["caught"]["painted_over"]) in found["Unsuitable photos"]
    assert with_n(figures["gate"]["false_alarms"]) in found["Unsuitable photos"]
    assert with_n(figures["malignancy"]["chain"]["sensitivity_at_90"]) in found["Missed malignancy"]
    assert with_n(figures["calibration"]["words_only"]["ece_shown"]) in found["Calibration"]
    assert with_n(figures["shortcuts"]["drawn_ink"]["first_type_changes"]) in found["Surgical ink"]
    stability = figures["elimination"]["stability"]["held_out_wordings"]
    assert with_n(stability["same_first_type"]) in found["Instability"]
    assert not {"Heatmaps", "Photo quality"} & found.keys()
    assert ("Patients' own words" in found) == ("words" in figures)


def test_failure_modes_follow_the_figures(complete):
    figures = complete["figures"]
    figures["gate"]["caught"] = {"extreme_crops": {"value": 0.95}, "noise": {"value": 0.21}}
    figures["heatmaps"]["verdict"] = "no better than a centred blob"
    figures["modes"]["chain"]["recall"]["NEV"] = {"value": 0.11, "low": 0.05, "high": 0.2}
    figures["quality"]["kinds"]["glare"]["caught"] = {"value": 0.44, "low": 0.4, "high": 0.5, "n": 400}
    figures["others"]["chain_in_held_out_wordings"]["balanced_accuracy"]["value"] = 0.7
    found = failures_by_title(complete)
    assert found["Missed types"].startswith("Correctly ranked first: nevus in 0.11 (0.05 to 0.20), n = 198")
    assert "least often noise: 0.21" in found["Unsuitable photos"]
    assert "no better than a centred blob" in found["Heatmaps"]
    assert "glare 0.44 (0.40 to 0.50), n = 400" in found["Photo quality"]
    assert "photo alone" not in found["Unfamiliar wording"]


def test_first_screen_shows_the_three_most_harmful(manifest):
    shown = model_card.sections(manifest)[FIRST_SCREEN[1]]
    failures = failure_modes(manifest)
    assert re.findall(r"^- (.+)$", shown, re.MULTILINE) == failures[:3]
    assert f"{len(failures) - 3} more" in shown


def test_nothing_measured_gives_no_failure_modes():
    assert failure_modes(bare()) == []
    assert NOT_MEASURED in part_of(model_card.as_markdown(bare()), "Known failure modes")


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.01, 0.05, "a gain"), (-0.05, -0.01, "a loss"), (-0.01, 0.05, "no detectable difference")],
)
def test_gain_of_chain_of_options_is_called_one_only_where_it_is(complete, low, high, verdict):
    complete["figures"]["comparison"]["chain_less_control_single_pass"] |= {"low": low, "high": high}
    text = part_of(model_card.as_markdown(complete), "What Chain of Options adds")
    assert f": {verdict}" in text


# ---- charts ----


@pytest.mark.parametrize("name", card_charts.CHARTS)
def test_charts_are_readable_without_colour_and_let_a_phone_scroll(complete, name):
    chart = card_charts.CHARTS[name](complete["figures"])
    assert len({trace.line.dash for trace in chart.data}) == len(chart.data)
    assert chart.layout.showlegend == (len(chart.data) > 1)
    assert chart.layout.plot_bgcolor == chart.layout.paper_bgcolor == "rgba(0,0,0,0)"
    assert chart.layout.dragmode is False
    assert chart.layout.xaxis.fixedrange


def test_charts_draw_the_points_of_the_manifest_and_stand_above_their_table(complete):
    figures, card = complete["figures"], model_card.as_markdown(complete)
    assert set(re.findall(r"<!-- chart: (\w+) -->", card)) == set(card_charts.CHARTS)
    bins = figures["calibration"]["chain"]["bins_shown"]
    [trace] = card_charts.reliability(figures).data
    assert list(trace.y) == [point["accuracy"] for point in bins]
    for point in bins:
        bounds = f"({point['low']:.2f} to {point['high']:.2f}), n = {point['n']}"
        assert f"| {point['confidence']:.2f} | {point['accuracy']:.2f} {bounds} |" in card
    curve = figures["risk_coverage"]["chain"]["curve"]
    assert list(card_charts.risk_coverage(figures).data[-1].y) == [point["accuracy"] for point in curve]
    at_80 = next(point for point in curve if point["coverage"] == 0.8)
    assert f"| 80% | {at_80['accuracy']:.2f} ({at_80['low']:.2f} to" in card
    roc = figures["malignancy"]["chain"]["roc"]
    assert list(card_charts.malignancy_curve(figures).data[-1].y) == [point["sensitivity"] for point in roc]
    at_fifth = np.interp(0.2, *np.array([[p["false_positive_rate"], p["sensitivity"]] for p in roc]).T)
    assert f"| 0.20 | {at_fifth:.2f} |" in card


# ---- the page ----


def page(manifest):
    from skin_ai.views.card import sections as card

    card.show(manifest)


def test_page_shows_the_card_of_the_bundle(app: AppTest):
    app.switch_page("skin_ai/pages/model_card.py").run()
    assert not app.exception
    assert [header.value for header in app.header][:3] == FIRST_SCREEN
    assert [found.label for found in app.expander if found.label in MITCHELL] == MITCHELL
    assert "not a medical device" in "\n".join(info.value for info in app.info)
    manifest = read_manifest(WEIGHTS / DEFAULT_BUNDLE)
    shown = texts(app)
    assert manifest["figures"]["protocol"] in shown
    for mode in manifest["figures"]["modes"].values():
        for name in ("balanced_accuracy", "macro_auc", "accuracy", "top3"):
            assert interval(mode[name]) in shown
    assert len(app.get("plotly_chart")) == len(card_charts.CHARTS)
    labels = [found.proto.label for found in app.get("download_button")]
    assert labels == ["Download as Markdown", "Download all figures (JSON)"]


@pytest.mark.parametrize("figures", [None, {"malignancy": {"chain": {"roc": []}}}])
def test_page_of_a_bare_manifest_has_no_charts(figures):
    app = AppTest.from_function(page, kwargs={"manifest": bare(figures)}, default_timeout=60).run()
    assert not app.exception
    assert not app.get("plotly_chart")
    assert NOT_MEASURED in texts(app)


def test_page_never_shows_a_manifest_as_html(complete):
    complete["figures"]["protocol"] = "<script>alert(1)</script>"
    app = AppTest.from_function(page, kwargs={"manifest": complete}, default_timeout=60).run()
    assert not app.exception
    assert not any(element.allow_html for element in app.markdown)
    assert not any("script" in element.proto.body for element in app.get("html"))


def test_page_without_a_bundle_says_which_file_is_missing(
    app: AppTest, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("skin_ai.predict.bundle.WEIGHTS", tmp_path)
    app.switch_page("skin_ai/pages/model_card.py").run()
    assert not app.exception
    [error] = app.error
    assert str(tmp_path / DEFAULT_BUNDLE / MANIFEST) in error.value
