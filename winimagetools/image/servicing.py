"""What is added to an image after it was applied: drivers, features, packages."""

from __future__ import annotations

from winimagetools.contract import Disk, Host
from winimagetools.formats import iso
from winimagetools.guest import answer_file
from winimagetools.guest.layout import UNATTEND
from winimagetools.image.drivers import plan as drivers
from winimagetools.image.drivers import virtio
from winimagetools.image.request import Request, split_list
from winimagetools.model import WimImage, WindowsVersion
from winimagetools.plan import ImageInfo, RegistryEdit, RegistryValue

POWERSHELL_FEATURES = (
    "NetFx2-ServerCore",
    "MicrosoftWindowsPowerShell",
    "NetFx2-ServerCore-WOW64",
    "MicrosoftWindowsPowerShell-WOW64",
)
"""What turns on PowerShell in a Server Core installation of 2008 R2."""


def add_to_image(host: Host, disk: Disk, request: Request, image: WimImage) -> None:
    """Everything ``New-WindowsCloudImage`` adds after applying the image, in its order.

    Other drivers come before the virtio drivers here and after them in
    ``New-WindowsFromGoldenImage``.
    """
    config = request.config
    info = ImageInfo.of(image)
    enable_powershell(host, disk, image)
    add_other_drivers(host, disk, request, info)
    add_virtio_drivers(host, disk, request, info)
    edits = first_boot_registry_edits(image.version)
    if edits:
        host.servicing.edit_registry(disk, edits)
    if config.extra_features:
        host.servicing.enable_features(disk, split_list(config.extra_features))
    for package in request.packages:
        host.servicing.add_package(disk, package, config.extra_packages_ignore_errors)
    if config.extra_capabilities:
        host.servicing.add_capabilities(disk, split_list(config.extra_capabilities))
    if config.clean_updates_offline:
        host.servicing.clean_updates(disk, config.purge_updates)


def check_drivers(host: Host, request: Request, image: WimImage) -> None:
    """Refuse drivers that do not fit the image before anything slow is done.

    Raises:
        MediaError: nothing fits, or Windows could not start with it.
    """
    info = ImageInfo.of(image)
    if request.drivers is not None:
        drivers.plan_drivers(iso.FolderTree(request.drivers), info)
    for source_path in (request.virtio_iso, request.virtio_folder):
        if source_path is not None:
            with host.media.read_source(source_path) as source:
                virtio.plan_virtio_drivers(source, info)


def enable_powershell(host: Host, disk: Disk, image: WimImage) -> None:
    """Turn PowerShell on where it is off by default: Server Core before 2012.

    A host without DISM leaves it to the guest, which then has to do it before its scripts.

    Port of ``Check-EnablePowerShellInImage``.
    """
    if image.version >= WindowsVersion(6, 2) or image.installation_type != "Server Core":
        return
    host.servicing.enable_features(disk, POWERSHELL_FEATURES)
    if host.servicing.stages_drivers:
        answers = answer_file.turn_on_powershell(disk.tree.read_bytes(UNATTEND))
        disk.tree.write_bytes(UNATTEND, answers)


def add_other_drivers(host: Host, disk: Disk, request: Request, info: ImageInfo) -> None:
    """Add what ``drivers_path`` names."""
    if request.drivers is not None:
        plan = drivers.plan_drivers(iso.FolderTree(request.drivers), info)
        drivers.add_drivers(host, disk, plan)


def add_virtio_drivers(
    host: Host, disk: Disk, request: Request, info: ImageInfo, *, folder: bool = True
) -> None:
    """Add what ``virtio_iso_path`` and, with ``folder``, ``virtio_base_path`` name."""
    if request.virtio_iso is not None:
        virtio.add_virtio_drivers_from_iso(host, disk, info, request.virtio_iso)
    if folder and request.virtio_folder is not None:
        virtio.add_virtio_drivers(host, disk, info, iso.FolderTree(request.virtio_folder))


_ENCRYPTS_ITSELF = WindowsVersion(10, 0, 26100)


def first_boot_registry_edits(version: WindowsVersion) -> tuple[RegistryEdit, ...]:
    """The edits for a Windows version; none for most.

    Windows 11 24H2 and Server 2025 (build 26100) turn on device encryption by themselves at
    the first start, and sysprep then refuses to generalize. ``PreventDeviceEncryption`` is
    Microsoft's documented way to prevent that ("BitLocker overview: device encryption").
    """
    if version < _ENCRYPTS_ITSELF:
        return ()
    value = RegistryValue("PreventDeviceEncryption", "REG_DWORD", 1)
    return (RegistryEdit("SYSTEM", r"CurrentControlSet\Control\BitLocker", (value,)),)
