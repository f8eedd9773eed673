"""The machines a build can run on, which one this is, and what it lacks."""

from __future__ import annotations

import sys
from collections.abc import Callable

from winimagetools.contract import Disk, Host
from winimagetools.errors import HostError


def _linux() -> Host:
    from winimagetools.host.linux import linux_host

    return linux_host()


def _windows() -> Host:
    from winimagetools.host.windows import windows_host

    return windows_host()


HOSTS: dict[str, Callable[[], Host]] = {"linux": _linux, "win32": _windows}
"""Hosts by ``sys.platform``."""


def select_host() -> Host:
    """The host for the machine this runs on.

    Raises:
        HostError: nobody has taught this project to work on such a machine.
    """
    make = HOSTS.get(sys.platform)
    if make is None:
        raise HostError(
            f"Images cannot be made on {sys.platform}.", "Use a Linux or a Windows machine."
        )
    return make()


def attached_volume(drive: str) -> tuple[Host, Disk]:
    r"""This machine, and a Windows volume somebody attached to it.

    Args:
        drive: ``E``, ``E:`` or ``E:\``.

    Raises:
        HostError: only Windows can service an attached volume.
        RequestError: it is not a drive letter.
    """
    if sys.platform != "win32":
        raise HostError(
            "Drivers can be added to an attached volume on Windows only.",
            "Set virtio_iso_path and make the image anew, or from a golden image.",
        )
    from winimagetools.host.windows.disks import volume

    return select_host(), volume(drive)
