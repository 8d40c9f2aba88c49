"""Adds an export's answers to a database that may hold others, such as those of several laptops.

What is there already stays as it is; rows that contradict it, or one another, are refused with their numbers.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from skin_ai.study.database import StoreError
from skin_ai.study.tables import Answer, Case, Clinician, Consent, Deck, Feedback, Reading, Run, Stage, plain

if TYPE_CHECKING:  # the first page must not wait for it
    import pandas as pd

Record = dict[str, Any]
SAME_PROBABILITY: Final = 0.005  # of an AI on two machines, whose last digits differ
MOST_PROBLEMS: Final = 20  # listed in one error
# Columns of the answers table that each database row holds under the same name.
OF_CLINICIAN: Final = ("role", "years_of_practice")
OF_CASE: Final = ("sample", "age_band", "body_site", "fitzpatrick")
OF_WORDS: Final = ("narrative", "facts_extracted", "facts_confirmed")  # only in exports that include them
OF_RUN: Final = ("bundle", "bundle_version")
OF_ANSWER: Final = (
    "blinded", "confidence", "management", "malignancy", "reason", "seconds", "answered_at",
)  # fmt: skip


def merge(
    session: Session, answers: pd.DataFrame, ranks: Sequence[str], scales: Sequence[str], rows: Sequence[int]
) -> int:
    """Adds all rows that are new and returns the number of new answers.

    Raises StoreError with all rows that contradict the database, one per line; nothing is then to be kept.

    ranks, scales: their columns; rows: the number of each row in its file.
    """
    records = answers.astype(object).where(answers.notna(), None).to_dict("records")
    return _Merge(session, list(zip(rows, records, strict=True)), ranks, scales).run()


class _Merge:
    def __init__(
        self,
        session: Session,
        records: list[tuple[int, Record]],
        ranks: Sequence[str],
        scales: Sequence[str],
    ) -> None:
        self.session, self.records, self.ranks, self.scales = session, records, ranks, scales
        self.problems: list[str] = []

    def run(self) -> int:
        # A table after the other: each points to those before it.
        self._clinicians()
        self._cases(self._decks())
        self._refuse()  # what follows points to these cases
        runs = self._runs()
        self._readings(runs)
        self._consents()
        new = self._answers()
        self._feedback()
        self._refuse()
        return new

    def _refuse(self) -> None:
        if self.problems:
            more = len(self.problems) - MOST_PROBLEMS
            listed = self.problems[:MOST_PROBLEMS] + [f"and {more} more problems."] * (more > 0)
            raise StoreError("\n".join(listed))

    def _add(self, known: dict[Any, Any], key: Any, made: Any) -> None:
        known[key] = made
        self.session.add(made)

    def _compare(self, row: int, kept: Any, said: Mapping[str, Any]) -> None:
        """Notes every column of a row that says something else than what is kept."""
        for column, value in said.items():
            here = getattr(kept, column)
            if here != (plain(value) if isinstance(value, str) else value):
                self.problems.append(f"row {row}, {column}: the database has something else.")

    def _clinicians(self) -> None:
        known = {one.pseudonym: one for one in self.session.scalars(select(Clinician))}
        for row, record in self.records:
            said = {column: record[column] for column in OF_CLINICIAN}
            if record["reader"] in known:
                self._compare(row, known[record["reader"]], said)
            else:
                self._add(known, record["reader"], Clinician(pseudonym=record["reader"], **said))
        self.session.flush()

    def _decks(self) -> set[str]:
        """Makes those that are missing; returns the names of those that were there before."""
        known = {deck.name: deck for deck in self.session.scalars(select(Deck))}
        former = {*known}
        for _, record in self.records:
            if record["deck"] and plain(record["deck"]) not in known:
                name = plain(record["deck"])
                deck = Deck(id=uuid.uuid4().hex, name=name, shows_reference=False)
                self._add(known, name, deck)
        self.session.flush()
        self.decks = known
        return former

    def _cases(self, former: set[str]) -> None:
        known = {case.id: case for case in self.session.scalars(select(Case))}
        name_of = {deck.id: name for name, deck in self.decks.items()}
        contents = {(name_of[case.deck_id], case.id[8:]) for case in known.values() if case.deck_id}
        for row, record in self.records:
            id_, deck = record["case"], plain(record["deck"])
            said = {column: record[column] for column in OF_CASE} | {"reference": record["truth"]}
            said |= {"deck_id": self.decks[deck].id if deck else None}
            if not deck:
                said["owner"] = record["reader"]
            words = {column: record[column] for column in OF_WORDS}
            if id_ in known:
                if any(words.values()):  # what was found in them may differ in its last digits
                    said |= {name: words[name] for name in ("narrative", "facts_confirmed")}
                self._compare(row, known[id_], said)
            elif deck in former and (deck, id_[8:]) not in contents:  # see store.case_ids
                self.problems.append(
                    f"row {row}, case: the deck {deck[:40]!r} here has other cases. Load the same deck on "
                    "all machines; for older answers, import into a database without this deck."
                )
            else:
                self._add(known, id_, Case(id=id_, **said, **words))
        self.session.flush()

    def _runs(self) -> dict[tuple[str, str], Run]:
        known = {(run.case_id, run.bundle_sha256): run for run in self.session.scalars(select(Run))}
        for row, record in self.records:
            key = (record["case"], record["bundle_sha256"])
            if not record["bundle"]:
                continue
            said = {column: record[column] for column in OF_RUN}
            ranking = [{"type": type_, "probability": value} for type_, value in record["ai_answer"]]
            undecided = record["ai_undecided"].split()
            if key in known:
                self._compare(row, known[key], said)
                kept = known[key].result
                if not _same_result(kept, ranking, undecided):
                    self.problems.append(f"row {row}, ai_answer: the database has another result.")
                continue
            result = {"answer": ranking, "undecided": undecided}
            self._add(known, key, Run(case_id=key[0], bundle_sha256=key[1], result=result, **said))
        self.session.flush()
        return known

    def _readings(self, runs: Mapping[tuple[str, str], Run]) -> None:
        known = {(one.clinician, one.case_id): one for one in self.session.scalars(select(Reading))}
        for row, record in self.records:
            key = (record["reader"], record["case"])
            run = runs.get((record["case"], record["bundle_sha256"])) if record["bundle"] else None
            said = {"unblinded": not record["blinded"], "is_repeat": record["repeat"], "arm": record["arm"]}
            if key not in known:
                made = Reading(clinician=key[0], case_id=key[1], run_id=run.id if run else None, **said)
                self._add(known, key, made)
                continue
            self._compare(row, known[key], said)
            if run is not None and known[key].run_id is None:  # an earlier export was made before the AI ran
                known[key].run_id = run.id
            elif run is not None and known[key].run_id != run.id:
                self.problems.append(f"row {row}, bundle_sha256: the reader was shown another bundle here.")
        self.session.flush()

    def _consents(self) -> None:
        known = {(one.clinician, one.deck_id): one for one in self.session.scalars(select(Consent))}
        for row, record in self.records:
            if not record["consent_sha256"] or not record["deck"]:
                continue
            key = (record["reader"], self.decks[plain(record["deck"])].id)
            said = {"sha256": record["consent_sha256"], "agreed_at": record["consented_at"]}
            if key in known:
                self._compare(row, known[key], said)
            else:
                self._add(known, key, Consent(clinician=key[0], deck_id=key[1], **said))
        self.session.flush()

    def _answers(self) -> int:
        known = {(one.clinician, one.case_id, one.stage): one for one in self.session.scalars(select(Answer))}
        new = 0
        for row, record in self.records:
            key = (record["reader"], record["case"], Stage(record["stage"]))
            said = {column: record[column] for column in OF_ANSWER}
            said["ranks"] = [plain(record[rank]) for rank in self.ranks if record[rank]]
            if key in known:
                self._compare(row, known[key], said)
            else:
                new += 1
                self._add(known, key, Answer(clinician=key[0], case_id=key[1], stage=key[2], **said))
        self.session.flush()
        return new

    def _feedback(self) -> None:
        known = {(one.clinician, one.case_id): one for one in self.session.scalars(select(Feedback))}
        for row, record in self.records:
            said = {scale: record[scale] for scale in self.scales} | {"comment": record["comment"]}
            key = (record["reader"], record["case"])
            if not any(value not in (None, "") for value in said.values()):
                continue
            if key in known:
                self._compare(row, known[key], said)
            else:
                self._add(known, key, Feedback(clinician=key[0], case_id=key[1], **said))
        self.session.flush()


def _same_result(kept: Mapping[str, Any], ranking: list[Record], undecided: list[str]) -> bool:
    """Whether two machines gave the same result, but for the last digits."""
    here, there = (
        {item["type"]: item["probability"] for item in items} for items in (kept["answer"], ranking)
    )
    return (
        here.keys() == there.keys()
        and list(kept.get("undecided") or ()) == undecided
        and all(abs(here[type_] - there[type_]) <= SAME_PROBABILITY for type_ in here)
    )
