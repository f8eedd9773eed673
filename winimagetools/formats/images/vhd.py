"""Reads VHD, fixed and growing.

Source: Microsoft, "Virtual Hard Disk Image Format Specification" 1.0.
"""

from __future__ import annotations

import struct

from winimagetools.formats.images.image import Image
from winimagetools.model import DiskFormat

MAGIC = b"conectix"
FOOTER = 512
_FIXED, _GROWING, _DIFFERENCING = 2, 3, 4
_UNUSED = 0xFFFFFFFF
_SECTOR = 512
_GEOMETRY_COUNTS = (b"qemu", b"vpc ", b"vs  ")
"""Programs whose disks end where the geometry does; all others mean the size they write."""
_LARGEST_TABLE = 64 << 20


class VhdImage(Image):
    """A VHD image that stands alone."""

    format = DiskFormat.VHD
    sector = _SECTOR

    def _open(self) -> None:
        footer = self._stored(self._length - FOOTER, FOOTER)
        if footer[:8] != MAGIC:
            footer = self._stored(0, FOOTER)
        table_at, creator = struct.unpack_from(">Q", footer, 16)[0], footer[28:32]
        self.size, cylinders, heads, sectors, kind = struct.unpack_from(">QHBBI", footer, 48)
        if creator in _GEOMETRY_COUNTS:
            self.size = cylinders * heads * sectors * _SECTOR
        if kind == _DIFFERENCING:
            raise self._differencing()
        if kind not in (_FIXED, _GROWING):
            raise self._damaged(f"its kind is {kind}")
        self._table: tuple[int, ...] | None = None
        self.fixed = kind == _FIXED
        if kind == _GROWING:
            self._read_table(table_at)
        elif self._length - FOOTER < self.size:
            raise self._damaged("it is shorter than its disk")

    def _read_table(self, at: int) -> None:
        header = self._stored(at, 1024)
        if header[:8] != b"cxsparse":
            raise self._damaged("its second header is missing")
        table, _, count, self._block = struct.unpack_from(">Q2I I", header, 16)
        if not self._block or self._block % _SECTOR or count * 4 > _LARGEST_TABLE:
            raise self._damaged("its second header makes no sense")
        self._bitmap = -(-self._block // _SECTOR // 8 // _SECTOR) * _SECTOR
        self._table = struct.unpack(f">{count}I", self._stored(table, count * 4))

    def _some(self, offset: int, length: int) -> bytes:
        if self._table is None:
            return self._stored(offset, length)
        number, within = divmod(offset, self._block)
        length = min(length, self._block - within)
        at = self._table[number] if number < len(self._table) else _UNUSED
        if at == _UNUSED:
            return bytes(length)
        return self._stored(at * _SECTOR + self._bitmap + within, length)
