import json

import numpy as np
import pytest
from made_up_steps import step

from skin_ai.evaluation.figures import Evaluated, as_rows
from skin_ai.evaluation.reliability import (
    at_threshold,
    calibration,
    not_sure,
    risk_coverage,
    step_calibration,
)
from skin_ai.evaluation.temperatures import softmax
from skin_ai.predict.chain import answer

TYPES = ("BCC", "MEL", "NEV")
PRIOR = np.array([0.6, 0.1, 0.3])


def evaluated_of(scores, truth, types=TYPES, prior=PRIOR, patients=None):
    patients = np.arange(len(truth)) if patients is None else patients
    return Evaluated(types, np.asarray(truth), patients, np.asarray(prior), {"chain": np.asarray(scores)})


def true_probabilities(n=1500, seed=0):
    """(n, K) probabilities for equally frequent types, and types drawn as those of a clinic with PRIOR."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(len(TYPES), n, p=PRIOR)
    seen = rng.normal(size=(n, len(TYPES)))
    seen[np.arange(n), truth] += 1.5
    # Bayes: each type shifts its own coordinate of a normal by 1.5, so that the log likelihood is 1.5 x + c.
    return softmax(1.5 * seen), truth


def sure_of(confidence, right):
    """Two types; the first type's probability is `confidence`, and it is right or not."""
    scores = np.column_stack([confidence, 1 - np.asarray(confidence)])
    return evaluated_of(scores, np.where(right, 0, 1), ("BCC", "NEV"), [0.5, 0.5])


# ---- calibration ----


@pytest.mark.parametrize(
    "power, is_calibrated",
    ((1.0, True), (3.0, False), (0.4, False)),
    ids=("calibrated", "over-confident", "under-confident"),
)
def test_only_true_probabilities_are_within_what_calibrated_ones_show(power, is_calibrated):
    scores, truth = true_probabilities()
    powered = scores**power
    found = calibration(evaluated_of(powered / powered.sum(1, keepdims=True), truth), "chain")
    for shown in ("", "_shown"):
        error = found[f"ece{shown}"]
        assert (error["value"] <= found[f"if_calibrated{shown}"]["high"]) == is_calibrated
        assert error["low"] <= error["value"] <= error["high"]
        assert sum(bin_["n"] for bin_ in found[f"bins{shown}"]) == len(truth)


def test_calibration_error_of_a_worked_example():
    # In each bin nine BCC and one NEV, all called BCC with 0.6: right in 0.9 of the cases, but in half where
    # both types are equally frequent. With the prior the probability is 0.6 * 0.9 / (0.6 * 0.9 + 0.4 * 0.1).
    truth = np.tile([0] * 9 + [1], 15)
    evaluated = evaluated_of(np.tile([0.6, 0.4], (150, 1)), truth, ("BCC", "NEV"), [0.9, 0.1])
    found = calibration(evaluated, "chain")
    assert found["ece"]["value"] == pytest.approx(0.54 / 0.58 - 0.9, abs=1e-4)
    assert found["ece_shown"]["value"] == pytest.approx(0.1, abs=1e-4)
    assert [bin_["accuracy"] for bin_ in found["bins_shown"]] == [0.5] * 15
    assert [bin_["confidence"] for bin_ in found["bins"]] == [pytest.approx(0.54 / 0.58, abs=1e-4)] * 15


def test_noise_as_shown_is_of_cases_that_count_as_their_types_are_rare():
    # All are called BCC with 0.6, true where types are equally frequent: only noise is left of the error.
    # Were each case to count once, BCC would be right in 0.93 of them, off by 0.33.
    evaluated = evaluated_of(
        np.tile([0.6, 0.4], (1500, 1)), np.tile([0] * 14 + [1], 100), ("BCC", "NEV"), [0.9, 0.1]
    )
    assert 0.02 < calibration(evaluated, "chain")["if_calibrated_shown"]["mean"] < 0.15


def test_cases_that_a_mode_was_not_asked_about_do_not_count():
    scores, truth = true_probabilities(90)
    scores[::3] = np.nan
    assert calibration(evaluated_of(scores, truth), "chain")["n"] == 60


def test_a_step_is_judged_by_the_cases_whose_type_is_still_an_option():
    def steps(first, second, third):
        return (
            step((first, 0.5, 0, 0), (second, 0.3, 0, 0), (third, 0.2, 0, 0), keep=2),
            step((first, 0.8, 0, 0), (second, 0.2, 0, 0), keep=1),
        )

    # The last case's type falls at once; of the other four, three are named first.
    chains = [steps("BCC", "MEL", "NEV")] * 4 + [steps("NEV", "BCC", "MEL")]
    truth = np.array([0, 0, 0, 1, 1])
    found = step_calibration(chains, truth, np.full(3, 1 / 3), TYPES, np.arange(5))
    assert [(entry["step"], entry["options"], entry["n"]) for entry in found] == [(1, 3, 5), (2, 2, 4)]
    # One bin a case: three gaps of 0.2 and one of 0.8.
    assert found[1]["ece"]["value"] == pytest.approx((3 * 0.2 + 0.8) / 4, abs=1e-4)


# ---- not sure ----


