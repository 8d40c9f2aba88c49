import csv
import errno
import io
import json
import random
import re
import stat
from pathlib import Path

import made_up_study
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from skin_ai.study import statistics
from skin_ai.study.export import (
    DERIVED_COLUMNS,
    FILES,
    MOST_PROBLEMS,
    SCHEMA,
    ExportError,
    read,
    to_csv,
    to_jsonl,
    write,
)
from skin_ai.study.store import ANSWER_COLUMNS, RANKS
from skin_ai.vocabulary import AGE_BANDS, ROLES, YEARS_OF_PRACTICE

ADDED_LATER = ("repeat", "consent_sha256", "consented_at", "arm", "management", "malignancy")
FULL_WIDTH = "\uff1d\uff0b\uff0d\uff20"  # = + - @
# Whatever a spreadsheet, a CSV parser or a line splitter stumbles over.
NASTY = (
    *FULL_WIDTH,
    *"=+-@'\"\t\r\n\0;,|: \xa0\u2028\x85\x1e\ufeffaéß皮🦠1\\[]{}",
    "\r\n",
    "''",
    '""',
    ";'-",
)

each_format = pytest.mark.parametrize("file_format", ["csv", "jsonl"])


@pytest.fixture
def answers() -> pd.DataFrame:
    table = made_up_study.answers(n_readers=4, n_cases=12)
    ranks = [sorted(given, key=lambda rank: rank == "") for given in table[list(RANKS)].to_numpy()]
    return table.assign(**dict(zip(RANKS, zip(*ranks, strict=True), strict=True)))  # no gap between them


@pytest.fixture
def nasty() -> pd.DataFrame:
    """Answers with anything in their texts."""
    answers = made_up_study.with_management(made_up_study.answers(n_readers=10, n_cases=40))
    draw = random.Random(0)

    def text() -> str:
        return "".join(draw.choices(NASTY, k=draw.randrange(1, 9))) + draw.choice(("", "x"))

    for column in (*RANKS, "reason", "comment"):
        answers[column] = [text() for _ in range(len(answers))]
    for column in ("deck", "truth", "narrative"):
        answers[column] = answers["case"].map({case: text() for case in answers["case"].unique()})
    answers["rank_1"] += "x"  # never blank
    answers.loc[answers["stage"] == "before", "comment"] = ""
    return answers


def exported(answers: pd.DataFrame, **chosen) -> list[dict[str, str]]:
    """The rows as another program reads them from CSV."""
    return list(csv.DictReader(io.StringIO(to_csv(answers, **chosen).removeprefix("\ufeff"), newline="")))


def save(rows: list[dict[str, str]], path: Path) -> Path:
    """The file as someone makes it by hand, all values as text."""
    with path.open("w", encoding="utf-8", newline="") as file:
        if path.suffix == ".csv":
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
        else:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def one_answer(answers: pd.DataFrame, **values) -> pd.DataFrame:
    return answers[answers["stage"] == "after"].head(1).assign(**values)


@each_format
def test_what_is_read_is_what_was_written(nasty, tmp_path, file_format):
    write(nasty, tmp_path / "out", file_format, with_patient_words=True)
    assert_frame_equal(read(tmp_path / "out"), nasty)
    assert_frame_equal(read(tmp_path / "out" / FILES[file_format]), nasty)


@each_format
def test_export_of_an_earlier_version_is_read(answers, tmp_path, file_format):
    rows = [
        {column: cell for column, cell in row.items() if column not in ADDED_LATER}
        for row in exported(answers, with_patient_words=True)
    ]
    path = save(rows, tmp_path / FILES[file_format])
    assert_frame_equal(read(path), answers)


@each_format
def test_no_answers_are_read_as_none(answers, tmp_path, file_format):
    write(answers.head(0), tmp_path, file_format)
    assert_frame_equal(read(tmp_path), answers.head(0), check_index_type=False)


@each_format
def test_statistics_of_an_import_are_those_of_the_original(answers, tmp_path, file_format):
    write(answers, tmp_path, file_format)
    original, imported = statistics.readings(answers), statistics.readings(read(tmp_path))
    assert len(original) > 40
    assert statistics.is_undecided(original).any()
    assert_frame_equal(imported, original)


@each_format
def test_import_into_an_empty_database_gives_the_same_answers(answers, tmp_path, store, file_format):
    write(answers, tmp_path / "out", file_format, with_patient_words=True)
    store.add_answers(read(tmp_path / "out"))
    order = ["answered_at", "reader", "case"]
    found, given = (table.sort_values(order, ignore_index=True) for table in (store.answers(), answers))
    assert_frame_equal(found, given, check_dtype=False)


