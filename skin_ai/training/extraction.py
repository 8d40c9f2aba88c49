"""Trains the extraction: common stages, then one model without each writer and one on all writers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import torch
from accelerate.utils import set_seed
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset
from transformers import AutoModel, AutoTokenizer

from skin_ai.predict.extraction import Extractor, Scores, save_extractor
from skin_ai.training.extraction_batches import NOT_ASKED, Batch, batch_of
from skin_ai.training.extraction_calibration import calibrate
from skin_ai.training.extraction_further import fit_further_heads
from skin_ai.training.extraction_texts import (
    TEXTS,
    WRITERS,
    Example,
    Mixture,
    epoch_examples,
    load_narratives,
    load_pairs,
    split_pairs,
    without_writer,
)
from skin_ai.training.language import by_length
from skin_ai.training.loop import fit
from skin_ai.vocabulary import MORE_SYMPTOMS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stage:
    """One training run: its mixture of texts, epochs and learning rates."""

    mixture: Mixture
    epochs: int
    learning_rate: float
    head_learning_rate: float
    dropout: float = 0.0
    further: int = 0  # generated texts on which the heads of further facts are fitted at the end


# Generated texts and contrast pairs, no narratives: trained once and shared by all models.
COMMON: Final = (
    Stage(Mixture(templates=500, more_templates=250, frames=2600, pairs=2), 2, 2e-4, 2e-3, dropout=0.1),
    Stage(Mixture(templates=300, more_templates=200, frames=2600, pairs=2), 2, 2e-4, 1e-3, dropout=0.1),
)
# Then the free narratives, with enough of the other texts that nothing is forgotten.
OWN: Final = Stage(Mixture(templates=40, more_templates=100, frames=1000), 3, 2e-4, 1e-3, further=4200)
BATCH_SIZE: Final = 24
WEIGHT_DECAY: Final = 0.01
SEEDS: Final = (7, 8)  # of the runs of the own stage, whose weights are averaged
MORE_WEIGHT: Final = 0.6  # of a fact beyond PAD-UFES-20's
SPAN_WEIGHT: Final = 0.1


def train_extraction(
    work: Path,
    base: Path,
    out: Path,
    *,
    texts: Path = TEXTS,
    writers: Sequence[str] = WRITERS,
    common: Sequence[Stage] = COMMON,
    own: Stage = OWN,
) -> None:
    """Makes `out`, the shipped weights, and in `work` what the figures need; an interrupted run resumes.

    base: all-MiniLM-L6-v2 in Hugging Face's layout; texts: the folder of narratives.csv and
    contrast_pairs.jsonl; writers: those without whom a model is trained, for the figures, for the calibration
    and for the facts of the chain's folds. work/without_X.safetensors is the model without writer X, the mean
    of its runs work/without_X-SEED.safetensors.
    """
    work.mkdir(parents=True, exist_ok=True)
    narratives = load_narratives(texts / "narratives.csv")
    pairs, _ = split_pairs(load_pairs(texts / "contrast_pairs.jsonl"))
    start = None
    for place, stage in enumerate(common):
        done = work / f"common_{place}.safetensors"
        train_stage(stage, base, start, [], pairs, done)
        start = done

    def own_model(name: str, read: Sequence[Example]) -> Extractor:
        done = work / f"{name}.safetensors"
        runs = [
            train_stage(own, base, start, read, pairs, done.with_stem(f"{name}-{seed}"), seed)
            for seed in SEEDS
        ]
        model = _mean_of(runs)
        _save(model, done)
        return model

    left_out = {
        writer: own_model(f"without_{writer}", without_writer(narratives, writer)) for writer in writers
    }
    model = own_model("all", narratives)
    calibrate(
        model,
        {
            writer: (other, [narrative for narrative in narratives if narrative.writer == writer])
            for writer, other in left_out.items()
        },
    )
    save_extractor(model, out)


def _mean_of(runs: Sequence[Extractor]) -> Extractor:
    """The first of the runs, with the mean of all their weights (Wortsman et al. 2022, "Model soups")."""
    states = [run.state_dict() for run in runs]
    mean = {
        name: torch.stack([state[name] for state in states]).mean(0) if value.is_floating_point() else value
        for name, value in states[0].items()
    }
    runs[0].load_state_dict(mean)
    return runs[0]


def _save(model: Extractor, done: Path) -> None:
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, done)


def train_stage(
    stage: Stage,
    base: Path,
    start: Path | None,
    narratives: Sequence[Example],
    pairs: Sequence[Example],
    done: Path,
    seed: int = SEEDS[0],
) -> Extractor:
    """A model from `start`, or from the bare encoder, trained by a stage and kept in `done`."""
    set_seed(seed)
    model = pretrained_extractor(base, stage.dropout)
    if done.exists():
        model.load_state_dict(load_file(done))
        return model.eval()
    if start is not None:
        model.load_state_dict(load_file(start))
    checkpoint = done.with_suffix(".checkpoint")
    model = _trained(model, stage, narratives, pairs, checkpoint, seed)
    if stage.further:
        fit_further_heads(model, narratives, pairs, stage.further)
    _save(model, done)
    checkpoint.unlink(missing_ok=True)
    return model


def pretrained_extractor(folder: Path, dropout: float = 0.0) -> Extractor:
    """An encoder in Hugging Face's layout with fresh heads; its word embeddings stay as they are."""
    # Attention written out trains a third faster on a processor than the fused one, and without dropout
    # another eighth (bf16, one thread); what an epoch reads is new each time.
    encoder = AutoModel.from_pretrained(
        folder,
        local_files_only=True,
        dtype=torch.float32,
        attn_implementation="eager",
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        add_pooling_layer=False,
    )
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    for parameter in encoder.embeddings.word_embeddings.parameters():
        parameter.requires_grad = False
    return Extractor(encoder, tokenizer, encoder.config.hidden_size)


