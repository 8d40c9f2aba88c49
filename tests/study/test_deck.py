import csv
import io
import os
import stat
import struct
import tracemalloc
import unicodedata
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from drawn_cases import as_jpeg, draw_dataset, mini_rows
from PIL import Image

from skin_ai.commands.make_deck import make_deck
from skin_ai.diseases import LABEL_SETS
from skin_ai.study import deck as decks
from skin_ai.study import safe_zip
from skin_ai.study.deck import (
    MAX_CASES,
    MAX_SIDE,
    Deck,
    DeckError,
    Problem,
    read_files,
    read_folder,
    read_zip,
)
from skin_ai.study.safe_zip import MAX_FILES, ZipRefused, files_of_zip

TABLE = (
    "photo,narrative,age_band,body_site,fitzpatrick,reference,explanation\r\n"
    'a.jpg,"It itches, and it grew.\nNo pain.",60-79,face,3,basalioma,"Pearly, with vessels"\r\n'
    "photos/b.jpg,,,,,Wells  syndrome,\r\n"
    ",Only words.,18-39,BACK,,,\r\n"
)


def drawn(shade: int, height: int = 70, width: int = 90) -> bytes:
    return as_jpeg(np.full((height, width, 3), shade, np.uint8))


@pytest.fixture
def files() -> dict[str, bytes]:
    """A deck that is right in all, as its files."""
    return {
        "cases.csv": TABLE.encode(),
        "deck.toml": b'name = "Two photos"\nshow_reference = true\n',
        "a.jpg": drawn(100),
        "photos/b.jpg": drawn(200),
        "photos/left over.jpg": b"no row names this",
    }


def written(files: dict[str, bytes], folder: Path) -> Path:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return file.getvalue()


def table_of(text: str) -> dict[str, bytes]:
    return {"cases.csv": text.encode(), "a.jpg": drawn(100), "b.jpg": drawn(200)}


def problems_in(files: dict[str, bytes]) -> tuple[Problem, ...]:
    with pytest.raises(DeckError) as caught:
        read_files(files, "deck")
    assert str(caught.value).splitlines() == [str(problem) for problem in caught.value.problems]
    return caught.value.problems


def refusal_of(data: bytes) -> str:
    """The one sentence with which a zip is refused."""
    with pytest.raises(DeckError) as caught:
        read_zip(data, "deck.zip")
    (problem,) = caught.value.problems
    assert (problem.row, problem.column) == (None, "")
    return problem.what


def plain(deck: Deck) -> list[object]:
    """What is comparable of a deck."""
    return [deck.name, deck.shows_reference, *map(vars, deck.cases)]


# --- what is read


def test_deck_has_what_its_table_says(files):
    deck = read_files(files, "upload")
    assert (deck.name, deck.shows_reference, len(deck.cases)) == ("Two photos", True, 3)
    first, second, third = deck.cases
    assert first.photo.pixels.shape == (70, 90, 3)
    assert abs(int(first.photo.pixels.mean()) - 100) < 3
    assert first.narrative == "It itches, and it grew. No pain."
    assert (first.age_band, first.body_site, first.fitzpatrick) == ("60-79", "FACE", 3)
    assert (first.reference, first.explanation) == ("BCC", "Pearly, with vessels")
    assert (second.reference, second.narrative) == ("Wells syndrome", "")
    assert (second.age_band, second.body_site, second.fitzpatrick) == ("", "", None)
    assert third.photo is None
    assert third.narrative == "Only words."


def in_a_top_folder(files: dict[str, bytes]) -> dict[str, bytes]:
    """As macOS packs a folder."""
    hidden = {"deck/.DS_Store": b"x", "__MACOSX/deck/._cases.csv": b"x", "__MACOSX/cases.csv": b"x"}
    return {f"deck/{path}": data for path, data in files.items()} | hidden


def test_folder_zip_and_upload_give_the_same_deck(files, tmp_path):
    expected = plain(read_files(files, "upload"))
    assert plain(read_folder(written(files, tmp_path / "flat"))) == expected
    assert plain(read_zip(zipped(files), "deck.zip")) == expected
    assert plain(read_zip(io.BytesIO(zipped(files, zipfile.ZIP_STORED)), "deck.zip")) == expected
    nested = in_a_top_folder(files)
    assert plain(read_files(nested, "upload")) == expected
    assert plain(read_zip(zipped(nested), "deck.zip")) == expected
    assert plain(read_folder(written(nested, tmp_path / "nested"))) == expected


def with_semicolons(table: str, delimiter: str = ";") -> str:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter).writerows(csv.reader(io.StringIO(table, newline="")))
    return file.getvalue()


