"""A large new file, written in any order, past the page cache where the file system lets it.

What goes past the cache costs hardly any time of a processor, pushes nothing out of memory, and
need not be flushed at the end (``O_DIRECT`` of open(2)).
"""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack
from pathlib import Path

from winimagetools.files.access import private_opener
from winimagetools.files.sparse import ZEROS

_BLOCK = 4096
"""Writes past the cache begin and end at multiples of the logical blocks of a disk."""


class LargeFile:
    """A new file that only its owner can read; for one thread at a time.

    Args:
        path: it must not exist.

    Raises:
        OSError: as the operating system says it.
    """

    def __init__(self, path: Path) -> None:
        self._opened = ExitStack()
        self._file = self._opened.enter_context(
            open(path, "xb", buffering=0, opener=private_opener)  # noqa: SIM115
        )
        self._direct: int | None = None
        if flag := getattr(os, "O_DIRECT", 0):
            self._open_direct(path, flag)

    def __enter__(self) -> LargeFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def write(self, data: bytes | memoryview, at: int) -> None:
        """Write at a place; zeros become a hole where nothing was written before.

        Only memory that begins at a page goes past the cache, as memory maps do.
        """
        view = memoryview(data)
        if not view or _is_zeros(view):
            return
        if isinstance(data, memoryview) and not at % _BLOCK and not len(view) % _BLOCK:
            done = self._write_past(view, at)
            view, at = view[done:], at + done
        self._file.seek(at)
        while view:
            view = view[self._file.write(view) :]

    def truncate(self, size: int) -> None:
        """Give it its length."""
        self._file.truncate(size)

    def _open_direct(self, path: Path, flag: int) -> None:
        try:
            self._direct = os.open(path, os.O_WRONLY | os.O_CLOEXEC | flag)
        except OSError:
            return  # tmpfs and others cannot
        self._opened.callback(os.close, self._direct)

    def _write_past(self, view: memoryview, at: int) -> int:
        """How many bytes were written past the cache."""
        done = 0
        while self._direct is not None and done < len(view) and not done % _BLOCK:
            try:
                done += os.pwrite(self._direct, view[done:], at + done)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                self._direct = None  # blocks may be larger than that
        return done


def _is_zeros(view: memoryview) -> bool:
    """Whether it is zeros of at most :data:`winimagetools.files.sparse.CHUNK` bytes."""
    if view[0] or view[-1] or len(view) > len(ZEROS):
        return False
    return bytes(view) == ZEROS[: len(view)]
