"""FAT32 as an EFI system partition has it, read only: to see what a program really wrote.

The layout is that of Microsoft's "FAT32 File System Specification" 1.03, with the long names
and the letter case bits (byte 12 of an entry) that Windows NT added.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from winimagetools.errors import MediaError

Read = Callable[[int, int], bytes]
"""Reads so many bytes, the second argument, from an offset in the volume, the first."""
_ENTRY = 32
_END = 0x0FFFFFF8
_MASK = 0x0FFFFFFF
_FOLDER, _LABEL, _LONG = 0x10, 0x08, 0x0F
_DELETED = 0xE5
_LOWER_BASE, _LOWER_EXTENSION = 0x08, 0x10
_LARGEST_FOLDER = 2 * 1024 * 1024
"""65536 entries; see "Directory Structure" of the specification."""
_DEEPEST = 64
_SECTORS, _MOST_TABLES = (512, 1024, 2048, 4096), 2
_LARGEST_TABLE = 128 << 20
"""Bytes: that of a volume of 128 GiB with clusters of 4 KiB."""
_LARGEST_FILE = 256 << 20
"""Bytes; boot managers and stores have a hundredth. What is damaged may say 4 GiB."""


@dataclass(frozen=True)
class FatEntry:
    """A file or folder.

    Args:
        path: from the root, parts joined by ``/``.
        is_dir: whether it is a folder.
        cluster: the first one; 0 for an empty file.
        size: bytes; 0 for a folder.
    """

    path: str
    is_dir: bool
    cluster: int
    size: int


@dataclass(frozen=True)
class BootSector:
    """What the first sector of a volume says; sizes are in sectors."""

    sector_size: int
    cluster_size: int
    reserved: int
    tables: int
    hidden: int
    total: int
    table_size: int
    root: int


def read_boot_sector(data: bytes) -> BootSector:
    """The fields of a first sector.

    Raises:
        MediaError: it is not that of a FAT32 volume.
    """
    if data[510:512] != b"\x55\xaa" or data[82:90] != b"FAT32   ":
        raise MediaError("It is not a FAT32 volume.")
    sector_size, cluster_size, reserved, tables = struct.unpack_from("<HBHB", data, 11)
    hidden, total, table_size, _, root = struct.unpack_from("<5I", data, 28)
    known = sector_size in _SECTORS and cluster_size.bit_count() == 1 and reserved and tables
    if not known or tables > _MOST_TABLES or table_size * sector_size > _LARGEST_TABLE:
        raise MediaError("It is not a FAT32 volume.")
    return BootSector(sector_size, cluster_size, reserved, tables, hidden, total, table_size, root)


class Fat32:
    """A FAT32 volume.

    Args:
        read: reads from the volume.

    Raises:
        MediaError: it is no such volume, or its two tables differ.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self.boot = read_boot_sector(read(0, 512))
        start = self.boot.reserved * self.boot.sector_size
        length = self.boot.table_size * self.boot.sector_size
        copies = {read(start + number * length, length) for number in range(self.boot.tables)}
        if len(copies) != 1 or len(table := copies.pop()) != length:
            raise MediaError("The copies of its allocation table are not alike.")
        self._table = struct.unpack(f"<{length // 4}I", table)
        self._data = start + self.boot.tables * length
        self._cluster = self.boot.cluster_size * self.boot.sector_size

    def entries(self) -> Iterator[FatEntry]:
        """All files and folders, each folder before what is in it. Raises MediaError."""
        yield from self._below("", self.boot.root, {self.boot.root})

    def clusters(self, entry: FatEntry) -> set[int]:
        """The numbers of the clusters of a file or folder."""
        numbers, cluster = set[int](), entry.cluster
        while 2 <= cluster < len(self._table) and cluster not in numbers:
            numbers.add(cluster)
            cluster = self._table[cluster] & _MASK
        return numbers

    def content(self, entry: FatEntry) -> bytes:
        """The bytes of a file.

        Raises:
            MediaError: it is too large, its clusters end before its size, or lead in a circle.
        """
        if entry.size > _LARGEST_FILE:
            raise MediaError(f"{entry.path} has {entry.size} bytes, too many for a boot file.")
        data = self._chain(entry.cluster, entry.size) if entry.size else b""
        if len(data) < entry.size:
            raise MediaError(f"{entry.path} ends after {len(data)} of {entry.size} bytes.")
        return data[: entry.size]

    def _below(self, path: str, cluster: int, known: set[int]) -> Iterator[FatEntry]:
        for entry in _parse_folder(path, self._chain(cluster, _LARGEST_FOLDER)):
            yield entry
            if entry.is_dir:
                if entry.cluster in known or entry.path.count("/") > _DEEPEST:
                    raise MediaError(f"The folder {entry.path} has no end.")
                known.add(entry.cluster)
                yield from self._below(f"{entry.path}/", entry.cluster, known)

    def _chain(self, cluster: int, limit: int) -> bytes:
        """The bytes of a chain of clusters, up to about ``limit``."""
        found, length = [], 0
        while length < limit and 2 <= cluster < _END:
            first, count = cluster, 0
            while cluster == first + count and length + count * self._cluster < limit:
                if cluster >= len(self._table):
                    raise MediaError(f"Cluster {cluster} does not exist.")
                count, cluster = count + 1, self._table[cluster] & _MASK
            found.append(
                self._read(self._data + (first - 2) * self._cluster, count * self._cluster)
            )
            length += count * self._cluster
        return b"".join(found)


def _parse_folder(path: str, data: bytes) -> Iterator[FatEntry]:
    long_parts: list[str] = []
    for offset in range(0, len(data) - _ENTRY + 1, _ENTRY):
        raw = data[offset : offset + _ENTRY]
        if raw[0] == 0:
            return
        if raw[0] == _DELETED:
            long_parts = []
        elif raw[11] & 0x3F == _LONG:
            text = raw[1:11] + raw[14:26] + raw[28:32]
            long_parts.insert(0, text.decode("utf-16-le", "surrogatepass"))
        else:
            name = "".join(long_parts).split("\0")[0] or _short_name(raw)
            long_parts = []
            if not raw[11] & _LABEL and name not in (".", ".."):
                yield _entry(path + name, raw)


def _entry(path: str, raw: bytes) -> FatEntry:
    high, low, size = struct.unpack("<H4xHI", raw[20:32])
    return FatEntry(path, bool(raw[11] & _FOLDER), high << 16 | low, size)


def _short_name(raw: bytes) -> str:
    base, extension = (raw[at:end].decode("cp850").rstrip() for at, end in ((0, 8), (8, 11)))
    base = base.lower() if raw[12] & _LOWER_BASE else base
    extension = extension.lower() if raw[12] & _LOWER_EXTENSION else extension
    return f"{base}.{extension}" if extension else base
