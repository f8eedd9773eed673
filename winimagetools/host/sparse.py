"""Files with holes: disk images are mostly holes, and nobody should read or write those.

Where the operating system does not tell holes from data (Windows, some file systems), a file
is one stretch of data and everything still works.
"""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

CHUNK = 1 << 20
"""Bytes read at a time; zeros of this many bytes in a row become a hole when written."""
ZEROS = bytes(CHUNK)
_SHARED_CHUNK = 64 * CHUNK
_CANNOT_SHARE = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF)
"""copy_file_range(2) between or on file systems that do not have it."""


@dataclass(frozen=True)
class Segment:
    """A stretch of a file, in bytes: either data or a hole."""

    start: int
    end: int
    is_data: bool


def segments(handle: int) -> Iterator[Segment]:
    """All of an open file in order, as data and holes.

    Args:
        handle: file descriptor; its position is moved.
    """
    position, size = 0, os.fstat(handle).st_size
    while position < size:
        data = min(_next_data(handle, position, size), size)
        if data > position:
            yield Segment(position, data, is_data=False)
        end = min(_next_hole(handle, data, size), size)
        if end > data:
            yield Segment(data, end, is_data=True)
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
    for segment in segments(file.fileno()):
        if not segment.is_data:
            yield segment.end - segment.start
            continue
        file.seek(segment.start)
        left = segment.end - segment.start
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


def copy(
    source: Path,
    destination: Path,
    *,
    offset: int = 0,
    on_progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Copy ``source`` into a new file, ``offset`` bytes from its beginning, holes kept.

    Blocks are shared instead of copied where the file system can do that.

    Args:
        source: file to read.
        destination: file to make; it must not exist.
        offset: length of the hole in front of the copy.
        on_progress: gets the position in the source reached so far.
    """
    with source.open("rb", buffering=0) as reader, destination.open("xb", buffering=0) as writer:
        writer.truncate(offset + os.fstat(reader.fileno()).st_size)
        for segment in segments(reader.fileno()):
            position = segment.start if segment.is_data else segment.end
            while position < segment.end:
                position += _copy_some(reader, writer, position, segment.end - position, offset)
                on_progress(position)


def _copy_some(reader: io.FileIO, writer: io.FileIO, position: int, count: int, offset: int) -> int:
    copied = 0
    if hasattr(os, "copy_file_range"):
        try:
            copied = os.copy_file_range(
                reader.fileno(),
                writer.fileno(),
                min(count, _SHARED_CHUNK),
                offset_src=position,
                offset_dst=position + offset,
            )
        except OSError as error:
            if error.errno not in _CANNOT_SHARE:
                raise
    if copied:
        return copied
    reader.seek(position)
    writer.seek(position + offset)
    return writer.write(reader.read(min(count, CHUNK)))
