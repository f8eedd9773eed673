from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.host.windows.recorder import Recorder
from winimagetools.errors import BuildError
from winimagetools.host.mounted_tree import MountedTree
from winimagetools.host.windows.boot import WindowsBoot
from winimagetools.host.windows.disks import WindowsDisk
from winimagetools.model import Architecture, DiskLayout, WimImage, WindowsVersion

IMAGE_BCDBOOT = "W:\\windows\\system32\\bcdboot.exe"
IMAGE_BCDEDIT = "W:\\windows\\system32\\bcdedit.exe"


def make_disk(folder: Path, layout: DiskLayout, *, tools: bool = True) -> WindowsDisk:
    """A disk whose Windows has, or has not, its own boot tools."""
    if tools:
        (folder / "Windows" / "System32").mkdir(parents=True)
        for name in ("bcdboot.exe", "bcdedit.exe"):
            (folder / "Windows" / "System32" / name).touch()
    system = "S:" if layout is DiskLayout.UEFI else "W:"
    return WindowsDisk(Path("disk.vhdx"), layout, system, "W:", MountedTree(folder))


def image(version: str) -> WimImage:
    """An edition of a Windows version."""
    return WimImage(1, "Windows", Architecture.AMD64, WindowsVersion.parse(version))


def locate(tool: str) -> list[list[str]]:
    """The three edits of a BIOS store."""
    store = [tool, "/store", "W:\\boot\\BCD", "/set"]
    return [
        [*store, "{bootmgr}", "device", "locate"],
        [*store, "{default}", "device", "locate"],
        [*store, "{default}", "osdevice", "locate"],
    ]


def test_uefi(tmp_path: Path) -> None:
    """A UEFI disk takes one bcdboot of the image, with ``/f UEFI``, and no edit."""
    recorder = Recorder()
    WindowsBoot(recorder).create_boot_config(
        make_disk(tmp_path, DiskLayout.UEFI), image("10.0.20348")
    )
    assert recorder.calls == [[IMAGE_BCDBOOT, "W:\\windows", "/s", "S:", "/v", "/f", "UEFI"]]


def test_bios(tmp_path: Path) -> None:
    """A BIOS disk locates itself: bcdboot, then the three edits of the PowerShell tools."""
    recorder = Recorder()
    WindowsBoot(recorder).create_boot_config(
        make_disk(tmp_path, DiskLayout.BIOS), image("10.0.20348")
    )
    assert recorder.calls == [
        [IMAGE_BCDBOOT, "W:\\windows", "/s", "W:", "/v", "/f", "BIOS"],
        *locate(IMAGE_BCDEDIT),
    ]


def test_before_windows_8_there_is_no_firmware_option(tmp_path: Path) -> None:
    """The bcdboot of Windows 7 does not know ``/f``."""
    recorder = Recorder()
    WindowsBoot(recorder).create_boot_config(
        make_disk(tmp_path, DiskLayout.BIOS), image("6.1.7601")
    )
    assert recorder.calls[0] == [IMAGE_BCDBOOT, "W:\\windows", "/s", "W:", "/v"]


@pytest.mark.parametrize("version", ["6.1.7601", "6.3.9600", "10.0.26100"])
def test_host_helps_out(tmp_path: Path, version: str) -> None:
    """When bcdboot of the image fails, that of this machine is tried, always with ``/f``."""
    recorder = Recorder(fail=lambda line: line[0] == IMAGE_BCDBOOT)
    WindowsBoot(recorder).create_boot_config(make_disk(tmp_path, DiskLayout.BIOS), image(version))
    assert recorder.calls[1] == ["bcdboot.exe", "W:\\windows", "/s", "W:", "/v", "/f", "BIOS"]
    assert recorder.calls[2:] == locate(IMAGE_BCDEDIT)


