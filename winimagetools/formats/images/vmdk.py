"""Reads VMDK in one file: growing (``monolithicSparse``) and compressed (``streamOptimized``).

Source: VMware, "Virtual Disk Format 5.0": hosted sparse extents.
"""

from __future__ import annotations

import re
import struct
import zlib
from functools import lru_cache

from winimagetools.formats.images.image import Image
from winimagetools.formats.images.references import BEGINNING, names_others
from winimagetools.model import DiskFormat

MAGIC = b"KDMV"
_SECTOR = 512
_COMPRESSED = 1 << 16
_AT_END = (1 << 64) - 1
_HOLES = (0, 1)
"""A grain that was never written, and one that was zeroed."""
_NO_PARENT = re.compile(rb"parentCID\s*=\s*f{8}", re.IGNORECASE)
_LARGEST_DIRECTORY = 64 << 20
_TABLES_KEPT, _GRAINS_KEPT = 256, 16


class VmdkImage(Image):
    """A VMDK image that stands alone."""

    format = DiskFormat.VMDK
    sector = _SECTOR

    def _open(self) -> None:
        header = self._stored(0, _SECTOR)
        if struct.unpack_from("<Q", header, 56)[0] == _AT_END:
            header = self._stored(self._length - 2 * _SECTOR, _SECTOR)
        flags, capacity, grain, text, text_size = struct.unpack_from("<I4Q", header, 8)
        self._entries, _, directory = struct.unpack_from("<IQQ", header, 44)
        if header[:4] != MAGIC or not grain or not 0 < self._entries <= 1 << 16:
            raise self._damaged("its header makes no sense")
        self.size, self._grain = capacity * _SECTOR, grain * _SECTOR
        self._compressed = bool(flags & _COMPRESSED)
        if not capacity:
            raise self._incomplete("its data are in other files")
        self._check_descriptor(text * _SECTOR, text_size * _SECTOR)
        tables = -(-self.size // (self._grain * self._entries))
        if tables * 4 > _LARGEST_DIRECTORY:
            raise self._damaged("its header makes no sense")
        places = self._stored(directory * _SECTOR, tables * 4)
        self._directory: tuple[int, ...] = struct.unpack(f"<{tables}I", places)
        self._table = lru_cache(_TABLES_KEPT)(self._read_table)
        self._unpacked = lru_cache(_GRAINS_KEPT)(self._unpack)

    def _check_descriptor(self, at: int, length: int) -> None:
        text = self._stored(at, min(length, 1 << 20)) if at else b""
        differs = b"parentCID" in text and not _NO_PARENT.search(text)
        if differs or names_others(self._stored(0, min(BEGINNING, self._length))):
            raise self._differencing()

    def _read_table(self, number: int) -> tuple[int, ...]:
        at = self._directory[number]
        if not at:
            return ()
        return struct.unpack(f"<{self._entries}I", self._stored(at * _SECTOR, self._entries * 4))

    def _some(self, offset: int, length: int) -> bytes:
        number, within = divmod(offset, self._grain)
        table, index = divmod(number, self._entries)
        entries = self._table(table)
        at = entries[index] if entries else 0
        length = min(length, self._grain - within)
        if at in _HOLES:
            return bytes(length)
        if self._compressed:
            return self._unpacked(at)[within : within + length]
        return self._stored(at * _SECTOR + within, length)

    def _unpack(self, at: int) -> bytes:
        """A grain behind its marker: number, length, zlib data."""
        length = int.from_bytes(self._stored(at * _SECTOR + 8, 4), "little")
        if length > 2 * self._grain:
            raise self._damaged("a compressed grain makes no sense")
        try:
            stored = self._stored(at * _SECTOR + 12, length)
            data = zlib.decompressobj().decompress(stored, self._grain)
        except zlib.error as error:
            raise self._damaged("a compressed grain cannot be unpacked") from error
        return data.ljust(self._grain, b"\0")
