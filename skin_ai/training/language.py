"""Trains the language model to eliminate (Chain of Options), after the reading stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import set_seed
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import AutoConfig, AutoModelForSequenceClassification

from skin_ai.predict.bundle import READS_FACTS
from skin_ai.predict.chain import (
    ALL_NAMED,
    OWN_POOLING,
    LanguageModel,
    Question,
    Step,
    eliminate_all,
    load_language_weights,
    read_weights,
    save_language_model,
)
from skin_ai.predict.prompt_format import load_tokenizer
from skin_ai.predict.word_prior import WordPrior
from skin_ai.training.datasets import Case
from skin_ai.training.loop import fastest_precision, fit, save_once
from skin_ai.training.sources import training_words

Item = TypeVar("Item")


@dataclass(frozen=True)
class LanguageSettings:
    """All settings of the language model; saved with the result.

    base: folder of a Hugging Face model; reads_more: the reading stage includes SCIN's further questions and
    stories; reads: what the app gives the model, the "narrative" or the "facts" found in it; pooling: the
    input of the head (`LanguageModel`); frozen_layers: of the encoder, after the
    reading stage (the embeddings are then frozen too); lower_layers_from: file with the embeddings and lower
    layers of another bundle, which are then not trained; examples_a_case: in an epoch, drawn from the
    schedule's steps, 0 for one of each; stray_photos: share of examples without a photo that get another
    case's recommendations, as from a photo of a type that the image model does not know; uniform_prior:
    uniform share of the log prior, so that types missing in a data set are still learnt to be unlikely;
    missing_words, missing_photo: share of examples without; probe_strength: C of the logistic regression
    that initialises the head, 0 for a random head; probe_share: of an epoch's examples that it is fitted to;
    word_prior: weight of the bag of words beside the language model, 0 for none (`predict/word_prior.py`);
    hard: share of an option's chance that comes from the photo's probability, the rest is uniform;
    lora_rank: rank of adapters, 0 to train all weights; four_bit: needs a GPU.
    """

    base: str
    reading_updates: int = 600
    reading_batch_size: int = 32
    reading_learning_rate: float = 4e-4
    reads_more: bool = False
    schedule: tuple[int, ...] = (6, 3, 2, 1)
    epochs: int = 1
    batch_size: int = 32
    learning_rate: float = 1.5e-4
    head_learning_rate: float = 5e-4
    weight_decay: float = 0.01
    probe_strength: float = 0.1
    probe_share: float = 0.5
    averaging: float = 0.98
    pooling: str = OWN_POOLING
    reads: str = "narrative"
    frozen_layers: int = 3
    lower_layers_from: str = ""
    examples_a_case: int = 0
    stray_photos: float = 0.0
    uniform_prior: float = 0.0
    missing_words: float = 0.1
    missing_photo: float = 0.15
    word_prior: float = 0.0
    hard: float = 0.8
    lora_rank: int = 0
    four_bit: bool = False
    seed: int = 42


@dataclass(frozen=True)
class Example:
    """A question, (K,) weights of the true types among its options, and its group of `prior_groups`."""

    question: Question
    target: tuple[float, ...]
    group: int


def pretrained(
    settings: LanguageSettings, types: tuple[str, ...], n_outputs: int | None = None
) -> LanguageModel:
    """The base model with a new head of `n_outputs` (by default one a type), with adapters if `lora_rank`."""
    in_half = settings.lora_rank and fastest_precision() == "bf16"
    options: dict[str, Any] = {"dtype": torch.bfloat16 if in_half else torch.float32}
    if not torch.cuda.is_available():  # attention written out trains a third faster on a processor
        options["attn_implementation"] = "eager"
    if settings.four_bit:
        from transformers import BitsAndBytesConfig

        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
        )
    config = AutoConfig.from_pretrained(settings.base, num_labels=n_outputs or len(types))
    tokenizer = load_tokenizer(settings.base, config)
    classifier = AutoModelForSequenceClassification.from_pretrained(settings.base, config=config, **options)
    if settings.lora_rank:
        from peft import LoraConfig, TaskType, get_peft_model

        if isinstance(getattr(classifier, "score", None), nn.Linear):
            classifier.score = SinglePrecision.of(classifier.score)

        lora = LoraConfig(
            task_type=TaskType.SEQ_CLS,
            r=settings.lora_rank,
            lora_alpha=2 * settings.lora_rank,
            # On a processor, drawing what is left out takes a third of an update's time.
            lora_dropout=0.05 if torch.cuda.is_available() else 0.0,
            target_modules="all-linear",
        )
        classifier = get_peft_model(classifier, lora)
        for parameter in classifier.parameters():
            if parameter.requires_grad:  # bf16 would round small updates away
                parameter.data = parameter.data.float()
    model = LanguageModel(classifier, tokenizer, types, settings.pooling)
    if settings.lora_rank:
        # A decoder's features are large (4 in Gemma 3 270M): a random head would outweigh the photo's term.
        for weight in head_parameters(model):
            nn.init.zeros_(weight)
    if settings.lower_layers_from:
        model.load_state_dict(read_weights(Path(settings.lower_layers_from)), strict=False)
    return model


class SinglePrecision(nn.Linear):
    """A head that autocast leaves in single precision.

    In bf16 a logit of 5 is rounded to a multiple of 1/32, before it meets the priors and the softmax.
    """

    @classmethod
    def of(cls, head: nn.Linear) -> SinglePrecision:
        own = cls(head.in_features, head.out_features, bias=head.bias is not None)
        own.load_state_dict(head.state_dict())
        return own

    def forward(self, features: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            return super().forward(features.float())


def freeze(model: LanguageModel, layers: int) -> None:
    """Freezes the embeddings and the first `layers` of the encoder; with adapters nothing else is trained."""
    if hasattr(model.classifier, "peft_config"):
        return
    base: Any = model.classifier.base_model
    base.get_input_embeddings().requires_grad_(False)
    stack = next(module for module in base.modules() if isinstance(module, nn.ModuleList))
    for layer in stack[:layers]:
        layer.requires_grad_(False)


def head_parameters(model: LanguageModel) -> list[nn.Parameter]:
    """The classification head, which is new and has a higher learning rate than the encoder."""
    return [
        parameter
        for name, parameter in model.classifier.named_parameters()
        if parameter.requires_grad
        and name.split(".")[-2] in ("classifier", "score", "default")
        and "lora" not in name
    ]


def make_examples(
    cases: Sequence[Case],
    photos: Sequence[Tensor | None],
    types: tuple[str, ...],
    settings: LanguageSettings,
    rng: Random,
    *,
    all_options: bool,
) -> list[Example]:
    """One example a case and step of the schedule, with random words, options and missing inputs.

    Options that the photo finds likely are drawn without looking at the label, and an example without its
    label is left out. With the label always put among them, a likely option would be wrong more often than
    the photo says, and the model would learn to distrust the photo (its weight became 0.7 instead of 0.9).
    all_options: the control (plain fine-tuning), which differs in nothing else.
    """
    examples = []
    groups = prior_groups(cases, photos)
    known = [photo for photo in photos if photo is not None]
    for case, photo, group in zip(cases, photos, groups, strict=True):
        steps = list(settings.schedule[:-1])
        for n_options in rng.sample(steps, settings.examples_a_case) if settings.examples_a_case else steps:
            label = types.index(_drawn_type(case, rng))
            seen = photo
            if photo is None and settings.stray_photos and rng.random() < settings.stray_photos:
                seen = rng.choice(known)
            chance = np.full(len(types), 1 / len(types))
            must = label if seen is None else None
            if seen is not None:
                chance = settings.hard * seen.numpy().astype(float) + (1 - settings.hard) * chance
            gap = rng.random()
            is_silent = photo is not None and gap < settings.missing_words
            words = "" if is_silent else training_words(case, rng, as_facts=settings.reads == READS_FACTS)
            if gap > 1 - settings.missing_photo:
                seen = None
            drawn = _draw_options(chance, n_options, rng, must)
            if label not in drawn:
                continue
            options = tuple(range(len(types))) if all_options else drawn
            examples.append(Example(Question(words, seen, options), _target(case, options, types), group))
    return examples


def _drawn_type(case: Case, rng: Random) -> str:
    """The type that is always an option: the case's, drawn by weight where its label is weighted."""
    if not case.target:
        return case.type
    types, weights = zip(*case.target, strict=True)
    return str(rng.choices(types, weights)[0])


