"""Units of work for those who write contents: messages, which they take as they come.

A unit is a stretch of the volume and the contents that lie behind each other in it, each
beginning on a cluster.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from winimagetools.host.linux.apply.blobs import Blob
from winimagetools.host.linux.apply.calls import LayoutError, Runs
from winimagetools.host.linux.apply.tree import Source

_ENOUGH = 1 << 20
"""Bytes of contents after which a unit is complete."""
_MANY = 1000
"""Contents after which it is."""
_PIPE = 1 << 20
_PLACE = struct.Struct("<QQ")
_OPEN, _DONE = b"\0", b"\1"
_HEAD, _RUN = struct.Struct("<II"), struct.Struct("<QQ")
_BLOB, _FILE = struct.Struct("<BQQQ20s"), struct.Struct("<BQH")
_STORED, _PACKED, _LOCAL = range(3)
Item = tuple[Source, int]
"""A content and its bytes."""


class Pipe:
    """Messages from one process to any number of others.

    They lie in memory behind each other; the pipe says where. So it never is full, and whoever
    writes never waits. Places are written and read whole, as none crosses a page (pipe(7)).
    """

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe2(os.O_CLOEXEC)
        with suppress(OSError):
            fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, _PIPE)
        self._memory = os.memfd_create("units", os.MFD_CLOEXEC)
        self._length = 0

    def close_reader(self) -> None:
        """Only write from now on."""
        if self.reader >= 0:
            os.close(self.reader)
        self.reader = -1

    def close_writer(self) -> None:
        """Only read from now on; the end comes when nobody can write any more."""
        if self.writer >= 0:
            os.close(self.writer)
        self.writer = -1

    def close(self) -> None:
        """Be done with it."""
        self.close_reader()
        self.close_writer()
        os.close(self._memory)

    def write(self, message: bytes) -> int:
        """Say something to the one that reads next.

        Returns:
            The number of the message.

        Raises:
            LayoutError: nobody will read it.
        """
        number = self._length
        os.pwrite(self._memory, _OPEN + message, number)
        try:
            os.write(self.writer, _PLACE.pack(number, len(message)))
        except BrokenPipeError:
            raise LayoutError("the processes that write the contents ended") from None
        self._length += len(_OPEN) + len(message)
        return number

    def messages(self) -> Iterator[tuple[int, bytes]]:
        """What arrives, up to the end, with its number."""
        while place := os.read(self.reader, _PLACE.size):
            number, length = _PLACE.unpack(place)
            yield number, os.pread(self._memory, length, number + len(_OPEN))

    def settle(self, number: int) -> None:
        """Say that what a message asked for is done."""
        os.pwrite(self._memory, _DONE, number)

    def is_settled(self, number: int) -> bool:
        """Whether what a message asked for is done."""
        return os.pread(self._memory, len(_DONE), number) == _DONE


class Units:
    """Makes units of contents as they are laid out.

    Args:
        pipe: where they go.
        cluster: bytes of a cluster.

    Attributes:
        places: first cluster and count of each stretch, and the number of the unit it is in.
    """

    def __init__(self, pipe: Pipe, cluster: int) -> None:
        self._pipe, self._cluster = pipe, cluster
        self.places: list[tuple[int, int, int]] = []
        self._runs: Runs = []
        self._items: list[bytes] = []
        self._bytes = 0

    def add(self, source: Source, size: int, runs: Runs) -> None:
        """One more content. Raises LayoutError when nobody is left to write it."""
        if isinstance(source, Blob):
            kind = _PACKED if source.packed else _STORED
            item = _BLOB.pack(kind, source.offset, source.stored, size, source.sha1)
        else:
            name = os.fsencode(source)
            item = _FILE.pack(_LOCAL, size, len(name)) + name
        follows = len(runs) == 1 and self._runs and runs[0][0] == sum(self._runs[-1])
        if not follows or self._bytes >= _ENOUGH or len(self._items) >= _MANY:
            self.flush()
        if self._items:
            cluster, count = self._runs[-1]
            self._runs[-1] = cluster, count + runs[0][1]
        else:
            self._runs = list(runs)
        self._items.append(item)
        self._bytes += size

    def flush(self) -> None:
        """Hand out what there is. Raises LayoutError when nobody is left to write it."""
        if not self._items:
            return
        head = _HEAD.pack(len(self._runs), len(self._items))
        runs = (_RUN.pack(*run) for run in self._runs)
        number = self._pipe.write(b"".join((head, *runs, *self._items)))
        self.places += [(first, count, number) for first, count in self._runs]
        self._items, self._runs, self._bytes = [], [], 0

    def finish(self) -> None:
        """Hand out the rest, and say that it was the last."""
        self.flush()
        self._pipe.close_writer()


def unpack(message: bytes) -> tuple[Runs, list[Item]]:
    """What a message says."""
    runs_count, count = _HEAD.unpack_from(message)
    at = _HEAD.size
    runs: Runs = [_RUN.unpack_from(message, at + _RUN.size * each) for each in range(runs_count)]
    at += _RUN.size * runs_count
    items: list[Item] = []
    for _ in range(count):
        if message[at] == _LOCAL:
            _, size, length = _FILE.unpack_from(message, at)
            at += _FILE.size
            items.append((Path(os.fsdecode(message[at : at + length])), size))
            at += length
        else:
            kind, offset, stored, size, digest = _BLOB.unpack_from(message, at)
            items.append((Blob(offset, stored, size, kind == _PACKED, digest), size))
            at += _BLOB.size
    return runs, items