@pytest.mark.parametrize("start", [*"=+-@'\t\r\n", *FULL_WIDTH, " =", '"=', "\0="])
def test_spreadsheet_takes_no_text_for_a_formula(answers, start):
    text = f"{start}HYPERLINK(A1)"
    table = one_answer(answers, reason=text, comment=f"no;{text};see", rank_1=text, deck=text)
    (row,) = exported(table)
    for column in ("reason", "rank_1", "deck"):
        assert row[column] == "'" + text
    if start not in "\t\r\n":  # after ; only what Excel would run once it splits cells there
        assert row["comment"] == f"no;'{text};see"


@pytest.mark.parametrize("text", ["flat, -bleeding", "ulcer -> BCC", "a='b'", "patient's mole; no change"])
def test_ordinary_text_stays_readable(answers, text):
    (row,) = exported(one_answer(answers, reason=text))
    assert row["reason"] == text


@pytest.mark.parametrize("make", [to_csv, to_jsonl])
def test_patient_words_leave_only_on_demand(answers, make):
    words = made_up_study.WORDS_OF_THE_PATIENT
    assert words not in make(answers)
    assert "narrative" not in make(answers)
    assert "facts_" not in make(answers)
    assert words in make(answers, with_patient_words=True)


def test_without_patient_words_the_rest_is_read(answers, tmp_path):
    write(answers, tmp_path, "csv")
    without = answers.assign(narrative="", facts_extracted=None, facts_confirmed=None)
    assert_frame_equal(read(tmp_path), without)


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("facts_confirmed", '{"itch": "perhaps"}'),
        ("facts_confirmed", '{"age": 620}'),
        ("facts_confirmed", '["itch"]'),
        ("facts_extracted", '{"language": "en", "facts": {}}'),
        ("facts_extracted", "{"),
    ],
)
def test_facts_that_no_app_has_kept_are_refused(answers, tmp_path, column, cell):
    [row] = exported(one_answer(answers), with_patient_words=True)
    with pytest.raises(ExportError, match=rf"row 2, {column}: must be the JSON"):
        read(save([row | {column: cell}], tmp_path / "answers.csv"))


AI = (("MEL", 0.7), ("NEV", 0.2), ("ACK", 0.1))
NO_RUN = {"ai_answer": None, "bundle": "", "bundle_version": "", "bundle_sha256": ""}


@pytest.mark.parametrize(
    ("given", "derived"),
    [
        ({"rank_1": "MEL", "truth": "MEL"}, ("malignant", 1, 181, 1, "MEL", 0.7, 0)),
        ({"rank_1": "NEV", "truth": "MEL"}, ("malignant", 1, 20, 0, "MEL", 0.7, 0)),
        ({"rank_1": "ACK", "truth": "NEV"}, ("benign", 0, 20, 0, "MEL", 0.7, 0)),
        ({"rank_1": "BCC", "truth": "ACK"}, ("pre-malignant", 0, 181, 0, "MEL", 0.7, 1)),
        ({"rank_1": "chilblain", "truth": " Chilblain"}, ("", None, None, None, "MEL", 0.7, 1)),
        ({"rank_1": "melanoma", "truth": "MEL"}, ("malignant", 1, 181, 1, "MEL", 0.7, 0)),
        ({"rank_1": "MEL", "truth": ""}, ("", None, 181, None, "MEL", 0.7, 0)),
        ({"rank_1": "MEL", "truth": "MEL"} | NO_RUN, ("malignant", 1, 181, 1, "", None, None)),
    ],
)
def test_derived_columns(answers, given, derived):
    table = one_answer(answers, confidence=80, **given)
    table["ai_answer"] = [given.get("ai_answer", AI)]
    expected = dict(zip(DERIVED_COLUMNS, ("aided", *derived), strict=True))
    row = json.loads(to_jsonl(table))
    assert {column: row[column] for column in DERIVED_COLUMNS} == expected
    (row,) = exported(table)
    as_text = {column: "" if value is None else str(value) for column, value in expected.items()}
    assert {column: row[column] for column in DERIVED_COLUMNS} == as_text


def test_answers_before_are_unaided(answers):
    modalities = {(row["stage"], row["modality"]) for row in exported(answers)}
    assert modalities == {("before", "unaided"), ("after", "aided")}


