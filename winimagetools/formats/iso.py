"""Files that only are read: the content of an ISO or of a folder, through one contract.

Both trees hold every path in the letter case of the medium and look up without regard to
case. Neither mounts anything or needs root. An open :class:`IsoTree` keeps one file handle
until it is closed; it is not meant to be used by several threads at once.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Protocol

from winimagetools.errors import MediaError
from winimagetools.files.copy import ProgressCallback, copy_extents, cut_short, read_exactly
from winimagetools.files.sparse import Extent
from winimagetools.formats.iso_volume import has_iso_signature, read_volume

LARGEST = 64 * 1024 * 1024
"""Bytes of a file that is read whole: an INF, a program, a boot file. Windows images never are."""


class MediaTree(Protocol):
    """``plan.SourceTree``, with sizes, partial reads and progress."""

    @property
    def name(self) -> str:
        """What to call it in messages."""

    def files(self) -> Sequence[str]:
        """Paths of all files, sorted."""

    def find(self, path: str) -> str | None:
        """The path as the medium spells it, or None when there is no such file."""

    def size(self, path: str) -> int:
        """Size of a file in bytes. Raises MediaError."""

    def read_bytes(self, path: str) -> bytes:
        """Content of a file. Raises MediaError."""

    def read_range(self, path: str, offset: int, length: int) -> bytes:
        """Up to ``length`` bytes of a file from ``offset``. Raises MediaError."""

    def copy_out(
        self, path: str, destination: Path, progress: ProgressCallback | None = None
    ) -> None:
        """Copy a file to ``destination``. Raises MediaError, DiskFullError, BuildError."""

    def local_folder(self, path: str) -> Path | None:
        """The folder as a path of this machine, or None when it has none."""


@contextmanager
def open_source(path: Path) -> Iterator[MediaTree]:
    """Open an ISO or a folder to read files from.

    Raises:
        MediaError: there is no such file, or it is neither.
    """
    if path.is_dir():
        yield FolderTree(path)
        return
    with IsoTree(path) as tree:
        yield tree


def is_iso_file(path: Path) -> bool:
    """Whether a file is an ISO by its content; False when it cannot be read."""
    try:
        with path.open("rb") as stream:
            return has_iso_signature(stream)
    except OSError:
        return False


class _Tree(ABC):
    """Paths, and how to find them without regard to case.

    Args:
        path: the medium.
        paths: all its files.
    """

    def __init__(self, path: Path, paths: Iterable[str]) -> None:
        self._path = path
        self._paths = tuple(sorted(paths))
        self._exact = frozenset(self._paths)
        self._folded: dict[str, str] = {}
        for each in self._paths:
            self._folded.setdefault(each.casefold(), each)

    @property
    def name(self) -> str:
        """The path of the medium."""
        return str(self._path)

    def files(self) -> Sequence[str]:
        """Paths of all files, sorted."""
        return self._paths

    def find(self, path: str) -> str | None:
        """The path as the medium spells it, or None when there is no such file."""
        wanted = _normal(path)
        return wanted if wanted in self._exact else self._folded.get(wanted.casefold())

    def read_bytes(self, path: str) -> bytes:
        """Content of a file. Raises MediaError, also when it is larger than :data:`LARGEST`."""
        size = self.size(path)
        if size > LARGEST:
            raise MediaError(
                f"{path} in {self.name} claims to have {size} bytes; that is more than any file "
                "of its kind has.",
                "Copy or download the medium again and compare its checksum with the publisher's.",
            )
        return self.read_range(path, 0, size)

    @abstractmethod
    def size(self, path: str) -> int:
        """Size of a file in bytes. Raises MediaError when there is none."""

    @abstractmethod
    def read_range(self, path: str, offset: int, length: int) -> bytes:
        """Up to ``length`` bytes of a file from ``offset``. Raises MediaError."""

    def _known(self, path: str) -> str:
        found = self.find(path)
        if found is None:
            raise MediaError(f"There is no file {path} in {self.name}.")
        return found


class IsoTree(_Tree):
    """The files of an ISO: UDF, Rock Ridge, Joliet or plain ISO 9660, the best there is.

    Args:
        path: the ISO.

    Raises:
        MediaError: it is missing, not an ISO, cut off or damaged.
    """

    def __init__(self, path: Path) -> None:
        self._stream = _open_medium(path)
        try:
            self._extents = read_volume(self._stream, str(path))
        except OSError as error:
            self._stream.close()
            raise MediaError(f"{path} could not be read: {error.strerror}.") from error
        except MediaError:
            self._stream.close()
            raise
        super().__init__(path, self._extents)

    def close(self) -> None:
        """Let go of the ISO; the tree cannot be read afterwards."""
        self._stream.close()

    def __enter__(self) -> IsoTree:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def size(self, path: str) -> int:
        """Size of a file in bytes. Raises MediaError when there is none."""
        return sum(extent.length for extent in self.extents(path))

    def read_range(self, path: str, offset: int, length: int) -> bytes:
        """Up to ``length`` bytes of a file from ``offset``; fewer only at its end.

        Raises:
            MediaError: there is no such file, or the ISO cannot be read.
        """
        result = bytearray()
        for extent in self.extents(path):
            if offset < extent.length and length > 0:
                count = min(length, extent.length - offset)
                result += self._read(path, extent, offset, count)
                offset, length = 0, length - count
            else:
                offset -= min(offset, extent.length)
        return bytes(result)

    def copy_out(
        self, path: str, destination: Path, progress: ProgressCallback | None = None
    ) -> None:
        """Stream a file into ``destination``; the kernel copies when it can.

        Raises:
            MediaError: there is no such file, or the ISO cannot be read.
            DiskFullError: no room for the copy.
            BuildError: the copy could not be written.
        """
        extents = self.extents(path)
        copy_extents(self._stream, extents, destination, f"{path} in {self.name}", progress)

    def local_folder(self, path: str) -> Path | None:  # noqa: ARG002 (part of the contract)
        """None: files of an ISO have to be copied out."""
        return None

    def extents(self, path: str) -> tuple[Extent, ...]:
        """The byte ranges of the ISO a file is in. Raises MediaError when there is none."""
        return self._extents[self._known(path)]

    def _read(self, path: str, extent: Extent, offset: int, count: int) -> bytes:
        if extent.offset is None:
            return bytes(count)
        try:
            self._stream.seek(extent.offset + offset)
            data = read_exactly(self._stream, count)
        except OSError as error:
            raise MediaError(f"{path} in {self.name}: {error.strerror}.") from error
        if len(data) < count:
            raise cut_short(f"{path} in {self.name}")
        return data


class FolderTree(_Tree):
    """The files below a folder of this machine; links to files and folders are followed.

    Args:
        path: the folder.

    Raises:
        MediaError: it is not a folder, or one in it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise MediaError(f"{path} is not a folder.", "Give the path of an ISO or a folder.")
        super().__init__(path, _walk(path))

    def size(self, path: str) -> int:
        """Size of a file in bytes. Raises MediaError when there is none."""
        with self._open(path) as stream:
            return stream.seek(0, os.SEEK_END)

    def read_range(self, path: str, offset: int, length: int) -> bytes:
        """Up to ``length`` bytes of a file from ``offset``. Raises MediaError."""
        with self._open(path) as stream:
            stream.seek(offset)
            return read_exactly(stream, length)

    def copy_out(
        self, path: str, destination: Path, progress: ProgressCallback | None = None
    ) -> None:
        """Copy a file to ``destination``. Raises MediaError, DiskFullError, BuildError."""
        with self._open(path) as stream:
            extent = Extent(0, stream.seek(0, os.SEEK_END))
            copy_extents(stream, (extent,), destination, f"{path} in {self.name}", progress)

    def local_folder(self, path: str) -> Path | None:
        """The folder ``path`` on this machine, found without regard to case."""
        folder = self._path
        for part in _normal(path).split("/") if _normal(path) else ():
            names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
            matches = [name for name in names if name.casefold() == part.casefold()]
            if not matches:
                return None
            folder /= part if part in matches else matches[0]
        return folder

    @contextmanager
    def _open(self, path: str) -> Iterator[BinaryIO]:
        file = self._path / self._known(path)
        stream = _open_medium(file)
        try:
            yield stream
        except OSError as error:
            raise MediaError(f"{file} could not be read: {error.strerror}.") from error
        finally:
            stream.close()


def _normal(path: str) -> str:
    parts = path.replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", "."))


def _walk(root: Path) -> Iterator[str]:
    seen: set[tuple[int, int]] = set()
    for folder, folders, files in os.walk(root, onerror=_refuse, followlinks=True):
        here = Path(folder)
        status = here.stat()
        # A link to a folder above would be followed for ever. Windows may say inode 0.
        if status.st_ino and (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        for name in files:
            if (here / name).is_file():
                yield (here / name).relative_to(root).as_posix()


def _refuse(error: OSError) -> None:
    """Left out, a folder would be missing in the image and nobody told."""
    raise MediaError(
        f"The folder {error.filename} cannot be read: {error.strerror}.",
        "Give this user the right to read it, or name another folder.",
    ) from error


def _open_medium(path: Path) -> FileIO:
    try:
        return path.open("rb", buffering=0)
    except FileNotFoundError:
        raise MediaError(f"{path} does not exist.") from None
    except OSError as error:
        raise MediaError(f"{path} could not be opened: {error.strerror}.") from error