def _label(case: Case) -> tuple[tuple[str, float], ...]:
    """Its types with their weights, which sum to 1."""
    return case.target or ((case.type, 1.0),)


def _target(case: Case, options: tuple[int, ...], types: tuple[str, ...]) -> tuple[float, ...]:
    """(K,) the label's weights among the options; one of its types is among them."""
    weights = np.zeros(len(types))
    for type_, weight in _label(case):
        if types.index(type_) in options:
            weights[types.index(type_)] = weight
    return tuple((weights / weights.sum()).tolist())


def prior_groups(cases: Sequence[Case], photos: Sequence[Tensor | None]) -> list[int]:
    """(n,) group of each case for the prior: one for each source, with and without photos."""
    mixes = [(case.source, photo is not None) for case, photo in zip(cases, photos, strict=True)]
    order = {mix: place for place, mix in enumerate(sorted(set(mixes)))}
    return [order[mix] for mix in mixes]


def log_priors(
    cases: Sequence[Case], photos: Sequence[Tensor | None], types: tuple[str, ...], uniform: float
) -> Tensor:
    """(groups, K) log prior of each of `prior_groups`."""
    groups = np.array(prior_groups(cases, photos))
    rows = [
        mixed_prior([cases[i] for i in np.flatnonzero(groups == group).tolist()], types, uniform)
        for group in range(int(groups.max()) + 1)
    ]
    return torch.tensor(np.log(rows), dtype=torch.float32)


