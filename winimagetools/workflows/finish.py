"""What is done to a disk that is complete: made small, put into its container, wrapped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from winimagetools import log
from winimagetools.contract import Host
from winimagetools.model import MIB
from winimagetools.output.convert import container_to_read
from winimagetools.plan import Delivery, DiskFile
from winimagetools.stamp import Stamp

FREE_SPACE = 500 * MIB
"""Bytes left spare when a disk is shrunk, as in the PowerShell tools."""


def copy_disk(host: Host, source: Path, folder: Path, delivery: Delivery) -> Path:
    """A copy of a disk in the container this host works in, under the name of an image."""
    copied = folder / delivery.disk_name(host.work_format)
    with log.step(f"Copy {source.name}"):
        if container_to_read(source) is host.work_format:
            host.disks.copy(source, copied)
        else:
            host.files.convert(source, copied, host.work_format, False)
    return copied


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
