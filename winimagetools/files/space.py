"""No room left on a file system: how much there is, what "full" looks like, how it is told."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from winimagetools import log
from winimagetools.errors import CommandError, DiskFullError, Problem

_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_FULL_TEXTS = ("no space left on device", "disk quota exceeded", "not enough space on the disk")


def free_bytes(path: Path) -> int:
    """Bytes an ordinary user can still write to the file system of ``path``.

    Args:
        path: a file or folder; it need not exist yet, then the nearest folder above counts.
    """
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    return shutil.disk_usage(existing).free


def build_bytes(volume: int, *, copied: int = 0, converted: bool = False) -> int:
    """Bytes a build needs at its fullest moment, as far as they are known beforehand.

    A WIM copied out of an ISO lies beside the volume until that is written; then the disk
    lies beside what it is converted to. What is compressed is as large as it gets, so that
    is not counted.

    Args:
        volume: bytes of the files on the Windows volume; holes of a disk take no room.
        copied: bytes of the WIM that has to be copied out of an ISO.
        converted: the disk is converted to another container that is not compressed.
    """
    return volume + max(copied, volume if converted else 0)


def space_problem(folder: Path, needed: int, free: int | None = None) -> Problem | None:
    """The problem of a folder with too little room for a build; None when there is enough.

    Args:
        folder: where the image is made.
        needed: bytes, from :func:`build_bytes`.
        free: bytes there are; asked for by default.
    """
    free = free_bytes(folder) if free is None else free
    if free >= needed:
        return None
    return Problem(
        f"The build needs about {log.size(needed)} in {folder}, which has only "
        f"{log.size(free)} left.",
        "Free some space there, or let image_path name a folder on another file system.",
        host=True,
    )


def is_disk_full(error: OSError | CommandError) -> bool:
    """Whether this is "no space left" of this process or of a program it ran."""
    if isinstance(error, OSError):
        return error.errno in _FULL
    return any(text in error.output.lower() for text in _FULL_TEXTS)


@contextmanager
def room_for(path: Path) -> Iterator[None]:
    """Turn "no space left" while ``path`` is written into a DiskFullError that names it.

    So is a file larger than the file system allows: 4 GiB on FAT, 16 TiB on ext4.
    """
    try:
        yield
    except (OSError, CommandError) as error:
        if isinstance(error, OSError) and error.errno == errno.EFBIG:
            raise DiskFullError(
                f"The file system of {path.parent} does not allow a file as large as {path.name}.",
                "Let image_path name a folder on another one, or make disk_size smaller.",
            ) from error
        if not is_disk_full(error):
            raise
        raise DiskFullError(
            f"There is no room left in {path.parent} for {path.name}.",
            "Free some space there; image_path says where an image is made, disk_size how large "
            "its disk is.",
        ) from error
