"""OpenStack Glance, with the properties Nova makes the machine by.

Names and values are those of "Useful image properties" (OpenStack Glance) and of Nova's guides
on Secure Boot and emulated TPM.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from winimagetools.errors import RequestError
from winimagetools.model import Architecture, DiskFormat
from winimagetools.net.glance import NewImage, upload
from winimagetools.output.publish.target import (
    Parameter,
    PublishedImage,
    Target,
    need_container,
    shell,
)

_ARCHITECTURES = {
    Architecture.AMD64: "x86_64",
    Architecture.X86: "i686",
    Architecture.ARM64: "aarch64",
}
_HYPERVISORS = {
    DiskFormat.VHD: "hyperv",
    DiskFormat.VHDX: "hyperv",
    DiskFormat.VMDK: "vmware",
}
_SECURE = ("required", "optional", "disabled")


def _commands(image: PublishedImage, values: Mapping[str, str]) -> list[str]:
    new = _new_image(image, values)
    cloud = ("--os-cloud", values["cloud"]) if values["cloud"] else ()
    words = ["openstack", *cloud, "image", "create", "--file", str(new.path)]
    words += ["--disk-format", new.disk_format, "--container-format", "bare"]
    words += ["--min-disk", str(new.min_disk), "--min-ram", str(new.min_ram)]
    for name, value in new.properties.items():
        words += ["--property", f"{name}={value}"]
    return [shell(*words, new.name)]


def _run(image: PublishedImage, values: Mapping[str, str]) -> list[str]:
    return [upload(_new_image(image, values), values["cloud"])]


def _new_image(image: PublishedImage, values: Mapping[str, str]) -> NewImage:
    need_container(image, "Glance", *DiskFormat)
    return NewImage(
        name=values["name"] or image.name,
        path=image.path,
        disk_format=image.container.extension,
        min_disk=image.gigabytes,
        min_ram=image.memory,
        properties=dict(_properties(image, values["secure_boot"])),
        sha256=image.sha256,
    )


def _properties(image: PublishedImage, secure: str) -> Iterator[tuple[str, str]]:
    yield "os_type", "windows"
    yield "os_distro", "windows"
    yield "os_version", f"{image.version.major}.{image.version.minor}"
    yield "architecture", _ARCHITECTURES.get(image.architecture, image.architecture.value)
    hypervisor = _HYPERVISORS.get(image.container, "qemu")
    yield "hypervisor_type", hypervisor
    yield "hw_firmware_type", "uefi" if image.uefi else "bios"
    if hypervisor == "hyperv":
        yield "hw_machine_type", "hyperv-gen2" if image.uefi else "hyperv-gen1"
    if hypervisor == "qemu":
        yield from _of_qemu(image)
    yield from _secure_boot(image, secure)


def _of_qemu(image: PublishedImage) -> Iterator[tuple[str, str]]:
    if image.uefi and image.architecture is not Architecture.ARM64:
        yield "hw_machine_type", "q35"
        yield "hw_cdrom_bus", "sata"
    bus = image.disk_bus
    yield "hw_disk_bus", "ide" if bus == "sata" and not image.uefi else bus
    if bus == "scsi":
        yield "hw_scsi_model", "virtio-scsi"
    yield "hw_vif_model", image.network
    if image.agent:
        yield "hw_qemu_guest_agent", "yes"
        yield "os_require_quiesce", "yes"


def _secure_boot(image: PublishedImage, secure: str) -> Iterator[tuple[str, str]]:
    if secure and secure not in _SECURE:
        raise RequestError(
            f"{secure!r} is nothing that os_secure_boot takes.", f"Use {', '.join(_SECURE)}."
        )
    if secure in ("required", "optional") and not image.uefi:
        raise RequestError(
            f"{image.path} starts with BIOS, which has no Secure Boot.",
            "Build it with disk_layout = UEFI.",
        )
    wanted = secure or ("required" if image.wants_tpm and image.uefi else "")
    if wanted:
        yield "os_secure_boot", wanted
    if image.wants_tpm and image.uefi:
        yield "hw_tpm_version", "2.0"
        yield "hw_tpm_model", "tpm-crb"


TARGET = Target(
    "glance",
    "OpenStack Glance",
    (
        Parameter("name", "name of the image", ""),
        Parameter("cloud", "its name in clouds.yaml (OS_CLOUD)", ""),
        Parameter("secure_boot", "required, optional or disabled (required for Windows 11)", ""),
    ),
    _commands,
    _run,
)
