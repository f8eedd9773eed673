"""DISM, reg and bcdboot on real Windows, with a disk of a few hundred megabytes."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures import hives, releases
from winimagetools.errors import CommandError
from winimagetools.formats.wim.editions import get_wim_file_images_info, read_wim
from winimagetools.host.mounted_tree import MountedTree
from winimagetools.host.windows.boot import WindowsBoot
from winimagetools.host.windows.disks import WindowsDisk, WindowsDisks
from winimagetools.host.windows.powershell import PowerShell
from winimagetools.host.windows.servicing import DISM, MOUNT, REG, WindowsServicing
from winimagetools.image.inspection import get_image_information
from winimagetools.model import Architecture, DiskLayout, OtherImage, WimImage, WindowsVersion
from winimagetools.plan import RegistryEdit, RegistryValue
from winimagetools.run import Tool, run

BCDEDIT = Tool("bcdedit.exe", "Windows itself", "look at what was written")
SYSTEM_ROOT = Path(os.environ.get("SYSTEMROOT", r"C:\Windows"))
NEWEST = WindowsVersion(99, 0)


@dataclass(frozen=True)
class Medium:
    """A WIM as an opened medium."""

    path: Path
    others: tuple[OtherImage, ...] = ()

    @property
    def images(self) -> list[WimImage]:
        """The editions in it."""
        return get_wim_file_images_info(self.path)

    def wim_file(self, work: Path) -> Path:
        """The WIM where it is."""
        return self.path

    def read_file(self, image: WimImage, path: str) -> bytes:
        """Nothing of it is looked at."""
        raise FileNotFoundError(path)

    def copied_bytes(self) -> int:
        """Nothing is copied."""
        return 0

    def check_unchanged(self) -> None:
        """Nobody changes it."""


@pytest.fixture
def servicing(administrator: None, shell: PowerShell) -> WindowsServicing:
    """Servicing with the tools of this machine."""
    return WindowsServicing(shell, sleep=lambda _: None)


@pytest.fixture
def captured(administrator: None, tmp_path: Path) -> Path:
    """A WIM that DISM captured from a folder with a SYSTEM hive and a text."""
    tree = tmp_path / "tree"
    config = tree / "Windows" / "System32" / "config"
    config.mkdir(parents=True)
    release = releases.RELEASES["2022"]
    config.joinpath("SYSTEM").write_bytes(
        hives.system(release, Architecture.AMD64, release.editions[0])
    )
    (tree / "größe.txt").write_text("content")
    wim = tmp_path / "my install.wim"
    run(DISM, ["/Capture-Image", f"/ImageFile:{wim}", f"/CaptureDir:{tree}", "/Name:tree"])
    return wim


def test_apply(servicing: WindowsServicing, bios_disk: WindowsDisk, captured: Path) -> None:
    """An image comes out of the WIM with its content; the reader of this project sees it too."""
    assert [image.name for image in read_wim(captured).others] == ["tree"]
    image = WimImage(1, "tree", Architecture.AMD64, WindowsVersion(10, 0, 20348))
    servicing.apply_image(bios_disk, Medium(captured), image)
    assert bios_disk.tree.read_bytes("größe.txt") == b"content"
    assert bios_disk.tree.read_bytes(r"windows\system32\CONFIG\system")[:4] == b"regf"


def test_registry(servicing: WindowsServicing, bios_disk: WindowsDisk, captured: Path) -> None:
    """Values of every kind are set in a hive of the image, which is unloaded afterwards."""
    image = WimImage(1, "tree", Architecture.AMD64, WindowsVersion(10, 0, 20348))
    servicing.apply_image(bios_disk, Medium(captured), image)
    values = (
        RegistryValue("Number", "REG_DWORD", 7),
        RegistryValue("Text", "REG_SZ", 'a "b" %c%'),
        RegistryValue("Texts", "REG_MULTI_SZ", ("x", "y")),
    )
    edit = RegistryEdit("SYSTEM", r"CurrentControlSet\Control\Made Here", values)
    servicing.edit_registry(bios_disk, [edit])
    with pytest.raises(CommandError):
        run(REG, ["query", MOUNT])
    run(REG, ["load", MOUNT, f"{bios_disk.root}Windows\\System32\\config\\SYSTEM"])
    try:
        output = run(REG, ["query", rf"{MOUNT}\ControlSet001\Control\Made Here"])
    finally:
        run(REG, ["unload", MOUNT])
    lines = [line.split(maxsplit=2) for line in output.splitlines() if "REG_" in line]
    assert lines == [
        ["Number", "REG_DWORD", "0x7"],
        ["Text", "REG_SZ", 'a "b" %c%'],
        ["Texts", "REG_MULTI_SZ", r"x\0y"],
    ]


def test_version_check(
    servicing: WindowsServicing, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DISM is older than a Windows of the future, and newer than Windows 7."""
    monkeypatch.setattr(logging.getLogger("winimagetools"), "propagate", True)
    servicing.check_version(WimImage(1, "old", Architecture.AMD64, WindowsVersion(6, 1, 7601)))
    assert caplog.messages == []
    servicing.check_version(WimImage(1, "new", Architecture.AMD64, NEWEST))
    assert "is older than the image (99.0.0.0)" in caplog.text


