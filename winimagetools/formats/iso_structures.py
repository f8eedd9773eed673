"""What pycdlib gets to see of an ISO: its folders, in bounds, and nothing of how it boots.

pycdlib checks the El Torito boot catalog and partition tables in front of the first volume
descriptor while it opens an ISO, and refuses those it does not expect: catalogs without a
checksum, for another platform, behind another sector. Firmware is less strict, and for
reading files none of it matters. It also reads as much as an ISO claims to have.
"""

from __future__ import annotations

import io
import struct
from typing import BinaryIO

SECTOR = 2048
FIRST_DESCRIPTOR = 16 * SECTOR
"""Before it lies the system area, which ISO 9660 leaves to others (ECMA-119, 6.2.1)."""
LARGEST_FOLDER = 2 * 1024 * 1024
"""Bytes that are read at once; enough for a folder of 20,000 files."""
LARGEST_TREE = 32 * 1024 * 1024
"""Bytes that are read in all: 120,000 files of ordinary names, of which pycdlib makes 430 MiB.
Windows media have 1 MiB. Of one byte it makes up to 40."""
_FILE_ENTRY_COST = 128
"""What a sector with a UDF file entry counts for, beside what it has of variable length."""
_FILE_ENTRIES = {b"\x05\x01": 168, b"\x0a\x01": 208}
"""Tags of a UDF file entry and of an extended one (ECMA-167 part 4, 7.2.1), and where the lengths
of its attributes and of its descriptors are (14.9 and 14.17)."""
_MOST_DESCRIPTORS = 64
_BOOT_RECORD, _TERMINATOR = 0, 255


class TooMuch(Exception):
    """The folders of an ISO claim to be larger than those of any medium."""


class Structures(io.RawIOBase):
    """A stream of an ISO for pycdlib; the stream below stays open.

    Args:
        stream: the ISO.
    """

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream
        self._size = stream.seek(0, io.SEEK_END)
        self._hidden = [(0, FIRST_DESCRIPTOR), *_boot_records(stream)]
        self._left = LARGEST_TREE
        self._at = 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move, as for every stream. Raises ValueError when that is before the beginning."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError("there is nothing before the beginning")
        self._at = start + offset
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """Up to ``size`` bytes; what concerns booting is zero.

        Raises:
            TooMuch: it is more than folders have.
        """
        rest = max(self._size - self._at, 0)
        wanted = rest if size is None or size < 0 else min(size, rest)
        if wanted > LARGEST_FOLDER:
            raise TooMuch
        self._stream.seek(self._at)
        data = bytearray(self._stream.read(wanted))
        self._count(data)
        for begin, end in self._hidden:
            first, last = max(begin - self._at, 0), min(end - self._at, len(data))
            if first < last:
                data[first:last] = bytes(last - first)
        self._at += len(data)
        return bytes(data)

    def _count(self, data: bytearray) -> None:
        lengths = _FILE_ENTRIES.get(bytes(data[:2]))
        if lengths is None or not lengths + 8 <= len(data) <= SECTOR:
            self._left -= len(data)
        else:
            variable = sum(struct.unpack_from("<II", data, lengths))
            self._left -= min(len(data), _FILE_ENTRY_COST + variable)
        if self._left < 0:
            raise TooMuch


def _boot_records(stream: BinaryIO) -> list[tuple[int, int]]:
    """Where the identifiers of boot records are (ECMA-119, 8.2)."""
    found = []
    for number in range(_MOST_DESCRIPTORS):
        at = FIRST_DESCRIPTOR + number * SECTOR
        stream.seek(at)
        head = stream.read(7)
        if len(head) < 7 or head[0] == _TERMINATOR:
            break
        if head[0] == _BOOT_RECORD and head[1:6] == b"CD001":
            found.append((at + 7, at + 39))
    return found
