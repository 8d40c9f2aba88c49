"""From a folder of cases to a bundle: every step resumes from what its work folder holds."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from safetensors.torch import load_file, save_file

import skin_ai
from skin_ai.bundle import (
    GATE_FILE,
    IMAGE_FILE,
    LANGUAGE_BASE_FILE,
    LANGUAGE_FILE,
    PREDICTIONS_FILE,
    TOKENIZER_FILES,
    file_of,
    image_types_of,
    read_manifest,
    write_manifest,
)
from skin_ai.chain import (
    PROMPTS,
    WORDS_POOLING,
    LanguageModel,
    Option,
    Step,
    answer,
    load_language_weights,
    over_label_set,
    save_in_parts,
    single_pass,
)
from skin_ai.diseases import LABEL_SETS
from skin_ai.training import elimination_checks, evaluation, gate, reliability, trust
from skin_ai.training.datasets import ALWAYS_TRAINED, NEVER_TRAINED, Case, split_folds
from skin_ai.training.evaluation import Evaluated
from skin_ai.training.gguf_base import as_folder
from skin_ai.training.image import (
    ImageSettings,
    load_out_of_fold,
    read_squares,
    train_image_model,
    train_model,
)
from skin_ai.training.language import (
    LanguageSettings,
    mixed_prior,
    predict_steps,
    pretrained,
    teach_reading,
    train_chain,
)
from skin_ai.training.sources import PAD_UFES_20, evaluation_words, load_sources, story_cases
from skin_ai.training.stories import HELD_OUT_VOICES, STORIES_SOURCE

log = logging.getLogger(__name__)

PROTOCOL = (
    "Out of fold: five folds grouped by patient and stratified by type (StratifiedGroupKFold, seed 42). "
    "Models, temperatures and recommendations are fitted without the patient who is predicted. "
    f"{evaluation.PROTOCOL}"
)
WORDS_PROTOCOL = (
    "Words alone. Out of fold: five folds by case, stratified by type; made-up stories: the voices that no "
    "model was trained on, asked of the first fold's model. Where a label is weighted, the type is the one "
    "with most weight. Balanced accuracy: probabilities for equally frequent types; accuracy and top 3: with "
    "the frequency of the types multiplied in, as the training mixed it. Intervals: 95%, bootstrap over "
    "cases."
)
ALONE = "alone"
READING_FILE = "reading.safetensors"  # in the work folder
CITATIONS = {
    "pad-ufes-20": {
        "name": "PAD-UFES-20",
        "licence": "CC BY 4.0",
        "citation": "Pacheco et al. 2020, PAD-UFES-20: a skin lesion dataset composed of patient data and "
        "clinical images collected from smartphones, Mendeley Data zr7vgbcyr2 v1",
    },
    "scin": {
        "name": "SCIN",
        "licence": "SCIN Data Use License",
        "citation": "Ward et al. 2024, Creating an Empirical Dermatology Dataset Through Crowdsourcing With "
        "Web Search Advertisements, JAMA Network Open 7(11):e2446615; the words of its volunteers, no photos",
    },
    STORIES_SOURCE: {
        "name": "Stories",
        "licence": "that of this repository",
        "citation": "Made up for this project, by no patient: skin_ai/training/stories_26.md",
    },
}


LICENCES = {
    "tf_efficientnet_lite0": "Apache-2.0",
    "tf_efficientnet_lite2": "Apache-2.0",
    "all-MiniLM-L6-v2": "Apache-2.0",
    "gemma-3-270m-q4_k_m": "Gemma Terms of Use",
}

# What differs between label sets, chosen by measurement; any of it can be set on the command line.
READING: Mapping[str, Any] = {"pooling": WORDS_POOLING, "reads_more": True, "reading_updates": 2000}
LANGUAGE_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "pad-ufes-20": {**READING, "epochs": 2, "learning_rate": 2e-4, "probe_share": 1.0},
    "skin-26": {
        **READING,
        "schedule": (26, 13, 6, 3, 1),
        "examples_a_case": 2,
        "epochs": 2,
        "learning_rate": 2e-4,
        "probe_share": 1.0,
        "stray_photos": 0.1,
        "uniform_prior": 0.5,
        "missing_photo": 0.1,
    },
}


@dataclass(frozen=True)
class Run:
    """What one training is made of; saved in the work folder and in the manifest.

    start_from: folder of a bundle whose image model, with its out-of-fold predictions, is taken as it is.
    """

    label_set: str
    image: ImageSettings
    language: LanguageSettings
    start_from: str = ""

    @property
    def types(self) -> tuple[str, ...]:
        return LABEL_SETS[self.label_set]


@dataclass(frozen=True)
class Photos:
    """What the image model says of every case with a photo, never having seen its patient.

    types: those that it knows; logits: (photos, image types) out of fold; temperature: of the final
    model; over_label_set: (K,) calibrated probabilities a case, None without a photo; figures: those
    `trust.OF_PHOTOS`.
    """

    types: tuple[str, ...]
    logits: np.ndarray
    temperature: float
    over_label_set: list[torch.Tensor | None]
    figures: dict[str, Any]


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

    evaluated, chains = _evaluated_photos(run, cases, folds, with_photo, photos, steps)
    told = {
        source: _evaluated_words(run, cases, folds, source, steps) for source in sources_without_photos(cases)
    }
    result = summary(evaluated, folds[with_photo]) | {"reading": reading_figures} | photos.figures
    photographed = [cases[i] for i in with_photo.tolist()]
    result |= trust.of_answers(evaluated, chains) | trust.of_groups(folders, photographed, evaluated)
    result |= _elimination_figures(
        run, cases, folds, with_photo, evaluated, seen, steps["chain"]["both"], work
    )
    if PAD_UFES_20 in folders and not run.start_from:
        folder, tested = folders[PAD_UFES_20], folds[with_photo]
        result |= trust.by_the_literature(folder, run.image, evaluated, tested, work)
    if told:
        result["words"] = {source: words_summary(words) for source, words in told.items()}
    not_sure = reliability.not_sure(evaluated, folds[with_photo], steps=chains)
    if PartialState().is_main_process:
        temperatures = _bundle_temperatures(run, cases, with_photo, evaluated, told, steps["chain"])
        _write_bundle(run, cases, folds, evaluated, told, photos, temperatures, not_sure, result, work, out)
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
        rows = [row_of[evaluation.digest(case.key)] for case in photographed]
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
        figures = trust.of_photos_as_in(Path(run.start_from))
    else:
        out_of_fold = load_out_of_fold(work, run.image, tested, temperatures, len(types))
        patients = np.array([evaluation.digest(case.patient) for case in photographed])
        figures = trust.of_photos(squares, labels, types, out_of_fold, patients, work)
        final = train_model(squares, labels, len(types), run.image, work / "image-final.safetensors")
        gate.fit_gate(gate.features_of(final, run.image.preprocessing, squares)).save(work / GATE_FILE)
    probabilities = evaluation.softmax(logits / temperatures[tested][:, None])
    over: list[torch.Tensor | None] = [None] * len(cases)
    for index, row in zip(with_photo, probabilities, strict=True):
        over[index] = over_label_set(torch.tensor(row, dtype=torch.float32), types, run.types)
    return Photos(types, logits, evaluation.fit_temperature(logits, labels, prior), over, figures)


def _evaluated_photos(
    run: Run,
    cases: Sequence[Case],
    folds: np.ndarray,
    with_photo: np.ndarray,
    photos: Photos,
    steps: Mapping[str, Mapping[str, Mapping[int, tuple[Step, ...]]]],
) -> tuple[Evaluated, list[tuple[Step, ...]]]:
    """Every case with a photo, in all modes; and the chain's eliminations with other folds' temperatures."""
    labels = np.array([run.types.index(case.type) for case in cases])
    truth, tested = labels[with_photo], folds[with_photo]
    mix = mixed_prior([cases[i] for i in with_photo.tolist()], run.types, run.language.uniform_prior)
    asked = {
        (name, mode): np.flatnonzero([i in chains for i in with_photo.tolist()])
        for name, modes in steps.items()
        for mode, chains in modes.items()
        if mode != ALONE
    }
    tempered = {
        (name, mode): _tempered(
            [steps[name][mode][with_photo[row]] for row in rows.tolist()],
            truth[rows],
            tested[rows],
            mix,
            run.types,
        )
        for (name, mode), rows in asked.items()
    }

    def scores(kind: Callable[..., np.ndarray], name: str, mode: str) -> np.ndarray:
        return _in_rows(kind(tempered[name, mode], run.types), asked[name, mode], len(truth))

    seen = [probabilities for probabilities in photos.over_label_set if probabilities is not None]
    modes = {
        "photo_only": torch.stack(seen).numpy(),
        "words_only": scores(_answers, "chain", "words"),
        "single_pass": scores(_single, "chain", "both"),
        "chain": scores(_answers, "chain", "both"),
        "words_only_single_pass": scores(_single, "chain", "words"),
        "chain_in_held_out_wordings": scores(_answers, "chain", "both_in_held_out_wordings"),
        "words_only_in_held_out_wordings": scores(_answers, "chain", "words_in_held_out_wordings"),
        "control_single_pass": scores(_single, "control", "both"),
        "control_chain": scores(_answers, "control", "both"),
        "control_words_only": scores(_answers, "control", "words"),
        "regression_on_fields": _regression(cases, labels, folds, with_photo, len(run.types)),
    }
    product = modes["photo_only"] * modes["regression_on_fields"]
    modes["product"] = product / product.sum(1, keepdims=True)
    patients = np.array([evaluation.digest(cases[i].patient) for i in with_photo.tolist()])
    return Evaluated(run.types, truth, patients, mix, modes), tempered["chain", "both"]


def _in_rows(scores: np.ndarray, rows: np.ndarray, n: int) -> np.ndarray:
    """(n, K) with the scores in their rows, NaN in those that were not asked."""
    if len(rows) == n:
        return scores
    spread = np.full((n, scores.shape[1]), np.nan)
    spread[rows] = scores
    return spread


def _evaluated_words(
    run: Run,
    cases: Sequence[Case],
    folds: np.ndarray,
    source: str,
    steps: Mapping[str, Mapping[str, Mapping[int, tuple[Step, ...]]]],
) -> Evaluated:
    """Every tested case of a source without photos, from its words, beside two simple models."""
    places = [i for i, case in enumerate(cases) if case.source == source and folds[i] != ALWAYS_TRAINED]
    truth = np.array([run.types.index(cases[i].type) for i in places])
    tested = np.maximum(folds[places], 0)
    mix = mixed_prior([cases[i] for i in places], run.types, run.language.uniform_prior)
    modes = {}
    for name, found in steps.items():
        rows = np.flatnonzero([i in found[ALONE] for i in places])
        chains: Sequence[tuple[Step, ...]] = [found[ALONE][places[row]] for row in rows.tolist()]
        if tested[rows].any():  # else all were asked of one model, and there is no other fold to fit on
            chains = _tempered(chains, truth[rows], tested[rows], mix, run.types)
        prefix = "" if name == "chain" else f"{name}_"
        modes[f"{prefix}single_pass"] = _in_rows(_single(chains, run.types), rows, len(truth))
        modes[f"{prefix}chain"] = _in_rows(_answers(chains, run.types), rows, len(truth))
    of_source = [i for i, case in enumerate(cases) if case.source == source]
    facts, words = [cases[i].facts for i in of_source], [evaluation_words(cases[i]) for i in of_source]
    labels = np.array([run.types.index(cases[i].type) for i in of_source])
    modes |= evaluation.simple_models(facts, words, labels, folds[of_source], mix)
    groups = np.array([evaluation.digest(cases[i].key) for i in places])
    return Evaluated(run.types, truth, groups, mix, modes)


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
    temperatures = _fold_temperatures(
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

    return {"elimination": trust.measured_once(work / "elimination.json", measure)}


def words_summary(evaluated: Evaluated) -> dict[str, Any]:
    """The manifest's figures of a source without photos."""
    texts = {
        ("chain", "control_single_pass"): "Chain of Options less plain fine-tuning, each in its own way",
        ("single_pass", "control_single_pass"): "Chain of Options less plain fine-tuning, both asked once",
        ("chain", "single_pass"): "Eliminating less asking once, same model",
        **{
            ("chain", simple): f"Chain of Options less {name}"
            for simple, name in evaluation.SIMPLE_MODELS.items()
            if simple in evaluated.modes
        },
    }
    return {
        "protocol": WORDS_PROTOCOL,
        "modes": evaluation.figures(evaluated),
        "comparison": {
            f"{mode}_less_{over}": {"text": text, **evaluation.gains(evaluated, mode, over)}
            for (mode, over), text in texts.items()
        },
    }


