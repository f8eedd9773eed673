"""Security descriptors and attributes of files in an NTFS volume that is not mounted.

Uses libntfs-3g, the library libwim extracts with. Its "file security API" does nothing
for an ordinary user (``ntfs_initialize_file_security`` asks for uid 0), so the functions
below it are called, the same that libwim calls: ``ntfs_mount``, ``ntfs_get_ntfs_acl``,
``ntfs_set_ntfs_acl``, ``ntfs_get_ntfs_attrib``, ``ntfs_set_ntfs_attrib``.
"""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ctypes import c_char_p, c_int, c_size_t, c_void_p
from pathlib import Path

from winimagetools.errors import BuildError, ToolMissingError
from winimagetools.host.linux import libwim

PACKAGE = "libntfs-3g89"
_SONAMES = ("libntfs-3g.so.89", "libntfs-3g.so.90", "libntfs-3g.so.88", "libntfs-3g.so")
_SIGNATURES: dict[str, tuple[object, tuple[object, ...]]] = {
    "ntfs_mount": (c_void_p, (c_char_p, ctypes.c_ulong)),
    "ntfs_umount": (c_int, (c_void_p, c_int)),
    "ntfs_pathname_to_inode": (c_void_p, (c_void_p, c_void_p, c_char_p)),
    "ntfs_inode_close": (c_int, (c_void_p,)),
    "ntfs_open_secure": (c_int, (c_void_p,)),
    "ntfs_set_char_encoding": (c_int, (c_char_p,)),
    "ntfs_get_ntfs_acl": (c_int, (c_void_p, c_void_p, c_char_p, c_size_t)),
    "ntfs_set_ntfs_acl": (c_int, (c_void_p, c_void_p, c_char_p, c_size_t, c_int)),
    "ntfs_get_ntfs_attrib": (c_int, (c_void_p, c_char_p, c_size_t)),
    "ntfs_set_ntfs_attrib": (c_int, (c_void_p, c_char_p, c_size_t, c_int)),
}


def find_library() -> None:
    """Raise ToolMissingError when libntfs-3g cannot be loaded on this machine."""
    _load()


@functools.cache
def _load() -> ctypes.CDLL:
    """The libntfs-3g that libwim is linked with, or else one of the known names."""
    for candidate in (libwim.LIBRARY, *_SONAMES):
        with suppress(OSError, AttributeError):
            handle = ctypes.CDLL(candidate, use_errno=True)
            for name, (result, arguments) in _SIGNATURES.items():
                function = getattr(handle, name)
                function.restype, function.argtypes = result, arguments
            handle.ntfs_set_char_encoding(b"utf8")
            return handle
    raise ToolMissingError("libntfs-3g", PACKAGE, "set the security descriptors of files")


class NtfsVolume:
    """An NTFS volume in a plain file, opened for changes; a context manager.

    Paths are ``/``-separated, in the letter case the volume has. Changes are complete when
    the block is left.

    Args:
        path: the volume; it must not be mounted.

    Raises:
        ToolMissingError: libntfs-3g is not installed.
        BuildError: the file holds no NTFS volume that may be written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lib = _load()
        self._volume = self._lib.ntfs_mount(os.fsencode(path), 0)
        if not self._volume or self._lib.ntfs_open_secure(self._volume) != 0:
            raise BuildError(f"The NTFS volume {path} cannot be opened: {_reason()}.")
        # SECURITY_CONTEXT begins with the volume; libwim too leaves the rest of it zero.
        self._context = (c_void_p * 32)(self._volume)

    def __enter__(self) -> NtfsVolume:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        failed = self.close()
        if failed and kind is None:
            raise BuildError(f"The NTFS volume {self.path} cannot be completed: {_reason()}.")

    def close(self) -> bool:
        """Write everything out and let go of the volume; whether that failed."""
        volume, self._volume = self._volume, None
        return bool(volume) and self._lib.ntfs_umount(volume, 0) != 0

    def security(self, path: str) -> bytes:
        """The self-relative security descriptor of a file or folder.

        Raises:
            FileNotFoundError: there is no such file.
        """
        with self._inode(path) as inode:
            size = self._lib.ntfs_get_ntfs_acl(self._context, inode, None, 0)
            self._check(size > 0, "read the security descriptor of", path)
            buffer = ctypes.create_string_buffer(size)
            self._lib.ntfs_get_ntfs_acl(self._context, inode, buffer, size)
            return buffer.raw

    def set_security(self, path: str, data: bytes) -> None:
        """Give a file or folder the self-relative security descriptor ``data``.

        Raises:
            FileNotFoundError: there is no such file.
            BuildError: the descriptor is not valid, or no room for it.
        """
        with self._inode(path) as inode:
            code = self._lib.ntfs_set_ntfs_acl(self._context, inode, data, len(data), 0)
            self._check(code == 0, "set the security descriptor of", path)

    def attributes(self, path: str) -> int:
        """The file attribute bits. Raises FileNotFoundError."""
        buffer = ctypes.create_string_buffer(4)
        with self._inode(path) as inode:
            size = self._lib.ntfs_get_ntfs_attrib(inode, buffer, 4)
            self._check(size == 4, "read the attributes of", path)
        return int.from_bytes(buffer.raw, "little")

    def set_attributes(self, path: str, attributes: int) -> None:
        """Set the file attribute bits that may be set. Raises FileNotFoundError."""
        with self._inode(path) as inode:
            code = self._lib.ntfs_set_ntfs_attrib(inode, attributes.to_bytes(4, "little"), 4, 0)
            self._check(code == 0, "set the attributes of", path)

    @contextmanager
    def _inode(self, path: str) -> Iterator[int]:
        inode = self._lib.ntfs_pathname_to_inode(self._volume, None, f"/{path}".encode())
        if not inode:
            raise FileNotFoundError(f"There is no {path} in the NTFS volume {self.path}.")
        try:
            yield inode
        finally:
            closed = self._lib.ntfs_inode_close(inode)
        self._check(closed == 0, "write the record of", path)

    def _check(self, good: bool, action: str, path: str) -> None:
        if not good:
            raise BuildError(f"Could not {action} {path} in {self.path}: {_reason()}.")


def _reason() -> str:
    return os.strerror(ctypes.get_errno())
