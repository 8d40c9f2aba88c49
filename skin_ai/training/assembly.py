"""Writes a bundle: predictions, weights, tokenizer and manifest."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file, save_file
from torch import nn

import skin_ai
from skin_ai.predict.bundle import (
    GATE_FILE,
    IMAGE_FILE,
    LANGUAGE_BASE_FILE,
    LANGUAGE_FILE,
    PREDICTIONS_FILE,
    TOKENIZER_FILES,
    WORD_PRIOR_FILE,
    file_of,
    read_manifest,
    write_manifest,
)
from skin_ai.predict.chain import PROMPTS, LanguageModel, load_language_weights, save_in_parts
from skin_ai.predict.prompt_format import has_own_format
from skin_ai.predict.word_prior import save_word_prior
from skin_ai.training.datasets import Case
from skin_ai.training.language import pretrained
from skin_ai.training.run import LEAST_SUSPICION, Photos, Run

SOURCES: Final = tomllib.loads(Path(__file__).with_name("sources.toml").read_text(encoding="utf-8"))


def write_bundle(
    run: Run,
    cases: Sequence[Case],
    photos: Photos,
    predictions: dict[str, torch.Tensor],
    priors: Mapping[str, dict[str, float]],
    chain_temperatures: list[float],
    not_sure: dict[str, Any],
    result: dict[str, Any],
    final: LanguageModel,
    work: Path,
    out: Path,
) -> None:
    """Writes the bundle to `out`.

    predictions: of `evaluation.predictions.as_tensors`; priors: type -> frequency, under "" for the cases
    with a photo, and one for each source without photos.
    """
    out.mkdir(parents=True, exist_ok=True)
    save_file(predictions, out / PREDICTIONS_FILE)
    _save_weights(run, final, work, out)
    image = _image_manifest(run, photos)
    manifest = {
        "name": out.name,
        "code_version": skin_ai.__version__,
        "types": run.types,
        "probabilities": "balanced",
        "prior": priors[""],
        "least_probability": not_sure["least_probability"],
        "not_sure": not_sure,
        "quality_limits": photos.figures["quality"]["limits"],
        "image_model": image,
        "language_model": {
            "base": Path(run.language.base).name,
            "prompts": PROMPTS,
            "reads": run.language.reads,
            "pooling": run.language.pooling,
            "schedule": run.language.schedule,
            "temperatures": chain_temperatures,
            "settings": _portable(asdict(run.language)),
        },
        "figures": result,
        "data": [_data_set(source, cases) for source in dict.fromkeys(case.source for case in cases)],
        "starting_weights": [
            {"name": name, "licence": SOURCES["licences"].get(name, "not stated")}
            for name in (image["backbone"], Path(run.language.base).name)
        ],
    }
    if run.label_set in LEAST_SUSPICION:
        manifest["least_suspicion"] = LEAST_SUSPICION[run.label_set]
    if of_sources := {source: prior for source, prior in priors.items() if source}:
        manifest["priors"] = of_sources
    write_manifest(out, manifest)


def _image_manifest(run: Run, photos: Photos) -> dict[str, Any]:
    """How the app uses the image model."""
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


def _data_set(source: str, cases: Sequence[Case]) -> dict[str, Any]:
    """Licence, citation and size of one of the data sets."""
    of_source = [case for case in cases if case.source == source]
    return SOURCES["data"].get(source, {"name": source, "licence": "not stated", "citation": ""}) | {
        "photos": sum(case.photo is not None for case in of_source),
        "rows": len(of_source),
        "patients": len({case.patient for case in of_source}),
    }


def _save_weights(run: Run, final: LanguageModel, work: Path, out: Path) -> None:
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
    nn.init.constant_(language.photo_weight, final.photo_weight.item())
    save_in_parts(language, out / LANGUAGE_BASE_FILE, out / LANGUAGE_FILE, run.language.frozen_layers)
    if run.language.lower_layers_from:  # the same file, which bundles may share
        shutil.copyfile(run.language.lower_layers_from, out / LANGUAGE_BASE_FILE)
    if final.word_prior is not None:
        save_word_prior(final.word_prior, out / WORD_PRIOR_FILE)
    for name in TOKENIZER_FILES:
        shutil.copyfile(Path(run.language.base) / name, out / name)
    if has_own_format(language.tokenizer):
        language.tokenizer.backend_tokenizer.save(str(out / "tokenizer.json"))
    for path in out.iterdir():
        path.chmod(0o644)


def _portable(settings: dict[str, Any]) -> dict[str, Any]:
    """Without folders of this machine."""
    return {
        name: Path(value).name if name in ("weights", "base", "lower_layers_from") and value else value
        for name, value in settings.items()
    }
