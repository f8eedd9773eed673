"""What the same processor architecture is called by everybody we take files from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from winimagetools.errors import RequestError
from winimagetools.model import Architecture


@dataclass(frozen=True)
class ArchitectureNames:
    """The names of one architecture; empty where nothing is published for it.

    Args:
        unattend: ``processorArchitecture`` of an answer file.
        virtio: folder below ``<driver>/<os>`` of a virtio-win ISO.
        cloudbase_init: ending of the Cloudbase-Init installer's name.
        guest_agent: architecture part of ``qemu-ga-<name>.msi`` on a virtio-win ISO, the
            spelling since 0.1.164 (2019) first, then others that were or may be used.
        guest_agent_url: the same in the default download.
        zapfree: the program to take from the ntfszapfree archive. ARM64 Windows runs the
            32-bit one by emulation.
    """

    unattend: str
    virtio: str = ""
    cloudbase_init: str = ""
    guest_agent: tuple[str, ...] = ()
    guest_agent_url: str = ""
    zapfree: str = ""


NAMES: Mapping[Architecture, ArchitectureNames] = {
    Architecture.AMD64: ArchitectureNames(
        unattend="amd64",
        virtio="amd64",
        cloudbase_init="x64",
        guest_agent=("x86_64", "x64"),
        guest_agent_url="x64",
        zapfree="zapfree.exe",
    ),
    Architecture.X86: ArchitectureNames(
        unattend="x86",
        virtio="x86",
        cloudbase_init="x86",
        guest_agent=("i386", "x86"),
        guest_agent_url="x86",
        zapfree="zapfree32.exe",
    ),
    Architecture.ARM64: ArchitectureNames(
        unattend="arm64", virtio="ARM64", guest_agent=("aarch64", "arm64"), zapfree="zapfree32.exe"
    ),
    Architecture.ARM: ArchitectureNames(unattend="arm"),
    Architecture.IA64: ArchitectureNames(unattend="ia64"),
}


def require(name: str, architecture: Architecture, what: str, hint: str) -> str:
    """``name``, unless it is empty because ``what`` is not published for ``architecture``.

    Raises:
        RequestError: it is empty.
    """
    if not name:
        raise RequestError(f"There is no {what} for {architecture} Windows.", hint)
    return name
