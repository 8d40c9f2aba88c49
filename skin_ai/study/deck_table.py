"""Text files of a deck as programs write them: encodings, delimiters, lines above a header, empty cells."""

from __future__ import annotations

import re
import unicodedata
from io import StringIO
from typing import Final

DELIMITERS: Final = ",;\t|"  # the first of them where nothing else decides
HEADER_WITHIN: Final = 10  # lines
SEPARATOR_LINE: Final = re.compile(r'"?sep=."?[^\S\r\n]*(\r\n|\r|\n|$)', re.IGNORECASE)  # for Excel only
LONGEST_HEADER: Final = 2000  # characters
LONGEST_EMPTY: Final = 20  # characters, invisible ones among them
# What programs write into a cell without a value.
EMPTY: Final = frozenset(
    ("", "na", "n/a", "#n/a", "#na", "null", "#null!", "nan", "none", "<na>", "-", "--", "\u2013", "\u2014")
)
UTF_8_CHARACTER: Final = re.compile(rb"[\xc3-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}")
# What a text in Western European languages has besides Latin letters.
MARKS: Final = "\u201c\u201d\u2018\u2019\u201e\u2013\u2014\u2026«»€£°±µ²³½¼¾×÷§®©™•¿¡ºª´·\u00a0"  # noqa: RUF001
# A wrong code page shows itself: Polish "ł" becomes "³" in Windows-1252, Cyrillic many accents in a row.
ODD: Final = re.compile(r"(?<=[^\W\d_])[²³¿¡½¼¾×÷§®©•]|[²³¿¼½¾][a-zà-ÿ]{2}|[À-ÿ]{3}", re.IGNORECASE)  # noqa: RUF001


class NotUtf8(ValueError):
    """The text is in no encoding that can be told; line: the first that is not UTF-8."""

    def __init__(self, line: int) -> None:
        super().__init__(f"Line {line} is not UTF-8: save it as “CSV UTF-8”.")


def decoded(data: bytes) -> tuple[str, str]:
    """The text of a file without byte order marks, and its encoding where it was guessed, else "".

    UTF-8, UTF-16 (which shows itself), else Windows-1252, or Mac Roman where lines end as on old Macs.
    Raises NotUtf8.
    """
    encoding = "utf-8"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
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
            raise NotUtf8(len(re.findall(rb"\r\n?|\n", data[: error.start])) + 1) from error
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
    return len(cell) <= LONGEST_EMPTY and visible(cell).casefold() in EMPTY


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
