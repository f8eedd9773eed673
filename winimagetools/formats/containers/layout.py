"""How a raw disk image becomes a container: what stays of it, and what is written around it.

A container of the kinds that are written here is a room with a header and tables, followed by
the units of the disk that hold data, in order and without anything between them. So it can be
made of the raw image by cutting out what holds nothing and by putting the room in front.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

SECTOR = 512


@dataclass(frozen=True)
class Piece:
    """A range of the disk that becomes part of the container."""

    start: int
    length: int

    @property
    def end(self) -> int:
        """The first byte after it."""
        return self.start + self.length


@dataclass(frozen=True)
class Write:
    """Bytes of a container that do not come from the disk, and where they belong."""

    offset: int
    data: bytes


@dataclass(frozen=True)
class Layout:
    """A container in terms of the raw image it is made of.

    Args:
        room: bytes in front of the first piece.
        pieces: ranges of the raw image, ascending; one after the other they follow the room.
            The last one may reach beyond the image, where it reads as zeros.
        writes: header and tables, ascending; what is in between reads as zeros.
        size: bytes of the container.
    """

    room: int
    pieces: tuple[Piece, ...]
    writes: tuple[Write, ...]
    size: int

    def placed(self) -> Iterator[tuple[Piece, int]]:
        """Every piece with its offset in the container."""
        offset = self.room
        for piece in self.pieces:
            yield piece, offset
            offset += piece.length


def pieces_of(data: Iterable[Piece], unit: int, gap: int) -> tuple[Piece, ...]:
    """The ranges to keep of a disk.

    Args:
        data: what is not a hole, ascending.
        unit: pieces begin and end at multiples of it.
        gap: holes shorter than this are kept: cutting out each of thousands takes longer than
            they are worth. At least ``unit``.
    """
    kept: list[Piece] = []
    for extent in data:
        start, end = extent.start // unit * unit, round_up(extent.end, unit)
        if kept and start - kept[-1].end < gap:
            start = kept.pop().start
        kept.append(Piece(start, end - start))
    return tuple(kept)


def units_of(pieces: Iterable[tuple[Piece, int]], unit: int) -> Iterator[tuple[int, int]]:
    """The number of each unit of the disk that is kept, and its offset in the container."""
    for piece, offset in pieces:
        for index in range(piece.length // unit):
            yield piece.start // unit + index, offset + index * unit


def kept_bytes(pieces: Iterable[Piece]) -> int:
    """How much of the disk is kept."""
    return sum(piece.length for piece in pieces)


def round_up(value: int, unit: int) -> int:
    """The multiple of ``unit`` that is not less than ``value``."""
    return value + -value % unit
