"""The master file table and the copy of its first records."""

from __future__ import annotations

import struct

import pytest

from winimagetools.formats.mft import Read, without_mirror


def volume(sectors: int, record: int, cluster: int) -> bytes:
    """Eight clusters: a boot sector, the table in the third, its copy in the sixth."""
    boot = struct.pack("<3x8sHB34x2Qb", b"NTFS    ", 512, sectors, 2, 5, record)
    table = b"".join(bytes([number]) * (cluster // 4) for number in range(1, 5))
    parts = {0: boot, 2: table, 5: b"\xee" * cluster}
    return b"".join(parts.get(number, b"\xaa").ljust(cluster, b"\xaa") for number in range(8))


def reading(data: bytes) -> Read:
    """What reads them."""
    return lambda at, count: data[at : at + count]


@pytest.mark.parametrize(("sectors", "record", "cluster"), [(8, -10, 4096), (0xF3, -10, 4194304)])
def test_the_records_count_and_not_their_copy(sectors: int, record: int, cluster: int) -> None:
    """However much is read around the copy, it shows the records; the rest is as it is."""
    data = volume(sectors, record, cluster)
    read = without_mirror(reading(data))
    table = data[2 * cluster : 3 * cluster]
    assert read(5 * cluster, cluster) == table
    assert read(5 * cluster + 1024, 10) == table[1024:1034]
    assert read(5 * cluster - 6, 12) == b"\xaa" * 6 + table[:6]
    assert read(6 * cluster - 6, 12) == table[-6:] + b"\xaa" * 6
    assert read(0, 8 * cluster) == data[: 5 * cluster] + table + data[6 * cluster :]
    assert read(0, 5 * cluster) == data[: 5 * cluster]


def test_records_that_are_larger_than_clusters() -> None:
    """Four of them are copied, over several clusters."""
    data = volume(1, 2, 512)  # clusters of 512 bytes, records of two
    read = without_mirror(reading(data))
    assert read(5 * 512, 3 * 512) == data[2 * 512 : 5 * 512]


def test_what_is_no_ntfs_is_read_as_it_is() -> None:
    """Nothing is known of it."""
    read = reading(bytes(4096))
    assert without_mirror(read) is read
