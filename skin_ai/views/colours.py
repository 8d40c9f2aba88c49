"""The colours of all charts; accent, orange and muted have a contrast of 4 : 1 on light and dark pages."""

from __future__ import annotations

from typing import Final

ACCENT: Final = "#24858f"
ORANGE: Final = "#bf661c"  # distinct from the accent for colour-blind readers, and not the red of an alarm
MUTED: Final = "rgba(128, 138, 142, 0.95)"
TRACK: Final = "rgba(128, 138, 142, 0.16)"
HAIRLINE: Final = "rgba(128, 138, 142, 0.35)"
CLEAR: Final = "rgba(0,0,0,0)"


def faded(colour: str, alpha: float) -> str:
    """The colour at this opacity."""
    if colour.startswith("#"):
        red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
        return f"rgba({red}, {green}, {blue}, {alpha})"
    return f"{colour[: colour.rindex(',')]}, {alpha})"
