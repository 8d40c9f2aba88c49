"""The models are asked by one case at a time, in the order of asking."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition
from typing import Final

LOOKS_EVERY: Final = 0.5  # seconds between two calls of `waits`, so that who has left is soon noticed


class Turns:
    """A queue of threads. One asking uses all cores: two at once would only slow each other down."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._queue: deque[object] = deque()  # the first one has the turn

    @contextmanager
    def taken(self, waits: Callable[[int], object]) -> Iterator[None]:
        """Waits for the turn and holds it within the block.

        waits: called with how many are before, at once and every LOOKS_EVERY seconds until there is none;
        what it raises (Streamlit does, where the visitor has left) gives the place in the queue up.
        """
        own = object()
        with self._changed:
            self._queue.append(own)
        try:
            while before := self._before(own):
                waits(before)
                with self._changed:
                    self._changed.wait_for(lambda known=before: self._before(own) != known, LOOKS_EVERY)  # type: ignore[misc]
            yield
        finally:
            with self._changed:
                self._queue.remove(own)
                self._changed.notify_all()

    def _before(self, own: object) -> int:
        with self._changed:
            return self._queue.index(own)


OF_MODELS: Final = Turns()


def in_words(before: int) -> str:
    """What a visitor reads while others are before them."""
    others = "1 case is" if before == 1 else f"{before} cases are"
    return f"{others} before yours; the models take one after the other…"
