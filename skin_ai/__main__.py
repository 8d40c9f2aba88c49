"""The command line: diagnose, evaluate, check, train and study."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import logging
import shutil
import stat
import sys
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from skin_ai.diseases import LABEL_SETS
from skin_ai.predict.bundle import DEFAULT_BUNDLE, BundleError

ERROR_STATUS = 2
HEATMAP_OPACITY = 0.6


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit status. Errors go to standard error as one sentence."""
    from skin_ai.study.database import StoreError
    from skin_ai.training.datasets import DatasetError

    options = _parser().parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(message)s", stream=sys.stderr)
    logging.getLogger("skin_ai").setLevel(logging.INFO)  # not what libraries tell of themselves
    try:
        status: int = options.run(options)
    except (BundleError, DatasetError, StoreError, OSError, ValueError) as error:
        print(f"skin_ai: {error}", file=sys.stderr)
        return ERROR_STATUS
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m skin_ai", description="Research software, not a medical device."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("diagnose", help="one case: a photo, the patient's words, or both")
    command.add_argument("photo", nargs="?", type=Path, metavar="PHOTO")
    command.add_argument("--narrative", default="", help="the patient's words")
    command.add_argument(
        "--crop", type=float, nargs=3, metavar=("X", "Y", "SIZE"), help="centre and size, 0 to 1"
    )
    command.add_argument("--bundle", default=DEFAULT_BUNDLE, metavar="NAME")
    command.add_argument(
        "--heatmap", type=Path, metavar="OUT.png", help="evidence for the answer, over the photo"
    )
    command.add_argument("--json", action="store_true", help="one JSON object")
    command.set_defaults(run=_diagnose)

    command = commands.add_parser(
        "evaluate", help="figures of a bundle on a folder laid out as PAD-UFES-20 or SCIN"
    )
    command.add_argument("folder", type=Path, metavar="FOLDER")
    command.add_argument("--bundle", default=DEFAULT_BUNDLE, metavar="NAME")
    command.add_argument("--limit", type=int, metavar="N", help="only the first N cases")
    command.add_argument("--json", action="store_true", help="one JSON object")
    command.set_defaults(run=_evaluate)

    command = commands.add_parser("check", help="weights, settings and versions; says what is wrong")
    command.set_defaults(run=_check)

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
    command.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the bundle to write")
    command.add_argument("--require-photos", action="store_true", help="a row without its photo is an error")
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=JSON",
        dest="settings",
        help='any setting, e.g. image.backbone="resnet50" or language.lora_rank=16',
    )
    command.set_defaults(run=_train)

    data = commands.add_parser("data", help="fetches a public data set to train on")
    sets = data.add_subparsers(required=True, metavar="DATASET")

    command = sets.add_parser("scin", help="SCIN's tables and photos, resumable")
    command.add_argument("folder", type=Path, metavar="FOLDER")
    command.add_argument("--from", dest="base", metavar="URL", help="another copy of SCIN's bucket")
    command.set_defaults(run=_fetch_scin)

    study = commands.add_parser("study", help="what readers answered: decks, export, import, backup")
    actions = study.add_subparsers(required=True, metavar="ACTION")

    command = actions.add_parser("make-deck", help="a deck from a folder laid out as PAD-UFES-20")
    command.add_argument("folder", type=Path, metavar="FOLDER")
    command.add_argument("--n", type=int, default=24, help="how many cases, one a patient")
    command.add_argument("--balanced", action="store_true", help="equally many of each type")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--out", type=Path, metavar="DECK", help="the new folder; deck-N by default")
    command.set_defaults(run=_make_deck)

    command = actions.add_parser("add-deck", help="checks a deck and loads it, as the Deck page does")
    command.add_argument("deck", type=Path, metavar="FOLDER_OR_ZIP")
    command.set_defaults(run=_add_deck)

    command = actions.add_parser("export", help="every answer, one row each, with its data dictionary")
    command.add_argument("out", type=Path, metavar="OUT", help="a folder")
    command.add_argument("--deck", metavar="NAME", help="only answers to this deck")
    command.add_argument("--format", choices=("csv", "jsonl"), default="csv")
    command.add_argument("--with-patient-words", action="store_true", help="the narratives too")
    command.set_defaults(run=_export)

    command = actions.add_parser("import", help="an export into an empty database")
    command.add_argument("export", type=Path, metavar="FOLDER_OR_FILE")
    command.set_defaults(run=_import)

    command = actions.add_parser("backup", help="copies the live database into a new file")
    command.add_argument("out", type=Path, metavar="OUT")
    command.set_defaults(run=_backup)
    return parser


