"""Copying a disk into the folder of a build."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.unit.dry_build import FakeMedia
from tests.unit.output.test_unpack import wrapped
from tests.unit.recording_host import recording_host
from winimagetools.contract import Host
from winimagetools.errors import DiskFullError, MediaError
from winimagetools.image.request import Request, Workflow
from winimagetools.model import DiskFormat, DiskLayout, ImageType
from winimagetools.output import unpack
from winimagetools.output.image_files import ImageFiles
from winimagetools.plan import Delivery
from winimagetools.workflows.finish import copy_disk, take_golden

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


class Wrapped:
    """The files of a host that unwraps really, and the rest of which is recorded."""

    def __init__(self, host: Host) -> None:
        self._files = host.files
        self.decompress = ImageFiles().decompress

    def __getattr__(self, name: str) -> object:
        return getattr(self._files, name)


@pytest.mark.parametrize("formats", [("tar",), ("tar", "gz"), ("zip",), ("zip", "tar")])
def test_too_little_room_for_what_is_wrapped(
    formats: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrapped golden image is refused before a byte of it is unwrapped, and stays as it is."""
    path = wrapped(tmp_path, formats)
    golden = path.rename(tmp_path / ".".join(["gold.qcow2", *formats]))
    before = golden.read_bytes()
    said: list[str] = []
    host = recording_host(FakeMedia(), said.append, work_format=DiskFormat.RAW)
    host = dataclasses.replace(host, files=Wrapped(host))  # type: ignore[arg-type]
    monkeypatch.setattr(unpack, "free_bytes", lambda _: 2 << 20)
    delivery = Delivery(tmp_path / "win.raw", DiskFormat.RAW, (), "win")
    request = Request(
        Workflow.GOLDEN, DiskLayout.UEFI, ImageType.KVM, delivery, 4 << 30, "", golden=golden
    )
    build = tmp_path / "build"
    build.mkdir()
    with pytest.raises(DiskFullError) as caught:
        take_golden(host, request, build, "")
    assert "takes 3.0 MiB, and only 2.0 MiB are free in" in caught.value.message
    assert [path.name for path in build.rglob("*") if path.is_file()] == []
    assert golden.read_bytes() == before
    assert said == []
