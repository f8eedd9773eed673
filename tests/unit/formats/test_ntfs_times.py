"""Times in the records and folders of an NTFS volume."""

from __future__ import annotations

import struct

import pytest

from winimagetools.errors import BuildError
from winimagetools.formats.ntfs_times import settle_blocks, settle_records, settle_volume

TIME = 133_000_000_000_000_000
LATER, EARLIER = TIME + 5, TIME - 5
NO_CLOCK = 116_444_736_000_000_000
RECORD, BLOCK = 1024, 4096


def attribute(kind: int, value: bytes, name: str = "") -> bytes:
    """An attribute that stands in its record."""
    letters = name.encode("utf-16-le")
    at = 24 + len(letters) + -len(letters) % 8
    head = struct.pack("<IIBBHHHIHH", kind, 0, 0, len(name), 24, 0, 0, len(value), at, 0)
    data = (head + letters).ljust(at, b"\0") + value
    data += bytes(-len(data) % 8)
    return data[:4] + struct.pack("<I", len(data)) + data[8:]


def elsewhere(kind: int, name: str, runs: bytes) -> bytes:
    """An attribute that has clusters."""
    letters = name.encode("utf-16-le")
    at = 64 + len(letters)
    head = struct.pack("<IIBBH", kind, 0, 1, len(name), 64).ljust(32, b"\0")
    data = (head + struct.pack("<H", at)).ljust(64, b"\0") + letters + runs + b"\0"
    data += bytes(-len(data) % 8)
    return data[:4] + struct.pack("<I", len(data)) + data[8:]


def standard(*times: int) -> bytes:
    """``$STANDARD_INFORMATION``."""
    return attribute(0x10, struct.pack("<4Q", *times).ljust(72, b"\0"))


def file_name(name: str, *times: int) -> bytes:
    """The content of ``$FILE_NAME``."""
    fields = struct.pack("<Q4Q", 5, *times).ljust(64, b"\0")
    return fields + bytes((len(name), 1)) + name.encode("utf-16-le")


def entry(name: str, *times: int) -> bytes:
    """An entry of a folder."""
    key = file_name(name, *times)
    size = 16 + len(key) + -len(key) % 8
    return (struct.pack("<QHHHH", 99, size, len(key), 0, 0) + key).ljust(size, b"\0")


LAST = struct.pack("<QHHHH", 0, 16, 0, 2, 0)


