"""The short texts of each writer, read with a bag of words that was fitted without this writer's texts."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from skin_ai.evaluation.figures import Evaluated, figures, gains
from skin_ai.evaluation.protocols import protocol
from skin_ai.evaluation.simple_models import REGRESSION_C
from skin_ai.predict.chain import LanguageModel, Question
from skin_ai.training.stories import PORTRAIT, Story, load_stories, training_stories
from skin_ai.training.word_prior import word_prior_of

WITH, WITHOUT, REGRESSION = "with_bag_of_words", "without_bag_of_words", "regression_on_words"
BATCH: Final = 32


def measure(model: LanguageModel, temperature: float, weight: float) -> dict[str, Any]:
    """Figures by kind of text and writer, of a language model that has read none of these texts.

    model: without a bag of words; temperature: of the first step; weight: of the bag of words.
    """
    stories = [story for story in load_stories() if story.kind != PORTRAIT]
    truth = np.array([model.types.index(story.type) for story in stories])
    logits = _logits(model, stories)
    rows = {mode: np.zeros_like(logits) for mode in (WITH, WITHOUT, REGRESSION)}
    rows[WITHOUT] = logits
    writers = np.array([story.writer for story in stories])
    for writer in np.unique(writers).tolist():
        known = [story for story in training_stories() if story.writer != writer]
        left_out = [story.text for story, by in zip(stories, writers, strict=True) if by == writer]
        prior = word_prior_of(known, model.types, weight)
        rows[WITH][writers == writer] = logits[writers == writer] + prior.logits(left_out).numpy()
        rows[REGRESSION][writers == writer] = _regression(known, left_out, model.types)
    for mode in (WITH, WITHOUT):
        rows[mode] = torch.from_numpy(rows[mode] / temperature).softmax(1).numpy()
    found: dict[str, Any] = {"protocol": protocol("left_out_writers")}
    kinds = np.array([story.kind for story in stories])
    for kind in dict.fromkeys(kinds.tolist()):
        found[kind] = _figures(rows, truth, kinds == kind, model.types) | {
            "by_writer": {
                writer: _figures(rows, truth, (kinds == kind) & (writers == writer), model.types)
                for writer in np.unique(writers).tolist()
            }
        }
    return found


def _logits(model: LanguageModel, stories: list[Story]) -> np.ndarray:
    """(n, K) of a single pass over all types, without a photo."""
    everything = tuple(range(len(model.types)))
    questions = [Question(story.text, None, everything) for story in stories]
    with torch.inference_mode():
        parts = [model(questions[i : i + BATCH]) for i in range(0, len(questions), BATCH)]
    return torch.cat(parts).double().numpy()


def _regression(known: list[Story], texts: list[str], types: tuple[str, ...]) -> np.ndarray:
    """(n, K) of the baseline that `simple_models` uses too: words and pairs of words."""
    table = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2)
    model = LogisticRegression(C=REGRESSION_C[REGRESSION], max_iter=2000)
    model.fit(table.fit_transform([story.text for story in known]), [types.index(s.type) for s in known])
    return np.asarray(model.predict_proba(table.transform(texts)))


def _figures(
    rows: dict[str, np.ndarray], truth: np.ndarray, which: np.ndarray, types: tuple[str, ...]
) -> dict[str, Any]:
    modes = {mode: values[which] for mode, values in rows.items()}
    n = int(which.sum())
    evaluated = Evaluated(types, truth[which], np.arange(n), np.full(len(types), 1 / len(types)), modes)
    kept = ("n", "accuracy", "top3", "ece")
    return {
        "modes": {
            mode: {name: value for name, value in found.items() if name in kept}
            for mode, found in figures(evaluated).items()
        },
        "comparison": {f"{WITH}_less_{over}": gains(evaluated, WITH, over) for over in (WITHOUT, REGRESSION)},
    }
