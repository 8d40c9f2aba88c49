"""What closed sessions leave behind in memory is given back."""

import ctypes
import gc
import sys
import time
from typing import Final

EVERY: Final = 30.0  # seconds; with the models in memory it stops all sessions for half a second

_collected_at = time.monotonic()


def collect_now_and_then() -> None:
    """Python alone would leave a closed session's photos for long: it counts objects, not their size."""
    global _collected_at
    if time.monotonic() - _collected_at > EVERY:
        gc.collect()
        _give_back()
        _collected_at = time.monotonic()


def _give_back() -> None:
    """After many visitors glibc would keep hundreds of free megabytes that lie between used ones."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
