from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.fakes import MemorySource
from tests.unit.host.windows.recorder import Recorder
from winimagetools.errors import BuildError, CommandError, HostError
from winimagetools.host.mounted_tree import MountedTree
from winimagetools.host.windows.disks import WindowsDisk
from winimagetools.host.windows.media import WindowsMedia
from winimagetools.host.windows.powershell import PowerShell
from winimagetools.host.windows.servicing import WindowsServicing, parse_drivers
from winimagetools.model import Architecture, DiskLayout, WimImage, WindowsVersion
from winimagetools.plan import DriverPlan, InstalledDriver, RegistryEdit, RegistryValue

IMAGE = WimImage(2, "Windows Server", Architecture.AMD64, WindowsVersion(10, 0, 20348, 587))
TABLE = """
Deployment Image Servicing and Management tool
Driver packages listing:

-------------- | ------------------ | ----- | ---------- | ------------- | ---------- | -------
Published Name | Original File Name | Inbox | Class Name | Provider Name | Date       | Version
-------------- | ------------------ | ----- | ---------- | ------------- | ---------- | -------
oem0.inf       | viostor.inf        | No    | SCSIAdapter | Red Hat, Inc. | 9/1/2025  | 100.1
oem12.inf      | e1d.inf            | No    | Net        | Intel         | 9/1/2025   | 1.2.3

The operation completed successfully.
"""


class FolderSource(MemorySource):
    """A source whose folders are on this machine."""

    def local_folder(self, path: str) -> Path | None:
        """Below ``E:``."""
        return Path(f"E:\\{path}")


@pytest.fixture
def disk(tmp_path: Path) -> WindowsDisk:
    """An attached disk with its Windows at W:."""
    return WindowsDisk(Path("d.vhdx"), DiskLayout.UEFI, "S:", "W:", MountedTree(tmp_path))


def servicing(recorder: Recorder) -> WindowsServicing:
    """Servicing that does not wait."""
    return WindowsServicing(PowerShell(recorder), recorder, lambda _: None)


def test_apply_image(disk: WindowsDisk) -> None:
    """The complete command that expands an image."""
    recorder = Recorder()
    servicing(recorder).apply_image(disk, WindowsMedia(Path("D:\\sources\\install.wim")), IMAGE)
    assert recorder.calls == [
        [
            "dism.exe",
            "/apply-image",
            "/imagefile:D:\\sources\\install.wim",
            "/index:2",
            "/ApplyDir:W:\\",
        ]
    ]


def test_apply_split_image(disk: WindowsDisk) -> None:
    """The parts of a split WIM are named by a pattern."""
    recorder = Recorder()
    servicing(recorder).apply_image(disk, WindowsMedia(Path("install.swm")), IMAGE)
    assert recorder.calls[0][-1] == "/swmfile:install*.swm"


def test_drivers_are_tried_four_times(disk: WindowsDisk) -> None:
    """Each folder is one command; a failure is tried again as often as in the PowerShell tools."""
    recorder = Recorder(fail=lambda line: "NetKVM" in line[3])
    plan = DriverPlan(FolderSource({}), ("viostor\\2k22\\amd64", "NetKVM\\2k22\\amd64"))
    with pytest.raises(CommandError):
        servicing(recorder).add_drivers(disk, plan)
    line = ["dism.exe", "/image:W:\\", "/Add-Driver"]
    assert recorder.calls[0] == [
        *line,
        "/driver:E:\\viostor\\2k22\\amd64",
        "/ForceUnsigned",
        "/recurse",
    ]
    assert [call[3] for call in recorder.calls[1:]] == ["/driver:E:\\NetKVM\\2k22\\amd64"] * 4


def test_drivers_must_be_in_a_folder(disk: WindowsDisk) -> None:
    """DISM cannot read a file that only exists inside an ISO."""
    with pytest.raises(BuildError, match="is not in a folder of Windows"):
        servicing(Recorder()).add_drivers(disk, DriverPlan(MemorySource({}), ("viostor",)))


def test_packages(disk: WindowsDisk, caplog: pytest.LogCaptureFixture) -> None:
    """A package that fails stops the build unless errors are ignored."""
    recorder = Recorder(fail=lambda _: True)
    package = Path("C:\\updates\\kb 1.msu")
    with pytest.raises(CommandError):
        servicing(recorder).add_package(disk, package, ignore_errors=False)
    servicing(recorder).add_package(disk, package, ignore_errors=True)
    line = ["dism.exe", "/image:W:\\", "/Add-Package", "/Packagepath:C:\\updates\\kb 1.msu"]
    assert recorder.calls == [line, line]
    assert "could not be added and is skipped" in caplog.text


def test_features_and_capabilities_are_one_command_each(disk: WindowsDisk) -> None:
    """Several names go into one command; capabilities are split like features."""
    recorder = Recorder()
    servicing(recorder).enable_features(disk, ["Microsoft-Hyper-V", "Containers"])
    servicing(recorder).add_capabilities(disk, ["OpenSSH.Server~~~~0.0.1.0", "Media"])
    assert recorder.calls == [
        [
            "dism.exe",
            "/image:W:\\",
            "/Enable-Feature",
            "/FeatureName:Microsoft-Hyper-V",
            "/FeatureName:Containers",
        ],
        [
            "dism.exe",
            "/image:W:\\",
            "/Add-Capability",
            "/CapabilityName:OpenSSH.Server~~~~0.0.1.0",
            "/CapabilityName:Media",
        ],
    ]


