"""The Windows volume as a plain file: format it and check it.

NTFS tools and libwim work on a file that holds nothing but the volume.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from winimagetools.contract import RawVolume
from winimagetools.errors import BuildError
from winimagetools.formats.ntfs_times import settle_volume
from winimagetools.formats.partition_table import SECTOR
from winimagetools.run import Tool, run
from winimagetools.stamp import Stamp

MKNTFS = Tool("mkntfs", "ntfs-3g", "format the Windows volume")
NTFSINFO = Tool("ntfsinfo", "ntfs-3g", "check the Windows volume")
LABEL = "OS"
"""The volume label the PowerShell tools give."""
_FLAGS = re.compile(r"^\s*Volume Flags:\s*0x([0-9A-Fa-f]+)", re.MULTILINE)


def mkntfs_arguments(volume: Path, start: int) -> list[str | Path]:
    """Arguments of ``mkntfs`` for a volume in a plain file.

    The boot sector says where on the disk the volume begins and what geometry the disk has;
    a BIOS boot sector does not start Windows without that, and mkntfs cannot find it out for
    a file (mkntfs(8), ``-p``, ``-H``, ``-S``). It takes no time from the clock (``-T``);
    :func:`settle` gives the volume its time and number.

    Args:
        volume: file of the size of the partition.
        start: where the partition will begin on the disk, in bytes.
    """
    geometry: list[str | Path] = ["-p", str(start // SECTOR), "-H", "255", "-S", "63"]
    return ["-F", "-f", "-T", "-s", str(SECTOR), *geometry, "-c", "4096", "-L", LABEL, volume]


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


@contextmanager
def shown(path: Path, start: int, size: int) -> Iterator[RawVolume]:
    """A volume in a file, to be read only.

    Args:
        path: the file.
        start: where in it the volume begins.
        size: bytes of its partition.
    """
    with path.open("rb", buffering=0) as file:
        handle = file.fileno()
        yield RawVolume(lambda at, count: os.pread(handle, count, start + at), size)


def settle(path: Path, stamp: Stamp, offset: int = 0) -> None:
    """Make a finished volume independent of when it was written.

    Args:
        path: the file it is in; it is not mounted.
        stamp: its number, and the time nothing in it is later than.
        offset: where in the file it begins.

    Raises:
        BuildError: there is no NTFS volume.
    """
    with path.open("r+b", buffering=0) as file:
        handle = file.fileno()
        settle_volume(
            lambda at, length: os.pread(handle, length, offset + at),
            lambda at, data: os.pwrite(handle, data, offset + at),
            stamp.filetime,
            stamp.source("Windows volume")(8),
        )
