"""Copy files and ranges of files as fast as this machine can; holes stay holes.

On Linux the kernel copies, which shares the blocks on XFS and Btrfs where both ends are
aligned to a block; elsewhere the data goes through a buffer.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from winimagetools.errors import BuildError, DiskFullError, MediaError
from winimagetools.files import sparse
from winimagetools.files.access import private_opener
from winimagetools.files.space import is_disk_full
from winimagetools.files.sparse import Extent

_BLOCK = 8 * 1024 * 1024
_BUFFER = 1024 * 1024
"""Larger buffers fall out of the processor's cache and are slower."""
_NO_FAST_COPY = {
    errno.EBADF,
    errno.EINVAL,
    errno.ENOSYS,
    errno.EOPNOTSUPP,
    errno.EPERM,
    errno.EXDEV,
}
"""copy_file_range(2) between or on file systems, or files, that do not have it."""

ProgressCallback = Callable[[int], object]
"""Called with the bytes copied so far, holes included."""


def read_exactly(stream: BinaryIO, count: int) -> bytes:
    """``count`` bytes, fewer only at the end: one system call may return less than asked."""
    data = stream.read(count)
    while len(data) < count and (more := stream.read(count - len(data))):
        data += more
    return data


def cut_short(what: str) -> MediaError:
    """The error for content that ends before its size is reached."""
    return MediaError(f"{what} ends too early.", "The medium is cut off; copy it again.")


def copy_file(
    source: Path,
    destination: Path,
    *,
    offset: int = 0,
    on_progress: ProgressCallback = lambda _: None,
) -> None:
    """Copy ``source`` into a new file, ``offset`` bytes from its beginning, holes kept.

    Only its owner can read the new file: what is copied here may hold passwords.

    Args:
        source: file to read.
        destination: file to make; it must not exist.
        offset: length of the hole in front of the copy.
        on_progress: gets the position in the source reached so far.

    Raises:
        OSError: as the operating system says it; what was written by then stays.
    """
    with (
        source.open("rb", buffering=0) as reader,
        open(destination, "xb", buffering=0, opener=private_opener) as writer,
    ):
        writer.seek(offset)
        _copy(reader, sparse.extents(reader.fileno()), writer, str(source), on_progress)


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
        out = open(destination, "wb", buffering=0, opener=private_opener)  # noqa: SIM115
        with _removed_on_failure(destination), out:
            _copy(stream, extents, out, what, progress or (lambda _: None))
    except OSError as error:
        if is_disk_full(error):
            raise DiskFullError(
                f"There is no room for {what} in {destination.parent}: "
                f"{sum(extent.length for extent in extents)} bytes are needed.",
                "Free some space or choose another folder.",
            ) from error
        raise BuildError(
            f"{what} could not be copied to {destination}: {error.strerror}.",
            "Check the disks of both (dmesg names faults), or work in another folder.",
        ) from error


@contextmanager
def _removed_on_failure(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


def _copy(
    stream: BinaryIO,
    extents: Iterable[Extent],
    out: FileIO,
    what: str,
    progress: ProgressCallback,
) -> None:
    """Add extents at the position of ``out``, which then ends with them."""
    done = 0
    for extent in extents:
        for count in _copy_extent(stream, extent, out, what):
            done += count
            progress(done)
    out.truncate()


def _copy_extent(stream: BinaryIO, extent: Extent, out: FileIO, what: str) -> Iterator[int]:
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


def _copy_block(stream: BinaryIO, position: int, count: int, out: FileIO) -> int:
    # Some kernels return 0 on network file systems although there is more to read.
    if copied := _copy_in_kernel(stream, position, count, out):
        return copied
    stream.seek(position)
    data = stream.read(min(count, _BUFFER))
    view = memoryview(data)
    while view:
        view = view[out.write(view) :]
    return len(data)


def _copy_in_kernel(stream: BinaryIO, position: int, count: int, out: FileIO) -> int:
    """Bytes copied by copy_file_range(2), which only Linux has; 0 when that is not possible."""
    copy_file_range: Callable[..., int] | None = getattr(os, "copy_file_range", None)
    if copy_file_range is None:
        return 0
    try:
        return copy_file_range(stream.fileno(), out.fileno(), count, offset_src=position)
    except OSError as error:
        if error.errno in _NO_FAST_COPY:
            return 0
        raise
