"""Which clusters of an NTFS volume are in use, and making the others hold nothing."""

from __future__ import annotations

import ctypes
import errno
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from winimagetools import log
from winimagetools.errors import BuildError
from winimagetools.files.space import room_for
from winimagetools.formats import file_systems
from winimagetools.formats.images.image import Image
from winimagetools.formats.partitions import Entry
from winimagetools.host.linux.ntfs import NtfsVolume

_SAME = re.compile(rb"\x00+|\xff+|[^\x00\xff]")
_CHUNK = 4 << 20
_PUNCH_HOLE, _KEEP_SIZE = 2, 1
"""FALLOC_FL_PUNCH_HOLE and FALLOC_FL_KEEP_SIZE of linux/falloc.h."""
_NO_HOLES = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)


def runs(bitmap: bytes, count: int) -> Iterator[tuple[bool, int, int]]:
    """Stretches of clusters: whether they are used, the first one, and the first one after.

    Args:
        bitmap: a bit for each cluster, the lowest first.
        count: clusters of the volume; bits behind mean nothing.
    """
    used, begin = False, 0
    for state, first in _changes(bitmap):
        if first >= count:
            break
        if state != used:
            if first > begin:
                yield used, begin, first
            used, begin = state, first
    if count > begin:
        yield used, begin, count


def _changes(bitmap: bytes) -> Iterator[tuple[bool, int]]:
    for match in _SAME.finditer(bitmap):
        value, first = match[0][0], match.start() * 8
        if value in (0, 0xFF):
            yield value == 0xFF, first
        else:
            for bit in range(8):
                yield bool(value >> bit & 1), first + bit


def used_ranges(
    volume: NtfsVolume, read: Callable[[int, int], bytes], size: int, *, used: bool = True
) -> list[tuple[int, int]]:
    """Offsets and lengths of what is used, or what is not, of a volume.

    The boot sector behind the last cluster, and whatever else is there, counts as used.

    Args:
        volume: it, open.
        read: its bytes.
        size: bytes of the partition.
        used: which of the two.

    Raises:
        BuildError: its boot sector makes no sense.
    """
    boot = file_systems.ntfs_boot(read(0, file_systems.PROBED))
    if boot is None:
        raise BuildError(f"The boot sector of {volume.path} makes no sense.")
    count = boot.size // boot.cluster
    ranges = [
        (first * boot.cluster, (end - first) * boot.cluster)
        for state, first, end in runs(volume.bitmap(), count)
        if state is used
    ]
    behind = count * boot.cluster
    return [*ranges, (behind, size - behind)] if used and size > behind else ranges


def copy_used(image: Image, entry: Entry, ranges: list[tuple[int, int]], path: Path) -> None:
    """Make a file of the used parts of a volume; the rest of it becomes holes.

    Args:
        image: where the volume is.
        entry: its partition.
        ranges: from :func:`used_ranges`.
        path: the file to make.

    Raises:
        DiskFullError: no room for it.
    """
    total = sum(length for _, length in ranges)
    done = 0
    with (
        room_for(path),
        path.open("xb", buffering=0) as file,
        log.Progress("Copying the Windows volume", total) as progress,
    ):
        for start, length in ranges:
            for at in range(start, start + length, _CHUNK):
                count = min(_CHUNK, start + length - at)
                data = image.read(entry.start + at, count)
                if data.count(0) != len(data):
                    _write(file.fileno(), at, data)
                done += count
                progress.update(done)
        file.truncate(entry.size)


def clear_unused(path: Path, start: int, ranges: list[tuple[int, int]]) -> None:
    """Make holes of what a volume in a raw disk does not use, in place.

    Args:
        path: the disk.
        start: where the volume begins.
        ranges: offsets and lengths in the volume.
    """
    handle = os.open(path, os.O_RDWR)
    try:
        for at, length in ranges:
            clear(handle, start + at, length)
        os.fsync(handle)
    finally:
        os.close(handle)


def clear(handle: int, at: int, length: int) -> None:
    """Make a hole of a range of a file, or zeros where the file system has no holes.

    Args:
        handle: of the file.
        at: where the range begins.
        length: its bytes.

    Raises:
        OSError: as the operating system says it.
    """
    function = ctypes.CDLL(None, use_errno=True).fallocate
    function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long)
    if function(handle, _PUNCH_HOLE | _KEEP_SIZE, at, length) == 0:
        return
    code = ctypes.get_errno()
    if code not in _NO_HOLES:
        raise OSError(code, os.strerror(code))
    for place in range(at, at + length, _CHUNK):
        count = min(_CHUNK, at + length - place)
        if any(os.pread(handle, count, place)):
            _write(handle, place, bytes(count))


def _write(handle: int, at: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        done = os.pwrite(handle, view, at)
        view, at = view[done:], at + done
