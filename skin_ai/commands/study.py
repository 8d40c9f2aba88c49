"""`study`: decks, and the answers of readers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_parser(commands: Any) -> None:
    study = commands.add_parser("study", help="what readers answered: decks, export, import, backup")
    actions = study.add_subparsers(required=True, metavar="ACTION")

    command = actions.add_parser("make-deck", help="a deck from a folder laid out as PAD-UFES-20")
    command.add_argument("folder", type=Path, metavar="FOLDER")
    command.add_argument("--n", type=int, default=24, help="how many cases, one a patient")
    command.add_argument("--balanced", action="store_true", help="equally many of each type")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--out", type=Path, metavar="DECK", help="the new folder; deck-N by default")
    command.set_defaults(run=make_deck)

    command = actions.add_parser("add-deck", help="checks a deck and loads it, as the Deck page does")
    command.add_argument("deck", type=Path, metavar="FOLDER_OR_ZIP")
    command.add_argument(
        "--as-it-is", action="store_true", help="also with references that the AI cannot give"
    )
    command.set_defaults(run=add_deck)

    command = actions.add_parser("new-code", help="a code for a reader who can no longer open their cases")
    command.add_argument("reader", metavar="PSEUDONYM", help="as in exports, such as R-K7Q4M2XD")
    command.set_defaults(run=new_code)

    command = actions.add_parser("export", help="every answer, one row each, with its data dictionary")
    command.add_argument("out", type=Path, metavar="OUT", help="a folder")
    command.add_argument("--deck", metavar="NAME", help="only answers to this deck")
    command.add_argument("--format", choices=("csv", "jsonl", "imrmc"), default="csv")
    command.add_argument("--with-patient-words", action="store_true", help="the narratives too")
    command.set_defaults(run=export)

    command = actions.add_parser("import", help="adds an export to the database, as of another machine")
    command.add_argument("export", type=Path, metavar="FOLDER_OR_FILE")
    command.set_defaults(run=import_)

    command = actions.add_parser("backup", help="copies the live database into a new file")
    command.add_argument("out", type=Path, metavar="OUT")
    command.set_defaults(run=backup)


def make_deck(options: argparse.Namespace) -> int:
    from skin_ai.commands import make_deck

    out = options.out or Path(f"deck-{options.n}")
    make_deck.make_deck(options.folder, out, options.n, balanced=options.balanced, seed=options.seed)
    print(f"{out}: {options.n} cases. {make_deck.NOTE}")
    return 0


def add_deck(options: argparse.Namespace) -> int:
    from skin_ai.study.deck import read_folder, read_zip, with_facts
    from skin_ai.study.store import open_store

    path: Path = options.deck
    deck = read_zip(path.read_bytes(), path.stem) if path.is_file() else read_folder(path)
    is_loaded = options.as_it_is or not deck.doubts
    if is_loaded:
        open_store().add_deck(with_facts(deck))
    for line in filter(None, (*deck.remarks, *deck.doubts, deck.references)):
        print(line)
    if not is_loaded:
        raise ValueError("The deck was not loaded: correct it, or load it with --as-it-is.")
    print(f"Loaded the deck {deck.name!r} with {len(deck.cases)} cases.")
    return 0


def new_code(options: argparse.Namespace) -> int:
    from skin_ai.study.logins import new_code
    from skin_ai.study.store import open_store

    print(new_code(open_store(), options.reader))
    return 0


def export(options: argparse.Namespace) -> int:
    from skin_ai.study import export
    from skin_ai.study.store import open_store

    answers = open_store().answers(options.deck)
    if options.deck is not None and answers.empty:
        raise ValueError(f"There are no answers to a deck named {options.deck!r}.")
    export.write(answers, options.out, options.format, with_patient_words=options.with_patient_words)
    print(f"{options.out}: {len(answers)} answers")
    return 0


def import_(options: argparse.Namespace) -> int:
    from skin_ai.study import export
    from skin_ai.study.store import open_store

    answers, rows = export.read_numbered(options.export)
    new = open_store().add_answers(answers, rows)
    print(f"{new} answers are new, {len(answers) - new} were here already.")
    return 0


def backup(options: argparse.Namespace) -> int:
    from skin_ai.study.store import open_store

    open_store().backup(options.out)
    print(f"{options.out}: to work with it, set SKIN_AI_DATABASE_URL=sqlite:///{options.out.resolve()}")
    return 0
