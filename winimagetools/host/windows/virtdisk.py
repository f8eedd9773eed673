"""Virtual disks and ISO files through ``virtdisk.dll``, which needs no Hyper-V.

The functions and structures are those of the Virtual Hard Disk API ("virtdisk.h" in
Microsoft's documentation).
"""

from __future__ import annotations

import ctypes
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from winimagetools.errors import BuildError, MediaError
from winimagetools.formats.images.probe import container_of, refuse_differencing
from winimagetools.model import DiskFormat
from winimagetools.paths import is_iso

VENDOR_MICROSOFT = uuid.UUID("ec984aec-a0f9-47e9-901f-71415a66345b")
DEVICE_ISO, DEVICE_VHD, DEVICE_VHDX = 1, 2, 3
_DEVICES = {DiskFormat.VHD: DEVICE_VHD, DiskFormat.VHDX: DEVICE_VHDX}
ACCESS_ALL = 0x003F0000
ACCESS_READ = 0x000D0000
ATTACH_READ_ONLY = 0x1
_SECTOR_SIZE = 512
_ERROR_INSUFFICIENT_BUFFER = 122


class Guid(ctypes.Structure):
    """``GUID``."""

    _fields_ = (("bytes", ctypes.c_ubyte * 16),)

    @classmethod
    def of(cls, value: uuid.UUID) -> Guid:
        """The structure for a UUID, in the byte order Windows uses."""
        return cls.from_buffer_copy(value.bytes_le)


class StorageType(ctypes.Structure):
    """``VIRTUAL_STORAGE_TYPE``."""

    _fields_ = (("device", ctypes.c_uint32), ("vendor", Guid))


class CreateParameters(ctypes.Structure):
    """``CREATE_VIRTUAL_DISK_PARAMETERS`` version 1.

    What follows the version is a union that begins at a multiple of eight. All three end
    in zeros for the members of later versions, which a newer library may look at.
    """

    _fields_ = (
        ("version", ctypes.c_uint32),
        ("padding", ctypes.c_uint32),
        ("unique_id", Guid),
        ("maximum_size", ctypes.c_uint64),
        ("block_size", ctypes.c_uint32),
        ("sector_size", ctypes.c_uint32),
        ("parent_path", ctypes.c_wchar_p),
        ("source_path", ctypes.c_wchar_p),
        ("later", ctypes.c_ubyte * 128),
    )


class OpenParameters(ctypes.Structure):
    """``OPEN_VIRTUAL_DISK_PARAMETERS`` version 1."""

    _fields_ = (
        ("version", ctypes.c_uint32),
        ("depth", ctypes.c_uint32),
        ("later", ctypes.c_ubyte * 64),
    )


class AttachParameters(ctypes.Structure):
    """``ATTACH_VIRTUAL_DISK_PARAMETERS`` version 1, which holds nothing but zeros."""

    _fields_ = (("version", ctypes.c_uint32), ("reserved", ctypes.c_ubyte * 60))


def storage_type(path: Path) -> StorageType:
    """The storage type a file name stands for.

    Raises:
        BuildError: neither ``.iso`` nor ``.vhd`` nor ``.vhdx``.
    """
    devices = {".vhd": DEVICE_VHD, ".vhdx": DEVICE_VHDX}
    device = DEVICE_ISO if is_iso(path) else devices.get(path.suffix.casefold())
    if device is None:
        raise BuildError(f"{path} is not an .iso, .vhd or .vhdx file.")
    return StorageType(device, Guid.of(VENDOR_MICROSOFT))


def _type_of(path: Path) -> StorageType:
    """The storage type of a file that is there: of a disk by its content, whatever its name.

    Raises:
        BuildError: see :func:`storage_type`.
        DifferencingDiskError: it has a parent.
    """
    found = None
    with suppress(MediaError):  # Windows says better what is wrong with it
        found = None if is_iso(path) else container_of(path)
    if found not in _DEVICES:
        return storage_type(path)
    refuse_differencing(path, found)
    return StorageType(_DEVICES[found], Guid.of(VENDOR_MICROSOFT))