def _bundle_temperatures(
    run: Run,
    cases: Sequence[Case],
    with_photo: np.ndarray,
    evaluated: Evaluated,
    told: Mapping[str, Evaluated],
    chains: Mapping[str, Mapping[int, tuple[Step, ...]]],
) -> list[float]:
    """One a step, fitted on all tested cases together, each with the prior of its mix."""
    steps = [chains["both"][i] for i in with_photo.tolist()]
    truth, priors = [evaluated.truth], [np.tile(evaluated.prior, (len(steps), 1))]
    for source, words in told.items():
        of_source = [chains[ALONE][i] for i in sorted(chains[ALONE]) if cases[i].source == source]
        steps += of_source
        truth.append(words.truth)
        priors.append(np.tile(words.prior, (len(of_source), 1)))
    return [
        _fit_step_temperature(steps, place, np.concatenate(truth), np.concatenate(priors), run.types)
        for place in range(len(run.language.schedule) - 1)
    ]


def _write_bundle(
    run: Run,
    cases: Sequence[Case],
    folds: np.ndarray,
    evaluated: Evaluated,
    told: Mapping[str, Evaluated],
    photos: Photos,
    chain_temperatures: list[float],
    not_sure: dict[str, Any],
    result: dict[str, Any],
    work: Path,
    out: Path,
) -> None:
    """Predictions, weights, tokenizer and the manifest that vouches for them."""
    with_photo = np.flatnonzero([case.photo is not None for case in cases])
    out.mkdir(parents=True, exist_ok=True)
    keys = np.array([evaluation.digest(cases[i].key) for i in with_photo.tolist()])
    _save_predictions(out / PREDICTIONS_FILE, evaluated, told, keys, folds[with_photo], photos.logits)
    _save_weights(run, work, out)
    image = _image_manifest(run, photos)
    manifest = {
        "name": out.name,
        "code_version": skin_ai.__version__,
        "types": run.types,
        "probabilities": "balanced",
        "prior": _by_type(evaluated),
        "least_probability": not_sure["least_probability"],
        "not_sure": not_sure,
        "quality_limits": photos.figures["quality"]["limits"],
        "image_model": image,
        "language_model": {
            "base": Path(run.language.base).name,
            "prompts": PROMPTS,
            "pooling": run.language.pooling,
            "schedule": run.language.schedule,
            "temperatures": chain_temperatures,
            "settings": _portable(asdict(run.language)),
        },
        "figures": result,
        "data": [_data_set(source, cases) for source in dict.fromkeys(case.source for case in cases)],
        "starting_weights": [
            {"name": name, "licence": LICENCES.get(name, "not stated")}
            for name in (image["backbone"], Path(run.language.base).name)
        ],
    }
    if told:
        manifest["priors"] = {source: _by_type(words) for source, words in told.items()}
    write_manifest(out, manifest)


