"""The virtual disk API of Windows, with a double for virtdisk.dll."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import pytest

from tests.unit.host.windows.recorder import VirtDisk
from winimagetools.errors import BuildError
from winimagetools.host.windows import virtdisk


def test_numbers_of_the_virtual_disk_api() -> None:
    """The values "virtdisk.h" gives the names."""
    assert (virtdisk.DEVICE_ISO, virtdisk.DEVICE_VHD, virtdisk.DEVICE_VHDX) == (1, 2, 3)
    assert (virtdisk.ACCESS_ALL, virtdisk.ACCESS_READ) == (0x003F0000, 0x000D0000)
    assert virtdisk.ATTACH_READ_ONLY == 1


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("a.iso", virtdisk.DEVICE_ISO),
        ("a.VHD", virtdisk.DEVICE_VHD),
        ("a.vhdx", virtdisk.DEVICE_VHDX),
    ],
)
def test_storage_types(name: str, device: int) -> None:
    """The extension decides what Windows takes a file for."""
    kind = virtdisk.storage_type(Path(name))
    assert kind.device == device
    assert bytes(kind.vendor.bytes) == virtdisk.VENDOR_MICROSOFT.bytes_le


@pytest.mark.skipif(ctypes.sizeof(ctypes.c_void_p) != 8, reason="offsets of 64-bit Windows")
def test_structures_are_laid_out_as_windows_expects() -> None:
    """Offsets a C compiler gives "virtdisk.h", and room for what later versions of it have."""
    names = ("unique_id", "maximum_size", "block_size", "sector_size", "parent_path", "source_path")
    create = virtdisk.CreateParameters
    assert [getattr(create, name).offset for name in names] == [8, 24, 32, 36, 40, 48]
    assert virtdisk.StorageType.vendor.offset == 4
    assert ctypes.sizeof(virtdisk.StorageType) == 20
    assert virtdisk.OpenParameters.depth.offset == 4
    assert ctypes.sizeof(create) >= 144
    assert ctypes.sizeof(virtdisk.OpenParameters) >= 44
    assert ctypes.sizeof(virtdisk.AttachParameters) >= 24


@pytest.mark.parametrize(
    ("name", "content", "device"),
    [
        ("a.vhdx", b"conectix", virtdisk.DEVICE_VHD),
        ("a.vhd", b"vhdxfile", virtdisk.DEVICE_VHDX),
        ("a.raw", bytes(512) + b"conectix".ljust(512, b"\0"), virtdisk.DEVICE_VHD),
        ("a.vhdx", b"other", virtdisk.DEVICE_VHDX),
        ("a.vhdx", b"", virtdisk.DEVICE_VHDX),
        ("a.iso", b"conectix", virtdisk.DEVICE_ISO),
    ],
)
def test_a_disk_is_opened_as_what_it_is(
    name: str, content: bytes, device: int, tmp_path: Path
) -> None:
    """By its content; by its name where that tells nothing, so that Windows says what is wrong."""
    path = tmp_path / name
    path.write_bytes(content)
    library = VirtDisk()
    virtdisk.open_disk(path, library)
    assert library.calls[0][1] == device


def test_unknown_storage_type() -> None:
    """Anything else is refused."""
    with pytest.raises(BuildError, match=r"a\.raw is not an \.iso, \.vhd or \.vhdx file"):
        virtdisk.storage_type(Path("a.raw"))


def test_iso_is_attached_read_only() -> None:
    """An ISO can only be read."""
    library = VirtDisk(device=r"\\.\CDROM1")
    with virtdisk.attached(virtdisk.open_disk(Path("v.iso"), library)) as device:
        assert device.physical_path() == r"\\.\CDROM1"
        with pytest.raises(BuildError, match="is not a disk"):
            device.disk_number()
    assert library.calls[:2] == [
        ("open", virtdisk.DEVICE_ISO, "v.iso", virtdisk.ACCESS_READ),
        ("attach", virtdisk.ATTACH_READ_ONLY),
    ]


class LongNames(VirtDisk):
    """Gives its devices a name that needs more room than is offered first."""

    device = "\\\\.\\" + "x" * 300

    def GetVirtualDiskPhysicalPath(self, _: Any, size: Any, buffer: Any) -> int:  # noqa: N802
        """Say how many bytes are needed, as Windows does, or write the name."""
        self.calls.append(("path", size._obj.value))
        size._obj.value = 2 * (len(self.device) + 1)
        if len(buffer) <= len(self.device):
            return 122
        buffer.value = self.device
        return 0


def test_a_device_with_a_long_name() -> None:
    """The buffer is made as large as Windows asks for."""
    library = LongNames()
    assert virtdisk.open_disk(Path("v.iso"), library).physical_path() == library.device
    assert library.calls[1:] == [("path", 520), ("path", 610)]


@pytest.mark.parametrize(("step", "words"), [("open", "open"), ("attach", "attach")])
def test_a_disk_windows_does_not_take(step: str, words: str) -> None:
    """The error names the step, the file and the code; the handle does not stay open."""
    library = VirtDisk(codes={step: 32})
    with (
        pytest.raises(BuildError, match=rf"could not {words} gold\.vhdx \(error 32\)"),
        virtdisk.attached(virtdisk.open_disk(Path("gold.vhdx"), library)),
    ):
        raise AssertionError("must not begin")
    assert library.calls[-1] == (("close",) if step == "attach" else library.calls[0])
