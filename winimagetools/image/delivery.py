"""Which container an image comes out in, how it is wrapped, and what it is called on the way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from winimagetools.errors import Problem, RequestError
from winimagetools.model import ApplyEngine, DiskFormat, ImageType
from winimagetools.paths import without_extension
from winimagetools.plan import Delivery

COMPRESSIONS = ("tar", "gz", "zip")
"""The layers ``compression_format`` may name, in any order, joined by dots."""

VHD_SUBFORMATS = ("dynamic", "fixed")
"""What ``vhd_subformat`` may say; the words of ``qemu-img``."""

TYPE_FORMATS = {
    ImageType.MAAS: DiskFormat.RAW,
    ImageType.KVM: DiskFormat.QCOW2,
    ImageType.VMWARE: DiskFormat.VMDK,
    ImageType.HYPER_V: DiskFormat.VHDX,
}
"""The container each platform wants, as in the PowerShell tools' online and golden workflows."""

_KVM = "Write image_type = KVM: that is what {} runs."
_OPENSTACK = (
    "Write image_type = KVM, or HYPER-V or VMware when that is what its compute nodes run; MAAS "
    "is for bare metal."
)
_FORMAT = "It is a disk format: write it as virtual_disk_format and the platform as image_type."
_MEANT = {
    "openstack": _OPENSTACK,
    "nova": _OPENSTACK,
    "glance": _OPENSTACK,
    "cloudstack": _OPENSTACK.replace("; MAAS is for bare metal", ""),
    **{
        word: _KVM.format(name)
        for word, name in (
            ("kubevirt", "KubeVirt"),
            ("harvester", "Harvester"),
            ("openshift", "OpenShift Virtualization"),
            ("proxmox", "Proxmox VE"),
            ("proxmoxve", "Proxmox VE"),
            ("pve", "Proxmox VE"),
            ("qemu", "QEMU"),
            ("qemukvm", "QEMU"),
            ("libvirt", "libvirt"),
            ("ovirt", "oVirt"),
            ("rhv", "Red Hat Virtualization"),
            ("nutanix", "Nutanix AHV"),
            ("ahv", "Nutanix AHV"),
        )
    },
    **dict.fromkeys(("esx", "esxi", "vsphere", "vcenter", "workstation"), "Write VMware."),
    **dict.fromkeys(
        ("azure", "azurestack", "azurelocal", "scvmm"),
        "Write image_type = HYPER-V, and virtual_disk_format = VHD for Azure.",
    ),
    **dict.fromkeys(("baremetal", "curtin", "ironic"), "Write image_type = MAAS."),
    **{word.value.casefold(): _FORMAT for word in DiskFormat},
}
"""What people write for ``image_type``, letters and digits only, and what they mean."""


def parse_image_type(text: str) -> ImageType:
    """``image_type`` in any letter case, with or without what separates its words.

    The PowerShell tools compare the option with the names they know and build something
    for any other word too: ``HYPERV`` gave what ``HYPER-V`` gives.

    Args:
        text: the option.

    Raises:
        RequestError: there is no such type; a platform, product or disk format that was
            meant is answered with the type to write for it.
    """
    wanted = _letters(text)
    for image_type in ImageType:
        if _letters(image_type.value) == wanted:
            return image_type
    message = f"{text!r} is not an image type."
    if meant := _MEANT.get(wanted):
        raise RequestError(message, meant, "image_type")
    raise RequestError(message, f"Choose one of {', '.join(ImageType)}.", "image_type")


def image_type_warning(text: str) -> Problem | None:
    """What to say when ``image_type`` is spelled in another way than its name, in any case."""
    meant = next((found for found in ImageType if _letters(found.value) == _letters(text)), None)
    if meant is None or text.strip().casefold() == meant.value.casefold():
        return None
    return Problem(
        f"{text!r} is taken for {meant.value}.",
        f"Write image_type = {meant.value}.",
        "DEFAULT",
        "image_type",
    )


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def parse_disk_format(text: str) -> DiskFormat:
    """``virtual_disk_format`` in any letter case. Raises RequestError naming the formats."""
    for disk_format in DiskFormat:
        if disk_format.value == text.strip().upper():
            return disk_format
    raise RequestError(f"{text!r} is not a disk format.", f"Choose one of {', '.join(DiskFormat)}.")


