"""Ranges of files taken and moved by the file system itself, without their data: Linux only.

``fallocate(2)`` takes room for data that come later, cuts ranges out of a file and inserts holes
(ext4 since Linux 3.15 and 4.1, XFS likewise); ``FICLONERANGE`` of ``ioctl_ficlonerange(2)`` lets
two files share data (XFS and Btrfs). All of it works on whole blocks of the file system, and
fails where it is not known.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

_KEEP_SIZE, _COLLAPSE_RANGE, _INSERT_RANGE = 0x01, 0x08, 0x20
"""FALLOC_FL_KEEP_SIZE and its like of linux/falloc.h."""
_FICLONERANGE = 0x4020940D
"""_IOW(0x94, 13, struct file_clone_range) of linux/fs.h."""
_UNKNOWN = {
    errno.EINVAL,
    errno.ENOSYS,
    errno.ENOTTY,
    errno.EOPNOTSUPP,
    errno.EPERM,
    errno.EXDEV,
    errno.ETXTBSY,
}


class RangesUnsupportedError(Exception):
    """This file system, or this system, has no such operation; nothing was changed."""


def reserve(handle: int, offset: int, length: int) -> None:
    """Give a range of an open file blocks where it has none; they read as zeros, like a hole.

    Args:
        handle: a file that is open for writing; its length stays.
        offset: where the range begins.
        length: its bytes.

    Raises:
        RangesUnsupportedError: it does not work here.
        OSError: it failed, perhaps in the middle.
    """
    _fallocate(handle, _KEEP_SIZE, offset, length)


def collapse(handle: int, offset: int, length: int) -> None:
    """Cut a range out of an open file; what follows it moves up.

    Args:
        handle: a file that is open for writing.
        offset: where the range begins, at a block of the file system.
        length: whole blocks; the range must end before the file does.

    Raises:
        RangesUnsupportedError: it does not work here.
        OSError: it failed.
    """
    _fallocate(handle, _COLLAPSE_RANGE, offset, length)


def insert(handle: int, offset: int, length: int) -> None:
    """Put a hole into an open file; what follows moves back.

    Args:
        handle: a file that is open for writing.
        offset: where the hole begins, at a block of the file system and before its end.
        length: whole blocks.

    Raises:
        RangesUnsupportedError: it does not work here.
        OSError: it failed.
    """
    _fallocate(handle, _INSERT_RANGE, offset, length)


def clone(source: int, start: int, length: int, target: int, offset: int) -> None:
    """Let a range of an open file share the data of a range of another one.

    Args:
        source: the file that has the data.
        start: where the range begins, at a block of the file system.
        length: whole blocks, or up to the end of ``source``.
        target: a file that is open for writing.
        offset: where the range will be, at a block of the file system.

    Raises:
        RangesUnsupportedError: it does not work here.
        OSError: it failed.
    """
    try:
        import fcntl
    except ImportError as error:
        raise RangesUnsupportedError from error
    try:
        fcntl.ioctl(target, _FICLONERANGE, struct.pack("qQQQ", source, start, length, offset))
    except OSError as error:
        raise _told(error) from error


def _fallocate(handle: int, mode: int, offset: int, length: int) -> None:
    """The call that Python has not: ``os.posix_fallocate`` knows no modes."""
    try:
        function = ctypes.CDLL(None, use_errno=True).fallocate64
    except (AttributeError, OSError, TypeError) as error:
        raise RangesUnsupportedError from error
    function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    if function(handle, mode, offset, length) != 0:
        code = ctypes.get_errno()
        raise _told(OSError(code, os.strerror(code)))


def _told(error: OSError) -> Exception:
    return RangesUnsupportedError(str(error)) if error.errno in _UNKNOWN else error
