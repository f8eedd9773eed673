"""Finished disks of every layout and container, opened where they lie."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from dissect.target import Target
from dissect.volume.disk import Disk

from fixtures.finished_disks import LAYOUTS, OTHER_SIZE, SIGNATURE, HandMade, make_disk
from tests.files import read_files
from winimagetools.checks.result import State
from winimagetools.errors import MediaError, WinImageError
from winimagetools.host.linux.disks import LinuxDisks
from winimagetools.host.linux.existing_disk import ExistingDisk, open_existing
from winimagetools.host.linux.finished import optimize_image, shrink_image
from winimagetools.model import GIB, MIB, DiskFormat, DiskLayout
from winimagetools.output.convert import QEMU_IMG
from winimagetools.run import Tool, run
from winimagetools.workflows.check import check_offline_image

NTFSFIX = Tool("ntfsfix", "ntfs-3g", "make a volume dirty")
NTFSCP = Tool("ntfscp", "ntfs-3g", "fill the volume")
MakeDisk = Callable[[str], HandMade]
CONTAINERS = {
    DiskFormat.RAW: ["-O", "raw"],
    DiskFormat.QCOW2: ["-c", "-O", "qcow2"],
    DiskFormat.VHD: ["-O", "vpc", "-o", "force_size=on"],
    DiskFormat.VHDX: ["-O", "vhdx"],
    DiskFormat.VMDK: ["-O", "vmdk", "-o", "subformat=streamOptimized"],
}


@pytest.fixture(scope="module")
def hand_made(tmp_path_factory: pytest.TempPathFactory, install_wim: Path) -> MakeDisk:
    """Makes each layout once; the disks are not to be changed."""
    made: dict[str, HandMade] = {}

    def make(layout: str) -> HandMade:
        if layout not in made:
            folder = tmp_path_factory.mktemp(layout)
            made[layout] = make_disk(folder / "disk.raw", layout, install_wim)
        return made[layout]

    return make


def sha256(path: Path) -> str:
    """What the bytes of a file come to."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout(layout: str, hand_made: MakeDisk) -> None:
    """Each partition has the role it was made for; nothing is wrong; nothing was changed."""
    made = hand_made(layout)
    before = sha256(made.path)
    with open_existing(made.path, read_only=True) as disk:
        facts, tree = disk.facts(), disk.tree
        assert tree.read_bytes(r"windows\SYSTEM32\config\system")[:4] == b"regf"
    assert [part.role for part in facts.partitions] == list(LAYOUTS[layout])
    assert [(part.start, part.size) for part in facts.partitions] == [
        (part.start, part.size) for part in made.plan.partitions
    ]
    assert facts.layout is made.plan.layout
    assert (facts.table_problems, facts.boot_problem) == ((), "")
    assert facts.volume.clean and not facts.volume.hibernated
    assert facts.volume.partition_size - facts.volume.size == 512
    assert facts.boot_store is not None and facts.boot_store[:4] == b"regf"
    if facts.layout is DiskLayout.BIOS:
        assert facts.identifier == f"{SIGNATURE:08x}"
        assert facts.boot_files == ("bootmgr", "Boot/BCD")
    else:
        assert facts.identifier == str(made.plan.disk_guid)
        assert "EFI/Boot/bootx64.efi" in facts.boot_files or "EFI/BOOT/BOOTX64.EFI" in {
            name.upper() for name in facts.boot_files
        }
    assert sha256(made.path) == before


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_container(container: DiskFormat, hand_made: MakeDisk, tmp_path: Path) -> None:
    """All read the same, and not one byte of any changes."""
    source, path = hand_made("uefi").path, tmp_path / "image"
    run(QEMU_IMG, ["convert", "-f", "raw", *CONTAINERS[container], source, path])
    before = sha256(path)
    with (
        LinuxDisks().open(path, read_only=True) as disk,
        open_existing(source, read_only=True) as raw,
    ):
        assert isinstance(disk, ExistingDisk)
        assert disk.facts().container is container
        names = disk.tree.list_dir("Windows/System32")
        assert names == raw.tree.list_dir("Windows/System32")
        assert "ntdll.dll" in names and "config" in names
        for name in ("Windows/System32/ntdll.dll", "Windows/System32/config/SOFTWARE"):
            assert disk.tree.read_bytes(name) == raw.tree.read_bytes(name)
        assert disk.facts().partitions == raw.facts().partitions
        with pytest.raises(WinImageError, match="Windows/x"):
            disk.tree.write_bytes("Windows/x", b"x")
    assert sha256(path) == before
    assert [item.name for item in tmp_path.iterdir()] == ["image"]


