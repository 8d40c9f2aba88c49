"""Teaches the language model to read, then to eliminate (Chain of Options), fold after fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import set_seed
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from tqdm import tqdm
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from skin_ai.chain import (
    LanguageModel,
    Question,
    Step,
    eliminate,
    load_language_weights,
    save_language_model,
    set_padding,
)
from skin_ai.narrative import SITES, SYMPTOMS, Answer, Facts, tell
from skin_ai.training.datasets import Case
from skin_ai.training.image import log_prior
from skin_ai.training.loop import fit
from skin_ai.training.stories import random_facts, training_narrative


@dataclass(frozen=True)
class LanguageSettings:
    """Everything that shapes the language model; saved with the result.

    base: folder of a Hugging Face model; frozen_layers: of the encoder, after the reading stage
    (the embeddings are then frozen too); missing_words, missing_photo: share of examples without;
    probe_strength: C of the logistic regression that starts the head, 0 for a random head;
    hard: share of an option's chance that comes from the photo's probability, the rest is uniform;
    lora_rank: 0 trains all weights, else adapters of this rank; four_bit: needs a GPU.
    """

    base: str
    reading_updates: int = 600
    reading_batch_size: int = 32
    reading_learning_rate: float = 4e-4
    schedule: tuple[int, ...] = (6, 3, 2, 1)
    epochs: int = 1
    batch_size: int = 32
    learning_rate: float = 1.5e-4
    head_learning_rate: float = 5e-4
    weight_decay: float = 0.01
    probe_strength: float = 0.1
    averaging: float = 0.98
    frozen_layers: int = 3
    missing_words: float = 0.1
    missing_photo: float = 0.15
    hard: float = 0.8
    lora_rank: int = 0
    four_bit: bool = False
    seed: int = 42


@dataclass(frozen=True)
class Example:
    """A question and the right type's index; photographed tells which prior holds."""

    question: Question
    label: int
    photographed: bool


# ---- reading ----------------------------------------------------------------------------------

SYMPTOM_CLASSES = 3  # yes, no, unsaid or unknown
AGE_CLASSES = 11  # decades, the last one: unsaid
READING_OUTPUTS = len(SYMPTOMS) * SYMPTOM_CLASSES + len(SITES) + 1 + AGE_CLASSES


