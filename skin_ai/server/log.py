"""The server's log: one line of JSON per event, with times; never what was shown, typed or answered."""

from __future__ import annotations

import logging

from pythonjsonlogger.json import JsonFormatter

NAME = "skin_ai"  # of the logger that all of ours write to
FIELDS = "{asctime}{levelname}{name}{message}"


def begin() -> None:
    """Writes this process's events to standard error; once, however often it is called."""
    log = logging.getLogger(NAME)
    if any(isinstance(handler.formatter, JsonFormatter) for handler in log.handlers):
        return
    handler = logging.StreamHandler()
    handler.setFormatter(
        JsonFormatter(
            FIELDS,
            style="{",
            rename_fields={"asctime": "at", "levelname": "level", "name": "part", "message": "event"},
            datefmt="%Y-%m-%dT%H:%M:%S%z",
        )
    )
    log.addHandler(handler)
    log.setLevel(logging.INFO)
