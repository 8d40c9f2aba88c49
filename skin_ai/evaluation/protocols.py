"""How the figures of a manifest were measured, in words (protocols.toml)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_TEXTS: Final[Mapping[str, str]] = tomllib.loads(
    Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
)


def protocol(name: str, **numbers: object) -> str:
    """The text about one kind of figures, as one line."""
    return " ".join(_TEXTS[name].format(by_patients=_TEXTS["by_patients"], **numbers).split())
