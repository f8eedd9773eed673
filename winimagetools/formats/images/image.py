"""What all readers of disk images have in common."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path

from winimagetools.errors import MediaError
from winimagetools.model import DiskFormat

_CONVERT = "Make an image of its own of it with qemu-img convert."
_MERGE = {
    DiskFormat.VHD: "Merge it with its parent on Windows: Convert-VHD.",
    DiskFormat.VHDX: "Merge it with its parent on Windows: Convert-VHD.",
}
"""qemu-img takes such a VHD for a whole one, and such a VHDX not at all."""


class DifferencingDiskError(MediaError):
    """The image holds what differs from another one, its parent."""


class Image(ABC):
    """The disk in an image file, for reading; a context manager.

    Args:
        path: the file.

    Attributes:
        size: bytes of the disk.
        sector: bytes of a logical sector where the container says it; 0 where it does not.
        fixed: all of the disk is in the file, though the container could leave parts out.

    Raises:
        MediaError: the file is damaged, or needs another file to be complete.
    """

    format: DiskFormat
    sector = 0
    fixed = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            self._length = os.fstat(self._handle).st_size
            self._open()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Image:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._handle >= 0:
            os.close(self._handle)
        self._handle = -1

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the disk; fewer only where the disk ends.

        Raises:
            MediaError: the image is damaged.
        """
        length = min(length, self.size - offset)
        parts: list[bytes] = []
        while length > 0:
            part = self._some(offset, length)
            parts.append(part)
            offset += len(part)
            length -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    @abstractmethod
    def _open(self) -> None:
        """Read what is needed to find data; sets ``size``."""

    @abstractmethod
    def _some(self, offset: int, length: int) -> bytes:
        """At least one and at most ``length`` bytes from ``offset``, all of them on the disk."""

    def _stored(self, offset: int, length: int) -> bytes:
        """Bytes of the file. Raises MediaError where it ends before."""
        data = _read_at(self._handle, offset, length) if 0 <= offset < self._length else b""
        if len(data) < length or length < 0:
            raise self._damaged(f"it ends before byte {offset + length}")
        return data

    def _damaged(self, reason: str) -> MediaError:
        return MediaError(
            f"The {self.format} image {self.path} is damaged: {reason}.", "Use another copy of it."
        )

    def _differencing(self) -> DifferencingDiskError:
        return DifferencingDiskError(
            f"The {self.format} image {self.path} holds only the differences to another disk.",
            _MERGE.get(self.format, _CONVERT),
        )

    def _incomplete(self, reason: str) -> MediaError:
        return MediaError(
            f"The {self.format} image {self.path} cannot be read: {reason}.", _CONVERT
        )


class RawImage(Image):
    """An image that is nothing but the disk."""

    format = DiskFormat.RAW

    def _open(self) -> None:
        self.size = self._length

    def _some(self, offset: int, length: int) -> bytes:
        return self._stored(offset, length)


def _read_at(handle: int, offset: int, length: int) -> bytes:
    if hasattr(os, "pread"):
        data = os.pread(handle, length, offset)
        while len(data) < length and (
            more := os.pread(handle, length - len(data), offset + len(data))
        ):
            data += more
        return data
    os.lseek(handle, offset, os.SEEK_SET)
    return os.read(handle, length)