def reading_targets(facts: Facts) -> list[int]:
    """(8,) classes of the six symptoms, the site and the decade of age."""
    symptoms = [{Answer.YES: 0, Answer.NO: 1}.get(answer, 2) for answer in facts.symptoms.values()]
    site = len(SITES) if facts.site is None else SITES.index(facts.site)
    age = AGE_CLASSES - 1 if facts.age is None else min(facts.age // 10, AGE_CLASSES - 2)
    return [*symptoms, site, age]


def _reading_groups(logits: Tensor) -> tuple[Tensor, ...]:
    return logits.split([SYMPTOM_CLASSES] * len(SYMPTOMS) + [len(SITES) + 1, AGE_CLASSES], dim=1)


def _random_question(narrative: str, n_types: int, rng: Random) -> Question:
    """Reading is learnt in the prompt in which it is used, around any photo and any options."""
    photo = None
    if rng.random() < 0.7:
        draws = torch.tensor([rng.gammavariate(0.4, 1) + 1e-6 for _ in range(n_types)])
        photo = draws / draws.sum()
    options = rng.sample(range(n_types), rng.randint(2, n_types))
    return Question(narrative, photo, tuple(sorted(options)))


def teach_reading(settings: LanguageSettings, types: tuple[str, ...], done: Path) -> dict[str, float]:
    """Random fields -> narrative -> fields back; leaves the model in `done`, returns its accuracies."""
    set_seed(settings.seed)
    model = pretrained(settings, types, n_outputs=READING_OUTPUTS)
    if not done.exists():
        _freeze(model, 0)

        def batches(epoch: int) -> DataLoader[Any]:
            rng = Random(settings.seed * 1000 + epoch)
            facts = [random_facts(rng) for _ in range(settings.reading_batch_size * updates)]
            pairs = [
                (_random_question(tell(fact, rng), len(types), rng), reading_targets(fact)) for fact in facts
            ]
            return DataLoader(pairs, settings.reading_batch_size, collate_fn=list)  # type: ignore[arg-type]

        def loss(network: nn.Module, batch: list[tuple[Question, list[int]]]) -> Tensor:
            questions, targets = zip(*batch, strict=True)
            logits = network(questions).float()
            right = torch.tensor(targets, device=logits.device)
            parts = [cross_entropy(group, right[:, i]) for i, group in enumerate(_reading_groups(logits))]
            return torch.stack(parts).sum()

        epochs = 5
        updates = settings.reading_updates // epochs
        reader = _Reader(model)
        groups = [
            {
                "params": [p for p in model.parameters() if p.requires_grad],
                "lr": settings.reading_learning_rate,
            }
        ]
        fit(
            reader,
            groups,
            batches,
            loss,
            epochs=epochs,
            weight_decay=settings.weight_decay,
            averaging=0,
            seed=settings.seed,
            checkpoint=done.with_suffix(".checkpoint"),
        )
        if PartialState().is_main_process:
            save_language_model(model, done)
            done.with_suffix(".checkpoint").unlink(missing_ok=True)
        PartialState().wait_for_everyone()
    load_language_weights(model, done)
    return reading_accuracy(model.eval(), settings.seed)


class _Reader(nn.Module):
    """The classifier's bare logits: no options to mask while reading."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, questions: Sequence[Question]) -> Tensor:
        device = self.model.photo_weight.device
        inputs = {name: value.to(device) for name, value in self.model.encode(questions).items()}
        logits: Tensor = self.model.classifier(**inputs).logits
        return logits


def reading_accuracy(model: LanguageModel, seed: int, n: int = 400) -> dict[str, float]:
    """Share of facts read right from `n` narratives: in the training's wordings, and in held-out ones."""
    result = {}
    for name, held_out in (("training_wordings", False), ("held_out_wordings", True)):
        rng = Random(seed + 1)
        facts = [random_facts(rng) for _ in range(n)]
        questions = [
            _random_question(tell(fact, rng, held_out=held_out), len(model.types), rng) for fact in facts
        ]
        with torch.inference_mode():
            logits = torch.cat([_Reader(model)(questions[i : i + 50]) for i in range(0, n, 50)])
        read = torch.stack([group.argmax(1) for group in _reading_groups(logits)], dim=1)
        right = (read == torch.tensor([reading_targets(fact) for fact in facts])).float().mean(0)
        result[f"symptoms_in_{name}"] = right[: len(SYMPTOMS)].mean().item()
        result[f"site_in_{name}"] = right[-2].item()
        result[f"age_decade_in_{name}"] = right[-1].item()
    return result


# ---- Chain of Options ---------------------------------------------------------------------------


def pretrained(
    settings: LanguageSettings, types: tuple[str, ...], n_outputs: int | None = None
) -> LanguageModel:
    """The base model with a new head of `n_outputs` (by default one a type), with adapters if asked for."""
    folder = settings.base
    options: dict[str, Any] = {"dtype": torch.float32}
    if settings.lora_rank:
        options["dtype"] = torch.bfloat16 if torch.cuda.is_available() else torch.float32
    if settings.four_bit:
        from transformers import BitsAndBytesConfig

        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
        )
    tokenizer = AutoTokenizer.from_pretrained(folder)
    config = AutoConfig.from_pretrained(folder, num_labels=n_outputs or len(types))
    set_padding(tokenizer, config)
    classifier = AutoModelForSequenceClassification.from_pretrained(folder, config=config, **options)
    if settings.lora_rank:
        from peft import LoraConfig, TaskType, get_peft_model

        lora = LoraConfig(
            task_type=TaskType.SEQ_CLS,
            r=settings.lora_rank,
            lora_alpha=2 * settings.lora_rank,
            lora_dropout=0.05,
            target_modules="all-linear",
        )
        classifier = get_peft_model(classifier, lora)
    return LanguageModel(classifier, tokenizer, types)


def _freeze(model: LanguageModel, layers: int) -> None:
    """Freezes the embeddings and the first `layers` of the encoder; adapters choose for themselves."""
    if hasattr(model.classifier, "peft_config"):
        return
    base: Any = model.classifier.base_model
    base.get_input_embeddings().requires_grad_(False)
    stack = next(module for module in base.modules() if isinstance(module, nn.ModuleList))
    for layer in stack[:layers]:
        layer.requires_grad_(False)


