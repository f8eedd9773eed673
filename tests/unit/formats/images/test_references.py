"""Images that name other files, wherever QEMU would look for the name."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from winimagetools.errors import MediaError
from winimagetools.formats.images.probe import container_of, trusted_container
from winimagetools.formats.images.references import describes_others, names_others
from winimagetools.model import DiskFormat

ALONE = b"# Disk DescriptorFile\nversion=1\nCID=fbd757e0\nparentCID=ffffffff\n"


def qcow(version: int = 3, backing: int = 0, features: int = 0) -> bytes:
    """The header of a QCOW2."""
    head = struct.pack(">4sIQ", b"QFI\xfb", version, backing).ljust(72, b"\0")
    return (head + struct.pack(">Q", features)).ljust(4096, b"\0")


def vmdk(text: bytes = ALONE, capacity: int = 2048, magic: bytes = b"KDMV") -> bytes:
    """The header of a growing VMDK with a descriptor where QEMU looks for it."""
    head = struct.pack("<4sIIQ", magic, 1, 3, capacity)
    return head.ljust(512, b"\0") + text.ljust(20 * 512, b"\0")


@pytest.mark.parametrize(
    "image",
    [
        qcow(),
        qcow(2, features=4),
        qcow(features=1 | 8 | 16),
        vmdk(),
        vmdk(ALONE.replace(b"=ff", b" = FF")),
        b"vhdxfile" + bytes(100),
        b"conectix",
        b"\x33\xc0",
        b"",
        b"QFI\xfb",
        b"KDMV" + b"\1" * 20,
    ],
)
def test_an_image_that_stands_alone(image: bytes) -> None:
    """Names nobody; one that is cut off is refused by its reader."""
    assert not names_others(image)
    assert not describes_others(image)


@pytest.mark.parametrize(
    "image",
    [
        qcow(backing=4096),
        qcow(2, backing=72),
        qcow(1, backing=72),
        qcow(features=4),
        qcow(features=4 | 1),
        vmdk(ALONE.replace(b"=ffffffff", b"=12345678")),
        vmdk(ALONE.replace(b"=ffffffff", b"=12345678\n#parentCID=ffffffff")),
        vmdk(ALONE + b'parentFileNameHint="/etc/shadow"\n'),
        vmdk(b"x" * 9000 + b'parentFileNameHint="/etc/shadow"\n'),
        vmdk(ALONE + b'RW 8 FLAT "/etc/shadow" 0\n', capacity=0),
        vmdk(ALONE + b'parentFileNameHint="a"', magic=b"COWD"),
        b"QED\0" + bytes(100),
    ],
)
@pytest.mark.parametrize("name", ["disk.qcow2", "disk.vmdk", "disk.img", "disk"])
def test_an_image_that_names_others(image: bytes, name: str, tmp_path: Path) -> None:
    """Is refused before QEMU or qemu-img opens it, whatever it is called."""
    assert names_others(image)
    (tmp_path / name).write_bytes(image)
    with pytest.raises(MediaError, match=f"{name} has data in other files") as caught:
        trusted_container(tmp_path / name)
    assert "qemu-img convert" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        ALONE,
        b"# anything\n\n  \n# more\nversion=2\n",
        b"version=1\n",
        b" \t# x\r\n\r\n version = 3\n",
        b"# Disk DescriptorFile",
    ],
)
def test_a_descriptor(text: bytes, tmp_path: Path) -> None:
    """As loosely as QEMU knows one."""
    assert describes_others(text)
    (tmp_path / "disk.img").write_bytes(text)
    with pytest.raises(MediaError, match="describes a VMDK whose data are in other files"):
        container_of(tmp_path / "disk.img")


def test_what_a_guest_wrote(tmp_path: Path) -> None:
    """Into a raw disk is its own business."""
    (tmp_path / "disk.raw").write_bytes(qcow(backing=4096))
    assert trusted_container(tmp_path / "disk.raw") is DiskFormat.RAW


@pytest.mark.parametrize("ask", [container_of, trusted_container])
def test_an_image_that_is_not_there(ask: Callable[[Path], DiskFormat], tmp_path: Path) -> None:
    """Is no damaged one."""
    with pytest.raises(MediaError) as caught:
        ask(tmp_path / "disk.vhdx")
    assert caught.value.message == f"The image {tmp_path / 'disk.vhdx'} does not exist."
    assert caught.value.hint == "Give the path of a file."
