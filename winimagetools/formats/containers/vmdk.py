"""VMDK, one growing file (``monolithicSparse``), with grains of 64 KiB.

Source: VMware, "Virtual Disk Format 5.0": hosted sparse extents. Header, descriptor, the grain
directory and all its tables lie in front of the data, and all tables twice.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import groupby

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

GRAIN = 1 << 16
LARGEST = (1 << 32) * SECTOR
"""Offsets of grains are numbers of sectors with 32 bits."""
_TABLE_ENTRIES = 512
_TABLE_SECTORS = _TABLE_ENTRIES * 4 // SECTOR
_COVERED = GRAIN * _TABLE_ENTRIES
_DESCRIPTOR_AT, _DESCRIPTOR_SECTORS = 1, 20
_FLAGS = 3
"""The characters that show damaged line ends are valid, and there is a second set of tables."""
_GAP = 1 << 20
_HEADS, _TRACK_SECTORS, _MOST_CYLINDERS = 16, 63, 16383
"""The geometry of an IDE disk; larger disks have the largest one."""


def vmdk_layout(size: int, data: Sequence[Piece], name: str, content_id: int) -> Layout:
    """A VMDK of a raw disk.

    Args:
        size: bytes of the disk; the container rounds them up to whole sectors.
        data: what of it is not a hole, ascending.
        name: file name of the container, which its descriptor repeats.
        content_id: a number that changes with the content, never 0 or 0xFFFFFFFF.
    """
    pieces = pieces_of(data, GRAIN, _GAP)
    sectors = round_up(size, SECTOR) // SECTOR
    tables = -(-size // _COVERED)
    directory = round_up(tables * 4, SECTOR) // SECTOR
    second = _DESCRIPTOR_AT + _DESCRIPTOR_SECTORS
    first = second + directory + tables * _TABLE_SECTORS
    room = round_up((first + directory + tables * _TABLE_SECTORS) * SECTOR, GRAIN)
    layout = Layout(room, pieces, (), room + kept_bytes(pieces))
    writes = [
        Write(0, _header(sectors, second, first, room // SECTOR)),
        Write(_DESCRIPTOR_AT * SECTOR, _descriptor(sectors, name, content_id)),
    ]
    for start in (second, first):
        begin = start + directory
        numbers = range(begin, begin + tables * _TABLE_SECTORS, _TABLE_SECTORS)
        writes.append(Write(start * SECTOR, struct.pack(f"<{tables}I", *numbers)))
        writes += _tables(layout, begin * SECTOR)
    return Layout(room, pieces, tuple(writes), layout.size)


def _header(sectors: int, second: int, first: int, room: int) -> bytes:
    return struct.pack(
        "<4sIIQQQQIQQQB4sH433x",
        b"KDMV",
        1,
        _FLAGS,
        sectors,
        GRAIN // SECTOR,
        _DESCRIPTOR_AT,
        _DESCRIPTOR_SECTORS,
        _TABLE_ENTRIES,
        second,
        first,
        room,
        0,
        b"\n \r\n",
        0,
    )


def _descriptor(sectors: int, name: str, content_id: int) -> bytes:
    cylinders = min(sectors // (_HEADS * _TRACK_SECTORS), _MOST_CYLINDERS)
    text = f"""# Disk DescriptorFile
version=1
CID={content_id:08x}
parentCID=ffffffff
createType="monolithicSparse"

# Extent description
RW {sectors} SPARSE "{name}"

# The Disk Data Base
#DDB

ddb.virtualHWVersion = "4"
ddb.geometry.cylinders = "{cylinders}"
ddb.geometry.heads = "{_HEADS}"
ddb.geometry.sectors = "{_TRACK_SECTORS}"
ddb.adapterType = "ide"
"""
    return text.encode()


def _tables(layout: Layout, start: int) -> Iterator[Write]:
    """The grain tables that have entries; ``start``: offset of the first of all tables."""
    units = units_of(layout.placed(), GRAIN)
    for number, entries in groupby(units, lambda unit: unit[0] // _TABLE_ENTRIES):
        table = bytearray(_TABLE_ENTRIES * 4)
        for grain, offset in entries:
            struct.pack_into("<I", table, grain % _TABLE_ENTRIES * 4, offset // SECTOR)
        yield Write(start + number * _TABLE_ENTRIES * 4, bytes(table))
