"""The command line of qemu-img, and what it says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from winimagetools.errors import MediaError
from winimagetools.model import DiskFormat
from winimagetools.output.convert import (
    container_to_read,
    convert,
    convert_arguments,
    percent_of,
    writes_direct,
)

RAW, OUT = Path("work/disk.raw"), Path("work/image")


def arguments_for(
    disk_format: DiskFormat, compress: bool = False, **more: bool
) -> list[str | Path]:
    """The command line for a raw disk."""
    return convert_arguments(RAW, OUT, disk_format, compress, read_as=DiskFormat.RAW, **more)


@pytest.mark.parametrize(
    ("disk_format", "compress", "expected"),
    [
        (DiskFormat.RAW, False, ["-O", "raw"]),
        (DiskFormat.QCOW2, False, ["-W", "-m", "16", "-O", "qcow2"]),
        (DiskFormat.QCOW2, True, ["-c", "-m", "16", "-O", "qcow2"]),
        (DiskFormat.VHD, False, ["-O", "vpc", "-o", "subformat=dynamic,force_size=on"]),
        (DiskFormat.VHDX, True, ["-O", "vhdx", "-o", "subformat=dynamic,block_size=1M"]),
        (DiskFormat.VMDK, True, ["-O", "vmdk"]),
    ],
)
def test_the_command_line_of_each_container(
    disk_format: DiskFormat, compress: bool, expected: list[str]
) -> None:
    """Exact size for VHD; compression only for QCOW2, in order: else its places are chance."""
    arguments = arguments_for(disk_format, compress)
    assert arguments == ["convert", "-p", "-f", "raw", *expected, RAW, OUT]


def test_a_fixed_vhd() -> None:
    """With exactly the size of the disk, as a dynamic one; nothing else can be fixed."""
    arguments = arguments_for(DiskFormat.VHD, fixed=True)
    assert arguments[-4:] == ["-o", "subformat=fixed,force_size=on", RAW, OUT]
    vhdx = arguments_for(DiskFormat.VHDX, fixed=True)
    assert vhdx == arguments_for(DiskFormat.VHDX)


def test_qcow2_is_written_past_the_page_cache_where_that_works() -> None:
    """Only a QCOW2, whose clusters are written many at a time, gains from it."""
    arguments = arguments_for(DiskFormat.QCOW2, direct=True)
    expected = ["-W", "-m", "16", "-t", "none", "-O", "qcow2"]
    assert arguments == ["convert", "-p", "-f", "raw", *expected, RAW, OUT]
    assert "-t" not in arguments_for(DiskFormat.VHDX, direct=True)


def test_what_cannot_be_written_past_the_page_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal means no, and no probe is left behind."""
    (tmp_path / ".direct").write_bytes(b"somebody's")
    writes_direct(tmp_path)
    assert [item.name for item in tmp_path.iterdir()] == [".direct"]
    assert (tmp_path / ".direct").read_bytes() == b"somebody's"
    assert not writes_direct(tmp_path / "nowhere")
    monkeypatch.delattr(os, "O_DIRECT", raising=False)
    assert not writes_direct(tmp_path)


@pytest.mark.parametrize(
    ("name", "beginning", "read_as"),
    [
        ("disk.VHDX", b"vhdxfile", "vhdx"),
        ("disk.vhd", b"conectix", "vpc"),
        ("disk.qcow2", b"QFI\xfb", "qcow2"),
        ("disk.vhdx", b"QFI\xfb", "qcow2"),
        ("disk.qcow2", b"\x33\xc0", "qcow2"),
        ("disk.raw", b"QFI\xfb", "raw"),
        ("disk.RAW", b"QFI\xfb", "raw"),
        ("disk.img", b"QFI\xfb", "qcow2"),
        ("disk", b"vhdxfile", "vhdx"),
        ("disk.img", b"\x33\xc0", ""),
        ("disk.vdi", b"<<< Oracle VM VirtualBox Disk Image >>>", ""),
    ],
)
def test_what_a_source_is_read_as(
    name: str, beginning: bytes, read_as: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As what it is; but to look into a raw disk would trust what the guest wrote into it."""
    source = tmp_path / name
    source.write_bytes(beginning)
    calls: list[list[object]] = []

    def make(tool: object, arguments: list[object], on_text: object) -> None:
        calls.append(arguments)
        (tmp_path / "made").write_bytes(b"\0")

    monkeypatch.setattr("winimagetools.output.convert.follow", make)
    convert(source, tmp_path / "made", DiskFormat.RAW, False)
    told = ["-f", read_as] if read_as else []
    assert calls == [["convert", "-p", *told, "-O", "raw", source, tmp_path / "made"]]


def _locked(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Refuse to open files for some time, as Windows does while another program has them."""
    left = [PermissionError(13, "Permission denied")] * times
    opened = Path.open

    def open_(self: Path, *words: Any, **options: Any) -> Any:
        if left and self.suffix == ".vhdx":
            raise left.pop()
        return opened(self, *words, **options)

    monkeypatch.setattr(Path, "open", open_)


def test_a_disk_nobody_may_look_at_yet_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows a disk that was just detached cannot be opened for a moment, for any look."""
    source, made = tmp_path / "gold.vhdx", tmp_path / "made"
    source.write_bytes(b"vhdxfile")
    waited: list[float] = []
    _locked(monkeypatch, 2)
    assert container_to_read(source, sleep=waited.append) is DiskFormat.VHDX
    assert waited == [4.0, 8.0]
    _locked(monkeypatch, 1)
    monkeypatch.setattr("winimagetools.output.convert.follow", lambda *_: made.write_bytes(b"\0"))
    convert(source, made, DiskFormat.RAW, False, sleep=waited.append)
    assert waited == [4.0, 8.0, 4.0]


def test_a_disk_that_stays_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After four attempts the error names it."""
    source = tmp_path / "gold.vhdx"
    source.write_bytes(b"vhdxfile")
    waited: list[float] = []
    _locked(monkeypatch, 9)
    with pytest.raises(MediaError, match=r"gold\.vhdx cannot be read.*Permission denied"):
        container_to_read(source, sleep=waited.append)
    assert waited == [4.0, 8.0, 16.0]


def test_a_disk_one_may_not_read_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor one that is empty or not there: neither gets better by itself."""
    source = tmp_path / "gold.vhdx"
    waited: list[float] = []
    for expected in ("does not exist", "is empty"):
        with pytest.raises(MediaError, match=expected):
            container_to_read(source, sleep=waited.append)
        source.touch()
    _locked(monkeypatch, 1)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(MediaError, match="Permission denied"):
        container_to_read(source, sleep=waited.append)
    assert waited == []


@pytest.mark.parametrize(
    ("text", "percent"),
    [("    (12.34/100%)\r", 12.34), ("(1.00/100%)\r    (2.50/100%)\r", 2.5), ("warning", None)],
)
def test_the_progress_of_qemu_img(text: str, percent: float | None) -> None:
    """The last of several percentages counts."""
    assert percent_of(text) == percent