@pytest.mark.parametrize(
    "surest_first, at_80, area",
    (
        # Ten cases, two wrong. The risk at coverage k / 10 is the share of wrong ones among the first k.
        ([1, 1, 1, 1, 1, 1, 1, 1, 0, 0], 1.0, (1 / 9 + 2 / 10) / 10),
        ([0, 0, 1, 1, 1, 1, 1, 1, 1, 1], 0.75, (1 + sum(2 / k for k in range(2, 11))) / 10),
    ),
    ids=("perfect ranker", "worst ranker"),
)
def test_risk_coverage_of_worked_examples(surest_first, at_80, area):
    found = risk_coverage(sure_of(np.linspace(0.95, 0.55, 10), np.array(surest_first, bool)), "chain")
    assert found["full"]["value"] == 0.8
    assert found["at_80"]["value"] == pytest.approx(at_80)
    assert found["gain"]["value"] == pytest.approx(at_80 - 0.8)
    assert found["area"]["value"] == pytest.approx(area, abs=1e-4)
    assert (found["curve"][-1]["coverage"], found["curve"][-1]["accuracy"]) == (1.0, 0.8)


def test_confidence_by_a_coin_gains_nothing():
    rng = np.random.default_rng(1)
    found = risk_coverage(sure_of(rng.uniform(0.5, 1, 1000), rng.random(1000) < 0.7), "chain")
    assert found["gain"]["low"] < 0 < found["gain"]["high"]
    assert found["area"]["value"] == pytest.approx(1 - found["full"]["value"], abs=0.05)


def test_threshold_of_a_fold_is_that_of_the_others():
    confidence = np.concatenate([np.linspace(0.51, 0.6, 10), np.linspace(0.81, 0.9, 10)])
    right = np.tile([True, False], 10)
    found = not_sure(sure_of(confidence, right), np.repeat([0, 1], 10), coverage=0.8)
    assert found["least_probability_folds"] == [
        pytest.approx(np.quantile(confidence[10:], 0.2), abs=1e-4),
        pytest.approx(np.quantile(confidence[:10], 0.2), abs=1e-4),
    ]
    assert found["least_probability"] == pytest.approx(np.quantile(confidence, 0.2), abs=1e-4)
    # Nothing of the first fold reaches the second's threshold, all of the second reaches the first's.
    assert found["chain"]["coverage"]["value"] == 0.5


def test_accuracy_of_those_answered_and_of_those_held_back():
    confidence, right = np.array([0.9, 0.9, 0.9, 0.6, 0.6]), np.array([True, True, True, False, True])
    found = at_threshold(sure_of(confidence, right), "chain", 0.8)
    values = {name: found[name]["value"] for name in found if name != "coverage_by_type"}
    assert values == {
        "coverage": 0.6,
        "accuracy": 0.8,
        "accuracy_of_decided": 1.0,
        "accuracy_of_undecided": 0.5,
        "gain": 0.2,
    }
    assert {type_: part["n"] for type_, part in found["coverage_by_type"].items()} == {"BCC": 4, "NEV": 1}


def test_what_is_left_of_undecided_cases():
    def chain(*first, last):
        """BCC, MEL, NEV with the probabilities `first`, the best two of them then with `last`."""
        best = sorted(zip(first, TYPES, strict=True), reverse=True)
        return (
            step(*((type_, value, 0, 0) for value, type_ in best), keep=2),
            step((best[0][1], last, 0, 0), (best[1][1], 1 - last, 0, 0), keep=1),
        )

    # Mass that has reached the last two and the last one: 0.96 and 0.91, 0.95 and 0.52, 0.68 and 0.37.
    sure, two_left, three_left = (
        chain(0.9, 0.06, 0.04, last=0.95),
        chain(0.5, 0.45, 0.05, last=0.55),
        chain(0.32, 0.33, 0.35, last=0.55),
    )
    steps, truth = [sure, two_left, two_left, three_left] * 2, np.array([0, 1, 2, 0] * 2)
    evaluated = evaluated_of(as_rows([answer(each) for each in steps], TYPES), truth)
    found = not_sure(evaluated, np.repeat([0, 1], 4), coverage=0.1, steps=steps)
    assert 0.68 < found["least_probability_folds"][0] < 0.91
    left = found["undecided"]
    assert left["cases_by_options_left"] == {"2": 4, "3": 2}
    assert left["options_left"]["value"] == pytest.approx(14 / 6, abs=1e-4)
    # Of those with two left, BCC and MEL, half are nevi; with three left none is missing.
    assert left["true_type_among_them"]["value"] == pytest.approx(4 / 6, abs=1e-4)
    assert found["chain"]["coverage"]["n"] - left["options_left"]["n"] == 2


def test_results_are_json_without_nan():
    scores, truth = true_probabilities(40)
    evaluated = evaluated_of(scores, truth)
    # A threshold that nobody reaches leaves no accuracy of decided cases.
    nobody = at_threshold(evaluated, "chain", 1.1)
    assert nobody["accuracy_of_decided"]["value"] is None
    found = [calibration(evaluated, "chain"), risk_coverage(evaluated, "chain"), nobody]
    json.dumps([*found, not_sure(evaluated, np.arange(40) % 5)], allow_nan=False)
