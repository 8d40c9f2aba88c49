"""Limits guesses of what people type: the study passphrase, and readers' codes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Final

MINUTE: Final = 60.0  # seconds
A_MINUTE: Final = 5  # tries of one session
FREE: Final = 5  # wrong tries of a server without a pause; one is forgotten each minute
LONGEST: Final = 60.0  # seconds of pause


class Tries:
    """Counts the tries of every session, and pauses a server that is guessed at.

    A session has five tries a minute. Sessions cost nothing, so after five wrong tries on a server the next
    one waits 1 second, then 2, 4, and so on to a minute, whoever makes it. What is guessed right does not end
    the pause: else a guesser could use a code of their own between two guesses.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._of_session: dict[str, deque[float]] = {}
        self._wrong = 0.0
        self._counted_at = self._next_at = clock()

    def seconds_to_wait(self, session: str) -> float:
        """0 if the session may try now; the try then counts as wrong until `was_right` says otherwise."""
        with self._lock:
            now = self._clock()
            self._wrong = max(0.0, self._wrong - (now - self._counted_at) / MINUTE)
            self._counted_at = now
            self._of_session = {
                one: tries for one, tries in self._of_session.items() if tries[-1] > now - MINUTE
            }
            mine = self._of_session.get(session, deque(maxlen=A_MINUTE))
            own = mine[0] + MINUTE - now if len(mine) == A_MINUTE else 0.0
            wait = max(own, self._next_at - now, 0.0)
            if wait:
                return wait
            mine.append(now)
            self._of_session[session] = mine
            self._wrong += 1
            if self._wrong > FREE:
                self._next_at = now + min(LONGEST, 2 ** (self._wrong - FREE - 1))
            return 0.0

    def was_right(self) -> None:
        with self._lock:
            self._wrong = max(0.0, self._wrong - 1)
