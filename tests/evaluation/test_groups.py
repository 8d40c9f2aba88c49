import json
from dataclasses import replace

import numpy as np
import pytest
from drawn_cases import draw_dataset, mini_rows
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from skin_ai.diseases import LABEL_SETS
from skin_ai.evaluation.figures import Evaluated
from skin_ai.evaluation.groups import NOT_RECORDED, Particulars, by_group, particulars_of
from skin_ai.evaluation.temperatures import softmax
from skin_ai.training.datasets import DatasetError, load_cases

TYPES = ("BCC", "MEL", "NEV")


@pytest.mark.parametrize(
    "column, cell, field, expected",
    (
        ("fitspatrick", "3.0", "skin_type", "III"),
        ("fitspatrick", "", "skin_type", NOT_RECORDED),
        ("age", "8", "age_band", "0-17"),
        ("age", "60", "age_band", "60-79"),
        ("age", "", "age_band", NOT_RECORDED),
        ("region", "FACE", "body_site", "face"),
        ("gender", "FEMALE", "gender", "female"),
        ("biopsed", "True", "proof", "by biopsy"),
        ("biopsed", "False", "proof", "without biopsy"),
    ),
)
def test_particulars_are_read_from_the_table(tmp_path, column, cell, field, expected):
    rows = mini_rows()
    rows[3][column] = cell
    folder = draw_dataset(tmp_path, rows, photos=False)
    cases = load_cases(folder, LABEL_SETS["pad-ufes-20"])
    # In the order of the cases, whatever the order of the table.
    found = particulars_of(folder, cases[::-1])
    assert len(found) == len(cases)
    assert getattr(found[-4], field) == expected


def test_columns_that_a_table_lacks_are_not_recorded(tmp_path):
    rows = [
        {k: v for k, v in row.items() if k not in ("gender", "fitspatrick", "biopsed")} for row in mini_rows()
    ]
    folder = draw_dataset(tmp_path, rows, photos=False)
    person = particulars_of(folder, load_cases(folder, LABEL_SETS["pad-ufes-20"]))[0]
    assert (person.gender, person.skin_type, person.proof) == (NOT_RECORDED,) * 3
    assert person.body_site == "face"


@pytest.mark.parametrize("cell", ("7", "0", "dark"))
def test_a_skin_type_that_is_none_is_named_with_its_row(tmp_path, cell):
    rows = mini_rows()
    rows[2]["fitspatrick"] = cell
    folder = draw_dataset(tmp_path, rows, photos=False)
    with pytest.raises(DatasetError, match=f"row 4: .*{cell}"):
        particulars_of(folder, load_cases(folder, LABEL_SETS["pad-ufes-20"]))


@pytest.fixture(scope="module")
def found():
    """90 cases with skin type II, 9 with V, 30 not recorded; the latter are all nevi."""
    rng = np.random.default_rng(0)
    truth = np.concatenate([rng.integers(0, 3, 99), np.full(30, 2)])
    logits = rng.normal(size=(129, 3))
    logits[np.arange(129), truth] += 1
    scores = softmax(logits)
    people = [Particulars(skin_type="II")] * 90 + [Particulars(skin_type="V")] * 9 + [Particulars()] * 30
    evaluated = Evaluated(TYPES, truth, np.arange(129), np.full(3, 1 / 3), {"chain": scores})
    return evaluated, by_group(evaluated, people, "chain", ("BCC", "MEL"))["skin_type"]


def test_figures_of_a_group_are_of_its_cases(found):
    evaluated, groups = found
    truth, scores = evaluated.truth[:90], evaluated.modes["chain"][:90]
    group = groups["II"]
    assert (group["n"], group["n_types"]) == (90, 3)
    expected = {
        "balanced_accuracy": balanced_accuracy_score(truth, scores.argmax(1)),
        "accuracy": (scores.argmax(1) == truth).mean(),
        "malignancy_auc": roc_auc_score(truth < 2, scores[:, :2].sum(1)),
    }
    for name, value in expected.items():
        assert group[name]["value"] == pytest.approx(value, abs=1e-4), name
        assert group[name]["low"] < group[name]["value"] < group[name]["high"], name


def test_a_group_of_few_cases_has_its_size_only(found):
    assert found[1]["V"] == {"n": 9}


def test_a_group_of_one_type_has_no_malignancy_auc(found):
    group = found[1][NOT_RECORDED]
    assert group["n_types"] == 1 and group["malignancy_auc"]["value"] is None
    json.dumps(found[1], allow_nan=False)


def test_groups_stand_in_their_order_and_what_is_not_recorded_last(found):
    assert list(found[1]) == ["II", "V", NOT_RECORDED]


def test_cases_that_a_mode_was_not_asked_about_are_in_no_group(found):
    scores = found[0].modes["chain"].copy()
    scores[:50] = np.nan
    people = [Particulars(gender="female")] * 129
    groups = by_group(replace(found[0], modes={"chain": scores}), people, "chain", ("BCC",))
    assert groups["gender"]["female"]["n"] == 79
