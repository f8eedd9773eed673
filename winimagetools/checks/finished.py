"""Whether a finished image is what its configuration asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from winimagetools import log
from winimagetools.contract import Disk, Host
from winimagetools.errors import BuildError
from winimagetools.image.delivery import TYPE_FORMATS
from winimagetools.image.request import Request
from winimagetools.model import DiskFormat, ImageType
from winimagetools.plan import InstalledDriver

CLOUDBASE_INIT = (
    r"Program Files\Cloudbase Solutions\Cloudbase-Init",
    r"Program Files (x86)\Cloudbase Solutions\Cloudbase-Init",
    r"Program Files\Cloudbase Solutions\Cloudbase-Init (x86)",
)
"""Where Cloudbase-Init is; the last is a path that only the PowerShell tools know."""


VIRTIO_PROVIDERS = ("red hat", "qemu")


VIRTIO_DRIVERS = 11
"""How many drivers the PowerShell tools expect of a virtio ISO, one of which may be missing."""


def expected_format(image_type: ImageType, path: Path) -> DiskFormat:
    """The container an image of a type has; a ``.vhd`` of type HYPER-V may stay one."""
    if image_type is ImageType.HYPER_V and path.suffix.casefold() == ".vhd":
        return DiskFormat.VHD
    return TYPE_FORMATS[image_type]


def check_finished(host: Host, disk: Disk, request: Request) -> None:
    """What ``Test-OfflineWindowsImage`` looks for on the volume of a finished image.

    Raises:
        BuildError: the first thing that is missing.
    """
    tree = disk.tree
    if not any(tree.exists(path) for path in CLOUDBASE_INIT):
        raise BuildError("Cloudbase-Init is not installed in the image.")
    log.info("Cloudbase-Init is installed.")
    if request.install_maas_hooks:
        if not tree.exists("curtin"):
            raise BuildError("The curtin hooks are not in the image.")
        log.info("The curtin hooks are there.")
    drivers = request.drivers
    virtio = drivers.virtio_iso is not None or drivers.virtio_folder is not None
    if virtio or drivers.folder is not None:
        check_drivers(host.servicing.list_drivers(disk), virtio)


def check_drivers(found: Sequence[InstalledDriver], virtio: bool) -> None:
    """Compare the drivers in an image with what was asked for.

    Args:
        found: third-party drivers in the image.
        virtio: virtio drivers were asked for, not only others.

    Raises:
        BuildError: there are fewer than there should be.
    """
    ours = [
        driver
        for driver in found
        if any(name in driver.provider.casefold() for name in VIRTIO_PROVIDERS)
    ]
    log.info(f"{len(found)} drivers were added to the image, {len(ours)} of them virtio drivers.")
    needed = VIRTIO_DRIVERS - 1 + len(found) - len(ours) if virtio else 1
    if len(found) < needed:
        raise BuildError(
            f"The image has {len(found)} added drivers; at least {needed} were expected.",
            "Check virtio_iso_path and drivers_path against the Windows version.",
        )
