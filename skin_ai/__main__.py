"""The command line: `python -m skin_ai COMMAND`; each command has a file in `skin_ai/commands`."""

from __future__ import annotations

import argparse
import logging
import sys

from skin_ai import settings
from skin_ai.commands import (
    check,
    data,
    diagnose,
    evaluate,
    extract,
    refit_words,
    study,
    train,
    train_extraction,
)
from skin_ai.predict.bundle import BundleError

ERROR_STATUS = 2


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit status. Errors go to standard error as one sentence."""
    from skin_ai.study.database import StoreError
    from skin_ai.training.datasets import DatasetError

    parser = argparse.ArgumentParser(
        prog="python -m skin_ai", description="Research software, not a medical device."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (diagnose, extract, evaluate, check, train, refit_words, train_extraction, data, study):
        command.add_parser(commands)
    options = parser.parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(message)s", stream=sys.stderr)
    logging.getLogger("skin_ai").setLevel(logging.INFO)  # libraries keep to warnings
    try:
        settings.current()  # what is not understood stops every command
        status: int = options.run(options)
    except (BundleError, DatasetError, StoreError, OSError, ValueError) as error:
        print(f"skin_ai: {_in_words(error)}", file=sys.stderr)
        return ERROR_STATUS
    return status


def _in_words(error: Exception) -> str:
    if isinstance(error, FileNotFoundError) and error.filename:
        return f"{error.filename} does not exist."
    if isinstance(error, UnicodeDecodeError):
        return "The file is not text in UTF-8; save it as UTF-8 and try again."
    return str(error)


if __name__ == "__main__":
    sys.exit(main())
