"""NTFS volumes that are not mounted: folders, content, attributes, security descriptors.

Paths are ``/``-separated and looked up without regard to case. Nothing here needs a right that
an ordinary user lacks.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import byref, c_int64, c_void_p
from dataclasses import dataclass
from pathlib import Path

from winimagetools.errors import BuildError, DiskFullError, WinImageError
from winimagetools.files.space import is_disk_full
from winimagetools.files.upcase import fold
from winimagetools.formats import mft
from winimagetools.host.linux import libntfs
from winimagetools.host.linux.libntfs import Range, RangeDevice, reason

FOLDER, REPARSE_POINT, ENCRYPTED = 0x10, 0x400, 0x4000
SPARSE, COMPRESSED = 0x200, 0x800
_MFT_RECORD, _LOG_RECORD, _VOLUME_RECORD, _BITMAP_RECORD = 0, 2, 3, 6
_LINK_COUNT = 18
"""Where an MFT record has it."""
_CHUNK = 1 << 18
Read = Callable[[int, int], bytes]
"""Reads from an offset, the first argument, so many bytes, the second; fewer at the end."""
_DIRTY_FLAGS = 0xFF
"""The low byte of a volume's flags: repair, resize, upgrade and the like is due."""


def find_library() -> None:
    """Raise ToolMissingError when libntfs-3g cannot be loaded on this machine."""
    libntfs.load()


@dataclass(frozen=True)
class Item:
    """A name in a folder."""

    name: str
    is_dir: bool


