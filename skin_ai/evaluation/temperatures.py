"""Calibration: temperatures and the weights of the priors, fitted to logits, and applied to eliminations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize, minimize_scalar

from skin_ai.predict.chain import Step


def fit_temperature(logits: np.ndarray, truth: np.ndarray, prior: np.ndarray) -> float:
    """The T that makes softmax(logits / T + log prior) most likely (Guo et al. 2017, with the prior apart).

    logits: (n, K), -inf where a type is no option. 1 without cases.
    """
    if not len(truth):
        return 1.0

    def loss(log_temperature: float) -> float:
        return _negative_log_likelihood(logits / np.exp(log_temperature), truth, prior)

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def fit_prior_weights(
    logits: np.ndarray, priors: np.ndarray, truth: np.ndarray, frequency: np.ndarray
) -> tuple[float, ...]:
    """The a that, with a temperature T, make softmax((logits + a · priors) / T + log frequency) most likely.

    A language model knows its training patients, so what it learns to add from the words is too sure of other
    patients, and what stands beside it counts too little. logits: (n, K), of patients that the model has not
    seen; priors: (P, n, K) log probabilities of the photo, and of the facts where there is a regression on
    them; frequency: (K,) of the types. 0 without cases.
    """
    if not len(truth):
        return (0.0,) * len(priors)

    def loss(parameters: np.ndarray) -> float:
        together = logits + np.tensordot(parameters[:-1], priors, 1)
        return _negative_log_likelihood(together / np.exp(parameters[-1]), truth, frequency)

    bounds = ((-1, 9),) * len(priors) + ((-3, 3),)
    found = minimize(loss, np.zeros(len(priors) + 1), method="L-BFGS-B", bounds=bounds)
    return tuple(float(weight) for weight in found.x[:-1])


def _negative_log_likelihood(logits: np.ndarray, truth: np.ndarray, prior: np.ndarray) -> float:
    scaled = logits + np.log(np.maximum(prior, 1e-6))
    scaled = scaled - scaled.max(1, keepdims=True)
    return float(np.mean(np.log(np.exp(scaled).sum(1)) - scaled[np.arange(len(truth)), truth]))


def cross_fitted_temperatures(
    logits: np.ndarray, truth: np.ndarray, folds: np.ndarray, prior: np.ndarray
) -> np.ndarray:
    """(folds,) the temperature for each fold, fitted on the others."""
    parts = [folds != fold for fold in range(int(folds.max()) + 1)]
    return np.array([fit_temperature(logits[others], truth[others], prior) for others in parts])


def softmax(logits: np.ndarray) -> np.ndarray:
    """(n, K) -> (n, K) probabilities."""
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(1, keepdims=True))


def step_logits(steps: Sequence[tuple[Step, ...]], place: int, types: tuple[str, ...]) -> np.ndarray:
    """(n, K) logits of one step (up to a constant), -inf outside its options."""
    logits = np.full((len(steps), len(types)), -np.inf)
    for row, chain in enumerate(steps):
        for option in chain[place].options:
            logits[row, types.index(option.type)] = np.log(max(option.probability, 1e-12))
    return logits


def with_temperatures(steps: tuple[Step, ...], temperatures: Sequence[float]) -> tuple[Step, ...]:
    """The elimination with its logits divided by the temperatures, which changes no order."""
    tempered = []
    for step, temperature in zip(steps, temperatures, strict=True):
        powers = np.array([option.probability for option in step.options]) ** (1 / temperature)
        options = zip(step.options, powers / powers.sum(), strict=True)
        tempered.append(Step(tuple(replace(option, probability=float(value)) for option, value in options)))
    return tuple(tempered)
