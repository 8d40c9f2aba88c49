"""The reading stage: the language model learns to find facts in narratives made from random facts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import set_seed
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

from skin_ai.predict.bundle import READS_FACTS
from skin_ai.predict.chain import LanguageModel, Question, load_language_weights, save_language_model
from skin_ai.predict.narrative import Answer, Facts, sentences
from skin_ai.training.datasets import Case
from skin_ai.training.language import LanguageSettings, by_length, freeze, pretrained
from skin_ai.training.loop import fit, save_once
from skin_ai.training.stories import random_facts, random_more_facts, varied
from skin_ai.training.telling import tell
from skin_ai.vocabulary import DURATIONS, KINDS, MORE_SYMPTOMS, REGIONS, SITES, SYMPTOMS

SYMPTOM_CLASSES = 3  # yes, no, unsaid or unknown
AGE_CLASSES = 11  # decades, the last one: unsaid
FACT_CLASSES = (*(SYMPTOM_CLASSES for _ in SYMPTOMS), len(SITES) + 1, AGE_CLASSES)
MORE_FACT_CLASSES = (
    *(SYMPTOM_CLASSES for _ in MORE_SYMPTOMS),
    len(KINDS) + 1,
    len(DURATIONS) + 1,
    *(2 for _ in REGIONS),
)
NO_TARGET = -100
STORY_WEIGHT = 3.0  # of the loss: a story has one target, its type; other narratives have many


def reading_targets(facts: Facts, *, more: bool = False) -> list[int]:
    """(8,) classes of the six symptoms, the site and the decade of age.

    more: (30,) with SCIN's further symptoms, kind, duration and regions.
    """

    def place(value: str | None, of: tuple[str, ...]) -> int:
        return len(of) if value is None else of.index(value)

    answers = {
        symptom: {Answer.YES: 0, Answer.NO: 1}.get(answer, 2) for symptom, answer in facts.symptoms.items()
    }
    years = facts.age if facts.age_range is None else int(facts.age_range.split()[0])
    age = AGE_CLASSES - 1 if years is None else min(years // 10, AGE_CLASSES - 2)
    targets = [*(answers[symptom] for symptom in SYMPTOMS), place(facts.site, SITES), age]
    if more:
        targets += [answers[symptom] for symptom in MORE_SYMPTOMS]
        targets += [place(facts.kind, KINDS), place(facts.duration, DURATIONS)]
        targets += [int(region in facts.more_sites) for region in REGIONS]
    return targets


def fact_classes(settings: LanguageSettings) -> tuple[int, ...]:
    """Number of classes of each fact that is read."""
    return FACT_CLASSES + (MORE_FACT_CLASSES if settings.reads_more else ())


def _reading_pairs(
    stories: Sequence[Case], types: tuple[str, ...], settings: LanguageSettings, n: int, rng: Random
) -> list[tuple[Question, list[int]]]:
    """`n` prompts with their targets: narratives of random facts, in turn with stories."""
    kinds = ["story"] * bool(stories) + ["facts"] + ["more facts"] * settings.reads_more
    pairs = []
    for place in range(n):
        kind = kinds[place % len(kinds)]
        if kind == "story":
            story = rng.choice(stories)
            words = varied(story.story, rng)
            targets = [NO_TARGET] * len(fact_classes(settings)) + [types.index(story.type)]
        else:
            facts = random_facts(rng) if kind == "facts" else random_more_facts(rng)
            is_form = settings.reads == READS_FACTS or (kind == "more facts" and rng.random() < 0.5)
            words = sentences(facts) if is_form else tell(facts, rng)
            targets = reading_targets(facts, more=settings.reads_more) + [NO_TARGET] * bool(stories)
        pairs.append((_random_question(words, len(types), rng), targets))
    return pairs


FEW_OPTIONS = 6  # more names in the prompt only take time


def _random_question(narrative: str, n_types: int, rng: Random) -> Question:
    """The prompt of the elimination, with random recommendations and options."""
    photo = None
    if rng.random() < 0.7:
        draws = torch.tensor([rng.gammavariate(0.4, 1) + 1e-6 for _ in range(n_types)])
        photo = draws / draws.sum()
    options = rng.sample(range(n_types), rng.randint(2, min(n_types, FEW_OPTIONS)))
    return Question(narrative, photo, tuple(sorted(options)))


def teach_reading(
    settings: LanguageSettings, types: tuple[str, ...], stories: Sequence[Case], done: Path
) -> dict[str, float]:
    """Random facts -> narrative -> facts; saves the model as `done`, returns its accuracies.

    stories: those of the training voices; the target is their type.
    """
    set_seed(settings.seed)
    classes = fact_classes(settings)
    groups = (*classes, len(types)) if stories else classes
    weights = [1.0] * len(classes) + [STORY_WEIGHT]
    model = pretrained(settings, types, n_outputs=sum(groups))
    if not done.exists():
        freeze(model, settings.frozen_layers if settings.lower_layers_from else 0)
        epochs = 5
        updates = settings.reading_updates // epochs

        def batches(epoch: int) -> DataLoader[Any]:
            rng = Random(settings.seed * 1000 + epoch)
            pairs = _reading_pairs(stories, types, settings, settings.reading_batch_size * updates, rng)
            parts = by_length(pairs, settings.reading_batch_size, rng, lambda pair: len(pair[0].narrative))
            return DataLoader(parts, None)  # type: ignore[arg-type]

        def loss(network: nn.Module, batch: list[tuple[Question, list[int]]]) -> Tensor:
            questions, targets = zip(*batch, strict=True)
            logits = network(questions)
            right = torch.tensor(targets, device=logits.device)
            parts = [
                weights[i] * cross_entropy(group, right[:, i], ignore_index=NO_TARGET)
                for i, group in enumerate(logits.split(groups, dim=1))
                if (right[:, i] != NO_TARGET).any()
            ]
            return torch.stack(parts).sum()

        parameters = [p for p in model.parameters() if p.requires_grad]
        checkpoint = done.with_suffix(".checkpoint")
        fit(
            _Reader(model),
            [{"params": parameters, "lr": settings.reading_learning_rate}],
            batches,
            loss,
            epochs=epochs,
            weight_decay=settings.weight_decay,
            averaging=0,
            seed=settings.seed,
            checkpoint=checkpoint,
        )
        save_once(partial(save_language_model, model, done), checkpoint)
    load_language_weights(model, done)
    return reading_accuracy(model.to(PartialState().device).float().eval(), settings)


class _Reader(nn.Module):
    """The classifier's logits, without options to mask."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, questions: Sequence[Question]) -> Tensor:
        return self.model.scores(questions)


