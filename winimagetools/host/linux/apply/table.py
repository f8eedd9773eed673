"""The master file table of a volume that was laid out, after the library has let go of it.

What the library does not do, or does not do alike twice, is settled here, in one pass.
Source: layout of ``MFT_RECORD`` and ``ATTR_RECORD`` in ``layout.h`` of ntfs-3g.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator

from winimagetools.host.linux.apply.calls import LayoutError

RECORD = 1024
_SECTOR = 512
_SEEN = 8192
"""Records after which those that were looked at need no longer be in the memory of a process."""
_DATA, _END = 0x80, 0xFFFFFFFF
_IN_USE = 1
_HEAD = struct.Struct("<4sHH12xHHII")
_ATTRIBUTE = struct.Struct("<IHHBBH")
_SIZES = struct.Struct("<QQ")
_LOW = (1 << 48) - 1
"""The last two bytes of a sector are elsewhere; what is at most 48 bits long never is there."""
Expected = dict[int, list[tuple[bytes, int]]]
"""Bytes of contents by record, by name of the stream."""


class Table:
    """The records of a volume in memory.

    Args:
        volume: the whole volume, shared with whoever else has it.
        places: the cluster in which each group of records is.
        cluster: bytes of a cluster.
    """

    def __init__(self, volume: mmap.mmap, places: list[int], cluster: int) -> None:
        self._volume, self._places, self._cluster = volume, places, cluster
        self._per_cluster = cluster // RECORD

    def settle(self, expected: Expected) -> None:
        """Say that contents were written to their end.

        Args:
            expected: the contents.

        Raises:
            LayoutError: one of them is not in the table as it should be.
        """
        volume, left = self._volume, {}
        for number, (record, streams) in enumerate(expected.items()):
            if not number % _SEEN:
                volume.madvise(mmap.MADV_DONTNEED)  # out of this process, not out of the volume
            missing = [each for each in streams if not self._settle(volume, self._at(record), each)]
            if missing:
                left[record] = missing
        if left:
            self._settle_elsewhere(left)

    def _at(self, record: int) -> int:
        group, rest = divmod(record, self._per_cluster)
        return self._places[group] * self._cluster + rest * RECORD

    def _settle(self, volume: mmap.mmap, start: int, stream: tuple[bytes, int]) -> bool:
        """Look for a content in a record; whether it was there."""
        magic, _, _, first, flags, _, _ = _HEAD.unpack_from(volume, start)
        if magic != b"FILE" or not flags & _IN_USE:
            raise LayoutError("a record of the table is not in use")
        name, size = stream
        at, end = start + first, start + RECORD - 72
        while at <= end:
            kind, length, _, outside, letters, name_at = _ATTRIBUTE.unpack_from(volume, at)
            if kind == _DATA and outside and 2 * letters == len(name):
                where = at + name_at
                if not name or _whole(volume, start, where, len(name)) == name:
                    return self._set(at, size)
            if kind == _END or not length:
                return False
            at += length
        return False

    def _set(self, at: int, size: int) -> bool:
        (lowest,) = struct.unpack_from("<Q", self._volume, at + 16)
        if lowest & _LOW:
            return False
        there, written = _SIZES.unpack_from(self._volume, at + 48)
        if there & _LOW != size or written & _LOW or size > _LOW:
            raise LayoutError("a content in the table has another size than it should have")
        self._volume[at + 56 : at + 62] = size.to_bytes(6, "little")
        return True

    def _settle_elsewhere(self, left: Expected) -> None:
        """Contents of files with several records, of which all but the first name that one."""
        for start in self._starts():
            if self._volume[start : start + 4] != b"FILE":
                continue
            base = int.from_bytes(self._volume[start + 32 : start + 38], "little")
            if base in left and self._volume[start + 22] & _IN_USE:
                left[base] = [
                    each for each in left[base] if not self._settle(self._volume, start, each)
                ]
        if any(left.values()):
            raise LayoutError("contents are missing in the table")

    def _starts(self) -> Iterator[int]:
        for place in self._places:
            start = place * self._cluster
            yield from range(start, start + self._cluster, RECORD)


def _whole(volume: mmap.mmap, start: int, at: int, length: int) -> bytes:
    """Bytes of a record with the ends of its sectors in their places."""
    record = bytearray(volume[start : start + RECORD])
    marks = int.from_bytes(record[4:6], "little")
    for sector in (1, 2):
        end = sector * _SECTOR
        record[end - 2 : end] = record[marks + 2 * sector : marks + 2 * sector + 2]
    return bytes(record[at - start : at - start + length])
