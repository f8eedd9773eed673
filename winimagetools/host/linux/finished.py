"""What is done to finished disk images: copied, grown, shrunk, freed of what they do not use.

An image a user names is never opened for writing: a new one is made beside it in a private
folder, looked at, and put in its place at once. Only a RAW copy in the private folder of a
build is changed in place.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from winimagetools import log
from winimagetools.errors import BuildError, RequestError
from winimagetools.files.build_folder import BuildFolder
from winimagetools.files.space import room_for
from winimagetools.formats.images.image import Image
from winimagetools.formats.images.probe import open_image
from winimagetools.formats.partitions import table_writes
from winimagetools.host.linux.clusters import clear_unused, used_ranges
from winimagetools.host.linux.existing_disk import (
    ExistingDisk,
    check_changeable,
    look_at_partitions,
    open_existing,
    part_of,
)
from winimagetools.host.linux.ntfs import NtfsVolume
from winimagetools.host.linux.resize import (
    Apart,
    disk_size_for,
    minimum_size,
    partitions_behind,
    places_after,
    places_in,
    put_together,
    resize_volume,
    take_apart,
    take_apart_in_place,
)
from winimagetools.model import MIB, DiskFormat
from winimagetools.output.become import become, make_in_place, obstacle
from winimagetools.output.image_files import ImageFiles
from winimagetools.output.raw_disk import RawDisk, copy_disk


def refuse_unusable(path: Path, size: int) -> None:
    """Refuse a golden image before anything is done with a copy of it.

    Args:
        path: of any container; only read.
        size: bytes the disk of the new image is to have.

    Raises:
        MediaError: it holds no Windows, or one that cannot be changed or made larger.
        RequestError: its disk is larger.
    """
    with open_existing(path, read_only=True) as disk:
        check_changeable(disk.image, disk.windows)
        if _must_grow(disk.image, size):
            partitions_behind(path, disk.table, disk.windows)


def _must_grow(image: Image, size: int) -> bool:
    """Whether a disk has fewer bytes than it is to have. Raises RequestError when it has more."""
    if size >= image.size:
        return size > image.size
    raise RequestError(
        f"The golden image has a disk of {log.size(image.size)}, which is more than "
        f"disk_size, {log.size(size)}.",
        f"Set disk_size to at least {-(-image.size // MIB) * MIB}, or shrink the golden "
        "image first.",
        option="disk_size",
    )


def enlarge_disk(path: Path, size: int) -> None:
    """Give a raw disk more bytes; the backup of its GPT moves to the new end.

    Args:
        path: a private copy.
        size: bytes, rounded down to whole MiB.

    Raises:
        RequestError: the disk is larger already.
    """
    size -= size % MIB
    with open_image(path) as image:
        _must_grow(image, size)
        table, _ = look_at_partitions(image)
        writes = table_writes(table, [], size, image.read)
    os.truncate(path, size)
    _write(path, writes)


def _write(path: Path, writes: list[tuple[int, bytes]]) -> None:
    with path.open("r+b") as file:
        for at, data in writes:
            file.seek(at)
            file.write(data)


def extend_windows(disk: ExistingDisk) -> None:
    """Let the Windows partition of an open raw disk fill it; partitions behind move to its end.

    Raises:
        MediaError: they cannot be moved, see :mod:`winimagetools.host.linux.resize`.
        BuildError: the volume could not be resized.
    """
    behind = partitions_behind(disk.path, disk.table, disk.windows)
    places = places_in(disk.table, disk.windows, behind, disk.image.size)
    size = places[0][2]
    if size <= disk.windows.size:
        return
    with (
        disk.closed(),
        tempfile.TemporaryDirectory(dir=disk.path.parent, prefix=".extend-") as name,
    ):
        work = Path(name)
        total = disk.path.stat().st_size
        with open_image(disk.path) as image:
            apart = take_apart_in_place(image, disk.table, disk.windows, work)
        resize_volume(apart.volume, size)
        parts = put_together(apart, places, total, work / "around.raw")
        _joined(parts, DiskFormat.RAW, fixed=False).rename(disk.path)


def shrink_image(path: Path, free_space: int) -> None:
    """Make a disk image and its Windows volume as small as they can be.

    Args:
        path: an image of any container; it is replaced when the smaller one is complete.
        free_space: bytes to leave free on the Windows volume.

    Raises:
        MediaError: there is no Windows that can be changed, or partitions behind it that
            cannot be moved.
        BuildError: the volume cannot be made smaller; the image is as it was.
    """
    _remade(path, free_space)


def optimize_image(path: Path) -> None:
    """Take out of a disk image what its Windows volume does not use, deleted files included.

    Args:
        path: a RAW image is changed in place, of what NTFS does not use only; any other is
            replaced when the new one is complete.

    Raises:
        MediaError: there is no Windows that can be changed.
        BuildError: it failed; the image is as it was.
    """
    with open_existing(path, read_only=True) as disk:
        raw = disk.image.format is DiskFormat.RAW
    if not raw:
        _remade(path, None)
        return
    with open_existing(path, read_only=False) as disk:
        disk.volume.wipe_unused_records()
        read = part_of(disk.image.read, disk.windows)
        ranges = used_ranges(disk.volume, read, disk.windows.size, used=False)
        start = disk.windows.start
    clear_unused(path, start, ranges)


def _remade(path: Path, free_space: int | None) -> None:
    """Make the image anew in a private folder and put it in its place."""
    with BuildFolder(path) as work:
        with open_existing(path, read_only=True) as disk:
            check_changeable(disk.image, disk.windows)
            container, fixed = disk.image.format, disk.image.fixed
            old_size = disk.image.size
            apart = take_apart(disk.image, disk.table, disk.windows, work)
        with NtfsVolume(apart.volume) as volume:
            volume.wipe_unused_records()
        if free_space is None:
            parts = put_together(apart, [], old_size, work / "around.raw")
        else:
            parts = _make_smaller(apart, free_space, old_size, work / "around.raw")
        finished = _joined(parts, container, fixed=fixed)
        _check(finished)
        ImageFiles().publish(finished, path)


def _make_smaller(apart: Apart, free_space: int, old_size: int, around: Path) -> RawDisk:
    least = minimum_size(apart.volume) + free_space
    size = -(-least // MIB) * MIB
    if size >= apart.windows.size:
        log.info("The Windows volume is as small as it can be.")
        return put_together(apart, [], old_size, around)
    resize_volume(apart.volume, size)
    places = places_after(apart, size)
    size = min(disk_size_for(apart.table, places), old_size)
    return put_together(apart, places, size, around)


def _joined(parts: RawDisk, container: DiskFormat, *, fixed: bool) -> Path:
    """One file of a disk in two, in its container: without a copy where that works."""
    raw = parts.main.with_name("disk.raw")
    made = raw.with_suffix(f".{container.extension}")
    with log.step(f"Write the {container} image"), room_for(made):
        aligned = parts.start % MIB == 0 and parts.length % MIB == 0
        in_place = aligned and not obstacle(container, compress=False, fixed=fixed)
        if in_place and make_in_place(parts, made, container, checksum=False) is not None:
            return made
        copy_disk(parts, raw)
        if container is not DiskFormat.RAW:
            become(raw, made, container, fixed=fixed)
    return made


def _check(path: Path) -> None:
    """Refuse an image that is not as sound as the old one was. Raises BuildError."""
    with open_existing(path, read_only=True) as disk:
        facts = disk.facts()
    if facts.table_problems or not facts.volume.clean:
        raise BuildError(
            f"The new image is not sound: {' '.join(facts.table_problems) or 'NTFS is not clean.'}",
            "The old one is unchanged.",
        )
