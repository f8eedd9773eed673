"""Where two images differ first: the structure, not only the number of a byte.

For whoever wants to know why a build was not repeated: a partition table, a volume's serial number,
a record of NTFS with its file, a file on the EFI partition, or the header of a container.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from winimagetools.checks.ntfs.records import DATA, HOLE, NAME, Record
from winimagetools.checks.ntfs.report import Damage, Report
from winimagetools.checks.ntfs.source import Volume, open_volume
from winimagetools.checks.ntfs.table import NUMBER, read_table, records
from winimagetools.errors import MediaError
from winimagetools.files import sparse
from winimagetools.formats.fat32 import Fat32, read_boot_sector
from winimagetools.formats.images.probe import container_of, open_image
from winimagetools.formats.partitions import Entry, Table
from winimagetools.formats.partitions import read_table as read_partitions
from winimagetools.model import DiskFormat

Read = Callable[[int, int], bytes]
"""Reads from an offset, the first argument, so many bytes, the second."""
_CHUNK = 1 << 20
_SECTOR = 512
_SIGNATURE = range(440, 444)
_SERIAL = range(72, 80)
_NAME_LETTERS, _NAME_AT = 64, 66


def find_difference(one: Path, two: Path) -> str:
    """Where two images differ first, to follow "they differ"; empty when they do not.

    Args:
        one: the image that is described.
        two: the image it is compared with.

    Raises:
        OSError: one of them cannot be read.
    """
    at = _first_byte(one, two)
    if at is None:
        return ""
    where = f"byte {at} of the file"
    try:
        container = container_of(one)
        if container is DiskFormat.RAW:
            with open_image(one) as disk:
                return f"{_in_disk(disk.read, disk.size, at)} ({where})"
        with open_image(one) as disk, open_image(two) as other:
            inside = _first_in_disks(disk.read, other.read, max(disk.size, other.size))
            if inside is not None:
                return f"{_in_disk(disk.read, disk.size, inside)}, in the disk ({where})"
        return f"the {container} around the disk, which is the same ({where})"
    except MediaError:
        return where


def _first_byte(one: Path, two: Path) -> int | None:
    """The first byte in which two files differ; the end of the shorter one counts."""
    with one.open("rb", buffering=0) as first, two.open("rb", buffering=0) as second:
        sizes = [os.fstat(file.fileno()).st_size for file in (first, second)]
        starts = sorted({*_with_data(first.fileno()), *_with_data(second.fileno())})
        for start in starts:
            chunks = []
            for file in (first, second):
                file.seek(start)
                chunks.append(file.read(_CHUNK))
            at = _differ(*chunks)
            if at is not None:
                return start + at
    return None if sizes[0] == sizes[1] else min(sizes)


def _with_data(handle: int) -> Iterator[int]:
    """Where chunks begin that are not only a hole."""
    for extent in sparse.extents(handle):
        if extent.offset is not None:
            first = extent.offset // _CHUNK * _CHUNK
            yield from range(first, extent.offset + extent.length, _CHUNK)


def _first_in_disks(one: Read, two: Read, size: int) -> int | None:
    for start in range(0, size, _CHUNK):
        at = _differ(one(start, _CHUNK), two(start, _CHUNK))
        if at is not None:
            return start + at
    return None


def _differ(one: bytes, two: bytes) -> int | None:
    if one == two:
        return None
    for number, (first, second) in enumerate(zip(one, two, strict=False)):
        if first != second:
            return number
    return min(len(one), len(two))


def _in_disk(read: Read, size: int, at: int) -> str:
    try:
        table = read_partitions(read, size)
    except MediaError:
        return "the disk, whose partition table cannot be read"
    for entry in table.entries:
        if entry.start <= at < entry.end:
            return _in_partition(read, entry, at - entry.start)
    return _around_partitions(table, at)


def _around_partitions(table: Table, at: int) -> str:
    if at in _SIGNATURE and not table.gpt:
        return "the signature of the disk in its partition table"
    if at < _SECTOR:
        return "the master boot record"
    if table.gpt and (at < table.first_usable or at >= table.usable_end):
        return "the partition table (GPT)"
    return "the space between partitions, where boot code is"


def _in_partition(read: Read, entry: Entry, at: int) -> str:
    def volume(offset: int, length: int) -> bytes:
        return read(entry.start + offset, length)

    boot = volume(0, _SECTOR)
    if boot[3:11] == b"NTFS    ":
        return f"{_in_ntfs(volume, entry.size, at)} of the NTFS volume"
    if boot[82:90] == b"FAT32   ":
        return f"{_in_fat(volume, at)} of the FAT volume"
    return f"partition {entry.number}"


def _in_fat(read: Read, at: int) -> str:
    boot = read_boot_sector(read(0, _SECTOR))
    tables = boot.reserved * boot.sector_size
    data = tables + boot.tables * boot.table_size * boot.sector_size
    if at < tables:
        return "the boot sector"
    if at < data:
        return "the allocation table"
    cluster = 2 + (at - data) // (boot.cluster_size * boot.sector_size)
    try:
        volume = Fat32(read)
        for entry in volume.entries():
            if cluster in volume.clusters(entry):
                return f"the {'folder' if entry.is_dir else 'file'} {entry.path}"
    except MediaError as error:
        return f"cluster {cluster} (it is damaged: {error.message})"
    return "the root folder" if cluster == boot.root else f"cluster {cluster}"


def _in_ntfs(read: Read, size: int, at: int) -> str:
    if at < _SECTOR:
        return "the serial number" if at in _SERIAL else "the boot sector"
    report = Report()
    try:
        volume = open_volume(read, size, report)
        table, bitmap = read_table(volume, report)
        found = list(records(table, volume, bitmap, report))
    except Damage as error:
        return f"byte {at} (it is damaged: {error})"
    return _in_files(volume, found, at)


def _in_files(volume: Volume, found: list[Record], at: int) -> str:
    cluster = at // volume.cluster
    for record in found:
        passed = 0
        for each in record.attributes:
            if each.lowest == 0:
                passed = 0
            for place, length in each.runs:
                if place != HOLE and place <= cluster < place + length:
                    inside = passed + (cluster - place)
                    offset = inside * volume.cluster + at % volume.cluster
                    return _in_stream(volume, found, record, each.kind, offset)
                passed += length
    return f"cluster {cluster}, which no file uses,"


def _in_stream(volume: Volume, found: list[Record], record: Record, kind: int, offset: int) -> str:
    if record.number == 0 and kind == DATA:
        number, inside = divmod(offset, volume.record)
        other = next((each for each in found if each.number == number), None)
        name = f" ({_name(other, found)})" if other is not None else ""
        return f"byte {inside} of MFT record {number}{name}"
    what = "the content" if kind == DATA else f"attribute {kind:#x}"
    return f"byte {offset} of {what} of {_name(record, found)}"


def _name(record: Record, found: list[Record]) -> str:
    """The longest name of a file; that of the record it continues."""
    base = record.base & NUMBER
    if base:
        record = next((each for each in found if each.number == base), record)
    values = [each.value for each in record.attributes if each.kind == NAME and each.value]
    names = (
        value[_NAME_AT : _NAME_AT + 2 * value[_NAME_LETTERS]].decode("utf-16-le", "replace")
        for value in values
    )
    return max(names, key=len, default=f"record {record.number}")
