"""The bytes of a volume: its boot sector, and the content of attributes by their clusters."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from winimagetools.checks.ntfs.records import HOLE, SECTOR, Attribute
from winimagetools.checks.ntfs.report import Damage, Report

Read = Callable[[int, int], bytes]
"""Reads from an offset, the first argument, so many bytes, the second."""
_CHUNK = 4 * 1024 * 1024
_LARGEST = 128 * 1024 * 1024
"""Bytes of metadata that are read whole, at most; the bitmap of 2 TiB has half of it."""
LARGEST_TABLE = 4 * 1024 * 1024 * 1024
"""The same for the master file table: four million files."""


@dataclass(frozen=True)
class Volume:
    """A volume as its boot sector describes it.

    Args:
        cluster: bytes of a cluster.
        clusters: how many there are.
        table: first cluster of the master file table.
        mirror: first cluster of the copy of its first records.
        record: bytes of a record.
        block: bytes of a block of an index.
    """

    read: Read
    cluster: int
    clusters: int
    table: int
    mirror: int
    record: int
    block: int

    def content(self, parts: Sequence[Attribute], largest: int = _LARGEST) -> bytearray:
        """The content of an attribute that may have several parts.

        Args:
            parts: in order.
            largest: bytes it may have.

        Raises:
            Damage: it is too large for metadata, or its clusters are not on the volume.
        """
        first = parts[0]
        if first.value is not None:
            return bytearray(first.value)
        there = sum(length for part in parts for _, length in part.runs) * self.cluster
        if not 0 <= first.size <= there <= largest:
            raise Damage("sizes", f"{first.text} of record {first.record} has an impossible size.")
        content = bytearray()
        for place, length in (run for part in parts for run in part.runs):
            for piece in self._clusters(place, length):
                content += piece
        del content[first.size :]
        if 0 <= first.initialized < len(content):
            content[first.initialized :] = bytes(len(content) - first.initialized)
        return content

    def _clusters(self, place: int, length: int) -> Iterator[bytes]:
        """In pieces, so that the table of a large volume is not twice in memory."""
        if place != HOLE and place + length > self.clusters:
            raise Damage("runs", f"The clusters from {place} are not on the volume.")
        offset, count = place * self.cluster, length * self.cluster
        for start in range(0, count, _CHUNK):
            piece = min(_CHUNK, count - start)
            yield bytes(piece) if place == HOLE else self.read(offset + start, piece)


def open_volume(read: Read, size: int, report: Report) -> Volume:
    """Read the boot sector and compare its copy.

    Args:
        read: the volume.
        size: bytes of its partition.
        report: gets what is wrong but does not stop the reading.

    Raises:
        Damage: there is no NTFS volume.
    """
    boot = read(0, SECTOR)
    if len(boot) < SECTOR or boot[3:11] != b"NTFS    ":
        raise Damage("boot sector", "The partition does not begin with an NTFS boot sector.")
    if boot[510:512] != b"\x55\xaa":
        report.add("boot sector", "The boot sector has no signature at its end.")
    sector, factor = struct.unpack_from("<HB", boot, 11)
    sectors, table, mirror, record, block = struct.unpack_from("<QQQbxxxb", boot, 40)
    cluster = sector * (factor if factor <= 128 else 1 << (256 - factor))
    if sector not in (512, 1024, 2048, 4096) or not sector <= cluster <= 2 * 1024 * 1024:
        raise Damage("boot sector", "The boot sector gives impossible sizes.")
    if cluster & cluster - 1 or not sectors or sectors * sector > size:
        raise Damage("boot sector", "The boot sector gives a volume larger than its partition.")
    sizes = [count * cluster if count > 0 else 1 << min(-count, 20) for count in (record, block)]
    if any(not SECTOR <= each <= 65536 or each & each - 1 for each in sizes):
        raise Damage("boot sector", "The boot sector gives impossible sizes of records.")
    clusters = sectors * sector // cluster
    if not (0 < table < clusters and 0 < mirror < clusters) or any(boot[14:21]):
        raise Damage("boot sector", "The boot sector gives impossible places.")
    if read(sectors * sector, SECTOR) != boot:
        report.add("boot copy", "The copy of the boot sector at the end of the volume differs.")
    return Volume(read, cluster, clusters, table, mirror, *sizes)
