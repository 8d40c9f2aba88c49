"""What was typed and is not saved yet, so that a reload does not lose it: in memory only, for ten minutes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

MINUTES: Final = 10


@dataclass
class _Draft:
    """session: the one that it was typed in; timer: forgets it."""

    content: Any
    session: str
    timer: threading.Timer


class Drafts:
    """Each draft behind a token that only one browser has. seconds: how long one is kept unchanged."""

    def __init__(self, seconds: float = MINUTES * 60) -> None:
        self._seconds = seconds
        self._drafts: dict[str, _Draft] = {}
        self._lock = threading.Lock()

    def keep(self, token: str, session: str, content: Any) -> None:
        """Replaces what was kept behind this token."""
        timer = threading.Timer(self._seconds, self.forget, [token])
        timer.daemon = True
        with self._lock:
            former = self._drafts.get(token)
            self._drafts[token] = _Draft(content, session, timer)
        if former:
            former.timer.cancel()
        timer.start()

    def take(self, token: str, is_active: Callable[[str], bool]) -> Any:
        """What is behind the token, which is then forgotten; None without it.

        None also while the session that it was typed in is there: a second window is not a reload.
        """
        with self._lock:
            draft = self._drafts.get(token)
            if draft is None or is_active(draft.session):
                return None
            del self._drafts[token]
        draft.timer.cancel()
        return draft.content

    def forget(self, token: str) -> None:
        with self._lock:
            draft = self._drafts.pop(token, None)
        if draft:
            draft.timer.cancel()
