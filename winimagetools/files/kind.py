"""What lies under a name: only files are read as disks and media, and nothing is waited for.

Opening a named pipe waits until somebody writes to it, a device may never end, and Python tells
of both only that they are no file, as it does of what does not exist.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from pathlib import Path

from winimagetools.errors import RequestError

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
_PATIENCE, _GLANCE = 0.5, 0.02
"""Seconds: whoever writes may be started together with this."""


def kind_of(path: Path) -> str:
    """What is there instead of a file, links followed; empty for a file, and for nothing."""
    try:
        return _KINDS.get(stat.S_IFMT(path.stat().st_mode), "")
    except (OSError, ValueError):
        return ""


def refuse_other_than_file(path: Path) -> None:
    """Refuse what is there and is no file.

    Raises:
        RequestError: a folder, named pipe, socket or device has the name.
    """
    if kind := kind_of(path):
        raise RequestError(f"{path} is {kind}, not a file.", "Give the path of a file.")


def read_small(path: Path, most: int) -> bytes:
    """What is in a small file, or comes through a pipe such as a shell makes for ``<(...)``.

    Args:
        path: the file.
        most: bytes that are read at most.

    Raises:
        OSError: it cannot be read, or is a pipe that nobody writes to.
    """
    handle = os.open(path, os.O_RDONLY | _NO_WAIT | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        is_pipe = stat.S_ISFIFO(os.fstat(handle).st_mode)
        start = _first_of_pipe(handle, path)[:most] if is_pipe else b""
        if _NO_WAIT:
            os.set_blocking(handle, True)
        return start + file.read(most - len(start))


def _first_of_pipe(handle: int, path: Path) -> bytes:
    """The first bytes, which are waited for once somebody is there to write them."""
    deadline = time.monotonic() + _PATIENCE
    start = b""
    while not start:
        try:
            start = os.read(handle, 1 << 16)
        except BlockingIOError:
            break
        if not start and time.monotonic() > deadline:
            raise OSError(errno.ENXIO, "nobody writes to this pipe", str(path))
        time.sleep(0 if start else _GLANCE)
    return start
