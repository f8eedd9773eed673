"""The regf format: the first hive of a store, and what is refused before libhivex sees it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hive_reader import read_raw, read_regipy
from winimagetools.errors import MediaError
from winimagetools.formats.regf import check_hive, checksum, empty_hive, minor_version


def sealed(data: bytearray) -> bytes:
    """``data`` with the checksum its header should have."""
    struct.pack_into("<I", data, 508, checksum(bytes(data)))
    return bytes(data)


def changed(offset: int, form: str, *values: int | bytes) -> bytes:
    """An empty hive with other fields at ``offset`` and a right checksum."""
    data = bytearray(empty_hive())
    struct.pack_into(form, data, offset, *values)
    return sealed(data)


def test_empty_hive_is_read_by_another_reader(tmp_path: Path) -> None:
    """Two other readers find a root key with nothing in it."""
    path = tmp_path / "BCD"
    path.write_bytes(empty_hive("System"))
    assert read_regipy(path) == {"": {}}
    assert list(read_raw(path.read_bytes())) == [""]
    assert b"System" in path.read_bytes()


def test_empty_hive_has_the_header_windows_writes() -> None:
    """8 KiB, clean, version 1.3, root cell at 0x20, one bin of 4 KiB."""
    data = empty_hive()
    assert len(data) == 8192
    assert struct.unpack_from("<4s2I", data) == (b"regf", 1, 1)
    assert struct.unpack_from("<6I", data, 20) == (1, 3, 0, 1, 0x20, 4096)
    assert minor_version(data) == 3
    assert struct.unpack_from("<4s2I", data, 4096) == (b"hbin", 0, 4096)


def test_empty_hive_cells_fill_their_bin() -> None:
    """Root key, security descriptor and free space follow each other to the end."""
    data, offset, cells = empty_hive(), 4096 + 0x20, []
    while offset < len(data):
        size, magic = struct.unpack_from("<i2s", data, offset)
        cells.append((size < 0, magic))
        offset += abs(size)
    assert offset == len(data)
    assert cells == [(True, b"nk"), (True, b"sk"), (False, b"\0\0")]


def test_empty_hive_is_for_administrators_and_system() -> None:
    """Both have full control, inherited by sub-keys; nobody else is named."""
    data = empty_hive()
    at = data.index(b"sk", 4096)
    backward, forward, users, length = struct.unpack_from("<4I", data, at + 4)
    assert 4096 + backward + 4 == 4096 + forward + 4 == at
    assert users == 1
    descriptor = data[at + 20 : at + 20 + length]
    control, owner, group, sacl, dacl = struct.unpack_from("<H4I", descriptor, 2)
    administrators = bytes.fromhex("01020000000000052000000020020000")
    system = bytes.fromhex("010100000000000512000000")
    assert (control, sacl) == (0x8004, 0)
    assert descriptor[owner : owner + 16] == administrators
    assert descriptor[group : group + 12] == system
    entries = bytes.fromhex("000218003f000f00") + administrators
    entries += bytes.fromhex("000214003f000f00") + system
    assert descriptor[dacl + 8 : owner] == entries
    assert length == owner + 28


def test_empty_hive_is_accepted() -> None:
    """What is made here passes the check made here."""
    check_hive(empty_hive(), "BCD")


def test_trailing_bytes_are_accepted() -> None:
    """Windows leaves slack behind the last bin."""
    check_hive(empty_hive() + bytes(4096), "SYSTEM")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "SYSTEM is not a registry hive", id="empty"),
        pytest.param(bytes(8192), "SYSTEM is not a registry hive", id="zeros"),
        pytest.param(empty_hive()[:4095], "SYSTEM is not a registry hive", id="half a header"),
        pytest.param(
            changed(4, "<I", 2), r"SYSTEM was not closed cleanly .*numbers 2 and 1", id="dirty"
        ),
        pytest.param(
            empty_hive()[:100] + b"x" + empty_hive()[101:],
            "SYSTEM is damaged: the checksum of its header is wrong",
            id="checksum",
        ),
        pytest.param(
            empty_hive()[:8000], "damaged: it is cut off after 8000 of 8192 bytes", id="cut"
        ),
        pytest.param(changed(40, "<I", 4100), "its length is 4100 bytes", id="length"),
        pytest.param(changed(28, "<I", 6), "unknown kind .version 1.3, type 6.", id="log file"),
        pytest.param(changed(20, "<I", 2), "unknown kind .version 2.3, type 0.", id="version"),
        pytest.param(changed(36, "<I", 0x28), "it has no root key", id="root elsewhere"),
        pytest.param(changed(36, "<I", 0xFFFFFFFF), "it has no root key", id="root nowhere"),
        pytest.param(changed(4096, "<4s", b"xbin"), "offset 4096 is not a hive bin", id="magic"),
        pytest.param(changed(4104, "<I", 0), "offset 4096 is not a hive bin", id="endless"),
        pytest.param(changed(4104, "<I", 8192), "offset 4096 is not a hive bin", id="too long"),
    ],
)
def test_unusable_hives_are_refused(data: bytes, reason: str) -> None:
    """Each kind of damage is named, with the file it is in."""
    with pytest.raises(MediaError, match=reason):
        check_hive(data, "SYSTEM")


@given(st.integers(0, 511), st.integers(1, 255))
def test_any_change_of_the_header_is_noticed(offset: int, flip: int) -> None:
    """No byte of the header can change without the hive being refused."""
    data = bytearray(empty_hive())
    data[offset] ^= flip
    with pytest.raises(MediaError):
        check_hive(bytes(data), "SYSTEM")


@given(st.binary(max_size=64), st.integers(0, 8192), st.integers(4096, 8300))
def test_garbage_never_does_worse_than_being_refused(
    garbage: bytes, offset: int, length: int
) -> None:
    """Whatever is overwritten and cut off: accepted or MediaError, nothing else."""
    data = bytearray(empty_hive())
    data[offset : offset + len(garbage)] = garbage
    data = data[:length].ljust(length, b"\0")
    try:
        check_hive(sealed(data), "SYSTEM")
    except MediaError as error:
        assert "SYSTEM" in error.message
