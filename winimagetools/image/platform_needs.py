"""What an image lacks for the platform it is for: warnings, since another machine may do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from winimagetools.model import ImageType
from winimagetools.plan import DiskBus, DriverPlan, ImageInfo

_VIRTIO_BLOCK = ("PCI\\VEN_1AF4&DEV_1001", "PCI\\VEN_1AF4&DEV_1042")
_VIRTIO_SCSI = ("PCI\\VEN_1AF4&DEV_1004", "PCI\\VEN_1AF4&DEV_1048")
_VIRTIO_NET = ("PCI\\VEN_1AF4&DEV_1000", "PCI\\VEN_1AF4&DEV_1041")
"""Transitional and modern devices (VIRTIO 1.x, "PCI Device Discovery")."""


def missing_storage_driver(image_type: ImageType, plans: Iterable[DriverPlan]) -> str:
    """What to say of a KVM image without any driver for virtio disks; empty for nothing.

    Not for golden images: they may have their drivers already.

    Args:
        image_type: the platform.
        plans: all drivers that are added.
    """
    wanted = (*_VIRTIO_BLOCK, *_VIRTIO_SCSI)
    if image_type is not ImageType.KVM or _drives_any(plans, wanted):
        return ""
    return (
        "No virtio storage driver is added: on KVM this image starts from an emulated disk (SATA "
        "or IDE) only. Set virtio_iso_path to the virtio-win ISO."
    )


def missing_network_driver(
    image: ImageInfo, image_type: ImageType, plans: Iterable[DriverPlan]
) -> str:
    """What to say of a client without a driver for the network device it will meet.

    A client that finds no network at its first start may stay at the page that wants one.
    Only KVM is told: its usual device needs a driver that Windows does not bring, while
    VMware (e1000e) and Hyper-V give clients one that it does, and what MAAS deploys to is not
    known. Not for golden images: they may have their drivers already.

    Args:
        image: the edition.
        image_type: the platform.
        plans: all drivers that are added.

    Returns:
        A sentence, empty for nothing.
    """
    if image.is_server or image_type is not ImageType.KVM or _drives_any(plans, _VIRTIO_NET):
        return ""
    return (
        "No virtio network driver is added: on a virtio network device this client edition has no "
        "network at its first start and may wait for one forever. Set virtio_iso_path to the "
        "virtio-win ISO, or give the machine an e1000e network device."
    )


def missing_hooks(image_type: ImageType, *, has_hooks: bool) -> str:
    """What to say of a MAAS image without curtin hooks; empty for nothing.

    Args:
        image_type: the platform.
        has_hooks: whether the hooks are put into the image.
    """
    if image_type is not ImageType.MAAS or has_hooks:
        return ""
    return (
        "The image has no curtin hooks: MAAS cannot configure the Windows it deploys from it. Set "
        "install_maas_hooks = True."
    )


def machine_devices(plans: Iterable[DriverPlan]) -> tuple[DiskBus, bool]:
    """The devices of a virtual machine that starts an image with these drivers.

    A driver for its disk has to start with Windows; the network may come later.

    Returns:
        How the disk is attached, and whether the network device is a virtio device.
    """
    plans = tuple(plans)
    critical = tuple(
        replace(plan, packages=tuple(item for item in plan.packages if item.boot_critical))
        for plan in plans
    )
    bus = DiskBus.SATA
    if _drives_any(critical, _VIRTIO_BLOCK):
        bus = DiskBus.VIRTIO_BLOCK
    elif _drives_any(critical, _VIRTIO_SCSI):
        bus = DiskBus.VIRTIO_SCSI
    return bus, _drives_any(plans, _VIRTIO_NET)


def _drives_any(plans: Iterable[DriverPlan], ids: tuple[str, ...]) -> bool:
    """Whether a package is for one of the devices, whatever subsystem or revision it names."""
    return any(
        device.upper() == wanted or device.upper().startswith(f"{wanted}&")
        for plan in plans
        for package in plan.packages
        for device in package.devices
        for wanted in ids
    )