def what_is_read(run: Run) -> tuple[tuple[str, ...], list[Case]]:
    """Types and stories of the reading stage, which is the same for all bundles where it reads more."""
    if not run.language.reads_more:
        return run.types, []
    return LABEL_SETS["skin-26"], [case for case in story_cases() if case.patient not in HELD_OUT_VOICES]


def _image_manifest(run: Run, photos: Photos) -> dict[str, Any]:
    """How to ask the image model, and about which photos."""
    if run.start_from:
        image = dict(read_manifest(Path(run.start_from))["image_model"])
    else:
        image = {
            "backbone": run.image.backbone,
            "preprocessing": asdict(run.image.preprocessing),
            "views": run.image.views,
            "temperature": photos.temperature,
            "gate_threshold": photos.figures["gate"]["threshold"],
            "settings": _portable(asdict(run.image)),
        }
    return image if photos.types == run.types else image | {"types": photos.types}


def _by_type(evaluated: Evaluated) -> dict[str, float]:
    return dict(zip(evaluated.types, evaluated.prior.round(4).tolist(), strict=True))


def _data_set(source: str, cases: Sequence[Case]) -> dict[str, Any]:
    """Licence, citation and size of one of the data sets."""
    of_source = [case for case in cases if case.source == source]
    return CITATIONS.get(source, {"name": source, "licence": "not stated", "citation": ""}) | {
        "photos": sum(case.photo is not None for case in of_source),
        "rows": len(of_source),
        "patients": len({case.patient for case in of_source}),
    }


