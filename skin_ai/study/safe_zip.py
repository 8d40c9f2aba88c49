"""Untrusted zip files: refused as a whole if they could do harm, otherwise read file by file in memory."""

from __future__ import annotations

import stat
import struct
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import pairwise
from typing import BinaryIO, Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from skin_ai.file_paths import climbs, plain_path, shown
from skin_ai.predict.photo import MAX_BYTES

MAX_FILES: Final = 5000
MAX_UNPACKED: Final = 4 * 1024**3  # bytes of all files together
MAX_RATIO: Final = 100  # text shrinks to a tenth, photos hardly, a zip bomb to a thousandth
SMALL: Final = 1024**2  # bytes; smaller files are harmless at any ratio
READ_LIMIT: Final = (
    MAX_BYTES + 1
)  # bytes of a file; one more than allowed, so that too long a file is noticed

# Layout of a zip (PKWARE's APPNOTE 6.3.10, sections 4.3.7, 4.3.15, 4.3.16 and 4.4.4); sizes in bytes.
FILE_HEADER_SIZE: Final = 30  # before the file's name
END: Final = b"PK\x05\x06"
END_SIZE: Final = 22  # before the zip's comment
MAX_COMMENT: Final = 65536
DIRECTORY_SIZE_AT: Final = 12  # from the start of the end record
ZIP64: Final = b"PK\x06\x07"
ZIP64_SIZE: Final = 20  # right before the end record
ZIP64_END: Final = b"PK\x06\x06"
ZIP64_END_SIZE: Final = 56  # right before that, as zipfile expects it
ZIP64_DIRECTORY_SIZE_AT: Final = 40
MAX_DIRECTORY: Final = MAX_FILES * 400  # for each file 46, its name, and extra fields
UTF_8: Final = 0x800  # flag of a file whose name is in UTF-8
ENCRYPTED: Final = 0x2041  # flags of a file: encrypted, strongly encrypted, header masked

# What zipfile raises for damaged files, found in its source and by flipping bytes.
DAMAGED: Final = (
    BadZipFile, OSError, ValueError, EOFError, RuntimeError, OverflowError, struct.error, zlib.error
)  # fmt: skip
# Of zips made on Windows in most countries, and on old Macs and Unix.
CODE_PAGES: Final = (
    "cp437", "cp850", "cp858", "cp852", "cp855", "cp866", "cp857", "cp737", "cp869", "cp775", "cp860",
    "cp861", "cp862", "cp720", "cp874", "cp932", "cp936", "cp949", "cp950", "cp1250", "cp1251", "cp1252",
    "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "mac_roman", "euc_jp", "koi8_r",
)  # fmt: skip
TOO_MANY_FILES: Final = f"The zip holds more than {MAX_FILES:,} files: remove what is not part of the deck."


class ZipRefused(ValueError):
    """What is wrong with the zip and what to do, in one sentence."""


def files_of_zip(file: BinaryIO) -> tuple[dict[str, Callable[[], bytes]], frozenset[str]]:
    """Path -> function that reads the file, at most READ_LIMIT bytes; nothing is unpacked before or on disk.

    And the paths whose code page the zip does not tell and that are not UTF-8: they are read as code page
    437, which has a character for every byte (`spelt_in_zip`).

    Raises ZipRefused for damage, zip bombs, links, paths out of the folder, encryption, and overlapping or
    repeated files. The functions raise it too, for damage that shows only then.
    """
    try:
        _refuse_long_directory(file)
        archive = ZipFile(file)
    except ZipRefused:
        raise
    except DAMAGED as error:
        raise ZipRefused("The file is not a zip, or it is damaged: make the zip again.") from error
    entries = archive.infolist()
    if len(entries) > MAX_FILES:
        raise ZipRefused(TOO_MANY_FILES)
    for entry in entries:
        _refuse_entry(entry)
    _refuse_overlaps(entries, archive.start_dir)
    _refuse_size(sum(entry.file_size for entry in entries))
    unpacker = _Unpacker(archive)
    names = [_name(entry) for entry in entries]
    paths = [plain_path(name) for name, _ in names]
    for path, times in Counter(paths).items():
        if times > 1:
            raise ZipRefused(f"The zip holds {shown(path)} more than once: make the zip again.")
    files = zip(paths, entries, strict=True)
    readers: dict[str, Callable[[], bytes]] = {
        path: partial(unpacker.read, entry) for path, entry in files if not _is_folder(entry)
    }
    return readers, frozenset(path for path, (_, is_told) in zip(paths, names, strict=True) if not is_told)


