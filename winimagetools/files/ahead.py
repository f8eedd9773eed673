"""Large reads that run ahead of whoever uses the data, which keeps a core busy meanwhile.

What is in the page cache is taken from there. What is not, because it was written past the
cache or is large and old, is read past it as well: with several reads under way and without
pushing other things out of memory (mincore(2), ``O_DIRECT`` of open(2)). A read that must not
wait (``RWF_NOWAIT``) would tell what is there too, but begins to fetch what is not.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache
from io import FileIO
from pathlib import Path

CHUNK = 1 << 20
_READERS = 4
_AHEAD = 12
"""Chunks that are read or wait; with the one in use they are all the memory that it takes."""
_BLOCK = 4096
"""Reads past the cache begin and end at multiples of the logical blocks of a disk."""


@dataclass(frozen=True)
class Stretch:
    """A range of a file that holds data."""

    path: Path
    offset: int
    length: int


Part = bytes | int | Stretch
"""What a file consists of: bytes, the length of zeros, or a range of another file."""


_Waiting = deque[tuple[bytes | int | Future[memoryview], mmap.mmap | None]]


def read_ahead(parts: Iterable[Part]) -> Iterator[bytes | int | memoryview]:
    """The same with the data of the stretches, at most :data:`CHUNK` bytes at a time.

    A view is good until the next one is asked for. Where a file ends early, zeros follow.

    Args:
        parts: in order.

    Raises:
        OSError: as the operating system says it.
    """
    free = deque(mmap.mmap(-1, CHUNK) for _ in range(_AHEAD + 1))
    waiting: _Waiting = deque()
    with ExitStack() as opened, ThreadPoolExecutor(_READERS, "read ahead") as pool:
        find = cache(lambda path: opened.enter_context(_File(path)))
        try:
            for part in _pieces(parts):
                if len(waiting) == _AHEAD:
                    yield from _next(waiting, free)
                if isinstance(part, Stretch):
                    buffer = free.popleft()
                    waiting.append((pool.submit(find(part.path).read, part, buffer), buffer))
                else:
                    waiting.append((part, None))
            while waiting:
                yield from _next(waiting, free)
        finally:
            pool.shutdown(cancel_futures=True)


def is_cached(path: Path) -> bool:
    """Whether all of a file is in the page cache; False also where nobody knows."""
    if not hasattr(os, "O_DIRECT"):  # mincore(2) is not everywhere either
        return False
    cache = _Cache(path)
    try:
        return cache.holds(Stretch(path, 0, path.stat().st_size))
    finally:
        cache.close()


def _next(waiting: _Waiting, free: deque[mmap.mmap]) -> Iterator[bytes | int | memoryview]:
    found, buffer = waiting.popleft()
    yield found.result() if isinstance(found, Future) else found
    if buffer is not None:
        free.append(buffer)


def _pieces(parts: Iterable[Part]) -> Iterator[Part]:
    """Cut stretches into chunks that end where chunks of the file end."""
    for part in parts:
        if not isinstance(part, Stretch):
            yield part
            continue
        offset, end = part.offset, part.offset + part.length
        while offset < end:
            stop = min(end, (offset // CHUNK + 1) * CHUNK)
            yield Stretch(part.path, offset, stop - offset)
            offset = stop


class _File:
    """A file that is read, opened for the page cache and past it.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._direct = _open_direct(path)
        self._cache = _Cache(path) if self._direct is not None else None

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        if self._cache is not None:
            self._cache.close()
        if self._direct is not None:
            os.close(self._direct)

    def read(self, part: Stretch, buffer: mmap.mmap) -> memoryview:
        """Read a stretch into a buffer that is large enough."""
        view = memoryview(buffer)[: part.length]
        cached = self._cache is None or self._cache.holds(part)
        if cached or not self._read_past(part, buffer):
            _read_plainly(part, view)
        return view

    def _read_past(self, part: Stretch, buffer: mmap.mmap) -> bool:
        """Read all of it past the cache; False where that does not work."""
        if self._direct is None or part.offset % _BLOCK:
            return False
        aligned = memoryview(buffer)[: part.length + -part.length % _BLOCK]
        with suppress(OSError):  # blocks may be larger than that
            return os.preadv(self._direct, [aligned], part.offset) >= part.length
        return False


class _Cache:
    """What of a file is in the page cache.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._function = ctypes.CDLL(None).mincore
        self._file = path.open("rb")
        self._size = os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def holds(self, part: Stretch) -> bool:
        """Whether all of a stretch is there; False also where nobody knows."""
        first = part.offset // mmap.PAGESIZE * mmap.PAGESIZE
        length = min(part.offset + part.length, self._size) - first
        if part.offset >= self._size:
            return False
        try:
            # Only this stretch: a map of a disk that is larger than the memory is refused.
            place = mmap.mmap(self._file.fileno(), length, offset=first, access=mmap.ACCESS_COPY)
        except OSError:
            return False
        with place:
            found = ctypes.create_string_buffer(-(-length // mmap.PAGESIZE))
            address = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(place)))
            told = self._function(address, ctypes.c_size_t(length), found) == 0
        return told and found.raw.count(1) == len(found)


def _read_plainly(part: Stretch, view: memoryview) -> None:
    with part.path.open("rb", buffering=0) as file:
        done = read_into(file, part.offset, view)
    view[done:] = bytes(part.length - done)


def read_into(file: FileIO, position: int, view: memoryview) -> int:
    """Fill a buffer from a place of a file; how many bytes there were."""
    done = 0
    file.seek(position)
    while done < len(view) and (count := file.readinto(view[done:])):
        done += count
    return done


def expect(file: FileIO, start: int, end: int) -> None:
    """Let the system fetch a range of some MiB into the page cache, while others are used.

    What it fetches unasked comes in small pieces, which takes a virtual machine more time than
    to hash them.
    """
    advise: Callable[..., None] | None = getattr(os, "posix_fadvise", None)
    if advise is not None and end > start:
        with suppress(OSError):
            advise(file.fileno(), start, end - start, os.POSIX_FADV_WILLNEED)


def _open_direct(path: Path) -> int | None:
    """Open a file past the page cache; None where that cannot be done."""
    flag = getattr(os, "O_DIRECT", 0)
    try:
        return os.open(path, os.O_RDONLY | flag) if flag else None
    except OSError:
        return None