def head_parameters(model: LanguageModel) -> list[nn.Parameter]:
    """The classification head, which is new and may learn faster than the encoder."""
    classifier = model.classifier
    return [
        parameter
        for name, parameter in classifier.named_parameters()
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
    """One example a case and step of the schedule, with new words, options and gaps.

    all_options: the control (plain fine-tuning), which differs in nothing else.
    """
    examples = []
    for case, photo in zip(cases, photos, strict=True):
        label = types.index(case.type)
        chance = np.full(len(types), 1 / len(types))
        if photo is not None:
            chance = settings.hard * photo.numpy().astype(float) + (1 - settings.hard) * chance
        for n_options in settings.schedule[:-1]:
            gap = rng.random()
            words = (
                ""
                if photo is not None and gap < settings.missing_words
                else training_narrative(case.facts, rng)
            )
            seen = None if gap > 1 - settings.missing_photo else photo
            others = _draw_others(chance, label, n_options - 1, rng)
            options = tuple(range(len(types))) if all_options else tuple(sorted([label, *others]))
            examples.append(Example(Question(words, seen, options), label, photo is not None))
    return examples


def _draw_others(chance: np.ndarray, label: int, n: int, rng: Random) -> list[int]:
    """`n` wrong types without replacement, likely ones first (Gumbel trick)."""
    keys = {
        i: np.log(chance[i]) - np.log(-np.log(rng.uniform(1e-12, 1)))
        for i in range(len(chance))
        if i != label
    }
    return sorted(keys, key=lambda i: -keys[i])[:n]


def train_chain(
    cases: Sequence[Case],
    photos: Sequence[Tensor | None],
    types: tuple[str, ...],
    settings: LanguageSettings,
    reading: Path | None,
    done: Path,
    *,
    all_options: bool = False,
) -> LanguageModel:
    """The language model trained with Chain of Options (or its control), saved as `done`.

    photos: (K,) out-of-fold probabilities of the image model a case, None without a photo;
    reading: what `teach_reading` left. The log prior is added to the training logits, one for
    cases with a photo and one for those without, which are another mix of patients.
    """
    set_seed(settings.seed)
    if done.exists():
        merged = replace(settings, lora_rank=0, four_bit=False)  # adapters are part of the weights by then
        model = pretrained(merged, types)
        load_language_weights(model, done)
        return model.eval()
    model = pretrained(settings, types)
    if reading is not None:
        state = load_file(reading)
        keep = {name: value for name, value in state.items() if value.shape == model.state_dict()[name].shape}
        model.load_state_dict(keep, strict=False)
    _freeze(model, settings.frozen_layers)
    labels = np.array([types.index(case.type) for case in cases])
    photographed = np.array([photo is not None for photo in photos])
    priors = torch.stack([log_prior(labels[photographed == known], len(types)) for known in (False, True)])

    def batches(epoch: int) -> DataLoader[Any]:
        rng = Random(settings.seed * 1000 + epoch)
        examples = make_examples(cases, photos, types, settings, rng, all_options=all_options)
        return DataLoader(_by_length(examples, settings.batch_size, rng), None)  # type: ignore[arg-type]

    def loss(network: nn.Module, batch: list[Example]) -> Tensor:
        logits = network([example.question for example in batch])
        logits = logits + priors.to(logits.device)[[int(example.photographed) for example in batch]]
        return cross_entropy(logits, torch.tensor([example.label for example in batch], device=logits.device))

    # Encoders whose head is one linear layer; a decoder's head sees every token.
    head = getattr(model.classifier, "classifier", None)
    if settings.probe_strength and isinstance(head, nn.Linear):
        rng = Random(settings.seed * 1000 - 1)
        examples = make_examples(cases, photos, types, settings, rng, all_options=all_options)
        rng.shuffle(examples)
        fit_head(model, head, examples[: len(examples) // 2], priors, settings)
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
        adapted: Any = result.classifier
        result.classifier = adapted.merge_and_unload()
    if PartialState().is_main_process:
        save_language_model(result, done)
        checkpoint.unlink(missing_ok=True)
    PartialState().wait_for_everyone()
    return result


def fit_head(
    model: LanguageModel,
    head: nn.Linear,
    examples: list[Example],
    priors: Tensor,
    settings: LanguageSettings,
) -> None:
    """Fits the new head to what the encoder already reads, before both are trained together.

    A random head would first pull the encoder out of shape (Kumar et al. 2022: linear probing, then
    fine-tuning). Logistic regression with the photo's term and the log prior as offset; priors: (2, K).
    """
    inputs: list[Tensor] = []
    catch = head.register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0]))
    offsets = []
    model.eval()
    examples = sorted(examples, key=lambda example: len(example.question.narrative))
    with torch.inference_mode():
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
        for start in range(0, len(examples), settings.batch_size):
            part = examples[start : start + settings.batch_size]
            logits = model([example.question for example in part])
            offsets.append(logits + priors[[int(example.photographed) for example in part]])
    catch.remove()
    features, offset = torch.cat(inputs).clone(), torch.cat(offsets).clone()
    labels = torch.tensor([example.label for example in examples])
    optimizer = torch.optim.LBFGS(head.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        penalty = head.weight.square().sum() / (2 * settings.probe_strength * len(labels))
        value = cross_entropy(head(features) + offset, labels) + penalty
        value.backward()
        return value

    optimizer.step(closure)
    optimizer.zero_grad()


def _by_length(examples: list[Example], batch_size: int, rng: Random) -> list[list[Example]]:
    """Batches of examples of similar length in random order, so that little is padding."""
    rng.shuffle(examples)
    chunk = 16 * batch_size
    batches = []
    for start in range(0, len(examples), chunk):
        part = sorted(
            examples[start : start + chunk],
            key=lambda example: len(example.question.narrative) + 20 * len(example.question.options),
        )
        batches += [part[i : i + batch_size] for i in range(0, len(part), batch_size)]
    rng.shuffle(batches)
    return batches


def predict_steps(
    model: LanguageModel,
    narratives: Sequence[str],
    photos: Sequence[Tensor | None],
    schedule: tuple[int, ...],
    temperatures: tuple[float, ...],
) -> list[tuple[Step, ...]]:
    """The elimination of every case, as the app runs it but for the shares, which triple the time."""
    pairs = list(zip(narratives, photos, strict=True))
    with torch.inference_mode():
        return [
            eliminate(model, words, photo, model.types, schedule, temperatures, shares=False)
            for words, photo in tqdm(pairs, desc="eliminating", leave=False)
        ]
