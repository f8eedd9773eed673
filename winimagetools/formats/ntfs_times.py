"""Times and number of an NTFS volume, made independent of when it was written.

Whoever writes a volume puts the time of day into it: when a record was changed, when the files
of the file system were made. Here every time that is later than a given one becomes that one, as
is the custom with ``SOURCE_DATE_EPOCH``, and so does the beginning of 1970, which they write that
see no clock; every record counts as changed then. What is left
behind the end of records and of blocks of folders, copies of entries that were moved, is cleared.

It works on volumes of any engine and any size of cluster, in one pass over the master file
table and the blocks of folders; nothing is looked up twice, which makes it fast.

Source: layouts of ``MFT_RECORD``, ``STANDARD_INFORMATION``, ``FILE_NAME_ATTR`` and
``INDEX_ENTRY`` in ``layout.h`` of ntfs-3g.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from winimagetools.errors import BuildError

Read = Callable[[int, int], bytes]
"""Reads from an offset, the first argument, so many bytes, the second."""
Write = Callable[[int, bytes], object]
"""Writes bytes at an offset."""
_SECTOR = 512
_SERIAL = 72
_COPIED_RECORDS = 4
_CHUNK = 1 << 20
_STANDARD, _LIST, _NAME, _DATA, _ROOT, _ALLOCATION = 0x10, 0x20, 0x30, 0x80, 0x90, 0xA0
_HAS_INDEX = 2 | 8
"""Flags of the records of folders, and of files of NTFS itself that hold another index."""
_LAST_ENTRY = 2
_NO_CLOCK = 116_444_736_000_000_000
_NO_CLOCK_END = _NO_CLOCK + 10_000_000
"""The first second of 1970: what programs write that see no clock."""
_NAMES_INDEX, _QUOTA_INDEX = (name.encode("utf-16-le") for name in ("$I30", "$Q"))
_RECORD_HEAD = struct.Struct("<HHI4xQ")
"""Of a record, from byte 20: first attribute, flags, bytes used, the record it continues."""
_ATTRIBUTE = struct.Struct("<II")
_TIMES = struct.Struct("<4Q")
"""Made, written, changed, read."""
_ENTRY = struct.Struct("<4xH2xH")
"""Of an entry of a folder, from byte 4: its length and its flags."""
_FIRST_RECORD, _MFT_SEQUENCE = bytes(4), 1 << 48
"""The number of the record of the table itself, and how others refer to it."""


@dataclass(frozen=True)
class _Boot:
    """What the boot sector says; places and sizes in bytes."""

    cluster: int
    record: int
    block: int
    table: int
    mirror: int
    copy: int


@dataclass(frozen=True)
class _Run:
    """Clusters that follow each other, in bytes."""

    start: int
    length: int


def settle_volume(read: Read, write: Write, time: int, serial: bytes) -> None:
    """Give a volume its number and no time later than ``time``.

    Args:
        read: the volume, which is not mounted.
        write: changes it.
        time: as Windows counts, see :attr:`winimagetools.stamp.Stamp.filetime`.
        serial: eight bytes, the number of the volume.

    Raises:
        BuildError: it is no NTFS volume.
    """
    boot = _read_boot(read)
    for at in (0, boot.copy):
        write(at + _SERIAL, serial)
    found = _Found(boot.cluster)
    for run in _table_runs(read, boot):
        for at, chunk in _chunks(read, run, boot.record):
            new = settle_records(chunk, boot.record, time, found)
            if new != chunk:
                write(at, new)
    write(boot.mirror, read(boot.table, _COPIED_RECORDS * boot.record))
    for run in found.folders:
        for at, chunk in _chunks(read, run, boot.block):
            write(at, settle_blocks(chunk, boot.block, time))


def settle_records(data: bytes, length: int, time: int, found: _Found | None = None) -> bytes:
    """Records of the master file table with times not later than ``time``.

    Args:
        data: whole records as they are on the disk; damaged ones stay as they are.
        length: bytes of a record.
        time: as Windows counts.
        found: gets where the blocks of folders are.
    """
    return _in_blocks(data, length, lambda opened: _settle_records(opened, length, time, found))


def settle_blocks(data: bytes, length: int, time: int) -> bytes:
    """Blocks of folders with times not later than ``time``; see :func:`settle_records`."""
    return _in_blocks(data, length, lambda opened: _settle_blocks(opened, length, time))


class _Found:
    """Where blocks of folders are, and what belongs to the master file table itself."""

    def __init__(self, cluster: int) -> None:
        self._cluster = cluster
        self.folders: list[_Run] = []
        self.table: list[_Run] = []
        self.has_more = False
        """Further records say where the rest of the table is."""

    def look(self, data: bytearray, at: int, kind: int, *, of_table: bool) -> None:
        """Take from an attribute what it says."""
        self.has_more |= of_table and kind == _LIST
        if not data[at + 8]:
            return
        if kind == _ALLOCATION and _name(data, at) == _NAMES_INDEX:
            self.folders += self._runs(data, at)
        elif kind == _DATA and of_table and not data[at + 9]:
            self.table += self._runs(data, at)

    def _runs(self, data: bytearray, at: int) -> Iterator[_Run]:
        return _decode_runs(data, at + struct.unpack_from("<H", data, at + 32)[0], self._cluster)


def _read_boot(read: Read) -> _Boot:
    data = read(0, _SECTOR)
    if len(data) < _SECTOR or data[3:11] != b"NTFS    ":
        raise BuildError("The Windows partition does not begin with an NTFS volume.")
    sector, factor = struct.unpack_from("<HB", data, 11)
    sectors, table, mirror, record, block = struct.unpack_from("<QQQbxxxb", data, 40)
    cluster = sector * (factor if factor <= 128 else 1 << (256 - factor))
    return _Boot(
        cluster,
        record * cluster if record > 0 else 1 << -record,
        block * cluster if block > 0 else 1 << -block,
        table * cluster,
        mirror * cluster,
        sectors * sector,
    )


def _table_runs(read: Read, boot: _Boot) -> list[_Run]:
    """Where the master file table is; when it is in many pieces further records say that."""
    first = _Found(boot.cluster)
    settle_records(read(boot.table, boot.record), boot.record, 0, first)
    runs = list(dict.fromkeys(first.table))
    if first.has_more:
        for run in runs:  # which grows
            for _, chunk in _chunks(read, run, boot.record):
                more = _Found(boot.cluster)
                settle_records(chunk, boot.record, 0, more)
                runs += [other for other in more.table if other not in runs]
    return runs


def _chunks(read: Read, run: _Run, length: int) -> Iterator[tuple[int, bytes]]:
    step = max(_CHUNK // length, 1) * length
    for at in range(run.start, run.start + run.length, step):
        yield at, read(at, min(step, run.start + run.length - at))


def _in_blocks(data: bytes, length: int, change: Callable[[bytearray], None]) -> bytes:
    """Change blocks whose last two bytes of each sector stand elsewhere."""
    opened = bytearray(data)
    place = _open(opened, length)
    if place:
        change(opened)
        _close(opened, length, place)
        return bytes(opened)
    if len(data) <= length:
        return data
    return b"".join(
        _in_blocks(data[at : at + length], length, change) for at in range(0, len(data), length)
    )


def _open(data: bytearray, length: int) -> int:
    """Put the two bytes at the end of each sector back, in all blocks at once.

    Returns:
        Where in a block they were; 0 when it is not the same in all of them, or one was not
        written as a whole: then nothing was done. Blocks of zeros do not count.
    """
    place, count = max(data[4::length], default=0), length // _SECTOR
    if not place or place % 2 or place + 2 * count > _SECTOR - 4 or len(data) % length:
        return 0
    if any(data[5::length]) or not set(data[4::length]) <= {0, place}:
        return 0
    for end in range(_SECTOR, length + 1, _SECTOR):
        for byte in (0, 1):
            if data[end - 2 + byte :: length] != data[place + byte :: length]:
                return 0
    for number in range(1, count + 1):
        for byte in (0, 1):
            stored = data[place + 2 * number + byte :: length]
            data[_SECTOR * number - 2 + byte :: length] = stored
    return place


def _close(data: bytearray, length: int, place: int) -> None:
    for number in range(1, length // _SECTOR + 1):
        for byte in (0, 1):
            end = _SECTOR * number - 2 + byte
            data[place + 2 * number + byte :: length] = data[end::length]
            data[end::length] = data[place + byte :: length]


def _settle_records(data: bytearray, length: int, time: int, found: _Found | None) -> None:
    nothing, changed = bytes(length), struct.pack("<Q", time)
    for base in range(0, len(data), length):
        if data[base : base + 4] == b"FILE":
            first, flags, used, continues = _RECORD_HEAD.unpack_from(data, base + 20)
            if used > length:
                continue
            own = data[base + 44 : base + 48] == _FIRST_RECORD and not continues
            of_table = own or continues == _MFT_SEQUENCE
            last = _ALLOCATION if flags & _HAS_INDEX or of_table else _NAME
            end = base + used
            for at, kind in _settle_attributes(data, base + first, end, last, time, changed):
                if found is not None:
                    found.look(data, at, kind, of_table=of_table)
            data[end : base + length] = nothing[: base + length - end]


def _settle_attributes(
    data: bytearray, at: int, end: int, last: int, time: int, changed: bytes
) -> list[tuple[int, int]]:
    """Settle the times in attributes up to a kind; returns the others with their kind."""
    others = []
    while at + 24 < end:
        kind, size = _ATTRIBUTE.unpack_from(data, at)
        if kind > last or size < 24 or at + size > end:
            break
        if kind == _STANDARD:
            _settle_times(data, at + data[at + 20], time, changed)
        elif kind == _NAME:
            _settle_times(data, at + data[at + 20] + 8, time, changed)
        elif kind == _ROOT:
            _settle_root(data, at, at + size, time, changed)
        else:
            others.append((at, kind))
        at += size
    return others


def _settle_root(data: bytearray, at: int, end: int, time: int, changed: bytes) -> None:
    name, head = _name(data, at), at + data[at + 20] + 16
    if name == _NAMES_INDEX:
        _settle_entries(data, head, end, time, changed)
    elif name == _QUOTA_INDEX:
        _settle_quotas(data, head, end, changed)


def _name(data: bytearray, at: int) -> bytes:
    place = at + struct.unpack_from("<H", data, at + 10)[0]
    return bytes(data[place : place + 2 * data[at + 9]])


def _settle_blocks(data: bytearray, length: int, time: int) -> None:
    nothing, changed = bytes(length), struct.pack("<Q", time)
    for base in range(0, len(data), length):
        if data[base : base + 4] == b"INDX":
            end = _settle_entries(data, base + 24, base + length, time, changed)
            data[end : base + length] = nothing[: base + length - end]


def _settle_entries(data: bytearray, head: int, limit: int, time: int, changed: bytes) -> int:
    """The entries of a folder after the head of its list; returns where they end."""
    first, used = struct.unpack_from("<2I", data, head)
    at, end = head + first, head + int(used)
    if end > limit:
        return limit
    while at + 16 < end:
        size, flags = _ENTRY.unpack_from(data, at + 4)
        if flags & _LAST_ENTRY or size < 16:
            break
        if at + 56 <= end:
            _settle_times(data, at + 24, time, changed)
        at += size
    return end


def _settle_quotas(data: bytearray, head: int, limit: int, changed: bytes) -> None:
    """The time in each entry of the index of quotas, after the head of its list."""
    first, used = struct.unpack_from("<2I", data, head)
    at, end = head + first, min(head + used, limit)
    while at + 16 < end:
        value, size, flags = struct.unpack_from("<H6xH2xH", data, at)
        if flags & _LAST_ENTRY or size < value + 24 or at + size > end:
            break
        data[at + value + 16 : at + value + 24] = changed
        at += size


def _settle_times(data: bytearray, at: int, time: int, changed: bytes) -> None:
    made, written, _, used = times = _TIMES.unpack_from(data, at)
    if _NO_CLOCK_END <= made <= time >= written >= _NO_CLOCK_END <= used <= time:
        data[at + 16 : at + 24] = changed
        return
    new = [time if each > time or _NO_CLOCK <= each < _NO_CLOCK_END else each for each in times]
    new[2] = time
    _TIMES.pack_into(data, at, *new)


def _decode_runs(data: bytearray, at: int, cluster: int) -> Iterator[_Run]:
    """Where the clusters of an attribute are; holes are left out."""
    place = 0
    while head := data[at]:
        low, high = head & 15, head >> 4
        length = int.from_bytes(data[at + 1 : at + 1 + low], "little")
        step = data[at + 1 + low : at + 1 + low + high]
        place += int.from_bytes(step, "little", signed=True)
        if high:
            yield _Run(place * cluster, length * cluster)
        at += 1 + low + high
