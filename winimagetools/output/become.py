"""A finished disk image becomes another container: in place where that works, else by qemu-img."""

from __future__ import annotations

from pathlib import Path

from winimagetools import log
from winimagetools.files.space import room_for
from winimagetools.model import DiskFormat
from winimagetools.output import in_place
from winimagetools.output.convert import convert
from winimagetools.output.in_place import works_in
from winimagetools.output.raw_disk import RawDisk


def become(
    source: Path,
    destination: Path,
    disk_format: DiskFormat,
    *,
    compress: bool = False,
    fixed: bool = False,
    checksum: bool = False,
) -> str:
    """Turn a disk image into another container and say which way was taken.

    Args:
        source: the image; it is gone afterwards, and of no use after a failure.
        destination: the container to make, in the same folder.
        disk_format: container to make.
        compress: compress the clusters of a QCOW2.
        fixed: make a VHD with all of its disk in it.
        checksum: compute the SHA-256 while the data is at hand.

    Returns:
        The SHA-256 in hexadecimal; empty when it was not asked for, or was not at hand.

    Raises:
        DiskFullError: no room for the destination.
        BuildError: the container cannot hold such a disk.
        CommandError: qemu-img failed.
    """
    reason = obstacle(disk_format, compress=compress, fixed=fixed)
    if source.suffix != f".{DiskFormat.RAW.extension}":
        reason = f"{source.name} is not a raw image"
    if not reason:
        made = make_in_place(RawDisk.of(source), destination, disk_format, checksum=checksum)
        if made is not None:
            return made
        reason = f"the file system of {source.parent} moves and shares no ranges of files"
    log.info(f"{disk_format} is written by qemu-img: {reason}.")
    convert(source, destination, disk_format, compress, fixed=fixed)
    source.unlink()
    return ""


def obstacle(disk_format: DiskFormat, *, compress: bool, fixed: bool) -> str:
    """Why the data of a raw disk cannot stay where it is in a container; empty when it can."""
    if compress and disk_format is DiskFormat.QCOW2:
        return "it is compressed"
    if disk_format is DiskFormat.VHD and not fixed:
        return "a dynamic VHD has its data between its tables"
    return ""


def stays_in_place(folder: Path, disk_format: DiskFormat, *, compress: bool, fixed: bool) -> bool:
    """Whether a raw disk becomes a container without a second copy of its data.

    Args:
        folder: where it is made.
        disk_format: container to make.
        compress: compress the clusters of a QCOW2.
        fixed: make a fixed VHD.
    """
    return not obstacle(disk_format, compress=compress, fixed=fixed) and works_in(folder)


def make_in_place(
    disk: RawDisk, destination: Path, disk_format: DiskFormat, *, checksum: bool
) -> str | None:
    """Make a container of a raw disk without moving its data.

    Args:
        disk: the disk; its files are gone afterwards, and of no use after a failure.
        destination: the container to make, in the same folder.
        disk_format: container to make; VHD means a fixed one.
        checksum: compute the SHA-256 while the data is at hand.

    Returns:
        The SHA-256 in hexadecimal, empty when it was not asked for; None where the file system
        cannot do it: then nothing was changed.

    Raises:
        DiskFullError: no room for what is added.
        BuildError: the container cannot hold such a disk.
    """
    layout = in_place.plan(disk, disk_format, destination.name)
    way = in_place.way_for(disk, layout)
    if way is None:
        return None
    found = ""
    if checksum:
        with log.Progress("Computing the checksum", layout.size) as progress:
            found = in_place.digest(layout, disk, progress.update)
    with room_for(destination):
        way.make(disk, destination, layout)
    for used in filter(None, (disk.main, disk.rest)):
        used.unlink(missing_ok=True)
    if disk_format is not DiskFormat.RAW:
        log.info(f"{disk_format} was made in place: {way.description}.")
    return found
