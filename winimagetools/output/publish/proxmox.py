"""Proxmox VE: a template of a new machine with the disk imported (``qm(1)``)."""

from __future__ import annotations

from collections.abc import Mapping

from winimagetools.errors import RequestError
from winimagetools.model import DiskFormat
from winimagetools.output.publish.target import (
    Parameter,
    PublishedImage,
    Target,
    need_container,
    shell,
)

_OS_TYPES = {"7": "win7", "8": "win8", "8.1": "win8", "10": "win10", "11": "win11"}
_SERVERS = {"2016": "win10", "2019": "win10", "2022": "win11", "2025": "win11"}


def _commands(image: PublishedImage, values: Mapping[str, str]) -> list[str]:
    need_container(image, "Proxmox VE", DiskFormat.QCOW2, DiskFormat.RAW, DiskFormat.VMDK)
    if "," in str(image.path):
        raise RequestError(
            f"qm cannot import {image.path}: a comma ends an option of it.",
            "Rename the image or its folder.",
        )
    number, storage = values["vmid"], values["storage"]
    kinds = _SERVERS if image.server else _OS_TYPES
    words = ["qm", "create", number, "--name", values["name"] or image.name]
    words += ["--ostype", kinds.get(image.release, "win8"), "--memory", str(image.memory)]
    words += ["--cores", "2", "--net0", f"{image.network},bridge={values['bridge']}"]
    if image.uefi:
        words += ["--bios", "ovmf", "--machine", "q35"]
        words += ["--efidisk0", f"{storage}:1,efitype=4m,pre-enrolled-keys=1"]
    if image.wants_tpm:
        words += ["--tpmstate0", f"{storage}:1,version=v2.0"]
    if image.disk_bus == "scsi":
        words += ["--scsihw", "virtio-scsi-single"]
    if image.agent:
        words += ["--agent", "enabled=1"]
    disk = f"{image.disk_bus}0"
    words += [f"--{disk}", f"{storage}:0,import-from={image.path},discard=on"]
    return [shell(*words, "--boot", f"order={disk}"), shell("qm", "template", number)]


TARGET = Target(
    "proxmox",
    "Proxmox VE",
    (
        Parameter("vmid", "number of the new machine"),
        Parameter("storage", "storage of its disks", "local-lvm"),
        Parameter("bridge", "network bridge", "vmbr0"),
        Parameter("name", "name of the machine", ""),
    ),
    _commands,
)
