"""Export and import of the answers table; `dataset_schema.md` explains every column."""

from __future__ import annotations

import csv
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any, Final, Literal

import pandas as pd

from skin_ai.diseases import DISEASES, Nature, comparable
from skin_ai.study import private_files
from skin_ai.study.imrmc import malignancy_score, to_imrmc
from skin_ai.study.kept_facts import check as check_facts
from skin_ai.study.store import ANSWER_COLUMNS, ANSWER_TYPES, SCALES, Ranking
from skin_ai.vocabulary import AGE_BANDS, ARMS, MANAGEMENT, ROLES, SITES, YEARS_OF_PRACTICE

FileFormat = Literal["csv", "jsonl", "imrmc"]
FILES: Final[dict[FileFormat, str]] = {
    "csv": "answers.csv",
    "jsonl": "answers.jsonl",
    "imrmc": "readings.imrmc",  # cannot be imported
}
SCHEMA: Final = Path(__file__).with_name("dataset_schema.md")
PATIENT_WORDS: Final = ("narrative", "facts_extracted", "facts_confirmed")  # and what they say
# Exports of earlier versions lack them.
ADDED_LATER: Final = ("repeat", "consent_sha256", "consented_at", "arm", "management", "malignancy")
JSON_COLUMNS: Final = ("ai_answer", "facts_extracted", "facts_confirmed")
DERIVED_COLUMNS: Final = (
    "modality",
    "truth_nature",
    "truth_malignant",
    "malignancy_score",
    "correct",
    "ai_rank_1",
    "ai_probability_1",
    "outside_scope",
)  # computed from the others when writing, ignored when reading
PSEUDONYM: Final = r"R-[0-9A-Z]{8}|[0-9A-Z]{4}-[0-9A-Z]{4}"  # the second are of an earlier version
MODALITIES: Final = {"before": "unaided", "after": "aided"}
MOST_PROBLEMS: Final = 20  # listed in one error
MOST_NAMED: Final = 5  # missing columns named in a sentence

# Spreadsheets ignore blanks and quotes before a formula, and if they split cells at semicolons or tabs (as
# Excel does in much of Europe), a cell can begin within a text. A "'" is put before every such place, and
# before a "'" that is already there; import removes it.
_FORMULA: Final = r"(?:[^\S\t\r\n]|[\"\0\ufeff])*[=+\-@＝＋－＠']"  # noqa: RUF001
_TO_GUARD: Final = re.compile(rf"\A(?=[\t\r\n]|{_FORMULA})|(?<=[;|\t\r\n])(?={_FORMULA})")
_GUARDED: Final = re.compile(rf"\A'(?=[\t\r\n]|{_FORMULA})|(?<=[;|\t\r\n])'(?={_FORMULA})")


class ExportError(ValueError):
    """What is wrong with a file or folder and what to do, one problem per line."""


def to_csv(answers: pd.DataFrame, *, with_patient_words: bool = False) -> str:
    """The answers as CSV, one per row."""
    rows = (row.values() for row in _rows(answers, with_patient_words))
    return as_csv(_columns(with_patient_words), rows)


