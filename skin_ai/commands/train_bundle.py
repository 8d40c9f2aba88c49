"""From a folder of cases to a bundle: every step resumes from what its work folder holds."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from safetensors.torch import load_file

from skin_ai.evaluation import checks, elimination_checks, gate_fitting, reliability
from skin_ai.evaluation.figures import Evaluated, recall_samples
from skin_ai.evaluation.predictions import (
    as_tensors,
    bundle_temperatures,
    cross_fitted_temperatures,
    evaluated_photos,
    evaluated_words,
    fold_temperatures,
    prior_by_type,
    sources_without_photos,
)
from skin_ai.evaluation.summary import summary_of_photos, summary_of_words
from skin_ai.evaluation.temperatures import fit_temperature, softmax
from skin_ai.predict.bundle import GATE_FILE, PREDICTIONS_FILE, file_of, image_types_of, read_manifest
from skin_ai.predict.chain import LanguageModel, Option, Step, answer, over_label_set
from skin_ai.training.assembly import write_bundle
from skin_ai.training.datasets import NEVER_TRAINED, Case, digest, split_folds
from skin_ai.training.gguf_base import as_folder
from skin_ai.training.image import load_out_of_fold, read_squares, train_image_model, train_model
from skin_ai.training.language import predict_steps, train_chain
from skin_ai.training.reading import teach_reading
from skin_ai.training.run import ALONE, READING_FILE, Photos, Run, begin, what_is_read
from skin_ai.training.sources import PAD_UFES_20, evaluation_words, load_sources

log = logging.getLogger(__name__)


def train(
    run: Run, folders: Mapping[str, Path], work: Path, out: Path, *, require_photos: bool = False
) -> dict[str, Any]:
    """Trains both models on the data sets (name -> folder), fold by fold and whole; writes `out`."""
    cases = load_sources(folders, run.types, require_photos=require_photos)
    folds = split_folds(cases)
    begin(run, cases, folds, work)
    run = replace(run, language=replace(run.language, base=as_folder(run.language.base, work)))
    with_photo = np.flatnonzero([case.photo is not None for case in cases])
    log.info(
        "%d cases, %d with a photo, %d patients", len(cases), len(with_photo), len({c.patient for c in cases})
    )
    photos = _ask_image_model(run, cases, folds, with_photo, work)
    reading = work / READING_FILE
    reading_figures = teach_reading(run.language, *what_is_read(run), reading)
    log.info("reading: %s", reading_figures)
    seen = photos.over_label_set
    steps = {name: _language_folds(run, cases, folds, seen, work, name) for name in ("chain", "control")}
    all_cases = [i for i in range(len(cases)) if folds[i] != NEVER_TRAINED]
    final = train_chain(
        [cases[i] for i in all_cases],
        [seen[i] for i in all_cases],
        run.types,
        run.language,
        reading,
        work / "chain-final.safetensors",
    )
    log.info("photo weight %.3f", final.photo_weight.item())

    evaluated, chains = evaluated_photos(run, cases, folds, with_photo, photos, steps)
    told = {
        source: evaluated_words(run, cases, folds, source, steps) for source in sources_without_photos(cases)
    }
    result = summary_of_photos(evaluated, folds[with_photo]) | {"reading": reading_figures} | photos.figures
    photographed = [cases[i] for i in with_photo.tolist()]
    result |= checks.of_answers(evaluated, chains) | checks.of_groups(folders, photographed, evaluated)
    result |= _elimination_figures(
        run, cases, folds, with_photo, evaluated, seen, steps["chain"]["both"], work
    )
    if PAD_UFES_20 in folders and not run.start_from:
        folder, tested = folders[PAD_UFES_20], folds[with_photo]
        result |= checks.by_the_literature(folder, run.image, evaluated, tested, work)
    if told:
        result["words"] = {source: summary_of_words(words) for source, words in told.items()}
    not_sure = reliability.not_sure(evaluated, folds[with_photo], steps=chains)
    if PartialState().is_main_process:
        temperatures = bundle_temperatures(run, cases, with_photo, evaluated, told, steps["chain"])
        keys = np.array([digest(case.key) for case in photographed])
        predictions = as_tensors(evaluated, told, keys, folds[with_photo], photos.logits)
        priors = {source: prior_by_type(words) for source, words in {"": evaluated, **told}.items()}
        write_bundle(run, cases, photos, predictions, priors, temperatures, not_sure, result, work, out)
    return result


def _ask_image_model(
    run: Run, cases: list[Case], folds: np.ndarray, with_photo: np.ndarray, work: Path
) -> Photos:
    """The image model's predictions: trained here, or those of the bundle that the run starts from."""
    photographed, tested = [cases[i] for i in with_photo.tolist()], folds[with_photo]
    if run.start_from:
        folder = Path(run.start_from)
        types = image_types_of(read_manifest(folder))
        saved = load_file(file_of(folder, PREDICTIONS_FILE))
        row_of = {digest: row for row, digest in enumerate(saved["photos"].tolist())}
        rows = [row_of[digest(case.key)] for case in photographed]
        if not np.array_equal(saved["folds"].numpy()[rows], tested):
            raise ValueError(f"{folder} was trained with other folds; its predictions cannot be taken.")
        logits = saved["photo_logits"].numpy()[rows]
        squares = []
    else:
        there = {case.type for case in photographed}
        types = tuple(type_ for type_ in run.types if type_ in there)
        squares = read_squares([case.photo for case in photographed if case.photo is not None])
        image_labels = np.array([types.index(case.type) for case in photographed])
        logits = train_image_model(squares, image_labels, tested, len(types), run.image, work)
    labels = np.array([types.index(case.type) for case in photographed])
    prior = np.bincount(labels, minlength=len(types)) / len(labels)
    temperatures = cross_fitted_temperatures(logits, labels, tested, prior)
    if run.start_from:
        figures = checks.of_photos_as_in(Path(run.start_from))
    else:
        out_of_fold = load_out_of_fold(work, run.image, tested, temperatures, len(types))
        patients = np.array([digest(case.patient) for case in photographed])
        figures = checks.of_photos(squares, labels, types, out_of_fold, patients, work)
        final = train_model(squares, labels, len(types), run.image, work / "image-final.safetensors")
        gate_fitting.fit_gate(gate_fitting.features_of(final, run.image.preprocessing, squares)).save(
            work / GATE_FILE
        )
    probabilities = softmax(logits / temperatures[tested][:, None])
    over: list[torch.Tensor | None] = [None] * len(cases)
    for index, row in zip(with_photo, probabilities, strict=True):
        over[index] = over_label_set(torch.tensor(row, dtype=torch.float32), types, run.types)
    return Photos(types, logits, fit_temperature(logits, labels, prior), over, figures)


