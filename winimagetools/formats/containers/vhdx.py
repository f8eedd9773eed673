"""VHDX, growing, with blocks of 1 MiB.

Source: Microsoft, [MS-VHDX] "Virtual Hard Disk v2 (VHDX) File Format"; section numbers below
are those of it. Headers, log, metadata and the block allocation table lie in front of the data.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Sequence
from functools import cache

from winimagetools.formats.containers.layout import (
    SECTOR,
    Layout,
    Piece,
    Write,
    kept_bytes,
    pieces_of,
    round_up,
    units_of,
)

BLOCK = 1 << 20
"""Microsoft's advice for Linux guests, and right for what ntfs-3g writes: it spreads files."""
LARGEST = 64 << 40
_KIB = 1 << 10
_HEADERS = (64 * _KIB, 128 * _KIB)
_REGION_TABLES = (192 * _KIB, 256 * _KIB)
_LOG_AT, _METADATA_AT, _BAT_AT = BLOCK, 2 * BLOCK, 3 * BLOCK
_CHUNK_RATIO = (1 << 23) * SECTOR // BLOCK
"""Blocks between two entries for sector bitmaps, which only differencing disks have (2.5)."""
_FULLY_PRESENT, _ZERO = 6, 2
"""States of a block (2.5.1.1)."""
_PHYSICAL_SECTOR = 4096
"""As New-VHD has it."""
_BAT = uuid.UUID("2DC27766-F623-4200-9D64-115E9BFD4A08")
_METADATA = uuid.UUID("8B7CA206-4790-4B9A-B8FE-575F050F886E")
_FILE_PARAMETERS = uuid.UUID("CAA16737-FA36-4D43-B3B6-33F0AA44E76B")
_DISK_SIZE = uuid.UUID("2FA54224-CD1B-4876-B211-5DBED83BF4B8")
_DISK_ID = uuid.UUID("BECA12AB-B2E6-4523-93EF-C309E000C746")
_LOGICAL_SECTOR_SIZE = uuid.UUID("8141BF1D-A96F-4709-BA47-F233A8FAAB5F")
_PHYSICAL_SECTOR_SIZE = uuid.UUID("CDA348C7-445D-4471-9CC9-E9885251C556")
_OF_THE_DISK, _REQUIRED = 2, 4
_ITEMS_AT = 64 * _KIB
_CRC32C = 0x82F63B78
"""The Castagnoli polynomial, reversed."""


def vhdx_layout(size: int, data: Sequence[Piece], identifier: uuid.UUID) -> Layout:
    """A VHDX of a raw disk.

    Args:
        size: bytes of the disk; the container rounds them up to whole sectors.
        data: what of it is not a hole, ascending.
        identifier: a new UUID.
    """
    virtual = round_up(size, SECTOR)
    pieces = pieces_of(data, BLOCK, BLOCK)
    blocks = -(-virtual // BLOCK)
    entries = blocks + max(blocks - 1, 0) // _CHUNK_RATIO
    bat_length = max(round_up(entries * 8, BLOCK), BLOCK)
    room = _BAT_AT + bat_length
    layout = Layout(room, pieces, (), room + kept_bytes(pieces))
    regions = _regions(bat_length)
    writes = (
        Write(0, b"vhdxfile" + "winimagetools".encode("utf-16-le")),
        *(Write(at, _header(number, identifier)) for number, at in enumerate(_HEADERS, 1)),
        *(Write(at, regions) for at in _REGION_TABLES),
        Write(_METADATA_AT, _metadata(virtual, identifier)),
        Write(_BAT_AT, _allocation(layout, blocks, entries)),
    )
    return Layout(room, pieces, writes, layout.size)


def _header(sequence: int, identifier: uuid.UUID) -> bytes:
    """A header (2.2.2); the one with the higher sequence number counts. The log is empty."""
    same = identifier.bytes_le
    fields = struct.pack("<4sIQ16s16s16s", b"head", 0, sequence, same, same, bytes(16))
    fields += struct.pack("<HHIQ", 0, 1, BLOCK, _LOG_AT)
    return _summed(fields, 4096)


def _regions(bat_length: int) -> bytes:
    """The region table (2.2.3): where metadata and block allocation table are."""
    table = struct.pack("<4sIII", b"regi", 0, 2, 0)
    table += struct.pack("<16sQII", _BAT.bytes_le, _BAT_AT, bat_length, 1)
    table += struct.pack("<16sQII", _METADATA.bytes_le, _METADATA_AT, BLOCK, 1)
    return _summed(table, 64 * _KIB)


def _metadata(size: int, identifier: uuid.UUID) -> bytes:
    """The metadata table and its items (2.6)."""
    of_disk = _OF_THE_DISK | _REQUIRED
    items = (
        (_FILE_PARAMETERS, struct.pack("<II", BLOCK, 0), _REQUIRED),
        (_DISK_SIZE, struct.pack("<Q", size), of_disk),
        (_DISK_ID, identifier.bytes_le, of_disk),
        (_LOGICAL_SECTOR_SIZE, struct.pack("<I", SECTOR), of_disk),
        (_PHYSICAL_SECTOR_SIZE, struct.pack("<I", _PHYSICAL_SECTOR), of_disk),
    )
    table, values = struct.pack("<8sHH20x", b"metadata", 0, len(items)), b""
    for item, value, flags in items:
        at = _ITEMS_AT + len(values)
        table += struct.pack("<16sIII4x", item.bytes_le, at, len(value), flags)
        values += value
    return table.ljust(_ITEMS_AT, b"\0") + values


def _allocation(layout: Layout, blocks: int, entries: int) -> bytes:
    """The block allocation table (2.5.1): an offset and a state for every block of the disk."""
    table = bytearray(struct.pack("<Q", _ZERO) * entries)
    for number in range(_CHUNK_RATIO, blocks, _CHUNK_RATIO):
        struct.pack_into("<Q", table, (_entry_of(number) - 1) * 8, 0)
    for number, offset in units_of(layout.placed(), BLOCK):
        struct.pack_into("<Q", table, _entry_of(number) * 8, offset | _FULLY_PRESENT)
    return bytes(table)


def _entry_of(block: int) -> int:
    """Which entry a block has: one for a sector bitmap follows every chunk."""
    return block + block // _CHUNK_RATIO


def _summed(fields: bytes, length: int) -> bytes:
    """A structure of ``length`` bytes with its CRC-32C in the second four."""
    data = bytearray(fields.ljust(length, b"\0"))
    struct.pack_into("<I", data, 4, crc32c(data))
    return bytes(data)


def crc32c(data: bytes | bytearray) -> int:
    """The checksum of VHDX structures (RFC 3720, appendix B.4)."""
    table, crc = _crc_table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


@cache
def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_CRC32C if value & 1 else 0)
        table.append(value)
    return tuple(table)
