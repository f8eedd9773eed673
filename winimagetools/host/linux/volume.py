"""The Windows volume as a plain file: format it, check it, and make a disk of it.

NTFS tools and libwim work on a file that holds nothing but the volume. A disk needs room in
front of it; the file system inserts that without moving data where it can (ext4, XFS).
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
from pathlib import Path

from winimagetools import log
from winimagetools.errors import BuildError
from winimagetools.files.copy import copy_file
from winimagetools.formats.partition_table import SECTOR
from winimagetools.run import Tool, run

MKNTFS = Tool("mkntfs", "ntfs-3g", "format the Windows volume")
NTFSINFO = Tool("ntfsinfo", "ntfs-3g", "check the Windows volume")
LABEL = "OS"
"""The volume label the PowerShell tools give."""
_FLAGS = re.compile(r"^\s*Volume Flags:\s*0x([0-9A-Fa-f]+)", re.MULTILINE)
_INSERT_RANGE = 0x20
"""FALLOC_FL_INSERT_RANGE of linux/falloc.h; Linux 4.1 and later."""
_CANNOT_INSERT = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)
"""No such operation here, or not with the block size of this file system: copy instead."""


def mkntfs_arguments(volume: Path, start: int) -> list[str | Path]:
    """Arguments of ``mkntfs`` for a volume in a plain file.

    The boot sector says where on the disk the volume begins and what geometry the disk has;
    a BIOS boot sector does not start Windows without that, and mkntfs cannot find it out for
    a file (mkntfs(8), ``-p``, ``-H``, ``-S``).

    Args:
        volume: file of the size of the partition.
        start: where the partition will begin on the disk, in bytes.
    """
    geometry: list[str | Path] = ["-p", str(start // SECTOR), "-H", "255", "-S", "63"]
    return ["-F", "-f", "-s", str(SECTOR), *geometry, "-c", "4096", "-L", LABEL, volume]


def format_volume(volume: Path, start: int, size: int) -> None:
    """Make a file with an empty NTFS volume in it.

    Args:
        volume: the file to make.
        start: where the partition will begin on the disk, in bytes.
        size: bytes of the partition.
    """
    with volume.open("xb") as file:
        file.truncate(size)
    run(MKNTFS, mkntfs_arguments(volume, start))


def check_clean(volume: Path) -> None:
    """Refuse a volume that Windows would want to repair at its first start.

    Raises:
        BuildError: its dirty flag, or another flag that asks for work, is set.
    """
    found = _FLAGS.search(run(NTFSINFO, ["-f", "-m", volume]))
    if found is None or int(found[1], 16) != 0:
        raise BuildError(
            f"The Windows volume {volume.name} was not left clean.",
            "Run the build again; if that happens twice, the image or the disk is damaged.",
        )


def put_room_in_front(volume: Path, disk: Path, room: int) -> None:
    """Make a disk of a volume: the same content, ``room`` bytes further on.

    Args:
        volume: the file; it is gone afterwards.
        disk: the file to make, on the same file system.
        room: bytes that read as zeros in front of the volume, whole MiB.
    """
    try:
        _insert_range(volume, room)
    except OSError as error:
        if error.errno not in _CANNOT_INSERT:
            raise
    else:
        volume.rename(disk)
        return
    with log.Progress("Copying the Windows volume", volume.stat().st_size) as progress:
        copy_file(volume, disk, offset=room, on_progress=progress.update)
    volume.unlink()


def _insert_range(path: Path, length: int) -> None:
    """Let ``path`` begin with a hole of ``length`` bytes (fallocate(2)); Python has no call."""
    function = ctypes.CDLL(None, use_errno=True).fallocate
    function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long)
    with path.open("r+b") as file:
        if function(file.fileno(), _INSERT_RANGE, 0, length) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(path))