SPELLINGS = {
    "semicolons": with_semicolons(TABLE),
    "semicolons and a byte order mark": "\ufeff" + with_semicolons(TABLE),
    "byte order mark": "\ufeff" + TABLE,
    "line ends of Linux": TABLE.replace("\r\n", "\n"),
    "empty rows": TABLE + ",,,,,,\r\n\r\n",
    "capitals": TABLE.replace("photo,narrative", "Photo , NARRATIVE"),
    "paths of Windows": TABLE.replace("photos/b.jpg", "photos\\b.jpg"),
    "dots": TABLE.replace("photos/b.jpg", "./photos//b.jpg"),
    "a long dash": TABLE.replace("60-79", "60\u201379"),
    "numbers with a point": TABLE.replace(",3,", ",3.0,"),
    "numbers with a comma": TABLE.replace(",3,", ',"3,0",'),
    "two byte order marks": "\ufeff\ufeff" + TABLE,
    "Excel's line": "sep=;\r\n" + with_semicolons(TABLE),
    "tabs": with_semicolons(TABLE, "\t"),
    "line ends of old Macs": TABLE.replace("\r\n", "\r"),
    "a title": "Course of May,,,,,,\r\n,,,,,,\r\n" + TABLE,
    "a title and semicolons": "Course; of May\r\n" + with_semicolons(TABLE),
    "invisible characters": TABLE.replace("photo,", "\u200bpho\u00adto\u00a0,").replace(
        ",3,", ",\u200e3\u00a0,"
    ),
    "words for nothing": TABLE.replace("photos/b.jpg,,,,,", "photos/b.jpg,NULL,#N/A,n/a,-,").replace(
        "BACK,,,", "BACK,nan,NA,\u2013"
    ),
    "more words for nothing": TABLE.replace(
        "photos/b.jpg,,,,,", "photos/b.jpg,N.A.,unknown,(null),?,"
    ).replace("BACK,,,", "BACK,---,NIL,\\N"),
    "spaces before quotation marks": TABLE.replace(",", ", ").replace("grew. ", "grew."),
    "row numbers without a header": "".join(
        f"{number},{row}\r\n" for number, row in zip(["", 1, 2, 3], TABLE.split("\r\n"), strict=False)
    ),
    "folder in paths": TABLE.replace("a.jpg", "deck/a.jpg"),
    "Roman skin type": TABLE.replace(",3,", ",III,"),
    "spaces in an age band": TABLE.replace("60-79", "60 - 79"),
    "ages": TABLE.replace("age_band", "age").replace("60-79", "71").replace("18-39", "18.0"),
}


@pytest.mark.parametrize("table", SPELLINGS.values(), ids=SPELLINGS)
def test_tables_of_all_programs_are_read(files, table):
    expected = plain(read_files(files, "deck"))
    sent = {f"deck/{path}": data for path, data in (files | {"cases.csv": table.encode()}).items()}
    assert plain(read_files(sent, "deck")) == expected


@pytest.mark.parametrize(
    ("age", "band"),
    [
        ("0", "0-17"), ("17", "0-17"), ("18", "18-39"), ("39.5", "18-39"), ("40", "40-59"), ("60", "60-79"),
        ("79", "60-79"), ("80", "80 and over"), ("120", "80 and over"),
    ],
)  # fmt: skip
def test_age_in_years_becomes_a_band(age, band):
    deck = read_files(table_of(f"narrative,age\nIt itches.,{age}\n"), "deck")
    assert deck.cases[0].age_band == band


def test_deck_without_settings_has_the_name_of_its_file_and_hides_the_reference(files, tmp_path):
    del files["deck.toml"]
    assert plain(read_zip(zipped(files), "Tuesday.ZIP"))[:2] == ["Tuesday", False]
    assert plain(read_folder(written(files, tmp_path / "monday")))[:2] == ["monday", False]


@pytest.mark.parametrize("name", ["Screenshot 3.14\u202fPM.jpg", "a\u00a0 b.jpg", "\uff41\uff11.jpg"])
def test_name_with_other_spaces_or_wide_letters_is_found(files, name):
    files[name] = files.pop("a.jpg")
    as_typed = " ".join(unicodedata.normalize("NFKC", name).split())
    files["cases.csv"] = TABLE.replace("a.jpg", as_typed).encode()
    assert read_zip(zipped(files), "deck").cases[0].photo is not None


def test_accents_of_macos_are_found(files):
    files["La\u0308sion.jpg"] = files.pop("a.jpg")
    files["cases.csv"] = TABLE.replace("a.jpg", "L\u00e4sion.jpg").encode()
    assert read_zip(zipped(files), "deck").cases[0].photo is not None


def test_words_lose_what_cannot_be_seen():
    table = "narrative,reference,explanation\nIt\u200b itches\x07.,Wells\u00ad syndrome,\x1b[31mA\u202eB\n"
    (case,) = read_files(table_of(table), "deck").cases
    assert (case.narrative, case.reference, case.explanation) == ("It itches .", "Wells syndrome", "[31mAB")


