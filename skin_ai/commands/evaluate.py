"""`evaluate`: the figures of a bundle on cases that it was not trained on."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from skin_ai.predict.bundle import DEFAULT_BUNDLE


def add_parser(commands: Any) -> None:
    command = commands.add_parser(
        "evaluate", help="figures of a bundle on a folder laid out as PAD-UFES-20 or SCIN"
    )
    data = command.add_mutually_exclusive_group(required=True)
    data.add_argument("folder", type=Path, nargs="?", metavar="FOLDER")
    data.add_argument("--stories", type=Path, metavar="FILE", help="CSV with type and story, without photos")
    data.add_argument(
        "--warning-signs", choices=("development", "test"), help="sentences that warn of a malignant type"
    )
    command.add_argument("--bundle", default=DEFAULT_BUNDLE, metavar="NAME")
    command.add_argument("--limit", type=int, metavar="N", help="only the first N cases")
    command.add_argument(
        "--narratives",
        type=Path,
        metavar="FILE",
        help="CSV with patient_id, lesion_id and text: free narratives instead of those made from the fields",
    )
    command.add_argument("--json", action="store_true", help="one JSON object")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from skin_ai.evaluation.evaluate import evaluate, evaluate_stories
    from skin_ai.evaluation.figures import MODES
    from skin_ai.evaluation.warning_signs import measure
    from skin_ai.predict.bundle import load_bundle

    if options.limit is not None and options.limit < 1:
        raise ValueError("--limit must be at least 1.")
    if options.warning_signs:
        result = measure(load_bundle(options.bundle), options.warning_signs)
    elif options.stories:
        result = evaluate_stories(options.stories, options.bundle, limit=options.limit)
    else:
        result = evaluate(options.folder, options.bundle, limit=options.limit, narratives=options.narratives)
    if options.json:
        print(json.dumps(result))
        return 0
    print(result["protocol"])
    for mode in (*MODES, "stories", "warning_signs"):
        if mode not in result:  # there were no photos
            continue
        values = result[mode]
        print(f"{mode} (n = {values['n']})")
        for name, value in values.items():
            if isinstance(value, dict) and value.get("value") is not None:
                print(f"  {name:18} {value['value']:.3f}  ({value['low']:.3f} to {value['high']:.3f})")
    return 0
