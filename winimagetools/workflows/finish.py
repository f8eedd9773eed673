"""What is done to a disk that is complete: made small, put into its container, wrapped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from winimagetools import log
from winimagetools.contract import Host
from winimagetools.image.request import Request
from winimagetools.image.wrapped import layers_of
from winimagetools.model import MIB, DiskFormat
from winimagetools.output.convert import container_to_read
from winimagetools.plan import Delivery, DiskFile
from winimagetools.stamp import Stamp

FREE_SPACE = 500 * MIB
"""Bytes left spare when a disk is shrunk, as in the PowerShell tools."""
_UNWRAPPED = "unwrapped"
"""In the folder of a build: where an archive is unwrapped, whatever its file is called."""


def copy_disk(host: Host, source: Path, folder: Path, delivery: Delivery) -> Path:
    """A copy of a disk in the container this host works in, under the name of an image."""
    copied = folder / delivery.disk_name(host.work_format)
    with log.step(f"Copy {source.name}"):
        if container_to_read(source) is host.work_format:
            host.disks.copy(source, copied)
        else:
            host.files.convert(source, copied, host.work_format, False)
    return copied


def take_golden(
    host: Host, request: Request, folder: Path, password: str
) -> tuple[Path, DiskFormat]:
    """A disk of one's own of a golden image, which stays as it is.

    What is in a wrapped one goes straight into the folder and becomes the disk: no second copy
    of it is made, unless this host cannot change its container.

    Args:
        host: the machine to work on.
        request: names the golden image, the image, and its size.
        folder: private folder of the build.
        password: of a zip archive.

    Returns:
        The disk, named like the image, and its container.

    Raises:
        MediaError: the archive is damaged, the password is wrong, or what is in it is of no use.
        DiskFullError: no room for it.
    """
    layers = layers_of(request.golden)
    with log.step(f"{'Unwrap' if layers else 'Copy'} {request.golden.name}"):
        source = request.golden
        if layers:
            source = _unwrap(host, request, folder, password)
        container = container_to_read(source)
        made_as = container if host.disks.changes(container) else host.work_format
        disk = folder / request.delivery.disk_name(made_as)
        if made_as is not container:
            host.files.convert(source, disk, made_as, False)
        elif layers:
            source.replace(disk)
        else:
            host.disks.copy(source, disk)
        if layers:
            host.files.remove(source)
        host.disks.resize(disk, request.disk_size)
    return disk, made_as


def _unwrap(host: Host, request: Request, folder: Path, password: str) -> Path:
    """What is in an archive, which shows only now whether it can be used."""
    unwrapped = folder / _UNWRAPPED
    unwrapped.mkdir()
    source = host.files.decompress(request.golden, unwrapped, layers_of(request.golden), password)
    host.disks.refuse_unusable(source, request.whole_disk_size)
    return source


def make_small(host: Host, disk: Path, *, shrink: bool) -> None:
    """Make a finished disk as small as the host can."""
    with log.step("Make the disk small"):
        if shrink:
            host.disks.shrink(disk, FREE_SPACE)
        host.disks.optimize(disk)


def package(host: Host, disk: DiskFile, delivery: Delivery, stamp: Stamp | None = None) -> DiskFile:
    """Convert and wrap the disk; the result still lies in the private folder of the build."""
    image = disk.path.with_name(delivery.disk_name(delivery.disk_format))
    if disk.converted or (image != disk.path and not disk.wrapped):
        with log.step(f"Convert to {delivery.disk_format}"):
            _convert(host, disk, image, delivery, stamp)
    if not delivery.compression:
        return replace(disk, path=image)
    with log.step(f"Compress as {'.'.join(delivery.compression)}"):
        if disk.wrapped:
            log.info("the disk was written straight into the archive")
            return disk
        image = host.files.compress(
            image,
            delivery.compression,
            delivery.password,
            checksum=delivery.checksum,
            stamp=stamp,
        )
    return DiskFile(image)


def _convert(
    host: Host, disk: DiskFile, image: Path, delivery: Delivery, stamp: Stamp | None
) -> None:
    """Make the container, unless it was made when the disk was finished."""
    if disk.converted:
        log.info("it was made when the disk was written")
        return
    host.files.become(
        disk.path,
        image,
        delivery.disk_format,
        compress=delivery.compress_qcow2,
        fixed=delivery.fixed_vhd,
        checksum=delivery.checksum and not delivery.compression,
        stamp=stamp,
    )