def test_numbers_and_times_are_the_same_in_every_country(answers):
    at = pd.Timestamp("2026-03-02T10:30:00.000001+01:00").tz_convert("UTC").as_unit("us")
    (row,) = exported(one_answer(answers, answered_at=at, seconds=1234.5, blinded=True, agrees=pd.NA))
    assert row["answered_at"] == "2026-03-02T09:30:00.000001Z"
    assert (row["seconds"], row["blinded"], row["agrees"]) == ("1234.5", "1", "")


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("stage", "during", "before, after"),
        ("confidence", "101", "from 0 to 100"),
        ("confidence", "-1", "from 0 to 100"),
        ("confidence", "62.5", "whole number"),
        ("fitzpatrick", "7", "from 1 to 6"),
        ("management", "wait", "reassure, follow up"),
        ("malignancy", "101", "from 0 to 100"),
        ("arm", "everything", "nothing, ranking"),
        ("would_use", "0", "from 1 to 5"),
        ("seconds", "-0.5", "seconds"),
        ("seconds", "nan", "seconds"),
        ("seconds", "12,5", "seconds"),
        ("blinded", "yes", "1, 0"),
        ("answered_at", "2026-03-02T09:30:00", "such as 2026-03-02T09:30:00Z"),
        ("answered_at", "02.03.2026", "such as 2026-03-02T09:30:00Z"),
        ("answered_at", "0001-01-01T00:00:00+14:00", "such as 2026-03-02T09:30:00Z"),
        ("case", "1.2E+31", "32 hexadecimal digits"),
        ("reader", "Dr. Jane Doe", "a pseudonym such as"),
        ("role", "wizard", "dermatologist, "),
        ("years_of_practice", "05-Mar", "3-5"),
        ("age_band", "45", "40-59"),
        ("body_site", "MARS", "NOSE"),
        ("rank_1", " ", "a diagnosis"),
        ("ai_answer", "[[", "must be JSON"),
        ("ai_answer", '{"BCC": 1}', "must be JSON"),
        ("ai_answer", '[["BCC", 1.5]]', "must be JSON"),
        ("ai_answer", "[" * 100_000, "must be JSON"),
        ("ai_answer", "", "bundle"),
        ("bundle_sha256", "0", "64 hexadecimal digits"),
    ],
)
@each_format
def test_malformed_cell_is_named_with_row_and_column(answers, tmp_path, column, cell, said, file_format):
    rows = exported(answers[answers["stage"] == "after"].head(2))
    rows[1][column] = cell
    path = save(rows, tmp_path / FILES[file_format])
    with pytest.raises(ExportError) as error:
        read(path)
    assert str(error.value).startswith(f"row {3 if file_format == 'csv' else 2}, {column}: ")
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stage": "before"}, "row 3, stage: the same reader, case and stage as row 2"),
        ({"stage": "before", "blinded": "0"}, "row 3, blinded: is 0"),
        ({"stage": "before", "comment": "good"}, "row 3, comment: feedback"),
        ({"arm": "steps"}, "row 3, arm: differs from row 2, of the same reader and case"),
        ({"role": "nurse"}, "row 3, role: differs from row 2, of the same reader"),
        ({"truth": "DRUG"}, "row 3, truth: differs from row 2, of the same case"),
        ({"ai_answer": json.dumps(AI)}, "row 3, ai_answer: differs from row 2, of the same reader and case"),
    ],
)
def test_rows_that_contradict_one_another_are_named(answers, tmp_path, changes, said):
    (before, after) = exported(answers.groupby(["reader", "case"]).filter(lambda rows: len(rows) == 2))[:2]
    after |= before | {"stage": "after"} | changes
    with pytest.raises(ExportError, match=re.escape(said)):
        read(save([before, after], tmp_path / "answers.csv"))


def test_all_problems_are_said_at_once_but_not_without_end(answers, tmp_path):
    rows = [row | {"confidence": "many", "seconds": "?"} for row in exported(answers)]
    with pytest.raises(ExportError) as error:
        read(save(rows, tmp_path / "answers.csv"))
    lines = str(error.value).splitlines()
    assert len(lines) == MOST_PROBLEMS + 1
    assert lines[-1] == f"and {2 * len(rows) - MOST_PROBLEMS} more problems."


