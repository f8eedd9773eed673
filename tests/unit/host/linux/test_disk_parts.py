"""Command lines and layouts a disk on Linux is made of."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import NoReturn

import pytest

from winimagetools.errors import BuildError, HostError, RequestError
from winimagetools.formats.partition_table import Partition, plan_partitions
from winimagetools.host.linux import disks, esp, grub, volume
from winimagetools.host.linux.disk import LinuxDisk
from winimagetools.host.linux.disks import LinuxDisks
from winimagetools.model import GIB, MIB, DiskFormat, DiskLayout

ESP = Partition("EFI", MIB, 200 * MIB, "c12a7328-f81f-11d2-ba4b-00a0c93ec93b")


def test_the_command_line_of_mkntfs() -> None:
    """Hidden sectors, heads and sectors per track are what a BIOS boot sector needs."""
    assert volume.mkntfs_arguments(Path("work/windows.ntfs"), 329 * MIB) == [
        *("-F", "-f", "-s", "512", "-p", "673792", "-H", "255", "-S", "63"),
        *("-c", "4096", "-L", "OS", Path("work/windows.ntfs")),
    ]


def test_the_command_line_of_mformat() -> None:
    """FAT32 in its place inside the disk, with one sector per cluster."""
    assert esp.mformat_arguments(Path("/build/disk.raw"), ESP) == [
        *("-i", "disk.raw@@1048576", "-F", "-T", "409600", "-h", "255", "-s", "63"),
        *("-H", "2048", "-c", "1", "-v", "SYSTEM", "::"),
    ]


def test_the_command_line_of_mcopy() -> None:
    """One process for all files."""
    items = [Path("/build/esp/EFI"), Path("/build/esp/other")]
    assert esp.mcopy_arguments(Path("/build/disk.raw"), ESP, items) == [
        *("-i", "disk.raw@@1048576", "-s", "-m", "-Q", "-o"),
        *(*(str(item.absolute()) for item in items), "::/"),
    ]


def test_the_command_line_of_grub_mkimage() -> None:
    """Only what is needed to read NTFS and start the boot manager."""
    assert grub.mkimage_arguments(Path("work/grub.cfg"), Path("work/core.img")) == [
        *("-O", "i386-pc", "-d", Path("/usr/lib/grub/i386-pc"), "-p", "/boot/grub"),
        *("-c", Path("work/grub.cfg"), "-o", Path("work/core.img")),
        *("biosdisk", "part_msdos", "ntfs", "search", "search_fs_file", "ntldr", "boot"),
    ]


def test_boot_code_keeps_signature_and_table() -> None:
    """Only 440 bytes change; the floppy test becomes two no-operations."""
    current = bytes(range(256)) * 2
    made = grub.master_boot_record(current, b"\xeb" * 512)
    assert made[440:] == current[440:]
    assert made[:440] == b"\xeb" * 0x66 + b"\x90\x90" + b"\xeb" * (440 - 0x68)


def test_boot_code_that_does_not_fit_is_an_error(tmp_path: Path) -> None:
    """It would overwrite the Windows volume; the disk is not touched."""
    disk = tmp_path / "disk.raw"
    disk.write_bytes(b"x" * 4096)
    with pytest.raises(BuildError, match="has 3585 bytes and there is only room for 3584"):
        grub.write_boot_code(disk, 4096, bytes(3585))
    assert disk.read_bytes() == b"x" * 4096


def test_the_room_on_the_efi_partition() -> None:
    """A 200 MiB FAT32 has 409600 sectors, 32 reserved and two tables of 3200."""
    assert esp.capacity_sectors(200 * MIB) == 409600 - 32 - 2 * 3200


def test_boot_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    """Before anything is written; folders and long names count too."""
    content = tmp_path / "esp"
    (content / "EFI").mkdir(parents=True)
    with (content / "EFI" / "large.efi").open("wb") as file:
        file.truncate(199 * MIB)
    assert esp.needed_sectors(content) == 199 * 2048 + 2
    with pytest.raises(BuildError, match=r"disk\.raw has room for 206422016"):
        esp.write_esp(tmp_path / "disk.raw", ESP, content)
    assert not (tmp_path / "disk.raw").exists()


@pytest.mark.parametrize("inserts", [True, False])
def test_room_in_front_of_a_volume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inserts: bool
) -> None:
    """With or without the help of the file system the same disk comes out."""

    def insert(path: Path, length: int) -> None:
        if not inserts:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        path.write_bytes(bytes(length) + path.read_bytes())

    monkeypatch.setattr(volume, "_insert_range", insert)
    (tmp_path / "volume").write_bytes(b"content")
    volume.put_room_in_front(tmp_path / "volume", tmp_path / "disk", MIB)
    assert [item.name for item in tmp_path.iterdir()] == ["disk"]
    assert (tmp_path / "disk").read_bytes() == bytes(MIB) + b"content"


def test_a_full_file_system_is_not_a_reason_to_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is reported, and the volume stays for whoever cleans up."""

    def full(path: Path, length: int) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(volume, "_insert_range", full)
    (tmp_path / "volume").write_bytes(b"content")
    with pytest.raises(OSError, match="No space left"):
        volume.put_room_in_front(tmp_path / "volume", tmp_path / "disk", MIB)
    assert [item.name for item in tmp_path.iterdir()] == ["volume"]


