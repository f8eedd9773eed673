"""Writing pictures of a screen as PNG (ISO/IEC 15948): 24 bits a point, no filter."""

from __future__ import annotations

import struct
import zlib
from functools import cache

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_DEPTH, _TRUECOLOUR = 8, 2


def png_of_rgb565(points: bytes, width: int, height: int) -> bytes:
    """A picture from points of 16 bits, little-endian: 5 bits red, 6 green, 5 blue.

    Args:
        points: row by row, from the top left.
        width: points of a row.
        height: rows.

    Raises:
        ValueError: there are more or fewer points.
    """
    count = width * height
    if len(points) != 2 * count or not count:
        raise ValueError(f"{len(points)} bytes are not {width} x {height} points.")
    table = _colours()
    numbers = struct.unpack(f"<{count}H", points)
    rows = (
        b"\0" + b"".join(table[number] for number in numbers[start : start + width])
        for start in range(0, count, width)
    )
    head = struct.pack(">IIBBBBB", width, height, _DEPTH, _TRUECOLOUR, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(b"".join(rows), 9)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in parts)


@cache
def _colours() -> tuple[bytes, ...]:
    """Every point of 16 bits as three bytes; the lowest bits repeat the highest, so white is
    white.
    """
    return tuple(
        bytes(
            (
                (red := number >> 11) << 3 | red >> 2,
                (green := number >> 5 & 0x3F) << 2 | green >> 4,
                (blue := number & 0x1F) << 3 | blue >> 2,
            )
        )
        for number in range(1 << 16)
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
