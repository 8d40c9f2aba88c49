"""The input file of iMRMC, read again by the description of its format, and what its scores are worth."""

import re

import made_up_study
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from skin_ai.diseases import DISEASES, LABEL_SETS, Nature
from skin_ai.study import statistics
from skin_ai.study.export import ExportError, read, write
from skin_ai.study.imrmc import NoScores, malignancy_score, to_imrmc

MALIGNANT = {code for code, disease in DISEASES.items() if disease.nature is Nature.MALIGNANT}
FIELDS = ("NR", "N0", "N1", "NM")


@pytest.fixture(scope="module")
def answers() -> pd.DataFrame:
    return made_up_study.answers(n_readers=6, n_cases=20, seed=4)


def parsed(text: str) -> tuple[dict[str, int], dict[int, int], dict[tuple[int, int, int], float]]:
    """The numbers of the description, the truth by case, and the scores by reader, case and modality."""
    description, data = text.split("\nBEGIN DATA:\n")
    numbers = {name: int(re.search(rf"^{name}: *(\d+)$", description, re.M).group(1)) for name in FIELDS}
    assert sum(line.startswith(FIELDS) for line in description.splitlines()) == len(FIELDS)
    truth, scores = {}, {}
    for line in data.splitlines():
        reader, case, modality, score = line.split(",")
        if int(reader) == -1:
            assert int(modality) == 0 and score in ("0", "1") and int(case) not in truth
            truth[int(case)] = int(score)
        else:
            key = int(reader), int(case), int(modality)
            assert min(key) >= 1 and key not in scores
            scores[key] = float(score)
    assert {case for _, case, _ in scores} == truth.keys()  # every case has its truth
    assert numbers == {
        "NR": len({reader for reader, _, _ in scores}),
        "N0": list(truth.values()).count(0),
        "N1": list(truth.values()).count(1),
        "NM": len({modality for _, _, modality in scores}),
    }
    return numbers, truth, scores


def test_file_is_what_its_format_describes(answers):
    numbers, truth, scores = parsed(to_imrmc(answers))
    readings = statistics.readings(answers)
    kept = [
        before[0] in DISEASES and after[0] in DISEASES
        for before, after in zip(readings["before"], readings["after"], strict=True)
    ]
    assert (numbers["NR"], numbers["NM"], len(truth)) == (6, 2, 20)
    assert len(scores) == 2 * sum(kept)
    assert f"left out without a known diagnosis or reference: {len(kept) - sum(kept)}" in to_imrmc(answers)


def test_area_under_the_curve_of_the_file_is_that_of_the_answers(answers):
    _, truth, scores = parsed(to_imrmc(answers))
    first = statistics.readings(answers)["reader"].iloc[0]
    own = answers[(answers["reader"] == first) & answers["rank_1"].isin(list(DISEASES)) & answers["blinded"]]
    own = own[own.groupby("case")["stage"].transform("size") == 2]
    for modality, stage in ((1, "before"), (2, "after")):
        rows = own[own["stage"] == stage]
        expected = roc_auc_score(
            rows["truth"].isin(MALIGNANT),
            [
                1000 * (rank in MALIGNANT) + sure * (1 if rank in MALIGNANT else -1)
                for rank, sure in zip(rows["rank_1"], rows["confidence"], strict=True)
            ],
        )
        of_first = {
            case: score for (reader, case, used), score in scores.items() if (reader, used) == (1, modality)
        }
        found = roc_auc_score([truth[case] for case in of_first], list(of_first.values()))
        assert found == pytest.approx(expected)


def test_stated_probability_of_malignancy_is_the_score_where_all_readings_have_it(answers):
    asked = made_up_study.with_management(answers)
    _, _, scores = parsed(to_imrmc(asked))
    assert {score for score in scores.values()} == {30, 50, 70, 90}
    assert len(scores) == 2 * len(statistics.readings(answers))  # also of diagnoses that are no known type
    assert "probability of malignancy that the reader stated" in to_imrmc(asked)
    one = asked.index[asked["stage"] == "after"][0]
    asked.loc[one, "malignancy"] = pd.NA
    assert to_imrmc(asked) == to_imrmc(answers)  # two scales are not mixed


def test_file_names_no_reader_and_no_code(answers):
    text = to_imrmc(answers)
    assert not any(code in text for code in answers["reader"].unique())
    assert all(f": {case}" in text for case in statistics.readings(answers)["case"].unique())


def test_each_bundle_is_a_modality_of_its_own(answers):
    cases = answers["case"].isin(sorted(answers["case"].unique())[:8])
    both = pd.concat([answers[~cases], answers[cases].assign(bundle="skin-26", bundle_sha256="1" * 64)])
    numbers, _, scores = parsed(to_imrmc(both))
    assert numbers["NM"] == 3
    assert {modality for _, _, modality in scores} == {1, 2, 3}
    assert "aided by skin-26" in to_imrmc(both)


@pytest.mark.parametrize("truth", ["", "MEL", "NEV", "something odd"])
def test_one_kind_of_case_has_no_area_under_the_curve(answers, truth):
    with pytest.raises(NoScores, match="malignant and other cases"):
        to_imrmc(answers.assign(truth=truth))


def test_export_replaces_another_but_cannot_be_imported(answers, tmp_path):
    write(answers, tmp_path, "csv")
    write(answers, tmp_path, "imrmc")
    assert {path.name for path in tmp_path.iterdir()} == {"readings.imrmc", "dataset_schema.md"}
    with pytest.raises(ExportError):
        read(tmp_path)


@pytest.mark.parametrize(
    ("less", "more"),
    [
        (("NEV", 90), ("NEV", 10)),
        (("NEV", 0), ("MEL", 0)),  # the diagnosis first, whatever the confidence
        (("ACK", 0), ("BCC", 0)),
        (("MEL", 10), ("SCC", 90)),
    ],
)
def test_score_orders_by_diagnosis_then_confidence(less, more):
    assert malignancy_score(*less) < malignancy_score(*more)


def test_score_of_no_type_is_none():
    assert malignancy_score("foreign body reaction", 80) is None


@pytest.mark.parametrize(
    ("label_set", "spread", "loss"), [("pad-ufes-20", 0.3, 0.04), ("skin-26", 0.05, 0.11)]
)
def test_score_of_an_honest_reader_comes_near_their_probability_of_malignancy(label_set, spread, loss):
    """The withdrawn recipe took confidence in one of many types for a rating: AUC 0.55 instead of 0.86."""
    rng = np.random.default_rng(0)
    types = np.array(LABEL_SETS[label_set])
    malignant = np.isin(types, list(MALIGNANT))
    belief = rng.dirichlet(np.full(len(types), spread), 4000)
    truth = malignant[(belief.cumsum(1) > rng.random((4000, 1))).argmax(1)]
    first, sure = types[belief.argmax(1)], (100 * belief.max(1)).round().astype(int)
    withdrawn = np.where(np.isin(first, list(MALIGNANT)), sure, 100 - sure)
    derived = [
        malignancy_score(type_, int(confidence)) for type_, confidence in zip(first, sure, strict=True)
    ]
    honest = roc_auc_score(truth, belief[:, malignant].sum(1))
    assert roc_auc_score(truth, derived) > honest - loss
    assert roc_auc_score(truth, derived) > roc_auc_score(truth, withdrawn) + 0.08
