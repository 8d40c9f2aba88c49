"""Fits the heads of SCIN's further symptoms and of duration, with the encoder fixed.

Few training texts state these facts, and trained with the others their heads found "unsaid" too often: of the
durations in frames they found 0.40. Fitted on their own, they leave the heads of the other facts unchanged.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from skin_ai.predict.extraction import CLASSES, UNSAID, Encoded, Extractor
from skin_ai.training.extraction_batches import NOT_ASKED, Batch, batch_of
from skin_ai.training.extraction_charts import told_by_frames
from skin_ai.training.extraction_frames import duration_piece, further_piece
from skin_ai.training.extraction_slips import with_many_slips
from skin_ai.training.extraction_texts import Example, template, without_hint
from skin_ai.training.stories import random_more_facts
from skin_ai.vocabulary import MORE_SYMPTOMS

log = logging.getLogger(__name__)

FURTHER: Final = (*MORE_SYMPTOMS, "duration")
TEMPLATES: Final = 0.3  # of the made-up texts, the others are of frames
SILENT: Final = 400  # narratives and as many pairs: what tells none of it
SLIPS: Final = 0.15
ROUNDS: Final = 25
BATCH_SIZE: Final = 64
LEARNING_RATE: Final = 1e-2
SPAN_WEIGHT: Final = 0.1


def fit_further_heads(
    model: Extractor, narratives: Sequence[Example], pairs: Sequence[Example], n_made_up: int, seed: int = 11
) -> None:
    """Trains the rows of FURTHER in the heads, on the encoder's output, which is computed once."""
    rng = Random(seed)
    torch.manual_seed(seed)
    kept = [(_hidden(model, batch), batch) for batch in _batches(model, narratives, pairs, n_made_up, rng)]
    facts = [list(CLASSES).index(fact) for fact in FURTHER]
    is_fact = torch.zeros(len(model.queries), 1)
    is_fact[facts] = 1
    is_row = torch.zeros(len(model.attended), 1)
    is_row[torch.isin(torch.as_tensor(model.fact_of_row), torch.tensor(facts))] = 1
    heads = [
        (model.queries, is_fact),
        (model.attended, is_row),
        (model.mean.weight, is_row),
        (model.mean.bias, is_row[:, 0]),
    ]
    steps = ROUNDS * len(kept)
    optimizer = torch.optim.Adam([head for head, _ in heads], lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for round_ in range(ROUNDS):
        rng.shuffle(kept)
        total = 0.0
        for hidden, batch in kept:
            loss = _loss(model, hidden, batch)
            optimizer.zero_grad()
            loss.backward()
            for head, trained in heads:
                assert head.grad is not None
                head.grad *= trained
            optimizer.step()
            schedule.step()
            total += loss.item()
        log.info("further facts, round %d/%d: loss %.3f", round_ + 1, ROUNDS, total / len(kept))


def _batches(
    model: Extractor,
    narratives: Sequence[Example],
    pairs: Sequence[Example],
    n_made_up: int,
    rng: Random,
) -> list[Batch]:
    n_templates = round(TEMPLATES * n_made_up)
    examples = [template(random_more_facts(rng), rng) for _ in range(n_templates)]
    examples += [further_text(rng) for _ in range(n_made_up - n_templates)]
    examples = [
        replace(example, text=with_many_slips(example.text, rng), spans={})
        if rng.random() < SLIPS
        else example
        for example in examples
    ]
    examples += rng.sample(list(narratives), min(SILENT, len(narratives)))
    examples += rng.sample(list(pairs), min(SILENT, len(pairs)))
    examples.sort(key=lambda example: len(example.text))
    return [
        batch_of(examples[start : start + BATCH_SIZE], model) for start in range(0, len(examples), BATCH_SIZE)
    ]


def further_text(rng: Random) -> Example:
    """A text from frames that states durations and SCIN's further symptoms more often than others."""
    told = told_by_frames(rng)
    silent = [name for name in MORE_SYMPTOMS if told.answers.get(name, UNSAID) == UNSAID]
    pieces = [further_piece(name, rng) for name in rng.sample(silent, rng.choice((0, 1, 1, 2, 3)))]
    if told.answers.get("duration", UNSAID) == UNSAID and rng.random() < 0.6:
        pieces.append(duration_piece(rng, chart=told.kind == "chart"))
    rng.shuffle(pieces)
    for piece in pieces:
        before = rng.random() < 0.5 and told.text
        told = piece.then(told, " ") if before else told.then(piece, " ")
        told.answers |= piece.answers
    return Example(told.text, {**without_hint(told.text), **told.answers}, told.spans, kind="further")


def _hidden(model: Extractor, batch: Batch) -> Tensor:
    """(n, tokens, width) of the encoder, in half the memory."""
    model.eval()
    encoded: Encoded = batch.encoded
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        hidden: Tensor = model.encoder(input_ids=encoded.ids, attention_mask=encoded.mask).last_hidden_state
    return hidden.to(torch.bfloat16)


def _loss(model: Extractor, hidden: Tensor, batch: Batch) -> Tensor:
    scores = model.heads(hidden.float(), batch.encoded)
    n = len(batch.ages)
    parts = [
        cross_entropy(scores.logits[fact], batch.classes[fact], ignore_index=NOT_ASKED, reduction="sum")
        for fact in FURTHER
    ]
    rows, facts = batch.marked.unbind(1)
    mass = (scores.attention[rows, facts] * batch.inside).sum(-1)
    parts.append(-SPAN_WEIGHT * mass.clamp_min(1e-6).log().sum())
    return torch.stack(parts).sum() / n
