"""What is done to finished disk images: copied, grown, shrunk, freed of what they do not use.

An image a user names is never opened for writing: a new one is made beside it in a private
folder, looked at, and put in its place at once. Only a RAW copy in the private folder of a
build is changed in place.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from winimagetools import log
from winimagetools.errors import BuildError, RequestError
from winimagetools.files.build_folder import BuildFolder
from winimagetools.files.space import room_for
from winimagetools.formats.images.image import Image
from winimagetools.formats.images.probe import open_image
from winimagetools.formats.partition_table import size_problem
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
from winimagetools.output.convert import QEMU_IMG
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
    _remade(path, partial(_make_smaller, free_space=free_space))


def extend_image(path: Path, size: int) -> None:
    """Let the Windows partition of a disk image, and its volume, reach the end of the disk.

    Partitions behind it move to the end by the rule of :mod:`winimagetools.host.linux.resize`.

    Args:
        path: an image of any container; it is replaced when the larger one is complete.
        size: bytes the disk is to have; 0 for those it has.

    Raises:
        MediaError: there is no Windows that can be changed, or partitions behind it that
            cannot be moved.
        RequestError: the disk is larger already, or would be too large for its table.
        BuildError: the volume cannot be made larger; the image is as it was.
    """
    # The private folder also when nothing is to do: it empties what a killed run has left.
    with BuildFolder(path), open_existing(path, read_only=True) as disk:
        total = size - size % MIB if size else disk.image.size
        _check_growth(disk, total)
        if _is_filled(disk, total):
            log.info("The Windows volume fills its disk already.")
            return
    _remade(path, partial(_make_larger, total=total))


def _check_growth(disk: ExistingDisk, total: int) -> None:
    check_changeable(disk.image, disk.windows)
    partitions_behind(disk.path, disk.table, disk.windows)
    if total < disk.image.size:
        raise RequestError(
            f"The disk of {disk.path} has {log.size(disk.image.size)} already.",
            f"Give a size of more than {disk.image.size} bytes, or none.",
        )
    problem = size_problem(total, disk.layout)
    if problem is not None:
        raise RequestError(problem.message, problem.hint)


def _is_filled(disk: ExistingDisk, total: int) -> bool:
    """Whether nothing would change, the backup of the GPT included."""
    facts = disk.facts()
    spare = facts.volume.partition_size - facts.volume.size
    behind = partitions_behind(disk.path, disk.table, disk.windows)
    larger = places_in(disk.table, disk.windows, behind, total)[0][2]
    return larger <= disk.windows.size and spare <= facts.sector and not facts.table_problems


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
        _remade(path, _keep_size)
        return
    with open_existing(path, read_only=False) as disk:
        disk.volume.wipe_unused_records()
        read = part_of(disk.image.read, disk.windows)
        ranges = used_ranges(disk.volume, read, disk.windows.size, used=False)
        start = disk.windows.start
    clear_unused(path, start, ranges)


def _remade(path: Path, change: Callable[[Apart, int, Path], RawDisk]) -> None:
    """Make the image anew in a private folder and put it in its place.

    Args:
        path: the image.
        change: gets the pieces, the bytes the disk had, and the file for what is around Windows.
    """
    with BuildFolder(path) as work:
        with open_existing(path, read_only=True) as disk:
            check_changeable(disk.image, disk.windows)
            container, fixed = disk.image.format, disk.image.fixed
            if obstacle(container, compress=False, fixed=fixed):
                QEMU_IMG.find()  # which is used last
            old_size = disk.image.size
            apart = take_apart(disk.image, disk.table, disk.windows, work)
        with NtfsVolume(apart.volume) as volume:
            volume.wipe_unused_records()
        parts = change(apart, old_size, work / "around.raw")
        finished = _joined(parts, container, fixed=fixed)
        _check(finished)
        ImageFiles().publish(finished, path)


def _keep_size(apart: Apart, old_size: int, around: Path) -> RawDisk:
    return put_together(apart, [], old_size, around)


def _make_larger(apart: Apart, _old_size: int, around: Path, total: int) -> RawDisk:
    behind = [entry for entry, _ in apart.behind]
    places = places_in(apart.table, apart.windows, behind, total)
    size = max(places[0][2], apart.windows.size)
    resize_volume(apart.volume, size)
    return put_together(
        apart, [(apart.windows, apart.windows.start, size), *places[1:]], total, around
    )


def _make_smaller(apart: Apart, old_size: int, around: Path, free_space: int) -> RawDisk:
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