def _trained(
    model: Extractor,
    stage: Stage,
    narratives: Sequence[Example],
    pairs: Sequence[Example],
    checkpoint: Path,
    seed: int,
) -> Extractor:
    def batches(epoch: int) -> DataLoader[Any]:
        rng = Random(seed * 1000 + epoch)
        examples = epoch_examples(narratives, pairs, stage.mixture, rng)
        parts = by_length(examples, BATCH_SIZE, rng, lambda example: len(example.text))
        return DataLoader(_Batches(parts, model), None)

    heads = [model.queries, model.attended, *model.mean.parameters(), *model.number.parameters()]
    encoder = [parameter for parameter in model.encoder.parameters() if parameter.requires_grad]
    trained = fit(
        model,
        [
            {"params": encoder, "lr": stage.learning_rate},
            {"params": heads, "lr": stage.head_learning_rate},
        ],
        batches,
        loss_of,
        epochs=stage.epochs,
        weight_decay=WEIGHT_DECAY,
        averaging=0,
        seed=seed,
        checkpoint=checkpoint,
    )
    assert isinstance(trained, Extractor)
    return trained


class _Batches(Dataset[Batch]):
    """Batches that are encoded when their turn comes."""

    def __init__(self, parts: Sequence[Sequence[Example]], model: Extractor) -> None:
        self.parts, self.model = parts, model

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, place: int) -> Batch:
        return batch_of(self.parts[place], self.model)


def loss_of(model: nn.Module, batch: Batch) -> Tensor:
    """Sum over facts of the mean cross-entropy, and of the attention that misses the marked words."""
    scores: Scores = model(batch.encoded)
    n = len(batch.ages)
    parts = []
    for fact, logits in scores.logits.items():
        right = batch.classes[fact]
        weight = MORE_WEIGHT if fact in MORE_SYMPTOMS or fact == "duration" else 1.0
        parts.append(weight * cross_entropy(logits, right, ignore_index=NOT_ASKED, reduction="sum"))
    asked = batch.ages.any(1)
    told = scores.age[asked].log_softmax(1).masked_fill(~batch.ages[asked], -torch.inf)
    parts.append(-told.logsumexp(1).sum())
    rows, facts = batch.marked.unbind(1)
    mass = (scores.attention[rows, facts] * batch.inside).sum(-1)
    parts.append(-SPAN_WEIGHT * mass.clamp_min(1e-6).log().sum())
    return torch.stack(parts).sum() / n