def with_large_sectors(container: DiskFormat, folder: Path, wim: Path) -> Path:
    """A disk with logical sectors of 4096 bytes."""
    path = make_disk(folder / "disk.raw", "recovery-behind", wim, sector=4096).path
    if container is DiskFormat.RAW:
        return path
    other = folder / "disk.vhdx"
    run(QEMU_IMG, ["convert", "-f", "raw", "-O", "vhdx", path, other])
    path.unlink()
    data = bytearray(other.read_bytes())  # qemu-img writes 512 only; [MS-VHDX] 2.6.2.4
    entry = data.index(UUID("8141BF1D-A96F-4709-BA47-F233A8FAAB5F").bytes_le)
    table = data.index(b"metadata")
    at = table + int.from_bytes(data[entry + 16 : entry + 20], "little")
    assert data[at : at + 4] == (512).to_bytes(4, "little")
    data[at : at + 4] = (4096).to_bytes(4, "little")
    other.write_bytes(data)
    return other


@pytest.mark.parametrize("container", [DiskFormat.RAW, DiskFormat.VHDX])
def test_large_sectors(container: DiskFormat, tmp_path: Path, install_wim: Path) -> None:
    """Such a disk is looked at and checked, and refused with advice where it would change."""
    path = with_large_sectors(container, tmp_path, install_wim)
    with path.open("rb") as file, open_existing(path, read_only=True) as disk:
        if container is DiskFormat.RAW:
            other: Any = Disk(file, sector_size=4096)
            assert [part.offset for part in other.partitions] == [
                part.start for part in disk.facts().partitions
            ]
        assert disk.facts().sector == 4096
        assert [part.role for part in disk.facts().partitions] == list(LAYOUTS["recovery-behind"])
        assert disk.facts().table_problems == ()
        assert disk.tree.read_bytes("Windows/System32/config/SYSTEM")[:4] == b"regf"
    found = {item.name: item for item in check_offline_image(path, thorough=True).results}
    assert found["layout"].state is State.WARNING and "4096" in found["layout"].text
    assert found["NTFS"].state is found["partitions"].state is State.OK
    before = sha256(path)
    changes: tuple[Callable[[], None], ...] = (
        lambda: shrink_image(path, 0),
        lambda: optimize_image(path),
        lambda: LinuxDisks().refuse_unusable(path, 20 * GIB),
    )
    for change in changes:
        with pytest.raises(MediaError, match="logical sectors of 4096 bytes") as caught:
            change()
        assert "512" in caught.value.hint
    assert sha256(path) == before and [item.name for item in tmp_path.iterdir()] == [path.name]


def test_an_independent_reader_finds_the_same(hand_made: MakeDisk) -> None:
    """Names and content of many folders, as dissect.target reads them."""
    made = hand_made("recovery-behind")
    target = Target.open(made.path)
    with open_existing(made.path, read_only=True) as disk:
        for folder in ("", "Windows", "Windows/System32", "Windows/System32/config", "Users"):
            other = target.fs.path(f"c:/{folder}")
            names = {item.name for item in other.iterdir() if not item.name.startswith("$")}
            ours = {name for name in disk.tree.list_dir(folder) if not name.startswith("$")}
            assert ours == names, folder
            for name in sorted(names):
                item = other / name
                if item.is_file() and not item.is_symlink():
                    assert disk.tree.read_bytes(f"{folder}/{name}".lstrip("/")) == item.read_bytes()
                    assert not disk.tree.is_dir(f"{folder}/{name}".lstrip("/"))


def changed(made: HandMade, path: Path, at: int, data: bytes) -> Path:
    """A copy of a disk with other bytes somewhere."""
    run(Tool("cp", "coreutils", "copy"), ["--sparse=always", made.path, path])
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)
    return path


def refused(path: Path, *, read_only: bool = True) -> MediaError:
    """The error a disk is refused with."""
    with (
        pytest.raises(MediaError) as caught,
        open_existing(path, read_only=read_only),
    ):
        pass
    return caught.value


def test_bitlocker(hand_made: MakeDisk, tmp_path: Path) -> None:
    """Named, with the command that decrypts."""
    made = hand_made("uefi")
    path = changed(made, tmp_path / "disk", made.windows.start + 3, b"-FVE-FS-")
    error = refused(path)
    assert f"Partition 3 of {path} is encrypted with BitLocker." in error.message
    assert "manage-bde -off" in error.hint


