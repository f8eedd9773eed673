"""A container whose SHA-256 is computed while the raw disk it will be made of is still written.

As soon as it is known where data will be on the disk, it is known where they will be in the
container. Whoever has a core to spare can read behind those who write, and nothing has to be
read back when they are done.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from winimagetools.files.ahead import CHUNK, Part, Stretch
from winimagetools.files.hash import sha256_of_parts
from winimagetools.formats.containers.layout import Layout, Piece
from winimagetools.output.in_place import in_order


class Filling(Protocol):
    """A raw disk that others are writing."""

    @property
    def data(self) -> Sequence[Piece]:
        """What will not be a hole when they are done, ascending."""

    def wait(self, piece: Piece) -> None:
        """Wait until a range of the disk is as it will be."""


@dataclass(frozen=True)
class Foretold:
    """What became of it.

    Args:
        layout: the container, if the data are where they were expected.
        sha256: of that container, in hexadecimal.
    """

    layout: Layout
    sha256: str

    def sha256_of(self, layout: Layout) -> str:
        """The checksum of a container; empty where it was another one that was expected."""
        return self.sha256 if layout == self.layout else ""


Foretell = Callable[[Filling], Foretold]
"""Computes it, beside those who write."""


def foretell(raw: Path, layout_of: Callable[[Sequence[Piece]], Layout], disk: Filling) -> Foretold:
    """Compute the SHA-256 of a container of a disk that is still written.

    Args:
        raw: the file with the disk.
        layout_of: how the container will be, when it is known what is not a hole.
        disk: what is written, and when.

    Raises:
        BuildError: the container cannot hold such a disk.
        OSError: it cannot be read.
    """
    layout = layout_of(disk.data)
    return Foretold(layout, sha256_of_parts(_parts(raw, layout, disk)))


def _parts(raw: Path, layout: Layout, disk: Filling) -> Iterator[Part]:
    ends = [extent.end for extent in disk.data]
    for part in in_order(layout):
        if isinstance(part, Piece):
            yield from _within(raw, part, disk, bisect_right(ends, part.start))
        else:
            yield part


def _within(raw: Path, piece: Piece, disk: Filling, first: int) -> Iterator[Part]:
    """What is in a piece, each part when it is written; holes are told by the data alone."""
    position = piece.start
    for extent in islice(disk.data, first, None):
        start, end = max(extent.start, position), min(extent.end, piece.end)
        if start >= end:
            break
        if start > position:
            yield start - position
        for chunk in _chunks(start, end):
            disk.wait(chunk)
            yield Stretch(raw, chunk.start, chunk.length)
        position = end
    if piece.end > position:
        yield piece.end - position


def _chunks(start: int, end: int) -> Iterator[Piece]:
    while start < end:
        stop = min(end, (start // CHUNK + 1) * CHUNK)
        yield Piece(start, stop - start)
        start = stop
