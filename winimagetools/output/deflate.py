"""A deflate stream with zeros for free, by the igzip engine of ISA-L.

igzip needs a seventh of the processor time of zlib at about the same size, so one thread is
enough and the other processors stay free. The holes of a disk image are neither read nor
compressed again: a chunk of zeros is compressed once and put between two full flushes, at which
a stream is at a byte boundary and refers to nothing before it (RFC 1951, 3.2.3 and 3.2.4).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache

from isal import isal_zlib

CHUNK = 1 << 20
_LEVEL = 2
"""Within 4 percent of the size zlib makes at level 3, which the PowerShell tools ask pigz for."""
_ZEROS = bytes(CHUNK)
_ZEROS_LEVEL = 9
"""Of zlib, which makes zeros a quarter of the size; it is done only once."""
_LAST_BLOCK = b"\x03\x00"
"""An empty block that says it is the last one."""


class Deflate:
    """A raw deflate stream.

    Args:
        write: gets the compressed data in order.

    Use as a context manager: a clean exit completes the stream, any other abandons it.
    """

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._engine = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, -isal_zlib.MAX_WBITS)
        self.crc = 0
        """CRC-32 of the data so far."""
        self.size = 0
        """Bytes of the data so far."""

    def __enter__(self) -> Deflate:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._write(self._engine.flush(isal_zlib.Z_FULL_FLUSH) + _LAST_BLOCK)

    def write(self, data: bytes) -> None:
        """Add ``data``."""
        self._write(self._engine.compress(data))
        self.crc = isal_zlib.crc32(data, self.crc)
        self.size += len(data)

    def write_zeros(self, count: int) -> None:
        """Add ``count`` zeros."""
        whole, rest = divmod(count, CHUNK)
        if whole:
            self._write(self._engine.flush(isal_zlib.Z_FULL_FLUSH))
            compressed, crc = _compressed_zeros()
            for _ in range(whole):
                self._write(compressed)
                self.crc = isal_zlib.crc32_combine(self.crc, crc, CHUNK)
            self.size += whole * CHUNK
        if rest:
            self.write(_ZEROS[:rest])


@cache
def _compressed_zeros() -> tuple[bytes, int]:
    """A chunk of zeros up to a full flush, and its CRC-32."""
    engine = zlib.compressobj(_ZEROS_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    compressed = engine.compress(_ZEROS) + engine.flush(zlib.Z_FULL_FLUSH)
    return compressed, zlib.crc32(_ZEROS)