def _diagnose(options: argparse.Namespace) -> int:
    from skin_ai.diseases import DISEASES
    from skin_ai.predict.bundle import load_bundle
    from skin_ai.predict.diagnose import FLAGS, diagnose
    from skin_ai.predict.narrative import clean_narrative
    from skin_ai.predict.photo import LARGEST_SQUARE, Crop, crop_square, read_photo
    from skin_ai.predict.stability import in_words

    crop = Crop(*options.crop) if options.crop else LARGEST_SQUARE
    if options.photo and not options.photo.is_file():
        raise ValueError(f"{options.photo} is not a file; give the path of a photo.")
    photo = options.photo.read_bytes() if options.photo else None
    bundle = load_bundle(options.bundle)
    result = diagnose(photo, options.narrative, bundle, crop)
    if options.heatmap:
        if photo is None:
            raise ValueError("--heatmap needs a photo.")
        from PIL import Image

        from skin_ai.predict.heatmap_overlay import common_scale, no_map_for, on_photo, overlay

        first = result.answer[0].type
        if first not in result.heatmaps:
            reason = no_map_for(DISEASES[first].name, result.heatmaps)
            raise ValueError(f"{reason} Without --heatmap the answer is shown.")
        square = crop_square(read_photo(photo), crop)
        evidence = result.heatmaps[first]
        colours = overlay(evidence, common_scale(result.heatmaps), len(square))
        Image.fromarray(on_photo(square, colours, HEATMAP_OPACITY)).save(options.heatmap, format="PNG")
    if options.json:
        print(json.dumps(result.as_json()))
        return 0
    for title, items in (("Recommendations", result.recommendations), ("Answer", result.answer)):
        if items:
            print(title)
        for item in items:
            print(f"  {item.probability:6.1%}  {DISEASES[item.type].name}")
    for number, step in enumerate(result.steps, start=1):
        dropped = ", ".join(f"{DISEASES[o.type].name} {o.probability:.1%}" for o in step.dropped)
        print(f"Step {number}: {len(step.options)} options; dropped {dropped}")
    if result.undecided:
        print(f"Not sure: {', '.join(DISEASES[type_].name for type_ in result.undecided)} are left")
    for flag in result.flags:
        print(FLAGS[flag])
    for variant, type_ in result.unstable.items():
        print(in_words(variant, type_, clean_narrative(options.narrative)))
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from skin_ai.evaluation.evaluate import evaluate
    from skin_ai.evaluation.figures import MODES

    result = evaluate(options.folder, options.bundle, limit=options.limit)
    if options.json:
        print(json.dumps(result))
        return 0
    print(result["protocol"])
    for mode in MODES:
        if mode not in result:  # there were no photos
            continue
        values = result[mode]
        print(f"{mode} (n = {values['n']})")
        for name, value in values.items():
            if isinstance(value, dict) and value.get("value") is not None:
                print(f"  {name:18} {value['value']:.3f}  ({value['low']:.3f} to {value['high']:.3f})")
    return 0


def _check(options: argparse.Namespace) -> int:
    from skin_ai.predict.bundle import WEIGHTS, bundle_names, load_bundle

    wrong = 0
    requirements = WEIGHTS.parent / "requirements.txt"
    for line in requirements.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate():  # of another system
            continue
        try:
            found = importlib.metadata.version(requirement.name)
            is_right = requirement.specifier.contains(found)
        except importlib.metadata.PackageNotFoundError:
            found, is_right = "not installed", False
        if not is_right:
            pinned = str(requirement.specifier).removeprefix("==")
            print(f"{requirement.name}: {found}, but {pinned} is pinned; run pip install -r requirements.txt")
            wrong += 1
    names = bundle_names()
    if not names:
        print(f"No bundle in {WEIGHTS}; restore the folder from the repository.")
        wrong += 1
    for name in names:
        try:
            bundle = load_bundle(name)
        except BundleError as error:
            print(error)
            wrong += 1
        else:
            print(f"bundle {name}: {len(bundle.types)} types, every checksum right")
    config = WEIGHTS.parent / ".streamlit" / "config.toml"
    if not config.is_file():
        print(f"{config} is missing: telemetry would be on; restore it from the repository.")
        wrong += 1
    wrong += _check_what_is_kept()
    print("all is well" if not wrong else f"{wrong} found wrong")
    return 1 if wrong else 0


LEAST_FREE = 1 << 30  # bytes: photos, copies before a migration, and a backup need room


