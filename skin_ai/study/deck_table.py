"""Text files of a deck as programs write them: encodings, delimiters, lines above a header, empty cells."""

from __future__ import annotations

import codecs
import re
import unicodedata
from io import StringIO
from typing import Final

DELIMITERS: Final = ",;\t|"  # the first of them where nothing else decides
HEADER_WITHIN: Final = 10  # lines
SEPARATOR_LINE: Final = re.compile(r'"?sep=."?[^\S\r\n]*(\r\n|\r|\n|$)', re.IGNORECASE)  # for Excel only
LONGEST_HEADER: Final = 2000  # characters
LONGEST_EMPTY: Final = 20  # characters, invisible ones among them
# What programs and people write into a cell without a value, without stops, brackets and spaces around.
EMPTY: Final = frozenset(
    (
        "",
        "na",
        "n/a",
        "#n/a",
        "#na",
        "null",
        "#null!",
        "nan",
        "nat",
        "none",
        "nil",
        "\\n",
        "missing",
        "not available",
    )
)
UTF_8_CHARACTER: Final = re.compile(rb"[\xc3-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}")
# What a text in Western European languages has besides Latin letters.
MARKS: Final = "\u201c\u201d\u2018\u2019\u201e\u2013\u2014\u2026«»€£°±µ²³½¼¾×÷§®©™•¿¡ºª´·\u00a0"  # noqa: RUF001
# A wrong code page shows itself: Polish "ł" becomes "³" in Windows-1252, Cyrillic many accents in a row.
# Turkish letters become Icelandic ones, so that Icelandic is refused too.
ODD: Final = re.compile(r"(?<=[^\W\d_])[²³¿¡½¼¾×÷§®©•]|[²³¿¼½¾][a-zà-ÿ]{2}|[À-ÿ]{3}|[ýþð]", re.IGNORECASE)  # noqa: RUF001
SPREADSHEET: Final = (
    b"PK\x03\x04",
    b"\xd0\xcf\x11\xe0",
)  # first bytes of Excel's and LibreOffice's own files


class NotText(ValueError):
    """The file is no text, or in no encoding that can be told; one sentence."""


def decoded(data: bytes) -> tuple[str, str]:
    """The text of a file without byte order marks, and its encoding where it was guessed, else "".

    UTF-8, UTF-16 and UTF-32 (which show themselves), else Windows-1252, or Mac Roman where lines end as on
    old Macs. Raises NotText.
    """
    if data.startswith(SPREADSHEET):
        raise NotText("It is a spreadsheet with another ending: save it as “CSV UTF-8”.")
    encoding = "utf-8"
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        encoding = "utf-32"
    elif data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif data[:1] and b"\0" in data[:2]:  # a letter of two bytes
        encoding = "utf-16-be" if data.startswith(b"\0") else "utf-16-le"
    guess = ""
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        is_of_old_mac = b"\r" in data and b"\n" not in data
        page, guess = ("mac_roman", "Mac Roman") if is_of_old_mac else ("cp1252", "Windows-1252")
        text = data.decode(page, "replace")
        is_damaged_utf8 = encoding != "utf-8" or UTF_8_CHARACTER.search(data) is not None
        if is_damaged_utf8 or not _is_western_european(text):
            line = len(re.findall(rb"\r\n?|\n", data[: error.start])) + 1
            raise NotText(f"Line {line} is not UTF-8: save it as “CSV UTF-8”.") from error
    return text.lstrip("\ufeff\u200b"), guess


def _is_western_european(text: str) -> bool:
    foreign = {one for one in set(text) if not one.isascii() and one not in MARKS}
    return not ODD.search(text) and all(
        unicodedata.name(one, "").startswith("LATIN ") and one != "ƒ" for one in foreign
    )


def visible(cell: str) -> str:
    """A cell without invisible characters and spaces around it."""
    return "".join(one for one in cell if unicodedata.category(one) not in ("Cf", "Cc")).strip()


def is_empty(cell: str) -> bool:
    """Whether a cell has no value: nothing but punctuation, or a word for nothing."""
    if len(cell) > LONGEST_EMPTY:
        return False
    text = visible(cell).casefold()
    is_punctuation = all(unicodedata.category(one).startswith(("P", "Z")) for one in text)
    return is_punctuation or text in EMPTY or re.sub(r"[.\s()<>\[\]]", "", text) in EMPTY


def is_error(cell: str) -> bool:
    """Whether a spreadsheet wrote an error instead of a text, such as #NAME? for one that begins with "=".

    #N/A counts as an empty cell.
    """
    return re.fullmatch(r"#[A-Z0-9_/]+[!?]", cell.strip()) is not None


def without_row_numbers(rows: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """The rows without a first column that has no header and only whole numbers, as pandas and R write it."""
    (_, header), *others = rows or [(1, [""])]
    if header[0] or not others or not all(cells[0].isdecimal() for _, cells in others):
        return rows
    return [(number, cells[1:]) for number, cells in rows]


def from_header(text: str, columns: tuple[str, ...]) -> tuple[list[str], int, str]:
    """The table's lines from its header on, the header's row in a spreadsheet, and the delimiter.

    The header is the line with most of the columns among the first ten, else the first line.
    """
    lines = StringIO(
        SEPARATOR_LINE.sub("", text, count=1) if SEPARATOR_LINE.match(text) else text, newline=""
    )
    table = lines.readlines()
    known, place, delimiter = 0, 0, DELIMITERS[0]
    for number, line in enumerate(table[:HEADER_WITHIN]):
        for mark in DELIMITERS if len(line) <= LONGEST_HEADER else "":
            cells = {visible(cell.strip(' "\r\n\ufeff')).casefold() for cell in line.split(mark)}
            if len(cells & set(columns)) > known:
                known, place, delimiter = len(cells & set(columns)), number, mark
    if not known and table:
        delimiter = max(DELIMITERS, key=table[0].count)
    return table[place:], place + 1, delimiter