def begin(run: Run, cases: Sequence[Case], folds: np.ndarray, work: Path) -> None:
    """Writes settings and folds; refuses a work folder that was begun with others."""
    work.mkdir(parents=True, exist_ok=True)
    split = [[case.key, case.patient, int(fold)] for case, fold in zip(cases, folds, strict=True)]
    for name, content in (("settings.json", asdict(run)), ("folds.json", split)):
        path, text = work / name, json.dumps(content, indent=1)
        if path.exists() and path.read_text(encoding="utf-8") != text:
            raise ValueError(
                f"{work} was begun with another {name}; choose another work folder for this run."
            )
        path.write_text(text, encoding="utf-8")


def summary(evaluated: Evaluated, folds: np.ndarray) -> dict[str, Any]:
    """The manifest's figures: all modes, their spread over folds, and the comparisons that matter."""
    modes = evaluation.figures(evaluated)
    for name, scores in evaluated.modes.items():
        by_fold = []
        asked = evaluation.is_asked(scores)
        for fold in np.unique(folds[asked]).tolist():
            tested = asked & (folds == fold)
            weights = np.ones((1, tested.sum()))
            found = scores[tested].argmax(1)
            recall = evaluation.recall_samples(evaluated.truth[tested], found, len(evaluated.types), weights)
            by_fold.append(np.nanmean(recall))
        modes[name]["balanced_accuracy_folds"] = {
            "mean": round(float(np.mean(by_fold)), 4),
            "sd": round(float(np.std(by_fold, ddof=1)), 4),
        }
    texts = {
        (
            "chain",
            "control_single_pass",
        ): "Chain of Options less plain fine-tuning, each asked in its own way",
        ("single_pass", "control_single_pass"): "Chain of Options less plain fine-tuning, both asked once",
        ("chain", "control_chain"): "Chain of Options less plain fine-tuning, both eliminating",
        ("chain", "single_pass"): "Eliminating less asking once, same model",
        ("chain", "product"): "Chain of Options less the product of photo and regression on fields",
        ("words_only", "regression_on_fields"): "Words alone less the regression on the same fields",
    }
    comparison = {
        f"{mode}_less_{over}": evaluation.balanced_accuracy_gain(evaluated, mode, over) | {"text": text}
        for (mode, over), text in texts.items()
    }
    return {
        "protocol": PROTOCOL,
        "modes": {name: modes[name] for name in evaluation.MODES},
        "others": {name: value for name, value in modes.items() if name not in evaluation.MODES},
        "comparison": comparison,
    }


