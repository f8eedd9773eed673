"""Containers, read by dissect.hypervisor, which knows nothing of how they were made."""

from __future__ import annotations

import io
import struct
import uuid
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from dissect.hypervisor.disk.qcow2 import QCow2
from dissect.hypervisor.disk.vhd import VHD
from dissect.hypervisor.disk.vhdx import VHDX
from dissect.hypervisor.disk.vmdk import VMDK
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.formats.containers.assembled import assemble, fill
from winimagetools.formats.containers import qcow2, vhd, vhdx, vmdk
from winimagetools.formats.containers.layout import Layout, Piece, pieces_of

KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
ID = uuid.UUID("12345678-9abc-4def-8123-456789abcdef")
Make = Callable[[int, Sequence[Piece]], Layout]


def _vmdk(size: int, data: Sequence[Piece]) -> Layout:
    return vmdk.vmdk_layout(size, data, "disk.vmdk", 0x1234ABCD)


def _vhdx(size: int, data: Sequence[Piece]) -> Layout:
    return vhdx.vhdx_layout(size, data, ID)


def _vhd(size: int, data: Sequence[Piece]) -> Layout:
    return vhd.fixed_vhd_layout(size, ID, 1_700_000_000)


def read_disk(kind: str, container: bytes) -> bytes:
    """All of the disk in a container."""
    file = io.BytesIO(container)
    if kind == "qcow2":
        return bytes(QCow2(file).open().read())
    if kind == "vhdx":
        return bytes(VHDX(file).read())
    if kind == "vmdk":
        disk = VMDK(file)
        return bytes(disk.read_sectors(0, disk.size // 512))
    disk = VHD(file)
    return bytes(disk.read(disk.size))


MAKERS: dict[str, Make] = {
    "qcow2": qcow2.qcow2_layout,
    "vhdx": _vhdx,
    "vmdk": _vmdk,
    "vpc": _vhd,
}
WHOLE = {"qcow2": 512, "vhdx": 512, "vmdk": 512, "vpc": MIB}
"""What the size of a disk is rounded up to."""


@st.composite
def disks(draw: st.DrawFn) -> tuple[int, list[Piece]]:
    """Sizes of any kind, and data in any places of the disk, in blocks of a file system."""
    size = draw(st.integers(1, 5 * MIB))
    blocks = -(-size // 4096)
    cuts = sorted(draw(st.sets(st.integers(0, blocks), max_size=12)))
    data = [
        Piece(start * 4096, min(end * 4096, size) - start * 4096)
        for start, end in zip(cuts[::2], cuts[1::2], strict=False)
    ]
    return size, data


@pytest.mark.parametrize("kind", MAKERS)
@given(disk=disks())
@settings(max_examples=25, deadline=None)
def test_every_byte_of_the_disk_is_there(kind: str, disk: tuple[int, list[Piece]]) -> None:
    """Whatever is data, whatever the size, an independent reader finds the same bytes."""
    size, data = disk
    content = fill(size, data)
    container = assemble(MAKERS[kind](size, data), content)
    whole = size + -size % WHOLE[kind]
    assert (read_disk(kind, container) == content.ljust(whole, b"\0")) is True


@pytest.mark.parametrize("kind", MAKERS)
@given(disk=disks())
@settings(max_examples=50, deadline=None)
def test_a_layout_has_no_overlaps(kind: str, disk: tuple[int, list[Piece]]) -> None:
    """Tables, pieces and what is in the disk do not cover each other, and nothing sticks out."""
    size, data = disk
    layout = MAKERS[kind](size, data)
    taken = [(write.offset, write.offset + len(write.data)) for write in layout.writes]
    taken += [(offset, offset + piece.length) for piece, offset in layout.placed()]
    taken.sort()
    for (_, end), (start, _) in pairwise(taken):
        assert end <= start
    assert taken[-1][1] <= layout.size
    assert all(piece.start % 65536 == 0 for piece in layout.pieces)
    assert layout.room % 65536 == 0


@pytest.mark.parametrize("kind", ["qcow2", "vhdx", "vmdk"])
def test_a_disk_of_2_tib_without_data(kind: str) -> None:
    """Costs tables and nothing else."""
    layout = MAKERS[kind](2 * TIB, ())
    assert layout.pieces == ()
    tables = 2 * (512 + 65536 * 4) * 512 + 21 * 512
    expected = {"qcow2": 4 * 65536, "vhdx": 20 * MIB, "vmdk": tables + -tables % 65536}
    assert layout.size == expected[kind]
    assert sum(len(write.data) for write in layout.writes) < 17 * MIB


@pytest.mark.parametrize("kind", ["qcow2", "vhdx", "vmdk"])
def test_a_disk_of_2_tib_with_data_at_its_end(kind: str) -> None:
    """The last bytes of the last table are used."""
    size, last = 2 * TIB, Piece(2 * TIB - 1536, 1536)
    layout = MAKERS[kind](size, (Piece(0, 512), last))
    first, second = layout.pieces
    assert (first.start, second.start) == (0, 2 * TIB - first.length)
    disk = {0: b"first".ljust(first.length, b"\0"), 1: b"last".ljust(second.length, b"\0")}
    container = io.BytesIO(assemble(layout, b""))
    for index, (_, offset) in enumerate(layout.placed()):
        container.seek(offset)
        container.write(disk[index])
    container.seek(0)
    reader = {
        "qcow2": lambda: QCow2(container).open(),
        "vhdx": lambda: VHDX(container),
        "vmdk": lambda: VMDK(container),
    }[kind]()
    reader.seek(2 * TIB - second.length)
    assert reader.read(4) == b"last"
    reader.seek(0)
    assert reader.read(5) == b"first"
    reader.seek(TIB)
    assert reader.read(4096) == bytes(4096)


def test_pieces_are_whole_units_and_short_gaps_are_kept() -> None:
    """A gap counts after both sides were rounded to units."""
    data = [Piece(70_000, 10), Piece(200_000, 1), Piece(5 * MIB + 1, 65536)]
    assert pieces_of(data, 65536, MIB) == (
        Piece(65536, 3 * 65536),
        Piece(5 * MIB, 2 * 65536),
    )
    assert pieces_of(data, 65536, 65536) == (
        Piece(65536, 65536),
        Piece(3 * 65536, 65536),
        Piece(5 * MIB, 2 * 65536),
    )


def test_the_reference_counts_of_a_qcow2_count_themselves() -> None:
    """At the border where one more cluster needs one more block."""
    for clusters in range(32760, 32772):
        layout = qcow2.qcow2_layout(4 * GIB, (Piece(0, clusters * qcow2.CLUSTER),))
        header = struct.unpack_from(">4sIQIIQIIQQI", layout.writes[0].data)
        table = next(write for write in layout.writes if write.offset == header[9])
        blocks = struct.unpack(f">{len(table.data) // 8}Q", table.data)
        assert len(blocks) == -(-layout.size // (qcow2.CLUSTER * 32768))
        counts = next(write for write in layout.writes if write.offset == blocks[0])
        assert len(counts.data) == layout.size // qcow2.CLUSTER * 2
        assert set(counts.data[1::2]) == {1}


def test_crc32c() -> None:
    """The test vectors of RFC 3720, appendix B.4."""
    assert vhdx.crc32c(bytes(32)) == 0x8A9136AA
    assert vhdx.crc32c(b"\xff" * 32) == 0x62A8AB43
    assert vhdx.crc32c(bytes(range(32))) == 0x46DD794E


@pytest.mark.parametrize(
    ("sectors", "expected"),
    [
        (0, (0, 4, 17)),
        (2048, (30, 4, 17)),
        (69632, (140, 16, 31)),
        (4 * GIB // 512, (8322, 16, 63)),
        (65535 * 16 * 63, (16191, 16, 255)),
        (2040 * GIB // 512, (65535, 16, 255)),
    ],
)
def test_the_geometry_of_a_vhd(sectors: int, expected: tuple[int, int, int]) -> None:
    """As the appendix of the specification calculates it."""
    assert vhd.geometry(sectors) == expected


def test_the_footer_of_a_fixed_vhd() -> None:
    """Whole MiB, no data offset, a checksum that is right, a time since 2000."""
    layout = vhd.fixed_vhd_layout(MIB + 1, ID, 946684800 + 99)
    (footer,) = layout.writes
    assert (footer.offset, len(footer.data), layout.size) == (2 * MIB, 512, 2 * MIB + 512)
    assert struct.unpack_from(">Q", footer.data, 16)[0] == 2**64 - 1
    assert struct.unpack_from(">I", footer.data, 24)[0] == 99
    assert struct.unpack_from(">QQ", footer.data, 40) == (2 * MIB, 2 * MIB)
    assert struct.unpack_from(">I", footer.data, 60)[0] == 2
    checksum = struct.unpack_from(">I", footer.data, 64)[0]
    without = footer.data[:64] + bytes(4) + footer.data[68:]
    assert checksum == 2**32 - 1 - sum(without)


def test_the_descriptor_of_a_vmdk() -> None:
    """Text with the size, the name and the identity of the content."""
    layout = vmdk.vmdk_layout(3 * GIB, (), "win.vmdk", 0xABC)
    text = layout.writes[1].data.decode()
    assert layout.writes[1].offset == 512 and len(text) <= 20 * 512
    assert 'RW 6291456 SPARSE "win.vmdk"' in text
    assert "CID=00000abc" in text
    assert 'ddb.geometry.cylinders = "6241"' in text
