"""libvirt: a machine around a disk where it lies (``virt-install(1)``)."""

from __future__ import annotations

from collections.abc import Mapping

from winimagetools.model import DiskFormat
from winimagetools.output.publish.target import (
    Parameter,
    PublishedImage,
    Target,
    need_container,
    shell,
)

_IDS = {"2012": "win2k12", "2016": "win2k16", "2019": "win2k19", "2022": "win2k22"}
"""Those of osinfo-db, which has servers as 2k and clients as they are called."""


def _commands(image: PublishedImage, values: Mapping[str, str]) -> list[str]:
    need_container(image, "libvirt", DiskFormat.QCOW2, DiskFormat.RAW)
    known = _IDS.get(image.release) if image.server else f"win{image.release.lower()}"
    words = ["virt-install", "--import", "--name", values["name"] or image.name]
    words += ["--osinfo", f"name={known},require=off" if known else "detect=off,require=off"]
    words += ["--memory", str(image.memory), "--vcpus", "2"]
    format_ = image.container.qemu_name
    words += ["--disk", f"path={_escaped(image.path)},format={format_},bus={image.disk_bus}"]
    if image.disk_bus == "scsi":
        words += ["--controller", "type=scsi,model=virtio-scsi"]
    words += ["--network", f"network={values['network']},model={image.network}"]
    if image.uefi:
        words += ["--boot", "uefi"]
    if image.wants_tpm:
        words += ["--tpm", "model=tpm-crb,backend.type=emulator,backend.version=2.0"]
    if image.agent:
        words += ["--channel", "unix,target.type=virtio,target.name=org.qemu.guest_agent.0"]
    return [shell(*words)]


def _escaped(path: object) -> str:
    """A path in an option of virt-install, where a comma begins the next part."""
    return str(path).replace(",", ",,")


TARGET = Target(
    "libvirt",
    "libvirt",
    (
        Parameter("network", "network of libvirt", "default"),
        Parameter("name", "name of the machine", ""),
    ),
    _commands,
)
