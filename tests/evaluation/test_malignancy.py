import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from skin_ai.evaluation.figures import Evaluated
from skin_ai.evaluation.malignancy import malignancy

TYPES = ("BCC", "MEL", "NEV", "SEK")
MALIGNANT = ("MEL", "BCC")


def evaluated_of(malignant_mass, truth):
    """The mass is shared so that no malignant type comes first though their sum is large."""
    mass = np.asarray(malignant_mass)
    scores = np.column_stack([mass / 2, mass / 2, 1 - mass, np.zeros_like(mass)])
    truth = np.asarray(truth)
    return Evaluated(TYPES, truth, np.arange(len(truth)), np.full(4, 0.25), {"chain": scores})


@pytest.mark.parametrize(
    "mass, auc, sensitivity",
    (([0.9, 0.8, 0.7, 0.3, 0.2, 0.1], 1, 1), ([0.1, 0.2, 0.3, 0.7, 0.8, 0.9], 0, 0), ([0.5] * 6, 0.5, 0)),
    ids=("perfect", "reversed", "says nothing"),
)
def test_malignancy_of_worked_examples(mass, auc, sensitivity):
    found = malignancy(evaluated_of(mass, [0, 1, 0, 2, 3, 2]), "chain", MALIGNANT)
    assert (found["n"], found["n_malignant"]) == (6, 3)
    assert found["auc"]["value"] == auc
    assert found["sensitivity_at_80"]["value"] == sensitivity
    assert found["roc"][0] == {"false_positive_rate": 0, "sensitivity": 0}
    assert found["roc"][-1] == {"false_positive_rate": 1, "sensitivity": 1}


@pytest.mark.parametrize("decimals", (6, 1), ids=("no ties", "many ties"))
def test_malignancy_is_that_of_scikit_learn(decimals):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 400)
    mass = np.clip(0.5 + 0.2 * (truth < 2) + rng.normal(0, 0.2, 400), 0, 1).round(decimals)
    found = malignancy(evaluated_of(mass, truth), "chain", MALIGNANT)
    assert found["auc"]["value"] == pytest.approx(roc_auc_score(truth < 2, mass), abs=1e-4)
    false_positives, sensitivity, thresholds = roc_curve(truth < 2, mass, drop_intermediate=False)
    for name, rate in (("sensitivity_at_80", 0.2), ("sensitivity_at_90", 0.1)):
        last = np.flatnonzero(false_positives <= rate)[-1]
        assert found[name]["value"] == pytest.approx(sensitivity[last], abs=1e-4)
        assert found[name]["low"] < found[name]["value"] < found[name]["high"]
        assert found[name]["least_probability"] == pytest.approx(min(thresholds[last], 1), abs=1e-4)


@pytest.mark.parametrize("truth", ([2, 3, 2, 3], [0, 1, 0, 1]), ids=("all benign", "all malignant"))
def test_cases_of_one_kind_have_no_curve(truth):
    found = malignancy(evaluated_of([0.9, 0.1, 0.4, 0.6], truth), "chain", MALIGNANT)
    assert found["auc"]["value"] is None and found["sensitivity_at_90"]["value"] is None
    assert found["roc"] == []
    json.dumps(found, allow_nan=False)
