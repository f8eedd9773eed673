"""The EFI system partition, written with mtools into its place inside the raw disk."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from winimagetools.errors import BuildError, MediaError
from winimagetools.files.times import set_times
from winimagetools.formats.fat32 import Fat32
from winimagetools.formats.partition_table import SECTOR, Partition
from winimagetools.run import Tool, run
from winimagetools.stamp import Stamp

MFORMAT = Tool("mformat", "mtools", "format the EFI system partition")
MMD = Tool("mmd", "mtools", "make the folders of the EFI system partition")
MCOPY = Tool("mcopy", "mtools", "put the boot files on the EFI system partition")
LABEL = "SYSTEM"
_SETTINGS = {
    "MTOOLSRC": os.devnull,
    "HOME": os.devnull,
    "MTOOLS_SKIP_CHECK": "1",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
}
"""Keep ~/.mtoolsrc of the user out of it, and let names be more than ASCII."""
_RESERVED_SECTORS = 32
_FAT_ENTRY = 4
_DIRECTORY_ENTRY = 32
_NAME_PER_ENTRY = 13


def mformat_arguments(disk: Path, partition: Partition, serial: int) -> list[str]:
    """Arguments of ``mformat``, run in the folder of the disk.

    FAT32 with the size, place and geometry of the partition.

    Args:
        disk: the raw disk.
        partition: the EFI system partition.
        serial: number of the volume.
    """
    geometry = ["-T", str(partition.size // SECTOR), "-h", "255", "-s", "63"]
    place = [
        "-H",
        str(partition.start // SECTOR),
        "-c",
        "1",
        "-v",
        LABEL,
        "-N",
        f"{serial:08x}",
        "::",
    ]
    return ["-i", _image(disk, partition), "-F", *geometry, *place]


def mmd_arguments(disk: Path, partition: Partition, folders: Sequence[str]) -> list[str]:
    """Arguments of ``mmd``, run in the folder of the disk, that make folders, parents first."""
    return ["-i", _image(disk, partition), *(f"::/{name}" for name in folders)]


def mcopy_arguments(
    disk: Path, partition: Partition, files: Sequence[Path], folder: str
) -> list[str]:
    """Arguments of ``mcopy``, run in the folder of the disk, that fill a folder.

    ``-m`` keeps times, ``-Q`` stops at the first error, ``-o`` never asks. The batch mode ``-b``
    fails on a partition of this size (mtools 4.0.32). Folders are not copied whole (``-s``): what
    is in them would come in the order in which this machine lists it.
    """
    names = [str(file.absolute()) for file in files]
    return ["-i", _image(disk, partition), "-m", "-Q", "-o", *names, f"::/{folder}"]


def write_esp(disk: Path, partition: Partition, content: Path, stamp: Stamp) -> None:
    """Format the EFI system partition, fill it, and read it back.

    Args:
        disk: the raw disk.
        partition: the EFI system partition.
        content: folder whose content goes to the root of the partition; its files and folders
            get the time of ``stamp``.
        stamp: number and times of the volume.

    Raises:
        BuildError: the content does not fit, or is not there afterwards.
    """
    needed, there = needed_sectors(content), capacity_sectors(partition.size)
    if needed > there:
        raise BuildError(
            f"The boot files need {needed * SECTOR} bytes; the EFI system partition of "
            f"{disk.name} has room for {there * SECTOR}.",
            "Look for large files below Windows/Boot/EFI of the image.",
        )
    settings = {**_SETTINGS, "SOURCE_DATE_EPOCH": str(stamp.time)}
    serial = int.from_bytes(stamp.source("EFI system partition")(4), "little")
    arguments = mformat_arguments(disk, partition, serial)
    run(MFORMAT, arguments, env=settings, cwd=disk.parent)
    set_times(content, stamp.time)
    below = sorted(path for path in content.rglob("*") if path.is_dir())
    folders = [path.relative_to(content).as_posix() for path in below]
    if folders:
        run(MMD, mmd_arguments(disk, partition, folders), env=settings, cwd=disk.parent)
    for folder in ("", *folders):
        files = sorted(path for path in (content / folder).iterdir() if path.is_file())
        if files:
            arguments = mcopy_arguments(disk, partition, files, folder)
            run(MCOPY, arguments, env=settings, cwd=disk.parent)
    check_esp(disk, partition, content)


def check_esp(disk: Path, partition: Partition, content: Path) -> None:
    """Compare every byte of every file on the EFI system partition with what it should be.

    Args:
        disk: the raw disk.
        partition: the EFI system partition.
        content: folder whose content must be in the root of the partition, and nothing else.

    Raises:
        BuildError: naming the first difference.
    """
    with disk.open("rb") as file:

        def read(offset: int, count: int) -> bytes:
            file.seek(partition.start + offset)
            return file.read(min(count, max(partition.size - offset, 0)))

        try:
            difference = _difference(Fat32(read), partition, content)
        except MediaError as error:
            difference = error.message
    if difference:
        raise BuildError(
            f"The EFI system partition of {disk.name} was not written as it should be. "
            f"{difference}",
            "The image would not start. Install mtools again: apt install --reinstall mtools",
        )


def _difference(volume: Fat32, partition: Partition, content: Path) -> str:
    """What is not as planned, as a sentence; empty when all is."""
    place = (partition.start // SECTOR, partition.size // SECTOR)
    if (volume.boot.hidden, volume.boot.total) != place:
        return "It does not say where on the disk it is, or how large."
    found = {entry.path: entry for entry in volume.entries()}
    wanted = {path.relative_to(content).as_posix(): path for path in content.rglob("*")}
    for name in sorted(found.keys() | wanted.keys()):
        if name not in found:
            return f"{name} is missing."
        if name not in wanted:
            return f"{name} does not belong there."
        entry, path = found[name], wanted[name]
        if entry.is_dir != path.is_dir():
            return f"{name} is a {'folder' if entry.is_dir else 'file'}."
        if not entry.is_dir and volume.content(entry) != path.read_bytes():
            return f"{name} has another content."
    return ""


def capacity_sectors(size: int) -> int:
    """Clusters of one sector that a FAT32 volume of ``size`` bytes has for files."""
    sectors = size // SECTOR - _RESERVED_SECTORS
    tables = 2 * -(-sectors * _FAT_ENTRY // SECTOR)
    return sectors - tables


def needed_sectors(content: Path) -> int:
    """Clusters of one sector that the files and folders below ``content`` take, at most."""
    total = 0
    for folder, names, files in os.walk(content):
        entries = 3 + sum(2 + len(name) // _NAME_PER_ENTRY for name in (*names, *files))
        total += -(-entries * _DIRECTORY_ENTRY // SECTOR)
        total += sum(-(-(Path(folder) / name).stat().st_size // SECTOR) for name in files)
    return total


def _image(disk: Path, partition: Partition) -> str:
    """The name only: a folder with ``@@`` in its name would be taken for an offset."""
    return f"{disk.name}@@{partition.start}"
