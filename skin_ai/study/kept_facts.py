"""The facts of a case as database and exports hold them (`tables.Case`), and how often they are corrected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from skin_ai.predict.narrative import FACTS_READ, Answer, Facts

if TYPE_CHECKING:
    import pandas as pd

ALL: Final = "all"


@dataclass(frozen=True)
class FactCount:
    """Number of cases: a fact found in the words; of these corrected by the reader; not found, but added."""

    found: int
    corrected: int
    added: int


def found_answer(extracted: Mapping[str, Any] | None, fact: str) -> Any:
    """What was found in the words on a fact, "unsaid" if nothing."""
    found = (extracted or {}).get("facts", {}).get(fact)
    return Answer.UNSAID.value if found is None else found["answer"]


def by_hand(extracted: Mapping[str, Any] | None, confirmed: Mapping[str, Any] | None) -> dict[str, Any]:
    """Fact -> answer, where the reader confirmed another one than was found."""
    return {
        fact: answer for fact, answer in (confirmed or {}).items() if answer != found_answer(extracted, fact)
    }


def is_confirmed(confirmed: Mapping[str, Any] | None) -> bool:
    """Whether the reader saw all facts, and did not only set some before the words were read."""
    return set(FACTS_READ) <= (confirmed or {}).keys()


def answers_of(extracted: Mapping[str, Any] | None, confirmed: Mapping[str, Any] | None) -> dict[str, Any]:
    """Fact -> answer as the AI is told: as confirmed, else as found in the words."""
    found = {} if is_confirmed(confirmed) else (extracted or {}).get("facts", {})
    return {fact: one["answer"] for fact, one in found.items()} | dict(confirmed or {})


def counts(answers: pd.DataFrame) -> tuple[int, dict[str, FactCount]]:
    """How many cases were read and confirmed; the counts of each fact and of ALL.

    answers: as `Store.answers` gives them; a case counts once. Cases without words, of a deck, or whose facts
    the reader did not see are left out.
    """
    cases = list(_confirmed_cases(answers))
    facts = {fact: _count(fact, cases) for fact in dict.fromkeys(fact for _, seen in cases for fact in seen)}
    total = (
        sum(getattr(count, part) for count in facts.values()) for part in ("found", "corrected", "added")
    )
    return len(cases), facts | {ALL: FactCount(*total)}


def _confirmed_cases(answers: pd.DataFrame) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    of_cases = answers.drop_duplicates("case")
    for extracted, confirmed in zip(of_cases["facts_extracted"], of_cases["facts_confirmed"], strict=True):
        if isinstance(extracted, dict) and is_confirmed(confirmed):
            yield extracted, confirmed


def _count(fact: str, cases: list[tuple[dict[str, Any], dict[str, Any]]]) -> FactCount:
    pairs = [(found_answer(extracted, fact), seen[fact]) for extracted, seen in cases if fact in seen]
    told = [(found, answer) for found, answer in pairs if found != Answer.UNSAID]
    return FactCount(
        found=len(told),
        corrected=sum(found != answer for found, answer in told),
        added=sum(found == Answer.UNSAID != answer for found, answer in pairs),
    )


def check(extracted: Mapping[str, Any] | None, confirmed: Mapping[str, Any] | None) -> None:
    """Raises ValueError, or one of its kinds, for what a database cannot hold."""
    Facts.from_answers(confirmed or {})
    if extracted is None:
        return
    facts = extracted["facts"]
    Facts.from_answers({fact: found["answer"] for fact, found in facts.items()})
    if not isinstance(extracted["language"], str) or not 0 <= extracted["sure_from"] <= 1:
        raise ValueError("language or sure_from")
    for found in facts.values():
        start, end = found["span"] or (0, 1)
        if not (0 <= found["probability"] <= 1 and isinstance(start, int) and 0 <= start < end):
            raise ValueError("probability or span")