def test_a_volume_without_windows(servicing: WindowsServicing, bios_disk: WindowsDisk) -> None:
    """DISM refuses a volume that holds no Windows; so do we, with its exit code."""
    with pytest.raises(CommandError) as caught:
        servicing.list_drivers(bios_disk)
    assert caught.value.returncode != 0
    assert "dism.exe" in str(caught.value)


def test_bcdboot(administrator: None, bios_disk: WindowsDisk) -> None:
    """Boot files and a store whose entries locate their devices, from this Windows."""
    drive = SYSTEM_ROOT.drive
    disk = WindowsDisk(
        bios_disk.path,
        DiskLayout.BIOS,
        system=bios_disk.system,
        windows=drive,
        tree=MountedTree(Path(f"{drive}\\")),
    )
    version = WindowsVersion(10, 0, 14393)
    WindowsBoot().create_boot_config(disk, WimImage(1, "this", Architecture.AMD64, version))
    assert bios_disk.tree.exists("bootmgr")
    store = f"{bios_disk.system}\\boot\\BCD"
    for entry, element in (("{bootmgr}", "device"), ("{default}", "osdevice")):
        output = run(BCDEDIT, ["/store", store, "/enum", entry])
        values = [line.split(maxsplit=1) for line in output.splitlines() if " " in line]
        found = dict(pair for pair in values if len(pair) == 2)
        assert found[element].strip().startswith("locate")


def test_ntdll_of_this_machine(administrator: None) -> None:
    """Architecture and version are read from a real library as Windows reports them."""
    info = get_image_information(MountedTree(Path(f"{SYSTEM_ROOT.drive}\\")), "Windows Server")
    assert info.architecture in (Architecture.AMD64, Architecture.ARM64)
    assert info.version >= WindowsVersion(10, 0, 14393)
    assert info.installation_type == "Server"


def test_windows_recovery_image(
    servicing: WindowsServicing, disks: WindowsDisks, tmp_path: Path
) -> None:
    """A real small Windows is applied, looked at and made bootable."""
    wim = SYSTEM_ROOT / "System32" / "Recovery" / "Winre.wim"
    if not wim.is_file():
        pytest.skip("needs Windows with its recovery image in System32\\Recovery")
    (image,) = get_wim_file_images_info(wim)
    with disks.create(tmp_path / "disk.vhdx", 6 << 30, DiskLayout.UEFI) as disk:
        servicing.apply_image(disk, Medium(wim), image)
        info = get_image_information(disk.tree, image.name)
        assert (info.architecture, info.version.build) == (image.architecture, image.version.build)
        assert all(driver.provider for driver in servicing.list_drivers(disk))
        WindowsBoot().create_boot_config(disk, image)
        assert isinstance(disk, WindowsDisk)
        system = MountedTree(Path(f"{disk.system}\\"))
        assert system.read_bytes(r"EFI\Microsoft\Boot\bootmgfw.efi")[:2] == b"MZ"