def mixed_prior(cases: Sequence[Case], types: tuple[str, ...], uniform: float) -> np.ndarray:
    """(K,) frequency of the types, by weight of the labels; `uniform`: uniform share."""
    counts = np.zeros(len(types))
    for case in cases:
        for type_, weight in _label(case):
            counts[types.index(type_)] += weight
    counts = np.maximum(counts, 1)  # a type that never occurs counts as once
    return np.asarray((1 - uniform) * counts / counts.sum() + uniform / len(types))


def _draw_options(chance: np.ndarray, n: int, rng: Random, must: int | None = None) -> tuple[int, ...]:
    """`n` types without replacement, likely ones first (Gumbel trick), in order; with `must` among them."""
    keys = [np.log(p) - np.log(-np.log(rng.uniform(1e-12, 1))) for p in chance]
    if must is not None:
        keys[must] = np.inf
    return tuple(sorted(np.argsort(keys)[len(keys) - n :].tolist()))


def train_chain(
    cases: Sequence[Case],
    photos: Sequence[Tensor | None],
    types: tuple[str, ...],
    settings: LanguageSettings,
    reading: Path | None,
    done: Path,
    *,
    word_prior: WordPrior | None = None,
    all_options: bool = False,
    share: float = 1.0,
) -> LanguageModel:
    """The language model trained with Chain of Options (or its control), saved as `done`.

    photos: (K,) out-of-fold probabilities of the image model a case, None without a photo;
    reading: file of `reading.teach_reading`; word_prior: stands in the logit from the start, so that the
    model learns only what it does not say; share: of the examples that are read. The log prior is added to
    the training logits (`log_priors`).
    """
    set_seed(settings.seed)
    if done.exists():
        merged = replace(settings, lora_rank=0, four_bit=False)  # adapters are merged
        model = pretrained(merged, types)
        load_language_weights(model, done)
        model.word_prior = word_prior
        return model.eval()
    model = pretrained(settings, types)
    model.word_prior = word_prior
    if reading is not None:
        own = model.state_dict()
        fits = {name: part for name, part in load_file(reading).items() if part.shape == own[name].shape}
        model.load_state_dict(fits, strict=False)
    freeze(model, settings.frozen_layers)
    model.to(PartialState().device)
    priors = log_priors(cases, photos, types, settings.uniform_prior).to(PartialState().device)

    def batches(epoch: int) -> DataLoader[Any]:
        rng = Random(settings.seed * 1000 + epoch)
        examples = make_examples(cases, photos, types, settings, rng, all_options=all_options)
        if share < 1:
            examples = rng.sample(examples, round(share * len(examples)))
        return DataLoader(by_length(examples, settings.batch_size, rng, _length), None)  # type: ignore[arg-type]

    def loss(network: nn.Module, batch: list[Example]) -> Tensor:
        logits = network([example.question for example in batch])
        return _soft_cross_entropy(
            logits + priors[[example.group for example in batch]],
            torch.tensor([example.target for example in batch], device=logits.device),
        )

    # Only encoders have a head that is one linear layer on pooled features.
    head = getattr(model.classifier, "classifier", None)
    if settings.probe_strength and isinstance(head, nn.Linear):
        rng = Random(settings.seed * 1000 - 1)
        examples = make_examples(cases, photos, types, settings, rng, all_options=all_options)
        rng.shuffle(examples)
        fit_head(model, head, examples[: int(settings.probe_share * len(examples))], priors, settings)
    fresh = [model.photo_weight, *head_parameters(model)]
    known = {id(parameter) for parameter in fresh}
    encoder = [p for p in model.parameters() if p.requires_grad and id(p) not in known]
    groups = [
        {"params": encoder, "lr": settings.learning_rate},
        {"params": fresh, "lr": settings.head_learning_rate},
    ]
    checkpoint = done.with_suffix(".checkpoint")
    result = fit(
        model,
        groups,
        batches,
        loss,
        epochs=settings.epochs,
        weight_decay=settings.weight_decay,
        averaging=0 if settings.lora_rank else settings.averaging,
        seed=settings.seed,
        checkpoint=checkpoint,
    )
    assert isinstance(result, LanguageModel)
    if settings.lora_rank:
        adapted: Any = result.float().classifier  # merged in the precision in which it is saved
        result.classifier = adapted.merge_and_unload()
    save_once(partial(save_language_model, result, done), checkpoint)
    return result


