"""Calibrates the extraction: a temperature per fact, and the probability below which it is uncertain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Final

import torch
from torch import Tensor

from skin_ai.predict.extraction import AGE, CLASSES, UNSAID, Extraction, Extractor, extract_all
from skin_ai.training.extraction_batches import NOT_ASKED, batch_of
from skin_ai.training.extraction_texts import Example, template
from skin_ai.training.stories import random_more_facts
from skin_ai.vocabulary import MORE_SYMPTOMS, SYMPTOMS

ASKED: Final = (*SYMPTOMS, "site", AGE)  # what PAD-UFES-20 holds, and every free narrative is marked for
NEITHER: Final = "neither"
TEMPERATURES: Final = torch.logspace(-0.3, 0.8, 45)  # 0.5 to 6.3
SILENT_AT_MOST: Final = 0.006  # of all facts, wrong and not flagged; other writers err more, 0.01 is the aim
BATCH: Final = 32

Logits = dict[str, tuple[Tensor, Tensor]]


def logits_of(model: Extractor, examples: Sequence[Example]) -> Logits:
    """fact -> (n, classes) logits and (n, classes) True for each right answer, nowhere where not asked."""
    parts: dict[str, list[tuple[Tensor, Tensor]]] = {fact: [] for fact in (*CLASSES, AGE)}
    model.eval()
    for start in range(0, len(examples), BATCH):
        with torch.inference_mode():
            batch = batch_of(examples[start : start + BATCH], model)
            scores = model(batch.encoded)
        for fact, logits in scores.logits.items():
            right = batch.classes[fact]
            is_right = torch.arange(logits.shape[1]) == right.unsqueeze(1)
            parts[fact].append((logits, is_right & (right != NOT_ASKED).unsqueeze(1)))
        parts[AGE].append((scores.age, batch.ages))
    most = max(logits.shape[1] for logits, _ in parts[AGE])
    parts[AGE] = [
        (_padded(logits, most, -torch.inf), _padded(right, most, False)) for logits, right in parts[AGE]
    ]
    return {
        fact: (torch.cat([part[0] for part in found]), torch.cat([part[1] for part in found]))
        for fact, found in parts.items()
    }


def _padded(rows: Tensor, width: int, value: float) -> Tensor:
    return torch.nn.functional.pad(rows, (width - rows.shape[1], 0), value=value)


def joined(parts: Sequence[Logits]) -> Logits:
    """The rows of several models one after the other."""
    result = {}
    for fact in parts[0]:
        most = max(part[fact][0].shape[1] for part in parts)
        result[fact] = (
            torch.cat([_padded(part[fact][0], most, -torch.inf) for part in parts]),
            torch.cat([_padded(part[fact][1], most, False) for part in parts]),
        )
    return result


def fitted_temperatures(narratives: Logits, made_up: Logits) -> dict[str, float]:
    """fact -> the temperature with the least negative log likelihood (Guo et al. 2017).

    narratives: of a writer whom the model never read; made_up: of wordings it never read, for the facts that
    no narrative is marked for.
    """
    return {fact: _temperature(*(narratives if fact in ASKED else made_up)[fact]) for fact in (*CLASSES, AGE)}


def _temperature(logits: Tensor, right: Tensor) -> float:
    asked = right.any(1)
    if not asked.any():
        return 1.0
    losses = [
        -(logits[asked] / temperature)
        .log_softmax(1)
        .masked_fill(~right[asked], -torch.inf)
        .logsumexp(1)
        .clamp_min(-20)
        .mean()
        for temperature in TEMPERATURES
    ]
    return round(TEMPERATURES[int(torch.stack(losses).argmin())].item(), 3)


def held_out_wordings(n: int = 300, seed: int = 3) -> list[Example]:
    """Further symptoms and durations in wordings of the generator that no model is trained on."""
    rng = Random(seed)
    return [template(random_more_facts(rng), rng, held_out=True) for _ in range(n)]


def coarse(fact: str, answer: str | int) -> str | int:
    """Unknown and unsaid are one answer, as the chain takes them."""
    is_symptom = fact in SYMPTOMS or fact in MORE_SYMPTOMS
    return NEITHER if is_symptom and answer in ("unknown", UNSAID) else answer


def is_right(example: Example, extraction: Extraction, fact: str) -> bool:
    """Whether the fact was found as the text tells it; unknown and unsaid are one answer."""
    return coarse(fact, extraction.facts[fact].answer) == coarse(fact, example.answers[fact])


def threshold(examples: Sequence[Example], extractions: Sequence[Extraction]) -> float:
    """The smallest probability below which facts are flagged, so that few errors stay silent."""
    probabilities, wrong = [], []
    for example, extraction in zip(examples, extractions, strict=True):
        for fact in ASKED:
            if fact in example.answers:
                probabilities.append(extraction.facts[fact].probability)
                wrong.append(not is_right(example, extraction, fact))
    order = torch.tensor(probabilities).argsort(descending=True)
    silent = torch.tensor(wrong)[order].float().cumsum(0) / len(wrong)
    allowed = int((silent <= SILENT_AT_MOST).sum())
    if allowed == len(order):
        return 0.0
    return round(probabilities[int(order[allowed])] + 1e-4, 4)


def calibrate(
    model: Extractor,
    reference: Mapping[str, tuple[Extractor, Sequence[Example]]],
    made_up: Logits | None = None,
) -> None:
    """Sets the temperatures of `model` and the probability from which a fact is sure.

    reference: writer -> a model that never read this writer, and the writer's texts.
    """
    narratives = joined([logits_of(other, texts) for other, texts in reference.values()])
    made_up = made_up or logits_of(model, held_out_wordings())
    model.temperatures = fitted_temperatures(narratives, made_up)
    examples: list[Example] = []
    extractions: list[Extraction] = []
    for other, texts in reference.values():
        other.temperatures = model.temperatures
        examples += texts
        extractions += extract_all([text.text for text in texts], other)
    model.sure_from = threshold(examples, extractions)
