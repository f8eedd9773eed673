"""The files of a Windows volume that is on a finished disk, read and changed where they lie.

What is added gets the security descriptor it inherits; what is replaced keeps descriptor and
attributes. Content that Windows compressed is read; what is written is plain.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from winimagetools import log
from winimagetools.errors import BuildError
from winimagetools.files.names import split_file, split_path
from winimagetools.files.source_folder import source_is_dir, walk_source
from winimagetools.files.space import room_for
from winimagetools.files.upcase import fold
from winimagetools.formats.security_descriptor import inherited_descriptor, private_descriptor
from winimagetools.host.linux import wof
from winimagetools.host.linux.ntfs import (
    COMPRESSED,
    ENCRYPTED,
    REPARSE_POINT,
    SPARSE,
    NtfsVolume,
    Read,
)
from winimagetools.host.staged_tree import PRIVATE

_CHUNK = 1 << 20
_LARGEST = 1 << 30
"""Bytes; the largest hives have a fifth of it. A file of holes may say 16 TiB."""
_NOT_PLAIN = REPARSE_POINT | ENCRYPTED | SPARSE | COMPRESSED
_SETTABLE = 0x2127
"""Read-only, hidden, system, archive, temporary and not-indexed."""


class NtfsTree:
    """A :class:`~winimagetools.contract.WindowsTree` in an open volume.

    Args:
        volume: the Windows volume.
        private: paths only SYSTEM and Administrators may read, folders with all they hold.
    """

    def __init__(self, volume: NtfsVolume, private: Sequence[str] = PRIVATE) -> None:
        self._volume = volume
        self._private = tuple(_key(mark) for mark in private)

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder."""
        return self._volume.exists(_plain(path))

    def is_dir(self, path: str) -> bool:
        """Whether there is a folder; junctions are none."""
        return self._volume.is_dir(_plain(path))

    def list_dir(self, path: str) -> Sequence[str]:
        """Names in a folder, sorted; empty when there is no such folder."""
        plain = _plain(path)
        if not self._volume.is_dir(plain):
            return []
        return sorted(item.name for item in self._volume.items(plain))

    def read_bytes(self, path: str) -> bytes:
        """Content of a file.

        Raises:
            FileNotFoundError: there is no such file.
            BuildError: it is as no file is that is read whole: of a damaged or foreign volume.
        """
        with self.open_file(path) as (size, read):
            if size > _LARGEST:
                raise BuildError(
                    f"{path} has {log.size(size)}, too much to be read at once.",
                    "Let Windows check the volume (chkdsk /f), or use another copy.",
                )
            return read(0, size)

    def size(self, path: str) -> int:
        """Bytes of a file. Raises FileNotFoundError."""
        with self.open_file(path) as (size, _):
            return size

    @contextmanager
    def open_file(self, path: str) -> Iterator[tuple[int, Read]]:
        """A file opened for reading: its size, and what reads ranges of it.

        Raises:
            FileNotFoundError: there is no such file.
            BuildError: it is encrypted, or a link.
        """
        plain = _plain(path)
        attributes = self._volume.attributes(plain)
        if attributes & ENCRYPTED:
            raise BuildError(
                f"{path} is encrypted, and only the Windows that did it can read it.",
                "Decrypt it there with cipher /d.",
            )
        if not attributes & REPARSE_POINT:
            with self._volume.reader(plain) as opened:
                yield opened
            return
        algorithm = wof.algorithm_of(self._volume.reparse_data(plain))
        if algorithm is None:
            raise BuildError(f"{path} is a link, not a file.", "Name what it leads to.")
        with (
            self._volume.reader(plain) as (size, _),
            self._volume.reader(plain, wof.STREAM) as (_, stored),
            wof.unpacked(algorithm, size, stored, path) as read,
        ):
            yield size, read

    def copy_out(self, path: str, destination: Path) -> None:
        """Write the content of a file into a file of this host.

        Raises:
            FileNotFoundError: there is no such file.
            DiskFullError: no room for it.
        """
        with (
            self.open_file(path) as (size, read),
            room_for(destination),
            destination.open("wb") as file,
        ):
            for at in range(0, size, _CHUNK):
                file.write(read(at, _CHUNK))

    def write_bytes(self, path: str, data: bytes) -> None:
        """Create or replace a file, and its folders."""
        self._write(path, iter([data]))

    def copy_in(self, source: Path, path: str) -> None:
        """Copy a file to exactly ``path``, or the content of a folder into folder ``path``."""
        if not source_is_dir(source):
            self._write(path, _parts_of(source))
            return
        self._make_folders(split_path(path))
        for relative, item in walk_source(source):
            target = f"{path}/{relative}"
            if source_is_dir(item):
                self._make_folders(split_path(target))
            else:
                self._write(target, _parts_of(item))

    def remove(self, path: str) -> None:
        """Remove a file or a whole folder; nothing happens when there is none."""
        plain = "/".join(split_file(path))
        if not self._volume.exists(plain):
            return
        if self._volume.is_dir(plain):
            for item in self._volume.items(plain):
                self.remove(f"{plain}/{item.name}")
        self._volume.remove(plain)

    @contextmanager
    def edit(self, path: str) -> Iterator[Path]:
        """A file of the host that holds the content and is put back on a clean exit.

        Raises FileNotFoundError when there is no such file.
        """
        with tempfile.TemporaryDirectory(prefix="winimagetools-") as folder:
            local = Path(folder, split_file(path)[-1])
            self.copy_out(path, local)
            before = local.stat()
            yield local
            after = local.stat()
            if (after.st_mtime_ns, after.st_ino, after.st_size) != (
                before.st_mtime_ns,
                before.st_ino,
                before.st_size,
            ):
                self._write(path, _parts_of(local))

    def _write(self, path: str, parts: Iterator[bytes]) -> None:
        *above, name = split_file(path)
        folder = self._make_folders(above)
        target = self._spelled(f"{folder}/{name}".lstrip("/"))
        attributes = self._take_away_what_is_not_plain(target)
        if not self._volume.exists(target):
            self._volume.create(target, is_dir=False)
            self._secure(target, is_dir=False, security=attributes[1] if attributes else b"")
        if self._volume.is_dir(target):
            raise BuildError(f"{path} cannot be written: it is a folder.")
        self._volume.write(target, parts)
        if attributes and attributes[0] & _SETTABLE:
            self._volume.set_attributes(target, attributes[0] & _SETTABLE)

    def _take_away_what_is_not_plain(self, target: str) -> tuple[int, bytes] | None:
        """Remove a compressed or sparse file that is replaced; what to give to the new one.

        So is one with several names: the others keep the content it had, as with DISM.
        """
        if not self._volume.exists(target) or self._volume.is_dir(target):
            return None
        attributes = self._volume.attributes(target)
        if not attributes & _NOT_PLAIN and self._volume.names(target) == 1:
            return None
        security = self._volume.security(target)
        self._volume.remove(target)
        return attributes, security

    def _make_folders(self, parts: Sequence[str]) -> str:
        current = ""
        for part in parts:
            current = self._spelled(f"{current}/{part}".lstrip("/"))
            if not self._volume.exists(current):
                self._volume.create(current, is_dir=True)
                self._secure(current, is_dir=True)
            elif not self._volume.is_dir(current):
                raise BuildError(f"{current} is in the way: it is a file or leads elsewhere.")
        return current

    def _secure(self, path: str, *, is_dir: bool, security: bytes = b"") -> None:
        if self._is_private(path):
            security = private_descriptor(is_dir=is_dir)
        elif not security:
            parent = self._volume.security(path.rpartition("/")[0])
            security = inherited_descriptor(parent, is_dir=is_dir)
        self._volume.set_security(path, security)

    def _is_private(self, path: str) -> bool:
        key = _key(path)
        return any(key[: len(mark)] == mark for mark in self._private)

    def _spelled(self, path: str) -> str:
        return self._volume.spelled(path) or path


def _plain(path: str) -> str:
    return "/".join(split_path(path))


def _key(path: str) -> tuple[str, ...]:
    return tuple(fold(part) for part in split_path(path))


def _parts_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while data := file.read(_CHUNK):
            yield data
