"""Partition tables as they are on a disk: GPT and MBR, read, judged and written anew.

Sources: UEFI specification 2.10, chapter 5 (GPT and protective MBR); for MBR the layout every
BIOS and Windows share. Nothing is taken from the primary GPT on trust: checksums, its backup
and the borders of partitions are compared, and what is wrong is a sentence each.
"""

from __future__ import annotations

import struct
import uuid
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from winimagetools.errors import MediaError

Read = Callable[[int, int], bytes]
"""Reads from an offset, the first argument, so many bytes, the second."""
SECTORS = (512, 4096)
ENLARGED = "The backup GPT is not at the end of the disk; the disk was enlarged."
"""The one problem of a table that keeps nothing from starting."""
_SIGNATURE = b"EFI PART"
_HEADER = 92
_MBR_TABLE, _MBR_ENTRY = 446, 16
_PROTECTIVE = 0xEE
_EXTENDED = (0x05, 0x0F, 0x85)
_MOST_ENTRIES, _MOST_LOGICAL = 1024, 128
_ACTIVE = 0x80
_CHS_LIMIT = b"\xfe\xff\xff"


@dataclass(frozen=True)
class Entry:
    """A partition; ``start`` and ``size`` in bytes.

    Args:
        number: as Windows and Linux count, from 1.
        type: GPT type GUID in lower case, or the MBR type as two hexadecimal digits.
        guid: of the partition; None on an MBR disk.
        active: BIOS starts from it.
        raw: the bytes of the table it comes from.
        place: where these are: number of the slot of a GPT, offset on the disk for MBR.
    """

    number: int
    start: int
    size: int
    type: str
    guid: uuid.UUID | None = None
    name: str = ""
    active: bool = False
    raw: bytes = b""
    place: int = 0

    @property
    def end(self) -> int:
        """The first byte after it."""
        return self.start + self.size


