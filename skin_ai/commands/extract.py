"""`extract`: the facts in a text."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skin_ai.predict.extraction import Extraction


def add_parser(commands: Any) -> None:
    command = commands.add_parser("extract", help="the facts in a patient's words")
    command.add_argument("text", nargs="?", metavar="TEXT")
    command.add_argument("--lines", metavar="FILE", help="one text a line, - for standard input")
    command.add_argument("--json", action="store_true", help="one JSON object for each text")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from skin_ai.predict.bundle import load_extraction
    from skin_ai.predict.extraction import as_json, extract_all

    if (options.text is None) == (options.lines is None):
        raise ValueError("Give either a text or --lines FILE.")
    if options.lines is None:
        texts = [options.text]
    elif options.lines == "-":
        texts = sys.stdin.read().splitlines()
    else:
        texts = Path(options.lines).read_text(encoding="utf-8-sig").splitlines()
    for extraction in extract_all(texts, load_extraction()):
        if options.json or options.lines is not None:
            print(json.dumps(as_json(extraction)))
        else:
            _print(extraction)
    return 0


def _print(extraction: Extraction) -> None:
    from skin_ai.predict.language_detection import ENGLISH, NO_LANGUAGE

    if extraction.language == NO_LANGUAGE:
        print("The text holds no words that can be read.")
    elif extraction.language != ENGLISH:
        print(f"The text does not seem to be English ({extraction.language}); it is not read.")
    for name, found in extraction.facts.items():
        if found.span is not None:
            words = extraction.text[slice(*found.span)]
            print(f"{name:10} {found.answer!s:10} {found.probability:6.1%}  {words!r}")