class VirtualDisk:
    """An opened virtual disk or ISO; use :func:`create` or :func:`attached`."""

    def __init__(self, library: Any, handle: ctypes.c_void_p, path: Path) -> None:
        self._library = library
        self._handle = handle
        self._path = path

    def attach(self) -> None:
        """Attach it to this machine until :meth:`detach`, or until the handle is closed."""
        flags = ATTACH_READ_ONLY if is_iso(self._path) else 0
        code = self._library.AttachVirtualDisk(
            self._handle, None, flags, 0, ctypes.byref(AttachParameters(1)), None
        )
        _check(code, "attach", self._path)

    def detach(self) -> None:
        """Take it away again. Port of ``Detach-VirtualDisk``."""
        _check(self._library.DetachVirtualDisk(self._handle, 0, 0), "detach", self._path)

    def physical_path(self) -> str:
        r"""The device it is attached as: ``\\.\PhysicalDrive3``, ``\\.\CDROM1``."""
        size = ctypes.c_uint32(520)
        buffer = ctypes.create_unicode_buffer(size.value // 2)
        code = self._library.GetVirtualDiskPhysicalPath(self._handle, ctypes.byref(size), buffer)
        if code == _ERROR_INSUFFICIENT_BUFFER:
            buffer = ctypes.create_unicode_buffer(size.value // 2)
            code = self._library.GetVirtualDiskPhysicalPath(
                self._handle, ctypes.byref(size), buffer
            )
        _check(code, "find the device of", self._path)
        return buffer.value

    def disk_number(self) -> int:
        """The number of the attached disk."""
        path = self.physical_path()
        digits = path.upper().removeprefix("\\\\.\\PHYSICALDRIVE")
        if not digits.isdigit():
            raise BuildError(f"{self._path} is attached as {path}, which is not a disk.")
        return int(digits)

    def close(self) -> None:
        """Close the handle."""
        self._library.CloseHandle(self._handle)


def load_library() -> Any:
    """``virtdisk.dll``, with ``CloseHandle`` of ``kernel32.dll`` beside it."""
    library = ctypes.WinDLL("virtdisk.dll")  # type: ignore[attr-defined]
    library.CloseHandle = ctypes.WinDLL("kernel32.dll").CloseHandle  # type: ignore[attr-defined]
    return library


def create(path: Path, size: int, library: Any) -> VirtualDisk:
    """Make an expanding virtual disk.

    Args:
        path: ends in ``.vhd`` or ``.vhdx``.
        size: bytes.
        library: from :func:`load_library`.

    Raises:
        BuildError: Windows refused.
    """
    parameters = CreateParameters(
        version=1,
        unique_id=Guid.of(uuid.UUID(int=0)),
        maximum_size=size,
        block_size=0,
        sector_size=_SECTOR_SIZE,
        parent_path=None,
        source_path=None,
    )
    handle = ctypes.c_void_p()
    code = library.CreateVirtualDisk(
        ctypes.byref(storage_type(path)),
        str(path),
        ACCESS_ALL,
        None,
        0,
        0,
        ctypes.byref(parameters),
        None,
        ctypes.byref(handle),
    )
    _check(code, "create", path)
    return VirtualDisk(library, handle, path)


def open_disk(path: Path, library: Any) -> VirtualDisk:
    """Open an existing virtual disk or ISO.

    Raises:
        BuildError: Windows refused.
    """
    handle = ctypes.c_void_p()
    code = library.OpenVirtualDisk(
        ctypes.byref(_type_of(path)),
        str(path),
        ACCESS_READ if is_iso(path) else ACCESS_ALL,
        0,
        ctypes.byref(OpenParameters(1, 0 if is_iso(path) else 1)),
        ctypes.byref(handle),
    )
    _check(code, "open", path)
    return VirtualDisk(library, handle, path)


@contextmanager
def attached(disk: VirtualDisk) -> Iterator[VirtualDisk]:
    """Attach for the length of a block; detach and close whatever happens."""
    try:
        disk.attach()
        try:
            yield disk
        finally:
            disk.detach()
    finally:
        disk.close()


def _check(code: int, verb: str, path: Path) -> None:
    if code:
        raise BuildError(
            f"Windows could not {verb} {path} (error {code & 0xFFFFFFFF}).",
            "Check that the file is whole and that no other program uses it.",
        )
