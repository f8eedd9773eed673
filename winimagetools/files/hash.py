"""SHA-256 of files, holes counted without being read, and of what is being written."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from winimagetools.files import sparse
from winimagetools.files.ahead import Part, Stretch, is_cached, read_ahead

_PIECE = 256 << 10
"""Bytes that are hashed while they still are in the cache of a core."""
_MOST_WAITING = 8
"""Pieces of a MiB that may wait to be hashed."""


def sha256_of(path: Path, on_progress: Callable[[int], None] = lambda _: None) -> str:
    """SHA-256 of a file in hexadecimal; holes count as the zeros they stand for.

    Args:
        path: the file.
        on_progress: gets the bytes done so far.
    """
    with path.open("rb", buffering=0) as file:
        if os.fstat(file.fileno()).st_size <= sparse.CHUNK:
            data = file.read()
            on_progress(len(data))
            return hashlib.sha256(data).hexdigest()
        extents = list(sparse.extents(file.fileno()))
    parts = (
        extent.length if extent.offset is None else Stretch(path, extent.offset, extent.length)
        for extent in extents
    )
    return sha256_of_parts(parts, on_progress)


def sha256_beside(path: Path, on_progress: Callable[[int], None] = lambda _: None) -> str:
    """The same as :func:`sha256_of`, for a build that needs the cores meanwhile.

    What is in the page cache is hashed piece by piece where it was read, without other threads:
    a seventh less work, though it takes a little longer.

    Args:
        path: the file.
        on_progress: gets the bytes done so far.
    """
    if not is_cached(path):
        return sha256_of(path, on_progress)
    digest, done = hashlib.sha256(), 0
    piece = memoryview(bytearray(_PIECE))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(piece):
            digest.update(piece[:count])
            done += count
            on_progress(done)
    return digest.hexdigest()


def sha256_of_parts(
    parts: Iterable[Part], on_progress: Callable[[int], None] = lambda _: None
) -> str:
    """SHA-256 in hexadecimal of what comes in parts, which are read ahead."""
    digest, done = hashlib.sha256(), 0
    for part in read_ahead(parts):
        if isinstance(part, int):
            add_zeros(digest.update, part)
            done += part
        else:
            digest.update(part)
            done += len(part)
        on_progress(done)
    return digest.hexdigest()


def add_zeros(update: Callable[[bytes], object], count: int) -> None:
    """Hand over so many zeros."""
    whole, rest = divmod(count, sparse.CHUNK)
    for _ in range(whole):
        update(sparse.ZEROS)
    update(sparse.ZEROS[:rest])


class Sha256Beside:
    """SHA-256 of what is written, taken in a thread of its own while the next is made.

    Use as a context manager; :meth:`hexdigest` works after a clean exit.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="sha256")
        self._waiting: deque[Future[None]] = deque()
        self._small = bytearray()

    def __enter__(self) -> Sha256Beside:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._pool:
            if kind is None:
                self._send()
                self._wait_until(0)
            else:
                self._pool.shutdown(cancel_futures=True)

    def update(self, data: bytes) -> None:
        """Add ``data``."""
        if len(data) >= sparse.CHUNK:  # not copied
            self._send()
            self._submit(lambda: self._digest.update(data))
            return
        self._small += data
        if len(self._small) >= sparse.CHUNK:
            self._send()

    def update_zeros(self, count: int) -> None:
        """Add ``count`` zeros."""
        self._send()
        self._submit(lambda: add_zeros(self._digest.update, count))

    def hexdigest(self) -> str:
        """The SHA-256 of everything, in hexadecimal."""
        return self._digest.hexdigest()

    def _send(self) -> None:
        data, self._small = bytes(self._small), bytearray()
        self._submit(lambda: self._digest.update(data))

    def _submit(self, work: Callable[[], None]) -> None:
        self._waiting.append(self._pool.submit(work))
        self._wait_until(_MOST_WAITING)

    def _wait_until(self, left: int) -> None:
        """Wait for the oldest, so that the memory does not fill with what waits."""
        while len(self._waiting) > left:
            self._waiting.popleft().result()
