"""Copying a disk into the folder of a build."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.dry_build import FakeMedia
from tests.unit.recording_host import recording_host
from winimagetools.errors import MediaError
from winimagetools.model import DiskFormat
from winimagetools.plan import Delivery
from winimagetools.workflows.finish import copy_disk

QCOW2 = b"QFI\xfb"


@pytest.mark.parametrize(
    ("name", "content", "asked"),
    [
        ("gold.vhdx", b"vhdxfile", "copy the disk gold.vhdx to win.vhdx"),
        ("gold.vhdx", QCOW2, "convert gold.vhdx to win.vhdx (VHDX)"),
        ("gold.qcow2", b"vhdxfile", "copy the disk gold.qcow2 to win.vhdx"),
        ("gold.raw", b"\x33\xc0", "convert gold.raw to win.vhdx (VHDX)"),
    ],
)
def test_a_disk_is_taken_as_what_it_is(
    name: str, content: bytes, asked: str, tmp_path: Path
) -> None:
    """Its name does not decide whether it can be copied as it is."""
    source = tmp_path / name
    source.write_bytes(content)
    said: list[str] = []
    host = recording_host(FakeMedia(), said.append, work_format=DiskFormat.VHDX)
    copy_disk(
        host,
        source,
        tmp_path / "build",
        Delivery(tmp_path / "win.vhdx", DiskFormat.VHDX, (), "win"),
    )
    assert said == [asked]


def test_an_empty_disk(tmp_path: Path) -> None:
    """Whatever it is called, nothing can be made of it."""
    (tmp_path / "gold.vhdx").touch()
    host = recording_host(FakeMedia(), lambda _: None)
    delivery = Delivery(tmp_path / "win.vhdx", DiskFormat.VHDX, (), "win")
    with pytest.raises(MediaError, match=r"gold\.vhdx is empty"):
        copy_disk(host, tmp_path / "gold.vhdx", tmp_path, delivery)


def test_a_disk_that_is_called_raw_and_is_not(tmp_path: Path) -> None:
    """Its guest may have written that; read as it looks, it names other files of this machine."""
    (tmp_path / "gold.raw").write_bytes(QCOW2)
    host = recording_host(FakeMedia(), lambda _: None)
    delivery = Delivery(tmp_path / "win.vhdx", DiskFormat.VHDX, (), "win")
    with pytest.raises(MediaError, match="but begins as a QCOW2 does") as caught:
        copy_disk(host, tmp_path / "gold.raw", tmp_path, delivery)
    assert "let its name end in .qcow2" in caught.value.hint


def test_a_disk_that_is_not_what_its_name_says(tmp_path: Path) -> None:
    """A damaged QCOW2 is not copied as if it were a raw disk."""
    (tmp_path / "gold.qcow2").write_bytes(b"nothing of the kind")
    host = recording_host(FakeMedia(), lambda _: None)
    delivery = Delivery(tmp_path / "win.vhdx", DiskFormat.VHDX, (), "win")
    with pytest.raises(MediaError, match=r"gold\.qcow2 is no QCOW2, although its name says so"):
        copy_disk(host, tmp_path / "gold.qcow2", tmp_path, delivery)
