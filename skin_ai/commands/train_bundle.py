"""From a folder of cases to a bundle: every step resumes from what its work folder holds."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from safetensors.torch import load_file
from sklearn.metrics import recall_score

from skin_ai.evaluation import (
    asking,
    checks,
    elimination_checks,
    gate_fitting,
    literature,
    no_harm,
    reliability,
)
from skin_ai.evaluation.given_words import BOTH, WORDS, GivenWords, given_words
from skin_ai.evaluation.predictions import (
    Chains,
    as_tensors,
    bundle_temperatures,
    evaluated_photos,
    evaluated_words,
    prior_by_type,
    sources_without_photos,
)
from skin_ai.evaluation.summary import summary_of_photos, summary_of_words
from skin_ai.evaluation.temperatures import (
    cross_fitted_temperatures,
    fit_prior_weights,
    fit_temperature,
    softmax,
    step_logits,
)
from skin_ai.predict.bundle import (
    GATE_FILE,
    PREDICTIONS_FILE,
    READS_FACTS,
    WORD_PRIOR_FILE,
    file_of,
    image_types_of,
    read_manifest,
)
from skin_ai.predict.chain import LEAST_PHOTO, LanguageModel, Option, Step, answer, over_label_set
from skin_ai.predict.word_prior import WordPrior, load_word_prior, save_word_prior
from skin_ai.training.assembly import write_bundle
from skin_ai.training.datasets import NEVER_TRAINED, Case, digest, split_folds
from skin_ai.training.gguf_base import as_folder
from skin_ai.training.image import load_out_of_fold, out_of_fold_logits, read_squares, train_model
from skin_ai.training.language import mixed_prior, predict_steps, train_chain
from skin_ai.training.loop import save_once
from skin_ai.training.reading import teach_reading
from skin_ai.training.run import ALONE, READING_FILE, Photos, Run, begin, reading_stage
from skin_ai.training.sources import PAD_UFES_20, load_sources
from skin_ai.training.stories import training_stories
from skin_ai.training.word_prior import fact_prior_of, word_prior_of

log = logging.getLogger(__name__)


def train(
    run: Run,
    folders: Mapping[str, Path],
    work: Path,
    out: Path | None,
    *,
    require_photos: bool = False,
    tried: Sequence[int] = (),
) -> dict[str, Any]:
    """Trains both models on the data sets (name -> folder), fold by fold and whole; writes `out`.

    tried: only chain and control of these folds, for their figures; no bundle is then written.
    """
    cases = load_sources(folders, run.types, require_photos=require_photos)
    folds = split_folds(cases)
    begin(run, cases, folds, work)
    run = replace(run, language=replace(run.language, base=as_folder(run.language.base, work)))
    with_photo = np.flatnonzero([case.photo is not None for case in cases])
    patients = len({case.patient for case in cases})
    log.info("%d cases, %d with a photo, %d patients", len(cases), len(with_photo), patients)
    photographed, tested = [cases[i] for i in with_photo.tolist()], folds[with_photo]
    photos, over = image_part(run, photographed, tested, work)
    seen: list[torch.Tensor | None] = [None] * len(cases)
    for place, probabilities in zip(with_photo.tolist(), over, strict=True):
        seen[place] = probabilities
    reading_figures = teach_reading(run.language, *reading_stage(run), work / READING_FILE)
    log.info("reading: %s", reading_figures)
    given = given_words(run.language.reads)
    bag_of_words = _bag_of_words(run, work / WORD_PRIOR_FILE)
    language = _LanguageFolds(run, cases, folds, seen, work, given, bag_of_words)
    if out is None:
        return {"reading": reading_figures, "balanced_accuracy": language.tried(tried)}
    chains = {name: language.eliminations(name) for name in ("chain", "control")}
    final = language.trained("chain", None)
    log.info("photo weight %.3f", final.photo_weight.item())

    evaluated, steps, temperatures = evaluated_photos(run, cases, folds, with_photo, over, chains, given)
    words = {
        source: evaluated_words(run, cases, folds, source, chains) for source in sources_without_photos(cases)
    }
    result = summary_of_photos(evaluated, tested) | {"reading": reading_figures} | photos.figures
    result |= checks.of_answers(evaluated, steps) | checks.of_groups(folders, photographed, evaluated)
    result["no_harm"] = no_harm.measure(evaluated)
    out_of_fold = (
        lambda fold: language.trained("chain", fold).float(),
        photographed,
        tested,
        over,
        run.types,
        run.language.schedule,
        temperatures,
    )
    result["elimination"] = checks.measured_once(
        work / "elimination.json", lambda: elimination_checks.measure(*out_of_fold, given)
    )
    if given.extractor is not None:
        result["asking"] = checks.measured_once(work / "asking.json", lambda: asking.measure(*out_of_fold))
    if (found := _by_the_literature(run, folders, work)) is not None:
        result["literature"] = found | {"ours": literature.ours(evaluated, tested)}
    if words:
        result["words"] = {source: summary_of_words(found) for source, found in words.items()}
    not_sure = reliability.not_sure(evaluated, tested, steps=steps)
    if PartialState().is_main_process:
        keys = np.array([digest(case.key) for case in photographed])
        write_bundle(
            run,
            cases,
            photos,
            as_tensors(evaluated, words, keys, tested, photos.logits),
            {source: prior_by_type(found) for source, found in {"": evaluated, **words}.items()},
            bundle_temperatures(run, cases, with_photo, evaluated, words, chains["chain"]),
            not_sure,
            result,
            final,
            work,
            out,
        )
    return result


def _bag_of_words(run: Run, saved: Path) -> WordPrior | None:
    """The bag of words of a run, None without; fitted where `saved` does not hold it."""
    if not run.language.word_prior:
        return None
    if not saved.exists():
        prior = word_prior_of(training_stories(), run.types, run.language.word_prior)
        save_once(partial(save_word_prior, prior, saved))
    return load_word_prior(saved, len(run.types))


def image_part(
    run: Run, cases: Sequence[Case], folds: np.ndarray, work: Path
) -> tuple[Photos, list[torch.Tensor]]:
    """The image model, trained here or taken from the bundle that the run starts from.

    Returns also (K,) calibrated probabilities over the label set of each case with a photo, out of fold.
    """
    if run.start_from:
        folder = Path(run.start_from)
        manifest = read_manifest(folder)
        types = image_types_of(manifest)
        saved = load_file(file_of(folder, PREDICTIONS_FILE))
        row_of = {photo: row for row, photo in enumerate(saved["photos"].tolist())}
        rows = [row_of[digest(case.key)] for case in cases]
        if not np.array_equal(saved["folds"].numpy()[rows], folds):
            raise ValueError(f"{folder} was trained with other folds; its predictions cannot be used.")
        logits = saved["photo_logits"].numpy()[rows]
        figures = {name: figure for name, figure in manifest["figures"].items() if name in checks.OF_PHOTOS}
    else:
        present = {case.type for case in cases}
        types = tuple(type_ for type_ in run.types if type_ in present)
    labels = np.array([types.index(case.type) for case in cases])
    prior = np.bincount(labels, minlength=len(types)) / len(labels)
    if not run.start_from:
        squares = read_squares([case.photo for case in cases if case.photo is not None])
        logits = out_of_fold_logits(lambda: squares, labels, folds, len(types), run.image, work)
    temperatures = cross_fitted_temperatures(logits, labels, folds, prior)
    if not run.start_from:
        out_of_fold = load_out_of_fold(work, run.image, folds, temperatures, len(types))
        patients = np.array([digest(case.patient) for case in cases])
        figures = checks.of_photos(squares, labels, types, out_of_fold, patients, work)
        final = train_model(squares, labels, len(types), run.image, work / "image-final.safetensors")
        features = gate_fitting.features_of(final, run.image.preprocessing, squares)
        gate_fitting.fit_gate(features).save(work / GATE_FILE)
    probabilities = torch.from_numpy(softmax(logits / temperatures[folds][:, None])).float()
    photos = Photos(types, logits, fit_temperature(logits, labels, prior), figures)
    return photos, [over_label_set(row, types, run.types) for row in probabilities]


def _by_the_literature(run: Run, folders: Mapping[str, Path], work: Path) -> dict[str, Any] | None:
    """The literature's protocol, measured here or for the bundle whose image model is used."""
    if not run.start_from:
        return (
            checks.by_the_literature(folders[PAD_UFES_20], run.image, work)
            if PAD_UFES_20 in folders
            else None
        )
    manifest = read_manifest(Path(run.start_from))
    return manifest["figures"].get("literature") if manifest["types"] == list(run.types) else None


