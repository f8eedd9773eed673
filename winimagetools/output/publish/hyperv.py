"""Hyper-V: a machine around a disk where it lies, as PowerShell to run on its host."""

from __future__ import annotations

import re
from collections.abc import Mapping

from winimagetools.errors import RequestError
from winimagetools.model import MIB, DiskFormat
from winimagetools.output.publish.target import (
    Parameter,
    PublishedImage,
    Target,
    need_container,
)


def _commands(image: PublishedImage, values: Mapping[str, str]) -> list[str]:
    need_container(image, "Hyper-V", DiskFormat.VHDX, DiskFormat.VHD)
    if image.uefi and image.container is DiskFormat.VHD:
        raise RequestError(
            f"{image.path} is a VHD that starts with UEFI; generation 2 takes VHDX only.",
            "Build it with virtual_disk_format = VHDX.",
        )
    name = _quoted(values["name"] or image.name)
    memory = image.memory * MIB
    disk = _quoted(values["path"] or str(image.path))
    lines = [
        f"New-VM -Name {name} -Generation {2 if image.uefi else 1} -MemoryStartupBytes {memory} "
        f"-VHDPath {disk} -SwitchName {_quoted(values['switch'])}"
    ]
    if image.wants_tpm and image.uefi:
        lines += [
            f"Set-VMKeyProtector -VMName {name} -NewLocalKeyProtector",
            f"Enable-VMTPM -VMName {name}",
        ]
    return [*lines, f"Start-VM -Name {name}"]


def _quoted(text: str) -> str:
    """A literal of PowerShell, which takes typographic quotes for quotes too.

    Source: ``CharExtensions.IsSingleQuote`` of PowerShell.
    """
    return "'" + re.sub("(['\u2018\u2019\u201a\u201b])", r"\1\1", text) + "'"


TARGET = Target(
    "hyperv",
    "Hyper-V",
    (
        Parameter("switch", "virtual switch of the machine"),
        Parameter("path", "where the image lies on the host of Hyper-V", ""),
        Parameter("name", "name of the machine", ""),
    ),
    _commands,
)
