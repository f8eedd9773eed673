"""Containers put together in memory, to be read by something that did not write them."""

from __future__ import annotations

from collections.abc import Sequence

from winimagetools.formats.containers.layout import Layout, Piece


def assemble(layout: Layout, disk: bytes) -> bytes:
    """The container, as a file system makes it of ``disk``."""
    made = bytearray(layout.size)
    for piece, offset in layout.placed():
        part = disk[piece.start : piece.end]
        made[offset : offset + len(part)] = part
    for write in layout.writes:
        made[write.offset : write.offset + len(write.data)] = write.data
    assert len(made) == layout.size
    return bytes(made)


def fill(size: int, data: Sequence[Piece]) -> bytes:
    """A disk whose data differs from sector to sector and is zero elsewhere."""
    disk = bytearray(size)
    for piece in data:
        end = min(piece.end, size)
        disk[piece.start : end] = bytes(
            (at * 7 + at // 256 + 1) % 255 + 1 for at in range(piece.start, end)
        )
    return bytes(disk)