class NtfsVolume:
    """An NTFS volume that is open; a context manager.

    Changes are complete when the block is left.

    Args:
        place: a file that holds nothing but the volume, opened for changes; or a range of
            something else. It must not be mounted.

    Raises:
        ToolMissingError: libntfs-3g is not installed.
        BuildError: there is no NTFS volume that can be used.
    """

    def __init__(self, place: Path | Range) -> None:
        self.path = place if isinstance(place, Path) else place.name
        self._lib = libntfs.load()
        self._device = RangeDevice(place) if isinstance(place, Range) else None
        self._writable = not isinstance(place, Range) or place.write is not None
        ctypes.set_errno(0)
        if self._device is not None:
            self._volume = self._device.mount(self._lib)
        else:
            self._volume = self._lib.ntfs_mount(os.fsencode(str(place)), 0)
        if not self._volume or self._lib.ntfs_open_secure(self._volume) != 0:
            raise self._error(f"The NTFS volume {self.path} cannot be opened: {reason()}.")
        self._spellings: dict[str, dict[str, str]] = {}
        # SECURITY_CONTEXT begins with the volume; libwim too leaves the rest of it zero.
        self._context = (c_void_p * 32)(self._volume)

    def __enter__(self) -> NtfsVolume:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        failed = self.close()
        if failed and kind is None:
            raise self._error(f"The NTFS volume {self.path} cannot be completed: {reason()}.")

    def close(self) -> bool:
        """Write everything out and let go of the volume; whether that failed."""
        volume, self._volume = self._volume, None
        return bool(volume) and self._lib.ntfs_umount(volume, 0) != 0

    # --- the volume as a whole --------------------------------------------------------

    def is_clean(self) -> bool:
        """Whether Windows would find nothing to repair: no flag set, and an empty log."""
        with self._record(_VOLUME_RECORD) as inode:
            information = self._value(inode, libntfs.VOLUME_INFORMATION)
        flags = int.from_bytes(information[10:12], "little")
        return not flags & _DIRTY_FLAGS and self._is_log_clean()

    def _is_log_clean(self) -> bool:
        with self._record(_LOG_RECORD) as inode, self._attribute(inode, libntfs.DATA) as log:
            page = c_void_p()
            if not self._lib.ntfs_check_logfile(log, byref(page)):
                return False
            try:
                return bool(self._lib.ntfs_is_logfile_clean(log, page))
            finally:
                libntfs.release(page)

    def bitmap(self) -> bytes:
        """A bit for each cluster, the lowest first: whether something uses it."""
        with self._record(_BITMAP_RECORD) as inode, self._attribute(inode, libntfs.DATA) as data:
            return self._reading(data, "$Bitmap")(0, libntfs.Attribute.from_address(data).data_size)

    def is_hibernated(self) -> bool:
        """Whether a Windows sleeps in it that will go on with what it remembers."""
        return bool(self._lib.ntfs_volume_check_hiberfile(self._volume, 0) != 0)

    def wipe_unused_records(self) -> None:
        """Overwrite what MFT records of deleted files still hold: small files lie in them."""
        self._change("$MFT")
        with self._record(_MFT_RECORD) as inode, self._attribute(inode, libntfs.DATA) as data:
            read = self._reading(data, "$MFT")
            length = int.from_bytes(read(0, 32)[28:32], "little")
            step = _CHUNK // length * length
            for start in range(0, libntfs.Attribute.from_address(data).data_size, step):
                block = read(start, step)
                for at in range(0, len(block), length):
                    record = block[at : at + length]
                    if (new := mft.wiped(record)) != record:
                        done = self._lib.ntfs_attr_pwrite(data, start + at, length, new)
                        self._check(done == length, "wipe a record of", "$MFT")

    # --- folders ----------------------------------------------------------------------

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder."""
        return self.spelled(path) is not None

    def spelled(self, path: str) -> str | None:
        """A path in the letter case the volume has; None when there is no such thing.

        The library could ignore case itself, but then it lists all names in lower case.
        """
        inode = self._lib.ntfs_pathname_to_inode(self._volume, None, _encoded(path))
        if inode:
            self._lib.ntfs_inode_close(inode)
            return path
        self._raise_failure()
        if not path:
            return None
        above, _, name = path.rpartition("/")
        folder = self.spelled(above)
        found = self._names(folder).get(fold(name)) if folder is not None else None
        return None if found is None else f"{folder}/{found}".lstrip("/")

    def _names(self, folder: str) -> dict[str, str]:
        """The names in a folder by folded name; empty when it is a file."""
        if folder not in self._spellings:
            plain = self.attributes(folder) & FOLDER
            items = self.items(folder) if plain else []
            self._spellings[folder] = {fold(item.name): item.name for item in items}
        return self._spellings[folder]

    def is_dir(self, path: str) -> bool:
        """Whether there is a folder; one that leads elsewhere (a junction) is none."""
        if not self.exists(path):
            return False
        found = self.attributes(path)
        return bool(found & FOLDER) and not found & REPARSE_POINT

    def items(self, path: str) -> list[Item]:
        """What is in a folder, without the files of NTFS itself.

        Raises:
            FileNotFoundError: there is no such folder.
        """
        found: list[Item] = []

        def add(
            _: object, name: int, length: int, kind: int, _at: int, reference: int, of: int
        ) -> int:
            text = ctypes.string_at(name, 2 * length).decode("utf-16-le", "surrogatepass")
            ours = reference & 0xFFFFFFFFFFFF >= libntfs.FIRST_USER_RECORD
            if kind != libntfs.DOS_NAME and ours and text not in (".", ".."):
                found.append(Item(text, of == libntfs.IS_FOLDER))
            return 0

        with self._inode(path) as inode:
            position = c_int64(0)
            code = self._lib.ntfs_readdir(inode, byref(position), None, libntfs.FillDir(add))
        self._check(code == 0, "list", path)
        return found

    # --- content ----------------------------------------------------------------------

    @contextmanager
    def reader(self, path: str, stream: str = "") -> Iterator[tuple[int, Read]]:
        """A file opened for reading: its size, and what reads from an offset so many bytes.

        Args:
            path: the file.
            stream: one of its other streams.

        Raises:
            FileNotFoundError: there is no such file or stream.
        """
        with self._inode(path) as inode, self._attribute(inode, libntfs.DATA, stream, path) as data:
            yield libntfs.Attribute.from_address(data).data_size, self._reading(data, path)

    def reparse_data(self, path: str) -> bytes:
        """What a reparse point says, its tag first; empty for anything else."""
        with self._inode(path) as inode:
            size = self._lib.ntfs_get_ntfs_reparse_data(inode, None, 0)
            if size <= 0:
                return b""
            buffer = ctypes.create_string_buffer(size)
            self._lib.ntfs_get_ntfs_reparse_data(inode, buffer, size)
            return buffer.raw

    def create(self, path: str, *, is_dir: bool) -> None:
        """Make a file or folder that does not exist, in a folder that does."""
        self._change(path)
        above, _, name = path.rpartition("/")
        encoded = name.encode("utf-16-le", "surrogatepass")
        kind = libntfs.FOLDER if is_dir else libntfs.FILE
        with self._inode(above) as folder:
            made = self._lib.ntfs_create(folder, 0, encoded, len(encoded) // 2, kind)
            self._check(bool(made), "create", path)
            self._check(self._lib.ntfs_inode_close(made) == 0, "create", path)

    def write(self, path: str, parts: Iterator[bytes]) -> None:
        """Give a file that exists other content.

        Raises:
            DiskFullError: the volume is full.
        """
        self._change(path)
        with self._inode(path) as inode, self._attribute(inode, libntfs.DATA, "", path) as data:
            at = 0
            for part in parts:
                while part:
                    done = self._lib.ntfs_attr_pwrite(data, at, len(part), part)
                    self._check(done > 0, "write", path)
                    at, part = at + done, part[done:]
            self._check(self._lib.ntfs_attr_truncate(data, at) == 0, "write", path)

    def remove(self, path: str) -> None:
        """Remove a file, or a folder that is empty. Raises FileNotFoundError."""
        path = self.spelled(path) or path
        self._change(path)
        above, _, name = path.rpartition("/")
        encoded = name.encode("utf-16-le", "surrogatepass")
        inode = self._open(path)
        folder = self._open(above)
        # Both inodes are closed by the call, whatever comes of it.
        code = self._lib.ntfs_delete(self._volume, None, inode, folder, encoded, len(encoded) // 2)
        self._check(code == 0, "remove", path)

    # --- attributes and security descriptors ----------------------------------------------

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
        self._change(path)
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
        self._change(path)
        with self._inode(path) as inode:
            code = self._lib.ntfs_set_ntfs_attrib(inode, attributes.to_bytes(4, "little"), 4, 0)
            self._check(code == 0, "set the attributes of", path)

    # --- inside -------------------------------------------------------------------------

    def _change(self, path: str) -> None:
        """What every change begins with."""
        if not self._writable:
            raise BuildError(f"{path} cannot be changed: {self.path} was opened for reading only.")
        self._spellings.clear()

    def _open(self, path: str) -> int:
        inode: int | None = self._lib.ntfs_pathname_to_inode(self._volume, None, _encoded(path))
        if not inode and (other := self.spelled(path)) not in (None, path):
            inode = self._lib.ntfs_pathname_to_inode(self._volume, None, _encoded(other or ""))
        if not inode:
            self._raise_failure()
            raise FileNotFoundError(f"There is no {path} in the NTFS volume {self.path}.")
        return inode

    def names(self, path: str) -> int:
        """How many names a file has, short ones included. Raises FileNotFoundError."""
        with self._inode(path) as inode:
            record = libntfs.Inode.from_address(inode).record
            return int.from_bytes(ctypes.string_at(record + _LINK_COUNT, 2), "little")

    @contextmanager
    def _inode(self, path: str) -> Iterator[int]:
        inode = self._open(path)
        try:
            yield inode
        finally:
            closed = self._lib.ntfs_inode_close(inode)
        self._check(closed == 0, "write the record of", path)

    @contextmanager
    def _record(self, number: int) -> Iterator[int]:
        inode = self._lib.ntfs_inode_open(self._volume, number)
        self._check(bool(inode), "read", f"MFT record {number}")
        try:
            yield inode
        finally:
            self._lib.ntfs_inode_close(inode)

    @contextmanager
    def _attribute(self, inode: int, kind: int, name: str = "", path: str = "") -> Iterator[int]:
        encoded = name.encode("utf-16-le")
        pointer = libntfs.copied(encoded) if encoded else libntfs.unnamed(self._lib)
        attribute = self._lib.ntfs_attr_open(inode, kind, pointer, len(encoded) // 2)
        if not attribute:
            self._raise_failure()
            raise FileNotFoundError(f"{path} in {self.path} has no content to be read.")
        try:
            yield attribute
        finally:
            self._lib.ntfs_attr_close(attribute)

    def _reading(self, attribute: int, path: str) -> Read:
        buffer = ctypes.create_string_buffer(_CHUNK)

        def read(at: int, length: int) -> bytes:
            done = bytearray()
            while len(done) < length:
                count = min(length - len(done), _CHUNK)
                got = self._lib.ntfs_attr_pread(attribute, at + len(done), count, buffer)
                self._check(got >= 0, "read", path)
                if got == 0:
                    break
                done += memoryview(buffer)[:got]
            return bytes(done)

        return read

    def _value(self, inode: int, kind: int) -> bytes:
        with self._attribute(inode, kind) as attribute:
            return self._reading(attribute, "an attribute")(0, 256)

    def _check(self, good: bool, action: str, path: str) -> None:
        if not good:
            raise self._error(f"Could not {action} {path} in {self.path}: {reason()}.")

    def _error(self, message: str) -> WinImageError:
        """What to raise for a failed call: full, what reading or writing said, or this."""
        code = ctypes.get_errno()
        self._raise_failure()
        if is_disk_full(OSError(code, "")):
            return DiskFullError(message, "There is too little room on the Windows volume.")
        return BuildError(message, "The file system may be damaged; see chkdsk in Windows.")

    def _raise_failure(self) -> None:
        if self._device is not None and self._device.failure is not None:
            failure, self._device.failure = self._device.failure, None
            raise failure


def _encoded(path: str) -> bytes:
    return f"/{path}".encode(errors="surrogatepass")
