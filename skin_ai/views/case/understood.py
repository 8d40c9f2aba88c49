"""The facts of the case on screen: found in its words, and set by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from skin_ai.predict.bundle import BundleError, load_extraction
from skin_ai.predict.narrative import FACTS_READ, Answer
from skin_ai.study.kept_facts import by_hand, found_answer, is_confirmed
from skin_ai.study.tables import Case
from skin_ai.vocabulary import ALL_SYMPTOMS, MORE_SYMPTOMS, SYMPTOMS

if TYPE_CHECKING:  # torch comes with them, and the first page must not wait for torch
    from skin_ai.predict.extraction import Extraction, Extractor
    from skin_ai.predict.narrative import Facts

UNSAID: Final = Answer.UNSAID.value
# What a bundle asks that was trained on SCIN, too; `kind` and `more_sites` are set by hand only.
FURTHER_FACTS: Final = ("duration", "kind", "more_sites", *MORE_SYMPTOMS)
IN_ORDER: Final = (*ALL_SYMPTOMS, "site", "age", "duration", "kind", "more_sites")  # of the chips
NEXT: Final = {
    Answer.YES: Answer.NO,
    Answer.NO: Answer.UNKNOWN,
    Answer.UNKNOWN: Answer.UNSAID,
    Answer.UNSAID: Answer.YES,
}


def asked(is_wide: bool) -> tuple[str, ...]:
    """The facts that the page shows. is_wide: with those of a bundle that was trained on SCIN."""
    return (*FACTS_READ, *FURTHER_FACTS) if is_wide else FACTS_READ


@dataclass
class Understood:
    """Each fact has the answer that was set by hand, else the one found in the words, else "unsaid".

    What was set by hand stays when the words are edited. If they then say something else on this fact than
    they did when it was set, and not what was set, it counts as uncertain until it is set again.

    words: those that were read; extraction: None where they are empty or could not be read; set_by_hand:
    fact -> answer; said_then: fact -> what the words said when it was set; taken_back: fact -> its answer
    before a click took it back. order: the facts with a chip, the uncertain ones first, of which there are
    n_uncertain; a chip keeps its place until the words change. changes: how often a fact was changed by
    anything but its own field in the form, as a part of that field's key. marked: the fact whose place in the
    words is shown. seen: words whose facts a complete run of the page has shown; only these count as
    confirmed.
    """

    words: str = ""
    extraction: Extraction | None = None
    is_cut: bool = False
    set_by_hand: dict[str, Any] = field(default_factory=dict)
    said_then: dict[str, Any] = field(default_factory=dict)
    taken_back: dict[str, Any] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    n_uncertain: int = 0
    changes: Counter[str] = field(default_factory=Counter)
    marked: str = ""
    seen: str = ""

    def read(self, words: str) -> None:
        """Finds the facts in the words, cleaned; nothing where they have been read already."""
        if words == self.words:
            return
        before = {fact: self.answer(fact) for fact in IN_ORDER}
        self.words, self.extraction, self.is_cut, self.marked = words, None, False, ""
        if words:
            from skin_ai.predict.extraction import extract

            try:
                model = load_extraction()
            except BundleError:  # reported where the models are loaded
                pass
            else:
                self.extraction = extract(words, model)
                self.is_cut = self.is_english and model.is_cut(words)
        self.changes.update(fact for fact, answer in before.items() if self.answer(fact) != answer)
        self._put_in_order()

    def _put_in_order(self) -> None:
        # Of what is perhaps in the words, only what a click can add and every bundle reads.
        uncertain = [
            fact
            for fact in IN_ORDER
            if self.is_uncertain(fact) and (fact in SYMPTOMS or self.answer(fact) != UNSAID)
        ]
        said = [fact for fact in IN_ORDER if fact in self.set_by_hand or self.found(fact) != UNSAID]
        self.order, self.n_uncertain = list(dict.fromkeys((*uncertain, *said))), len(uncertain)

    @property
    def is_english(self) -> bool:
        from skin_ai.predict.language_detection import ENGLISH

        return self.extraction is None or self.extraction.language == ENGLISH

    @property
    def has_words(self) -> bool:
        """Whether what was typed is in some language."""
        from skin_ai.predict.language_detection import NO_LANGUAGE

        return self.extraction is None or self.extraction.language != NO_LANGUAGE

    def found(self, fact: str) -> Any:
        """What the words say on a fact."""
        known = self.extraction.facts if self.extraction else {}
        return known[fact].answer if fact in known else UNSAID

    def answer(self, fact: str) -> Any:
        """Yes, no, unknown, a site, an age in years and the like; "unsaid" if not stated."""
        return self.set_by_hand.get(fact, self.found(fact))

    def is_uncertain(self, fact: str) -> bool:
        if fact not in self.set_by_hand:
            return self.extraction is not None and fact in self.extraction.uncertain
        return self.found(fact) not in (UNSAID, self.said_then.get(fact), self.set_by_hand[fact])

    def span(self, fact: str) -> tuple[int, int] | None:
        """Where the words say it."""
        known = self.extraction.facts if self.extraction else {}
        return known[fact].span if fact in known else None

    def set(self, fact: str, answer: Any) -> None:
        self.set_by_hand[fact], self.said_then[fact] = answer, self.found(fact)
        if fact not in self.order:
            self.order.append(fact)

    def go_on(self, fact: str) -> None:
        """A click on the fact's chip: yes, no, not known, not stated; other facts are stated or not."""
        if fact in ALL_SYMPTOMS:
            answer = NEXT[Answer(self.answer(fact))].value
        elif self.answer(fact) != UNSAID:
            self.taken_back[fact] = self.answer(fact)
            answer = UNSAID
        else:
            answer = self.taken_back.get(fact, self.found(fact))
        self.set(fact, answer)
        self.changes[fact] += 1
        self.marked = fact

    def confirmed(self, facts: Sequence[str]) -> dict[str, Any] | None:
        """What is kept as `facts_confirmed`: of these facts, all that were seen, else those set by hand."""
        is_seen = not self.words or (self.extraction is not None and self.seen == self.words)
        answers = {fact: self.answer(fact) for fact in facts if is_seen or fact in self.set_by_hand}
        says_nothing = not self.words and set(answers.values()) <= {UNSAID}
        return None if says_nothing else answers or None

    def extracted(self) -> dict[str, Any] | None:
        """What is kept as `facts_extracted`."""
        if self.extraction is None:
            return None
        from skin_ai.predict.extraction import to_keep

        return to_keep(self.extraction)

    def restore(self, kept: Case) -> None:
        """Takes up what was set by hand before the case was put away."""
        self.set_by_hand = by_hand(kept.facts_extracted, kept.facts_confirmed)
        self.said_then = {fact: found_answer(kept.facts_extracted, fact) for fact in self.set_by_hand}
        self._put_in_order()


def told(kept: Case, extractor: Extractor | None) -> Facts | Extraction | None:
    """The facts of a kept case as `diagnose` takes them.

    extractor: None for a bundle that reads the words themselves; it is given what was set by hand. Facts that
    the reader did not see, and those of a deck's case, stay as uncertain as they were found.
    """
    from skin_ai.predict.extraction import corrected, extract, from_kept
    from skin_ai.predict.narrative import Facts

    extracted, confirmed = kept.facts_extracted, kept.facts_confirmed or {}
    if extractor is None:
        own = by_hand(extracted, confirmed)
        return Facts.from_answers(own) if own else None
    if is_confirmed(confirmed) or (confirmed and not kept.narrative):
        return Facts.from_answers(confirmed)
    if extracted is not None:
        return corrected(from_kept(kept.narrative, extracted), confirmed)
    return corrected(extract(kept.narrative, extractor), confirmed) if confirmed else None
