"""Records of the master file table, as newer and older systems write them."""

from __future__ import annotations

import struct

import pytest

from winimagetools.checks.ntfs.records import is_misplaced, parse_record
from winimagetools.checks.ntfs.report import Damage


def record(fix_ups: int, own: int) -> bytearray:
    """A record without attributes whose fix-ups begin there and that has a number at 44."""
    data = bytearray(1024)
    struct.pack_into("<4sHH", data, 0, b"FILE", fix_ups, 3)
    struct.pack_into("<HHHHII", data, 16, 2, 1, 56, 1, 64, 1024)
    struct.pack_into("<I", data, 44, own)
    struct.pack_into("<I", data, 56, 0xFFFFFFFF)
    for end in (510, 1022):
        data[end : end + 2] = data[fix_ups : fix_ups + 2]
    return data


def test_a_record_that_knows_its_number() -> None:
    """Since NTFS 3.1; one that says another is somewhere else than it belongs."""
    assert parse_record(record(48, 28), 28).number == 28
    with pytest.raises(Damage, match=r"Record 28 says that it is record 4\."):
        parse_record(record(48, 4), 28)


def test_an_older_record_has_no_number() -> None:
    """What stands there are fix-ups."""
    assert not is_misplaced(record(42, 4), 28)
    assert is_misplaced(record(48, 4), 28)
    assert parse_record(record(42, 4), 28).number == 28
