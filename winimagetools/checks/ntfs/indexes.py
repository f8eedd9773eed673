"""Indexes: trees of entries in order, partly in the record and partly in blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from struct import Struct
from typing import NamedTuple

from winimagetools.checks.ntfs.clusters import bits
from winimagetools.checks.ntfs.records import ALLOCATION, BITMAP, ROOT, SECTOR, Attribute, fix_up
from winimagetools.checks.ntfs.report import Damage, Report
from winimagetools.checks.ntfs.source import Volume

Order = Callable[[bytes], object]
"""What the key of an entry is sorted by."""
_ROOT = Struct("<IIIB3x")
_HEAD = Struct("<IIIB3x")
_ENTRY = Struct("<QHHH2x")
_VIEW = Struct("<HH")
_LONG = Struct("<q")
_HAS_NODE, _IS_LAST = 1, 2
_DEEPEST = 20
_SPARE = 4096
"""Bytes a bitmap may be too large by; it never shrinks."""


class IndexEntry(NamedTuple):
    """An entry: the reference or, in a view, the place of its data; its key and its data."""

    reference: int
    key: bytes
    data: bytes


class IndexReader:
    """Reads one index from its root on.

    Args:
        volume: where it is.
        parts: root, allocation and bitmap of the index.
        order: how its keys are sorted.
        report: gets what is wrong.
        what: the index in messages.
    """

    def __init__(
        self, volume: Volume, parts: list[Attribute], order: Order, report: Report, what: str
    ) -> None:
        self._order, self._report, self._what = order, report, what
        self._root = next((each.value or b"" for each in parts if each.kind == ROOT), b"")
        blocks = [each for each in parts if each.kind == ALLOCATION]
        bitmap = [each for each in parts if each.kind == BITMAP]
        self._blocks = volume.content(blocks) if blocks else bytearray()
        self._bitmap = volume.content(bitmap) if bitmap else bytearray()
        self._used: set[int] = set()
        self._size = self._unit = 0
        self._is_view = False
        self._cluster = volume.cluster

    def entries(self) -> list[IndexEntry]:
        """All entries in order; what is wrong with the tree is reported."""
        found: list[IndexEntry] = []
        try:
            if len(self._root) < 32:
                raise Damage("indexes", f"The root of {self._what} is cut off.")
            kind, _, self._size, _ = _ROOT.unpack_from(self._root)
            self._is_view = kind == 0
            if self._size < SECTOR or self._size & self._size - 1 or self._size > 65536:
                raise Damage("indexes", f"The blocks of {self._what} have an impossible size.")
            self._unit = self._cluster if self._size >= self._cluster else SECTOR
            if len(self._blocks) % self._size:
                raise Damage("indexes", f"{self._what} does not end with a whole block.")
            found.extend(self._node(self._root, 16, 0))
        except Damage as error:
            self._report.damage(error)
            return found
        self._check_bitmap()
        self._check_order(found)
        return found

    def _node(self, block: bytes | bytearray, head: int, depth: int) -> Iterator[IndexEntry]:
        first, used, size, _ = _HEAD.unpack_from(block, head)
        if not 16 <= first <= used <= size or size > len(block) - head or first % 8 or used % 8:
            raise Damage("indexes", f"A node of {self._what} gives impossible lengths.")
        at, end = head + first, head + used
        while True:
            if at + 16 > end:
                raise Damage("indexes", f"A node of {self._what} has no last entry.")
            reference, length, key, flags = _ENTRY.unpack_from(block, at)
            below = 8 if flags & _HAS_NODE else 0
            last = flags & _IS_LAST
            if length % 8 or length < 16 + below + (0 if last else key) or at + length > end:
                raise Damage("indexes", f"An entry of {self._what} has a wrong length.")
            if below:
                yield from self._below(_LONG.unpack_from(block, at + length - 8)[0], depth + 1)
            if last:
                break
            yield IndexEntry(
                reference,
                bytes(block[at + 16 : at + 16 + key]),
                self._data(block, at, length) if self._is_view else b"",
            )
            at += length
        if at + length != end:
            raise Damage("indexes", f"A node of {self._what} goes on behind its last entry.")

    def _data(self, block: bytes | bytearray, at: int, length: int) -> bytes:
        start, size = _VIEW.unpack_from(block, at)
        if start + size > length:
            raise Damage("indexes", f"The data of an entry of {self._what} overflow.")
        return bytes(block[at + start : at + start + size])

    def _below(self, place: int, depth: int) -> Iterator[IndexEntry]:
        offset = place * self._unit
        if place < 0 or offset % self._size or offset + self._size > len(self._blocks):
            raise Damage("indexes", f"{self._what} refers to block {place}, which is not there.")
        if offset // self._size in self._used or depth > _DEEPEST:
            raise Damage("indexes", f"{self._what} refers to block {place} twice.")
        self._used.add(offset // self._size)
        block = self._blocks[offset : offset + self._size]
        fix_up(block, b"INDX", f"Block {place} of {self._what}")
        if _LONG.unpack_from(block, 16)[0] != place:
            raise Damage("indexes", f"Block {place} of {self._what} says that it is another.")
        return self._node(block, 24, depth)

    def _check_bitmap(self) -> None:
        if len(self._bitmap) > len(self._blocks) // self._size + _SPARE:
            self._report.add("index bitmaps", f"The bitmap of {self._what} is too large.")
            return
        marks = bits(self._bitmap)
        wanted = bytearray(len(marks))
        if self._used and max(self._used) >= len(marks):
            self._report.add("index bitmaps", f"The bitmap of {self._what} is too small.")
            return
        for number in self._used:
            wanted[number] = 1
        if wanted != marks:
            self._report.add("index bitmaps", f"The bitmap of {self._what} is wrong.")

    def _check_order(self, found: list[IndexEntry]) -> None:
        try:
            keys = [self._order(entry.key) for entry in found]
        except (ValueError, IndexError):
            self._report.add("indexes", f"A key of {self._what} is broken.")
            return
        for one, other in pairwise(keys):
            if not one < other:  # type: ignore[operator]
                self._report.add("index order", f"The entries of {self._what} are out of order.")
                return
