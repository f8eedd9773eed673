"""Pictures of a screen."""

from __future__ import annotations

import struct
import zlib

import pytest

from winimagetools.formats.png import png_of_rgb565


def read_png(data: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height and rows of an unfiltered picture of 24 bits, with every sum checked."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at, chunks = 8, {}
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + length]
        (told,) = struct.unpack_from(">I", data, at + 8 + length)
        assert told == zlib.crc32(kind + body)
        chunks[kind] = body
        at += 12 + length
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert rest == [8, 2, 0, 0, 0]
    pixels = zlib.decompress(chunks[b"IDAT"])
    size = 1 + 3 * width
    assert len(pixels) == size * height
    rows = [pixels[start : start + size] for start in range(0, len(pixels), size)]
    assert all(row[0] == 0 for row in rows)
    return width, height, [row[1:] for row in rows]


def test_colours() -> None:
    """Red, green, blue, white, black and a grey; the first point is the first of the first row."""
    points = struct.pack("<6H", 0xF800, 0x07E0, 0x001F, 0xFFFF, 0x0000, 0x8410)
    assert read_png(png_of_rgb565(points, 3, 2)) == (
        3,
        2,
        [
            b"\xff\0\0\0\xff\0\0\0\xff",
            b"\xff\xff\xff\0\0\0\x84\x82\x84",
        ],
    )


@pytest.mark.parametrize(("size", "width", "height"), [(6, 2, 2), (10, 2, 2), (0, 0, 0)])
def test_another_number_of_points(size: int, width: int, height: int) -> None:
    """A picture of another size than was asked for is none."""
    with pytest.raises(ValueError, match="are not"):
        png_of_rgb565(bytes(size), width, height)
