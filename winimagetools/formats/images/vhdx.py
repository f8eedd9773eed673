"""Reads VHDX, fixed and growing.

Source: Microsoft, [MS-VHDX] "Virtual Hard Disk v2 (VHDX) File Format"; numbers are sections.
"""

from __future__ import annotations

import struct
import uuid

from winimagetools.formats.images.image import Image
from winimagetools.model import KIB, DiskFormat

MAGIC = b"vhdxfile"
_HEADERS = (64 * KIB, 128 * KIB)
_REGION_TABLES = (192 * KIB, 256 * KIB)
_BAT = uuid.UUID("2DC27766-F623-4200-9D64-115E9BFD4A08")
_METADATA = uuid.UUID("8B7CA206-4790-4B9A-B8FE-575F050F886E")
_FILE_PARAMETERS = uuid.UUID("CAA16737-FA36-4D43-B3B6-33F0AA44E76B")
_DISK_SIZE = uuid.UUID("2FA54224-CD1B-4876-B211-5DBED83BF4B8")
_SECTOR_SIZE = uuid.UUID("8141BF1D-A96F-4709-BA47-F233A8FAAB5F")
_HAS_PARENT = 2
_PRESENT, _PARTLY = 6, 7
_STATE = 7
_OFFSET = ~((1 << 20) - 1)
_CHUNK = 1 << 23
"""Sectors one block of a sector bitmap covers (2.5)."""
_LARGEST_BAT = 64 << 20


class VhdxImage(Image):
    """A VHDX image that stands alone and was closed cleanly."""

    format = DiskFormat.VHDX

    def _open(self) -> None:
        self._check_log()
        regions = self._regions()
        self._read_metadata(regions)
        ratio = _CHUNK * self.sector // self._block
        blocks = -(-self.size // self._block)
        count = blocks + (blocks - 1) // ratio if blocks else 0
        at, length = regions[_BAT]
        if count * 8 > min(length, _LARGEST_BAT):
            raise self._damaged("its block table is too short")
        self._ratio = ratio
        self._table: tuple[int, ...] = struct.unpack(f"<{count}Q", self._stored(at, count * 8))

    def _check_log(self) -> None:
        """The newer header says whether changes are still in the log (2.2.2)."""
        headers = [self._stored(at, 80) for at in _HEADERS]
        valid = [header for header in headers if header[:4] == b"head"]
        if not valid:
            raise self._damaged("it has no header")
        newest = max(valid, key=lambda header: int.from_bytes(header[8:16], "little"))
        if any(newest[48:64]):
            raise self._incomplete("it was not closed cleanly, and changes are still in its log")

    def _regions(self) -> dict[uuid.UUID, tuple[int, int]]:
        for at in _REGION_TABLES:
            table = self._stored(at, 64 * KIB)
            count = int.from_bytes(table[8:12], "little")
            if table[:4] == b"regi" and count <= 2047:
                entries = (table[16 + 32 * number :][:32] for number in range(count))
                found = {
                    uuid.UUID(bytes_le=entry[:16]): struct.unpack_from("<QI", entry, 16)
                    for entry in entries
                }
                if _BAT in found and _METADATA in found:
                    return found
        raise self._damaged("it has no region table")

    def _read_metadata(self, regions: dict[uuid.UUID, tuple[int, int]]) -> None:
        base, length = regions[_METADATA]
        table = self._stored(base, min(length, 64 * KIB))
        count = min(int.from_bytes(table[10:12], "little"), 2047)
        places = {}
        for number in range(count):
            entry = table[32 + 32 * number :][:32]
            places[uuid.UUID(bytes_le=entry[:16])] = struct.unpack_from("<I", entry, 16)[0]
        if not {_FILE_PARAMETERS, _DISK_SIZE, _SECTOR_SIZE} <= places.keys():
            raise self._damaged("its metadata are not complete")
        self._block, flags = struct.unpack("<2I", self._stored(base + places[_FILE_PARAMETERS], 8))
        self.size = int.from_bytes(self._stored(base + places[_DISK_SIZE], 8), "little")
        self.sector = int.from_bytes(self._stored(base + places[_SECTOR_SIZE], 4), "little")
        if flags & _HAS_PARENT:
            raise self._differencing()
        if self.sector not in (512, 4096) or not self._block or self._block % (1 << 20):
            raise self._damaged("its metadata make no sense")

    def _some(self, offset: int, length: int) -> bytes:
        number, within = divmod(offset, self._block)
        length = min(length, self._block - within)
        entry = self._table[number + number // self._ratio]
        if entry & _STATE not in (_PRESENT, _PARTLY):
            return bytes(length)
        return self._stored((entry & _OFFSET) + within, length)