def _soft_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean over rows; logits may be -inf where the targets, (n, K), are 0."""
    return -(targets * logits.log_softmax(1).masked_fill(targets == 0, 0)).sum(1).mean()


def fit_head(
    model: LanguageModel, head: nn.Linear, examples: list[Example], priors: Tensor, settings: LanguageSettings
) -> None:
    """Fits the new head to the encoder's features, before both are trained together.

    A random head would first distort the encoder (Kumar et al. 2022: linear probing, then
    fine-tuning). Logistic regression with the photo's term and the log prior as offset; priors: (groups, K).
    """
    inputs: list[Tensor] = []
    catch = head.register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0]))
    offsets = []
    model.eval()
    examples = sorted(examples, key=lambda example: len(example.question.narrative))
    is_bf16 = fastest_precision() == "bf16"
    with torch.inference_mode(), torch.autocast(priors.device.type, torch.bfloat16, enabled=is_bf16):
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        for start in range(0, len(examples), settings.batch_size):
            part = examples[start : start + settings.batch_size]
            logits = model([example.question for example in part])
            offsets.append(logits + priors[[example.group for example in part]])
    catch.remove()
    features, offset = torch.cat(inputs).float().clone(), torch.cat(offsets).float().clone()
    targets = torch.tensor([example.target for example in examples], device=offset.device)
    optimizer = torch.optim.LBFGS(head.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        penalty = head.weight.square().sum() / (2 * settings.probe_strength * len(targets))
        value = _soft_cross_entropy(head(features) + offset, targets) + penalty
        value.backward()
        return value

    optimizer.step(closure)
    optimizer.zero_grad()


def by_length(
    items: list[Item], batch_size: int, rng: Random, length: Callable[[Item], int]
) -> list[list[Item]]:
    """Batches of items of similar length, in random order, to save padding."""
    rng.shuffle(items)
    chunk = 16 * batch_size
    batches = []
    for start in range(0, len(items), chunk):
        part = sorted(items[start : start + chunk], key=length)
        batches += [part[i : i + batch_size] for i in range(0, len(part), batch_size)]
    rng.shuffle(batches)
    return batches


def _length(example: Example) -> int:
    return len(example.question.narrative) + 20 * min(len(example.question.options), ALL_NAMED)


def predict_steps(
    model: LanguageModel,
    narratives: Sequence[str],
    photos: Sequence[Tensor | None],
    schedule: tuple[int, ...],
    temperatures: tuple[float, ...],
) -> list[tuple[Step, ...]]:
    """The elimination of every case, as in the app, without the shares, which triple the time."""
    everything = tuple(range(len(model.types)))
    cases = [Question(words, photo, everything) for words, photo in zip(narratives, photos, strict=True)]
    model.to(PartialState().device)
    with torch.inference_mode():
        return eliminate_all(model, cases, model.types, schedule, temperatures, shares=False)
