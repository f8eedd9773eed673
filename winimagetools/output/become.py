"""A finished disk image becomes another container: in place where that works, else by qemu-img."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from winimagetools import log
from winimagetools.files.copy import copy_file
from winimagetools.files.hash import Sha256Beside
from winimagetools.files.space import room_for
from winimagetools.formats.containers.layout import Layout
from winimagetools.model import DiskFormat
from winimagetools.output import in_place, pack
from winimagetools.output.convert import convert, restamp_vhd
from winimagetools.output.foretold import Foretold
from winimagetools.output.in_place import works_in
from winimagetools.output.raw_disk import RawDisk
from winimagetools.plan import Delivery, DiskFile
from winimagetools.stamp import Stamp


def become(
    source: Path,
    destination: Path,
    disk_format: DiskFormat,
    *,
    compress: bool = False,
    fixed: bool = False,
    checksum: bool = False,
    stamp: Stamp | None = None,
) -> str:
    """Turn a disk image into another container and say which way was taken.

    Args:
        source: the image; it is gone afterwards, and of no use after a failure.
        destination: the container to make, in the same folder.
        disk_format: container to make.
        compress: compress the clusters of a QCOW2.
        fixed: make a VHD with all of its disk in it.
        checksum: compute the SHA-256 while the data is at hand.
        stamp: identifiers and times of the container; None for new ones.

    Returns:
        The SHA-256 in hexadecimal; empty when it was not asked for, or was not at hand.

    Raises:
        DiskFullError: no room for the destination.
        BuildError: the container cannot hold such a disk.
        CommandError: qemu-img failed.
    """
    stamp = stamp or Stamp.fresh()
    reason = obstacle(disk_format, compress=compress, fixed=fixed)
    if source.suffix != f".{DiskFormat.RAW.extension}":
        reason = f"{source.name} is not a raw image"
    if not reason:
        disk = RawDisk.of(source)
        made = make_in_place(disk, destination, disk_format, checksum=checksum, stamp=stamp)
        if made is None:
            return make_copy(disk, destination, disk_format, stamp, checksum=checksum)
        return made
    _convert(source, destination, disk_format, reason, stamp, compress=compress, fixed=fixed)
    source.unlink()
    return ""


def make_beside(
    source: Path,
    destination: Path,
    disk_format: DiskFormat,
    *,
    compress: bool = False,
    fixed: bool = False,
    checksum: bool = False,
    stamp: Stamp | None = None,
) -> str:
    """Make a container of a raw disk, which stays, with the same bytes as :func:`become`.

    Its data is read once and written once, or shared where the file system can do that.

    Args:
        source: the raw disk.
        destination: the container to make, which may lie elsewhere.
        disk_format: container to make; RAW for a copy.
        compress: compress the clusters of a QCOW2.
        fixed: make a VHD with all of its disk in it.
        checksum: compute the SHA-256 while the data is at hand.
        stamp: identifiers and times of the container; None for new ones.

    Returns:
        The SHA-256 in hexadecimal; empty when it was not asked for, or was not at hand.

    Raises:
        DiskFullError: no room for the destination.
        BuildError: the container cannot hold such a disk.
        CommandError: qemu-img failed.
    """
    stamp = stamp or Stamp.fresh()
    if reason := obstacle(disk_format, compress=compress, fixed=fixed):
        _convert(
            source, destination, disk_format, reason, compress=compress, fixed=fixed, stamp=stamp
        )
        return ""
    if in_place.shares_in(destination.parent):
        copied = destination.with_name(f".{destination.name}.{DiskFormat.RAW.extension}")
        with room_for(destination):
            copy_file(source, copied)
        if disk_format is DiskFormat.RAW:
            copied.rename(destination)
            return ""
        return become(copied, destination, disk_format, fixed=fixed, checksum=checksum, stamp=stamp)
    disk = RawDisk.of(source)
    layout = in_place.plan(disk, disk_format, destination.name, stamp)
    return _write(layout, disk, destination, checksum=checksum)


def _write(layout: Layout, disk: RawDisk, destination: Path, *, checksum: bool) -> str:
    with (
        log.Progress(f"Writing {destination.name}", layout.size) as progress,
        room_for(destination),
    ):
        return in_place.copy(layout, disk, destination, progress.update, checksum=checksum)


def _convert(
    source: Path,
    destination: Path,
    disk_format: DiskFormat,
    reason: str,
    stamp: Stamp,
    *,
    compress: bool,
    fixed: bool,
) -> None:
    log.info(f"{disk_format} is written by qemu-img: {reason}.")
    convert(source, destination, disk_format, compress, fixed=fixed)
    if disk_format is DiskFormat.VHD:
        restamp_vhd(destination, stamp.uuid("container"), stamp.time)


def make_copy(
    disk: RawDisk,
    destination: Path,
    disk_format: DiskFormat,
    stamp: Stamp,
    foretold: Foretold | None = None,
    *,
    checksum: bool = False,
) -> str:
    """Make a container of a raw disk by copying its data, with the same bytes as in place.

    Args:
        disk: the disk; its files are gone afterwards.
        destination: the container to make.
        disk_format: its kind; VHD means a fixed one.
        stamp: its identifiers and times.
        foretold: a checksum, which counts where it is that of the container to make.
        checksum: compute the SHA-256 otherwise.

    Returns:
        The SHA-256 in hexadecimal; empty when it is not at hand.

    Raises:
        DiskFullError: no room for it.
        BuildError: the container cannot hold such a disk.
    """
    folder = disk.main.parent
    log.info(f"{disk_format} is copied: the file system of {folder} moves no ranges of files.")
    layout = in_place.plan(disk, disk_format, destination.name, stamp)
    found = foretold.sha256_of(layout) if foretold is not None else ""
    made = _write(layout, disk, destination, checksum=checksum and not found)
    _remove(disk)
    return found or made


def obstacle(disk_format: DiskFormat, *, compress: bool, fixed: bool) -> str:
    """Why the data of a raw disk cannot stay where it is in a container; empty when it can."""
    if compress and disk_format is DiskFormat.QCOW2:
        return "it is compressed"
    if disk_format is DiskFormat.VHD and not fixed:
        return "a dynamic VHD has its data between its tables"
    return ""


def takes_qemu_img(made_as: DiskFormat, delivery: Delivery) -> bool:
    """Whether qemu-img makes the container of a delivery, on any file system.

    Args:
        made_as: container the disk has before.
        delivery: what it becomes.
    """
    if delivery.disk_format is made_as:
        return False
    fixed, compress = delivery.fixed_vhd, delivery.compress_qcow2
    reason = obstacle(delivery.disk_format, compress=compress, fixed=fixed)
    return made_as is not DiskFormat.RAW or bool(reason)


def stays_in_place(folder: Path, disk_format: DiskFormat, *, compress: bool, fixed: bool) -> bool:
    """Whether a raw disk becomes a container without a second copy of its data.

    Args:
        folder: where it is made.
        disk_format: container to make.
        compress: compress the clusters of a QCOW2.
        fixed: make a fixed VHD.
    """
    return not obstacle(disk_format, compress=compress, fixed=fixed) and works_in(folder)


def wrap_at_once(disk: RawDisk, folder: Path, delivery: Delivery, stamp: Stamp) -> DiskFile | None:
    """Write the archive of a container that is never made itself.

    Args:
        disk: the raw disk; its files are gone afterwards.
        folder: where the archive goes.
        delivery: what is wanted.
        stamp: identifiers and times in it.

    Returns:
        The archive; None where it takes several passes, or qemu-img: then nothing was done.

    Raises:
        DiskFullError: no room for the archive.
        BuildError: the container cannot hold such a disk.
    """
    disk_format, formats = delivery.disk_format, delivery.compression
    cannot = obstacle(disk_format, compress=delivery.compress_qcow2, fixed=delivery.fixed_vhd)
    if cannot or len(pack.stages(formats)) != 1:
        return None
    log.add_secret(delivery.password)
    name = delivery.disk_name(disk_format)
    layout = in_place.plan(disk, disk_format, name, stamp)
    content = pack.Content(name, layout.size, stamp.time, in_place.content(layout, disk))
    digest = Sha256Beside() if delivery.checksum else None
    with log.Progress(f"Compressing {name}", layout.size) as progress, digest or nullcontext():
        made = pack.pack_content(
            content, folder, formats, delivery.password, progress.update, digest
        )
    _remove(disk)
    found = digest.hexdigest() if digest else ""
    return DiskFile(made, found, converted=disk_format is not DiskFormat.RAW, wrapped=True)


def _remove(disk: RawDisk) -> None:
    for used in filter(None, (disk.main, disk.rest)):
        used.unlink(missing_ok=True)


def make_in_place(
    disk: RawDisk,
    destination: Path,
    disk_format: DiskFormat,
    *,
    checksum: bool,
    stamp: Stamp | None = None,
    foretold: Foretold | None = None,
) -> str | None:
    """Make a container of a raw disk without moving its data.

    Args:
        disk: the disk; its files are gone afterwards, and of no use after a failure.
        destination: the container to make, in the same folder.
        disk_format: container to make; VHD means a fixed one.
        checksum: compute the SHA-256 while the data is at hand.
        stamp: identifiers and times of the container; None for new ones.
        foretold: a checksum, which counts where it is that of the container to make.

    Returns:
        The SHA-256 in hexadecimal, empty when it was not asked for; None where the file system
        cannot do it: then nothing was changed.

    Raises:
        DiskFullError: no room for what is added.
        BuildError: the container cannot hold such a disk.
    """
    layout = in_place.plan(disk, disk_format, destination.name, stamp or Stamp.fresh())
    way = in_place.way_for(disk, layout)
    if way is None:
        return None
    found = foretold.sha256_of(layout) if checksum and foretold is not None else ""
    if checksum and not found:
        with log.Progress("Computing the checksum", layout.size) as progress:
            found = in_place.digest(layout, disk, progress.update)
    with room_for(destination):
        way.make(disk, destination, layout)
    _remove(disk)
    if disk_format is not DiskFormat.RAW:
        log.info(f"{disk_format} was made in place: {way.description}.")
    return found
