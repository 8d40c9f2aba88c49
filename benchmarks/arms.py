"""Does Chain of Options help? `python -m benchmarks.arms FOLDER`, FOLDER holding `pad-ufes-20`; resumable.

Six types, folds FOLDS, seeds SEEDS. Arms differ in the options of the training examples alone:
all options in every example, options that the photo suggests, options at random; and the second with what
distinguishes the options left in the prompt. Each reads as many tokens. Prints a table and draws a figure.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Final
from unittest.mock import patch

import matplotlib.pyplot as plt
import numpy as np
import torch

from skin_ai.commands.train_bundle import image_part
from skin_ai.evaluation.figures import Evaluated, as_rows, figures, gains, weighted_mean
from skin_ai.evaluation.given_words import given_words
from skin_ai.evaluation.predictions import fold_temperatures
from skin_ai.evaluation.temperatures import fit_prior_weights, step_logits, with_temperatures
from skin_ai.intervals import patient_weights, with_interval
from skin_ai.predict.bundle import LANGUAGE_BASE_FILE, READS_FACTS, WEIGHTS, file_of
from skin_ai.predict.chain import LEAST_PHOTO, LanguageModel, Option, Question, Step, answer, single_pass
from skin_ai.training.datasets import NEVER_TRAINED, Case, digest, split_folds
from skin_ai.training.image import ImageSettings
from skin_ai.training.language import LanguageSettings, make_examples, mixed_prior, predict_steps, train_chain
from skin_ai.training.reading import teach_reading
from skin_ai.training.run import LANGUAGE_DEFAULTS, READING_FILE, Run, reading_stage
from skin_ai.training.sources import PAD_UFES_20, load_sources
from skin_ai.training.word_prior import fact_prior_of

log = logging.getLogger(__name__)

SEEDS: Final = (42, 43, 44)
FOLDS: Final = (0, 1)
ALL, HARD, RANDOM, TELLING = "all options", "hard options", "random options", "hard options, told apart"
ARMS: Final = (ALL, HARD, RANDOM, TELLING)
LEFT: Final = 3  # options from which on they are told apart
SIGNS: Final = {
    "BCC": "shiny, bleeds, grows slowly, on the face",
    "SCC": "hard, scaly, sore, grows in weeks, on sun-exposed skin",
    "MEL": "changes colour or shape, grows",
    "ACK": "rough, scaly, itches, on sun-exposed skin of older people",
    "NEV": "unchanged for years, since youth",
    "SEK": "raised, as if stuck on, itches, on older people",
}
Steps = tuple[Step, ...]


@dataclass(frozen=True)
class Data:
    """What all arms share; photos: (K,) out-of-fold probabilities a case, None without a photo."""

    run: Run
    cases: Sequence[Case]
    folds: np.ndarray
    photos: Sequence[torch.Tensor | None]
    work: Path

    def tested(self, fold: int) -> list[int]:
        """Places of the fold's cases with a photo."""
        return [i for i in np.flatnonzero(self.folds == fold).tolist() if self.photos[i] is not None]

    def trained(self, fold: int) -> list[int]:
        """Places of the cases of all other folds."""
        return list(np.flatnonzero((self.folds != NEVER_TRAINED) & (self.folds != fold)).tolist())