def cross_fitted_temperatures(
    logits: np.ndarray, truth: np.ndarray, folds: np.ndarray, prior: np.ndarray
) -> np.ndarray:
    """(folds,) the temperature for each fold, fitted on the others."""
    return np.array(
        [
            evaluation.fit_temperature(logits[folds != fold], truth[folds != fold], prior)
            for fold in range(int(folds.max()) + 1)
        ]
    )


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


def sources_without_photos(cases: Sequence[Case]) -> list[str]:
    """In the order of the data; their cases are tested by their words alone."""
    with_photos = {case.source for case in cases if case.photo is not None}
    return [source for source in dict.fromkeys(case.source for case in cases) if source not in with_photos]


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
        recall = evaluation.recall_samples(right, found, len(run.types), np.ones((1, len(pairs))))
        texts.append(f"{source} balanced accuracy {np.nanmean(recall):.3f} (n = {len(pairs)})")
    return ", ".join(texts)


def _fit_step_temperature(
    steps: Sequence[tuple[Step, ...]],
    place: int,
    truth: np.ndarray,
    prior: np.ndarray,
    types: tuple[str, ...],
) -> float:
    """On the cases whose type was still an option at this step."""
    logits = evaluation.step_logits(steps, place, types)
    there = np.isfinite(logits[np.arange(len(truth)), truth])
    return evaluation.fit_temperature(logits[there], truth[there], prior[there] if prior.ndim == 2 else prior)


def _tempered(
    steps: Sequence[tuple[Step, ...]],
    truth: np.ndarray,
    folds: np.ndarray,
    prior: np.ndarray,
    types: tuple[str, ...],
) -> list[tuple[Step, ...]]:
    """Each case with the temperatures that the other folds gave."""
    temperatures = _fold_temperatures(steps, truth, folds, prior, types)
    return [
        evaluation.with_temperatures(chain, temperatures[fold])
        for chain, fold in zip(steps, folds.tolist(), strict=True)
    ]


