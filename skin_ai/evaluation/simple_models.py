"""Baselines: regressions on fields or words, and the most frequent types."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder

from skin_ai.predict.narrative import Answer, Facts
from skin_ai.training.datasets import ALWAYS_TRAINED, NEVER_TRAINED
from skin_ai.vocabulary import SYMPTOMS


def regression_on_fields(
    train: Sequence[Facts], labels: np.ndarray, test: Sequence[Facts], n_types: int
) -> np.ndarray:
    """(n, K) probabilities for equally frequent types of a logistic regression on age, site and symptoms."""

    def table(facts: Sequence[Facts]) -> tuple[np.ndarray, np.ndarray]:
        ages = np.array([[60.0 if fact.age is None else fact.age] for fact in facts]) / 20 - 3
        words = [[fact.site or "", *(fact.symptoms[s] for s in SYMPTOMS)] for fact in facts]
        return ages, np.array(words, dtype=object)

    ages, words = table(train)
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(words)
    model = LogisticRegression(C=0.3, max_iter=2000).fit(np.hstack([ages, encoder.transform(words)]), labels)
    ages, words = table(test)
    found = model.predict_proba(np.hstack([ages, encoder.transform(words)]))
    prior = np.bincount(labels, minlength=n_types)[model.classes_] / len(labels)
    probabilities = np.full((len(test), n_types), 1e-6)
    probabilities[:, model.classes_] = found / prior
    return probabilities / probabilities.sum(1, keepdims=True)


SIMPLE_MODELS = {
    "most_frequent": "always the most frequent types",
    "regression_on_fields": "logistic regression on the same fields",
    "regression_on_words": "logistic regression on the words (tf-idf)",
}


def simple_models(
    facts: Sequence[Facts], words: Sequence[str], labels: np.ndarray, folds: np.ndarray, prior: np.ndarray
) -> dict[str, np.ndarray]:
    """(tested, K) probabilities for equally frequent types; the regression uses fields, or words without any.

    folds: of `datasets.split_folds`; prior: (K,) by which the caller multiplies again for accuracy and top 3.
    """
    if any(fact.said for fact in facts):
        name = "regression_on_fields"
        table = DictVectorizer().fit_transform([_fields(fact) for fact in facts])
    else:
        name = "regression_on_words"
        table = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2).fit_transform(words)
    found = {model: np.zeros((len(labels), len(prior))) for model in ("most_frequent", name)}
    for fold in set(folds.tolist()) - {ALWAYS_TRAINED}:
        train = np.flatnonzero((folds != fold) & (folds != NEVER_TRAINED))
        test = np.flatnonzero(folds == fold)
        counts = np.bincount(labels[train], minlength=len(prior))
        found["most_frequent"][test] = counts / counts.sum()
        model = LogisticRegression(C=REGRESSION_C[name], max_iter=2000).fit(table[train], labels[train])
        found[name][np.ix_(test, model.classes_)] = model.predict_proba(table[test])
    floored = {
        name: np.maximum(scores[folds != ALWAYS_TRAINED] / prior, 1e-6) for name, scores in found.items()
    }
    return {name: scores / scores.sum(1, keepdims=True) for name, scores in floored.items()}


REGRESSION_C = {"regression_on_fields": 0.3, "regression_on_words": 30.0}


def _fields(facts: Facts) -> dict[str, str | int]:
    """All stated facts except age; sources without photos never record it."""
    particulars = {name: getattr(facts, name) for name in ("kind", "duration", "age_range")}
    symptoms = {name: answer for name, answer in facts.symptoms.items() if answer is not Answer.UNSAID}
    stated = {name: str(value) for name, value in (particulars | symptoms).items() if value is not None}
    return stated | dict.fromkeys(facts.more_sites, 1)
