"""`refit-words`: the bag of words of a bundle again, without training its models."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

Steps = dict[int, Any]  # place of a case -> its elimination
DATASETS = ("pad-ufes-20", "scin")


def add_parser(commands: Any) -> None:
    command = commands.add_parser("refit-words", help="the bag of words of a bundle, and the figures with it")
    command.add_argument("bundle", type=Path, metavar="FOLDER", help="a bundle of 26 types, changed in place")
    command.add_argument(
        "--data", type=Path, required=True, metavar="FOLDER", help="holds pad-ufes-20 and scin"
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    refit({name: options.data / name for name in DATASETS}, options.bundle)
    return 0


def refit(folders: Mapping[str, Path], folder: Path) -> None:
    """Fits the bag of words, adds it to the out-of-fold predictions, and measures and calibrates again.

    What is known of these predictions is the answer of one pass over all types: the language model's logits
    at later steps are taken to be the same, and its temperature in each fold that of the bundle. The figures
    of `elimination` need the models of the folds and stay as they are. Raises ValueError where the
    predictions have a bag of words already.
    """
    import numpy as np
    import torch
    from safetensors.torch import load_file, save_file

    from skin_ai.diseases import LABEL_SETS
    from skin_ai.evaluation import checks, left_out_writers, no_harm, reliability
    from skin_ai.evaluation.given_words import BOTH, HELD_OUT, WORDS, GivenWords
    from skin_ai.evaluation.predictions import (
        as_tensors,
        bundle_temperatures,
        evaluated_photos,
        evaluated_words,
    )
    from skin_ai.evaluation.summary import summary_of_photos, summary_of_words
    from skin_ai.predict.bundle import (
        PREDICTIONS_FILE,
        WORD_PRIOR_FILE,
        load_bundle,
        read_manifest,
        write_manifest,
    )
    from skin_ai.predict.chain import Question, eliminate_all, option_mask
    from skin_ai.predict.word_prior import load_word_prior, save_word_prior
    from skin_ai.training.datasets import NEVER_TRAINED, digest, split_folds
    from skin_ai.training.image import ImageSettings
    from skin_ai.training.language import LanguageSettings
    from skin_ai.training.run import ALONE, LANGUAGE_DEFAULTS, LEAST_SUSPICION, Run
    from skin_ai.training.sources import SCIN, evaluation_words, load_sources
    from skin_ai.training.stories import STORIES_SOURCE, training_stories
    from skin_ai.training.word_prior import word_prior_of

    manifest = read_manifest(folder)
    if manifest["language_model"]["settings"].get("word_prior"):
        raise ValueError(f"{folder} has a bag of words in its predictions already; restore it, then refit.")
    label_set = next(name for name, types in LABEL_SETS.items() if list(types) == manifest["types"])
    types, weight = LABEL_SETS[label_set], float(LANGUAGE_DEFAULTS[label_set]["word_prior"])
    settings = manifest["language_model"]["settings"] | {"word_prior": weight}
    known = {field.name for field in fields(LanguageSettings)}
    plain: dict[str, Any] = {
        name: tuple(v) if isinstance(v, list) else v for name, v in settings.items() if name in known
    }
    language = LanguageSettings(**plain)
    run_ = Run(label_set, ImageSettings(), language)

    bundle = load_bundle(folder.name, folder.parent)
    temperature = bundle.chain_temperatures[0]
    bundle.language_model.word_prior = None
    left_out = left_out_writers.measure(bundle.language_model, temperature, weight)
    save_word_prior(word_prior_of(training_stories(), types, weight), folder / WORD_PRIOR_FILE)
    prior = load_word_prior(folder / WORD_PRIOR_FILE, len(types))

    saved = load_file(folder / PREDICTIONS_FILE)
    cases = load_sources(folders, types)
    folds = split_folds(cases)
    place_of = {digest(case.key): place for place, case in enumerate(cases)}
    with_photo = np.array([place_of[key] for key in saved["photos"].tolist()])
    volunteers = [place_of[key] for key in saved[f"{SCIN}/cases"].tolist()]
    stories = [
        i for i, case in enumerate(cases) if case.source == STORIES_SOURCE and folds[i] == NEVER_TRAINED
    ]

    def eliminations(name: str, places: list[int], held_out: bool = False, by: float = temperature) -> Steps:
        words = [evaluation_words(cases[i], held_out=held_out) for i in places]
        logits = by * saved[name].float().clamp_min(1e-7).log() + prior.logits(words)
        everything = tuple(range(len(types)))
        questions = [Question(str(row), None, everything) for row in range(len(places))]

        def ask(asked: Any) -> torch.Tensor:
            rows = logits[[int(question.narrative) for question in asked]]
            return rows.masked_fill(~option_mask(asked, len(types)), -torch.inf)

        ones = (1.0,) * (len(language.schedule) - 1)
        steps = eliminate_all(ask, questions, types, language.schedule, ones, shares=False)
        return dict(zip(places, steps, strict=True))

    at = with_photo.tolist()
    alone = {
        prefix: eliminations(f"{SCIN}/{prefix}single_pass", volunteers)
        # Kept without a temperature (`evaluated_words`).
        | eliminations(f"{STORIES_SOURCE}/{prefix}single_pass", stories, by=1.0)
        for prefix in ("", "control_")
    }
    chains = {
        "chain": {
            BOTH: eliminations("single_pass", at),
            WORDS: eliminations("words_only_single_pass", at),
            f"{BOTH}{HELD_OUT}": eliminations("chain_in_held_out_wordings", at, True),
            f"{WORDS}{HELD_OUT}": eliminations("words_only_in_held_out_wordings", at, True),
            ALONE: alone[""],
        },
        "control": {
            BOTH: eliminations("control_single_pass", at),
            WORDS: eliminations("control_words_only", at),
            ALONE: alone["control_"],
        },
    }
    photos = list(saved["photo_only"])
    tested = folds[with_photo]
    evaluated, steps, _ = evaluated_photos(run_, cases, folds, with_photo, photos, chains, GivenWords())
    words = {source: evaluated_words(run_, cases, folds, source, chains) for source in (SCIN, STORIES_SOURCE)}
    photographed = [cases[i] for i in at]
    figures = manifest["figures"] | summary_of_photos(evaluated, tested) | checks.of_answers(evaluated, steps)
    figures |= checks.of_groups(folders, photographed, evaluated)
    figures["no_harm"] = no_harm.measure(evaluated)
    figures["words"] = {source: summary_of_words(found) for source, found in words.items()}
    figures["left_out_writers"] = left_out
    figures["elimination"]["protocol"] += " Measured before the bag of words joined the language model."
    not_sure = reliability.not_sure(evaluated, tested, steps=steps)
    manifest |= {"figures": figures, "not_sure": not_sure, "least_probability": not_sure["least_probability"]}
    manifest["least_suspicion"] = LEAST_SUSPICION[label_set]
    manifest["language_model"]["settings"] = settings
    manifest["language_model"]["temperatures"] = bundle_temperatures(
        run_, cases, with_photo, evaluated, words, chains["chain"]
    )
    keys = saved["photos"].numpy()
    predictions = as_tensors(evaluated, words, keys, tested, saved["photo_logits"].numpy())
    save_file(predictions, folder / PREDICTIONS_FILE)
    write_manifest(folder, {k: v for k, v in manifest.items() if k not in ("format", "files")})
