"""From a folder of cases to a bundle: every step resumes from what its work folder holds."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from safetensors.torch import load_file, save_file

import skin_ai
from skin_ai.bundle import IMAGE_FILE, LANGUAGE_FILE, PREDICTIONS_FILE, TOKENIZER_FILES, write_manifest
from skin_ai.chain import (
    PROMPTS,
    Option,
    Step,
    answer,
    load_language_weights,
    save_language_model,
    single_pass,
)
from skin_ai.diseases import LABEL_SETS
from skin_ai.training import evaluation
from skin_ai.training.datasets import Case, load_cases, split_folds
from skin_ai.training.evaluation import Evaluated
from skin_ai.training.image import ImageSettings, read_squares, train_image_model
from skin_ai.training.language import LanguageSettings, predict_steps, pretrained, teach_reading, train_chain
from skin_ai.training.stories import evaluation_narrative

log = logging.getLogger(__name__)

PROTOCOL = (
    "Out of fold: five folds grouped by patient and stratified by type (StratifiedGroupKFold, seed 42). "
    "Models, temperatures and recommendations are fitted without the patient who is predicted. "
    f"{evaluation.PROTOCOL}"
)
CITATIONS = {
    "pad-ufes-20": {
        "name": "PAD-UFES-20",
        "licence": "CC BY 4.0",
        "citation": "Pacheco et al. 2020, PAD-UFES-20: a skin lesion dataset composed of patient data and "
        "clinical images collected from smartphones, Mendeley Data zr7vgbcyr2 v1",
    }
}


LICENCES = {
    "tf_efficientnet_lite0": "Apache-2.0",
    "tf_efficientnet_lite2": "Apache-2.0",
    "all-MiniLM-L6-v2": "Apache-2.0",
}


@dataclass(frozen=True)
class Run:
    """What one training is made of; saved in the work folder and in the manifest."""

    label_set: str
    image: ImageSettings
    language: LanguageSettings

    @property
    def types(self) -> tuple[str, ...]:
        return LABEL_SETS[self.label_set]


def train(run: Run, folder: Path, work: Path, out: Path, *, require_photos: bool = False) -> dict[str, Any]:
    """Trains both models on `folder`, fold by fold and whole, and writes the bundle `out`."""
    cases = load_cases(folder, run.types, require_photos=require_photos)
    folds = split_folds(cases)
    begin(run, cases, folds, work)
    with_photo = np.flatnonzero([case.photo is not None for case in cases])
    log.info(
        "%d cases, %d with a photo, %d patients", len(cases), len(with_photo), len({c.patient for c in cases})
    )
    labels = np.array([run.types.index(case.type) for case in cases])
    squares = read_squares([case.photo for case in cases if case.photo is not None])
    photo_logits = train_image_model(
        squares, labels[with_photo], folds[with_photo], len(run.types), run.image, work
    )
    reading = work / "reading.safetensors"
    reading_figures = teach_reading(run.language, run.types, reading)
    log.info("reading: %s", reading_figures)
    truth, tested = labels[with_photo], folds[with_photo]
    prior = np.bincount(truth, minlength=len(run.types)) / len(truth)
    photo_temperatures = cross_fitted_temperatures(photo_logits, truth, tested, prior)
    photo_probabilities = evaluation.softmax(photo_logits / photo_temperatures[tested][:, None])
    photos: list[torch.Tensor | None] = [None] * len(cases)
    for index, row in zip(with_photo, photo_probabilities, strict=True):
        photos[index] = torch.tensor(row, dtype=torch.float32)

    steps = {
        name: _language_folds(run, cases, folds, photos, reading, work, name) for name in ("chain", "control")
    }
    all_cases = train_chain(cases, photos, run.types, run.language, reading, work / "chain-final.safetensors")
    log.info("photo weight %.3f", all_cases.photo_weight.item())

    tempered = {
        (name, mode): _tempered(chains, truth, tested, prior, run.types)
        for name, modes in steps.items()
        for mode, chains in modes.items()
    }
    modes = {
        "photo_only": photo_probabilities,
        "words_only": _answers(tempered["chain", "words"], run.types),
        "single_pass": _single(tempered["chain", "both"], run.types),
        "chain": _answers(tempered["chain", "both"], run.types),
        "chain_in_held_out_wordings": _answers(tempered["chain", "both_in_held_out_wordings"], run.types),
        "words_only_in_held_out_wordings": _answers(
            tempered["chain", "words_in_held_out_wordings"], run.types
        ),
        "words_only_single_pass": _single(tempered["chain", "words"], run.types),
        "control_single_pass": _single(tempered["control", "both"], run.types),
        "control_chain": _answers(tempered["control", "both"], run.types),
        "control_words_only": _answers(tempered["control", "words"], run.types),
        "regression_on_fields": _regression(cases, labels, folds, with_photo, len(run.types)),
    }
    product = modes["photo_only"] * modes["regression_on_fields"]
    modes["product"] = product / product.sum(1, keepdims=True)
    patients = np.array([evaluation.digest(cases[i].patient) for i in with_photo.tolist()])
    evaluated = Evaluated(run.types, truth, patients, prior, modes)
    result = summary(evaluated, tested) | {"reading": reading_figures}

    if PartialState().is_main_process:
        every_step = range(len(run.language.schedule) - 1)
        chain_temperatures = [
            _fit_step_temperature(steps["chain"]["both"], place, truth, prior, run.types)
            for place in every_step
        ]
        _write_bundle(run, cases, folds, evaluated, photo_logits, chain_temperatures, result, work, out)
    return result


def _write_bundle(
    run: Run,
    cases: Sequence[Case],
    folds: np.ndarray,
    evaluated: Evaluated,
    photo_logits: np.ndarray,
    chain_temperatures: list[float],
    result: dict[str, Any],
    work: Path,
    out: Path,
) -> None:
    """Predictions, weights, tokenizer and the manifest that vouches for them."""
    with_photo = np.flatnonzero([case.photo is not None for case in cases])
    out.mkdir(parents=True, exist_ok=True)
    keys = np.array([evaluation.digest(cases[i].key) for i in with_photo.tolist()])
    _save_predictions(out / PREDICTIONS_FILE, evaluated, keys, folds[with_photo], photo_logits)
    _save_weights(run, work, out)
    manifest = {
        "name": out.name,
        "code_version": skin_ai.__version__,
        "types": run.types,
        "probabilities": "balanced",
        "prior": dict(zip(run.types, evaluated.prior.round(4).tolist(), strict=True)),
        "image_model": {
            "backbone": run.image.backbone,
            "preprocessing": asdict(run.image.preprocessing),
            "views": run.image.views,
            "temperature": evaluation.fit_temperature(photo_logits, evaluated.truth, evaluated.prior),
            "settings": _portable(asdict(run.image)),
        },
        "language_model": {
            "base": Path(run.language.base).name,
            "prompts": PROMPTS,
            "schedule": run.language.schedule,
            "temperatures": chain_temperatures,
            "settings": _portable(asdict(run.language)),
        },
        "figures": result,
        "data": [
            CITATIONS.get(run.label_set, {"name": run.label_set, "licence": "not stated", "citation": ""})
            | {
                "photos": len(with_photo),
                "rows": len(cases),
                "patients": len({case.patient for case in cases}),
            }
        ],
        "starting_weights": [
            {"name": name, "licence": LICENCES.get(name, "not stated")}
            for name in (run.image.backbone, Path(run.language.base).name)
        ],
    }
    write_manifest(out, manifest)


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
        for fold in range(int(folds.max()) + 1):
            tested = folds == fold
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
    reading: Path,
    work: Path,
    name: str,
) -> dict[str, list[tuple[Step, ...]]]:
    """Out-of-fold eliminations with photo and words ("both") and with words alone ("words").

    Each also in wordings that no model was trained on, to tell reading from memory.
    """
    with_photo = [i for i, photo in enumerate(photos) if photo is not None]
    result: dict[str, dict[int, tuple[Step, ...]]] = {}
    for fold in range(int(folds.max()) + 1):
        test = [i for i in with_photo if folds[i] == fold]
        for mode, chains in language_fold(run, cases, folds, photos, reading, work, name, fold).items():
            result.setdefault(mode, {}).update(zip(test, chains, strict=True))
    return {mode: [chains[i] for i in with_photo] for mode, chains in result.items()}


def language_fold(
    run: Run,
    cases: Sequence[Case],
    folds: np.ndarray,
    photos: Sequence[torch.Tensor | None],
    reading: Path,
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
    train_on = np.flatnonzero(folds != fold).tolist()
    model = train_chain(
        [cases[i] for i in train_on],
        [photos[i] for i in train_on],
        run.types,
        replace(run.language, seed=run.language.seed + fold),
        reading,
        work / f"{name}-fold{fold}.safetensors",
        all_options=name == "control",
    )
    test = [i for i in np.flatnonzero(folds == fold).tolist() if photos[i] is not None]
    seen, unseen = [photos[i] for i in test], [None] * len(test)
    untempered = (1.0,) * (len(run.language.schedule) - 1)
    modes: list[tuple[str, Sequence[torch.Tensor | None], bool]]
    modes = [("both", seen, False), ("words", unseen, False)]
    if name == "chain":
        modes += [("both_in_held_out_wordings", seen, True), ("words_in_held_out_wordings", unseen, True)]
    result = {}
    for mode, shown, held_out in modes:
        words = [evaluation_narrative(cases[i].facts, cases[i].key, held_out=held_out) for i in test]
        result[mode] = predict_steps(model, words, shown, run.language.schedule, untempered)
    found = np.array([run.types.index(answer(chain)[0].type) for chain in result["both"]])
    right = np.array([run.types.index(cases[i].type) for i in test])
    recall = evaluation.recall_samples(right, found, len(run.types), np.ones((1, len(test))))
    log.info("%s fold %d: balanced accuracy %.3f", name, fold, np.nanmean(recall))
    if PartialState().is_main_process:
        plain = {
            mode: [[[asdict(option) for option in step.options] for step in chain] for chain in chains]
            for mode, chains in result.items()
        }
        saved.write_text(json.dumps(plain), encoding="utf-8")
    return result


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
    return evaluation.fit_temperature(logits[there], truth[there], prior)


def _tempered(
    steps: Sequence[tuple[Step, ...]],
    truth: np.ndarray,
    folds: np.ndarray,
    prior: np.ndarray,
    types: tuple[str, ...],
) -> list[tuple[Step, ...]]:
    """Each case with the temperatures that the other folds gave."""
    result: list[tuple[Step, ...]] = list(steps)
    for fold in range(int(folds.max()) + 1):
        others = np.flatnonzero(folds != fold).tolist()
        elsewhere = [steps[i] for i in others]
        temperatures = [
            _fit_step_temperature(elsewhere, place, truth[others], prior, types)
            for place in range(len(steps[0]))
        ]
        for i in np.flatnonzero(folds == fold).tolist():
            result[i] = evaluation.with_temperatures(steps[i], temperatures)
    return result


def _answers(steps: Sequence[tuple[Step, ...]], types: tuple[str, ...]) -> np.ndarray:
    return evaluation.as_rows([answer(chain) for chain in steps], types)


def _single(steps: Sequence[tuple[Step, ...]], types: tuple[str, ...]) -> np.ndarray:
    return evaluation.as_rows([single_pass(chain) for chain in steps], types)


def _regression(
    cases: Sequence[Case], labels: np.ndarray, folds: np.ndarray, with_photo: np.ndarray, n_types: int
) -> np.ndarray:
    """(photos, K) out of fold, trained also on the rows without a photo."""
    rows = np.zeros((len(cases), n_types))
    for fold in range(int(folds.max()) + 1):
        train_on = np.flatnonzero(folds != fold).tolist()
        test = with_photo[folds[with_photo] == fold].tolist()
        rows[test] = evaluation.regression_on_fields(
            [cases[i].facts for i in train_on], labels[train_on], [cases[i].facts for i in test], n_types
        )
    return np.asarray(rows[with_photo])


def _save_predictions(
    path: Path, evaluated: Evaluated, keys: np.ndarray, folds: np.ndarray, photo_logits: np.ndarray
) -> None:
    tensors = {name: torch.from_numpy(scores).float() for name, scores in evaluated.modes.items()}
    tensors["photo_logits"] = torch.from_numpy(photo_logits)
    tensors["truth"] = torch.from_numpy(evaluated.truth).to(torch.int8)
    tensors["folds"] = torch.from_numpy(folds).to(torch.int8)
    tensors["photos"] = torch.from_numpy(keys)
    tensors["patients"] = torch.from_numpy(evaluated.patients)
    save_file(tensors, path)


def _save_weights(run: Run, work: Path, out: Path) -> None:
    """Both final models in half precision, with the tokenizer."""
    image = load_file(work / "image-final.safetensors")
    halved = {name: value.half() if value.is_floating_point() else value for name, value in image.items()}
    save_file(halved, out / IMAGE_FILE)
    language = pretrained(replace(run.language, lora_rank=0, four_bit=False), run.types)
    load_language_weights(language, work / "chain-final.safetensors")
    save_language_model(language, out / LANGUAGE_FILE, torch.float16)
    for name in TOKENIZER_FILES:
        shutil.copyfile(Path(run.language.base) / name, out / name)
    for path in out.iterdir():
        path.chmod(0o644)


def _portable(settings: dict[str, Any]) -> dict[str, Any]:
    """Without the folders of one machine."""
    return {
        name: Path(value).name if name in ("weights", "base") and value else value
        for name, value in settings.items()
    }
