"""Boot files and store of a disk under construction."""

from __future__ import annotations

import logging
from pathlib import Path
from uuid import UUID

import pytest

from tests.files import read_files
from tests.hive_reader import read_regipy
from tests.integration.linux.plans import BIOS, UEFI
from winimagetools.errors import BuildError
from winimagetools.formats.partition_table import PartitionPlan
from winimagetools.host.linux.bcd import write_bcd
from winimagetools.host.linux.boot import LinuxBoot
from winimagetools.host.linux.disk import LinuxDisk
from winimagetools.host.staged_tree import StagedTree
from winimagetools.model import Architecture, WimImage, WindowsVersion

MANAGER = r"Objects\{9dea862c-5cdd-4e70-acc1-f32b344d4795}\Elements"
SERVER = WimImage(
    1,
    "Windows Server 2022",
    Architecture.AMD64,
    WindowsVersion(10, 0, 20348),
    "Server",
    default_language="de-DE",
)
FILES = {
    "EFI/bootmgfw.efi": b"efi manager",
    "EFI/de-DE/bootmgfw.efi.mui": b"german",
    "EFI/fr-FR/bootmgfw.efi.mui": b"french",
    "PCAT/bootmgr": b"bios manager",
    "PCAT/bootnxt": b"\0",
    "PCAT/memtest.exe": b"test",
    "Fonts/wgl4_boot.ttf": b"font",
    "Resources/bootres.dll": b"picture",
    "Resources/en-US/bootres.dll.mui": b"english",
}


def make_disk(folder: Path, plan: PartitionPlan, files: dict[str, bytes] = FILES) -> LinuxDisk:
    r"""A disk whose image holds ``files`` below ``\Windows\Boot``."""
    work, esp = folder / "work", folder / "esp"
    work.mkdir()
    esp.mkdir()
    tree = StagedTree(folder / "tree")
    for name, data in files.items():
        tree.write_bytes(f"Windows/Boot/{name}", data)
    return LinuxDisk(folder / "disk.raw", plan, work, tree, esp)


def test_uefi(tmp_path: Path) -> None:
    """The system partition gets everything, the Windows volume nothing."""
    disk = make_disk(tmp_path, UEFI)
    before = read_files(disk.tree.local)
    LinuxBoot().create_boot_config(disk, SERVER)
    boot = "EFI/Microsoft/Boot"
    found = read_files(disk.esp)
    del found[f"{boot}/BCD"]
    assert found == {
        f"{boot}/bootmgfw.efi": b"efi manager",
        f"{boot}/de-DE/bootmgfw.efi.mui": b"german",
        f"{boot}/Fonts/wgl4_boot.ttf": b"font",
        f"{boot}/Resources/bootres.dll": b"picture",
        f"{boot}/Resources/en-US/bootres.dll.mui": b"english",
        "EFI/Boot/bootx64.efi": b"efi manager",
    }
    assert read_files(disk.tree.local) == before
    assert list(disk.work.iterdir()) == []
    store = read_regipy(disk.esp / boot / "BCD")
    loader = store[rf"{MANAGER}\23000003"]["Element"][1]
    elements = rf"Objects\{loader}\Elements"
    assert store[rf"{elements}\12000004"] == {"Element": ("REG_SZ", "Windows Server")}
    assert store[rf"{elements}\12000005"] == {"Element": ("REG_SZ", "de-DE")}
    assert store[rf"{elements}\25000020"]["Element"][1] == b"\1" + bytes(7)
    assert store[rf"{elements}\11000001"]["Element"][1][32:48] == UUID(int=2).bytes_le
    assert store[rf"{MANAGER}\11000001"]["Element"][1][32:48] == UUID(int=1).bytes_le


def test_bios(tmp_path: Path) -> None:
    """The Windows volume gets everything, and nothing else of it changes."""
    disk = make_disk(tmp_path, BIOS)
    before = read_files(disk.tree.local)
    LinuxBoot().create_boot_config(disk, SERVER)
    found = read_files(disk.tree.local)
    store = found.pop("Boot/BCD")
    assert store.startswith(b"regf")
    assert found == before | {
        "bootmgr": b"bios manager",
        "BOOTNXT": b"\0",
        "Boot/memtest.exe": b"test",
        "Boot/Fonts/wgl4_boot.ttf": b"font",
        "Boot/Resources/bootres.dll": b"picture",
        "Boot/Resources/en-US/bootres.dll.mui": b"english",
    }
    assert read_files(disk.esp) == {}
    assert list(disk.work.iterdir()) == []


def test_an_image_without_boot_manager_changes_nothing(tmp_path: Path) -> None:
    """Windows 7 x86 cannot start from UEFI; nothing is left half made."""
    disk = make_disk(tmp_path, UEFI, {"PCAT/bootmgr": b"bios manager"})
    with pytest.raises(BuildError, match=r"bootmgfw\.efi.*Set disk_layout to BIOS"):
        LinuxBoot().create_boot_config(disk, SERVER)
    assert read_files(disk.esp) == {}
    assert list(disk.work.iterdir()) == []


def test_a_new_bios_disk_needs_no_other_search_order(tmp_path: Path) -> None:
    """Its store already lets boot manager and loader search."""
    disk = make_disk(tmp_path, BIOS)
    LinuxBoot().create_boot_config(disk, SERVER)
    before = read_files(disk.tree.local)
    LinuxBoot().reset_search_order(disk)
    assert read_files(disk.tree.local) == before


def test_the_search_order_of_an_older_disk_is_changed(tmp_path: Path) -> None:
    """A store that names partitions is made to search, whatever disk it was made for."""
    disk, other = make_disk(tmp_path, BIOS), tmp_path / "other"
    other.mkdir()
    uefi = make_disk(other, UEFI)
    LinuxBoot().create_boot_config(uefi, SERVER)
    disk.tree.copy_in(uefi.esp / "EFI/Microsoft/Boot/BCD", "Boot/BCD")
    LinuxBoot().reset_search_order(disk)
    store = read_regipy(disk.tree.local / "Boot/BCD")
    assert store[rf"{MANAGER}\11000001"]["Element"][1][16] == 8


def test_a_bios_disk_without_usable_store_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store may be on another partition, so the build goes on."""
    monkeypatch.setattr(logging.getLogger("winimagetools"), "propagate", True)
    disk = make_disk(tmp_path, BIOS)
    LinuxBoot().reset_search_order(disk)
    assert r"\Boot\BCD of" in caplog.text
    assert "There is no file" in caplog.text
    empty = tmp_path / "empty"
    write_bcd(empty, [])
    for content, reason in (
        (b"no store", "is not a registry hive"),
        (empty.read_bytes(), r"The boot configuration \Boot\BCD in the image has no default entry"),
    ):
        caplog.clear()
        disk.tree.write_bytes("Boot/BCD", content)
        LinuxBoot().reset_search_order(disk)
        assert reason in caplog.text
        assert str(tmp_path) not in caplog.text
        assert disk.tree.read_bytes("Boot/BCD") == content


def test_uefi_disks_keep_their_search_order(tmp_path: Path) -> None:
    """Only BIOS disks were ever changed."""
    disk = make_disk(tmp_path, UEFI)
    LinuxBoot().create_boot_config(disk, SERVER)
    disk.tree.copy_in(disk.esp / "EFI/Microsoft/Boot/BCD", "Boot/BCD")
    before = read_files(disk.tree.local)
    LinuxBoot().reset_search_order(disk)
    assert read_files(disk.tree.local) == before
