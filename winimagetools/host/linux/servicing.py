r"""The installed image on a disk that is built on Linux: apply, registry, drivers in it.

Applying only opens an image below the staged tree; :mod:`winimagetools.host.linux.apply` writes
it in one pass when the disk is finished. Registry edits are made in the staged hives. What DISM
does on Windows is left to the guest: the plan says what, and puts it into the image.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from winimagetools import log
from winimagetools.contract import Disk, InstallMedia
from winimagetools.errors import BuildError, MediaError
from winimagetools.formats.inf.syntax import parse_inf
from winimagetools.host.linux import libwim
from winimagetools.host.linux.disk import LinuxDisk, WimSource
from winimagetools.host.linux.hive_edit import apply_edits
from winimagetools.host.linux.media import LinuxInstallMedia
from winimagetools.host.linux.room import check_room
from winimagetools.host.linux.wimlib import Wim, WimLayer
from winimagetools.model import WimImage
from winimagetools.plan import InstalledDriver, RegistryEdit

_PUBLISHED = re.compile(r"oem\d+\.inf", re.IGNORECASE)
"""What Windows calls INF files that did not come with it."""


class LinuxServicing:
    """The ``Servicing`` of a Linux host."""

    def check_version(self, image: WimImage) -> None:
        """Log which libwim unpacks the image; every version of it knows every Windows.

        Raises:
            ToolMissingError: libwim is not installed.
        """
        version = libwim.load().version
        log.info(f"{image.name} ({image.version}) will be unpacked by libwim {version}")

    def apply_image(self, disk: Disk, media: InstallMedia, image: WimImage) -> None:
        """Put an image below the staged tree and remember it for the one pass.

        Raises:
            ToolMissingError: libwim is not installed.
            MediaError: the WIM cannot be used.
            RequestError: the image does not fit on the disk.
            BuildError: the disk was not made here.
        """
        if not isinstance(disk, LinuxDisk):
            raise BuildError(f"{disk.path} was not made here; no image can be applied to it.")
        path = media.wim_file(disk.path.parent)
        disk.tree.attach(WimLayer(Wim(path), image.index))
        inside = media.inside if isinstance(media, LinuxInstallMedia) else None
        disk.source = WimSource(path, image.index, image.name, inside, image.disk_bytes)
        check_room(disk)

    def edit_registry(self, disk: Disk, edits: Sequence[RegistryEdit]) -> None:
        r"""Apply edits to the hives below ``Windows\System32\config``.

        Raises:
            FileNotFoundError: the image has no such hive.
            MediaError: a hive is damaged or was not closed cleanly.
        """
        for hive in dict.fromkeys(edit.hive for edit in edits):
            with disk.tree.edit(rf"Windows\System32\config\{hive}") as path:
                apply_edits(path, [edit for edit in edits if edit.hive == hive])

    def list_drivers(self, disk: Disk) -> Sequence[InstalledDriver]:
        r"""Third-party drivers of the image: what is in ``Windows\INF`` as ``oem*.inf``."""
        return [
            InstalledDriver(name, _provider(disk.tree.read_bytes(rf"Windows\INF\{name}"), name))
            for name in disk.tree.list_dir(r"Windows\INF")
            if _PUBLISHED.fullmatch(name)
        ]


def _provider(data: bytes, name: str) -> str:
    """The ``Provider`` an INF file names; empty when it cannot be read."""
    try:
        return parse_inf(data, name).value("Version", "Provider")
    except MediaError as error:
        log.warning(str(error))
        return ""
