"""Which container a file is, by its content, and opening it."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from winimagetools.errors import MediaError
from winimagetools.formats.images import qcow2, vhd, vhdx, vmdk
from winimagetools.formats.images.image import DifferencingDiskError, Image, RawImage
from winimagetools.formats.images.references import BEGINNING, describes_others, names_others
from winimagetools.model import DiskFormat

READERS: dict[DiskFormat, type[Image]] = {
    DiskFormat.RAW: RawImage,
    DiskFormat.QCOW2: qcow2.Qcow2Image,
    DiskFormat.VHD: vhd.VhdImage,
    DiskFormat.VHDX: vhdx.VhdxImage,
    DiskFormat.VMDK: vmdk.VmdkImage,
}
_BEGINNINGS = {
    qcow2.MAGIC: DiskFormat.QCOW2,
    vhdx.MAGIC: DiskFormat.VHDX,
    vmdk.MAGIC: DiskFormat.VMDK,
    vhd.MAGIC: DiskFormat.VHD,
}


def container_of(path: Path) -> DiskFormat:
    """Which container a file is; RAW when it is none of the others.

    Raises:
        MediaError: it is a VMDK of several files, is empty, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            beginning = file.read(BEGINNING)
            length = file.seek(0, os.SEEK_END)
            file.seek(max(length - vhd.FOOTER, 0))
            end = file.read(len(vhd.MAGIC))
    except FileNotFoundError as error:
        raise MediaError(f"The image {path} does not exist.", "Give the path of a file.") from error
    except OSError as error:
        raise MediaError(f"{path} cannot be read as a disk image: {error.strerror}.") from error
    if describes_others(beginning):
        raise MediaError(
            f"{path} describes a VMDK whose data are in other files.",
            "Make one file of it with qemu-img convert.",
        )
    if not beginning:
        raise MediaError(f"The disk image {path} is empty.", "Use another copy of it.")
    for magic, found in _BEGINNINGS.items():
        if beginning.startswith(magic):
            return found
    return DiskFormat.VHD if end == vhd.MAGIC else DiskFormat.RAW


def trusted_container(path: Path) -> DiskFormat:
    """The container a disk is read as: what it is, whatever its name says.

    Only a disk that is named as a raw one is taken at its name: a guest may have written the
    beginning of a QCOW2 into it, which names other files of this machine.

    Raises:
        MediaError: see :func:`container_of`; or it names other files, which QEMU would open, or
            Windows; or QEMU would take it for a whole disk.
    """
    if path.suffix.lower() == f".{DiskFormat.RAW.extension}":
        return DiskFormat.RAW
    found = container_of(path)
    with path.open("rb") as file:
        if names_others(file.read(BEGINNING)):
            raise MediaError(
                f"{path} has data in other files, or in no way that is known here.",
                "Make an image of its own of it with qemu-img convert, if you know who made it.",
            )
    refuse_differencing(path, found)
    return found


def refuse_differencing(path: Path, container: DiskFormat) -> None:
    """Refuse a VHD or VHDX that has a parent.

    Windows would open the parent, wherever it is. QEMU takes such a VHD for a whole disk.

    Args:
        path: disk image.
        container: what it is.

    Raises:
        DifferencingDiskError: it has one.
    """
    if container not in (DiskFormat.VHD, DiskFormat.VHDX):
        return
    try:
        READERS[container](path).close()
    except DifferencingDiskError:
        raise
    except (MediaError, OSError):
        return  # of other faults QEMU and Windows know more


def open_image(path: Path) -> Image:
    """Open a disk image of any container for reading.

    Raises:
        MediaError: it is damaged, or needs another file to be complete.
    """
    container = container_of(path)
    try:
        return READERS[container](path)
    except (struct.error, OSError) as error:
        raise MediaError(
            f"The {container} image {path} is damaged: {error}.", "Use another copy of it."
        ) from error
