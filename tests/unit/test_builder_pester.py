"""Counterparts of the Pester suite of the PowerShell tools, one for each of its blocks.

The situations are theirs; where they only count mocked calls, the whole transcript is
compared here.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.unit import recording_host as doubles
from tests.unit.dry_build import FakeMedia
from tests.unit.wim_bytes import image_xml, wim_bytes
from winimagetools import builder
from winimagetools.contract import Host
from winimagetools.data import data_path
from winimagetools.model import Architecture, DiskFormat, WimImage, WindowsVersion

UNIT = Path(__file__).parent
COUNTERPARTS = {
    "Test New-WindowsCloudImage": ("test_builder_pester.py", "test_new_windows_cloud_image"),
    "Test Get-WimFileImagesInfo": ("test_builder_pester.py", "test_get_wim_file_images_info"),
    "Test Resize-VHDImage": ("host/windows/test_disks.py", "test_resize_vhd_image"),
    "Test Resize-VHDImage with binary search": (
        "host/windows/test_disks.py",
        "test_resize_vhd_image_with_binary_search",
    ),
    "Test New-WindowsOnlineImage": ("test_builder_pester.py", "test_new_windows_online_image"),
}
POWERSHELL = UNIT.parent / "powershell"
PESTER = {
    "Test New-WindowsCloudImage": ("HostScripts", "partitions for BIOS"),
    "Test Get-WimFileImagesInfo": ("DropIn", "finds the editions with all they are asked for"),
    "Test Resize-VHDImage": ("HostScripts", "asks for the limits of a partition and resizes it"),
    "Test Resize-VHDImage with binary search": (
        "HostScripts",
        "shrinks a disk when it can be smaller",
    ),
    "Test New-WindowsOnlineImage": (
        "HostScripts",
        'creates a machine of generation <Generation>, switch "<Switch>"',
    ),
}
"""The part of each block that is PowerShell here too, where PowerShell runs it."""
CONFIG = r"""
[DEFAULT]
image_type=MAAS
virtual_disk_format=VHDX
compression_format=tar.gz
zip_password=""
disk_layout=BIOS
image_name=Windows Server 2012 R2 SERVERSTANDARD
wim_file_path=D:\sources\install.wim
image_path="${ENV:TEMP}\win-image.tar.gz"
extra_features="hyper-v"
zero_unused_volume_sectors=true
install_maas_hooks=false
force=false
[updates]
clean_updates_offline=true
purge_updates=false
install_updates=false
[sysprep]
persist_drivers_install=true
disable_swap=false
unattend_xml_path=UnattendTemplate.xml
run_sysprep=true
[vm]
disk_size=42949672960
ram_size=2147483648
cpu_count=1
external_switch=external
administrator_password=Pa$$w0rd
[drivers]
drivers_path=""
virtio_base_path=""
virtio_iso_path=""
"""
ZAPFREE = "https://github.com/felfert/ntfszapfree/releases/latest/download/ntfszapfree.zip"
CLOUDBASE = "CloudbaseInitSetup_Stable_x64.msi"
OFFLINE = [
    "compare the servicing tools with Windows 6.3.9600.0",
    "create a BIOS disk of 40.0 GiB: win-image.vhdx",
    r"write \Unattend.xml",
    rf"copy {data_path('guest')} to \UnattendResources",
    r"write \UnattendResources\config.ini",
    rf"copy {data_path('wallpaper.jpg')} to \Windows\Web\Wallpaper\Cloud\Wallpaper.jpg",
    r"write \Windows\System32\GroupPolicy\User\Registry.pol",
    r"write \Windows\System32\GroupPolicy\gpt.ini",
    f"download {ZAPFREE} and take zapfree.exe out of it",
    r"write \UnattendResources\zapfree.exe",
    f"download https://www.cloudbase.it/downloads/{CLOUDBASE}",
    rf"copy {CLOUDBASE} to \UnattendResources\CloudbaseInit.msi",
    "apply image 1 (Windows Server 2012 R2 SERVERSTANDARD) to win-image.vhdx",
    "make win-image.vhdx bootable with BIOS firmware",
    "enable features hyper-v",
    "clean up updates",
    "write out and trim win-image.vhdx",
    "close win-image.vhdx",
]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The configuration of the Pester suite, in words of our own."""
    path = tmp_path / "fake-config.ini"
    path.write_text(CONFIG)
    return path


def recording_host(lines: list[str]) -> Host:
    """A host that builds in VHDX and writes down what it is asked."""
    return doubles.recording_host(FakeMedia(), lines.append, work_format=DiskFormat.VHDX)


def test_new_windows_cloud_image(config: Path) -> None:
    """Counterpart of "Test New-WindowsCloudImage": every step of an offline image, in order."""
    lines: list[str] = []
    report = builder.new_windows_cloud_image(config, host=recording_host(lines))
    assert lines == [
        *OFFLINE,
        "wrap win-image.vhdx as tar.gz",
        "put win-image.vhdx.tar.gz in place as win-image.tar.gz and its report",
    ]
    assert report.path.name == "win-image.tar.gz"
    assert report.description == "VHDX, wrapped as tar.gz"


def test_new_windows_online_image(config: Path) -> None:
    """Counterpart of "Test New-WindowsOnlineImage": the same, then the virtual machine, RAW."""
    lines: list[str] = []
    report = builder.new_windows_online_image(config, host=recording_host(lines))
    assert lines == [
        "check switch 'external' and 1 processors",
        *OFFLINE,
        "run a generation 1 machine from win-image.vhdx with 1 processors and 2.0 GiB on switch "
        "'external' until it powers off",
        "open win-image.vhdx read-only",
        "close win-image.vhdx",
        "shrink win-image.vhdx, leaving 500.0 MiB spare",
        "optimize win-image.vhdx",
        "convert win-image.vhdx to win-image.raw (RAW)",
        "remove win-image.vhdx",
        "wrap win-image.raw as tar.gz",
        "put win-image.raw.tar.gz in place as win-image.tar.gz and its report",
    ]
    assert report.path.name == "win-image.tar.gz"
    assert report.description == "RAW, wrapped as tar.gz"


def test_get_wim_file_images_info(tmp_path: Path) -> None:
    """Counterpart of "Test Get-WimFileImagesInfo": the images of the WIM come out as they are."""
    path = tmp_path / "FakePath"
    kind = "<INSTALLATIONTYPE>Server</INSTALLATIONTYPE><PRODUCTTYPE>ServerNT</PRODUCTTYPE>"
    path.write_bytes(wim_bytes(image_xml(1, "Win", windows=kind)))
    version = WindowsVersion(10, 0, 20348, 587)
    assert builder.get_wim_file_images_info(path) == [
        WimImage(1, "Win", Architecture.AMD64, version, "Server", product_type="ServerNT")
    ]


@pytest.mark.parametrize("describe", COUNTERPARTS)
def test_every_block_has_a_counterpart(describe: str) -> None:
    """The test named for a block of the Pester suite exists and says so."""
    file, name = COUNTERPARTS[describe]
    tree = ast.parse((UNIT / file).read_text(encoding="utf-8"))
    found = {
        node.name: ast.get_docstring(node) or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    }
    assert f'Counterpart of "{describe}"' in found[name]


def test_every_block_has_a_pester_test() -> None:
    """What of a block is PowerShell here too is run by Pester, in a case of this name."""
    assert PESTER.keys() == COUNTERPARTS.keys()
    for file, case in PESTER.values():
        text = (POWERSHELL / f"{file}.Tests.ps1").read_text(encoding="utf-8")
        assert f"It '{case}'" in text