def reading_accuracy(model: LanguageModel, settings: LanguageSettings, n: int = 400) -> dict[str, float]:
    """Accuracy of facts read from `n` narratives: in the training's wordings, and in held-out ones.

    A model that is given facts is measured on the form's sentences alone.
    """
    result: dict[str, float] = {}
    more = settings.reads_more
    classes = fact_classes(settings)
    wordings: dict[str, Callable[[Facts, Random], str]] = {
        "training_wordings": tell,
        "held_out_wordings": partial(tell, held_out=True),
    }
    if settings.reads == READS_FACTS:
        wordings = {"form": lambda fact, rng: sentences(fact)}
    for name, worded in wordings.items():
        rng = Random(settings.seed + 1)
        facts = [random_more_facts(rng) if more and i % 2 else random_facts(rng) for i in range(n)]
        questions = [_random_question(worded(fact, rng), len(model.types), rng) for fact in facts]
        with torch.inference_mode():
            logits = torch.cat([_Reader(model)(questions[i : i + 50]) for i in range(0, n, 50)]).cpu()
        read = torch.stack([group.argmax(1) for group in logits[:, : sum(classes)].split(classes, dim=1)], 1)
        right = (read == torch.tensor([reading_targets(fact, more=more) for fact in facts])).float().mean(0)
        parts = right.split([len(SYMPTOMS), 1, 1] + [len(MORE_SYMPTOMS), 1, 1, len(REGIONS)] * more)
        names = ("symptoms", "site", "age_decade", "more_symptoms", "kind", "duration", "regions")
        result |= {f"{what}_in_{name}": part.mean().item() for what, part in zip(names, parts, strict=False)}
    return result