@dataclass(frozen=True)
class Table:
    """The partitions of a disk.

    Args:
        gpt: whether it is a GPT; an MBR otherwise.
        sector: bytes of a logical sector.
        size: bytes of the disk.
        entries: by their number.
        guid: of the disk; None for MBR.
        signature: of the disk; 0 for GPT.
        slots: how many partitions a GPT has room for.
        first_usable: where the first partition may begin, in bytes.
        problems: what is wrong with the table, a sentence each.
    """

    gpt: bool
    sector: int
    size: int
    entries: tuple[Entry, ...]
    guid: uuid.UUID | None = None
    signature: int = 0
    slots: int = 128
    first_usable: int = 0
    problems: tuple[str, ...] = ()

    @property
    def usable_end(self) -> int:
        """Where the last partition has to end: in front of the backup GPT."""
        if not self.gpt:
            return self.size // self.sector * self.sector
        return (self.size // self.sector - 1) * self.sector - _array_bytes(self)


def read_table(read: Read, size: int, sector: int = 0) -> Table:
    """The partition table of a disk.

    Args:
        read: the disk.
        size: its bytes.
        sector: bytes of a logical sector; 0 to find out.

    Raises:
        MediaError: there is no table, or no copy of it is whole.
    """
    first = read(0, 512)
    if len(first) < 512 or first[510:] != b"\x55\xaa":
        raise MediaError(
            "There is no partition table on the disk.", "Give the image of a whole disk."
        )
    types = [first[_MBR_TABLE + _MBR_ENTRY * slot + 4] for slot in range(4)]
    if _PROTECTIVE in types:
        return _read_gpt(read, size, sector)
    return _read_mbr(read, size, sector or 512, first)


def _read_gpt(read: Read, size: int, sector: int) -> Table:
    problems: list[str] = []
    sizes = (sector,) if sector else SECTORS
    for each in sizes:
        primary = _gpt_at(read, each, each, size)
        if primary is not None:
            break
    else:
        primary, each = (
            None,
            next((one for one in sizes if _gpt_at(read, size - one, one, size)), sizes[0]),
        )
        problems.append("The first GPT is missing or damaged.")
    backup = _gpt_at(read, (size // each - 1) * each, each, size)
    if backup is None:
        at = _backup_place(read, each) if primary else 0
        elsewhere = _gpt_at(read, at, each, size) if at else None
        problems.append(
            ENLARGED
            if elsewhere is not None
            else "The backup GPT at the end of the disk is missing or damaged."
        )
    elif primary is not None and primary.entries != backup.entries:
        problems.append("The backup GPT does not have the partitions of the first one.")
    table = primary or backup
    if table is None:
        raise MediaError("Both copies of the GPT are damaged.", "Use another copy of the image.")
    return replace(table, problems=(*problems, *_border_problems(table)))


def _backup_place(read: Read, sector: int) -> int:
    return int.from_bytes(read(sector + 32, 8), "little") * sector


def _gpt_at(read: Read, at: int, sector: int, size: int) -> Table | None:
    """The table whose header is at an offset; None when it is damaged."""
    header = read(at, _HEADER) if 0 <= at < size else b""
    if len(header) < _HEADER or header[:8] != _SIGNATURE:
        return None
    length, crc = struct.unpack_from("<2I", header, 12)
    own, _, first = struct.unpack_from("<3Q", header, 24)
    array_at, count, entry_size, array_crc = struct.unpack_from("<Q3I", header, 72)
    if not _HEADER <= length <= sector or own * sector != at:
        return None
    whole = read(at, length)
    if zlib.crc32(whole[:16] + bytes(4) + whole[20:]) != crc:
        return None
    if entry_size % 128 or not entry_size or not 0 < count <= _MOST_ENTRIES:
        return None
    array = read(array_at * sector, count * entry_size)
    if zlib.crc32(array) != array_crc:
        return None
    rows = (array[entry_size * slot :][:entry_size] for slot in range(count))
    entries = (_gpt_entry(slot, row, sector) for slot, row in enumerate(rows) if any(row[:16]))
    disk = uuid.UUID(bytes_le=header[56:72])
    return Table(True, sector, size, tuple(entries), disk, 0, count, first * sector)


def _gpt_entry(slot: int, raw: bytes, sector: int) -> Entry:
    first, last = struct.unpack_from("<2Q", raw, 32)
    kind, guid = (uuid.UUID(bytes_le=raw[at : at + 16]) for at in (0, 16))
    name = raw[56:128].decode("utf-16-le", "replace").partition("\0")[0]
    size = (last - first + 1) * sector
    return Entry(slot + 1, first * sector, size, str(kind), guid, name, raw=raw, place=slot)


def _read_mbr(read: Read, size: int, sector: int, first: bytes) -> Table:
    entries = list(_mbr_entries(first, 0, 0, sector))
    logical = [entry for entry in entries if int(entry.type, 16) in _EXTENDED]
    for extended in logical[:1]:
        entries += _logical(read, extended, sector)
    signature = int.from_bytes(first[440:444], "little")
    table = Table(False, sector, size, tuple(entries), signature=signature, first_usable=sector)
    problems = [
        f"Entry {1 + slot} of the MBR has a status that is neither active nor not."
        for slot in range(4)
        if first[_MBR_TABLE + _MBR_ENTRY * slot] not in (0, _ACTIVE)
    ]
    if not entries:
        problems.append("There is no partition on the disk.")
    return replace(table, problems=(*problems, *_border_problems(table)))


def _mbr_entries(block: bytes, at: int, base: int, sector: int) -> Iterator[Entry]:
    for slot in range(4):
        place = _MBR_TABLE + _MBR_ENTRY * slot
        raw = block[place : place + _MBR_ENTRY]
        start, count = struct.unpack_from("<2I", raw, 8)
        if raw[4] and count:
            yield Entry(
                slot + 1,
                base + start * sector,
                count * sector,
                f"{raw[4]:02x}",
                active=raw[0] == _ACTIVE,
                raw=raw,
                place=at + place,
            )


def _logical(read: Read, extended: Entry, sector: int) -> Iterator[Entry]:
    """The chain of tables in an extended partition, each with one partition and a link."""
    at, number = extended.start, 5
    for _ in range(_MOST_LOGICAL):
        block = read(at, 512)
        if len(block) < 512 or block[510:] != b"\x55\xaa":
            return
        following = 0
        for entry in _mbr_entries(block, at, 0, sector):
            if int(entry.type, 16) in _EXTENDED:
                following = extended.start + entry.start
            else:
                yield replace(entry, number=number, start=at + entry.start)
                number += 1
        if following <= at:
            return
        at = following


def _border_problems(table: Table) -> Iterator[str]:
    plain = [entry for entry in table.entries if not _is_extended(table, entry)]
    for entry in plain:
        if entry.size <= 0 or entry.start < table.first_usable:
            yield f"Partition {entry.number} begins or ends where no partition can."
        elif entry.end > table.size:
            yield f"Partition {entry.number} ends behind the end of the disk."
    for one, two in pairwise(sorted(plain, key=lambda entry: entry.start)):
        if one.end > two.start:
            yield f"Partitions {one.number} and {two.number} overlap."
    if not table.gpt and sum(entry.active for entry in plain) > 1:
        yield "More than one partition is active."


def _is_extended(table: Table, entry: Entry) -> bool:
    return not table.gpt and int(entry.type, 16) in _EXTENDED


def table_writes(
    table: Table, places: Sequence[tuple[Entry, int, int]], size: int, read: Read
) -> list[tuple[int, bytes]]:
    """What has to be written so that partitions lie elsewhere, or the disk has another size.

    GUIDs, signature, types, names, flags and boot code stay. A GPT gets both its copies.

    Args:
        table: as it is.
        places: partitions with their new start and size in bytes; all others stay.
        size: bytes of the disk from now on.
        read: the disk as it is.

    Returns:
        Offsets and bytes.
    """
    new = {entry.number: (start, length) for entry, start, length in places}
    if not table.gpt:
        return [
            (entry.place, _mbr_row(entry, *new[entry.number], table.sector))
            for entry in table.entries
            if entry.number in new
        ]
    return list(_gpt_writes(replace(table, size=size), new, read))


def _mbr_row(entry: Entry, start: int, size: int, sector: int) -> bytes:
    first, count = start // sector, size // sector
    head = entry.raw[:1] + _chs(first) + entry.raw[4:5] + _chs(first + count - 1)
    return head + struct.pack("<2I", first, count)


def _chs(number: int) -> bytes:
    """The old way to count sectors, with 255 heads and 63 sectors as Windows has it."""
    cylinder, rest = divmod(number, 255 * 63)
    head, sector = divmod(rest, 63)
    if cylinder > 1023:
        return _CHS_LIMIT
    return bytes((head, sector + 1 | cylinder >> 2 & 0xC0, cylinder & 0xFF))


def _gpt_writes(
    table: Table, new: dict[int, tuple[int, int]], read: Read
) -> Iterator[tuple[int, bytes]]:
    sector = table.sector
    last = table.size // sector - 1
    array = _array(table, new)
    room = _array_bytes(table) // sector
    protective = bytearray(read(0, 512))
    for slot in range(4):
        at = _MBR_TABLE + _MBR_ENTRY * slot
        if protective[at + 4] == _PROTECTIVE:
            struct.pack_into("<I", protective, at + 12, min(last, 0xFFFFFFFF))
    yield 0, bytes(protective)
    yield sector, _gpt_header(table, array, own=1, other=last, array_at=2)
    yield 2 * sector, array
    yield (last - room) * sector, array
    yield last * sector, _gpt_header(table, array, own=last, other=1, array_at=last - room)


def _array(table: Table, new: dict[int, tuple[int, int]]) -> bytes:
    width = len(table.entries[0].raw) if table.entries else 128
    rows = bytearray(width * table.slots)
    for entry in table.entries:
        start, size = new.get(entry.number, (entry.start, entry.size))
        row = bytearray(entry.raw)
        first = start // table.sector
        struct.pack_into("<2Q", row, 32, first, first + size // table.sector - 1)
        rows[width * entry.place : width * (entry.place + 1)] = row
    return bytes(rows)


def _array_bytes(table: Table) -> int:
    """Whole sectors for the array of partitions."""
    width = len(table.entries[0].raw) if table.entries else 128
    return -(-width * table.slots // table.sector) * table.sector


def _gpt_header(table: Table, array: bytes, *, own: int, other: int, array_at: int) -> bytes:
    if table.guid is None:
        raise ValueError("a GPT disk has a GUID")
    sector = table.sector
    first = table.first_usable // sector
    last = table.size // sector - 2 - _array_bytes(table) // sector
    width = len(array) // table.slots
    fields = struct.pack("<8s4I4Q", _SIGNATURE, 0x10000, _HEADER, 0, 0, own, other, first, last)
    fields += table.guid.bytes_le
    fields += struct.pack("<Q3I", array_at, table.slots, width, zlib.crc32(array))
    whole = fields[:16] + struct.pack("<I", zlib.crc32(fields)) + fields[20:]
    return whole.ljust(sector, b"\0")