def as_csv(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A table as CSV; spreadsheets do not take any text in it for a formula."""
    out = StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(columns)
    for row in rows:
        # A negative number is no formula.
        writer.writerow(
            [_TO_GUARD.sub("'", value) if isinstance(value, str) else _cell(value) for value in row]
        )
    return "\ufeff" + out.getvalue()  # without a byte order mark Excel garbles accents


def to_jsonl(answers: pd.DataFrame, *, with_patient_words: bool = False) -> str:
    """The answers as JSON objects, one per line; missing numbers are null."""
    rows = _rows(answers, with_patient_words)
    return "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)


def write(
    answers: pd.DataFrame, out: Path, file_format: FileFormat, *, with_patient_words: bool = False
) -> None:
    """Writes a folder with the answers and their data dictionary; replaces an earlier export.

    The files are for their owner only, and so is the folder of patients' words. Raises ExportError if the
    folder holds other files, cannot be written or is a symbolic link, and NoScores.
    """
    if file_format == "imrmc":
        text = to_imrmc(answers)
    else:
        make = {"csv": to_csv, "jsonl": to_jsonl}[file_format]
        text = make(answers, with_patient_words=with_patient_words)
    try:
        if out.is_symlink():
            raise ExportError(f"{out} is a symbolic link, which is not followed: name {out.resolve()}.")
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(out.iterdir()) and not (out / SCHEMA.name).exists():
            raise ExportError(f"{out} holds other files: choose a new or empty folder.")
        if with_patient_words:
            out.chmod(0o700)
        _replace(out / SCHEMA.name, SCHEMA.read_bytes())
        _replace(out / FILES[file_format], text.encode())
        for other in FILES.keys() - {file_format}:  # of an earlier export
            (out / FILES[other]).unlink(missing_ok=True)
    except OSError as error:
        raise ExportError(f"{out} cannot be written ({error.strerror}): choose another folder.") from error


def read(path: Path) -> pd.DataFrame:
    """The answers table of an export, as `read_numbered`."""
    return read_numbered(path)[0]


def read_numbered(path: Path) -> tuple[pd.DataFrame, list[int]]:
    """The answers table of an export, given its folder or file, and the number of each row in the file.

    Without patients' words, `narrative` is "". Raises ExportError for anything that Store.answers could not
    have returned.
    """
    file = _file_of(path)
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ExportError(f"{file} cannot be read ({error.strerror}): choose an export.") from error
    except UnicodeDecodeError as error:
        raise ExportError(f"{file} is not UTF-8 text: save it as UTF-8.") from error
    rows = _rows_of_csv(text) if file.suffix.lower() == ".csv" else _rows_of_jsonl(text)
    return _answers(rows)


def _columns(with_patient_words: bool) -> tuple[str, ...]:
    columns = (*ANSWER_COLUMNS, *DERIVED_COLUMNS)
    return tuple(column for column in columns if with_patient_words or column not in PATIENT_WORDS)


def _rows(answers: pd.DataFrame, with_patient_words: bool) -> Iterator[dict[str, Any]]:
    """Each answer as text, numbers and None."""
    columns = _columns(with_patient_words)
    table = answers[list(ANSWER_COLUMNS)]
    for row in table.astype(object).where(table.notna(), None).to_dict("records"):
        row |= _derived(row)
        for column in JSON_COLUMNS:
            row[column] = "" if row[column] is None else json.dumps(row[column])
        for column in ("answered_at", "consented_at"):
            row[column] = (
                "" if row[column] is None else f"{row[column].astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
            )
        yield {column: row[column] for column in columns}


def _derived(row: dict[str, Any]) -> dict[str, Any]:
    first, truth = comparable(row["rank_1"]), comparable(row["truth"])
    nature = DISEASES[truth].nature if truth in DISEASES else None
    ai = row["ai_answer"]
    return {
        "modality": MODALITIES[row["stage"]],
        "truth_nature": "" if nature is None else nature.value,
        "truth_malignant": None if nature is None else int(nature is Nature.MALIGNANT),
        "malignancy_score": malignancy_score(first, row["confidence"]),
        "correct": int(first == truth) if truth in DISEASES else None,
        "ai_rank_1": ai[0][0] if ai else "",
        "ai_probability_1": ai[0][1] if ai else None,
        "outside_scope": int(first not in [type_ for type_, _ in ai]) if ai else None,
    }


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))  # spreadsheets translate words such as TRUE
    return value if isinstance(value, str) else repr(value)


def _replace(path: Path, data: bytes) -> None:
    """Writes the file completely or not at all."""
    unfinished = path.with_name(f".{path.name}.partial")
    try:
        unfinished.unlink(missing_ok=True)
        with open(private_files.create(unfinished), "wb") as file:
            file.write(data)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _file_of(path: Path) -> Path:
    if path.is_dir():
        names_of_answers = [FILES["csv"], FILES["jsonl"]]
        files = [path / name for name in names_of_answers if (path / name).is_file()]
        if len(files) != 1:
            names = " and ".join(names_of_answers)
            raise ExportError(f"{path} holds {len(files)} of {names}: choose a folder with one of them.")
        return files[0]
    if path.suffix.lower() not in (".csv", ".jsonl"):
        raise ExportError(f"{path} is not a .csv or .jsonl file: choose an export.")
    return path


Rows = Iterable[tuple[int, dict[str, str]]]  # row as numbered by a spreadsheet or editor, and its cells


def _rows_of_csv(text: str) -> Rows:
    records = csv.reader(StringIO(text, newline=""), strict=True)
    rows = []
    try:
        header = next(records, [])
        _check_columns(1, header)
        for row, cells in enumerate(records, start=2):
            if cells and len(cells) != len(header):
                counts = f"{len(cells)} cells, the header {len(header)}"
                raise ExportError(f"row {row} has {counts}: make them equal.")
            if cells:
                texts = [_GUARDED.sub("", cell) for cell in cells]
                rows.append((row, dict(zip(header, texts, strict=True))))
    except csv.Error as error:
        raise ExportError(f"line {records.line_num}: {error}. Export the file again.") from error
    return rows


def _rows_of_jsonl(text: str) -> Rows:
    rows = []
    for row, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ExportError(f"row {row} is not JSON ({error}): export the file again.") from error
        if not isinstance(record, dict):
            raise ExportError(f"row {row} is not a JSON object: export the file again.")
        _check_columns(row, list(record))
        for column, value in record.items():
            if isinstance(value, list | dict):
                raise ExportError(f"row {row}, {column}: holds a list or an object; write text or a number.")
        rows.append((row, {column: _cell(value) for column, value in record.items()}))
    return rows


def _check_columns(row: int, columns: Sequence[str]) -> None:
    there = {*columns, *PATIENT_WORDS, *ADDED_LATER}
    missing = [column for column in ANSWER_COLUMNS if column not in there]
    if missing:
        more = len(missing) - MOST_NAMED
        named = ", ".join(missing[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        raise ExportError(f"row {row} lacks the columns {named}: export the file again, with commas.")
    for column in columns:
        if column not in (*ANSWER_COLUMNS, *DERIVED_COLUMNS):
            raise ExportError(f"row {row}: the column {column[:40]!r} is unknown; remove it.")
        if columns.count(column) > 1:
            raise ExportError(f"row {row}: the column {column} appears twice; remove one.")


def _shaped(pattern: str, what: str, cell: str) -> str:
    if not re.fullmatch(pattern, cell):
        raise ValueError(f"is {cell[:40]!r}; it must be {what}.")
    return cell


def _one_of(values: Sequence[str], cell: str) -> str:
    if cell not in values:
        allowed = ", ".join(value or "nothing" for value in values)
        raise ValueError(f"is {cell[:40]!r}; it must be one of: {allowed}.")
    return cell


def _whole_number(low: int, high: int, cell: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", cell) or not low <= int(cell) <= high:
        raise ValueError(f"is {cell[:40]!r}; it must be a whole number from {low} to {high}.")
    return int(cell)


def _number_or_none(low: int, high: int, cell: str) -> int | None:
    return _whole_number(low, high, cell) if cell else None


def _moment(cell: str) -> datetime:
    try:
        moment = datetime.fromisoformat(cell)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"is {cell[:40]!r}; it must be a time such as 2026-03-02T09:30:00Z.")


def _duration(cell: str) -> float:
    try:
        seconds = float(cell)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ValueError(f"is {cell[:40]!r}; it must be a number of seconds such as 12.5.")
    return seconds


def _ai_answer(cell: str) -> Ranking | None:
    try:
        ranking = tuple((type_, probability) for type_, probability in json.loads(cell or "[]"))
        if not all(isinstance(type_, str) and 0 <= value < 1.001 for type_, value in ranking):  # 1, rounded
            raise ValueError
    except (ValueError, TypeError, RecursionError):
        raise ValueError('must be JSON such as [["BCC", 0.61], ["SCC", 0.39]], or empty.') from None
    return ranking if cell else None


def _facts_extracted(cell: str) -> dict[str, Any] | None:
    return _checked(cell, lambda held: check_facts(held, None))


def _facts_confirmed(cell: str) -> dict[str, Any] | None:
    return _checked(cell, lambda held: check_facts(None, held))


def _checked(cell: str, check: Callable[[dict[str, Any]], None]) -> dict[str, Any] | None:
    if not cell:
        return None
    try:
        held = json.loads(cell)
        if not isinstance(held, dict):
            raise ValueError
        check(held)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ValueError("must be the JSON that an export writes, or empty.") from None
    return held


# Other columns may hold any text.
_PARSERS: Final[dict[str, Callable[[str], Any]]] = {
    "reader": partial(_shaped, PSEUDONYM, "a pseudonym such as R-K7Q4M2XD"),
    "role": partial(_one_of, (*ROLES, "")),
    "years_of_practice": partial(_one_of, (*YEARS_OF_PRACTICE, "")),
    "consent_sha256": partial(_shaped, r"([0-9a-f]{64})?", "64 hexadecimal digits or empty"),
    "consented_at": lambda cell: _moment(cell) if cell else None,
    "case": partial(_shaped, r"[0-9a-f]{32}", "32 hexadecimal digits"),
    "stage": partial(_one_of, tuple(MODALITIES)),
    "blinded": lambda cell: _one_of(("1", "0"), cell) == "1",
    "repeat": lambda cell: _one_of(("1", "0", ""), cell) == "1",
    "arm": partial(_one_of, (*ARMS, "")),
    "answered_at": _moment,
    "seconds": _duration,
    "rank_1": partial(_shaped, r"(?s).*\S.*", "a diagnosis"),
    "confidence": partial(_whole_number, 0, 100),
    "management": partial(_one_of, (*MANAGEMENT, "")),
    "malignancy": partial(_number_or_none, 0, 100),
    "age_band": partial(_one_of, (*AGE_BANDS, "")),
    "body_site": partial(_one_of, (*SITES, "")),
    "fitzpatrick": partial(_number_or_none, 1, 6),
    "bundle_sha256": partial(_shaped, r"([0-9a-f]{64})?", "64 hexadecimal digits or empty"),
    "ai_answer": _ai_answer,
    "facts_extracted": _facts_extracted,
    "facts_confirmed": _facts_confirmed,
    **dict.fromkeys(SCALES, partial(_number_or_none, 1, 5)),
}
# A reader, a case and a run are stored once, so their rows must agree.
_SAME: Final = {
    ("reader",): ("role", "years_of_practice"),
    ("reader", "deck"): ("consent_sha256", "consented_at"),
    ("case",): ("deck", "sample", "age_band", "body_site", "fitzpatrick", "truth", *PATIENT_WORDS),
    ("reader", "case"): (
        "repeat",
        "arm",
        "bundle",
        "bundle_version",
        "bundle_sha256",
        "ai_answer",
        "ai_undecided",
    ),
}


def _answers(rows: Rows) -> tuple[pd.DataFrame, list[int]]:
    records: dict[int, dict[str, Any]] = {}
    problems = []
    for row, cells in rows:
        record = {}
        for column in ANSWER_COLUMNS:
            try:
                record[column] = _PARSERS.get(column, str)(cells.get(column, ""))
            except ValueError as error:
                problems.append(f"row {row}, {column}: {error}")
        if len(record) == len(ANSWER_COLUMNS):
            records[row] = record
    problems += _contradictions(records)
    if problems:
        more = len(problems) - MOST_PROBLEMS
        raise ExportError("\n".join(problems[:MOST_PROBLEMS] + [f"and {more} more problems."] * (more > 0)))
    table = pd.DataFrame(records.values(), columns=list(ANSWER_COLUMNS))
    return table.astype(ANSWER_TYPES), [*records]


def _contradictions(records: dict[int, dict[str, Any]]) -> Iterator[str]:
    seen: dict[tuple[str, ...], int] = {}
    for row, record in records.items():
        if bool(record["bundle"]) != (record["ai_answer"] is not None):
            yield f"row {row}, ai_answer: needs a bundle, and the reverse; fill in or empty both."
        if not {*record["ai_undecided"].split()} <= {type_ for type_, _ in record["ai_answer"] or ()}:
            yield f"row {row}, ai_undecided: names types that ai_answer has not; correct one of them."
        if record["stage"] == "before":
            if not record["blinded"]:
                yield f"row {row}, blinded: is 0, so there is no answer at stage before; remove the row."
            has_feedback = record["comment"] or any(record[scale] is not None for scale in SCALES)
            if has_feedback and not record["sample"]:
                yield f"row {row}, comment: feedback belongs to stage after; move it there."
        first = seen.setdefault(("answer", record["reader"], record["case"], record["stage"]), row)
        if first != row:
            yield f"row {row}, stage: the same reader, case and stage as row {first}; keep one."
        for key, columns in _SAME.items():
            first = seen.setdefault((*key, *(record[column] for column in key)), row)
            for column in columns:
                if record[column] != records[first][column]:
                    same = f"row {first}, of the same {' and '.join(key)}"
                    yield f"row {row}, {column}: differs from {same}; make them equal."
