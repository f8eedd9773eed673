"""What an NTFS volume says is in use: clusters and records, as its bitmaps and records have it.

Only a byte here and there is read of each record, so that it takes a moment for any number.

Source: layouts of ``MFT_RECORD`` and ``ATTR_RECORD`` in ``layout.h`` of ntfs-3g.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from winimagetools.errors import BuildError

Bytes = mmap.mmap | bytes | bytearray
Runs = list[tuple[int, int]]
"""First cluster and number of clusters."""
_SECTOR = 512
_RECORD = 1024
_LIST, _DATA, _BITMAP, _END = 0x20, 0x80, 0xB0, 0xFFFFFFFF
_TABLE_RECORD, _BITMAP_RECORD = 0, 6
_FLAGS_AT, _BASE_AT, _BASE_LENGTH = 22, 32, 6
_FOLDER = 2
_IN_USE = bytes(value & 1 for value in range(256))
_BITS = [bytes(value >> bit & 1 for bit in range(8)) for value in range(256)]


@dataclass(frozen=True)
class Used:
    """What is in use.

    Args:
        clusters: a bit for each cluster, the lowest first; those behind the last one are 0.
        count: clusters of the volume.
        marks: a byte for each record, 1 when the bitmap of records has it; longer than
            ``records`` where the bitmap marks records behind the end of the table.
        records: a byte for each record, 1 when it says itself that it is in use.
        files: records in use that continue no other one.
        folders: those of them that are folders.
    """

    clusters: int
    count: int
    marks: bytes
    records: bytes
    files: int
    folders: int


def read_used(volume: Bytes, cluster: int) -> Used:
    """Read what is in use.

    Args:
        volume: the whole volume, not mounted.
        cluster: bytes of a cluster.

    Raises:
        BuildError: it has no table that can be read this way.
    """
    try:
        return _read(volume, cluster)
    except (struct.error, IndexError) as error:
        raise BuildError("The master file table cannot be read.") from error


def _read(volume: Bytes, cluster: int) -> Used:
    (sectors,) = struct.unpack_from("<Q", volume, 40)
    count = sectors * _SECTOR // cluster
    (table,) = struct.unpack_from("<Q", volume, 48)
    head = _opened(volume, table * cluster)
    runs, _ = _stream(head, _DATA)
    marks = _content(volume, _stream(head, _BITMAP), cluster)
    place = _place(runs, _BITMAP_RECORD * _RECORD, cluster)
    bitmap = _content(volume, _stream(_opened(volume, place), _DATA), cluster)
    flags = _column(volume, runs, _FLAGS_AT, cluster)
    records = flags.translate(_IN_USE)
    own = _continue_none(volume, runs, cluster)
    files = [flag for flag, used, first in zip(flags, records, own, strict=True) if used and first]
    return Used(
        int.from_bytes(bitmap, "little") & (1 << count) - 1,
        count,
        b"".join([_BITS[value] for value in marks]).rstrip(b"\0").ljust(len(records), b"\0"),
        records,
        len(files),
        sum(1 for flag in files if flag & _FOLDER),
    )


def _continue_none(volume: Bytes, runs: Runs, cluster: int) -> bytes:
    """A byte for each record, 1 when it continues no other one."""
    columns = [_column(volume, runs, _BASE_AT + at, cluster) for at in range(_BASE_LENGTH)]
    if not any(any(column) for column in columns):
        return b"\1" * len(columns[0])
    return bytes(not any(each) for each in zip(*columns, strict=True))


def _column(volume: Bytes, runs: Runs, at: int, cluster: int) -> bytes:
    """The same byte of every record."""
    return b"".join(
        volume[place * cluster + at : (place + length) * cluster : _RECORD]
        for place, length in runs
    )


def _opened(volume: Bytes, place: int) -> bytearray:
    """A record with the two bytes at the end of each sector put back."""
    record = bytearray(volume[place : place + _RECORD])
    if record[:4] != b"FILE":
        raise BuildError("The master file table is not where the volume says.")
    marks = int.from_bytes(record[4:6], "little")
    for sector in (1, 2):
        end = sector * _SECTOR
        record[end - 2 : end] = record[marks + 2 * sector : marks + 2 * sector + 2]
    return record


def _attributes(record: bytearray) -> Iterator[tuple[int, bytearray]]:
    (at,) = struct.unpack_from("<H", record, 20)
    while True:
        kind, length = struct.unpack_from("<II", record, at)
        if kind == _END or length < 24:
            return
        yield kind, record[at : at + length]
        at += length


def _stream(record: bytearray, wanted: int) -> tuple[Runs, int]:
    """Where an attribute without a name is, and its bytes."""
    for kind, attribute in _attributes(record):
        if kind == _LIST:
            break
        if kind == wanted and not attribute[9] and attribute[8]:
            (size,) = struct.unpack_from("<Q", attribute, 48)
            return list(_decode(attribute)), size
    raise BuildError("The master file table is in too many pieces.")


def _decode(attribute: bytearray) -> Iterator[tuple[int, int]]:
    (at,) = struct.unpack_from("<H", attribute, 32)
    place = 0
    while head := attribute[at]:
        low, high = head & 15, head >> 4
        length = int.from_bytes(attribute[at + 1 : at + 1 + low], "little")
        step = attribute[at + 1 + low : at + 1 + low + high]
        place += int.from_bytes(step, "little", signed=True)
        yield place, length
        at += 1 + low + high


def _place(runs: Runs, offset: int, cluster: int) -> int:
    """Where a byte of a stream is on the volume."""
    for place, length in runs:
        if offset < length * cluster:
            return place * cluster + offset
        offset -= length * cluster
    raise BuildError("The master file table is too short.")


def _content(volume: Bytes, stream: tuple[Runs, int], cluster: int) -> bytes:
    runs, size = stream
    parts = [volume[place * cluster : (place + length) * cluster] for place, length in runs]
    return b"".join(parts)[:size]
