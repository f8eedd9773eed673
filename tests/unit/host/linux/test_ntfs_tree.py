"""What is refused of a volume before it is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from winimagetools.errors import BuildError
from winimagetools.host.linux.ntfs import NtfsVolume
from winimagetools.host.linux.ntfs_tree import NtfsTree
from winimagetools.model import GIB


class Volume:
    """A volume with one file of so many bytes, which nobody can read whole."""

    def __init__(self, size: int) -> None:
        self._size = size

    def attributes(self, _: str) -> int:
        """None."""
        return 0

    @contextmanager
    def reader(self, _: str) -> Iterator[tuple[int, Any]]:
        """Says what was asked for."""
        yield self._size, lambda at, length: f"{at}+{length}".encode()


def read(size: int) -> bytes:
    """What is read of a file."""
    return NtfsTree(cast(NtfsVolume, Volume(size))).read_bytes(r"Windows\SOFTWARE")


def test_a_file_of_holes() -> None:
    """Has no bytes on the disk, and too many for the memory."""
    with pytest.raises(BuildError, match=r"SOFTWARE has 16.0 TiB, too much to be read at once"):
        read(16384 * GIB)
    assert read(GIB) == b"0+1073741824"
