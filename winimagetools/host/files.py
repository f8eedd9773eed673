"""Work on finished disk image files, the same on every host: convert, wrap, publish.

The containers qemu-img makes are the ones the reference makes, with three differences: a VHD
keeps the exact size of the disk instead of being rounded up to a CHS geometry (Azure and
Hyper-V want whole MiB); a VHDX grows by 1 MiB, as Microsoft advises for Linux file systems,
because ntfs-3g begins files 16 MiB apart and blocks of that size, which qemu-img takes, would
all be touched; and a source whose name tells its container is not probed, so that what a
guest wrote into a raw disk is never taken for another container.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from winimagetools import log, sparse
from winimagetools.copying import copy_file
from winimagetools.disk_space import room_for
from winimagetools.errors import CommandError, MediaError
from winimagetools.host import archive
from winimagetools.model import DiskFormat
from winimagetools.run import Tool, follow, run
from winimagetools.workdir import BuildFolder

QEMU_IMG = Tool("qemu-img", "qemu-utils", "convert disk images between containers")
_ATTEMPTS = 4
_RETRY_AFTER = 4.0
_BUSY_TEXTS = ("being used by another process", "failed to get", "resource temporarily unavailable")
"""What qemu-img says while a virus scanner or the disk service still holds the file."""
_OPTIONS = {
    DiskFormat.VHD: ("-o", "subformat=dynamic,force_size=on"),
    DiskFormat.VHDX: ("-o", "subformat=dynamic,block_size=1M"),
}
"""VMDK is ``monolithicSparse``, qemu's default and what the reference makes."""
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
    probe = folder / ".direct"
    try:
        os.close(os.open(probe, os.O_CREAT | os.O_WRONLY | flag, 0o600))
    except OSError:
        return False
    finally:
        probe.unlink(missing_ok=True)
    return True


def percent_of(text: str) -> float | None:
    """The last percentage in the progress display of qemu-img; None when there is none."""
    found = _PERCENT.findall(text)
    return float(found[-1]) if found else None


def sha256_of(path: Path, on_progress: Callable[[int], None] = lambda _: None) -> str:
    """SHA-256 of a file in hexadecimal; holes count as the zeros they stand for.

    Args:
        path: the file.
        on_progress: gets the bytes done so far.
    """
    digest, done = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as file:
        for piece in sparse.read(file):
            if isinstance(piece, bytes):
                digest.update(piece)
                done += len(piece)
            else:
                _add_zeros(digest.update, piece)
                done += piece
            on_progress(done)
    return digest.hexdigest()


def _add_zeros(update: Callable[[bytes], object], count: int) -> None:
    whole, rest = divmod(count, sparse.CHUNK)
    for _ in range(whole):
        update(sparse.ZEROS)
    update(sparse.ZEROS[:rest])


class ImageFiles:
    """The ``Files`` of every host; see :class:`winimagetools.host.base.Files`."""

    def build_folder(self, image_path: Path) -> AbstractContextManager[Path]:
        return BuildFolder(image_path)

    def convert(
        self, source: Path, destination: Path, disk_format: DiskFormat, compress: bool
    ) -> None:
        """Convert between containers with qemu-img.

        A source that another program still holds is tried again like in the reference;
        anything else fails at once, because it would fail again.

        Raises:
            DiskFullError: no room for the destination.
            CommandError: qemu-img failed.

        Port of ``Convert-VirtualDisk``.
        """
        direct = writes_direct(destination.parent)
        arguments = convert_arguments(source, destination, disk_format, compress, direct=direct)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with room_for(destination):
                    _convert_once(arguments, source)
                return
            except CommandError as error:
                busy = any(text in error.output.lower() for text in _BUSY_TEXTS)
                if not busy or attempt == _ATTEMPTS:
                    raise
                log.warning(f"{source} is in use; trying again in {_RETRY_AFTER:.0f} s.")
                time.sleep(_RETRY_AFTER)

    def compress(self, source: Path, formats: Sequence[str], password: str) -> Path:
        """Wrap ``source`` in ``formats`` in turn, holes neither read nor compressed.

        Formats are written in one pass as far as possible; what was read is then removed.

        Raises:
            RequestError: a file of the resulting name exists already.
            DiskFullError: no room for the result.

        Port of ``Compress-Image``.
        """
        log.add_secret(password)
        for run_of_formats in archive.stages(formats):
            with log.Progress(f"Compressing {source.name}", source.stat().st_size) as progress:
                packed = archive.pack(source, run_of_formats, password, progress.update)
            source.unlink()
            source = packed
        return source

    def decompress(self, source: Path, folder: Path, compression: str, password: str) -> Path:
        """Unwrap one layer of ``source`` into ``folder``; the archive stays.

        Only the suffix is taken off the name; the reference took out any ``gz``, with the
        character before it, wherever it was.

        Raises:
            RequestError: the name does not end in the layer, or the result exists already.
            MediaError: the archive is damaged, or the password is wrong.
            DiskFullError: no room for the result.

        Port of ``Decompress-File``.
        """
        log.add_secret(password)
        with log.Progress(f"Decompressing {source.name}", source.stat().st_size) as progress:
            return archive.unpack(source, folder, compression, password, progress.update)

    def image_format(self, path: Path) -> str:
        """What ``qemu-img info`` calls the container. Raises MediaError."""
        try:
            answer = json.loads(run(QEMU_IMG, ["info", "--output=json", path]))
        except CommandError as error:
            raise MediaError(f"{path} cannot be read as a disk image: {error.output}") from error
        return str(answer["format"])

    def publish(self, source: Path, destination: Path) -> None:
        """Put a complete file under its final name at once, on disk before it is visible.

        Between file systems it is copied beside the destination first.
        """
        _flush(source)
        try:
            source.replace(destination)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            _copy_across(source, destination)
        with suppress(PermissionError):  # Windows does not open folders
            _flush(destination.parent)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def measure(self, path: Path, checksum: bool) -> tuple[int, str]:
        size = path.stat().st_size
        if not checksum:
            return size, ""
        with (
            log.step("Compute the checksum"),
            log.Progress(f"Reading {path.name}", size) as progress,
        ):
            return size, sha256_of(path, progress.update)


def _convert_once(arguments: list[str | Path], source: Path) -> None:
    total = source.stat().st_size
    with log.Progress(f"Converting {source.name}", total) as progress:

        def show(text: str) -> None:
            percent = percent_of(text)
            if percent is not None:
                progress.update(int(total * percent / 100))

        follow(QEMU_IMG, arguments, show)


def _copy_across(source: Path, destination: Path) -> None:
    beside = destination.with_name(f".{destination.name}.part")
    beside.unlink(missing_ok=True)
    try:
        with room_for(destination):
            copy_file(source, beside)
        _flush(beside)
        beside.replace(destination)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    source.unlink()


def _flush(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
