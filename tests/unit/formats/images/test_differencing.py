"""Disks that hold what differs from another one: none of them is taken for a whole disk."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from tests.unit.formats.containers.assembled import assemble
from tests.unit.host.windows.recorder import VirtDisk
from winimagetools.errors import MediaError
from winimagetools.formats.containers.layout import Layout, Piece
from winimagetools.formats.containers.vhd import fixed_vhd_layout
from winimagetools.formats.containers.vhdx import vhdx_layout
from winimagetools.formats.images.image import DifferencingDiskError
from winimagetools.formats.images.probe import open_image, refuse_differencing, trusted_container
from winimagetools.host.windows import virtdisk
from winimagetools.model import DiskFormat
from winimagetools.output.convert import container_to_read

_MIB = 1 << 20
_IDENTIFIER = uuid.UUID(int=7)
_FILE_PARAMETERS = uuid.UUID("CAA16737-FA36-4D43-B3B6-33F0AA44E76B").bytes_le
"""[MS-VHDX] 2.6.2.1"""
_KINDS = [DiskFormat.VHD, DiskFormat.VHDX]


def differencing(kind: DiskFormat) -> bytes:
    """A disk of a MiB with a parent."""
    layout = fixed_vhd_layout(_MIB, _IDENTIFIER, 0)
    if kind is DiskFormat.VHDX:
        layout = vhdx_layout(_MIB, [Piece(0, _MIB)], _IDENTIFIER)
    image = bytearray(assemble(layout, bytes(_MIB)))
    if kind is DiskFormat.VHD:
        image[-512 + 63] = 4  # "Disk Type" of the footer
        return bytes(image)
    table = image.index(b"metadata")
    entry = image.index(_FILE_PARAMETERS, table)
    flags = table + int.from_bytes(image[entry + 16 : entry + 20], "little") + 4
    image[flags] |= 2  # HasParent
    return bytes(image)


def whole(kind: DiskFormat) -> bytes:
    """One without."""
    layouts: dict[DiskFormat, Layout] = {
        DiskFormat.VHD: fixed_vhd_layout(_MIB, _IDENTIFIER, 0),
        DiskFormat.VHDX: vhdx_layout(_MIB, [Piece(0, _MIB)], _IDENTIFIER),
    }
    return assemble(layouts[kind], bytes(_MIB))


@pytest.mark.parametrize("kind", _KINDS)
def test_one_with_a_parent(kind: DiskFormat, tmp_path: Path) -> None:
    """Is refused by whoever reads it, converts it, or lets Windows attach it."""
    path = tmp_path / f"disk.{kind.extension}"
    path.write_bytes(differencing(kind))
    library = VirtDisk()
    for use in (
        open_image,
        trusted_container,
        container_to_read,
        lambda path: virtdisk.open_disk(path, library),
    ):
        with pytest.raises(DifferencingDiskError, match="only the differences") as caught:
            use(path)
        assert str(path) in caught.value.message
        assert caught.value.hint == "Merge it with its parent on Windows: Convert-VHD."
    assert library.calls == []


@pytest.mark.parametrize("kind", _KINDS)
def test_one_without(kind: DiskFormat, tmp_path: Path) -> None:
    """Is what it is."""
    path = tmp_path / f"disk.{kind.extension}"
    path.write_bytes(whole(kind))
    assert container_to_read(path) is kind
    with open_image(path) as image:
        assert image.size == _MIB


@pytest.mark.parametrize("kind", _KINDS)
def test_a_damaged_one(kind: DiskFormat, tmp_path: Path) -> None:
    """Is for QEMU and Windows to judge, which read more than this does."""
    path = tmp_path / f"disk.{kind.extension}"
    path.write_bytes(b"vhdxfile" if kind is DiskFormat.VHDX else b"conectix")
    with pytest.raises(MediaError):
        open_image(path)
    refuse_differencing(path, kind)
    assert trusted_container(path) is kind
