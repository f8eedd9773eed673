"""The command line of qemu-img, and what it says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from winimagetools.model import DiskFormat
from winimagetools.output.convert import convert_arguments, percent_of, writes_direct

RAW, OUT = Path("work/disk.raw"), Path("work/image")


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
    arguments = convert_arguments(RAW, OUT, disk_format, compress)
    assert arguments == ["convert", "-p", "-f", "raw", *expected, RAW, OUT]


def test_a_fixed_vhd() -> None:
    """With exactly the size of the disk, as a dynamic one; nothing else can be fixed."""
    arguments = convert_arguments(RAW, OUT, DiskFormat.VHD, False, fixed=True)
    assert arguments[-4:] == ["-o", "subformat=fixed,force_size=on", RAW, OUT]
    vhdx = convert_arguments(RAW, OUT, DiskFormat.VHDX, False, fixed=True)
    assert vhdx == convert_arguments(RAW, OUT, DiskFormat.VHDX, False)


def test_qcow2_is_written_past_the_page_cache_where_that_works() -> None:
    """Only a QCOW2, whose clusters are written many at a time, gains from it."""
    arguments = convert_arguments(RAW, OUT, DiskFormat.QCOW2, False, direct=True)
    expected = ["-W", "-m", "16", "-t", "none", "-O", "qcow2"]
    assert arguments == ["convert", "-p", "-f", "raw", *expected, RAW, OUT]
    assert "-t" not in convert_arguments(RAW, OUT, DiskFormat.VHDX, False, direct=True)


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
    ("name", "source_format"),
    [
        ("disk.VHDX", ["-f", "vhdx"]),
        ("disk.vhd", ["-f", "vpc"]),
        ("disk.qcow2", ["-f", "qcow2"]),
        ("disk.img", []),
        ("disk", []),
    ],
)
def test_a_source_is_not_probed_when_its_name_tells(name: str, source_format: list[str]) -> None:
    """Probing a raw disk would trust what the guest wrote into it."""
    arguments = convert_arguments(Path(name), OUT, DiskFormat.RAW, False)
    assert arguments == ["convert", "-p", *source_format, "-O", "raw", Path(name), OUT]


@pytest.mark.parametrize(
    ("text", "percent"),
    [("    (12.34/100%)\r", 12.34), ("(1.00/100%)\r    (2.50/100%)\r", 2.5), ("warning", None)],
)
def test_the_progress_of_qemu_img(text: str, percent: float | None) -> None:
    """The last of several percentages counts."""
    assert percent_of(text) == percent
