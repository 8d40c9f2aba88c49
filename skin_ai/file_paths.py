"""Untrusted paths and texts: whether a path leaves its folder, its normal form, and how to quote it."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath


def climbs(path: str) -> bool:
    """Whether a path could lead out of its folder, on any operating system."""
    is_absolute = path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", path) is not None
    return is_absolute or ".." in re.split(r"[/\\]", path)


def plain_path(path: str) -> str:
    """A path without "./" and "//", in Unicode NFC (macOS stores accents as separate characters)."""
    return str(PurePosixPath(unicodedata.normalize("NFC", path)))


def shown(text: str) -> str:
    """Untrusted text, quoted for use in a sentence: short, without control characters."""
    return repr(text if len(text) <= 80 else f"{text[:77]}...")
