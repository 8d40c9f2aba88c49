import json

import numpy as np
import pytest
from drawn_cases import draw_dataset, mini_rows
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    recall_score,
    roc_auc_score,
    top_k_accuracy_score,
)

from skin_ai.evaluation.evaluate import evaluate
from skin_ai.evaluation.figures import (
    MODES,
    Evaluated,
    as_rows,
    auc_samples,
    bins_of,
    calibration_errors,
    figures,
    gains,
)
from skin_ai.evaluation.simple_models import regression_on_fields
from skin_ai.evaluation.temperatures import (
    fit_prior_weights,
    fit_temperature,
    softmax,
    step_logits,
    with_temperatures,
)
from skin_ai.intervals import RESAMPLES, patient_weights
from skin_ai.predict.bundle import DEFAULT_BUNDLE
from skin_ai.predict.chain import Option, Probability, Step, answer
from skin_ai.predict.narrative import Answer, Facts
from skin_ai.training.datasets import DatasetError
from skin_ai.vocabulary import SITES

TYPES = ("BCC", "SCC", "MEL", "ACK", "NEV", "SEK")


def random_cases(n=300, n_types=6, seed=0, decimals=None):
    """(n,) truth and (n, K) probabilities that know something of it; few decimals make ties."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(n_types, n, p=np.arange(1, n_types + 1) / (n_types * (n_types + 1) / 2))
    logits = rng.normal(size=(n, n_types))
    logits[np.arange(n), truth] += 1.2
    scores = softmax(logits)
    return truth, scores if decimals is None else np.round(scores, decimals) + 0.01


@pytest.fixture(scope="module")
def evaluated():
    truth, scores = random_cases()
    patients = np.random.default_rng(1).integers(0, 120, len(truth))
    prior = np.array([0.35, 0.1, 0.05, 0.3, 0.1, 0.1])
    return Evaluated(
        TYPES, truth, patients, prior, {"mode": scores, "prior_alone": np.full_like(scores, 1 / 6)}
    )


# ---- figures against scikit-learn ----


def test_figures_are_those_of_scikit_learn(evaluated):
    found, truth, scores = figures(evaluated)["mode"], evaluated.truth, evaluated.modes["mode"]
    with_prior = scores * evaluated.prior
    with_prior /= with_prior.sum(1, keepdims=True)
    expected = {
        "balanced_accuracy": balanced_accuracy_score(truth, scores.argmax(1)),
        "accuracy": accuracy_score(truth, with_prior.argmax(1)),
        "macro_auc": roc_auc_score(truth, scores, multi_class="ovr", average="macro"),
        "top3": top_k_accuracy_score(truth, with_prior, k=3),
    }
    assert found["n"] == len(truth)
    for name, value in expected.items():
        assert found[name]["value"] == pytest.approx(value, abs=1e-4), name
        assert found[name]["low"] < found[name]["value"] < found[name]["high"], name
    recall = recall_score(truth, scores.argmax(1), average=None)
    assert [found["recall"][type_]["value"] for type_ in TYPES] == pytest.approx(recall.tolist(), abs=1e-4)
    assert np.trace(found["confusion"]) == (scores.argmax(1) == truth).sum()


@pytest.mark.parametrize("decimals", (None, 1), ids=("no ties", "many ties"))
def test_weighted_auc_is_that_of_scikit_learn(decimals):
    truth, scores = random_cases(decimals=decimals)
    weights = np.random.default_rng(3).integers(0, 4, (5, len(truth))).astype(float)
    found = auc_samples(truth, scores, weights)
    for row, value in zip(weights, found, strict=True):
        expected = [
            roc_auc_score(truth == k, scores[:, k], sample_weight=row) for k in range(scores.shape[1])
        ]
        assert value == pytest.approx(np.mean(expected), abs=1e-9)


def test_auc_leaves_out_types_that_no_case_has():
    truth, scores = (
        np.array([0, 0, 1, 1]),
        np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.4, 0.5, 0.1], [0.1, 0.8, 0.1]]),
    )
    expected = np.mean([roc_auc_score(truth == k, scores[:, k]) for k in (0, 1)])
    assert auc_samples(truth, scores, np.ones((1, 4)))[0] == pytest.approx(expected)
    assert np.isnan(auc_samples(truth[:2], scores[:2], np.ones((1, 2)))[0])


def calibration_error(truth, scores):
    confidence, right = scores.max(1), scores.argmax(1) == truth
    return calibration_errors(confidence, right, np.ones((1, len(truth))), bins_of(confidence))[0]


def test_calibration_error_of_a_worked_example():
    # Fifteen bins of two cases; in each the first case is right. Confidence 0.75: gap 0.25; 0.5: no gap.
    truth = np.array([0, 1] * 15)
    for confidence, expected in ((0.75, 0.25), (0.5, 0.0), (1.0, 0.5)):
        scores = np.tile([confidence, 1 - confidence], (30, 1))
        assert calibration_error(truth, scores) == pytest.approx(expected)


def test_calibration_error_is_small_where_probabilities_are_true():
    rng = np.random.default_rng(0)
    scores = softmax(rng.normal(size=(20_000, 4)))
    truth = (rng.random((20_000, 1)) > scores.cumsum(1)).sum(1)
    sharp = softmax(3 * np.log(scores))
    assert calibration_error(truth, scores) < 0.02 < 0.1 < calibration_error(truth, sharp)


# ---- bootstrap ----


def test_bootstrap_draws_whole_patients():
    patients = np.array([7, 7, 7, 3, 3, 9, 4])
    weights = patient_weights(patients)
    assert weights.shape == (1 + RESAMPLES, 7)
    assert (weights[0] == 1).all()
    for patient in set(patients.tolist()):
        own = weights[:, patients == patient]
        assert (own == own[:, :1]).all()
    first = [int(np.flatnonzero(patients == patient)[0]) for patient in (7, 3, 9, 4)]
    assert (weights[:, first].sum(1) == 4).all()
    assert np.array_equal(weights, patient_weights(patients))


def test_interval_is_wider_when_cases_hang_together():
    truth, scores = random_cases(400)
    prior = np.full(6, 1 / 6)
    widths = []
    for patients in (np.arange(400), np.sort(truth * 10 + np.arange(400) % 5)):
        order = np.argsort(scores.argmax(1) == truth) if len(set(patients.tolist())) < 400 else np.arange(400)
        found = figures(Evaluated(TYPES, truth[order], patients, prior, {"mode": scores[order]}))["mode"][
            "accuracy"
        ]
        widths.append(found["high"] - found["low"])
    assert widths[1] > 2 * widths[0]


def test_gain_is_paired(evaluated):
    same = gains(evaluated, "mode", "mode")["balanced_accuracy"]
    assert same == {"value": 0, "low": 0, "high": 0}
    gain = gains(evaluated, "mode", "prior_alone")["balanced_accuracy"]
    found = figures(evaluated)
    difference = (
        found["mode"]["balanced_accuracy"]["value"] - found["prior_alone"]["balanced_accuracy"]["value"]
    )
    assert gain["value"] == pytest.approx(difference, abs=2e-4)
    assert 0 < gain["low"] < gain["value"] < gain["high"]


# ---- temperatures ----


@pytest.mark.parametrize("known", (0.5, 1.0, 2.5))
def test_temperature_that_made_the_labels_is_found(known):
    rng = np.random.default_rng(0)
    logits, prior = rng.normal(0, 2, (20_000, 4)), np.array([0.5, 0.3, 0.1, 0.1])
    logits[::3, 3] = -np.inf  # a type that is no option there
    true = softmax(logits / known + np.log(prior))
    truth = (rng.random((len(true), 1)) > true.cumsum(1)).sum(1)
    assert fit_temperature(logits, truth, prior) == pytest.approx(known, rel=0.1)


@pytest.mark.parametrize("overconfident", (1.0, 2.0))
def test_photo_counts_more_where_what_the_words_say_is_too_sure(overconfident):
    rng = np.random.default_rng(0)
    words, prior = rng.normal(0, 1, (20_000, 4)), np.array([0.5, 0.3, 0.1, 0.1])
    photos = softmax(rng.normal(0, 2, words.shape))
    true = softmax(words + np.log(photos) + np.log(prior))
    truth = (rng.random((len(true), 1)) > true.cumsum(1)).sum(1)
    log_photos = np.log(photos)
    (added,) = fit_prior_weights(overconfident * words + log_photos, log_photos[None], truth, prior)
    assert added == pytest.approx(overconfident - 1, abs=0.1)  # the temperature then divides both


def test_weights_of_two_priors_that_made_the_labels_are_found():
    rng = np.random.default_rng(0)
    words, frequency = rng.normal(0, 1, (20_000, 4)), np.array([0.5, 0.3, 0.1, 0.1])
    priors = np.log(softmax(rng.normal(0, 2, (2 * len(words), 4)))).reshape(2, -1, 4)
    true = softmax((words + 3 * priors[0] + priors[1]) / 2 + np.log(frequency))
    truth = (rng.random((len(true), 1)) > true.cumsum(1)).sum(1)
    assert fit_prior_weights(words, priors, truth, frequency) == pytest.approx((3, 1), abs=0.15)
    assert fit_prior_weights(words[:0], priors[:, :0], truth[:0], frequency) == (0, 0)


def chain_of(*steps):
    """Steps from (type, probability) pairs, best first, and how many of them are kept."""
    return tuple(
        Step(tuple(Option(type_, p, place < keep, 0.0, 0.0) for place, (type_, p) in enumerate(options)))
        for options, keep in steps
    )


CHAIN = chain_of(([("BCC", 0.6), ("SCC", 0.3), ("MEL", 0.1)], 2), ([("SCC", 0.7), ("BCC", 0.3)], 1))


@pytest.mark.parametrize("temperature", (0.4, 1.0, 3.0))
def test_tempered_chain_keeps_its_order_and_sums_to_one(temperature):
    tempered = with_temperatures(CHAIN, (temperature, temperature))
    for before, after in zip(CHAIN, tempered, strict=True):
        assert [(o.type, o.kept) for o in before.options] == [(o.type, o.kept) for o in after.options]
        assert sum(option.probability for option in after.options) == pytest.approx(1)
    assert sum(item.probability for item in answer(tempered)) == pytest.approx(1)
    # By definition: probabilities are softmax(logits), so their logarithms are logits.
    logits = np.log([option.probability for option in CHAIN[0].options])
    expected = softmax(logits[None] / temperature)[0]
    assert [option.probability for option in tempered[0].options] == pytest.approx(expected.tolist())


def test_step_logits_are_minus_infinity_outside_the_options():
    logits = step_logits([CHAIN], 1, ("BCC", "SCC", "MEL"))
    assert np.exp(logits).tolist() == [[pytest.approx(0.3), pytest.approx(0.7), 0]]


def test_rows_stand_in_the_order_of_the_label_set():
    ranked = (Probability("MEL", 0.7), Probability("BCC", 0.2), Probability("SCC", 0.1))
    assert as_rows([ranked], ("BCC", "SCC", "MEL")).tolist() == [[0.2, 0.1, 0.7]]


# ---- the regression that must be beaten ----


def facts_and_labels(n, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, n, p=[0.8, 0.15, 0.05])
    facts = []
    for label in labels:
        told = [Answer.YES if rng.random() < (0.8, 0.5, 0.1)[label] else Answer.NO for _ in range(3)]
        site = SITES[int(rng.choice([label, 3]))]
        age = None if rng.random() < 0.1 else int(rng.integers(20, 60) + 10 * label)
        facts.append(Facts(age=age, site=site, itch=told[0], bleed=told[1], grew=told[2]))
    return facts, labels


def test_regression_has_a_balanced_prior():
    facts, labels = facts_and_labels(4000)
    test, truth = facts_and_labels(3000, seed=1)
    found = regression_on_fields(facts, labels, test, 3)
    assert found.sum(1) == pytest.approx(np.ones(len(test)))
    # The plain regression hardly ever says the rare type; without its prior every type is recalled.
    balanced = balanced_accuracy_score(truth, found.argmax(1))
    plain = LogisticRegression(max_iter=500).fit([[f.age or 60] for f in facts], labels)
    assert balanced > balanced_accuracy_score(truth, plain.predict([[f.age or 60] for f in test])) + 0.2
    by_type = np.array([found[truth == k].mean(0) for k in range(3)])
    assert by_type.mean(0) == pytest.approx(np.full(3, 1 / 3), abs=0.06)


def test_regression_bears_types_and_fields_it_never_saw():
    facts, labels = facts_and_labels(200)
    strange = [Facts(), Facts(age=99, site=SITES[-1], hurt=Answer.UNKNOWN)]
    found = regression_on_fields(facts, labels, strange, 6)
    assert found.shape == (2, 6)
    assert (found[:, 3:] < 1e-4).all()
    assert np.isfinite(found).all()


# ---- evaluate ----


def test_limit_takes_the_first_photos_and_rows_without_facts_are_borne(tmp_path):
    rows = mini_rows()
    rows[0] |= dict.fromkeys(("age", "region", "itch", "grew", "hurt", "changed", "bleed", "elevation"), "")
    found = evaluate(draw_dataset(tmp_path, rows), DEFAULT_BUNDLE, limit=3)
    assert {found[mode]["n"] for mode in MODES} == {3}
    assert set(found["chain"]["recall"]) == {"BCC"}
    assert found["chain"]["macro_auc"] == {"value": None, "low": None, "high": None}
    json.dumps(found, allow_nan=False)


def test_folder_without_any_photo_is_an_error(tmp_path):
    with pytest.raises(DatasetError, match="none of the photos"):
        evaluate(draw_dataset(tmp_path, photos=False), DEFAULT_BUNDLE)


def test_photo_that_cannot_be_read_is_named(tmp_path):
    folder = draw_dataset(tmp_path)
    (folder / "images" / "PAT_1_1_7.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    with pytest.raises(DatasetError, match=r"PAT_1_1_7\.jpg"):
        evaluate(folder, DEFAULT_BUNDLE, limit=2)
