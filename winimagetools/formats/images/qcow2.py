"""Reads QCOW2, versions 2 and 3, compressed clusters included.

Source: "QCOW2 image format", docs/interop/qcow2.rst of QEMU.
"""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache

from winimagetools.formats.images.image import Image
from winimagetools.model import DiskFormat

MAGIC = b"QFI\xfb"
_COMPRESSED = 1 << 62
_OFFSET = (1 << 56) - 512
_READS_AS_ZEROS = 1
_CORRUPT, _DATA_FILE, _COMPRESSION, _EXTENDED = 2, 4, 8, 16
_CLUSTER_BITS = range(9, 22)
_LARGEST_L1 = 32 << 20
_TABLES_KEPT = 32
_CLUSTERS_KEPT = 16


class Qcow2Image(Image):
    """A QCOW2 image that stands alone."""

    format = DiskFormat.QCOW2

    def _open(self) -> None:
        header = self._stored(0, 72).ljust(112, b"\0")
        version, backing = struct.unpack_from(">IQ", header, 4)
        bits, self.size, encrypted, entries, table = struct.unpack_from(">IQIIQ", header, 20)
        if version not in (2, 3):
            raise self._incomplete(f"its version is {version}, not 2 or 3")
        if backing:
            raise self._incomplete("it lies above a backing file")
        if encrypted:
            raise self._incomplete("it is encrypted")
        if bits not in _CLUSTER_BITS or entries * 8 > _LARGEST_L1:
            raise self._damaged("its header makes no sense")
        if version == 3:
            self._check_features()
        self._bits, self._cluster = bits, 1 << bits
        self._tables: tuple[int, ...] = struct.unpack(
            f">{entries}Q", self._stored(table, entries * 8)
        )
        self._table = lru_cache(_TABLES_KEPT)(self._read_table)
        self._unpacked = lru_cache(_CLUSTERS_KEPT)(self._unpack)

    def _check_features(self) -> None:
        header = self._stored(72, 32)
        features, length = (
            struct.unpack_from(">Q", header)[0],
            struct.unpack_from(">I", header, 28)[0],
        )
        if features & _CORRUPT:
            raise self._damaged("QEMU marked it as corrupt")
        if features & _DATA_FILE:
            raise self._incomplete("its data are in another file")
        if features & _EXTENDED:
            raise self._incomplete("it has subclusters")
        if features & _COMPRESSION and length > 104 and self._stored(104, 1) != b"\0":
            raise self._incomplete("its clusters are compressed with zstd")

    def _read_table(self, number: int) -> tuple[int, ...]:
        """L2 entries of one table; empty where there is no such table."""
        at = self._tables[number] & _OFFSET if number < len(self._tables) else 0
        if not at:
            return ()
        count = self._cluster // 8
        return struct.unpack(f">{count}Q", self._stored(at, self._cluster))

    def _some(self, offset: int, length: int) -> bytes:
        number, within = divmod(offset, self._cluster)
        table, index = divmod(number, self._cluster // 8)
        entries = self._table(table)
        entry = entries[index] if entries else 0
        length = min(length, self._cluster - within)
        if entry & _COMPRESSED:
            return self._unpacked(entry)[within : within + length]
        if not entry & _OFFSET or entry & _READS_AS_ZEROS:
            return bytes(length)
        return self._stored_or_zeros((entry & _OFFSET) + within, length)

    def _stored_or_zeros(self, at: int, length: int) -> bytes:
        """The last cluster of a file need not be whole."""
        there = max(min(length, self._length - at), 0)
        if not there:
            raise self._damaged("a cluster lies behind its end")
        return self._stored(at, there).ljust(length, b"\0")

    def _unpack(self, entry: int) -> bytes:
        place_bits = 62 - (self._bits - 8)
        at = entry & ((1 << place_bits) - 1)
        sectors = (entry & (_COMPRESSED - 1)) >> place_bits
        length = (sectors + 1) * 512 - at % 512
        stored = self._stored(at, min(length, self._length - at))
        try:
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(stored, self._cluster)
        except zlib.error as error:
            raise self._damaged("a compressed cluster cannot be unpacked") from error
        if len(data) != self._cluster:
            raise self._damaged("a compressed cluster is cut off")
        return data
