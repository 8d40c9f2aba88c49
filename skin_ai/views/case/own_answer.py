"""The clinician's own diagnoses, and how a result marks them."""

from __future__ import annotations

from dataclasses import dataclass

MARK = "◆"
ORDINALS = ("1st", "2nd", "3rd", "4th")


@dataclass(frozen=True)
class Own:
    """What the clinician answered before the AI was shown.

    ranks: best first, each a code of DISEASES or free text as written; empty, so that nothing is marked,
    where the AI was shown at once.
    """

    ranks: tuple[str, ...] = ()

    def ordinal(self, diagnosis: str) -> str:
        """The rank that the clinician gave a diagnosis, "" if it is not one of theirs."""
        return ORDINALS[self.ranks.index(diagnosis)] if diagnosis in self.ranks else ""

    def mark(self, diagnosis: str) -> str:
        """The mark beside one of their diagnoses, "" beside any other."""
        return f"{MARK} your {ordinal}" if (ordinal := self.ordinal(diagnosis)) else ""


NONE = Own()