@pytest.mark.parametrize("output", ["Volume Flags: 0x0001\n", "\tVolume Flags: 0x4000", ""])
def test_a_volume_that_is_not_clean_is_refused(
    monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    """The dirty flag, an unfinished chkdsk, or no answer at all."""
    monkeypatch.setattr(volume, "run", lambda *_: output)
    with pytest.raises(BuildError, match="was not left clean"):
        volume.check_clean(Path("windows.ntfs"))


def test_a_table_that_is_not_as_planned_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What sfdisk reads back counts, not what it was told."""
    monkeypatch.setattr(
        disks, "run", lambda *_: '{"partitiontable": {"label": "gpt", "id": "x", "partitions": []}}'
    )
    plan = plan_partitions(GIB, DiskLayout.BIOS)
    with pytest.raises(BuildError, match="label is gpt instead of dos"):
        disks.check_table(Path("disk.raw"), plan)


def test_a_staged_disk_is_no_file_yet(tmp_path: Path) -> None:
    """Tree and EFI folder lie in a private folder beside it that is gone afterwards."""
    path = tmp_path / "disk.raw"
    with LinuxDisks().create(path, 2 * GIB, DiskLayout.UEFI) as disk:
        assert isinstance(disk, LinuxDisk)
        assert (disk.path, disk.layout, disk.plan.size) == (path, DiskLayout.UEFI, 2 * GIB)
        assert disk.work.parent == tmp_path
        assert disk.esp.is_dir()
        disk.tree.write_bytes("Windows/file", b"x")
        assert not path.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_is_removed_when_the_build_fails_after_it_was_finished(tmp_path: Path) -> None:
    """Leaving with an error leaves nothing."""
    path = tmp_path / "disk.raw"
    with (
        pytest.raises(KeyboardInterrupt),
        LinuxDisks().create(path, 2 * GIB, DiskLayout.BIOS) as disk,
    ):
        disk.path.write_bytes(b"finished")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_an_existing_disk_is_not_overwritten(tmp_path: Path) -> None:
    """It is left as it was."""
    path = tmp_path / "disk.raw"
    path.write_bytes(b"older")
    with (
        pytest.raises(RequestError, match="exists already"),
        LinuxDisks().create(path, 2 * GIB, DiskLayout.BIOS),
    ):
        raise AssertionError("must not begin")
    assert path.read_bytes() == b"older"


def test_a_disk_that_is_too_small_leaves_nothing(tmp_path: Path) -> None:
    """Refused before the first file is made."""
    with (
        pytest.raises(RequestError, match="too small"),
        LinuxDisks().create(tmp_path / "disk.raw", MIB, DiskLayout.BIOS),
    ):
        raise AssertionError("must not begin")
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there_yet_is_said_in_one_sentence(tmp_path: Path) -> None:
    """Existing disks need a Windows host for now."""
    here = LinuxDisks()
    assert here.work_format is DiskFormat.RAW
    with here.create(tmp_path / "disk.raw", 2 * GIB, DiskLayout.BIOS) as disk:
        for attempt in (
            lambda: here.open(tmp_path),
            lambda: here.resize(tmp_path, GIB),
            lambda: here.extend_windows(disk),
            lambda: here.shrink(tmp_path, GIB),
            lambda: here.optimize(tmp_path),
        ):
            with pytest.raises(HostError, match=r"on Linux is not available yet; use a Windows"):
                attempt()


def test_a_disk_is_copied_with_its_holes(tmp_path: Path) -> None:
    """The copy has the same bytes."""
    (tmp_path / "a").write_bytes(b"data" + bytes(MIB) + b"more")
    LinuxDisks().copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == (tmp_path / "a").read_bytes()