def protect(block: bytes, at: int) -> bytes:
    """The block as it lies on the disk: marks at the ends of sectors, their bytes elsewhere."""
    data, mark = bytearray(block), b"\x07\x01"
    struct.pack_into("<HH", data, 4, at, len(data) // 512 + 1)
    data[at : at + 2] = mark
    for number in range(1, len(data) // 512 + 1):
        end = 512 * number
        data[at + 2 * number : at + 2 * number + 2] = data[end - 2 : end]
        data[end - 2 : end] = mark
    return bytes(data)


def record(*attributes: bytes, flags: int = 1, number: int = 70, behind: bytes = b"") -> bytes:
    """A record on the disk; ``behind`` is what an older one left."""
    body = b"".join(attributes) + b"\xff\xff\xff\xff\0\0\0\0"
    head = bytearray(b"FILE".ljust(56, b"\0"))
    struct.pack_into("<HHII", head, 20, 56, flags, 56 + len(body), RECORD)
    struct.pack_into("<I", head, 44, number)
    return protect((bytes(head) + body + behind).ljust(RECORD, b"\0"), 48)


def block(*entries: bytes, behind: bytes = b"") -> bytes:
    """A block of a folder on the disk."""
    body = b"".join(entries) + LAST
    head = bytearray(b"INDX".ljust(64, b"\0"))
    struct.pack_into("<III", head, 24, 40, 40 + len(body), BLOCK - 24)
    return protect((bytes(head) + body + behind).ljust(BLOCK, b"\0"), 40)


def test_later_times_become_the_given_one() -> None:
    """Earlier ones stay, but that a record was changed; so do all copies of them."""
    before = record(
        standard(LATER, EARLIER, EARLIER, NO_CLOCK),
        attribute(0x30, file_name("a.txt", EARLIER, LATER, LATER, LATER)),
        attribute(0x30, file_name("A~1.TXT", EARLIER, EARLIER, 3, EARLIER)),
        attribute(0x80, struct.pack("<4Q", LATER, LATER, LATER, LATER)),
    )
    after = record(
        standard(TIME, EARLIER, TIME, TIME),
        attribute(0x30, file_name("a.txt", EARLIER, TIME, TIME, TIME)),
        attribute(0x30, file_name("A~1.TXT", EARLIER, EARLIER, TIME, EARLIER)),
        attribute(0x80, struct.pack("<4Q", LATER, LATER, LATER, LATER)),
    )
    assert settle_records(before, RECORD, TIME) == after
    assert settle_records(after, RECORD, TIME) == after


def test_times_at_the_end_of_a_sector() -> None:
    """Two of their bytes stand elsewhere; the mark is as it was."""
    padding = attribute(0x20, bytes(280))
    before, after = (
        record(
            standard(EARLIER, EARLIER, time, EARLIER),
            padding,
            attribute(0x30, file_name("x", EARLIER, EARLIER, time, time)),
        )
        for time in (TIME + (1 << 50), TIME)
    )
    assert before[510:512] == before[48:50] == b"\x07\x01"
    assert before[50:52] not in (b"\0\0", after[50:52])
    assert settle_records(before, RECORD, TIME) == after


def test_what_older_records_left_is_cleared() -> None:
    """It holds times too, of entries that were moved."""
    content = standard(EARLIER, EARLIER, TIME, EARLIER)
    assert settle_records(record(content, behind=b"old" * 99), RECORD, TIME) == record(content)
    one = entry("a", EARLIER, EARLIER, TIME, EARLIER)
    assert settle_blocks(block(one, behind=b"old" * 999), BLOCK, TIME) == block(one)


def test_entries_of_folders() -> None:
    """In a record and in blocks."""
    old, new = (entry("a name", time, EARLIER, time, time) for time in (LATER, TIME))
    assert settle_blocks(block(old, old), BLOCK, TIME) == block(new, new)

    def folder(one: bytes) -> bytes:
        size = 16 + len(one) + len(LAST)
        root = bytes(16) + struct.pack("<IIII", 16, size, size, 0) + one + LAST
        return record(
            standard(EARLIER, EARLIER, TIME, EARLIER), attribute(0x90, root, "$I30"), flags=3
        )

    assert settle_records(folder(old), RECORD, TIME) == folder(new)


def test_quotas_have_a_time_each() -> None:
    """As mkntfs makes them for two owners."""

    def quotas(time: int) -> bytes:
        value = struct.pack("<IIQQQQQ", 2, 1, 0, time, 0, 0, 0)
        one = struct.pack("<HHIHHHH", 20, 48, 0, 72, 4, 0, 0) + bytes(4) + value
        size = 16 + len(one) + len(LAST)
        root = bytes(16) + struct.pack("<IIII", 16, size, size, 0) + one + LAST
        return record(attribute(0x90, root, "$Q"), flags=9)

    assert settle_records(quotas(LATER), RECORD, TIME) == quotas(TIME)


@pytest.mark.parametrize("count", [1, 3])
def test_damaged_records_stay_as_they_are(count: int) -> None:
    """Those beside them are settled; records of zeros do not matter."""
    old, new = (record(standard(EARLIER, EARLIER, time, EARLIER)) for time in (LATER, TIME))
    torn = bytearray(old)
    torn[510] ^= 1
    none = b"BAAD" + bytes(RECORD - 4)
    before = (bytes(torn) + old + bytes(RECORD) + none) * count
    assert settle_records(before, RECORD, TIME) == (
        (bytes(torn) + new + bytes(RECORD) + none) * count
    )


@pytest.mark.parametrize("at", [20, 24, 60, 72, 76])
def test_impossible_numbers_do_no_harm(at: int) -> None:
    """What does not fit into a record is not followed."""
    old = bytearray(record(standard(EARLIER, EARLIER, LATER, EARLIER)))
    old[at : at + 2] = b"\xff\xff"
    assert len(settle_records(bytes(old), RECORD, TIME)) == RECORD


def volume() -> bytearray:
    """A volume of 64 clusters whose table is in two pieces."""
    data = bytearray(64 * BLOCK + 512)
    boot = bytearray(512)
    boot[3:11], boot[510:] = b"NTFS    ", b"\x55\xaa"
    struct.pack_into("<HB", boot, 11, 512, 8)
    struct.pack_into("<QQQbxxxb", boot, 40, 64 * 8, 4, 2, -10, 1)
    data[:512] = data[-512:] = boot
    here = (EARLIER, EARLIER, LATER, EARLIER)
    table = [
        record(standard(*here), elsewhere(0x80, "", b"\x11\x01\x04\x11\x01\x06"), number=0),
        *(record(standard(*here), number=number) for number in (1, 2, 3)),
        record(standard(*here), elsewhere(0xA0, "$I30", b"\x11\x01\x0c"), number=4, flags=3),
        *(record(standard(*here), number=number) for number in (5, 6, 7)),
    ]
    data[4 * BLOCK : 5 * BLOCK] = b"".join(table[:4])
    data[10 * BLOCK : 11 * BLOCK] = b"".join(table[4:])
    data[12 * BLOCK : 13 * BLOCK] = block(entry("a", *here))
    data[2 * BLOCK : 3 * BLOCK] = data[4 * BLOCK : 5 * BLOCK]
    return data


def test_a_whole_volume() -> None:
    """Number, table, its mirror and folders; nothing else is written to."""
    data, first = volume(), volume()

    def read(at: int, length: int) -> bytes:
        return bytes(data[at : at + length])

    def write(at: int, new: bytes) -> None:
        data[at : at + len(new)] = new

    settle_volume(read, write, TIME, b"12345678")
    assert data[72:80] == data[-440:-432] == b"12345678"
    assert data[80:512] == first[80:512]
    assert len(data) == len(first)
    for at in (4, 10):
        piece = bytes(first[at * BLOCK : (at + 1) * BLOCK])
        assert read(at * BLOCK, BLOCK) == settle_records(piece, RECORD, TIME) != piece
    assert read(2 * BLOCK, BLOCK) == read(4 * BLOCK, BLOCK)
    here = (EARLIER, EARLIER, TIME, EARLIER)
    assert read(12 * BLOCK, BLOCK) == block(entry("a", *here))
    kept = [number for number in range(64) if number not in (0, 2, 4, 10, 12)]
    assert all(not any(read(number * BLOCK, BLOCK)) for number in kept)


def test_something_else_than_a_volume() -> None:
    """Nothing is written to it."""
    with pytest.raises(BuildError, match="does not begin with an NTFS volume"):
        settle_volume(lambda *_: bytes(512), lambda *_: pytest.fail("written"), TIME, bytes(8))
