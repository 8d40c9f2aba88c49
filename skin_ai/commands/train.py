"""`train`: both models of a bundle; `train_bundle` does the work."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skin_ai.diseases import LABEL_SETS

if TYPE_CHECKING:  # it imports torch
    from skin_ai.training.run import Run


def add_parser(commands: Any) -> None:
    command = commands.add_parser("train", help="both models of a bundle, resumable")
    command.add_argument(
        "--dataset",
        action="append",
        required=True,
        dest="datasets",
        metavar="NAME=FOLDER",
        help="pad-ufes-20, scin, or any other name for a folder of photos with cases.csv; may be repeated",
    )
    command.add_argument("--label-set", default="pad-ufes-20", choices=tuple(LABEL_SETS))
    command.add_argument(
        "--start-from",
        type=Path,
        metavar="BUNDLE",
        help="take the image model and the language model's lower layers of this bundle as they are",
    )
    command.add_argument("--image-weights", default="", metavar="FILE", help="safetensors in timm's layout")
    command.add_argument(
        "--llm", required=True, metavar="FOLDER_OR_FILE", help="Hugging Face model or GGUF file to start from"
    )
    command.add_argument(
        "--work", type=Path, required=True, metavar="FOLDER", help="checkpoints and results of folds"
    )
    result = command.add_mutually_exclusive_group(required=True)
    result.add_argument("--out", type=Path, metavar="FOLDER", help="the bundle to write")
    result.add_argument(
        "--try-fold",
        action="append",
        type=int,
        dest="tried",
        metavar="N",
        help="no bundle: only reading, and chain and control of this fold (from 0), with their figures; "
        "may be repeated",
    )
    command.add_argument("--require-photos", action="store_true", help="a row without its photo is an error")
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=JSON",
        dest="settings",
        help='any setting, e.g. image.backbone="resnet50" or language.lora_rank=16',
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from skin_ai.commands.train_bundle import train
    from skin_ai.evaluation import no_harm

    folders = {}
    for dataset in options.datasets:
        name, equals, folder = dataset.partition("=")
        if not (name and equals and folder):
            raise ValueError(f"--dataset {dataset}: write NAME=FOLDER, for example scin=../scin.")
        folders[name] = Path(folder)
    result = train(
        settings_of(options),
        folders,
        options.work,
        options.out,
        require_photos=options.require_photos,
        tried=options.tried or (),
    )
    if options.tried:
        print(json.dumps(result, indent=1))
        return 0
    print(json.dumps({"modes": result["modes"], "comparison": result["comparison"]}, indent=1))
    failures = no_harm.failures(result["no_harm"])
    for failure in failures:
        print(f"skin_ai: an input makes the answer worse: {failure}", file=sys.stderr)
    return 1 if failures else 0


def settings_of(options: argparse.Namespace) -> Run:
    """The label set's settings, then what adapters need, then those of the command line."""
    from skin_ai.predict.bundle import LANGUAGE_BASE_FILE, file_of
    from skin_ai.training.image import ImageSettings
    from skin_ai.training.language import LanguageSettings
    from skin_ai.training.run import ADAPTER_DEFAULTS, LANGUAGE_DEFAULTS, Run

    language = LanguageSettings(base=options.llm, **LANGUAGE_DEFAULTS[options.label_set])
    run = Run(options.label_set, ImageSettings(weights=options.image_weights), language)
    if options.start_from:
        base = file_of(options.start_from, LANGUAGE_BASE_FILE)
        language = replace(language, lower_layers_from=str(base))
        run = replace(run, start_from=str(options.start_from), language=language)
    if any(setting.startswith("language.lora_rank=") for setting in options.settings):
        run = replace(run, language=replace(run.language, **ADAPTER_DEFAULTS))
    for setting in options.settings:
        name, _, value = setting.partition("=")
        run = with_setting(run, name.split("."), value)
    return run


def with_setting(settings: Any, path: list[str], value: str) -> Any:
    """A copy of the (nested) dataclass with one field set to a JSON value; ValueError if it does not fit."""
    known = [field.name for field in fields(settings)]
    if path[0] not in known:
        raise ValueError(f"There is no setting {path[0]!r}; known are {', '.join(known)}.")
    old = getattr(settings, path[0])
    if is_dataclass(old) and len(path) > 1:
        return replace(settings, **{path[0]: with_setting(old, path[1:], value)})
    try:
        new = json.loads(value)
    except ValueError:
        raise ValueError(f"{path[0]}={value} is not JSON; text needs double quotes.") from None
    new = tuple(new) if isinstance(new, list) else new
    if type(new) is not type(old) and not (isinstance(old, float) and isinstance(new, int)):
        raise ValueError(f"{path[0]} must be {type(old).__name__}, not {value}.")
    return replace(settings, **{path[0]: new})