def main() -> None:
    """Trains what is not there yet, and prints the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--llm", default="../shared/weights/all-MiniLM-L6-v2")
    parser.add_argument("--work", type=Path, default=Path("runs/arms"))
    parser.add_argument("--only", nargs="*", default=(), metavar="ARM:SEED", help="train these, no table")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    data = load(options.data, options.llm, options.work)
    if options.only:
        for arm, seed in (job.split(":") for job in options.only):
            eliminations(data, arm, int(seed))
        return
    found = {(arm, seed): eliminations(data, arm, seed) for arm in ARMS for seed in SEEDS}
    evaluated, in_play = measured(data, found)
    report(evaluated, in_play)
    draw(in_play, evaluated, options.work / "arms.png")


def load(folder: Path, llm: str, work: Path) -> Data:
    """The shipped bundle's settings, image model and folds; teaches reading once."""
    start = WEIGHTS / PAD_UFES_20
    base = str(file_of(start, LANGUAGE_BASE_FILE))
    language = LanguageSettings(base=llm, lower_layers_from=base, **LANGUAGE_DEFAULTS[PAD_UFES_20])
    run = Run(PAD_UFES_20, ImageSettings(), language, str(start))
    work.mkdir(parents=True, exist_ok=True)
    cases = load_sources({PAD_UFES_20: folder / PAD_UFES_20}, run.types)
    folds = split_folds(cases)
    with_photo = np.flatnonzero([case.photo is not None for case in cases])
    _, over = image_part(run, [cases[i] for i in with_photo.tolist()], folds[with_photo], work)
    photos: list[torch.Tensor | None] = [None] * len(cases)
    for place, probabilities in zip(with_photo.tolist(), over, strict=True):
        photos[place] = probabilities
    teach_reading(run.language, *reading_stage(run), work / READING_FILE)
    return Data(run, cases, folds, photos, work)


@contextmanager
def prompts_of(arm: str) -> Iterator[None]:
    """With TELLING the prompt names the signs of the options once few are left."""
    plain = Question.prompt

    def telling(question: Question, types: Sequence[str]) -> tuple[str, str]:
        narrative, options = plain(question, types)
        if len(question.options) > LEFT:
            return narrative, options
        signs = "; ".join(SIGNS[types[option]] for option in question.options)
        return narrative, f"{options} ({signs})"

    with patch.object(Question, "prompt", telling if arm == TELLING else plain):
        yield


def settings_of(data: Data, arm: str, seed: int, fold: int) -> LanguageSettings:
    """As `train` does: each fold has a seed of its own."""
    hard = 0.0 if arm == RANDOM else data.run.language.hard
    return replace(data.run.language, seed=seed + fold + (100 * (seed - SEEDS[0])), hard=hard)


def share_of_examples(data: Data, arm: str, places: list[int]) -> float:
    """Of this arm's examples, so that all arms read as many tokens as the one that has the fewest."""
    model = LanguageModel(torch.nn.Identity(), _tokenizer(data), data.run.types)
    cases = [data.cases[i] for i in places], [data.photos[i] for i in places]
    tokens = {}
    for name in ARMS:
        own = settings_of(data, name, SEEDS[0], 0)
        drawn = make_examples(*cases, data.run.types, own, Random(0), all_options=name == ALL)
        with prompts_of(name):
            parts = [drawn[i : i + 100] for i in range(0, len(drawn), 100)]
            encoded = (model.encode([example.question for example in part]) for part in parts)
            tokens[name] = sum(int(inputs["attention_mask"].sum()) for inputs in encoded)
    log.info("tokens: %s", tokens)
    return min(tokens.values()) / tokens[arm]


def _tokenizer(data: Data) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(data.run.language.base)


def eliminations(data: Data, arm: str, seed: int) -> list[Steps]:
    """Of all cases with a photo in FOLDS, in this order, with all their facts."""
    name = f"{arm.replace(', ', '-').replace(' ', '-')}-{seed}"
    saved = data.work / f"{name}.json"
    if saved.exists():
        return [
            tuple(Step(tuple(Option(**row) for row in step)) for step in chain)
            for chain in json.loads(saved.read_text("utf-8"))
        ]
    torch.set_num_threads(1)
    schedule = data.run.language.schedule
    with prompts_of(arm):
        models = [trained(data, arm, seed, fold, data.work / f"{name}-{fold}.safetensors") for fold in FOLDS]
        asked = [Asked.of(data, fold) for fold in FOLDS]
        weights = [fitted_weights(data, *pair) for pair in zip(models, asked, strict=True)][::-1]
        steps: list[Steps] = []
        for model, given, (photo, facts) in zip(models, asked, weights, strict=True):
            assert model.word_prior is not None
            model.photo_weight.data += photo
            model.word_prior = replace(model.word_prior, weight=model.word_prior.weight + facts)
            ones = (1.0,) * (len(schedule) - 1)
            steps += predict_steps(model, given.words, given.photos, schedule, ones)
    log.info("%s: weights added to the priors' %s", name, np.round(weights, 3).tolist())
    plain = [[[asdict(option) for option in step.options] for step in chain] for chain in steps]
    saved.write_text(json.dumps(plain), encoding="utf-8")
    return steps