def _check_what_is_kept() -> int:
    """Says what is wrong with the data folder, its disk and the database; how many things."""
    from skin_ai.study.database import StoreError, data_folder, state

    wrong, folder = 0, data_folder()
    try:
        print(f"database: {state()}")
    except StoreError as error:
        print(error)
        wrong += 1
    if not folder.is_dir():
        return wrong
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o077:
        print(f"{folder} can be read by others (mode {mode:o}): run chmod 700 {folder}")
        wrong += 1
    free = shutil.disk_usage(folder).free
    print(f"data folder: {folder}, {free / 1e9:.0f} GB free")
    if free < LEAST_FREE:
        print(f"The disk of {folder} is nearly full: make room, or set SKIN_AI_DATA to another one.")
        wrong += 1
    return wrong


def _make_deck(options: argparse.Namespace) -> int:
    from skin_ai.commands.make_deck import NOTE, make_deck

    out = options.out or Path(f"deck-{options.n}")
    make_deck(options.folder, out, options.n, balanced=options.balanced, seed=options.seed)
    print(f"{out}: {options.n} cases. {NOTE}")
    return 0


def _add_deck(options: argparse.Namespace) -> int:
    from skin_ai.study.deck import read_folder, read_zip
    from skin_ai.study.store import open_store

    path: Path = options.deck
    deck = read_zip(path.read_bytes(), path.stem) if path.is_file() else read_folder(path)
    open_store().add_deck(deck)
    print(f"Loaded the deck {deck.name!r} with {len(deck.cases)} cases.")
    return 0


def _export(options: argparse.Namespace) -> int:
    from skin_ai.study import export
    from skin_ai.study.store import open_store

    answers = open_store().answers(options.deck)
    if options.deck is not None and answers.empty:
        raise ValueError(f"There are no answers to a deck named {options.deck!r}.")
    export.write(answers, options.out, options.format, with_patient_words=options.with_patient_words)
    print(f"{options.out}: {len(answers)} answers")
    return 0


def _import(options: argparse.Namespace) -> int:
    from skin_ai.study import export
    from skin_ai.study.store import open_store

    answers = export.read(options.export)
    open_store().add_answers(answers)
    print(f"{len(answers)} answers are in the database now.")
    return 0


def _backup(options: argparse.Namespace) -> int:
    from skin_ai.study.store import open_store

    open_store().backup(options.out)
    print(f"{options.out}: to work with it, set SKIN_AI_DATABASE_URL=sqlite:///{options.out.resolve()}")
    return 0


def _fetch_scin(options: argparse.Namespace) -> int:
    from skin_ai.training.datasets import DatasetError
    from skin_ai.training.scin_download import BUCKET, LICENCE, DownloadError, fetch_scin

    print(LICENCE, flush=True)
    try:
        fetched = fetch_scin(options.folder, options.base or BUCKET)
    except (DownloadError, DatasetError, OSError) as error:
        print(f"skin_ai: {error}", file=sys.stderr)
        return 1
    print(f"{options.folder}: {fetched.cases:,} cases and {fetched.photos:,} photos are there")
    if fetched.not_there:
        print(f"Not in the bucket ({len(fetched.not_there)}): {', '.join(fetched.not_there)}")
    return 0


def _train(options: argparse.Namespace) -> int:
    from skin_ai.commands.train import train
    from skin_ai.predict.bundle import LANGUAGE_BASE_FILE, file_of
    from skin_ai.training.image import ImageSettings
    from skin_ai.training.language import LanguageSettings
    from skin_ai.training.run import LANGUAGE_DEFAULTS, Run

    folders = {}
    for dataset in options.datasets:
        name, equals, folder = dataset.partition("=")
        if not (name and equals and folder):
            raise ValueError(f"--dataset {dataset}: write NAME=FOLDER, for example scin=../scin.")
        folders[name] = Path(folder)
    run = Run(
        options.label_set,
        ImageSettings(weights=options.image_weights),
        LanguageSettings(base=options.llm, **LANGUAGE_DEFAULTS[options.label_set]),
    )
    if options.start_from:
        base = file_of(options.start_from, LANGUAGE_BASE_FILE)
        run = replace(
            run,
            start_from=str(options.start_from),
            language=replace(run.language, lower_layers_from=str(base)),
        )
    for setting in options.settings:
        name, _, value = setting.partition("=")
        run = with_setting(run, name.split("."), value)
    result = train(run, folders, options.work, options.out, require_photos=options.require_photos)
    print(json.dumps({"modes": result["modes"], "comparison": result["comparison"]}, indent=1))
    return 0


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


if __name__ == "__main__":
    sys.exit(main())