def parse_compression(text: str) -> tuple[str, ...]:
    """``compression_format``: layers joined by dots, ``tar.gz``.

    Raises:
        RequestError: a layer that does not exist.
    """
    layers = tuple(part.strip().casefold() for part in text.split(".") if part.strip())
    unknown = [layer for layer in layers if layer not in COMPRESSIONS]
    if unknown:
        raise RequestError(
            f"{unknown[0]!r} is not a compression format.",
            f"Join any of {', '.join(COMPRESSIONS)} with dots, such as tar.gz.",
        )
    return layers


def parse_vhd_subformat(text: str) -> bool:
    """``vhd_subformat`` in any letter case: whether a VHD is a fixed one.

    Raises:
        RequestError: it is neither ``dynamic`` nor ``fixed``.
    """
    wanted = text.strip().casefold()
    if wanted not in VHD_SUBFORMATS:
        raise RequestError(
            f"{text!r} is not a kind of VHD.", f"Choose one of {', '.join(VHD_SUBFORMATS)}."
        )
    return wanted == "fixed"


def parse_apply_engine(text: str) -> ApplyEngine:
    """``apply_engine`` in any letter case.

    Raises:
        RequestError: there is no such engine.
    """
    try:
        return ApplyEngine(text.strip().casefold())
    except ValueError:
        raise RequestError(
            f"{text!r} is no engine that applies images.",
            f"Choose one of {', '.join(ApplyEngine)}.",
        ) from None


def choose_disk_format(
    image_type: ImageType, wanted: DiskFormat, explicit: bool, *, by_type: bool
) -> DiskFormat:
    """The container an image comes out in.

    A format that was asked for wins over the one the image type implies. In the online and
    golden workflows (``by_type``) the VHDX that ``New-WindowsImageConfig`` writes into every
    file does not count as asked for: the PowerShell tools ignored the option there, and files
    made for them have that default beside ``image_type = KVM``.

    Args:
        image_type: the platform.
        wanted: ``virtual_disk_format``.
        explicit: whether the option was set rather than left to its default.
        by_type: online and golden workflows.
    """
    if explicit and not (by_type and wanted is DiskFormat.VHDX):
        return wanted
    return TYPE_FORMATS[image_type]


def plan_delivery(
    path: Path,
    disk_format: DiskFormat,
    compression: tuple[str, ...] = (),
    *,
    compress_qcow2: bool = False,
    password: str = "",
    fixed_vhd: bool = False,
    apply_engine: ApplyEngine = ApplyEngine.AUTO,
) -> Delivery:
    """Put together how an image is delivered; options that do not apply are dropped."""
    return Delivery(
        path=path,
        disk_format=disk_format,
        compression=compression,
        stem=without_extension(path, 3).name,
        compress_qcow2=compress_qcow2 and disk_format is DiskFormat.QCOW2,
        password=password if "zip" in compression else "",
        fixed_vhd=fixed_vhd and disk_format is DiskFormat.VHD,
        apply_engine=apply_engine,
    )


def with_checksum(delivery: Delivery, asked: bool | None) -> Delivery:
    """Decide whether the SHA-256 of the result is computed.

    A raw image and a fixed VHD are mostly holes, and hashing those takes longer than making the
    image, so for one that is not wrapped it has to be asked for.

    Args:
        delivery: what is delivered.
        asked: whether the checksum is wanted; None where nobody said.
    """
    holes = delivery.disk_format is DiskFormat.RAW or delivery.fixed_vhd
    usual = not holes or bool(delivery.compression)
    return replace(delivery, checksum=usual if asked is None else asked)
