"""Calibration by temperature: fitted to logits, and applied to eliminations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize_scalar

from skin_ai.predict.chain import Step


def fit_temperature(logits: np.ndarray, truth: np.ndarray, prior: np.ndarray) -> float:
    """The T that makes softmax(logits / T + log prior) most likely (Guo et al. 2017, with the prior apart).

    logits: (n, K), -inf where a type is no option. 1 without cases.
    """
    if not len(truth):
        return 1.0

    def negative_log_likelihood(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature) + np.log(np.maximum(prior, 1e-6))
        scaled = scaled - scaled.max(1, keepdims=True)
        return float(np.mean(np.log(np.exp(scaled).sum(1)) - scaled[np.arange(len(truth)), truth]))

    return float(np.exp(minimize_scalar(negative_log_likelihood, bounds=(-2, 2), method="bounded").x))


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