@pytest.mark.parametrize(
    ("purge", "last"), [(False, "/StartComponentCleanup"), (True, "/ResetBase")]
)
def test_cleanup(disk: WindowsDisk, purge: bool, last: str) -> None:
    """Purging adds ``/ResetBase``."""
    recorder = Recorder()
    servicing(recorder).clean_updates(disk, purge)
    assert recorder.calls[0][:3] == ["dism.exe", "/image:W:\\", "/Cleanup-Image"]
    assert recorder.calls[0][3] == "/StartComponentCleanup"
    assert recorder.calls[0][-1] == last


@pytest.mark.parametrize(
    ("dism", "warned"),
    [("10.0.19041.3636", True), ("10.0.20348.587", False), ("10.0.26100.1", False)],
)
def test_check_version(caplog: pytest.LogCaptureFixture, dism: str, warned: bool) -> None:
    """An older DISM is warned about, one as old or newer is not."""
    servicing(Recorder({"DISM_VERSION": dism})).check_version(IMAGE)
    assert ("is older than the image" in caplog.text) is warned


@pytest.mark.parametrize(
    ("printed", "number"),
    [("    Current    REG_DWORD    0x1\n", "001"), ("REG_DWORD 0x1f", "031"), ("", "001")],
)
def test_current_control_set(disk: WindowsDisk, printed: str, number: str) -> None:
    """The number is hexadecimal where reg.exe prints it and decimal in the name."""
    recorder = Recorder(outputs={"query": printed})
    edit = RegistryEdit("SYSTEM", "CurrentControlSet\\Services")
    servicing(recorder).edit_registry(disk, [edit])
    added = f"HKLM\\winimagetools\\ControlSet{number}\\Services"
    assert recorder.calls[2] == ["reg.exe", "add", added, "/f"]


def test_registry(disk: WindowsDisk) -> None:
    """A hive is loaded once, every kind of value set, and unloaded."""
    recorder = Recorder(outputs={"query": "    Current    REG_DWORD    0x2\n"})
    edits = [
        RegistryEdit(
            "SYSTEM",
            "CurrentControlSet\\Control\\BitLocker",
            (
                RegistryValue("PreventDeviceEncryption", "REG_DWORD", 1),
                RegistryValue("", "REG_SZ", "a b"),
                RegistryValue("list", "REG_MULTI_SZ", ("a", "b")),
                RegistryValue("raw", "REG_BINARY", b"\x01\xff"),
            ),
        ),
        RegistryEdit("SYSTEM", "Setup\\Empty"),
    ]
    servicing(recorder).edit_registry(disk, edits)
    mount = "HKLM\\winimagetools"
    key = f"{mount}\\ControlSet002\\Control\\BitLocker"
    assert recorder.calls == [
        ["reg.exe", "load", mount, "W:\\Windows\\System32\\config\\SYSTEM"],
        ["reg.exe", "query", f"{mount}\\Select", "/v", "Current"],
        [
            "reg.exe",
            "add",
            key,
            "/v",
            "PreventDeviceEncryption",
            "/t",
            "REG_DWORD",
            "/d",
            "1",
            "/f",
        ],
        ["reg.exe", "add", key, "/ve", "/t", "REG_SZ", "/d", "a b", "/f"],
        ["reg.exe", "add", key, "/v", "list", "/t", "REG_MULTI_SZ", "/d", "a\\0b", "/f"],
        ["reg.exe", "add", key, "/v", "raw", "/t", "REG_BINARY", "/d", "01ff", "/f"],
        ["reg.exe", "add", f"{mount}\\Setup\\Empty", "/f"],
        ["reg.exe", "unload", mount],
    ]


def test_a_hive_is_unloaded_after_a_failure(disk: WindowsDisk) -> None:
    """Whatever fails in between, the hive does not stay loaded."""
    recorder = Recorder(fail=lambda line: line[1] == "add")
    edit = RegistryEdit("SOFTWARE", "X", (RegistryValue("a", "REG_DWORD", 1),))
    with pytest.raises(CommandError):
        servicing(recorder).edit_registry(disk, [edit])
    assert recorder.calls[-1] == ["reg.exe", "unload", "HKLM\\winimagetools"]


def test_a_hive_that_is_still_loaded(disk: WindowsDisk) -> None:
    """A hive left by something else is told with the command that unloads it."""
    recorder = Recorder(fail=lambda line: line[1] == "load")
    with pytest.raises(HostError, match=r"unload it: reg unload HKLM\\winimagetools"):
        servicing(recorder).edit_registry(disk, [RegistryEdit("SYSTEM", "X")])


def test_drivers_are_read_by_position(disk: WindowsDisk) -> None:
    """The table is read whatever language its head is in."""
    expected = [InstalledDriver("oem0.inf", "Red Hat, Inc."), InstalledDriver("oem12.inf", "Intel")]
    assert parse_drivers(TABLE) == expected
    recorder = Recorder(outputs={"/Get-Drivers": TABLE})
    assert servicing(recorder).list_drivers(disk) == expected
    assert recorder.calls == [
        ["dism.exe", "/English", "/image:W:\\", "/Get-Drivers", "/Format:Table"]
    ]
