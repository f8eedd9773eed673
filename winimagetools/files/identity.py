"""Files that must not change while a build reads them: what was looked at is what is read.

A file is looked at several times: to choose an edition, to plan drivers, to copy it. When it
is replaced or written to in between, the image would be made of something nobody chose.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from winimagetools.errors import MediaError

_HINT = "Let nothing write to it during a build, and run the build again."


@dataclass(frozen=True)
class FileIdentity:
    """Which file this is, and in which state.

    Args:
        path: where it is.
        device: number of the file system.
        inode: number of the file in it; 0 where there is no lasting one (FAT on Windows).
        size: bytes.
        modified: time of the last write, in nanoseconds since 1970.
    """

    path: Path
    device: int
    inode: int
    size: int
    modified: int

    def difference(self, now: FileIdentity) -> str:
        """What happened to the file since, completing "it ..."; empty when nothing did."""
        if self.inode and now.inode and (self.device, self.inode) != (now.device, now.inode):
            return "was replaced by another file"
        if self.size != now.size:
            return f"had {self.size} bytes and has {now.size} now"
        return "was written to" if self.modified != now.modified else ""


def identity_of(path: Path) -> FileIdentity:
    """The identity of a file, links followed.

    Raises:
        MediaError: it cannot be looked at.
    """
    try:
        return _identity(path, path.stat())
    except OSError as error:
        raise _changed(path, f"cannot be found any more ({error.strerror})") from error


def _identity(path: Path, status: os.stat_result) -> FileIdentity:
    return FileIdentity(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _changed(path: Path, what: str) -> MediaError:
    return MediaError(f"{path} changed while it was used: it {what}.", _HINT)


class Watch:
    """Files and folders a build reads; a context manager.

    Single files are held open, so that their numbers cannot go to other ones meanwhile. Of a
    folder all files below it are watched, as well as which there are.

    Args:
        paths: what to watch; it must exist.

    Raises:
        MediaError: something cannot be read.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._held = ExitStack()
        self._files: list[tuple[FileIdentity, BinaryIO]] = []
        self._folders: dict[Path, dict[Path, FileIdentity]] = {}
        try:
            for path in paths:
                self.add(path)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, path: Path) -> None:
        """Watch one more file or folder from now on. Raises MediaError."""
        if path.is_dir():
            self._folders[path] = _identities_below(path)
            return
        try:
            handle = self._held.enter_context(path.open("rb"))
        except OSError as error:
            raise MediaError(f"{path} could not be opened: {error.strerror}.") from error
        self._files.append((_identity(path, os.fstat(handle.fileno())), handle))

    def check(self) -> None:
        """Compare all with what they were.

        Raises:
            MediaError: naming the first that is another file, was written to, is gone or is
                new.
        """
        for before, handle in self._files:
            inside = _identity(before.path, os.fstat(handle.fileno()))
            for now in (identity_of(before.path), inside):
                if difference := before.difference(now):
                    raise _changed(before.path, difference)
        for folder, before_below in self._folders.items():
            _compare(before_below, _identities_below(folder))

    def close(self) -> None:
        """Let go of all, which may change from now on."""
        self._held.close()
        self._files.clear()
        self._folders.clear()


def _compare(before: dict[Path, FileIdentity], now: dict[Path, FileIdentity]) -> None:
    for path in sorted(before.keys() | now.keys()):
        if path not in now:
            raise _changed(path, "is gone")
        if path not in before:
            raise _changed(path, "is new")
        if difference := before[path].difference(now[path]):
            raise _changed(path, difference)


def _identities_below(folder: Path) -> dict[Path, FileIdentity]:
    return {identity.path: identity for identity in _walk(folder)}


def _walk(folder: Path) -> Iterator[FileIdentity]:
    """All files below a folder, and links as what they lead to; of a broken one itself."""
    for root, folders, names in os.walk(folder):
        links = [name for name in folders if (Path(root) / name).is_symlink()]
        for name in (*names, *links):
            path = Path(root) / name
            try:
                found = identity_of(path)
            except MediaError:
                found = _identity(path, path.lstat())
            yield replace(found, size=0, modified=0) if name in links else found
