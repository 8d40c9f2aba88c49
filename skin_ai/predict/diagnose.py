"""Photo bytes, crop and narrative -> one frozen Diagnosis: the whole job in a page of code."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch

from skin_ai.diseases import DISEASES
from skin_ai.predict import ink, quality
from skin_ai.predict.bundle import Bundle
from skin_ai.predict.chain import (
    MAX_TOKENS,
    Probability,
    Question,
    Step,
    answer,
    eliminate,
    over_label_set,
    single_pass,
    undecided,
)
from skin_ai.predict.gate import early_features
from skin_ai.predict.heatmap import class_activation_maps
from skin_ai.predict.narrative import clean_narrative
from skin_ai.predict.photo import LARGEST_SQUARE, Crop, crop_square, read_photo
from skin_ai.predict.stability import unstable


class NothingToDiagnose(ValueError):
    """Neither words nor a photo were given."""


@dataclass(frozen=True)
class Diagnosis:
    """One run of a case; the photo's pixels are not part of it.

    recommendations: of the image model, best first, of the types that it knows. feature_map: (C, h, w),
    the image model's last one. heatmaps: type -> (h, w) evidence on the scale of the logit, positive for and
    negative against, of the same types. All three are empty (None) without a photo.
    is_foreign: the photo looks like none that the image model was trained on. undecided: the types that are
    left where going on would have been a guess, () where the answer is sure. unstable: the variants of
    `stability.py` under which another type would come first, with that type. flags: what the reader should
    know about this run.
    """

    bundle: str
    recommendations: tuple[Probability, ...]
    feature_map: np.ndarray | None = field(repr=False)
    heatmaps: dict[str, np.ndarray] = field(repr=False)
    steps: tuple[Step, ...]
    answer: tuple[Probability, ...]
    single_pass: tuple[Probability, ...]
    is_foreign: bool
    undecided: tuple[str, ...]
    unstable: dict[str, str]
    flags: tuple[str, ...]
    timings_ms: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        """What can be written as JSON: all but the maps; types as codes with their names."""
        return {
            "bundle": self.bundle,
            "recommendations": _named(self.recommendations),
            "chain": [
                {"step": number, "options": [asdict(option) for option in step.options]}
                for number, step in enumerate(self.steps, start=1)
            ],
            "answer": _named(self.answer),
            "single_pass": _named(self.single_pass),
            "undecided": list(self.undecided),
            "unstable": self.unstable,
            "flags": list(self.flags),
            "timings_ms": {name: round(value, 1) for name, value in self.timings_ms.items()},
        }


def _named(items: tuple[Probability, ...]) -> list[dict[str, Any]]:
    return [
        {"type": item.type, "name": DISEASES[item.type].name, "probability": item.probability}
        for item in items
    ]


FLAGS = {
    "no_photo": "No photo was given: the elimination rests on the words alone.",
    "no_words": "No words were given: the elimination rests on the photo alone.",
    "photo_unlike": "The photo looks like none that the image model was trained on. The elimination rests on "
    "the words alone.",
    "photo_unlike_alone": "The photo looks like none that the image model was trained on, and there are no "
    "words. What the models make of it is a guess.",
    "words_cut": "The words were longer than the language model reads: their end was left out.",
    "disagree": "Chain and single pass lead to different types.",
    "ink": ink.SEEN,
    **{f"photo_{kind}": advice for kind, advice in quality.ADVICE.items()},
}


def diagnose(
    photo: bytes | np.ndarray | None, narrative: str, bundle: Bundle, crop: Crop = LARGEST_SQUARE
) -> Diagnosis:
    """Asks both models of `bundle` about one case.

    photo: the bytes of a file, or pixels from `read_photo`. Raises PhotoError or NarrativeError
    with one clear sentence, and NothingToDiagnose when both inputs are missing. The recommendations of a
    photo that looks like none that the image model was trained on reach the language model only where there
    are no words to go by.
    """
    timings: dict[str, float] = {}
    words = clean_narrative(narrative)
    if photo is None and not words:
        raise NothingToDiagnose("Give a photo, the patient's words, or both.")
    flags = [name for name, missing in (("no_photo", photo is None), ("no_words", not words)) if missing]
    recommendations: tuple[Probability, ...] = ()
    feature_map: np.ndarray | None = None
    heatmaps: dict[str, np.ndarray] = {}
    seen, is_foreign = None, False
    with torch.inference_mode():
        if photo is not None:
            with _timed(timings, "read_photo"):
                pixels = read_photo(photo) if isinstance(photo, bytes) else photo
                square = crop_square(pixels, crop)
            with _timed(timings, "photo_quality"):
                flags += [f"photo_{kind}" for kind in quality.problems(square, bundle.quality_limits)]
                flags += ["ink"] * ink.has_ink(square)
            with _timed(timings, "preprocessing"):
                inputs = bundle.preprocessing(square)
            with _timed(timings, "image_model"):
                features = bundle.image_model.feature_map_of_views(inputs, bundle.views)
                logits = bundle.image_model.logits(features)[0]
                probabilities = (logits / bundle.photo_temperature).softmax(0)
            recommendations = _ranked(bundle.image_types, probabilities.tolist())
            feature_map = features[0].numpy()
            with _timed(timings, "heatmaps"):
                maps = class_activation_maps(features[0], bundle.image_model.head.weight).numpy()
                heatmaps = dict(zip(bundle.image_types, maps, strict=True))
            with _timed(timings, "gate"):
                is_foreign = not bundle.gate.is_familiar(early_features(bundle.image_model, inputs)[0])
            if is_foreign:
                flags.append("photo_unlike" if words else "photo_unlike_alone")
            if not (is_foreign and words):
                seen = over_label_set(probabilities, bundle.image_types, bundle.types)
        with _timed(timings, "language_model"):
            everything = Question(words, seen, tuple(range(len(bundle.types))))
            if words and bundle.language_model.token_count(everything) > MAX_TOKENS:
                flags.append("words_cut")
            how = (bundle.types, bundle.schedule, bundle.chain_temperatures)
            steps = eliminate(bundle.language_model, words, seen, *how)
        chain_answer, single = answer(steps), single_pass(steps)
        with _timed(timings, "stability"):
            would_be = unstable(bundle.language_model, everything, chain_answer[0].type, *how)
    if chain_answer[0].type != single[0].type:
        flags.append("disagree")
    timings["total"] = sum(timings.values())
    return Diagnosis(
        bundle=bundle.name,
        recommendations=recommendations,
        feature_map=feature_map,
        heatmaps=heatmaps,
        steps=steps,
        answer=chain_answer,
        single_pass=single,
        is_foreign=is_foreign,
        undecided=undecided(steps, bundle.least_probability),
        unstable=would_be,
        flags=tuple(flags),
        timings_ms=timings,
    )


def _ranked(types: tuple[str, ...], probabilities: list[float]) -> tuple[Probability, ...]:
    pairs = [Probability(type_, value) for type_, value in zip(types, probabilities, strict=True)]
    return tuple(sorted(pairs, key=lambda item: -item.probability))


@contextmanager
def _timed(timings: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    timings[name] = 1000 * (time.perf_counter() - start)
