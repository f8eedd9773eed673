"""Copy byte ranges of one file to another as fast as this machine can.

On Linux the kernel copies, which shares the blocks on XFS and Btrfs where both ends are
aligned to a block; elsewhere the data goes through a buffer.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from winimagetools.errors import BuildError, DiskFullError, MediaError

_BLOCK = 8 * 1024 * 1024
_BUFFER = 1024 * 1024
"""Larger buffers fall out of the processor's cache and are slower."""
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_NO_FAST_COPY = {errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EPERM, errno.EOPNOTSUPP}

ProgressCallback = Callable[[int], object]
"""Called with the bytes copied so far."""


@dataclass(frozen=True)
class Extent:
    """A range of a file.

    Args:
        offset: first byte; None for a hole, which reads as zeros.
        length: number of bytes.
    """

    offset: int | None
    length: int


def read_exactly(stream: BinaryIO, count: int) -> bytes:
    """``count`` bytes, fewer only at the end: one system call may return less than asked."""
    data = stream.read(count)
    while len(data) < count and (more := stream.read(count - len(data))):
        data += more
    return data


def cut_short(what: str) -> MediaError:
    """The error for content that ends before its size is reached."""
    return MediaError(f"{what} ends too early.", "The medium is cut off; copy it again.")


def copy_extents(
    stream: BinaryIO,
    extents: Sequence[Extent],
    destination: Path,
    what: str,
    progress: ProgressCallback | None,
) -> None:
    """Write ranges of ``stream`` one after the other to a new file.

    Nothing of it stays when that fails.

    Args:
        stream: where to read.
        extents: what to read; holes become holes of the new file.
        destination: the file to make or replace.
        what: what is copied, for messages.
        progress: called with the bytes copied so far.

    Raises:
        MediaError: the stream ends before an extent does.
        DiskFullError: no room for the copy.
        BuildError: the copy could not be written for another reason.
    """
    try:
        out = destination.open("wb", buffering=0)
        with _removed_on_failure(destination), out:
            done = 0
            for extent in extents:
                for count in _copy_extent(stream, extent, out, what):
                    done += count
                    if progress is not None:
                        progress(done)
            out.truncate(done)
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFullError(
                f"There is no room for {what} in {destination.parent}: "
                f"{sum(extent.length for extent in extents)} bytes are needed.",
                "Free some space or choose another folder.",
            ) from error
        raise BuildError(
            f"{what} could not be copied to {destination}: {error.strerror}."
        ) from error


@contextmanager
def _removed_on_failure(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


def _copy_extent(stream: BinaryIO, extent: Extent, out: BinaryIO, what: str) -> Iterator[int]:
    """Copy one extent in blocks; yields the size of each."""
    if extent.offset is None:
        out.seek(extent.length, os.SEEK_CUR)
        yield extent.length
        return
    position, end = extent.offset, extent.offset + extent.length
    while position < end:
        count = _copy_block(stream, position, min(end - position, _BLOCK), out)
        if count == 0:
            raise cut_short(what)
        position += count
        yield count


def _copy_block(stream: BinaryIO, position: int, count: int, out: BinaryIO) -> int:
    # copy_file_range(2) shares the blocks on XFS and Btrfs where they are aligned and
    # saves the way through user space elsewhere; Linux only.
    copy_file_range = getattr(os, "copy_file_range", None)
    if copy_file_range is not None:
        # Some kernels return 0 on network file systems although there is more to read.
        with suppress(_Unsupported):
            if copied := _in_kernel(copy_file_range, stream, position, count, out):
                return copied
    stream.seek(position)
    data = stream.read(min(count, _BUFFER))
    view = memoryview(data)
    while view:
        view = view[out.write(view) :]
    return len(data)


class _Unsupported(Exception):
    """These two files cannot be copied between inside the kernel."""


def _in_kernel(
    copy_file_range: Callable[..., int], stream: BinaryIO, position: int, count: int, out: BinaryIO
) -> int:
    try:
        return copy_file_range(stream.fileno(), out.fileno(), count, offset_src=position)
    except OSError as error:
        if error.errno in _NO_FAST_COPY:
            raise _Unsupported from error
        raise
