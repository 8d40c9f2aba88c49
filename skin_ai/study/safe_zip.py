"""A zip from a stranger: refused as a whole where it could do harm, else read file by file in memory."""

from __future__ import annotations

import stat
import struct
import zlib
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import BinaryIO, Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from skin_ai.file_paths import climbs, plain_path, shown
from skin_ai.predict.photo import MAX_BYTES

MAX_FILES: Final = 5000
MAX_UNPACKED: Final = 4 * 1024**3  # bytes of all files together
MAX_RATIO: Final = 100  # photos are compressed already, text shrinks to a tenth, a bomb to a thousandth
SMALL: Final = 1024**2  # bytes; a file up to this size does no harm at any ratio
READ_LIMIT: Final = MAX_BYTES + 1  # bytes of a file; the one more tells that it is longer than allowed

# Layout of a zip (PKWARE's APPNOTE 6.3.10, sections 4.3.7, 4.3.15, 4.3.16 and 4.4.4).
FILE_HEADER_SIZE: Final = 30  # bytes before a file's name
END: Final = b"PK\x05\x06"
END_SIZE: Final = 22  # bytes before the zip's comment
MAX_COMMENT: Final = 65536  # bytes
DIRECTORY_SIZE_AT: Final = 12  # bytes from the end record's first
ZIP64: Final = b"PK\x06\x07"
ZIP64_SIZE: Final = 20  # bytes, right before the end record
MAX_DIRECTORY: Final = MAX_FILES * 400  # bytes: 46 a file, its name, and what packers add
ENCRYPTED: Final = 0x2041  # flags of a file: encrypted, strongly encrypted, header masked

# What zipfile raises on damaged files, by its source and by flipping bytes in zips.
DAMAGED: Final = (
    BadZipFile, OSError, ValueError, EOFError, RuntimeError, OverflowError, struct.error, zlib.error
)  # fmt: skip


class ZipRefused(ValueError):
    """One sentence: what is wrong with the zip and what to do."""


def files_of_zip(file: BinaryIO) -> dict[str, Callable[[], bytes]]:
    """Path -> what reads that file, READ_LIMIT bytes at most; nothing is unpacked before, and never to disk.

    Raises ZipRefused for damage, bombs, links, and paths that climb; for files that are encrypted, overlap
    or stand twice. What reads a file raises it too, where the damage shows only then.
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
        raise _too_many_files()
    for entry in entries:
        _refuse_entry(entry)
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED:
        raise _too_large()
    _refuse_overlaps(entries, archive.start_dir)
    unpacker = _Unpacker(archive)
    paths = [plain_path(entry.filename) for entry in entries]
    for path, times in Counter(paths).items():
        if times > 1:
            raise ZipRefused(f"The zip holds {shown(path)} more than once: make the zip again.")
    return {
        path: partial(unpacker.read, entry)
        for path, entry in zip(paths, entries, strict=True)
        if not entry.is_dir()
    }


class _Unpacker:
    """Counts what really comes out, whatever the zip says of its sizes."""

    def __init__(self, archive: ZipFile) -> None:
        self.archive = archive
        self.left = MAX_UNPACKED

    def read(self, entry: ZipInfo) -> bytes:
        try:
            with self.archive.open(entry) as file:
                data = file.read(min(entry.file_size, READ_LIMIT))
        except DAMAGED as error:
            raise ZipRefused("The file is damaged in the zip: make the zip again.") from error
        self.left -= len(data)
        if self.left < 0:
            raise _too_large()
        return data


def _refuse_long_directory(file: BinaryIO) -> None:
    """zipfile makes an object of every file before any can be counted: millions fill the memory.

    The end record is looked for as zipfile does it: the last one that is complete.
    """
    length = file.seek(0, 2)
    file.seek(max(0, length - END_SIZE - MAX_COMMENT))
    tail = file.read()
    place = tail.rfind(END, 0, max(0, len(tail) - END_SIZE + len(END)))
    if place < 0:
        raise BadZipFile
    (size,) = struct.unpack_from("<I", tail, place + DIRECTORY_SIZE_AT)
    # Zip64 is for more files or bytes than are allowed here anyway.
    if size > MAX_DIRECTORY or tail[max(0, place - ZIP64_SIZE) :].startswith(ZIP64):
        raise _too_many_files()


def _refuse_entry(entry: ZipInfo) -> None:
    # Not filename: there zipfile has cut the name at a zero character already.
    name = entry.orig_filename
    if climbs(name) or "\\" in name or "\0" in name:
        raise ZipRefused(
            f"The zip holds a file whose path leads out of it, {shown(name)}: "
            "make the zip from the deck's folder."
        )
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ZipRefused(f"The zip holds a link, {shown(name)}: put the file itself in its place.")
    if entry.flag_bits & ENCRYPTED:
        raise ZipRefused(f"The zip is encrypted ({shown(name)}): make it without a password.")
    # Only these two unpack piecewise: bzip2 and LZMA could fill the memory within one piece.
    if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise ZipRefused(f"The zip is packed in an unusual way ({shown(name)}): make an ordinary zip.")
    if entry.file_size > SMALL and entry.file_size > MAX_RATIO * entry.compress_size:
        raise ZipRefused(
            f"The zip holds a file that grows more than {MAX_RATIO} times when unpacked, {shown(name)}: "
            "leave it out."
        )


def _refuse_overlaps(entries: list[ZipInfo], start_of_directory: int) -> None:
    """Every file has bytes of its own: a bomb names the same ones many times (Fifield 2019)."""
    spans = sorted(
        (
            entry.header_offset,
            entry.header_offset + FILE_HEADER_SIZE + len(entry.orig_filename) + entry.compress_size,
        )
        for entry in entries
    )
    spans = [(0, 0), *spans, (start_of_directory, start_of_directory)]
    if any(end > start for (_, end), (start, _) in pairwise(spans)):
        raise ZipRefused("Files overlap in the zip: make the zip again.")


def _too_many_files() -> ZipRefused:
    return ZipRefused(f"The zip holds more than {MAX_FILES:,} files: leave out what is not of the deck.")


def _too_large() -> ZipRefused:
    return ZipRefused(
        f"The zip's files have more than {MAX_UNPACKED // 1024**3} GB together: make several decks of it."
    )
