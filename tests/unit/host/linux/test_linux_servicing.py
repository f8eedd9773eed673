import uuid
from pathlib import Path

import pytest

from winimagetools.errors import BuildError
from winimagetools.formats.partition_table import PartitionPlan
from winimagetools.host.linux.apply.with_libwim import extract_volume
from winimagetools.host.linux.disk import LinuxDisk, WimSource
from winimagetools.host.linux.servicing import LinuxServicing
from winimagetools.host.staged_tree import StagedTree
from winimagetools.model import GIB, DiskLayout
from winimagetools.plan import InstalledDriver


def make_disk(tmp_path: Path) -> LinuxDisk:
    """A disk with nothing on it and an image below it."""
    plan = PartitionPlan(DiskLayout.UEFI, 40 * GIB, (), uuid.UUID(int=1))
    tree = StagedTree(tmp_path / "overlay")
    disk = LinuxDisk(tmp_path / "disk.raw", plan, tmp_path, tree, tmp_path / "esp")
    disk.source = WimSource(tmp_path / "install.wim", 1)
    return disk


@pytest.fixture
def disk(tmp_path: Path) -> LinuxDisk:
    """A disk for Windows Server 2022."""
    return make_disk(tmp_path)


@pytest.mark.parametrize(
    ("text", "provider"),
    [
        ('[Version]\r\nSignature=x\r\nProvider="Red Hat, Inc." ; who\r\n', "Red Hat, Inc."),
        (
            '[Version]\r\nSignature=x\r\nProvider=%VENDOR%\r\n[Strings]\r\nVendor = "Red Hat"\r\n',
            "Red Hat",
        ),
        ("[Version]\r\nSignature=x\r\n provider = Me\r\n", "Me"),
        ("[Version]\r\nSignature=x\r\nProvider=%GONE%\r\n", "%GONE%"),
        ("[Version]\r\nSignature=x\r\n", ""),
        ("no INF at all", ""),
    ],
)
def test_reads_the_provider_of_an_inf(disk: LinuxDisk, text: str, provider: str) -> None:
    """With or without quotes and string tokens, in any encoding INF files have."""
    for encoding in ("utf-16", "utf-8-sig", "cp1252"):
        disk.tree.write_bytes(r"Windows\INF\oem0.inf", text.encode(encoding))
        assert LinuxServicing().list_drivers(disk) == [InstalledDriver("oem0.inf", provider)]


def _inf(provider: str) -> bytes:
    return f'[Version]\r\nSignature="$Windows NT$"\r\nProvider="{provider}"\r\n'.encode()


def test_lists_third_party_drivers(disk: LinuxDisk) -> None:
    """Those published as oemN.inf; what came with Windows does not count."""
    disk.tree.write_bytes(r"Windows\INF\oem3.inf", _inf("A"))
    disk.tree.write_bytes(r"Windows\INF\OEM12.INF", _inf("B"))
    disk.tree.write_bytes(r"Windows\INF\oem3.PNF", b"")
    disk.tree.write_bytes(r"Windows\INF\disk.inf", _inf("Microsoft"))
    assert LinuxServicing().list_drivers(disk) == [
        InstalledDriver("OEM12.INF", "B"),
        InstalledDriver("oem3.inf", "A"),
    ]


def test_a_disk_without_image_cannot_be_written(disk: LinuxDisk, tmp_path: Path) -> None:
    """The error says that no image was applied."""
    disk.source = None
    with pytest.raises(BuildError, match="No image was applied"):
        extract_volume(disk, tmp_path / "vol")
