"""Virtual disks and ISO files on real Windows."""

from __future__ import annotations

from pathlib import Path

import pycdlib
import pytest

from winimagetools.errors import BuildError
from winimagetools.formats.partition_table import TYPE_BASIC_DATA, TYPE_EFI, TYPE_MSR
from winimagetools.host.windows import virtdisk
from winimagetools.host.windows.disks import WindowsDisk, WindowsDisks
from winimagetools.host.windows.media import WindowsMediaReader
from winimagetools.host.windows.powershell import PowerShell, as_list
from winimagetools.model import MIB, DiskLayout

PARTITIONS = r"""
$letter = [string]$v.letter
$number = (Get-Partition -DriveLetter $letter).DiskNumber
@(Get-Partition -DiskNumber $number | ForEach-Object {
    @{ type = [string]$_.GptType; size = [string]$_.Size; active = [bool]$_.IsActive }
})
"""


def test_bios_disk(disks: WindowsDisks, shell: PowerShell, tmp_path: Path) -> None:
    """One active NTFS partition that can be written to; gone from the machine afterwards."""
    path = tmp_path / "my disk.vhdx"
    with disks.create(path, 256 * MIB, DiskLayout.BIOS) as disk:
        assert isinstance(disk, WindowsDisk)
        assert disk.system == disk.windows
        disk.tree.write_bytes(r"folder\file.txt", b"content")
        partitions = as_list(shell.invoke(PARTITIONS, letter=disk.windows[0]))
        assert [item["active"] for item in partitions] == [True]
        disks.finish(disk)
        root = Path(disk.root)
        assert (root / "folder" / "file.txt").read_bytes() == b"content"
    assert not root.exists()
    assert path.read_bytes()[:8] == b"vhdxfile"


def test_uefi_disk(disks: WindowsDisks, shell: PowerShell, tmp_path: Path) -> None:
    """System, reserved and Windows partition with the types and sizes of the PowerShell tools."""
    with disks.create(tmp_path / "disk.vhdx", 700 * MIB, DiskLayout.UEFI) as disk:
        assert isinstance(disk, WindowsDisk)
        assert disk.system != disk.windows
        partitions = as_list(shell.invoke(PARTITIONS, letter=disk.windows[0]))
        ours = [item for item in partitions if int(item["size"]) > 64 * MIB]
        assert [item["type"] for item in ours] == [
            f"{{{kind}}}" for kind in (TYPE_EFI, TYPE_MSR, TYPE_BASIC_DATA)
        ]
        assert [int(item["size"]) for item in ours[:2]] == [200 * MIB, 128 * MIB]


def test_open_finds_windows_and_grows(disks: WindowsDisks, tmp_path: Path) -> None:
    """A disk that exists shows its layout and files; read-only changes are thrown away."""
    path = tmp_path / "disk.vhdx"
    with disks.create(path, 256 * MIB, DiskLayout.BIOS) as disk:
        disk.tree.write_bytes("kept.txt", b"1")
    with disks.open(path, read_only=True) as disk:
        disk.tree.write_bytes("kept.txt", b"2")
    with disks.open(path) as disk:
        assert disk.layout is DiskLayout.BIOS
        assert disk.tree.read_bytes("kept.txt") == b"1"
        disks.extend_windows(disk)
    assert [item.name for item in tmp_path.iterdir()] == ["disk.vhdx"]


def test_windows_says_no(disks: WindowsDisks, tmp_path: Path) -> None:
    """A file that is no disk is refused with its name."""
    path = tmp_path / "broken.vhdx"
    path.write_bytes(b"nothing")
    with pytest.raises(BuildError, match=r"Windows could not open .*broken\.vhdx"):
        virtdisk.open_disk(path, virtdisk.load_library())


def test_iso(administrator: None, shell: PowerShell, tmp_path: Path) -> None:
    """The files of an ISO can be read while it is open, and the ISO deleted afterwards."""
    path = tmp_path / "driver.iso"
    iso = pycdlib.PyCdlib()
    iso.new(joliet=3)
    local = tmp_path / "file"
    local.write_bytes(b"inf")
    iso.add_file(str(local), "/FILE.INF;1", joliet_path="/Driver.inf")
    iso.write(str(path))
    iso.close()
    with WindowsMediaReader(shell).open_source(path) as source:
        assert list(source.files()) == ["Driver.inf"]
        assert source.read_bytes("driver.inf") == b"inf"
        assert source.local_folder("") is not None
        path.unlink()
