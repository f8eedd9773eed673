"""The commands that change a disk which is there already."""

from __future__ import annotations

import argparse

from winimagetools.errors import RequestError
from winimagetools.host import attached_volume
from winimagetools.image.drivers.virtio import add_virtio_drivers_from_iso
from winimagetools.model import Architecture, WindowsVersion
from winimagetools.plan import ImageInfo
from winimagetools.settings.declaration import parse_size
from winimagetools.workflows import build


def shrink(arguments: argparse.Namespace) -> int:
    """``shrink``."""
    text = arguments.free_space.strip()
    build.resize_vhd_image(arguments.disk, 0 if text == "0" else parse_size(text))
    return 0


def extend(arguments: argparse.Namespace) -> int:
    """``extend``."""
    build.extend_image(arguments.image, parse_size(arguments.size) if arguments.size else 0)
    return 0


def add_virtio_drivers(arguments: argparse.Namespace) -> int:
    """``add-virtio-drivers``."""
    info = image_info(
        arguments.image_version, arguments.image_architecture, arguments.installation_type
    )
    host, disk = attached_volume(arguments.drive)
    add_virtio_drivers_from_iso(host, disk, info, arguments.iso)
    return 0


def image_info(version: str, architecture: str, installation_type: str) -> ImageInfo:
    """What Windows a volume holds, from words of the command line.

    Raises:
        RequestError: one of them is not understood.
    """
    name = architecture.strip().casefold()
    try:
        known = Architecture.X86 if name == "i386" else Architecture(name)
    except ValueError as error:
        raise RequestError(
            f"{architecture!r} is not an architecture.", f"Use one of {', '.join(Architecture)}."
        ) from error
    try:
        return ImageInfo(WindowsVersion.parse(version), known, installation_type)
    except ValueError as error:
        raise RequestError(f"{error}.", "wim-info shows it.") from error
