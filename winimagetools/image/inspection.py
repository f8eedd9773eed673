"""Looking at a Windows that is already installed on a disk: what it is, and whether it is done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from winimagetools import log
from winimagetools.errors import BuildError, MediaError
from winimagetools.host.base import Disk, Host, ImageInfo, InstalledDriver, WindowsTree
from winimagetools.image.output import TYPE_FORMATS
from winimagetools.image.request import Request
from winimagetools.model import DiskFormat, ImageType
from winimagetools.pe import read_pe

NTDLL = r"Windows\System32\ntdll.dll"

CLOUDBASE_INIT = (
    r"Program Files\Cloudbase Solutions\Cloudbase-Init",
    r"Program Files (x86)\Cloudbase Solutions\Cloudbase-Init",
    r"Program Files\Cloudbase Solutions\Cloudbase-Init (x86)",
)
"""Where Cloudbase-Init is; the last is a path that only the reference knows."""

VIRTIO_PROVIDERS = ("red hat", "qemu")
VIRTIO_DRIVERS = 11
"""How many drivers the reference expects of a virtio ISO, one of which may be missing."""


def get_image_information(tree: WindowsTree, image_name: str) -> ImageInfo:
    """What Windows is on a volume.

    The version and the architecture come from ``ntdll.dll`` itself; the reference took the
    architecture from the name of a link target. Port of ``Get-ImageInformation``.

    Args:
        tree: the Windows volume.
        image_name: ``image_name``; tells server from client, and Core.

    Raises:
        MediaError: there is no Windows, or its ntdll.dll cannot be read.
    """
    try:
        program = read_pe(tree.read_bytes(NTDLL))
    except FileNotFoundError:
        raise MediaError(
            f"There is no \\{NTDLL} on the disk, so it holds no Windows.",
            "Give a disk that Windows was installed on.",
        ) from None
    if program is None or program.architecture is None or program.version is None:
        raise MediaError(
            f"\\{NTDLL} does not tell the version of Windows and its architecture.",
            "The file is damaged; give a disk whose Windows starts.",
        )
    return ImageInfo(program.version, program.architecture, installation_type(image_name))


def installation_type(image_name: str) -> str:
    """``Client``, ``Server`` or ``Server Core`` from the name of an edition."""
    name = image_name.casefold()
    if "server" not in name:
        return "Client"
    return "Server Core" if name.endswith("core") else "Server"


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
    if request.config.install_maas_hooks:
        if not tree.exists("curtin"):
            raise BuildError("The curtin hooks are not in the image.")
        log.info("The curtin hooks are there.")
    virtio = request.virtio_iso is not None or request.virtio_folder is not None
    if virtio or request.drivers is not None:
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