def _fold_temperatures(
    steps: Sequence[tuple[Step, ...]],
    truth: np.ndarray,
    folds: np.ndarray,
    prior: np.ndarray,
    types: tuple[str, ...],
) -> list[tuple[float, ...]]:
    """Of each fold one temperature a step, fitted on the others."""
    found = []
    for fold in range(int(folds.max()) + 1):
        others = np.flatnonzero(folds != fold).tolist()
        elsewhere = [steps[i] for i in others]
        found.append(
            tuple(
                _fit_step_temperature(elsewhere, place, truth[others], prior, types)
                for place in range(len(steps[0]))
            )
        )
    return found


def _answers(steps: Sequence[tuple[Step, ...]], types: tuple[str, ...]) -> np.ndarray:
    return evaluation.as_rows([answer(chain) for chain in steps], types)


def _single(steps: Sequence[tuple[Step, ...]], types: tuple[str, ...]) -> np.ndarray:
    return evaluation.as_rows([single_pass(chain) for chain in steps], types)


def _regression(
    cases: Sequence[Case], labels: np.ndarray, folds: np.ndarray, with_photo: np.ndarray, n_types: int
) -> np.ndarray:
    """(photos, K) out of fold, trained also on the rows without a photo, of the same sources."""
    rows = np.zeros((len(cases), n_types))
    sources = {cases[i].source for i in with_photo.tolist()}
    of_source = np.array([case.source in sources for case in cases])
    for fold in range(int(folds.max()) + 1):
        train_on = np.flatnonzero((folds != fold) & of_source).tolist()
        test = with_photo[folds[with_photo] == fold].tolist()
        rows[test] = evaluation.regression_on_fields(
            [cases[i].facts for i in train_on], labels[train_on], [cases[i].facts for i in test], n_types
        )
    return np.asarray(rows[with_photo])


def _save_predictions(
    path: Path,
    evaluated: Evaluated,
    told: Mapping[str, Evaluated],
    keys: np.ndarray,
    folds: np.ndarray,
    photo_logits: np.ndarray,
) -> None:
    tensors = {name: torch.from_numpy(scores).float() for name, scores in evaluated.modes.items()}
    tensors["photo_logits"] = torch.from_numpy(photo_logits)
    tensors["truth"] = torch.from_numpy(evaluated.truth).to(torch.int8)
    tensors["folds"] = torch.from_numpy(folds).to(torch.int8)
    tensors["photos"] = torch.from_numpy(keys)
    tensors["patients"] = torch.from_numpy(evaluated.patients)
    for source, words in told.items():
        tensors |= {
            f"{source}/{name}": torch.from_numpy(scores).half() for name, scores in words.modes.items()
        }
        tensors[f"{source}/truth"] = torch.from_numpy(words.truth).to(torch.int8)
        tensors[f"{source}/cases"] = torch.from_numpy(words.patients)
    save_file(tensors, path)


def _save_weights(run: Run, work: Path, out: Path) -> None:
    """Both final models in half precision, with the tokenizer."""
    if run.start_from:
        for name in (IMAGE_FILE, GATE_FILE):
            shutil.copyfile(file_of(Path(run.start_from), name), out / name)
    else:
        shutil.copyfile(work / GATE_FILE, out / GATE_FILE)
        image = load_file(work / "image-final.safetensors")
        halved = {name: value.half() if value.is_floating_point() else value for name, value in image.items()}
        save_file(halved, out / IMAGE_FILE)
    language = pretrained(replace(run.language, lora_rank=0, four_bit=False), run.types)
    load_language_weights(language, work / "chain-final.safetensors")
    save_in_parts(language, out / LANGUAGE_BASE_FILE, out / LANGUAGE_FILE, run.language.frozen_layers)
    if run.language.lower_layers_from:  # the very file, which another bundle may share
        shutil.copyfile(run.language.lower_layers_from, out / LANGUAGE_BASE_FILE)
    for name in TOKENIZER_FILES:
        shutil.copyfile(Path(run.language.base) / name, out / name)
    for path in out.iterdir():
        path.chmod(0o644)


def _portable(settings: dict[str, Any]) -> dict[str, Any]:
    """Without the folders of one machine."""
    return {
        name: Path(value).name if name in ("weights", "base", "lower_layers_from") and value else value
        for name, value in settings.items()
    }