@dataclass(frozen=True)
class _LanguageFolds:
    """The language models of a run.

    folds: (n,) of `split_folds`; photos: (K,) out-of-fold probabilities a case, None without a photo;
    given: how the model is given words; bag_of_words: what stands beside the models, None without.
    """

    run: Run
    cases: Sequence[Case]
    folds: np.ndarray
    photos: Sequence[torch.Tensor | None]
    work: Path
    given: GivenWords
    bag_of_words: WordPrior | None

    def trained(self, name: str, fold: int | None) -> LanguageModel:
        """The "chain" or its "control", trained without the patients of a fold, or on all with None.

        The priors' weights are fitted to the other folds' patients, or to all, by models that never saw them.
        """
        model = self._as_learned(name, fold)
        photo, *facts = self._prior_weights(name)[-1 if fold is None else fold]
        model.photo_weight.data += photo
        prior = model.word_prior
        model.word_prior = replace(prior, weight=prior.weight + facts[0]) if prior else self.bag_of_words
        return model

    def _fact_prior(self, fold: int | None) -> WordPrior | None:
        """Where facts are read, the regression on those of what the fold's model is trained on."""
        if self.run.language.reads != READS_FACTS:
            return None
        return fact_prior_of([self.cases[i] for i in self._trained_on(fold)], self.run.types)

    def _prior_weights(self, name: str) -> list[list[float]]:
        """What is added to the photo's learnt weight, and to the regression's where facts are read.

        One row for each fold, fitted on the others, and one fitted on all.
        """
        saved = self.work / f"{name}-prior-weights.json"
        if saved.exists():
            return [[float(weight) for weight in row] for row in json.loads(saved.read_text("utf-8"))]
        types = self.run.types
        logits, photos, facts, truth, tested = [], [], [], [], []
        for fold in range(int(self.folds.max()) + 1):
            places, _ = self._tested_in(fold)
            words = [self.given.of_case(self.cases[i]) for i in places]
            seen = [self.photos[i] for i in places]
            model = self._as_learned(name, fold)
            steps = predict_steps(model, words, seen, (len(types), 1), (1.0,))
            logits.append(step_logits(steps, 0, types))
            photos += [photo.numpy() for photo in seen if photo is not None]
            if model.word_prior is not None:
                facts.append(model.word_prior.logits(words).numpy())
            truth += [types.index(self.cases[i].type) for i in places]
            tested += [fold] * len(places)
        with_photo = [case for case, photo in zip(self.cases, self.photos, strict=True) if photo is not None]
        frequency = mixed_prior(with_photo, types, self.run.language.uniform_prior)
        log_photos = np.log(np.maximum(np.array(photos), LEAST_PHOTO))
        priors = np.array([log_photos, np.concatenate(facts)] if facts else [log_photos])
        asked, labels, folds = np.concatenate(logits), np.array(truth), np.array(tested)
        parts = [folds != fold for fold in range(int(folds.max()) + 1)] + [folds >= 0]
        weights = [fit_prior_weights(asked[part], priors[:, part], labels[part], frequency) for part in parts]
        log.info("%s: weights of the priors, the photo's added: %s", name, np.round(weights, 3).tolist())
        save_once(lambda: saved.write_text(json.dumps(weights), encoding="utf-8"))
        return [list(row) for row in weights]

    def _trained_on(self, fold: int | None) -> list[int]:
        """Places of the cases that a fold's model is trained on, or the final one with None."""
        is_trained = self.folds != NEVER_TRAINED
        if fold is not None:
            is_trained &= self.folds != fold
        return list(np.flatnonzero(is_trained).tolist())

    def _as_learned(self, name: str, fold: int | None) -> LanguageModel:
        run, train_on = self.run, self._trained_on(fold)
        if fold is not None:
            run = replace(run, language=replace(run.language, seed=run.language.seed + fold))
        return train_chain(
            [self.cases[i] for i in train_on],
            [self.photos[i] for i in train_on],
            run.types,
            run.language,
            self.work / READING_FILE,
            self.work / f"{name}-{'final' if fold is None else f'fold{fold}'}.safetensors",
            word_prior=self._fact_prior(fold),
            all_options=name == "control",
        )

    def eliminations(self, name: str) -> Chains:
        """Out-of-fold eliminations, mode -> place of the case -> steps.

        With photo and words ("both"), with words alone ("words"), and the further ones of `GivenWords.modes`;
        ALONE: the cases of sources without photos.
        """
        result: dict[str, dict[int, tuple[Step, ...]]] = {}
        for fold in range(int(self.folds.max()) + 1):
            for mode, chains in self._of_fold(name, fold).items():
                result.setdefault(mode, {}).update(chains)
        return {mode: chains for mode, chains in result.items() if chains}

    def tried(self, folds: Sequence[int]) -> dict[str, dict[str, float]]:
        """Balanced accuracy of chain and control of single folds, as learnt, with the photo and without.

        The weights of the priors are not fitted: this takes the models of all folds.
        """
        result = {}
        for fold in folds:
            places, _ = self._tested_in(fold)
            truth = [self.cases[i].type for i in places]
            words = [self.given.of_case(self.cases[i]) for i in places]
            for name in ("chain", "control"):
                model = self._as_learned(name, fold)
                figures = {}
                for mode in (BOTH, WORDS):
                    photos = [self.photos[i] if mode == BOTH else None for i in places]
                    schedule = self.run.language.schedule
                    steps = predict_steps(model, words, photos, schedule, (1.0,) * (len(schedule) - 1))
                    first = [answer(chain)[0].type for chain in steps]
                    figures[mode] = float(
                        recall_score(truth, first, labels=sorted(set(truth)), average="macro")
                    )
                log.info("%s fold %d as learnt: %s", name, fold, figures)
                result[f"{name} fold {fold}"] = figures
        return result

    def _tested_in(self, fold: int) -> tuple[list[int], list[int]]:
        """Places of the cases that a fold's model is tested on: with a photo, and of sources without photos.

        What is NEVER_TRAINED is tested by the first fold's model.
        """
        here = (self.folds == fold) | ((self.folds == NEVER_TRAINED) & (fold == 0))
        places, without = np.flatnonzero(here).tolist(), sources_without_photos(self.cases)
        with_photo = [i for i in places if self.photos[i] is not None]
        return with_photo, [i for i in places if self.cases[i].source in without]

    def _of_fold(self, name: str, fold: int) -> dict[str, dict[int, tuple[Step, ...]]]:
        """Trains one fold's model, and eliminates for the patients that it was not trained on.

        Mode -> place of the case -> steps.
        """
        saved = self.work / f"{name}-fold{fold}-steps.json"
        if saved.exists():
            return {
                mode: {
                    int(place): tuple(Step(tuple(Option(**row) for row in step)) for step in chain)
                    for place, chain in chains.items()
                }
                for mode, chains in json.loads(saved.read_text(encoding="utf-8")).items()
            }
        model, schedule = self.trained(name, fold), self.run.language.schedule
        test, alone = self._tested_in(fold)
        modes = {mode: (test, words) for mode, words in self.given.modes(name).items()}
        if alone:
            modes[ALONE] = (alone, self.given.of_case)
        result = {}
        for mode, (places, words_of) in modes.items():
            words = {i: said for i in places if (said := words_of(self.cases[i])) is not None}
            shown = [self.photos[i] if mode.startswith(BOTH) else None for i in words]
            temperatures = (1.0,) * (len(schedule) - 1)
            chains = predict_steps(model, list(words.values()), shown, schedule, temperatures)
            result[mode] = dict(zip(words, chains, strict=True))
            self._log(f"{name} fold {fold}, {mode}", result[mode])
        plain = {
            mode: {
                i: [[asdict(option) for option in step.options] for step in chain] for i, chain in of.items()
            }
            for mode, of in result.items()
        }
        save_once(lambda: saved.write_text(json.dumps(plain), encoding="utf-8"))
        return result

    def _log(self, title: str, chains: Mapping[int, tuple[Step, ...]]) -> None:
        """Balanced accuracy of each source."""
        pairs: dict[str, list[tuple[str, str]]] = {}
        for place, chain in chains.items():
            case = self.cases[place]
            pairs.setdefault(case.source, []).append((case.type, answer(chain)[0].type))
        for source, found in pairs.items():
            truth, first = zip(*found, strict=True)
            value = recall_score(truth, first, labels=sorted(set(truth)), average="macro")
            log.info("%s: %s balanced accuracy %.3f (n = %d)", title, source, value, len(truth))
