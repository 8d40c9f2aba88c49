"""`train-extraction`: the model that finds facts in free words, with its figures."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from skin_ai.predict.bundle import EXTRACTION, EXTRACTION_FILE, EXTRACTION_MANIFEST, TOKENIZER_FILES, WEIGHTS


def add_parser(commands: Any) -> None:
    command = commands.add_parser("train-extraction", help="the model that finds facts in words, resumable")
    command.add_argument("--base", type=Path, required=True, metavar="FOLDER", help="all-MiniLM-L6-v2")
    command.add_argument("--work", type=Path, required=True, metavar="FOLDER", help="models of each stage")
    command.add_argument("--out", type=Path, default=WEIGHTS / EXTRACTION, metavar="FOLDER")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from skin_ai.evaluation.extraction import evaluate_extraction
    from skin_ai.evaluation.given_words import FOUND_FILE
    from skin_ai.predict.bundle import load_extraction, sha256
    from skin_ai.training.extraction import train_extraction

    out, shared = options.out, options.out.parent / "shared"
    out.mkdir(parents=True, exist_ok=True)
    train_extraction(options.work, options.base, out / EXTRACTION_FILE)
    files = (out / EXTRACTION_FILE, *(shared / name for name in TOKENIZER_FILES))
    manifest: dict[str, Any] = {
        "format": 1,
        "base": {"name": options.base.name, "licence": "Apache-2.0"},
        "data": ["skin_ai/training/texts", "skin_ai/wordings"],
        "files": {path.name: sha256(path) for path in files},
    }
    path = out / EXTRACTION_MANIFEST
    path.write_text(json.dumps(manifest), encoding="utf-8")  # enough to load what was just written
    figures = evaluate_extraction(options.work, options.base, load_extraction(out.parent), FOUND_FILE)
    path.write_text(json.dumps(manifest | {"figures": figures}, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures.get("left_out", figures), indent=1))
    return 0