def _elimination_figures(
    run: Run,
    cases: Sequence[Case],
    folds: np.ndarray,
    with_photo: np.ndarray,
    evaluated: Evaluated,
    photos: Sequence[torch.Tensor | None],
    steps: Mapping[int, tuple[Step, ...]],
    work: Path,
) -> dict[str, Any]:
    """The checks of the chain's eliminations, each by the fold's model that never saw the patient."""
    places, tested = with_photo.tolist(), folds[with_photo]
    temperatures = fold_temperatures(
        [steps[i] for i in places], evaluated.truth, tested, evaluated.prior, run.types
    )

    def measure() -> dict[str, Any]:
        return elimination_checks.measure(
            lambda fold: _trained_in(run, cases, folds, photos, work, "chain", fold).float(),
            [cases[i] for i in places],
            tested,
            [photo for photo in photos if photo is not None],
            run.types,
            run.language.schedule,
            temperatures,
        )

    return {"elimination": checks.measured_once(work / "elimination.json", measure)}


def _language_folds(
    run: Run,
    cases: Sequence[Case],
    folds: np.ndarray,
    photos: Sequence[torch.Tensor | None],
    work: Path,
    name: str,
) -> dict[str, dict[int, tuple[Step, ...]]]:
    """Out-of-fold eliminations, mode -> place of the case -> steps.

    With photo and words ("both") and with words alone ("words"), each also in wordings that no model was
    trained on, to tell reading from memory; ALONE: the cases of sources without photos.
    """
    result: dict[str, dict[int, tuple[Step, ...]]] = {}
    for fold in range(int(folds.max()) + 1):
        seen, alone = tested_in(cases, folds, photos, fold)
        for mode, chains in language_fold(run, cases, folds, photos, work, name, fold).items():
            places = alone if mode == ALONE else seen
            result.setdefault(mode, {}).update(zip(places, chains, strict=True))
    return result