def test_large_photo_is_made_smaller_and_keeps_its_shape(files):
    photo = np.zeros((1200, 2400, 3), np.uint8)
    photo[:, 1200:] = 255
    (case, *_) = read_files(files | {"a.jpg": as_jpeg(photo)}, "deck").cases
    assert case.photo.pixels.shape == (MAX_SIDE // 2, MAX_SIDE, 3)
    assert case.photo.pixels[:, :700].max() < 10
    assert case.photo.pixels[:, 900:].min() > 245


def test_deck_takes_less_memory_than_its_pixels():
    n = 12
    photos = [Image.linear_gradient("L").rotate(90 * k).resize((1600, 1200)) for k in range(n)]
    files = {f"{k}.jpg": as_jpeg(np.asarray(photo.convert("RGB"))) for k, photo in enumerate(photos)}
    files["cases.csv"] = "\n".join(["photo", *files]).encode()
    data = zipped(files)
    tracemalloc.start()
    deck = read_zip(data, "deck")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(deck.cases) == n
    assert peak < 0.5 * n * 1600 * 1200 * 3


# --- what the owner is told before it is loaded

REFERENCES = (
    "C44.91",
    "nv",
    "BCC?",
    "psoriasis",
    "dermatofibroma",
    "NULL",
    "bcell",
    "Nävus",
    "xyz",
    "BCC/SCC",
)


def test_references_are_counted_and_doubts_named_with_row_and_suggestion():
    rows = "".join(f"It itches.,{reference}\n" for reference in REFERENCES)
    deck = read_files(table_of(f"narrative,reference\n{rows}") | {"deck.toml": b""}, "deck")
    assert deck.references == (
        "References: 4 understood, 1 outside the AI's types, 1 empty, 4 not understood: "
        "row 8 'bcell'; did you mean basal cell carcinoma or seborrheic keratosis? "
        "row 9 'Nävus'; did you mean nevus? row 10 'xyz'. …"
    )
    assert [(problem.row, problem.column) for problem in deck.doubts] == [
        (row, "reference") for row in (6, 8, 9, 10, 11)
    ]
    assert deck.doubts[0].what == "dermatofibroma is not among the types of skin-26."
    assert [case.reference for case in deck.cases[:4]] == ["BCC", "NEV", "BCC", "PSO"]
    assert deck.cases[6].reference == "bcell"  # never taken for what it resembles


def test_types_are_those_of_the_bundle_that_answers_the_deck(files):
    """One bundle answers all cases: that for photos where the deck has any."""
    files["cases.csv"] = b"photo,narrative,reference\na.jpg,,BCC\n,It itches.,psoriasis\n"
    deck = read_files(files, "deck")
    assert deck.references == "References: 1 understood, 1 outside the AI's types."
    assert deck.doubts[0].row == 3
    assert deck.doubts[0].what == "psoriasis is not among the types of pad-ufes-20."
    files["cases.csv"] = b"photo,narrative,reference\n,It itches.,psoriasis\n"
    assert read_files(files, "deck").references == "References: 1 understood."


def test_deck_without_references_says_nothing_of_them():
    deck = read_files(table_of("narrative\nIt itches.\n") | {"deck.toml": b""}, "deck")
    assert (deck.references, deck.doubts) == ("", ())


@pytest.mark.parametrize("path", ["deck.toml", "Deck.toml", "deck.toml.txt", "DECK.TOML.TXT"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_settings_are_found_under_the_names_that_systems_give(files, path, encoding):
    settings = files.pop("deck.toml").decode()
    deck = read_files(files | {path: f'{settings}note = "Übung"'.encode(encoding)}, "deck")
    assert (deck.name, deck.shows_reference, deck.note) == ("Two photos", True, "Übung")
    assert deck.remarks == ()


def test_two_files_of_settings_are_refused(files):
    (problem,) = problems_in(files | {"Deck.toml": b""})
    assert "leave only one deck.toml" in problem.what


def test_settings_that_are_not_read_are_named(files):
    files["settings.toml"], files["photos/deck.toml"] = files["deck.toml"], files.pop("deck.toml")
    files |= {
        "deck (1).txt": b"",
        "Deck.ini": b"",
        "deck.toml.txt.txt": b"",
        "._deck.toml": b"",
        "deck.jpg": b"",
    }
    remarks = read_zip(zipped(files), "deck.zip").remarks
    assert [remark.what for remark in remarks] == [
        "'settings.toml' was not read: settings are read from deck.toml beside cases.csv.",
        "'photos/deck.toml' was not read: settings are read from deck.toml beside cases.csv.",
        "'deck (1).txt' was not read: settings are read from deck.toml beside cases.csv.",
        "'Deck.ini' was not read: settings are read from deck.toml beside cases.csv.",
        "'deck.toml.txt.txt' was not read: settings are read from deck.toml beside cases.csv.",
        'There is no deck.toml. Assumed: name = "deck", show_reference = false, note = "".',
    ]


def test_missing_settings_are_told_and_of_a_sent_folder_asked_about(files):
    (remark,) = read_files(files, "deck").remarks
    assert remark.what == "'deck.toml' does not say everything. Assumed: note = \"\"."
    del files["deck.toml"]  # it may have failed to arrive
    sent, whole = read_files(files, "May"), read_zip(zipped(files), "May.zip")
    assumed = 'Assumed: name = "May", show_reference = false, note = "".'
    assert [remark.what for remark in whole.remarks] == [f"There is no deck.toml. {assumed}"]
    asked = f"No deck.toml arrived. If the folder has one, send it again. {assumed}"
    assert [problem.what for problem in sent.doubts if problem.row is None] == [asked]


# --- what is refused, with row, column and what to do

NAMED = "photo,narrative,age_band,body_site,fitzpatrick,reference,explanation\n"
PROBLEMS = {
    "missing photo": ("photo\nx.jpg\n", 2, "photo", "'x.jpg' is not in the deck: add it"),
    "other capitals": ("photo\nA.jpg\n", 2, "photo", "capitals"),
    "no photo at all": ("photo\ncases.csv\n", 2, "photo", "not a JPEG, PNG, WebP or HEIC photo: save it"),
    "climbing": ("photo\n../a.jpg\n", 2, "photo", "leads out"),
    "absolute": ("photo\n/etc/passwd\n", 2, "photo", "leads out"),
    "drive": ("photo\nC:\\a.jpg\n", 2, "photo", "leads out"),
    "same photo": ("photo\na.jpg\nb.jpg\n./a.jpg\n", 4, "photo", "row 2"),
    "long narrative": (f"narrative\n{'x' * 1501}\n", 2, "narrative", "please shorten it to at most 1,500"),
    "long reference": (f"photo,reference\na.jpg,{'x' * 101}\n", 2, "reference", "shorten it to at most 100"),
    "long explanation": (f"photo,explanation\na.jpg,{'x' * 2001}\n", 2, "explanation", "at most 2,000"),
    "age band": ("photo,age_band\na.jpg,60-80\n", 2, "age_band", "write 0-17, 18-39, 40-59, 60-79, 80"),
    "age": ("photo,age\na.jpg,old\n", 2, "age", "'old' is not an age in years: write 0 to 120"),
    "too old": ("photo,age\na.jpg,121\n", 2, "age", "write 0 to 120"),
    "infinity": ("photo,age\na.jpg,inf\n", 2, "age", "write 0 to 120"),
    "row below a title": ("May\n\nphoto,age\na.jpg,old\n", 4, "age", "an age"),
    "row below Excel's line": ("sep=;\nphoto;age\na.jpg;old\n", 2, "age", "an age"),  # Excel hides it
    "site": ("photo,body_site\na.jpg,moon\n", 2, "body_site", "'moon' is not a known site: write SCALP"),
    "skin type": ("photo,fitzpatrick\na.jpg,7\n", 2, "fitzpatrick", "write 1 to 6"),
    "half a skin type": ("photo,fitzpatrick\na.jpg,2.5\n", 2, "fitzpatrick", "write 1 to 6"),
    "error of a spreadsheet": (
        "narrative\n#NAME?\n", 2, "narrative", "'#NAME?' is an error of the spreadsheet"
    ),
    "cell in no column": (",photo\nx,a.jpg\n", 2, "", "in no column"),
    "same photo by two paths": (
        "photo,age\na.jpg,3\n./a.jpg,4\n", 3, "photo", "already in row 2"
    ),
    "nothing to see or read": (f"{NAMED},,60-79,,,,\n", 2, "photo", "neither a photo nor a narrative"),
    "invisible words": ('narrative,age_band\n"\u200b",60-79\n', 2, "photo", "neither a photo"),
    "row after an empty one": ("photo\na.jpg\n\nx.jpg\n", 4, "photo", "not in the deck"),
    "row after words of two lines": ('narrative,age\n"a\nb",3\nc,old\n', 3, "age", "an age"),
    "unquoted comma": ("narrative\nIt itches, badly\n", 2, "", "in no column"),
    "column without a name": ("photo,\na.jpg,text\n", 2, "", "in no column"),
    "typing error in a column": ("photo,naratif\na.jpg,x\n", 1, "naratif", "unknown: rename it (photo,"),
    "column twice": ("photo,age,Age\na.jpg,3,4\n", 1, "age", "more than once: delete the others"),
    "two ages": ("photo,age,age_band\na.jpg,3,0-17\n", 1, "age", "delete one"),
    "neither column": ("age,reference\n3,BCC\n", 1, "", "no column photo and no column narrative"),
    "open quotation mark": ('photo,narrative\na.jpg,fine\nb.jpg,"open\n', 3, "", "Quotation marks do not"),
    "stray quotation mark": ('photo,narrative\na.jpg,"so" called\n', 2, "", "save the table as “CSV UTF-8”"),
    "only a header": ("photo,narrative\n", None, "", "no rows below a header: add a row for every case"),
    "nothing": ("", None, "", "no rows below a header"),
}  # fmt: skip


@pytest.mark.parametrize(("table", "row", "column", "what"), PROBLEMS.values(), ids=PROBLEMS)
def test_problem_is_named_with_row_column_and_what_to_do(table, row, column, what):
    (problem,) = problems_in(table_of(table))
    assert (problem.row, problem.column) == (row, column)
    assert what in problem.what


def test_all_problems_come_in_one_report():
    table = "photo,age,body_site,fitzpatrik\nx.jpg,200,moon,\na.jpg,,,\na.jpg,old,,\n"
    found = problems_in(table_of(table) | {"deck.toml": b'title = "x"'})
    assert [(problem.row, problem.column) for problem in found] == [
        (None, ""),
        (1, "fitzpatrik"),
        (2, "photo"),
        (2, "age"),
        (2, "body_site"),
        (4, "photo"),
        (4, "age"),
    ]
    assert str(found[3]).startswith("row 2, age: '200' is not an age")


@pytest.mark.parametrize(
    ("words", "encoding", "guess"),
    [
        ("Nävus\u2014“more” 3 mm²", "utf-16", ""),
        ("Nävus", "utf-16-le", ""),
        ("Nävus", "utf-16-be", ""),
        ("Nävus\u2014“more” 3 €", "cp1252", "Windows-1252"),
        ("Nævus på hånd", "latin-1", "Windows-1252"),
        ("Nävus\u2014“more”", "mac_roman", "Mac Roman"),
        ("Nävus", "utf-32", ""),
    ],
)
def test_table_in_another_encoding_is_read_and_a_guess_is_told(words, encoding, guess):
    table, line_end = f"explanation\tnarrative\n{words}\tx", "\r" if guess == "Mac Roman" else "\r\n"
    deck = read_files({"cases.csv": table.replace("\n", line_end).encode(encoding)}, "deck")
    assert deck.cases[0].explanation == words
    assert [remark.what for remark in deck.remarks if guess] == (
        [f"cases.csv is not UTF-8. It was read as {guess}: check its accents."] if guess else []
    )


@pytest.mark.parametrize(
    ("words", "encoding"),
    [
        ("łokieć", "cp1250"),
        ("かゆい", "shift_jis"),
        ("зуд", "cp1251"),
        ("kaş\u0131n ğ", "cp1254"),
        ("ä\udcff", "utf-8"),
    ],
)
def test_table_in_an_encoding_that_cannot_be_told_is_refused_with_the_line(words, encoding):
    table = f"narrative\nfine\n{words}\n".encode(encoding, "surrogateescape")
    (problem,) = problems_in({"cases.csv": table})
    assert "cases.csv: Line 3 is not UTF-8" in problem.what


def test_too_many_cases_are_told():
    rows = "".join(f"case {number}\n" for number in range(MAX_CASES + 1))
    (problem,) = problems_in(table_of(f"narrative\n{rows}"))
    assert problem.row == MAX_CASES + 2
    assert "more than 2,000 cases" in problem.what
    rows = rows.removesuffix(f"case {MAX_CASES}\n")
    assert len(read_files(table_of(f"narrative\n{rows}"), "deck").cases) == MAX_CASES


def test_more_pixels_than_memory_are_told_once(monkeypatch):
    monkeypatch.setattr(decks, "MAX_PIXEL_BYTES", 70 * 90 * 3)
    (problem,) = problems_in(table_of("photo\na.jpg\nb.jpg\n") | {"c.jpg": drawn(1)})
    assert (problem.row, problem.column) == (3, "photo")
    assert "smaller photos" in problem.what


def test_deck_asks_for_a_diagnosis_only_unless_it_says_more(files):
    deck = read_files(files, "deck")
    assert (deck.asks_management, deck.asks_malignancy, deck.arms, deck.consent) == (False, False, (), "")
    assert deck.primary_comparison == ()
    more = 'ask_management = true\nask_malignancy = true\narms = ["steps", "nothing", "ranking"]\n'
    deck = read_files(files | {"deck.toml": more.encode()}, "deck")
    assert (deck.asks_management, deck.asks_malignancy) == (True, True)
    assert (deck.arms, deck.primary_comparison) == (("nothing", "ranking", "steps"), ("steps", "ranking"))


def test_consent_is_a_file_or_a_setting_but_not_both(files):
    text = "You  take part\r\n\r\nof your own free will.\u200b\n".encode()
    deck = read_files(files | {"Consent.txt": text}, "deck")
    assert deck.consent == "You take part\n\nof your own free will."
    (problem,) = problems_in(files | {"consent.txt": text, "deck.toml": b'consent = "Yes."'})
    assert "leave only one" in problem.what
    (problem,) = problems_in(files | {"consent.txt": b" \n"})
    assert problem.what.startswith("consent.txt: write 1 to 10,000 characters")


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ("show_references = true", "'show_references' is not a setting"),
        ('show_reference = "yes"', "must be true or false, without quotes"),
        ("name = 3", "1 to 100 characters in quotes"),
        ('name = " "', "1 to 100 characters in quotes"),
        ('ask_management = "yes"', "ask_management must be true or false"),
        ('arms = ["steps"]', "a list of two or more"),
        ('arms = ["steps", "steps"]', "each once"),
        ('arms = ["steps", "everything"]', 'of "nothing", "ranking", "steps", "steps and heatmap"'),
        ('arms = ["nothing", "steps"]', "primary_comparison must name two of the deck's arms"),
        ('primary_comparison = ["steps", "ranking"]', "primary_comparison must name two of the deck's arms"),
        ('arms = ["steps", "ranking"]\nprimary_comparison = ["steps"]', "a list of two arms"),
        ('consent = ""', "consent must be 1 to 10,000 characters"),
        ("name: deck", 'write name = "..." and show_reference = true'),
        ("show_reference = true\nname = x", "line 2: write name"),
        ("name = “Two photos”", "line 1: use straight quotation marks"),
        ("x = " + "[" * 20_000, 'write name = "..."'),
    ],
)
def test_wrong_settings_are_told(files, settings, what):
    (problem,) = problems_in(files | {"deck.toml": settings.encode()})
    assert problem.what.startswith("deck.toml: ")
    assert what in problem.what


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["photos/a.jpg"], "There is no cases.csv"),
        (["one/two/cases.csv"], "There is no cases.csv"),
        (["one/cases.csv", "two/cases.csv"], "'one/cases.csv' and 'two/cases.csv': leave only one cases.csv"),
        (["cases.csv", "Cases.csv.txt"], "leave only one cases.csv"),
        (
            ["deck/cases.xlsx"],
            "There is no cases.csv, but 'deck/cases.xlsx': save it as “CSV UTF-8” with the name cases.csv",
        ),
        (["cases (1).csv", "a.jpg"], "There is no cases.csv, but 'cases (1).csv': rename it to cases.csv"),
        (["case.csv"], "but 'case.csv': rename it"),
        (["cases.tsv"], "but 'cases.tsv': rename it"),
        (["cases.csv", "../a.jpg"], "leads out of the deck's folder"),
    ],
)
def test_files_that_are_no_deck_are_refused(names, what):
    (problem,) = problems_in(dict.fromkeys(names, b"narrative\nIt itches.\n"))
    assert what in problem.what


