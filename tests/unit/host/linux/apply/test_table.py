"""What is settled in the master file table once the library has let go of it."""

from __future__ import annotations

import mmap
import struct

import pytest

from winimagetools.host.linux.apply.calls import LayoutError
from winimagetools.host.linux.apply.table import RECORD, Table

CLUSTER = 4096
MARK = b"\x7e\x7f"


def content(size: int, name: str = "", *, written: int = 0, first: int = 0) -> bytes:
    """An attribute with a content that lies outside of the record."""
    letters = name.encode("utf-16-le")
    length = 72 + len(letters) + 7 & ~7
    head = struct.pack("<IIBBHHH", 0x80, length, 1, len(name), 64, 0, 3)
    places = struct.pack("<QQHHI", first, first + size // CLUSTER, 64 + len(letters), 0, 0)
    sizes = struct.pack("<QQQ", size + CLUSTER - 1 & -CLUSTER, size, written)
    return (head + places + sizes + letters).ljust(length, b"\0")


def filler(length: int) -> bytes:
    """An attribute that has nothing to do with it."""
    return struct.pack("<II", 0x10, length).ljust(length, b"\0")


def record(*attributes: bytes, base: int = 0, used: bool = True) -> bytes:
    """A record as it is on the disk: the ends of its sectors are elsewhere."""
    head = struct.pack(
        "<4sHHQHHHHIIQHHI", b"FILE", 48, 3, 0, 1, 1, 56, used, 0, RECORD, base, 9, 0, 0
    )
    data = bytearray(
        (head.ljust(56, b"\0") + b"".join(attributes) + b"\xff" * 4).ljust(RECORD, b"\0")
    )
    data[48:50] = MARK
    for sector in (1, 2):
        end = sector * 512
        data[48 + 2 * sector : 50 + 2 * sector] = data[end - 2 : end]
        data[end - 2 : end] = MARK
    return bytes(data)


def volume(*records: bytes) -> mmap.mmap:
    """A volume whose table begins in its second cluster."""
    made = mmap.mmap(-1, 4 * CLUSTER)
    data = b"".join(records)
    made[CLUSTER : CLUSTER + len(data)] = data
    return made


def written(made: mmap.mmap, number: int, at: int) -> int:
    """How much of a content is said to be written; ``at`` is where its attribute begins."""
    start = CLUSTER + number * RECORD + 56 + at
    return int.from_bytes(made[start + 56 : start + 62], "little")


def settle(made: mmap.mmap, expected: dict[int, list[tuple[bytes, int]]]) -> None:
    """With a table of two clusters."""
    Table(made, [1, 2], CLUSTER).settle(expected)


def test_contents_are_said_to_be_written() -> None:
    """The one without a name and others, and nothing else is changed."""
    stream = content(9000, "stream")
    made = volume(record(), record(filler(96), content(5000), stream))
    before = made[:]
    settle(made, {1: [(b"", 5000), ("stream".encode("utf-16-le"), 9000)]})
    assert (written(made, 1, 96), written(made, 1, 96 + 72)) == (5000, 9000)
    changed = [at for at in range(len(before)) if before[at] != made[at]]
    start = CLUSTER + RECORD + 56 + 96 + 56
    assert set(changed) <= {*range(start, start + 6), *range(start + 72, start + 78)}


@pytest.mark.parametrize("length", range(360, 460, 8))
def test_where_a_sector_ends(length: int) -> None:
    """Its last two bytes stay what they are, wherever the attribute lies."""
    made = volume(record(filler(length), content(70_000, "ab")))
    settle(made, {0: [("ab".encode("utf-16-le"), 70_000)]})
    assert written(made, 0, length) == 70_000
    assert made[CLUSTER + 510 : CLUSTER + 512] == made[CLUSTER + 1022 : CLUSTER + 1024] == MARK


def test_a_file_of_several_records() -> None:
    """The content is found in the one that continues the file."""
    made = volume(record(), record(filler(96)), record(content(5000), base=1), record())
    settle(made, {1: [(b"", 5000)]})
    assert written(made, 2, 0) == 5000


def test_more_records_than_are_kept_in_sight() -> None:
    """What was looked at leaves the memory of this process, and stays in the volume."""
    count, clusters = 8300, 8300 // 4 + 1
    made = mmap.mmap(-1, (clusters + 1) * CLUSTER)
    made[CLUSTER : CLUSTER + count * RECORD] = record(content(5000)) * count
    expected = {number: [(b"", 5000)] for number in range(count)}
    Table(made, list(range(1, clusters + 1)), CLUSTER).settle(expected)
    assert {written(made, number, 0) for number in range(count)} == {5000}


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (volume(record(), record(content(5001))), "another size"),
        (volume(record(), record(content(5000, written=5000))), "another size"),
        (volume(record(), record(content(5000, "other"))), "missing"),
        (volume(record(), record(content(5000, first=7))), "missing"),
        (volume(record(), record(content(5000), used=False)), "not in use"),
        (volume(record(), bytes(RECORD)), "not in use"),
    ],
)
def test_what_is_not_as_it_was_laid_out(made: mmap.mmap, message: str) -> None:
    """Then nobody relies on it."""
    with pytest.raises(LayoutError, match=message):
        settle(made, {1: [(b"", 5000)]})