def tested_in(
    cases: Sequence[Case], folds: np.ndarray, photos: Sequence[torch.Tensor | None], fold: int
) -> tuple[list[int], list[int]]:
    """Places of the cases that a fold's model is tested on: those with a photo, and those of words alone.

    What is NEVER_TRAINED is tested by the first fold's model.
    """
    here = (folds == fold) | ((folds == NEVER_TRAINED) & (fold == 0))
    without = set(sources_without_photos(cases))
    places = np.flatnonzero(here).tolist()
    return (
        [i for i in places if photos[i] is not None],
        [i for i in places if cases[i].source in without],
    )


def language_fold(
    run: Run,
    cases: Sequence[Case],
    folds: np.ndarray,
    photos: Sequence[torch.Tensor | None],
    work: Path,
    name: str,
    fold: int,
) -> dict[str, list[tuple[Step, ...]]]:
    """Trains one fold of the chain or of its control, and eliminates for the patients it never saw."""
    saved = work / f"{name}-fold{fold}-steps.json"
    if saved.exists():
        return {
            mode: [
                tuple(Step(tuple(Option(**option) for option in step)) for step in chain) for chain in chains
            ]
            for mode, chains in json.loads(saved.read_text(encoding="utf-8")).items()
        }
    model = _trained_in(run, cases, folds, photos, work, name, fold)
    test, alone = tested_in(cases, folds, photos, fold)
    seen, unseen = [photos[i] for i in test], [None] * len(test)
    untempered = (1.0,) * (len(run.language.schedule) - 1)
    modes: list[tuple[str, list[int], Sequence[torch.Tensor | None], bool]]
    modes = [("both", test, seen, False), ("words", test, unseen, False)]
    if name == "chain":
        modes += [
            ("both_in_held_out_wordings", test, seen, True),
            ("words_in_held_out_wordings", test, unseen, True),
        ]
    if alone:
        modes.append((ALONE, alone, [None] * len(alone), False))
    result = {}
    for mode, places, shown, held_out in modes:
        words = [evaluation_words(cases[i], held_out=held_out) for i in places]
        result[mode] = predict_steps(model, words, shown, run.language.schedule, untempered)
        log.info(
            "%s fold %d, %s: %s", name, fold, mode, _told_short(run, [cases[i] for i in places], result[mode])
        )
    if PartialState().is_main_process:
        plain = {
            mode: [[[asdict(option) for option in step.options] for step in chain] for chain in chains]
            for mode, chains in result.items()
        }
        saved.write_text(json.dumps(plain), encoding="utf-8")
    return result


def _trained_in(
    run: Run,
    cases: Sequence[Case],
    folds: np.ndarray,
    photos: Sequence[torch.Tensor | None],
    work: Path,
    name: str,
    fold: int,
) -> LanguageModel:
    """The chain or its control, trained without the patients of a fold."""
    train_on = np.flatnonzero((folds != fold) & (folds != NEVER_TRAINED)).tolist()
    return train_chain(
        [cases[i] for i in train_on],
        [photos[i] for i in train_on],
        run.types,
        replace(run.language, seed=run.language.seed + fold),
        work / READING_FILE,
        work / f"{name}-fold{fold}.safetensors",
        all_options=name == "control",
    )


def _told_short(run: Run, cases: Sequence[Case], chains: Sequence[tuple[Step, ...]]) -> str:
    """Balanced accuracy of each source, for the log."""
    texts = []
    for source in dict.fromkeys(case.source for case in cases):
        pairs = [
            (c.type, answer(chain)[0].type)
            for c, chain in zip(cases, chains, strict=True)
            if c.source == source
        ]
        right, found = (np.array([run.types.index(pair[k]) for pair in pairs]) for k in (0, 1))
        recall = recall_samples(right, found, len(run.types), np.ones((1, len(pairs))))
        texts.append(f"{source} balanced accuracy {np.nanmean(recall):.3f} (n = {len(pairs)})")
    return ", ".join(texts)