def test_tools_for_another_processor(tmp_path: Path) -> None:
    """The bcdboot of an ARM64 image does not even start on this machine, whose own is taken."""

    def start(line: list[str]) -> bool:
        if line[0] == IMAGE_BCDBOOT:
            raise OSError(0, "not a valid Win32 application")
        return False

    recorder = Recorder(fail=start)
    WindowsBoot(recorder).create_boot_config(
        make_disk(tmp_path, DiskLayout.UEFI), image("10.0.26100")
    )
    assert [call[0] for call in recorder.calls] == [IMAGE_BCDBOOT, "bcdboot.exe"]


def test_both_fail(tmp_path: Path) -> None:
    """When neither works the build fails with what bcdboot said and where a newer one is."""
    recorder = Recorder(fail=lambda line: "bcdboot" in line[0])
    with pytest.raises(BuildError, match=r"(?s)could not be made bootable.*it failed.*Windows ADK"):
        WindowsBoot(recorder).create_boot_config(
            make_disk(tmp_path, DiskLayout.UEFI), image("10.0.26100")
        )


def test_an_image_without_tools(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Tools the image lacks are those of this machine, and each is told."""
    recorder = Recorder()
    WindowsBoot(recorder).create_boot_config(
        make_disk(tmp_path, DiskLayout.BIOS, tools=False), image("10.0.20348")
    )
    assert [call[0] for call in recorder.calls] == ["bcdboot.exe", *["bcdedit.exe"] * 3]
    assert [line for line in caplog.messages if "has no" in line] == [
        f"The image has no {name}; that of this machine is used."
        for name in ("bcdboot.exe", "bcdedit.exe")
    ]


def test_a_failed_edit_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An edit that fails does not stop the build, and the others go on."""
    recorder = Recorder(fail=lambda line: "{bootmgr}" in line)
    WindowsBoot(recorder).reset_search_order(make_disk(tmp_path, DiskLayout.BIOS))
    assert recorder.calls == locate(IMAGE_BCDEDIT)
    assert "bcdedit failed to set {bootmgr} device locate" in caplog.text


def test_uefi_needs_no_reset(tmp_path: Path) -> None:
    """Only BIOS disks are changed."""
    recorder = Recorder()
    WindowsBoot(recorder).reset_search_order(make_disk(tmp_path, DiskLayout.UEFI))
    assert recorder.calls == []


def test_the_newer_boot_manager(tmp_path: Path) -> None:
    """Asked for and in the image: bcdboot takes it whatever the firmware of this machine knows."""
    disk = make_disk(tmp_path, DiskLayout.UEFI)
    newer = tmp_path / "Windows" / "Boot" / "EFI_EX"
    for folder, more in ((None, []), (newer, ["/offline", "/bootex"])):
        if folder is not None:
            folder.mkdir(parents=True)
            (folder / "bootmgfw_EX.efi").touch()
        recorder = Recorder()
        WindowsBoot(recorder).create_boot_config(disk, image("10.0.26200"), True)
        usual = [IMAGE_BCDBOOT, "W:\\windows", "/s", "S:", "/v", "/f", "UEFI"]
        assert recorder.calls == [[*usual, *more]]


def test_a_bios_has_no_newer_boot_manager(tmp_path: Path) -> None:
    """No signature is asked for, and none can be read."""
    disk = make_disk(tmp_path, DiskLayout.BIOS)
    (tmp_path / "Windows" / "Boot" / "EFI_EX").mkdir(parents=True)
    (tmp_path / "Windows" / "Boot" / "EFI_EX" / "bootmgfw_EX.efi").touch()
    recorder = Recorder()
    WindowsBoot(recorder).create_boot_config(disk, image("10.0.26200"), True)
    assert "/bootex" not in recorder.calls[0]
    with pytest.raises(FileNotFoundError):
        WindowsBoot(recorder).boot_manager(disk)


def test_the_boot_manager_that_was_placed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read from the EFI partition, not from Windows."""
    monkeypatch.chdir(tmp_path)
    disk = make_disk(tmp_path, DiskLayout.UEFI)
    Path("S:\\EFI\\Microsoft\\Boot\\bootmgfw.efi").write_bytes(b"placed")
    assert WindowsBoot(Recorder()).boot_manager(disk) == b"placed"
