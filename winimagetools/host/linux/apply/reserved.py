"""Room in the target for contents, taken before they are written.

ext4 lets one process at a time write where a file has no blocks yet, and only until the disk has
taken what it wrote; where there are blocks all of them write at once (``ext4_dio_write_checks`` of
Linux since 6.3). Taken in one go, the contents also lie in few pieces. A file system without a
disk of its own (tmpfs, and Btrfs, which writes data elsewhere anyway) would only have more to do.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from winimagetools.files.ranges import RangesUnsupportedError, reserve
from winimagetools.host.linux.clusters import clear


class Reserved:
    """Blocks of the target that a volume's contents will need.

    It only makes writing faster: what cannot be had is left to those who write.

    Args:
        target: the file.
        start: where the volume begins in it.
        size: bytes of the volume.
        cluster: bytes of a cluster.
    """

    def __init__(self, target: Path, start: int, size: int, cluster: int) -> None:
        self._target, self._start, self._cluster = target, start, cluster
        self._count = size // cluster
        self._first = self._end = 0

    def take(self, first: int, count: int) -> None:
        """Take room for clusters where nothing is yet; what is behind the volume is left alone."""
        end = min(first + count, self._count)
        if first >= end:
            return
        handle = os.open(self._target, os.O_WRONLY | os.O_CLOEXEC)
        try:
            if not os.major(os.fstat(handle).st_dev):
                return
            reserve(handle, *self._range(first, end))
            self._first, self._end = first, end
        except RangesUnsupportedError:
            return
        except OSError:  # of a full disk it has taken what there was
            with suppress(OSError):
                clear(handle, *self._range(first, end))
        finally:
            os.close(handle)

    def give_back(self, places: Iterable[tuple[int, int]]) -> None:
        """Make a hole again of all that is no content.

        Args:
            places: first cluster and number of clusters of each content.

        Raises:
            OSError: as the operating system says it.
        """
        if self._first == self._end:
            return
        handle = os.open(self._target, os.O_RDWR | os.O_CLOEXEC)
        try:
            at = self._first
            for first, count in (*sorted(places), (self._end, 0)):
                if at < min(first, self._end):
                    clear(handle, *self._range(at, min(first, self._end)))
                at = max(at, first + count)
        finally:
            os.close(handle)

    def _range(self, first: int, end: int) -> tuple[int, int]:
        return self._start + first * self._cluster, (end - first) * self._cluster
