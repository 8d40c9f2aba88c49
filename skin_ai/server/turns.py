"""The queue: the models run for one case at a time, first come, first served."""

from __future__ import annotations

import time
from bisect import insort
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition
from typing import Final

LOOKS_EVERY: Final = 0.5  # seconds between two calls of `waits`: a visitor who has left is soon noticed


class Turns:
    """A queue of threads. One run uses all cores: two at once would only slow each other down."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._waiting: list[float] = []  # since when, by time.monotonic(); the first one is next
        self._is_taken = False

    @contextmanager
    def taken(self, waits: Callable[[int], object], since: float | None = None) -> Iterator[None]:
        """Waits for the turn and holds it within the block.

        waits: called with the number of cases ahead, at once and every LOOKS_EVERY seconds until there are
        none. If it raises, as Streamlit does when the visitor has left or the page runs again, the place in
        the queue is given up. since: when the visitor first asked, by time.monotonic(); asking again with
        the same value keeps the place.
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
        """The number of cases ahead; if there are none, takes the turn."""
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
    """What a visitor reads while others are ahead of them."""
    return f"{before} {'case' if before == 1 else 'cases'} ahead of you…"