def test_no_windows(hand_made: MakeDisk, tmp_path: Path) -> None:
    """What there is instead is said."""
    made = hand_made("uefi")
    path = changed(made, tmp_path / "disk", made.windows.start + 3, b"ReFS\0\0\0\0")
    assert "its partitions are 1: FAT, 2: unknown, 3: ReFS" in refused(path).message


def test_a_volume_instead_of_a_disk(hand_made: MakeDisk, tmp_path: Path) -> None:
    """What people get who copied a partition only."""
    made, path = hand_made("bios"), tmp_path / "volume"
    data = made.path.read_bytes()
    path.write_bytes(data[made.windows.start : made.windows.start + made.windows.size])
    assert "it is a NTFS volume without a partition table" in refused(path).message


def test_a_damaged_volume(hand_made: MakeDisk, tmp_path: Path) -> None:
    """The partition is named."""
    made = hand_made("uefi")
    path = changed(made, tmp_path / "disk", made.windows.start + 48, b"\xff" * 16)
    assert "partition 3 is damaged" in refused(path).message


def volume_changed(made: HandMade, path: Path, change: Callable[[Path], object]) -> Path:
    """A copy of a disk whose Windows volume was changed by a program."""
    data = made.path.read_bytes()
    start, end = made.windows.start, made.windows.start + made.windows.size
    volume = path.with_suffix(".ntfs")
    volume.write_bytes(data[start:end])
    change(volume)
    path.write_bytes(data[:start] + volume.read_bytes() + data[end:])
    volume.unlink()
    return path


def test_a_volume_that_was_not_left_clean(hand_made: MakeDisk, tmp_path: Path) -> None:
    """Can be looked at, and says so; is not changed."""

    def make_dirty(volume: Path) -> None:
        run(NTFSFIX, ["-b", volume])

    path = volume_changed(hand_made("uefi"), tmp_path / "disk", make_dirty)
    with open_existing(path, read_only=True) as disk:
        assert not disk.facts().volume.clean
    assert "was not left clean" in refused(path, read_only=False).message


def test_a_hibernated_windows(hand_made: MakeDisk, tmp_path: Path) -> None:
    """Can be looked at, and says so; is not changed."""
    note = tmp_path / "hiberfil"
    note.write_bytes(b"hibr".ljust(8192, b"\0"))

    def sleep(volume: Path) -> None:
        run(NTFSCP, [volume, note, "hiberfil.sys"])

    path = volume_changed(hand_made("uefi"), tmp_path / "disk", sleep)
    with open_existing(path, read_only=True) as disk:
        assert disk.facts().volume.hibernated
    error = refused(path, read_only=False)
    assert "hibernated" in error.message and "shutdown /s" in error.hint


def test_two_windows(hand_made: MakeDisk, tmp_path: Path) -> None:
    """Nobody guesses which one is meant."""
    made, path = hand_made("bios-system"), tmp_path / "disk"
    with path.open("wb") as file:
        data = made.path.read_bytes()
        windows = data[made.windows.start : made.windows.start + made.windows.size]
        file.write(data + windows)
    script = f"start={len(data) // 512}, size={len(windows) // 512}, type=7\n"
    run(Tool("sfdisk", "fdisk", "partition"), ["-q", "-a", path], input_text=script)
    assert "more than one Windows, on partitions 2 and 3" in refused(path).message


def test_the_content_of_other_partitions_stays(hand_made: MakeDisk, tmp_path: Path) -> None:
    """A RAW disk is changed in its Windows partition and nowhere else; a reader finds it."""
    made = hand_made("data")
    path = changed(made, tmp_path / "disk", 0, b"")
    with LinuxDisks().open(path) as disk:
        disk.tree.write_bytes(r"Windows\new\größe.txt", b"new" * 100_000)
        disk.tree.remove("PerfLogs")
    before, after = made.path.read_bytes(), path.read_bytes()
    start, end = made.windows.start, made.windows.start + made.windows.size
    assert before[:start] == after[:start] and before[end:] == after[end:]
    assert before != after
    target = Target.open(path)
    assert target.fs.path("c:/Windows/new/größe.txt").read_bytes() == b"new" * 100_000
    assert not target.fs.path("c:/PerfLogs").exists()
    with open_existing(path, read_only=True) as disk:
        assert disk.facts().volume.clean
    assert len(read_files(tmp_path)) == 1 and OTHER_SIZE > MIB
