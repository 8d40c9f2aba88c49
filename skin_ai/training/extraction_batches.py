"""Batches of examples for the loss: tokens, classes, ages and marked words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from skin_ai.predict.extraction import AGE, CLASSES, FACT_NAMES, UNSAID, Encoded, Extractor, overlap
from skin_ai.training.extraction_texts import Example

NOT_ASKED: Final = -100


@dataclass(frozen=True)
class Batch:
    """Encoded examples with their targets.

    classes: fact -> (n,) classes, NOT_ASKED where not asked; ages: (n, most numbers + 1) True for each right
    answer, nowhere if not asked; marked: (spans, 2) text and fact of each known span; inside: (spans, tokens)
    1.0 on its tokens.
    """

    encoded: Encoded
    classes: dict[str, Tensor]
    ages: Tensor
    marked: Tensor
    inside: Tensor


def batch_of(examples: Sequence[Example], model: Extractor) -> Batch:
    """The examples as the loss takes them. An age that no number of the text gives is not asked."""
    encoded = model.encode([example.text for example in examples])
    classes = {fact: torch.tensor([_class_of(example, fact) for example in examples]) for fact in CLASSES}
    ages = torch.zeros(len(examples), encoded.number_tokens.shape[1] + 1, dtype=torch.bool)
    marked, inside = [], []
    for row, (example, numbers) in enumerate(zip(examples, encoded.numbers, strict=True)):
        age = example.answers.get(AGE)
        ages[row, -1] = age == UNSAID
        for place, number in enumerate(numbers):
            ages[row, place] = number.value == age
        for fact, (start, end) in example.spans.items():
            tokens = overlap(encoded.offsets[row], start, end)
            if tokens.any():
                marked.append((row, FACT_NAMES.index(fact)))
                inside.append(tokens)
    return Batch(
        encoded,
        classes,
        ages,
        torch.tensor(marked, dtype=torch.long).reshape(-1, 2),
        torch.stack(inside) if inside else torch.zeros(0, encoded.ids.shape[1]),
    )


def _class_of(example: Example, fact: str) -> int:
    answer = example.answers.get(fact)
    return NOT_ASKED if answer is None else CLASSES[fact].index(str(answer))