def test_spreadsheet_with_the_tables_name_is_told():
    (problem,) = problems_in({"cases.csv": zipped({"xl/workbook.xml": b"x"})})
    assert problem.what == "cases.csv: It is a spreadsheet with another ending: save it as “CSV UTF-8”."


def test_line_ends_of_old_macs_are_understood_in_settings(files):
    deck = read_files(files | {"deck.toml": b'name = "May"\rshow_reference = true\r'}, "deck")
    assert (deck.name, deck.shows_reference) == ("May", True)


def test_links_out_of_a_folder_are_not_followed(files, tmp_path):
    outside = written({"secret.jpg": drawn(50), "photos/b.jpg": drawn(60)}, tmp_path / "outside")
    del files["a.jpg"], files["photos/b.jpg"], files["photos/left over.jpg"]
    folder = written(files, tmp_path / "deck")
    (folder / "photos").symlink_to(outside / "photos")
    (folder / "a.jpg").symlink_to(outside / "secret.jpg")
    with pytest.raises(DeckError) as caught:
        read_folder(folder)
    link, within = caught.value.problems
    assert (link.row, within.row) == (2, 3)
    assert "link out of the deck's folder" in link.what
    assert "not in the deck" in within.what


def test_links_within_a_folder_are_followed(files, tmp_path):
    expected = plain(read_files(files, "deck"))
    files["kept.jpg"] = files.pop("a.jpg")
    folder = written(files, tmp_path / "deck")
    (folder / "a.jpg").symlink_to("kept.jpg")
    (tmp_path / "link to the deck").symlink_to(folder)
    assert plain(read_folder(tmp_path / "link to the deck")) == expected


