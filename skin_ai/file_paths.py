"""Paths and texts from a stranger: does a path leave its folder, one spelling of it, and how to quote it."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath


def climbs(path: str) -> bool:
    """Whether a path could lead out of its folder, on any system."""
    return bool(path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", path)) or ".." in re.split(
        r"[/\\]", path
    )


def plain_path(path: str) -> str:
    """One spelling of a path: without "./" and "//", and accents as one character (macOS parts them)."""
    return str(PurePosixPath(unicodedata.normalize("NFC", path)))


def shown(text: str) -> str:
    """A stranger's text within a sentence: short, and nothing in it that a screen would obey."""
    return repr(text if len(text) <= 80 else f"{text[:77]}...")
