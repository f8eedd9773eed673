"""Work on finished disk image files, the same on every host: convert, wrap, publish."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path

from winimagetools import interruption, log
from winimagetools.errors import BuildError
from winimagetools.files.access import Access, access_of, give_access
from winimagetools.files.build_folder import BuildFolder, check_not_replaced
from winimagetools.files.copy import copy_file
from winimagetools.files.hash import Sha256Beside, sha256_of
from winimagetools.files.space import room_for
from winimagetools.formats.images.probe import container_of
from winimagetools.model import DiskFormat
from winimagetools.output import pack, unpack
from winimagetools.output.become import become, make_beside, stays_in_place
from winimagetools.output.convert import convert
from winimagetools.output.report import folder
from winimagetools.plan import Delivery
from winimagetools.stamp import Stamp

_Identity = tuple[int, int, int, int]


class ImageFiles:
    """The ``Files`` of every host; see :class:`winimagetools.contract.Files`."""

    def __init__(self) -> None:
        self._known: dict[_Identity, str] = {}
        """SHA-256 of files made here, for as long as they are what they were then."""

    def build_folder(self, image_path: Path) -> AbstractContextManager[Path]:
        interruption.begin()
        return BuildFolder(image_path)

    def convert(
        self, source: Path, destination: Path, disk_format: DiskFormat, compress: bool
    ) -> None:
        convert(source, destination, disk_format, compress)

    def stays_in_place(self, made_as: DiskFormat, delivery: Delivery) -> bool:
        return made_as is DiskFormat.RAW and stays_in_place(
            delivery.path.parent,
            delivery.disk_format,
            compress=delivery.compress_qcow2,
            fixed=delivery.fixed_vhd,
        )

    def become(
        self,
        source: Path,
        destination: Path,
        disk_format: DiskFormat,
        *,
        compress: bool = False,
        fixed: bool = False,
        keep: bool = False,
        checksum: bool = False,
        stamp: Stamp | None = None,
    ) -> None:
        make = make_beside if keep else become
        found = make(
            source,
            destination,
            disk_format,
            compress=compress,
            fixed=fixed,
            checksum=checksum,
            stamp=stamp,
        )
        if found:
            self._known[_identity(destination)] = found

    def compress(
        self,
        source: Path,
        formats: Sequence[str],
        password: str,
        *,
        checksum: bool = False,
        stamp: Stamp | None = None,
    ) -> Path:
        """Wrap ``source`` in ``formats`` in turn, holes neither read nor compressed.

        Formats are written in one pass as far as possible; what was read is then removed.

        Raises:
            RequestError: a file of the resulting name exists already.
            DiskFullError: no room for the result.

        Port of ``Compress-Image``.
        """
        log.add_secret(password)
        for run_of_formats in pack.stages(formats):
            digest = Sha256Beside() if checksum else None
            with (
                log.Progress(f"Compressing {source.name}", source.stat().st_size) as progress,
                digest or nullcontext(),
            ):
                packed = pack.pack(
                    source,
                    run_of_formats,
                    password,
                    progress.update,
                    digest,
                    stamp.time if stamp else None,
                )
            if digest is not None:
                self._known[_identity(packed)] = digest.hexdigest()
            source.unlink()
            source = packed
        return source

    def decompress(self, source: Path, folder: Path, formats: Sequence[str], password: str) -> Path:
        """Unwrap all of ``formats`` of ``source`` into ``folder``; the archive stays.

        The layers are read in one pass, straight into the file that is in them. Only a zip
        inside a gz or another zip is a file of its own meanwhile: see
        :func:`winimagetools.output.unpack.passes`.

        Only the suffixes are taken off the name; the PowerShell tools took out any ``gz``, with
        the character before it, wherever it was.

        Raises:
            RequestError: the name does not end in the layers, or the result exists already.
            MediaError: the archive is damaged, or the password is wrong.
            DiskFullError: no room for the result.

        Port of ``Decompress-File``.
        """
        log.add_secret(password)
        inner = source
        for run_of_formats in unpack.passes(formats):
            outer = inner
            try:
                with log.Progress(f"Decompressing {outer.name}", outer.stat().st_size) as progress:
                    inner = unpack.unpack(outer, folder, run_of_formats, password, progress.update)
            finally:
                if outer != source:
                    outer.unlink()
        return inner

    def image_format(self, path: Path) -> str:
        """What ``qemu-img`` calls the container, told by content. Raises MediaError."""
        return container_of(path).qemu_name

    def publish(
        self,
        source: Path,
        destination: Path,
        mode: int | None = None,
        report: Path | None = None,
    ) -> None:
        """Put a complete file under its final name at once, on disk before it is visible.

        Only its owner can read it, unless something else is asked for or the file it
        replaces was different: an image holds the password of its administrator. Between
        file systems it is copied beside the destination first.

        Args:
            source: the file; it is gone afterwards.
            destination: its final name; a file there is replaced, a link is not followed.
            mode: permission bits, see :func:`winimagetools.files.access.parse_mode`; None
                for those of the file that is replaced, else 600.
            report: folder that becomes the report of the file; None when there is none.

        Raises:
            BuildError: it cannot be put there, or somebody has replaced the folder it was made
                in; what was there still is.
            DiskFullError: no room for the copy.
        """
        check_not_replaced(source.parent)
        access = _access(destination, mode)
        try:
            give_access(source, access)
            _flush(source)
            with folder.placed(report, destination, source.parent):
                _move(source, destination, access)
        except OSError as error:
            raise BuildError(
                f"The finished image cannot be put at {destination}: {error.strerror}.",
                "What was there before is unchanged. Let image_path name another file.",
            ) from error
        with suppress(OSError):  # Windows does not open folders, and the image is there
            _flush(destination.parent)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def measure(self, path: Path, checksum: bool) -> tuple[int, str]:
        size = path.stat().st_size
        if not checksum:
            return size, ""
        if found := self._known.get(_identity(path)):
            return size, found
        with (
            log.step("Compute the checksum"),
            log.Progress(f"Reading {path.name}", size) as progress,
        ):
            return size, sha256_of(path, progress.update)


def _identity(path: Path) -> _Identity:
    """What changes when a file is changed or replaced by another one."""
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _access(destination: Path, mode: int | None) -> Access:
    """Mode and owner of a new image: asked for, else those of the old one, else private."""
    access = access_of(destination) or Access()
    return access if mode is None else replace(access, mode=mode)


def _move(source: Path, destination: Path, access: Access) -> None:
    try:
        with interruption.completing():
            source.replace(destination)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy_across(source, destination, access)


def _copy_across(source: Path, destination: Path, access: Access) -> None:
    beside = destination.with_name(f".{destination.name}.part")
    beside.unlink(missing_ok=True)
    try:
        with room_for(destination):
            copy_file(source, beside)
        give_access(beside, access)
        _flush(beside)
        with interruption.completing():
            beside.replace(destination)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    source.unlink()


def _flush(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    read_only = path.is_dir() or not os.access(path, os.W_OK)
    handle = os.open(path, os.O_RDONLY if read_only else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
