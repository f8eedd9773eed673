"""The C side of libntfs-3g: functions, and a device that is a range of something of ours.

Facts are from the headers ``volume.h``, ``device.h``, ``dir.h``, ``attrib.h`` of ntfs-3g; the
structures named here are the same in all releases since 2011. Its "file security API" does
nothing for an ordinary user (``ntfs_initialize_file_security`` asks for uid 0), so the
functions below it are called, the same that libwim calls.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
from collections.abc import Callable
from contextlib import suppress
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char_p,
    c_int,
    c_int64,
    c_size_t,
    c_uint,
    c_uint8,
    c_uint32,
    c_uint64,
    c_ulong,
    c_void_p,
)
from dataclasses import dataclass

from winimagetools.errors import ToolMissingError
from winimagetools.host.linux import libwim

PACKAGE = "libntfs-3g89"
_SONAMES = ("libntfs-3g.so.89", "libntfs-3g.so.90", "libntfs-3g.so.88", "libntfs-3g.so")

READ_ONLY = 1
"""NTFS_MNT_RDONLY."""
DATA, VOLUME_INFORMATION = 0x80, 0x70
"""Types of attributes."""
FIRST_USER_RECORD = 16
"""MFT records below it are files of NTFS itself."""
FOLDER, FILE = 0o040000, 0o100000
DOS_NAME, IS_FOLDER = 2, 4

FillDir = CFUNCTYPE(
    c_int, c_void_p, c_void_p, c_int, c_int, c_int64, c_uint64, c_uint, use_errno=True
)
"""Gets a name, its length in 16-bit units, its kind, a position, the file and its type."""

_SIGNATURES: dict[str, tuple[object, tuple[object, ...]]] = {
    "ntfs_mount": (c_void_p, (c_char_p, c_ulong)),
    "ntfs_umount": (c_int, (c_void_p, c_int)),
    "ntfs_device_alloc": (c_void_p, (c_char_p, c_ulong, c_void_p, c_void_p)),
    "ntfs_device_free": (c_int, (c_void_p,)),
    "ntfs_device_mount": (c_void_p, (c_void_p, c_ulong)),
    "ntfs_create_lru_caches": (None, (c_void_p,)),
    "ntfs_volume_check_hiberfile": (c_int, (c_void_p, c_int)),
    "ntfs_check_logfile": (c_int, (c_void_p, POINTER(c_void_p))),
    "ntfs_is_logfile_clean": (c_int, (c_void_p, c_void_p)),
    "ntfs_pathname_to_inode": (c_void_p, (c_void_p, c_void_p, c_char_p)),
    "ntfs_inode_open": (c_void_p, (c_void_p, c_uint64)),
    "ntfs_inode_close": (c_int, (c_void_p,)),
    "ntfs_readdir": (c_int, (c_void_p, POINTER(c_int64), c_void_p, FillDir)),
    "ntfs_create": (c_void_p, (c_void_p, c_uint32, c_char_p, c_uint8, c_uint32)),
    "ntfs_delete": (c_int, (c_void_p, c_char_p, c_void_p, c_void_p, c_char_p, c_uint8)),
    "ntfs_attr_open": (c_void_p, (c_void_p, c_uint32, c_void_p, c_uint32)),
    "ntfs_attr_close": (None, (c_void_p,)),
    "ntfs_attr_pread": (c_int64, (c_void_p, c_int64, c_int64, c_void_p)),
    "ntfs_attr_pwrite": (c_int64, (c_void_p, c_int64, c_int64, c_char_p)),
    "ntfs_attr_truncate": (c_int, (c_void_p, c_int64)),
    "ntfs_get_ntfs_reparse_data": (c_int, (c_void_p, c_char_p, c_size_t)),
    "ntfs_open_secure": (c_int, (c_void_p,)),
    "ntfs_set_char_encoding": (c_int, (c_char_p,)),
    "ntfs_get_ntfs_acl": (c_int, (c_void_p, c_void_p, c_char_p, c_size_t)),
    "ntfs_set_ntfs_acl": (c_int, (c_void_p, c_void_p, c_char_p, c_size_t, c_int)),
    "ntfs_get_ntfs_attrib": (c_int, (c_void_p, c_char_p, c_size_t)),
    "ntfs_set_ntfs_attrib": (c_int, (c_void_p, c_char_p, c_size_t, c_int)),
}


class Attribute(Structure):
    """``ntfs_attr``, up to the size of its content."""

    _fields_ = (
        ("run_list", c_void_p),
        ("inode", c_void_p),
        ("type", c_uint32),
        ("flags", c_uint32),
        ("name", c_void_p),
        ("name_length", c_uint32),
        ("state", c_ulong),
        ("allocated_size", c_int64),
        ("data_size", c_int64),
    )


class Inode(Structure):
    """``ntfs_inode``, up to its MFT record."""

    _fields_ = (("number", c_uint64), ("record", c_void_p))


@functools.cache
def load() -> ctypes.CDLL:
    """The libntfs-3g that libwim is linked with, or else one of the known names.

    Raises:
        ToolMissingError: it is not installed.
    """
    for candidate in (libwim.LIBRARY, *_SONAMES):
        with suppress(OSError, AttributeError):
            handle = ctypes.CDLL(candidate, use_errno=True)
            for name, (result, arguments) in _SIGNATURES.items():
                function = getattr(handle, name)
                function.restype, function.argtypes = result, arguments
            handle.ntfs_set_char_encoding(b"utf8")
            return handle
    raise ToolMissingError("libntfs-3g", PACKAGE, "read and write NTFS volumes")


def reason() -> str:
    """Why the last call failed."""
    return os.strerror(ctypes.get_errno())


def unnamed(library: ctypes.CDLL) -> int:
    """The name of attributes without a name, which the library knows by its address."""
    return ctypes.addressof(c_uint8.in_dll(library, "AT_UNNAMED"))


def copied(name: bytes) -> int:
    """A name in memory of the C library: closing an attribute frees its name."""
    allocate = ctypes.CDLL(None).malloc
    allocate.restype, allocate.argtypes = c_void_p, (c_size_t,)
    place: int = allocate(len(name))
    ctypes.memmove(place, name, len(name))
    return place


def release(memory: c_void_p) -> None:
    """Give back memory the library allocated; nothing happens for a null pointer."""
    function = ctypes.CDLL(None).free
    function.restype, function.argtypes = None, (c_void_p,)
    function(memory)


@dataclass(frozen=True)
class Range:
    """Where a volume lies.

    Args:
        name: what to call it in messages.
        size: its bytes.
        read: reads from an offset in it so many bytes.
        write: writes bytes at an offset; None where nothing may be written.
        sync: waits until what was written is on the disk.
    """

    name: str
    size: int
    read: Callable[[int, int], bytes]
    write: Callable[[int, bytes], None] | None = None
    sync: Callable[[], None] = lambda: None


class _Device(Structure):
    """``struct ntfs_device``."""

    _fields_ = (
        ("operations", c_void_p),
        ("state", c_ulong),
        ("name", c_char_p),
        ("private", c_void_p),
        ("heads", c_int),
        ("sectors_per_track", c_int),
    )


_OPEN, _READ_ONLY, _DIRTY = 1, 2, 4
"""Bits of the state of a device."""
_Open = CFUNCTYPE(c_int, POINTER(_Device), c_int, use_errno=True)
_Simple = CFUNCTYPE(c_int, POINTER(_Device), use_errno=True)
_Seek = CFUNCTYPE(c_int64, POINTER(_Device), c_int64, c_int, use_errno=True)
_Stream = CFUNCTYPE(c_int64, POINTER(_Device), c_void_p, c_int64, use_errno=True)
_At = CFUNCTYPE(c_int64, POINTER(_Device), c_void_p, c_int64, c_int64, use_errno=True)
_Stat = CFUNCTYPE(c_int, POINTER(_Device), c_void_p, use_errno=True)
_Control = CFUNCTYPE(c_int, POINTER(_Device), c_ulong, c_void_p, use_errno=True)


class _Operations(Structure):
    """``struct ntfs_device_operations``."""

    _fields_ = (
        ("open", _Open),
        ("close", _Simple),
        ("seek", _Seek),
        ("read", _Stream),
        ("write", _Stream),
        ("pread", _At),
        ("pwrite", _At),
        ("sync", _Simple),
        ("stat", _Stat),
        ("ioctl", _Control),
    )


class RangeDevice:
    """A range as the library's device. It must outlive the volume mounted from it.

    Attributes:
        failure: the first exception that reading or writing raised.
    """

    def __init__(self, place: Range) -> None:
        self._place = place
        self._position = 0
        self.failure: Exception | None = None
        self._operations = _Operations(
            _Open(self._open),
            _Simple(self._close),
            _Seek(self._seek),
            _Stream(lambda _, buffer, count: self._stream(self._read, buffer, count)),
            _Stream(lambda _, buffer, count: self._stream(self._write, buffer, count)),
            _At(lambda _, buffer, count, at: self._read(buffer, count, at)),
            _At(lambda _, buffer, count, at: self._write(buffer, count, at)),
            _Simple(self._sync),
            _Stat(lambda *_: _refuse(errno.EOPNOTSUPP)),
            _Control(lambda *_: _refuse(errno.EOPNOTSUPP)),
        )

    def mount(self, library: ctypes.CDLL) -> int | None:
        """The volume on it; None when there is none that can be used, see :func:`reason`."""
        name = self._place.name.encode(errors="surrogateescape")
        device = library.ntfs_device_alloc(name, 0, ctypes.addressof(self._operations), None)
        flags = READ_ONLY if self._place.write is None else 0
        volume: int | None = library.ntfs_device_mount(device, flags)
        if volume:
            # As ntfs_mount does; without them reparse points cannot be set.
            library.ntfs_create_lru_caches(volume)
        else:
            why = ctypes.get_errno()
            library.ntfs_device_free(device)
            ctypes.set_errno(why)
        return volume

    def _open(self, device: object, _: int) -> int:
        state = _OPEN | (_READ_ONLY if self._place.write is None else 0)
        device.contents.state |= state  # type: ignore[attr-defined]
        return 0

    def _close(self, device: object) -> int:
        device.contents.state &= ~(_OPEN | _DIRTY)  # type: ignore[attr-defined]
        return 0

    def _seek(self, _: object, offset: int, whence: int) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._place.size}
        self._position = base[whence] + offset
        return self._position

    def _stream(self, action: Callable[[int, int, int], int], buffer: int, count: int) -> int:
        done = action(buffer, count, self._position)
        self._position += max(done, 0)
        return done

    def _read(self, buffer: int, count: int, at: int) -> int:
        try:
            data = self._place.read(at, max(min(count, self._place.size - at), 0))
        except Exception as error:
            return self._failed(error)
        ctypes.memmove(buffer, data, len(data))
        return len(data)

    def _write(self, buffer: int, count: int, at: int) -> int:
        if self._place.write is None or at < 0 or at + count > self._place.size:
            return _refuse(errno.EROFS)
        try:
            self._place.write(at, ctypes.string_at(buffer, count))
        except Exception as error:
            return self._failed(error)
        return count

    def _sync(self, _: object) -> int:
        try:
            self._place.sync()
        except Exception as error:
            return self._failed(error)
        return 0

    def _failed(self, error: Exception) -> int:
        """What went wrong is told once the library has come back."""
        self.failure = self.failure or error
        return _refuse(getattr(error, "errno", None) or errno.EIO)


def _refuse(code: int) -> int:
    ctypes.set_errno(code)
    return -1
