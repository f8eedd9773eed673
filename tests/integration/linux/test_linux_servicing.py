"""Applying and changing an image through the contract of a host."""

from __future__ import annotations

from pathlib import Path

import pytest

from winimagetools.errors import MediaError
from winimagetools.formats.partition_table import plan_partitions
from winimagetools.host.linux.disk import LinuxDisk
from winimagetools.host.linux.hive_edit import Hive
from winimagetools.host.linux.media import LinuxMedia
from winimagetools.host.linux.servicing import LinuxServicing
from winimagetools.host.staged_tree import StagedTree
from winimagetools.model import MIB, DiskLayout, WimImage
from winimagetools.plan import RegistryEdit, RegistryValue

EDITS = (
    RegistryEdit(
        "SYSTEM",
        r"CurrentControlSet\Services\viostor",
        (RegistryValue("Start", "REG_DWORD", 0),),
    ),
    RegistryEdit(
        "SOFTWARE", r"Vendor\Thing", (RegistryValue("Path", "REG_EXPAND_SZ", "%SystemRoot%"),)
    ),
    RegistryEdit(
        "SYSTEM",
        r"CurrentControlSet\Services\viostor",
        (RegistryValue("Group", "REG_SZ", "SCSI miniport"),),
    ),
)


@pytest.fixture
def disk(tmp_path: Path, install_wim: Path) -> LinuxDisk:
    """A disk with Windows Server 2022 applied."""
    plan = plan_partitions(2048 * MIB, DiskLayout.UEFI)
    tree = StagedTree(tmp_path / "overlay")
    made = LinuxDisk(tmp_path / "disk.raw", plan, tmp_path, tree, tmp_path / "esp")
    with LinuxMedia().open_install(install_wim) as media:
        LinuxServicing().apply_image(made, media, media.images[0])
    return made


def test_applying_shows_the_image_and_remembers_its_name(disk: LinuxDisk) -> None:
    """The tree has its files at once; nothing is written yet."""
    assert disk.tree.is_dir(r"Windows\System32\config")
    assert disk.source is not None
    assert disk.source.name == "Windows Server 2022 SERVERSTANDARD"
    assert list(disk.tree.local.iterdir()) == []


def test_applying_something_else_fails(disk: LinuxDisk, install_wim: Path, tmp_path: Path) -> None:
    """A WIM that went away in the meantime is told."""

    class Gone:
        images = ()
        others = ()

        def wim_file(self, work: Path) -> Path:
            return tmp_path / "gone.wim"

        def copied_bytes(self) -> int:
            return 0

        def read_file(self, image: WimImage, path: str) -> bytes:
            raise FileNotFoundError(path)

        def check_unchanged(self) -> None: ...

    with (
        LinuxMedia().open_install(install_wim) as media,
        pytest.raises(MediaError, match=r"gone\.wim"),
    ):
        LinuxServicing().apply_image(disk, Gone(), media.images[0])


def test_registry_edits_reach_each_hive_once(disk: LinuxDisk) -> None:
    """Edits of several hives, in the control set that is current."""
    LinuxServicing().edit_registry(disk, EDITS)
    system = disk.tree.local / "Windows/System32/config/SYSTEM"
    with Hive(system) as hive:
        values = hive.values(r"ControlSet001\Services\viostor")
    assert {value.name: value.data for value in values} == {"Start": 0, "Group": "SCSI miniport"}
    with Hive(disk.tree.local / "Windows/System32/config/SOFTWARE") as hive:
        found = hive.get(r"Vendor\Thing", "Path")
    assert found == RegistryValue("Path", "REG_EXPAND_SZ", "%SystemRoot%")


def test_a_hive_the_image_does_not_have(disk: LinuxDisk) -> None:
    """FileNotFoundError names it."""
    with pytest.raises(FileNotFoundError, match="NOTHIVE"):
        LinuxServicing().edit_registry(disk, [RegistryEdit("NOTHIVE", "a")])