@pytest.mark.parametrize(
    ("name", "spoil", "said"),
    [
        ("answers.csv", lambda text: "", "lacks the columns reader, role, years_of_practice, deck, case and"),
        ("answers.csv", lambda text: text.replace('","', '";"'), "line 1: ',' expected"),
        ("answers.csv", lambda text: text.replace('"stage"', '"phase"', 1), "row 1 lacks the columns stage:"),
        ("answers.csv", lambda text: text.replace('"correct"', '"name"', 1), "column 'name' is unknown"),
        ("answers.csv", lambda text: text.replace('"correct"', '"case"', 1), "case appears twice"),
        ("answers.csv", lambda text: text + '"K7Q4-M2XD","nurse"', "row 3 has 2 cells, the header "),
        ("answers.csv", lambda text: text.removesuffix('"\r\n'), "line 2: unexpected end of data"),
        ("answers.jsonl", lambda text: text[:-9], "row 1 is not JSON"),
        ("answers.jsonl", lambda text: text + "[" * 100_000, "row 2 is not JSON"),
        ("answers.jsonl", lambda text: text + "[1]", "row 2 is not a JSON object"),
        ("answers.jsonl", lambda text: text + '{"reader": "K7Q4-M2XD"}', "row 2 lacks the columns role, "),
        ("answers.jsonl", lambda text: text.replace('son": ""', 'son": []'), "row 1, reason: holds a list"),
    ],
)  # fmt: skip
def test_damaged_file_is_refused(answers, tmp_path, name, spoil, said):
    text = {"answers.csv": to_csv, "answers.jsonl": to_jsonl}[name](one_answer(answers))
    (tmp_path / name).write_bytes(spoil(text).encode())
    with pytest.raises(ExportError, match=re.escape(said)):
        read(tmp_path / name)


def test_what_is_no_export_is_refused(answers, tmp_path):
    with pytest.raises(ExportError, match="holds 0 of"):
        read(tmp_path)
    with pytest.raises(ExportError, match="cannot be read"):
        read(tmp_path / "answers.csv")
    with pytest.raises(ExportError, match=r"not a \.csv or \.jsonl file"):
        read(tmp_path / "answers.xlsx")
    (tmp_path / "answers.csv").write_bytes(to_csv(answers.assign(reason="très")).encode("cp1252", "replace"))
    with pytest.raises(ExportError, match="not UTF-8"):
        read(tmp_path / "answers.csv")


def test_new_export_replaces_an_old_one(answers, tmp_path):
    write(answers, tmp_path, "csv", with_patient_words=True)
    write(answers.head(3), tmp_path, "jsonl")
    assert {path.name for path in tmp_path.iterdir()} == {"answers.jsonl", SCHEMA.name}
    assert len(read(tmp_path)) == 3


def test_folder_that_holds_something_else_is_left_alone(answers, tmp_path):
    (tmp_path / "answers.csv").write_text("mine")
    with pytest.raises(ExportError, match="holds other files"):
        write(answers, tmp_path, "csv")
    assert (tmp_path / "answers.csv").read_text() == "mine"
    with pytest.raises(ExportError, match="cannot be written"):
        write(answers, tmp_path / "answers.csv", "csv")


def test_export_is_for_its_owner_only(answers, tmp_path):
    out = tmp_path / "out"
    out.mkdir(mode=0o755)
    write(answers, out, "csv", with_patient_words=True)
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    write(answers, tmp_path / "new", "jsonl")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_export_follows_no_symbolic_link(answers, tmp_path):
    theirs, out = tmp_path / "theirs", tmp_path / "out"
    theirs.mkdir()
    out.symlink_to(theirs)
    with pytest.raises(ExportError, match=f"symbolic link, which is not followed: name {theirs}"):
        write(answers, out, "csv")
    assert not list(theirs.iterdir())
    out.unlink()
    write(answers, out, "csv")
    for name in (FILES["csv"], f".{FILES['csv']}.partial"):
        (out / name).unlink(missing_ok=True)
        (out / name).symlink_to(theirs / "planted")
    write(answers, out, "csv")
    assert not list(theirs.iterdir())
    assert not (out / FILES["csv"]).is_symlink()


def test_interrupted_export_leaves_the_old_one(answers, tmp_path, monkeypatch):
    write(answers, tmp_path, "csv")

    def fail(*paths: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(ExportError, match="No space left on device"):
        write(answers.head(1), tmp_path, "csv")
    assert len(read(tmp_path)) == len(answers)
    assert {path.name for path in tmp_path.iterdir()} == {"answers.csv", SCHEMA.name}


def test_every_column_is_documented_and_none_that_does_not_exist(answers):
    documented = re.findall(r"^\| `(\w+)` \|", SCHEMA.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert documented == [*ANSWER_COLUMNS, *DERIVED_COLUMNS]
    assert sorted(documented) == sorted(exported(one_answer(answers), with_patient_words=True)[0])


def test_documented_values_are_those_of_the_app():
    text = SCHEMA.read_text(encoding="utf-8")
    for values in (ROLES, YEARS_OF_PRACTICE, AGE_BANDS):
        assert f"| {', '.join(values)}; empty: not stated |" in text
