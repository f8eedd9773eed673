r"""What makes a disk made on Linux start: boot files and the boot configuration store.

On UEFI they go into the folder that becomes the EFI system partition, on BIOS into the
Windows volume itself, next to the boot code that GRUB provides. Nothing is written to a
disk here.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from winimagetools import log
from winimagetools.contract import Disk
from winimagetools.errors import BuildError, MediaError
from winimagetools.facts.releases import menu_name
from winimagetools.formats.bcd.store import bcd_store
from winimagetools.host.linux.bcd import use_locate_devices, write_bcd
from winimagetools.host.linux.boot_files import (
    FALLBACK_LOCALE,
    boot_folder,
    plan_boot_files,
    source_folders,
)
from winimagetools.host.linux.disk import LinuxDisk
from winimagetools.host.staged_tree import StagedTree
from winimagetools.model import DiskLayout, WimImage

_SOURCE = "Windows/Boot"
_BIOS_STORE = "Boot/BCD"


class LinuxBoot:
    """Boot configuration of disks under construction, see :class:`LinuxDisk`."""

    def create_boot_config(self, disk: Disk, image: WimImage, ex: bool = False) -> None:
        """Put boot files and a fresh store where firmware and boot manager look for them.

        Does what the PowerShell tools have bcdboot do, and on BIOS at once what they have
        bcdedit do afterwards: boot manager and loader search for their volumes.

        Args:
            disk: a disk that was made here and has its image attached.
            image: what is on it: architecture, version and language decide.
            ex: take the boot files that are signed under the newer certificate where there are
                any.

        Raises:
            BuildError: the image cannot be started by the disk's firmware.
            ToolMissingError: libhivex is not installed.
        """
        if not isinstance(disk, LinuxDisk):
            raise BuildError(
                f"{disk.path} was not made here, so no boot files can be put on it.",
                "Repair an existing disk in its Windows with bcdboot.",
            )
        with tempfile.TemporaryDirectory(dir=disk.work, prefix="boot-") as folder:
            source = Path(folder, "source")
            _fetch(disk.tree, source_folders(disk.layout, ex=ex), source)
            if disk.layout is DiskLayout.UEFI:
                _fill(source, disk.esp, disk, image, ex=ex)
                return
            system = Path(folder, "system")
            _fill(source, system, disk, image, ex=False)
            disk.tree.copy_in(system, "")

    def boot_manager(self, disk: Disk) -> bytes:
        """The boot manager on the EFI partition. Raises FileNotFoundError without one."""
        if not isinstance(disk, LinuxDisk) or disk.layout is DiskLayout.BIOS:
            raise FileNotFoundError(disk.path)
        return (disk.esp / boot_folder(disk.layout) / "bootmgfw.efi").read_bytes()

    def reset_search_order(self, disk: Disk) -> None:
        r"""Let a BIOS disk start after its signature has changed.

        What the PowerShell tools have bcdedit do: boot manager, default entry and its Windows
        search for their volumes. New disks have it from the beginning; a golden image is
        changed here. As in the PowerShell tools, a store that is missing (it may be on a system
        partition of its own) or unusable is a warning. UEFI disks keep what bcdboot writes.

        Raises:
            BuildError, ToolMissingError: the store cannot be changed.
        """
        if disk.layout is not DiskLayout.BIOS:
            return
        try:
            with disk.tree.edit(_BIOS_STORE) as store:
                use_locate_devices(store, r"\Boot\BCD in the image")
        except (FileNotFoundError, MediaError) as error:
            log.warning(
                rf"\Boot\BCD of {disk.path.name} stays as it is: {error} "
                "Should the disk get another signature, Windows may not start."
            )


def _fetch(tree: StagedTree, folders: Sequence[str], destination: Path) -> None:
    r"""Copy the needed folders of ``\Windows\Boot``, each in one go: the tree reads a WIM."""
    for name in folders:
        if tree.is_dir(f"{_SOURCE}/{name}"):
            tree.copy_out(f"{_SOURCE}/{name}", destination / name)


def _fill(source: Path, system: Path, disk: LinuxDisk, image: WimImage, *, ex: bool) -> None:
    """Lay out the content of the system partition in the folder ``system``."""
    plan, locale = disk.plan, image.default_language or FALLBACK_LOCALE
    files = plan_boot_files(plan.layout, image.architecture, _files(source), locale, ex=ex)
    for name, target in files:
        path = system / target
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, path)
    store = bcd_store(
        plan,
        description=menu_name(image.version, server=image.is_server),
        is_server=image.is_server,
        version=image.version,
        locale=locale,
        loader=disk.stamp.uuid("boot loader"),
        resume=disk.stamp.uuid("resume loader"),
    )
    write_bcd(system / boot_folder(plan.layout) / "BCD", store)


def _files(folder: Path) -> Sequence[str]:
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(found)
