"""A finished disk image becomes another container: in place where that works, else by qemu-img."""

from __future__ import annotations

from pathlib import Path

from winimagetools import log
from winimagetools.files.space import room_for
from winimagetools.model import DiskFormat
from winimagetools.output import in_place
from winimagetools.output.convert import convert


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
    reason = _obstacle(source, disk_format, compress=compress, fixed=fixed)
    if not reason:
        made = _in_place(source, destination, disk_format, checksum=checksum)
        if made is not None:
            return made
        reason = f"the file system of {source.parent} moves and shares no ranges of files"
    log.info(f"{disk_format} is written by qemu-img: {reason}.")
    convert(source, destination, disk_format, compress, fixed=fixed)
    source.unlink()
    return ""


def _obstacle(source: Path, disk_format: DiskFormat, *, compress: bool, fixed: bool) -> str:
    """Why data cannot stay where it is; empty when it can."""
    if source.suffix != f".{DiskFormat.RAW.extension}":
        return f"{source.name} is not a raw image"
    if compress and disk_format is DiskFormat.QCOW2:
        return "it is compressed"
    if disk_format is DiskFormat.VHD and not fixed:
        return "a dynamic VHD has its data between its tables"
    return "" if disk_format is not DiskFormat.RAW else "it is raw already"


def _in_place(
    source: Path, destination: Path, disk_format: DiskFormat, *, checksum: bool
) -> str | None:
    """Make the container without moving data; None where the file system cannot do that."""
    with source.open("rb", buffering=0) as file:
        layout = in_place.plan(file, disk_format, destination.name)
        way = in_place.way_for(source, layout)
        if way is None:
            return None
        found = ""
        if checksum:
            with log.Progress("Computing the checksum", layout.size) as progress:
                found = in_place.digest(layout, file, progress.update)
    with room_for(destination):
        way.make(source, destination, layout)
    source.unlink(missing_ok=True)
    log.info(f"{disk_format} was made in place: {way.description}.")
    return found
