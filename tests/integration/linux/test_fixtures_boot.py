"""Firmware under QEMU really starts the stand-in boot managers, and they see the truth."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from fixtures import boot_proof, regf
from fixtures import hand_made_disks as disks
from fixtures.boot_proof import Interface
from winimagetools.errors import CommandError
from winimagetools.run import Tool, run

QEMU_IMG = Tool("qemu-img", "qemu-utils", "convert")
INTERFACES: list[Interface] = ["ide", "sata", "virtio", "virtio-scsi"]


@pytest.fixture(scope="module")
def bios_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BIOS disk that boots."""
    folder = tmp_path_factory.mktemp("bios")
    return disks.bios_disk(disks.bios_tree(), folder / "disk.raw")


@pytest.fixture(scope="module")
def uefi_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A UEFI disk that boots; its BCD store names the NTFS partition."""
    root = regf.Key("NewStoreRoot")
    element = regf.Value(regf.REG_BINARY, disks.partition_element(disks.WINDOWS_GUID))
    root.make(r"Objects\{x}\Elements\11000001").values["Element"] = element
    folder = tmp_path_factory.mktemp("uefi")
    return disks.uefi_disk(folder / "disk.raw", regf.dump(root, minor=3))


@pytest.mark.parametrize("interface", INTERFACES)
def test_bios(bios_disk: Path, interface: Interface) -> None:
    """SeaBIOS, GRUB and the stand-in read the disk on every kind of controller."""
    report = boot_proof.boot(bios_disk, "raw", "bios", interface)
    assert report.proved, report.console
    assert report.firmware == "BIOS"
    assert report.started_from == "drive 128, partition at sector 2048"
    assert report.bcd_size == len(disks.BCD)
    assert report.fonts_found
    assert report.loader_found


@pytest.mark.parametrize("interface", INTERFACES)
def test_uefi(uefi_disk: Path, interface: Interface) -> None:
    """OVMF starts the fallback path; the stand-in matches the store with the partition."""
    report = boot_proof.boot(uefi_disk, "raw", "uefi", interface)
    assert report.proved, report.console
    assert report.firmware == "UEFI x64"
    assert report.started_from.upper() == r"\EFI\BOOT\BOOTX64.EFI"
    assert report.bcd_size == 8192
    assert report.windows_named
    assert not report.fonts_found


@pytest.mark.parametrize("disk_format", ["qcow2", "vpc", "vhdx", "vmdk"])
def test_other_containers(bios_disk: Path, tmp_path: Path, disk_format: str) -> None:
    """A converted disk boots, its format is found out, and it is not written to."""
    disk = tmp_path / f"disk.{'vhd' if disk_format == 'vpc' else disk_format}"
    run(QEMU_IMG, ["convert", "-O", disk_format, bios_disk, disk])
    before = hashlib.sha256(disk.read_bytes()).digest()
    assert boot_proof.guess_format(disk) == disk_format
    assert boot_proof.main([str(disk)]) == 0
    assert hashlib.sha256(disk.read_bytes()).digest() == before


def test_firmware_is_guessed_by_partition_table(bios_disk: Path, uefi_disk: Path) -> None:
    """A GPT means UEFI, a plain MBR means BIOS."""
    assert boot_proof.guess_firmware(bios_disk, "raw") == "bios"
    assert boot_proof.guess_firmware(uefi_disk, "raw") == "uefi"


@pytest.mark.parametrize(
    ("bcd", "word"), [(None, "MISSING"), (b"REGF" + disks.BCD[4:], "DAMAGED"), (b"", "DAMAGED")]
)
def test_bios_without_a_store(tmp_path: Path, bcd: bytes | None, word: str) -> None:
    """A missing, damaged or empty BCD store is reported, not taken for a good one."""
    disk = disks.bios_disk(disks.bios_tree(bcd), tmp_path / "disk.raw")
    report = boot_proof.boot(disk, "raw", "bios")
    assert report.started
    assert report.finished
    assert not report.bcd_found
    assert not report.proved
    assert f"BCD store {word}" in report.console


def test_bios_with_a_crowded_root_folder(tmp_path: Path) -> None:
    """Files are found when the root folder's index has many blocks, and in any case."""
    tree = disks.bios_tree(bcd=None)
    tree.file("boot/bcd", disks.BCD)
    for number in range(600):
        tree.file(f"A file with a rather long name {number:04}.txt")
        tree.file(f"zz file with a rather long name {number:04}.txt")
    report = boot_proof.boot(disks.bios_disk(tree, tmp_path / "disk.raw"), "raw", "bios")
    assert report.proved, report.console
    assert report.loader_found


def test_uefi_without_a_store(tmp_path: Path) -> None:
    """A missing BCD store is reported, and no partition counts as named."""
    disk = disks.uefi_disk(tmp_path / "disk.raw", bcd=None)
    report = boot_proof.boot(disk, "raw", "uefi")
    assert report.started
    assert report.finished
    assert not report.bcd_found
    assert not report.windows_named
    assert not report.proved


def test_a_disk_that_does_not_boot(tmp_path: Path) -> None:
    """An empty disk is no proof; the machine is stopped when its time is over."""
    disk = tmp_path / "empty.raw"
    disk.write_bytes(bytes(1 << 20))
    report = boot_proof.boot(disk, "raw", "bios", timeout=4)
    assert not report.started
    assert not report.powered_off
    assert 4 <= report.seconds < boot_proof.PATIENCE / 2


def test_a_disk_qemu_refuses(tmp_path: Path) -> None:
    """What QEMU says about a file it cannot open reaches the caller."""
    disk = tmp_path / "disk.qcow2"
    disk.write_bytes(b"no image")
    with pytest.raises(CommandError, match="not in qcow2 format"):
        boot_proof.boot(disk, "qcow2", "bios")