@dataclass(frozen=True)
class Asked:
    """What the models are given of a fold's cases; truth: (n,) index of the type."""

    words: list[str]
    photos: list[torch.Tensor]
    truth: np.ndarray

    @classmethod
    def of(cls, data: Data, fold: int) -> Asked:
        places = data.tested(fold)
        words = [given_words(READS_FACTS).of_case(data.cases[i]) for i in places]
        photos = [photo for i in places if (photo := data.photos[i]) is not None]
        return cls(words, photos, np.array([data.run.types.index(data.cases[i].type) for i in places]))


def trained(data: Data, arm: str, seed: int, fold: int, done: Path) -> LanguageModel:
    """As `train` does for a fold, but for the arm's examples."""
    settings, places = settings_of(data, arm, seed, fold), data.trained(fold)
    cases = [data.cases[i] for i in places]
    share = share_of_examples(data, arm, places)
    log.info("%s: %.3f of the examples", done.stem, share)
    return train_chain(
        cases,
        [data.photos[i] for i in places],
        data.run.types,
        settings,
        data.work / READING_FILE,
        done,
        word_prior=fact_prior_of(cases, data.run.types),
        all_options=arm == ALL,
        share=share,
    )


def fitted_weights(data: Data, model: LanguageModel, asked: Asked) -> tuple[float, ...]:
    """What the other fold's model adds to the weights of photo and facts, as in `train`."""
    types = data.run.types
    assert model.word_prior is not None
    steps = predict_steps(model, asked.words, asked.photos, (len(types), 1), (1.0,))
    photos = np.log(np.maximum(torch.stack(asked.photos).numpy(), LEAST_PHOTO))
    priors = np.array([photos, model.word_prior.logits(asked.words).numpy()])
    with_photo = [case for case, photo in zip(data.cases, data.photos, strict=True) if photo is not None]
    frequency = mixed_prior(with_photo, types, data.run.language.uniform_prior)
    return fit_prior_weights(step_logits(steps, 0, types), priors, asked.truth, frequency)


def measured(
    data: Data, found: dict[tuple[str, int], list[Steps]]
) -> tuple[Evaluated, dict[str, list[dict[str, float | None]]]]:
    """All seeds as one, paired by patient; and of each arm the share of cases whose type is still in play.

    Temperatures of a fold are fitted on the other one.
    """
    types = data.run.types
    places = [i for fold in FOLDS for i in data.tested(fold)]
    folds = np.array([fold for fold in FOLDS for _ in data.tested(fold)])
    truth = np.array([types.index(data.cases[i].type) for i in places])
    patients = np.array([digest(data.cases[i].patient) for i in places])
    mix = mixed_prior([data.cases[i] for i in places], types, 0.0)
    modes: dict[str, list[np.ndarray]] = {}
    kept: dict[str, list[np.ndarray]] = {}
    for arm in ARMS:
        for seed in SEEDS:
            steps = found[arm, seed]
            fitted = fold_temperatures(steps, truth, folds, mix, types)
            steps = [with_temperatures(chain, fitted[fold]) for chain, fold in zip(steps, folds, strict=True)]
            one = as_rows(list(map(single_pass, steps)), types)
            modes.setdefault(f"{arm}: one pass", []).append(one)
            kept.setdefault(f"{arm}: one pass", []).append(_in_play_of_one(one, truth, data.run))
            if arm != ALL:
                modes.setdefault(arm, []).append(as_rows(list(map(answer, steps)), types))
                kept.setdefault(arm, []).append(_in_play(steps, truth, types))
    seeds = len(SEEDS)
    stacked = {name: np.concatenate(rows) for name, rows in modes.items()}
    evaluated = Evaluated(types, np.tile(truth, seeds), np.tile(patients, seeds), mix, stacked)
    weights = patient_weights(evaluated.patients)
    in_play = {
        name: [with_interval(weighted_mean(column, weights)) for column in np.concatenate(rows).T]
        for name, rows in kept.items()
    }
    return evaluated, in_play


