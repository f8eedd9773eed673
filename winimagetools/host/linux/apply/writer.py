"""What a worker does: unpack contents and write them to their places on the volume."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from pathlib import Path

from winimagetools.host.linux.apply.blobs import Blob, Blobs, Buffer
from winimagetools.host.linux.apply.calls import LayoutError, Runs
from winimagetools.host.linux.apply.units import Item

_BUFFER = 2 << 20
_PAGE = 4096


class Target:
    """A range of a file, written past the page cache where the file system lets it.

    Args:
        path: the file.
        start: where the range begins.
    """

    def __init__(self, path: Path, start: int) -> None:
        self._start = start
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_DIRECT | os.O_CLOEXEC)
        except OSError:
            self._file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)

    def write(self, data: memoryview, at: int) -> None:
        """Write whole pages."""
        at += self._start
        while data:
            try:
                done = os.pwrite(self._file, data, at)
            except OSError as error:
                flags = fcntl.fcntl(self._file, fcntl.F_GETFL)
                if error.errno != errno.EINVAL or not flags & os.O_DIRECT:
                    raise
                fcntl.fcntl(self._file, fcntl.F_SETFL, flags & ~os.O_DIRECT)
                continue
            data, at = data[done:], at + done


class Writer:
    """Writes units.

    Args:
        blobs: the WIM.
        target: the volume.
        cluster: bytes of a cluster.
    """

    def __init__(self, blobs: Blobs, target: Target, cluster: int) -> None:
        self._blobs, self._target, self._cluster = blobs, target, cluster
        self._buffer = Buffer(_BUFFER)
        self._runs: Runs = []
        self._filled = self._done = 0

    def write(self, runs: Runs, items: list[Item]) -> None:
        """One unit.

        Raises:
            LayoutError, MediaError: a content is damaged, or another one than it was.
            OSError: it cannot be written.
        """
        self._runs, self._filled, self._done = runs, 0, 0
        ends = row_ends(items)
        for (source, size), row_end in zip(items, ends, strict=True):
            if isinstance(source, Blob):
                self._blobs.expect(row_end)
                self._unpack(source)
            else:
                self._copy(source, size)
            if rest := -self._filled % self._cluster:
                self._buffer.view[self._filled : self._filled + rest] = bytes(rest)
                self._filled += rest
        self._flush()

    def _unpack(self, blob: Blob) -> None:
        digest = hashlib.sha1(usedforsecurity=False)
        chunk, done = self._blobs.chunk, 0
        while done < blob.size:
            length = min((_BUFFER - self._filled) // chunk * chunk, blob.size - done)
            if length <= 0:
                self._flush()
                continue
            at = self._filled
            self._blobs.read(blob, done, length, self._buffer, at)
            digest.update(self._buffer.view[at : at + length])
            self._filled, done = at + length, done + length
        if digest.digest() != blob.sha1:
            raise LayoutError("a content is damaged")

    def _copy(self, path: Path, size: int) -> None:
        done = 0
        with path.open("rb", buffering=0) as file:
            while True:
                if self._filled == _BUFFER:
                    self._flush()
                room = self._buffer.view[self._filled :]
                length = file.readinto(room[: size - done + 1])
                if not length:
                    break
                done += length
                self._filled += length
                if done > size:
                    break
        if done != size:
            raise LayoutError(f"{path.name} was changed while it was copied")

    def _flush(self) -> None:
        """Write what is in the buffer, which holds whole clusters or is full."""
        begin, end = self._done, self._done + self._filled
        first = 0
        for cluster, count in self._runs:
            size = count * self._cluster
            low, high = max(begin, first), min(end, first + size)
            if low < high:
                data = self._buffer.view[low - begin : high - begin]
                self._target.write(data, cluster * self._cluster + low - first)
            first += size
        self._done, self._filled = end, 0


def row_ends(items: list[Item]) -> list[int]:
    """Where each row of packed contents that lie behind each other ends, for each of them."""
    ends: list[int] = []
    row_end = follows = -1
    for source, _ in reversed(items):
        if isinstance(source, Blob) and source.packed:
            end = source.offset + source.stored
            row_end = row_end if end == follows else end
            follows = source.offset
        else:
            follows = -1
        ends.append(row_end)
    ends.reverse()
    return ends
