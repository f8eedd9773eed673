"""ISOs whose way to boot is unusual, and such as would fill the memory."""

from __future__ import annotations

import io
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pycdlib
import pytest

from tests.unit import iso_bytes
from tests.unit.iso_bytes import SECTOR, make_iso, rewrite_file_entry
from winimagetools.errors import MediaError
from winimagetools.formats import iso_structures
from winimagetools.formats.iso import LARGEST, IsoTree
from winimagetools.formats.iso_structures import (
    LARGEST_FOLDER,
    LARGEST_TREE,
    Structures,
    TooMuch,
)

CATALOG = 64
"""A sector that the ISO of these tests does not have by itself."""
SYSTEM = b"EL TORITO SPECIFICATION".ljust(32, b"\0")


def bootable(path: Path) -> bytearray:
    """An ISO with a boot catalog for BIOS, of one file."""
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=1, joliet=3)
    for name, data in (("BOOT", b"boot"), ("FILE", b"content")):
        iso.add_fp(io.BytesIO(data), len(data), f"/{name}.;1", joliet_path=f"/{name.lower()}")
    iso.add_eltorito("/BOOT.;1", "/CATALOG.;1", joliet_bootcatfile="/catalog")
    iso.write(str(path))
    iso.close()
    return bytearray(path.read_bytes())


def catalog(data: bytearray) -> int:
    """Where the boot catalog is."""
    at: int = struct.unpack_from("<I", data, 17 * SECTOR + 71)[0]
    return at * SECTOR


def no_checksum(data: bytearray) -> None:
    """The validation entry has no right checksum."""
    data[catalog(data) + 28] ^= 0x55


def other_platform(data: bytearray) -> None:
    """A platform that the specification does not have."""
    data[catalog(data) + 1] = 0x42


def no_key(data: bytearray) -> None:
    """The two last bytes of the validation entry are missing."""
    data[catalog(data) + 30 : catalog(data) + 32] = b"\0\0"


def empty_catalog(data: bytearray) -> None:
    """The catalog is all zeros."""
    data[catalog(data) : catalog(data) + SECTOR] = bytes(SECTOR)


def catalog_behind_the_end(data: bytearray) -> None:
    """The catalog lies where the ISO has nothing."""
    struct.pack_into("<I", data, 17 * SECTOR + 71, 1 << 30)


def odd_sections(data: bytearray) -> None:
    """Headers of sections with entries that never come."""
    data[catalog(data) + 64 : catalog(data) + 96] = b"\x91\xef\xff\xff" + b"x" * 28


def two_records(data: bytearray) -> None:
    """A second boot record behind the volume descriptors."""
    at = 20 * SECTOR
    assert data[19 * SECTOR] == 255
    data[at : at + SECTOR] = data[19 * SECTOR : 20 * SECTOR]
    data[19 * SECTOR : 20 * SECTOR] = data[17 * SECTOR : 18 * SECTOR]


def another_sector(data: bytearray) -> None:
    """The boot record comes after the second volume descriptor."""
    record = data[17 * SECTOR : 18 * SECTOR]
    data[17 * SECTOR : 18 * SECTOR] = data[18 * SECTOR : 19 * SECTOR]
    data[18 * SECTOR : 19 * SECTOR] = record


def strange_partitions(data: bytearray) -> None:
    """Boot code and a partition table in front of everything."""
    data[:512] = bytes(range(256)) * 2
    data[432:440], data[510:512] = b"\x45\x08\0\0\0\0\0\0", b"\x55\xaa"


@pytest.mark.parametrize(
    "change",
    [
        no_checksum,
        other_platform,
        no_key,
        empty_catalog,
        catalog_behind_the_end,
        odd_sections,
        two_records,
        another_sector,
        strange_partitions,
    ],
)
def test_unusual_ways_to_boot(tmp_path: Path, change: Callable[[bytearray], None]) -> None:
    """How an ISO boots is not our concern: its files are read."""
    path = tmp_path / "x.iso"
    data = bootable(path)
    assert data[17 * SECTOR + 7 : 17 * SECTOR + 39] == SYSTEM
    change(data)
    path.write_bytes(data)
    with IsoTree(path) as tree:
        assert tree.files() == ("boot", "catalog", "file")
        assert tree.read_bytes("file") == b"content"


def test_a_file_that_claims_to_be_huge(tmp_path: Path) -> None:
    """An INF of 7 GiB in an ISO of some kilobytes is refused, not read."""
    path = make_iso(tmp_path / "x.iso", {"a.inf": bytes(300)})
    seven = 7 * 1024**3
    holes = iso_bytes.short(0x3FFFF800, 0, 2) * 8
    rewrite_file_entry(path, 300, holes, new_size=seven)
    tracemalloc.start()
    with IsoTree(path) as tree:
        assert tree.size("a.inf") == seven
        with pytest.raises(MediaError, match=r"a\.inf in .* claims to have 7516192768 bytes"):
            tree.read_bytes("a.inf")
    assert tracemalloc.get_traced_memory()[1] < 16 * 1024 * 1024
    tracemalloc.stop()