def _in_play(steps: Sequence[Steps], truth: np.ndarray, types: Sequence[str]) -> np.ndarray:
    """(n, steps) whether the right type is kept at each step."""
    return np.array(
        [
            [types[label] in {option.type for option in step.kept} for step in chain]
            for chain, label in zip(steps, truth.tolist(), strict=True)
        ]
    )


def _in_play_of_one(rows: np.ndarray, truth: np.ndarray, run: Run) -> np.ndarray:
    """(n, steps) the same where one pass is displayed as steps."""
    rank = (rows > rows[np.arange(len(truth)), truth][:, None]).sum(1)
    return np.stack([rank < keep for keep in run.language.schedule[1:]], 1)


def report(evaluated: Evaluated, in_play: dict[str, list[dict[str, float | None]]]) -> None:
    """Prints the table, then each arm's difference from one pass of all options."""
    found = figures(evaluated)
    print("| | balanced accuracy | calibration error | in play after step 1 | 2 | 3 | less all options |")
    print("|---|---|---|---|---|---|---|")
    for name, kept in in_play.items():
        cells = [_cell(found[name]["balanced_accuracy"]), f"{found[name]['ece']['value']:.3f}"]
        cells += [_cell(share) for share in kept]
        base = f"{ALL}: one pass"
        cells.append("" if name == base else _cell(gains(evaluated, name, base)["balanced_accuracy"], "+.3f"))
        print(f"| {name} | {' | '.join(cells)} |")
    for arm in ARMS[1:]:
        gain = gains(evaluated, arm, f"{arm}: one pass")["balanced_accuracy"]
        print(f"{arm}: eliminating less its own one pass: {_cell(gain, '+.3f')}")


def _cell(figure: dict[str, float | None], form: str = ".3f") -> str:
    value, low, high = (format(figure[name] or 0.0, form) for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def draw(in_play: dict[str, list[dict[str, float | None]]], evaluated: Evaluated, path: Path) -> None:
    """How often the right type is still in play after each step, with 95% intervals."""
    figure, axes = plt.subplots(figsize=(7, 3.6), dpi=120)
    marks = dict(zip((f"{ALL}: one pass", HARD, RANDOM, TELLING), "os^D", strict=True))
    for place, (name, mark) in enumerate(marks.items()):
        values = np.array(
            [[share[part] for part in ("value", "low", "high")] for share in in_play[name]], float
        )
        across = np.arange(1, 1 + len(values)) + 0.07 * (place - 1.5)
        errors = [values[:, 0] - values[:, 1], values[:, 2] - values[:, 0]]
        axes.errorbar(across, values[:, 0], errors, fmt=mark, capsize=3, label=name.replace(": ", ", "))
    axes.set_xticks(
        range(1, 1 + len(values)), ["step 1 (three left)", "step 2 (two left)", "step 3 (answer)"]
    )
    axes.set_ylabel("right type still in play")
    axes.set_ylim(0.6, 1.0)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path)
    log.info("%d answers; figure in %s", len(evaluated.truth), path)


if __name__ == "__main__":
    main()