def spelt_in_zip(path: str) -> set[str]:
    """How `files_of_zip` spells a path that was written into a zip in one of the usual code pages."""
    found = set()
    for page in CODE_PAGES:
        with suppress(UnicodeEncodeError):
            found.add(plain_path(_slashed(path.encode(page).decode("cp437"))))
    return found


def _name(entry: ZipInfo) -> tuple[str, bool]:
    """A file's name, and whether its letters are sure. Without a flag, zipfile reads code page 437."""
    if entry.flag_bits & UTF_8 or entry.orig_filename.isascii():
        return _slashed(entry.orig_filename), True
    try:
        return _slashed(entry.orig_filename.encode("cp437").decode("utf-8")), True
    except UnicodeError:
        return _slashed(entry.orig_filename), False


def _slashed(path: str) -> str:
    """Some programs on Windows write backslashes between folders."""
    return path.replace("\\", "/")


def _is_folder(entry: ZipInfo) -> bool:
    return entry.orig_filename.endswith(("/", "\\"))


class _Unpacker:
    """Counts the bytes that are really unpacked, whatever sizes the zip states."""

    def __init__(self, archive: ZipFile) -> None:
        self.archive = archive
        self.unpacked = 0

    def read(self, entry: ZipInfo) -> bytes:
        try:
            with self.archive.open(entry) as file:
                data = file.read(min(entry.file_size, READ_LIMIT))
        except DAMAGED as error:
            raise ZipRefused("The file is damaged in the zip: make the zip again.") from error
        self.unpacked += len(data)
        _refuse_size(self.unpacked)
        return data


def _refuse_size(unpacked: int) -> None:
    if unpacked > MAX_UNPACKED:
        raise ZipRefused(f"The files exceed {MAX_UNPACKED // 1024**3} GB together: split the deck.")


def _refuse_long_directory(file: BinaryIO) -> None:
    """Limits the number of files before zipfile creates an object for each: millions would fill the memory.

    Finds the end record as zipfile does: the last complete one.
    """
    length = file.seek(0, 2)
    file.seek(max(0, length - END_SIZE - MAX_COMMENT - ZIP64_SIZE - ZIP64_END_SIZE))
    tail = file.read()
    place = tail.rfind(END, 0, max(0, len(tail) - END_SIZE + len(END)))
    if place < 0:
        raise BadZipFile
    (size,) = struct.unpack_from("<I", tail, place + DIRECTORY_SIZE_AT)
    zip64 = place - ZIP64_SIZE - ZIP64_END_SIZE  # some programs write one for small zips, too
    if zip64 >= 0 and tail.startswith(ZIP64, zip64 + ZIP64_END_SIZE) and tail.startswith(ZIP64_END, zip64):
        (size,) = struct.unpack_from("<Q", tail, zip64 + ZIP64_DIRECTORY_SIZE_AT)
    if size > MAX_DIRECTORY:
        raise ZipRefused(TOO_MANY_FILES)


def _refuse_entry(entry: ZipInfo) -> None:
    name = entry.orig_filename  # in filename, zipfile has already cut the name at a NUL
    if climbs(name) or "\0" in name:
        raise ZipRefused(f"The path {shown(name)} leads out of the zip: make the zip from the deck's folder.")
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ZipRefused(f"{shown(name)} in the zip is a link: replace it with the file itself.")
    if entry.flag_bits & ENCRYPTED:
        raise ZipRefused(f"{shown(name)} in the zip is encrypted: make the zip without a password.")
    # Only these two are unpacked piece by piece; one piece of bzip2 or LZMA could fill the memory.
    if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise ZipRefused(f"{shown(name)} is compressed in an unusual way: make an ordinary zip.")
    if entry.file_size > SMALL and entry.file_size > MAX_RATIO * entry.compress_size:
        raise ZipRefused(f"{shown(name)} grows more than {MAX_RATIO} times when unpacked: remove it.")


def _refuse_overlaps(entries: list[ZipInfo], start_of_directory: int) -> None:
    """Every file must have bytes of its own: a zip bomb uses the same ones many times (Fifield 2019)."""
    sizes = [FILE_HEADER_SIZE + len(entry.orig_filename) + entry.compress_size for entry in entries]
    starts = [entry.header_offset for entry in entries]
    spans = sorted((start, start + size) for start, size in zip(starts, sizes, strict=True))
    spans = [(0, 0), *spans, (start_of_directory, start_of_directory)]
    if any(end > start for (_, end), (start, _) in pairwise(spans)):
        raise ZipRefused("Files overlap in the zip: make the zip again.")
