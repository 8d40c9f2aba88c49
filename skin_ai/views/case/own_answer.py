"""The clinician's own diagnoses, and how a result marks them."""

from __future__ import annotations

from dataclasses import dataclass

MARK = "◆"
ORDINALS = ("1st", "2nd", "3rd", "4th")


@dataclass(frozen=True)
class Own:
    """What the clinician answered before the AI was shown.

    ranks: best first, each a code of DISEASES or free text as written; empty where the AI was asked for
    at once: nothing is marked then.
    """

    ranks: tuple[str, ...] = ()

    def ordinal(self, diagnosis: str) -> str:
        """The rank that the clinician gave to a diagnosis, "" where it is none of theirs."""
        return ORDINALS[self.ranks.index(diagnosis)] if diagnosis in self.ranks else ""

    def mark(self, diagnosis: str) -> str:
        """What stands beside a diagnosis of theirs, "" beside any other."""
        return f"{MARK} your {ordinal}" if (ordinal := self.ordinal(diagnosis)) else ""


NONE = Own()
