"""The models are asked by one case at a time, in the order of asking."""

from __future__ import annotations

import time
from bisect import insort
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition
from typing import Final

LOOKS_EVERY: Final = 0.5  # seconds between two calls of `waits`, so that who has left is soon noticed


class Turns:
    """A queue of threads. One asking uses all cores: two at once would only slow each other down."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._waiting: list[float] = []  # since when, by time.monotonic(); the first one is next
        self._is_taken = False

    @contextmanager
    def taken(self, waits: Callable[[int], object], since: float | None = None) -> Iterator[None]:
        """Waits for the turn and holds it within the block.

        waits: called with how many are before, at once and every LOOKS_EVERY seconds until there is none;
        what it raises (Streamlit does, where the visitor has left or the page runs anew) gives the place in
        the queue up. since: when the visitor first asked, by time.monotonic(): who asks again with it has the
        same place as before.
        """
        since = time.monotonic() if since is None else since
        with self._changed:
            insort(self._waiting, since)
            self._changed.notify_all()
        try:
            while before := self._before_or_take(since):
                waits(before)
                with self._changed:
                    self._changed.wait_for(lambda known=before: self._before(since) != known, LOOKS_EVERY)  # type: ignore[misc]
        except BaseException:
            with self._changed:
                self._waiting.remove(since)
                self._changed.notify_all()
            raise
        try:
            yield
        finally:
            with self._changed:
                self._is_taken = False
                self._changed.notify_all()

    def _before_or_take(self, since: float) -> int:
        """How many are before; where there is none the turn is taken."""
        with self._changed:
            before = self._before(since)
            if not before:
                self._waiting.remove(since)
                self._is_taken = True
            return before

    def _before(self, since: float) -> int:
        return self._waiting.index(since) + self._is_taken


OF_MODELS: Final = Turns()


def in_words(before: int) -> str:
    """What a visitor reads while others are before them."""
    others = "1 case is" if before == 1 else f"{before} cases are"
    return f"{others} before yours; the models take one after the other…"