def test_folder_with_odd_files_is_told_and_no_wait(files, tmp_path):
    del files["a.jpg"], files["photos/b.jpg"]
    folder = written(files, tmp_path / "deck")
    os.mkfifo(folder / "a.jpg")
    (folder / "photos/b.jpg").symlink_to("b.jpg")
    with pytest.raises(DeckError) as caught:
        read_folder(folder)
    pipe, circle = caught.value.problems
    assert "not an ordinary file" in pipe.what
    assert "cannot be read" in circle.what
    with pytest.raises(DeckError, match="is not a folder"):
        read_folder(tmp_path / "nowhere")


def test_folder_with_too_many_files_is_refused(tmp_path, monkeypatch, files):
    monkeypatch.setattr(decks, "MAX_FILES", 4)
    with pytest.raises(DeckError, match="more than 4 files"):
        read_folder(written(files, tmp_path / "deck"))


# --- hostile zips

# Where a value stands in a file's entry of the directory, and in its own header.
FLAGS, METHOD, PACKED, UNPACKED, OFFSET = (8, 6), (10, 8), (20, 18), (24, 22), (42, None)


def patched(data: bytes, which: int, place: tuple[int, int | None], value: int, layout: str = "<I") -> bytes:
    """The zip with a value of one file changed, as far as possible in both places where it stands."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        own, start = archive.infolist()[which].header_offset, archive.start_dir
        for entry in archive.infolist()[:which]:
            start += 46 + len(entry.filename.encode()) + len(entry.extra) + len(entry.comment)
    changed = bytearray(data)
    struct.pack_into(layout, changed, start + place[0], value)
    if place[1] is not None:
        struct.pack_into(layout, changed, own + place[1], value)
    return bytes(changed)


def with_entry(files: dict[str, bytes], name: str, data: bytes = b"x", mode: int = 0) -> bytes:
    file = io.BytesIO(zipped(files))
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, data)
    return file.getvalue()


def with_entry_of_megabytes(files: dict[str, bytes], name: str, megabytes: int) -> bytes:
    return with_entry(files, name, bytes(megabytes * 1024**2))


def with_zero_in_name(files: dict[str, bytes]) -> bytes:
    return with_entry(files, "case~/../x").replace(b"case~/../x", b"case\0/../x")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda files: with_entry(files, "../x.jpg"), "'../x.jpg' leads out"),
        (lambda files: with_entry(files, "photos/../../x.jpg"), "leads out"),
        (lambda files: with_entry(files, "/etc/x.jpg"), "leads out"),
        (lambda files: with_entry(files, "C:/x.jpg"), "leads out"),
        (lambda files: with_entry(files, "..\\x.jpg"), "leads out"),
        (with_zero_in_name, "leads out"),
        (lambda files: with_entry(files, "x.jpg", b"/etc/passwd", stat.S_IFLNK | 0o777), "is a link"),
        (lambda files: with_entry(files, "x.jpg", b"", stat.S_IFIFO | 0o777), "a link"),
        (lambda files: patched(zipped(files), 2, FLAGS, 1, "<H"), "'a.jpg' in the zip is encrypted"),
        (lambda files: patched(zipped(files), 2, FLAGS, 0x41, "<H"), "encrypted"),
        (lambda files: zipped(files, zipfile.ZIP_LZMA), "compressed in an unusual way"),
        (lambda files: zipped(files, zipfile.ZIP_BZIP2), "compressed in an unusual way"),
        (lambda files: with_entry_of_megabytes(files, "x.jpg", 30), "grows more than 100 times"),
        (lambda files: patched(zipped(files), 2, UNPACKED, 2**32 - 2), "grows more than 100 times"),
        (lambda files: with_entry(files, "a.jpg"), "holds 'a.jpg' more than once"),
        (lambda files: with_entry(files, "./photos//b.jpg"), "holds 'photos/b.jpg' more than once"),
        (lambda files: patched(zipped(files), 3, OFFSET, 0), "Files overlap"),
        (lambda files: patched(zipped(files), 0, PACKED, 2_000), "Files overlap"),
        (lambda files: patched(zipped(files), 4, PACKED, 2**31), "Files overlap"),
        (lambda files: zipped(files)[:-30], "not a zip, or it is damaged: make the zip again"),
        (lambda files: zipped(files)[100:], "make the zip again"),
        (lambda files: b"", "not a zip"),
        (lambda files: drawn(1), "not a zip"),
    ],
)  # fmt: skip
def test_hostile_zip_is_refused_in_one_sentence_before_anything_is_unpacked(files, make, what, monkeypatch):
    data = make(files)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("unpacked"))
    assert what in refusal_of(data)


def test_zip_with_too_many_files_is_refused(files, monkeypatch):
    files |= {f"extra/{number}": b"" for number in range(MAX_FILES)}
    assert "more than 5,000 files" in refusal_of(zipped(files))


def test_zip_of_a_million_files_is_refused_before_they_are_listed(files, monkeypatch):
    data = bytearray(zipped(files))
    struct.pack_into("<I", data, len(data) - 22 + 12, 46_000_000)
    monkeypatch.setattr(zipfile.ZipFile, "_RealGetContents", lambda _: pytest.fail("listed"))
    assert "more than 5,000 files" in refusal_of(bytes(data))
    assert "more than 5,000 files" in refusal_of(as_zip64(zipped(files), 46_000_000))


def as_zip64(data: bytes, size: int | None = None) -> bytes:
    """The zip with its counts in a zip64 record only, as programs write it that stream."""
    n, true_size, start = struct.unpack_from("<HII", data, len(data) - 12)
    counts = struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, n, n, true_size if size is None else size, start)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, len(data) - 22, 1)
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, 2**32 - 1, 2**32 - 1, 0)
    return data[:-22] + b"PK\x06\x06" + counts + locator + end


def test_small_zip64_is_read_by_its_real_counts(files):
    assert plain(read_zip(as_zip64(zipped(files)), "deck.zip")) == plain(read_files(files, "deck"))


def as_windows_zips(files: dict[str, bytes], page: str) -> bytes:
    """A zip whose names are in a code page that it does not tell."""
    spelt = {path: path.encode(page).decode("cp437") for path in files}
    data = zipped(
        {f"{number:<{len(name)}}": files[path] for number, (path, name) in enumerate(spelt.items())}
    )
    for number, name in enumerate(spelt.values()):
        data = data.replace(f"{number:<{len(name)}}".encode(), name.encode("cp437"))
    return data


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("Läsion 1.jpg", "utf-8"),
        ("La\u0308sion 2.jpg", "utf-8"),
        ("Läsion 3.jpg", "cp437"),
        ("Bjørn hånd.jpg", "cp850"),
        ("łokieć.jpg", "cp852"),
        ("症例ソ表.jpg", "cp932"),  # with backslashes in its bytes
        ("плечо.jpg", "cp866"),
        ("плечо.jpg", "cp855"),
        ("ombro ã.jpg", "cp860"),
        ("ķermenis.jpg", "cp775"),
        ("יד.jpg", "cp862"),
        ("يد.jpg", "cp1256"),
        ("มือ.jpg", "cp874"),
        ("顔.jpg", "euc_jp"),
        ("Læsion.jpg", "mac_roman"),
        ("photos\\b 2.jpg", "cp437"),
        ("Bjørn\\hånd.jpg", "cp850"),
    ],
)
@pytest.mark.parametrize("folder", ["", "deck/"])
def test_names_of_zips_are_understood_without_their_code_page(name, page, folder):
    table = f"photo,narrative\n{name},It itches.\n".encode()
    data = as_windows_zips({f"{folder}cases.csv": table, f"{folder}{name}": drawn(100)}, page)
    assert read_zip(data, "deck.zip").cases[0].photo is not None


def test_names_in_the_folder_of_a_zip_are_understood_without_their_code_page():
    files = {"Übung/cases.csv": "photo\nhånd.jpg\n".encode(), "Übung/hånd.jpg": drawn(100)}
    assert read_zip(as_windows_zips(files, "cp850"), "deck.zip").cases[0].photo is not None


def test_names_that_nobody_can_tell_are_named_as_garbled():
    files = {"cases.csv": "photo\nhånd.jpg\n".encode(), "h_nd_å.jpg": drawn(100)}
    what = refusal_in_row_2(as_windows_zips(files, "cp850"))
    assert "'hånd.jpg' is not in the deck, and 'h_nd_" in what
    assert "lost the accents or letters of its name: rename the photos, or zip them anew" in what


def test_zip_of_too_many_bytes_is_refused(files, monkeypatch):
    monkeypatch.setattr(safe_zip, "MAX_UNPACKED", sum(map(len, files.values())) - 1)
    assert "GB together" in refusal_of(zipped(files))


def test_bytes_are_counted_as_they_come_out(files, monkeypatch):
    monkeypatch.setattr(safe_zip, "MAX_UNPACKED", sum(map(len, files.values())))
    photo = files_of_zip(io.BytesIO(zipped(files)))[0]["a.jpg"]
    with pytest.raises(ZipRefused, match="GB together"):
        for _ in range(10):
            assert photo() == files["a.jpg"]


def test_bomb_that_lies_about_its_size_fills_no_memory(files):
    data = patched(with_entry_of_megabytes(files, "bomb.jpg", 60), len(files), UNPACKED, 1000)
    bomb = files_of_zip(io.BytesIO(data))[0]["bomb.jpg"]
    tracemalloc.start()
    with pytest.raises(ZipRefused, match="damaged in the zip"):
        bomb()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1024**2


def test_long_file_is_read_no_further_than_the_limit(files):
    long = np.random.default_rng(0).bytes(safe_zip.READ_LIMIT + 1000)
    data = zipped(files | {"a.jpg": long}, zipfile.ZIP_STORED)
    assert len(files_of_zip(io.BytesIO(data))[0]["a.jpg"]()) == safe_zip.READ_LIMIT
    assert "more than the 20 MB allowed" in refusal_in_row_2(data)


def refusal_in_row_2(data: bytes) -> str:
    with pytest.raises(DeckError) as caught:
        read_zip(data, "deck")
    (problem,) = caught.value.problems
    assert (problem.row, problem.column) == (2, "photo")
    return problem.what


def test_damaged_photo_in_a_zip_is_told_with_its_row(files):
    data = bytearray(zipped(files, zipfile.ZIP_STORED))
    data[data.index(files["a.jpg"]) + 100] ^= 1
    assert "damaged in the zip" in refusal_in_row_2(bytes(data))


def test_zip_within_a_zip_is_no_photo(files):
    assert "not a JPEG" in refusal_in_row_2(zipped(files | {"a.jpg": zipped(files)}))


def test_any_damage_to_a_zip_is_told_as_a_deck_error(files):
    data = zipped(files)
    rng = np.random.default_rng(3)
    read = 0
    for _ in range(400):
        changed = bytearray(data)
        # Half of it in the directory at the end, which says where everything is.
        first = 0 if rng.random() < 0.5 else len(data) - 400
        for place in rng.integers(first, len(data), rng.integers(1, 4)):
            changed[place] = rng.integers(256)
        try:
            read_zip(bytes(changed), "deck")
            read += 1
        except DeckError as error:
            assert error.problems
    assert 0 < read < 400


def test_nothing_is_written_to_disk(files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    read_zip(zipped(files), "deck")
    assert not list(tmp_path.iterdir())


# --- a deck made from a data set


def test_made_deck_is_read_again_and_balanced(mini_dataset, tmp_path):
    make_deck(mini_dataset, tmp_path / "bal", 12, balanced=True)
    deck = read_folder(tmp_path / "bal")
    assert (deck.name, deck.shows_reference) == ("bal", True)
    counts = Counter(case.reference for case in deck.cases)
    assert counts == {"SCC": 1, "SEK": 1, "MEL": 2, "NEV": 2, "ACK": 3, "BCC": 3}
    for case in deck.cases:
        assert case.photo.pixels.shape == (300, 320, 3)
        assert case.narrative
        assert case.age_band
        assert case.body_site == "FACE"
        assert case.fitzpatrick is None


@pytest.mark.parametrize("balanced", [True, False])
def test_made_deck_is_the_same_for_the_same_seed_whatever_the_order_of_rows(tmp_path, balanced):
    rows = mini_rows()
    one, other = draw_dataset(tmp_path / "one", rows), draw_dataset(tmp_path / "other", rows[::-1])
    for dataset, out, seed in ((one, "a", 0), (other, "b", 0), (one, "c", 1)):
        make_deck(dataset, tmp_path / out / "deck", 6, balanced=balanced, seed=seed)
    a, b, c = (
        {path.name: path.read_bytes() for path in (tmp_path / out / "deck").iterdir()} for out in "abc"
    )
    assert a == b
    assert a != c


def test_made_deck_has_one_case_a_patient_and_names_none(mini_dataset, tmp_path):
    make_deck(mini_dataset, tmp_path / "deck", 13, balanced=False)
    names = {path.name for path in (tmp_path / "deck").iterdir()}
    assert names == {"cases.csv", "deck.toml", *(f"case-{number:03d}.jpg" for number in range(1, 14))}
    text = (tmp_path / "deck/cases.csv").read_text(encoding="utf-8")
    assert "PAT" not in text
    counts = Counter(case.reference for case in read_folder(tmp_path / "deck").cases)
    assert counts == {"BCC": 4, "ACK": 3, "NEV": 2, "MEL": 2, "SCC": 1, "SEK": 1}  # 13 patients have photos
    with Image.open(tmp_path / "deck/case-001.jpg") as photo:
        assert not photo.getexif()


def test_skin_types_come_from_the_table_where_they_are_told(tmp_path):
    rows = mini_rows()
    told = ("3.0", "", "0", "6")
    for number, row in enumerate(rows):
        row["fitspatrick"] = told[number % 4]
    make_deck(draw_dataset(tmp_path / "data", rows), tmp_path / "deck", 13, balanced=False)
    found = {case.fitzpatrick for case in read_folder(tmp_path / "deck").cases}
    assert found == {3, 6, None}


def test_types_of_the_made_deck_are_mixed(mini_dataset, tmp_path):
    orders = set()
    for seed in range(5):
        make_deck(mini_dataset, tmp_path / str(seed), 6, balanced=True, seed=seed)
        orders.add(tuple(case.reference for case in read_folder(tmp_path / str(seed)).cases))
    assert all(set(order) == set(LABEL_SETS["pad-ufes-20"]) for order in orders)
    assert len(orders) > 1


@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize(
    ("n", "what"), [(14, "at most 13 cases, not 14"), (0, "1 to 2,000 cases"), (2001, "1 to")]
)
def test_deck_that_cannot_be_made_is_told_and_leaves_nothing(mini_dataset, tmp_path, balanced, n, what):
    with pytest.raises(DeckError, match=what):
        make_deck(mini_dataset, tmp_path / "deck", n, balanced=balanced)
    assert not (tmp_path / "deck").exists()


def test_data_set_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(DeckError, match=r"metadata\.csv does not exist"):
        make_deck(tmp_path, tmp_path / "deck", 3, balanced=True)
    dataset = draw_dataset(tmp_path / "data")
    for photo in (dataset / "images").iterdir():
        photo.write_bytes(b"no photo")
    with pytest.raises(DeckError, match="not a JPEG"):
        make_deck(dataset, tmp_path / "deck", 3, balanced=True)
    assert not (tmp_path / "deck").exists()


def test_nothing_is_written_over(mini_dataset, tmp_path):
    written({"notes.txt": b"mine"}, tmp_path / "deck")
    for out in (tmp_path / "deck", tmp_path / "deck/notes.txt"):
        with pytest.raises(DeckError, match="not an empty folder: choose a new one"):
            make_deck(mini_dataset, out, 3, balanced=True)
    assert (tmp_path / "deck/notes.txt").read_bytes() == b"mine"
    (tmp_path / "empty").mkdir()
    make_deck(mini_dataset, tmp_path / "empty", 3, balanced=True)
