"""Converting disk images between containers with qemu-img."""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

from winimagetools import log
from winimagetools.model import DiskFormat
from winimagetools.run import Tool, follow

QEMU_IMG = Tool("qemu-img", "qemu-utils", "convert disk images between containers")


BUSY_TEXTS = ("being used by another process", "failed to get", "resource temporarily unavailable")
"""What qemu-img says while a virus scanner or the disk service still holds the file."""


_OPTIONS = {
    DiskFormat.VHD: ("-o", "subformat=dynamic,force_size=on"),
    DiskFormat.VHDX: ("-o", "subformat=dynamic,block_size=1M"),
}
"""VMDK is ``monolithicSparse``, qemu's default and what the PowerShell tools make."""


_PERCENT = re.compile(r"\((\d+\.\d+)/100%\)")


def convert_arguments(
    source: Path,
    destination: Path,
    disk_format: DiskFormat,
    compress: bool,
    *,
    direct: bool = False,
) -> list[str | Path]:
    """Arguments of ``qemu-img`` for a conversion.

    Args:
        source: disk image to read.
        destination: disk image to make.
        disk_format: container to make.
        compress: compress the clusters of a QCOW2; other containers ignore it.
        direct: the destination can be written past the page cache, see :func:`writes_direct`.
    """
    arguments: list[str | Path] = ["convert", "-p"]
    with suppress(ValueError):
        arguments += ["-f", DiskFormat(source.suffix[1:].upper()).qemu_name]
    if disk_format is DiskFormat.QCOW2:
        # In any order, many at a time and past the page cache, which is full of the source:
        # a third of the time, and nothing left to flush.
        arguments += [*(["-c"] if compress else []), "-W", "-m", "16"]
        arguments += ["-t", "none"] if direct else []
    return [
        *arguments,
        "-O",
        disk_format.qemu_name,
        *_OPTIONS.get(disk_format, ()),
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


def convert_once(arguments: list[str | Path], source: Path) -> None:
    """Run qemu-img with ``arguments`` once, with a bar of how much of ``source`` is done."""
    total = source.stat().st_size
    with log.Progress(f"Converting {source.name}", total) as progress:

        def show(text: str) -> None:
            percent = percent_of(text)
            if percent is not None:
                progress.update(int(total * percent / 100))

        follow(QEMU_IMG, arguments, show)
