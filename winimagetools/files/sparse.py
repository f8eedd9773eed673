"""Files with holes: disk images are mostly holes, and nobody should read or write those.

Where the operating system does not tell holes from data (Windows, some file systems), a file
is one extent of data and everything still works.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

CHUNK = 1 << 20
"""Bytes read at a time; zeros of this many bytes in a row become a hole when written."""
ZEROS = bytes(CHUNK)


@dataclass(frozen=True)
class Extent:
    """A range of a file.

    Args:
        offset: first byte; None for a hole, which reads as zeros.
        length: number of bytes.
    """

    offset: int | None
    length: int


def extents(handle: int) -> Iterator[Extent]:
    """All of an open file in order, as data and holes.

    Args:
        handle: file descriptor; its position is moved.
    """
    return extents_between(handle, 0, os.fstat(handle).st_size)


def extents_between(handle: int, position: int, size: int) -> Iterator[Extent]:
    """The part of an open file from ``position`` up to ``size``, as data and holes."""
    while position < size:
        data = min(_next_data(handle, position, size), size)
        if data > position:
            yield Extent(None, data - position)
        end = min(_next_hole(handle, data, size), size)
        if end > data:
            yield Extent(data, end - data)
        position = end


def _next_data(handle: int, position: int, size: int) -> int:
    if not hasattr(os, "SEEK_DATA"):
        return position
    try:
        return os.lseek(handle, position, os.SEEK_DATA)
    except OSError:  # ENXIO: there is none any more
        return size


def _next_hole(handle: int, position: int, size: int) -> int:
    if not hasattr(os, "SEEK_HOLE") or position >= size:
        return size
    return os.lseek(handle, position, os.SEEK_HOLE)


def read(file: BinaryIO) -> Iterator[bytes | int]:
    """The content of an open file: bytes, or the length of a hole, in order."""
    return read_between(file, 0, os.fstat(file.fileno()).st_size)


def read_between(file: BinaryIO, start: int, end: int) -> Iterator[bytes | int]:
    """The same for the part of an open file from ``start`` up to ``end``."""
    for extent in extents_between(file.fileno(), start, end):
        if extent.offset is None:
            yield extent.length
            continue
        file.seek(extent.offset)
        left = extent.length
        while left and (data := file.read(min(CHUNK, left))):
            left -= len(data)
            yield data


class SparseWriter:
    """Write a file from its beginning; zeros become holes.

    Args:
        file: an empty file open for writing, in binary mode.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = 0
        """Bytes written so far, holes included."""

    def write(self, data: bytes) -> None:
        """Add ``data``; at most :data:`CHUNK` bytes at a time can become a hole."""
        if data == ZEROS[: len(data)]:
            self.write_zeros(len(data))
            return
        self._file.write(data)
        self.size += len(data)

    def write_zeros(self, count: int) -> None:
        """Add ``count`` zeros."""
        self.size += count
        self._file.seek(self.size)

    def close(self) -> None:
        """Give the file its full length; it stays open."""
        self._file.flush()
        self._file.truncate(self.size)
