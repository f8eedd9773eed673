"""Converting disk images between containers with qemu-img.

The containers qemu-img makes are the ones the PowerShell tools make, with three differences: a VHD
keeps the exact size of the disk instead of being rounded up to a CHS geometry (Azure and
Hyper-V want whole MiB); a VHDX grows by 1 MiB, as Microsoft advises for Linux file systems,
because ntfs-3g begins files 16 MiB apart and blocks of that size, which qemu-img takes, would
all be touched; and a source is read as what it is, whatever it is called, but for one that is
called raw: what its guest wrote into it is never taken for another container.
"""

from __future__ import annotations

import errno
import functools
import os
import re
import secrets
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from winimagetools import log
from winimagetools.errors import BuildError, CommandError, MediaError
from winimagetools.files.space import room_for
from winimagetools.formats.containers.layout import SECTOR
from winimagetools.formats.containers.vhd import restamped
from winimagetools.formats.images.probe import container_of, trusted_container
from winimagetools.model import DiskFormat
from winimagetools.retry import execute_retry
from winimagetools.run import Tool, follow

QEMU_IMG = Tool("qemu-img", "qemu-utils", "convert disk images between containers")
BUSY_TEXTS = ("being used by another process", "failed to get", "resource temporarily unavailable")
"""What qemu-img says while a virus scanner or the disk service still holds the file."""
_BUSY_CODES = (errno.EACCES, errno.EAGAIN, errno.EBUSY)
_OPTIONS = {
    DiskFormat.VHD: ("-o", "subformat=dynamic,force_size=on"),
    DiskFormat.VHDX: ("-o", "subformat=dynamic,block_size=1M"),
}
"""VMDK is ``monolithicSparse``, qemu's default and what the PowerShell tools make."""
_BEGINNINGS = {
    DiskFormat.QCOW2: b"QFI\xfb",
    DiskFormat.VHD: b"conectix",
    DiskFormat.VHDX: b"vhdxfile",
    DiskFormat.VMDK: b"KDMV",
}
"""How the containers begin that qemu-img makes with :data:`_OPTIONS`."""
_FIXED_VHD = ("-o", "subformat=fixed,force_size=on")
_PERCENT = re.compile(r"\((\d+\.\d+)/100%\)")


def convert_arguments(
    source: Path,
    destination: Path,
    disk_format: DiskFormat,
    compress: bool,
    *,
    read_as: DiskFormat | None,
    direct: bool = False,
    fixed: bool = False,
) -> list[str | Path]:
    """Arguments of ``qemu-img`` for a conversion.

    Args:
        source: disk image to read.
        destination: disk image to make.
        disk_format: container to make.
        compress: compress the clusters of a QCOW2; other containers ignore it.
        read_as: container of the source; None lets qemu-img look, which knows more of them.
        direct: the destination can be written past the page cache, see :func:`writes_direct`.
        fixed: make a fixed VHD instead of a dynamic one.
    """
    arguments: list[str | Path] = ["convert", "-p"]
    if read_as is not None:
        arguments += ["-f", read_as.qemu_name]
    if disk_format is DiskFormat.QCOW2:
        # In any order, many at a time and past the page cache, which is full of the source:
        # a third of the time, and nothing left to flush.
        # What is compressed is written in order and through the page cache: else its place
        # would be a matter of chance, and its length one of the file system.
        arguments += ["-c", "-m", "16"] if compress else ["-W", "-m", "16"]
        arguments += ["-t", "none"] if direct and not compress else []
    return [
        *arguments,
        "-O",
        disk_format.qemu_name,
        *(_FIXED_VHD if disk_format is DiskFormat.VHD and fixed else _OPTIONS.get(disk_format, ())),
        source,
        destination,
    ]


def writes_direct(folder: Path) -> bool:
    """Whether files in a folder can be written past the page cache; tmpfs cannot at times."""
    flag = getattr(os, "O_DIRECT", 0)
    if not flag:
        return False
    probe = folder / f".direct-{secrets.token_hex(8)}"
    try:
        os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY | flag, 0o600))
    except OSError:
        return False
    finally:
        # tmpfs makes the file before it refuses the flag.
        probe.unlink(missing_ok=True)
    return True


def percent_of(text: str) -> float | None:
    """The last percentage in the progress display of qemu-img; None when there is none."""
    found = _PERCENT.findall(text)
    return float(found[-1]) if found else None


class _Busy(Exception):
    """Another program still holds the source."""


class _BusyError(_Busy, CommandError):
    """It does, says qemu-img."""


class _BusyImageError(_Busy, MediaError):
    """It does, so that not even its beginning can be read."""