def test_files_that_are_read_whole(tmp_path: Path) -> None:
    """The limit itself is read."""
    path = make_iso(tmp_path / "x.iso", {"a": bytes(300)})
    rewrite_file_entry(path, 300, iso_bytes.short(LARGEST, 0, 2), new_size=LARGEST)
    with IsoTree(path) as tree:
        assert tree.read_bytes("a").count(0) == LARGEST


def test_a_chain_of_descriptors_without_end(tmp_path: Path) -> None:
    """More ranges than any file has are refused while they are counted."""
    path = make_iso(tmp_path / "x.iso", {"a": bytes(300)})
    start = iso_bytes.partition_start(path)
    first = path.stat().st_size // SECTOR - start
    hole = iso_bytes.short(2048, 0, 2)
    links = 500
    with path.open("ab") as stream:
        for number in range(1, links + 1):
            descriptors = hole * 250 + iso_bytes.short(SECTOR, first + number, 3)
            stream.write(iso_bytes.allocation_extent(descriptors).ljust(SECTOR, b"\0"))
    rewrite_file_entry(path, 300, iso_bytes.short(SECTOR, first, 3), new_size=1 << 40)
    with pytest.raises(MediaError, match="its folders claim to have more entries than any medium"):
        IsoTree(path)


def test_folders_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ISO with more folders than the limit is refused in one sentence."""
    path = make_iso(tmp_path / "x.iso", {f"{number}/a": b"" for number in range(40)})
    monkeypatch.setattr(iso_structures, "LARGEST_TREE", 40_000)
    with pytest.raises(MediaError, match="its folders claim to have more entries than any medium"):
        IsoTree(path)


def test_how_much_is_read() -> None:
    """No folder beyond its limit and no tree beyond its own; sectors of UDF files cost less."""
    content = bytearray(2 * LARGEST_TREE)
    content[: 2 * SECTOR] = (b"\x05\x01" + bytes(SECTOR - 2)) * 2
    stream = Structures(io.BytesIO(content))
    stream.seek(40 * SECTOR)
    with pytest.raises(TooMuch):
        stream.read(LARGEST_FOLDER + 1)
    with pytest.raises(TooMuch):
        stream.read()
    for _ in range(LARGEST_TREE // LARGEST_FOLDER):
        assert len(stream.read(LARGEST_FOLDER)) == LARGEST_FOLDER
    with pytest.raises(TooMuch):
        stream.read(1)


@pytest.mark.parametrize(("tag", "lengths"), [(b"\x05\x01", 168), (b"\x0a\x01", 208)])
def test_sectors_of_files(tag: bytes, lengths: int) -> None:
    """200,000 UDF files are within the limit, but not with as many ranges as each can have."""
    content = bytearray(100 * SECTOR)
    content[50 * SECTOR : 50 * SECTOR + 2] = tag
    struct.pack_into("<I", content, 50 * SECTOR + lengths + 4, 16)
    _read_files(content, 200_000)
    struct.pack_into("<I", content, 50 * SECTOR + lengths + 4, 1800)
    _read_files(content, 10_000)
    with pytest.raises(TooMuch):
        _read_files(content, 20_000)


def _read_files(content: bytes | bytearray, count: int) -> None:
    stream = Structures(io.BytesIO(content))
    for _ in range(count):
        stream.seek(50 * SECTOR)
        assert len(stream.read(SECTOR)) == SECTOR


def test_a_stream_like_others() -> None:
    """Positions are kept as those of every stream, and nothing is hidden but how it boots."""
    content = bytearray(b"x" * (40 * SECTOR))
    content[16 * SECTOR : 16 * SECTOR + 7] = b"\0CD001\1"
    content[17 * SECTOR] = 255
    stream = Structures(io.BytesIO(content))
    assert stream.seek(-3, io.SEEK_END) == 40 * SECTOR - 3
    assert stream.read(10) == b"xxx"
    assert stream.read(10) == b""
    assert stream.seek(16 * SECTOR - 2) == stream.tell()
    assert stream.read(2 + 7 + 32 + 3) == bytes(2) + b"\0CD001\1" + bytes(32) + b"xxx"
    assert stream.seek(-1, io.SEEK_CUR) == 16 * SECTOR + 41
    with pytest.raises(ValueError, match="before the beginning"):
        stream.seek(-1)
