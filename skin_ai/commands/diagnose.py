"""`diagnose`: one case."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skin_ai.predict.bundle import DEFAULT_BUNDLE

if TYPE_CHECKING:
    import numpy as np

    from skin_ai.predict.diagnose import Diagnosis

HEATMAP_OPACITY = 0.6


def add_parser(commands: Any) -> None:
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
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from skin_ai.predict.bundle import load_bundle
    from skin_ai.predict.diagnose import diagnose
    from skin_ai.predict.photo import LARGEST_SQUARE, Crop
    from skin_ai.predict.prepared_photo import prepare

    crop = Crop(*options.crop) if options.crop else LARGEST_SQUARE
    if options.photo and not options.photo.is_file():
        raise ValueError(f"{options.photo} is not a file; give the path of a photo.")
    if options.photo is None and (options.crop or options.heatmap):
        raise ValueError("--crop and --heatmap need a photo.")
    photo = prepare(options.photo.read_bytes(), crop) if options.photo else None
    result = diagnose(photo, options.narrative, load_bundle(options.bundle))
    if photo is not None and options.heatmap:
        _save_heatmap(result, photo.square, options.heatmap)
    if options.json:
        print(json.dumps(result.as_json()))
    else:
        _print(result)
    return 0


def _save_heatmap(result: Diagnosis, square: np.ndarray, out: Path) -> None:
    from PIL import Image

    from skin_ai.diseases import DISEASES
    from skin_ai.predict.heatmap_overlay import common_scale, no_map_for, on_photo, overlay

    first = result.answer[0].type
    if first not in result.heatmaps:
        reason = no_map_for(DISEASES[first].name, result.heatmaps)
        raise ValueError(f"{reason} Without --heatmap the answer is shown.")
    colours = overlay(result.heatmaps[first], common_scale(result.heatmaps), len(square))
    Image.fromarray(on_photo(square, colours, HEATMAP_OPACITY)).save(out, format="PNG")


def _print(result: Diagnosis) -> None:
    from skin_ai.diseases import DISEASES
    from skin_ai.predict.chain import taken
    from skin_ai.predict.diagnose import FLAGS
    from skin_ai.predict.stability import in_words
    from skin_ai.predict.words import in_words as matters_in_words

    for title, items in (("Recommendations", result.recommendations), ("Answer", result.answer)):
        if items:
            print(title)
        for item in items:
            print(f"  {item.probability:6.1%}  {DISEASES[item.type].name}")
    for number, step in enumerate(taken(result.steps, result.undecided), start=1):
        dropped = ", ".join(f"{DISEASES[o.type].name} {o.probability:.1%}" for o in step.dropped)
        print(f"Step {number}: {len(step.options)} options; dropped {dropped}")
    if result.undecided:
        print(f"Not sure: {', '.join(DISEASES[type_].name for type_ in result.undecided)} are left")
    if result.matters:
        print(matters_in_words(result.matters))
    for flag in result.flags:
        print(FLAGS[flag])
    for variant, type_ in (result.unstable or {}).items():
        print(in_words(variant, type_, result.narrative))
