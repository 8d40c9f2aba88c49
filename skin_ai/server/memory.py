"""Frees the memory that closed sessions leave behind."""

import ctypes
import gc
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import Final

EVERY: Final = 30.0  # seconds; with the models in memory it stops all sessions for half a second

M_ARENA_MAX: Final = -8  # malloc.h
ARENAS: Final = 2

_collected_at = time.monotonic()


@cache
def share_arenas() -> None:
    """All sessions' threads allocate from the same few places: else each leaves holes in one of its own.

    For once a server, before the models are loaded.
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is not None:
        mallopt(M_ARENA_MAX, ARENAS)


def collect_now_and_then() -> None:
    """Python alone would leave a closed session's photos for long: it counts objects, not their size."""
    global _collected_at
    if time.monotonic() - _collected_at > EVERY:
        gc.collect()
        _give_back()
        _collected_at = time.monotonic()


def _give_back() -> None:
    """After many visitors glibc would keep hundreds of free megabytes that lie between used ones."""
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _of_glibc(name: str) -> Callable[..., int] | None:
    """One of its functions; None where the system's C library is another."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