def container_to_read(source: Path, *, sleep: Callable[[float], object] = time.sleep) -> DiskFormat:
    """The container of a disk that is to be copied or converted, by its content.

    A disk that another program still holds is tried again, as it is for :func:`convert`.

    Args:
        source: disk image to read.
        sleep: waits a number of seconds.

    Raises:
        MediaError: it is empty, has its data in other files, cannot be read, or is called raw
            and is not.
    """
    container = execute_retry(lambda: _look(source), retry_on=_Busy, sleep=sleep)
    found = container_of(source)
    if found is not container and container is not DiskFormat.RAW:
        raise MediaError(
            f"{source} is no {container}, although its name says so.",
            "Use another copy of it; if it is a raw disk, let its name end in .raw.",
        )
    if found is not container:
        raise MediaError(
            f"{source} is called a raw disk, but begins as a {found} does.",
            f"If it is one, let its name end in .{found.extension}; if not, do not trust it.",
        )
    return container


def _look(source: Path) -> DiskFormat:
    try:
        found = trusted_container(source)
        # What begins as no container may be a damaged one, and is no disk because of that.
        return found if found is not DiskFormat.RAW else _named(source) or found
    except MediaError as error:
        if isinstance(error.__cause__, OSError) and _is_busy(error.__cause__, source):
            raise _BusyImageError(error.message, error.hint) from error
        raise


def _is_busy(error: OSError, path: Path) -> bool:
    """Of a file that another program has for itself Windows only says "Permission denied".

    ``os.access`` knows of rights, not of other programs, so one that may be read is busy.
    """
    return error.errno in _BUSY_CODES and os.access(path, os.R_OK)


def _read_as(source: Path) -> DiskFormat | None:
    """What to tell qemu-img of a source; nothing of what is of no container known here."""
    found = _look(source)
    return found if found is not DiskFormat.RAW else _named(source)


def _named(path: Path) -> DiskFormat | None:
    """The container a name tells."""
    try:
        return DiskFormat(path.suffix[1:].upper())
    except ValueError:
        return None


def convert(
    source: Path,
    destination: Path,
    disk_format: DiskFormat,
    compress: bool,
    *,
    fixed: bool = False,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Convert between containers, with a bar of how much of ``source`` is done.

    A source that another program still holds is tried again, as often as the PowerShell tools
    do; anything else fails at once, because it would fail again.

    Args:
        source: disk image to read.
        destination: disk image to make.
        disk_format: container to make.
        compress: compress the clusters of a QCOW2.
        fixed: make a fixed VHD instead of a dynamic one.
        sleep: waits a number of seconds.

    Raises:
        MediaError: the source is no disk image, or cannot be read.
        DiskFullError: no room for the destination.
        CommandError: qemu-img failed.
        BuildError: it said that it did not, but made no such file.

    Port of ``Convert-VirtualDisk``.
    """
    direct = writes_direct(destination.parent)
    make = functools.partial(convert_arguments, source, destination, disk_format, compress)

    def attempt() -> None:
        arguments = make(read_as=_read_as(source), direct=direct, fixed=fixed)
        with room_for(destination):
            _convert_once(arguments, source)

    execute_retry(attempt, retry_on=_Busy, sleep=sleep)
    # A fixed VHD begins with the disk itself.
    _check_made(destination, DiskFormat.RAW if fixed else disk_format)


def _check_made(path: Path, disk_format: DiskFormat) -> None:
    beginning = _BEGINNINGS.get(disk_format, b"")
    try:
        with path.open("rb") as file:
            found = file.read(max(len(beginning), 1))
    except OSError:
        found = b""
    if not found or not found.startswith(beginning):
        raise BuildError(
            f"{QEMU_IMG.name} said that it was done, but {path.name} is no {disk_format} file.",
            f"Install it again: apt install --reinstall {QEMU_IMG.package}",
        )


def _convert_once(arguments: list[str | Path], source: Path) -> None:
    total = source.stat().st_size
    with log.Progress(f"Converting {source.name}", total) as progress:

        def show(text: str) -> None:
            percent = percent_of(text)
            if percent is not None:
                progress.update(int(total * percent / 100))

        try:
            follow(QEMU_IMG, arguments, show)
        except CommandError as error:
            if any(text in error.output.lower() for text in BUSY_TEXTS):
                raise _BusyError(error.command, error.returncode, error.output) from error
            raise


def restamp_vhd(path: Path, identifier: uuid.UUID, made: int) -> None:
    """Give a VHD that qemu-img made another identifier and time, in its footer and the copy.

    Args:
        path: the image.
        identifier: the new one.
        made: seconds since 1970.
    """
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        for at in (0, max(size - SECTOR, 0)):
            file.seek(at)
            footer = file.read(SECTOR)
            if footer.startswith(_BEGINNINGS[DiskFormat.VHD]):
                file.seek(at)
                file.write(restamped(footer, identifier, made))
