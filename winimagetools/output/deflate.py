"""Deflate on all processors at once, with zeros for free.

Data is cut into chunks of 1 MiB that are compressed independently by threads (zlib works
outside the interpreter lock) and joined into one ordinary deflate stream, the way pigz does
it: each chunk ends at a byte boundary with an empty stored block (RFC 1951, 3.2.4). A chunk of
zeros is compressed once; the holes of a disk image are neither read nor compressed again.
CRC-32 values of the chunks are combined instead of computed again.
"""

from __future__ import annotations

import os
import zlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

CHUNK = 1 << 20
_ZEROS = bytes(CHUNK)
_ZEROS_LEVEL = 9
"""A quarter of the size of level 3, and it is done only once."""
_LAST_BLOCK = b"\x03\x00"
"""An empty block that says it is the last one."""
_CRC_POLYNOMIAL = 0xEDB88320


@dataclass(frozen=True)
class _Chunk:
    compressed: bytes
    crc: int
    length: int


def combine_crc(first: int, second: int, second_length: int) -> int:
    """CRC-32 of two pieces of data put together.

    Args:
        first: CRC-32 of the first piece.
        second: CRC-32 of the second piece.
        second_length: bytes of the second piece.
    """
    return _multiply(_shift(second_length), first) ^ second


def _multiply(a: int, b: int) -> int:
    """Product of two polynomials over GF(2) modulo the CRC-32 one, lowest power first."""
    product = 0
    for bit in range(31, -1, -1):
        if a >> bit & 1:
            product ^= b
        b = (b >> 1) ^ (_CRC_POLYNOMIAL if b & 1 else 0)
    return product


@cache
def _shift(length: int) -> int:
    """The polynomial x to the power of 8 * ``length``: appends that many zero bytes."""
    result, square = 1 << 31, 1 << 23  # the polynomials 1 and x to the power of 8
    while length:
        if length & 1:
            result = _multiply(square, result)
        square = _multiply(square, square)
        length >>= 1
    return result


class ParallelDeflate:
    """A raw deflate stream, compressed by several threads.

    Args:
        write: gets the compressed data in order.
        level: zlib level, 1 to 9.
        threads: how many; one per processor by default.

    Use as a context manager: a clean exit completes the stream, any other abandons it.
    """

    def __init__(
        self, write: Callable[[bytes], object], level: int, threads: int | None = None
    ) -> None:
        self._write = write
        self._level = level
        count = threads or os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="deflate")
        self._limit = 2 * count
        self._waiting: deque[Future[_Chunk] | _Chunk] = deque()
        self._buffer = bytearray()
        self._zeros: dict[int, _Chunk] = {}
        self.crc = 0
        """CRC-32 of the data, complete after the exit."""
        self.size = 0
        """Bytes of the data, complete after the exit."""

    def __enter__(self) -> ParallelDeflate:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._pool:
            if kind is not None:
                self._pool.shutdown(wait=True, cancel_futures=True)
                return
            self._cut(len(self._buffer))
            self._drain(0)
        self._write(_LAST_BLOCK)

    def write(self, data: bytes) -> None:
        """Add ``data``."""
        self._buffer += data
        while len(self._buffer) >= CHUNK:
            self._cut(CHUNK)

    def write_zeros(self, count: int) -> None:
        """Add ``count`` zeros."""
        if self._buffer:
            filler = min(count, CHUNK - len(self._buffer))
            self.write(_ZEROS[:filler])
            count -= filler
        while count >= CHUNK:
            self._add(self._zero_chunk(CHUNK))
            count -= CHUNK
        self.write(_ZEROS[:count])

    def _cut(self, length: int) -> None:
        """Send the first ``length`` bytes of the buffer on their way."""
        if not length:
            return
        data = bytes(memoryview(self._buffer)[:length])
        del self._buffer[:length]
        if data == _ZEROS[:length]:
            self._add(self._zero_chunk(length))
        else:
            self._add(self._pool.submit(_compress, data, self._level))

    def _zero_chunk(self, length: int) -> _Chunk:
        if length not in self._zeros:
            self._zeros[length] = _compress(_ZEROS[:length], _ZEROS_LEVEL)
        return self._zeros[length]

    def _add(self, chunk: Future[_Chunk] | _Chunk) -> None:
        self._waiting.append(chunk)
        self._drain(self._limit)

    def _drain(self, keep: int) -> None:
        """Write out the oldest chunks until only ``keep`` are waiting."""
        while len(self._waiting) > keep:
            oldest = self._waiting.popleft()
            chunk = oldest.result() if isinstance(oldest, Future) else oldest
            self._write(chunk.compressed)
            self.crc = combine_crc(self.crc, chunk.crc, chunk.length)
            self.size += chunk.length


def _compress(data: bytes, level: int) -> _Chunk:
    engine = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    compressed = engine.compress(data) + engine.flush(zlib.Z_SYNC_FLUSH)
    return _Chunk(compressed, zlib.crc32(data), len(data))
