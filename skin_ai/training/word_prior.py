"""Fits the second prior (`predict/word_prior.py`): a bag of words, or a regression on facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Final

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer

from skin_ai.predict.narrative import sentences
from skin_ai.predict.word_prior import WordPrior, facts_of, terms_of, weighted
from skin_ai.training.datasets import Case
from skin_ai.training.stories import Story, random_facts, random_more_facts
from skin_ai.training.telling import silence, tell

LEAST_TEXTS: Final = 3  # a term occurs in; rarer ones tell a writer rather than a type
MOST_TERMS: Final = 40_000
STRENGTH: Final = 30.0  # C of the logistic regression
UPDATES: Final = 80
SILENT: Final = 2_000  # narratives of random facts
SEED: Final = 42
TELLINGS: Final = 4  # of each case's facts
MOST_UNTOLD: Final = 0.8  # of them, at most, so that the regression learns what few facts are worth
FACT_STRENGTH: Final = 0.3


def word_prior_of(stories: Sequence[Story], types: tuple[str, ...], weight: float) -> WordPrior:
    """Fitted to these stories; one serves all folds, because no case of a fold is in it."""
    labels = np.array([types.index(story.type) for story in stories])
    return fit_word_prior([story.text for story in stories], labels, len(types), weight)


def fit_word_prior(texts: Sequence[str], labels: np.ndarray, n_types: int, weight: float) -> WordPrior:
    """labels: (n,) index of each text's type, of equally frequent types.

    Narratives of random facts are added, for which every type is equally right: a bag of words does not know
    who itches from who does not, so it learns to leave ticked facts to the language model.
    """
    rng = Random(SEED)
    silent = [_of_random_facts(rng) for _ in range(SILENT)]
    texts = [*texts, *silent]
    targets = np.vstack([np.eye(n_types)[labels], np.full((SILENT, n_types), 1 / n_types)])
    terms, rarity = _terms(texts)
    coefficients, bias = _regression(_table(texts, terms, rarity), targets, STRENGTH)
    return WordPrior(terms, rarity, torch.from_numpy(coefficients), torch.from_numpy(bias), weight)


def fact_prior_of(cases: Sequence[Case], types: tuple[str, ...]) -> WordPrior:
    """A logistic regression on facts, of weight 1; each case is told several times, with facts left out."""
    rng = Random(SEED)
    told = [
        sentences(silence(case.facts.known, rng, fraction=rng.uniform(0, MOST_UNTOLD)))
        for case in cases
        for _ in range(TELLINGS)
    ]
    counter = CountVectorizer(analyzer=lambda form: list(facts_of(form)))
    table = counter.fit_transform(told)
    labels = np.repeat([types.index(case.type) for case in cases], TELLINGS)
    targets = np.eye(len(types))[labels]
    coefficients, bias = _regression(table, targets, FACT_STRENGTH / TELLINGS)
    bias -= np.log(np.maximum(targets.mean(0), 1e-6))  # as if the types were equally frequent
    terms = {str(fact): row for row, fact in enumerate(counter.get_feature_names_out())}
    return WordPrior(terms, None, torch.from_numpy(coefficients), torch.from_numpy(bias), 1.0)


def _of_random_facts(rng: Random) -> str:
    """Facts of PAD-UFES-20 or SCIN in the training wordings or the form's sentences."""
    facts = random_facts(rng) if rng.random() < 0.5 else random_more_facts(rng)
    return tell(facts, rng) if rng.random() < 0.5 else sentences(facts)


def _terms(texts: Sequence[str]) -> tuple[dict[str, int], torch.Tensor]:
    """Term -> row, most frequent first, and log((1 + n) / (1 + texts with it)) + 1."""
    counts = Counter(term for text in texts for term in set(terms_of(text)))
    kept = sorted((term for term, n in counts.items() if n >= LEAST_TEXTS), key=lambda t: (-counts[t], t))
    kept = kept[:MOST_TERMS]
    found = torch.tensor([counts[term] for term in kept], dtype=torch.float32)
    return {term: row for row, term in enumerate(kept)}, ((1 + len(texts)) / (1 + found)).log() + 1


def _table(texts: Sequence[str], terms: dict[str, int], rarity: torch.Tensor) -> csr_matrix:
    """(n, V) weights of the terms."""
    parts = [weighted(text, terms, rarity) for text in texts]
    ends = np.cumsum([0, *(len(rows) for rows, _ in parts)])
    rows, values = (torch.cat(part).numpy() for part in zip(*parts, strict=True))
    return csr_matrix((values, rows, ends), shape=(len(texts), len(terms)))


def _regression(table: csr_matrix, targets: np.ndarray, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """(V, K) coefficients and (K,) bias of a logistic regression; targets: (n, K) of sum 1; strength: C."""
    n, n_terms = table.shape
    n_types = targets.shape[1]
    turned = table.T.tocsr()

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        values = parameters.reshape(n_terms + 1, n_types)
        coefficients, bias = values[:-1], values[-1]
        logits = table @ coefficients + bias
        logits -= logits.max(1, keepdims=True)
        exponentials = np.exp(logits)
        sums = exponentials.sum(1, keepdims=True)
        error = exponentials / sums - targets
        penalty = np.square(coefficients).sum() / (2 * strength)
        slope = np.vstack([turned @ error + coefficients / strength, error.sum(0)])
        value = np.log(sums).sum() - (targets * logits).sum() + penalty
        return float(value) / n, slope.ravel() / n

    found = minimize(
        loss, np.zeros((n_terms + 1) * n_types), jac=True, method="L-BFGS-B", options={"maxiter": UPDATES}
    )
    values = found.x.reshape(n_terms + 1, n_types).astype(np.float32)
    return values[:-1], values[-1]
