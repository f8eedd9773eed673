"""A disk file whose volume is laid out already while its contents are still being written."""

from __future__ import annotations

import os
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from winimagetools.files import sparse
from winimagetools.formats.containers.layout import Piece

_PAUSE = 0.002
Place = tuple[int, int, int]
"""A first cluster, how many there are, and the unit whose contents come there."""


class Coming:
    """What will be in the file, and when it is there; see ``Filling`` of output/foretold.

    Args:
        data: what of the file is or will be data, ascending.
        places: where contents come: first byte, the byte behind them, number of the unit.
        is_done: whether a unit is written.
    """

    def __init__(
        self,
        data: Sequence[Piece],
        places: Sequence[tuple[int, int, int]],
        is_done: Callable[[int], bool],
    ) -> None:
        self.data = data
        self._places = sorted(places)
        self._ends = [end for _, end, _ in self._places]
        self._is_done = is_done

    def wait(self, piece: Piece) -> None:
        """Wait until all units are written that have contents in a range.

        Who waits is ended by the process that waits for all: also when one of those dies that
        write the units.
        """
        at = bisect_right(self._ends, piece.start)
        while at < len(self._places) and self._places[at][0] < piece.end:
            while not self._is_done(self._places[at][2]):
                time.sleep(_PAUSE)
            at += 1


def coming(
    target: Path,
    volume: tuple[int, int, int],
    places: Sequence[Place],
    cluster: int,
    is_done: Callable[[int], bool],
) -> Coming:
    """What comes into a file.

    Args:
        target: the file, with all that is written into it by others than those who write units.
        volume: an open file with the metadata of the volume, where the volume begins in the
            target, and its bytes.
        places: where contents come.
        cluster: bytes of a cluster.
        is_done: whether a unit is written.
    """
    shadow, start, size = volume
    with target.open("rb", buffering=0) as file:
        length = os.fstat(file.fileno()).st_size
        around = [*_data(file.fileno(), 0, start), *_data(file.fileno(), start + size, length)]
    inside = [Piece(start + piece.start, piece.length) for piece in _data(shadow, 0, size)]
    units = [
        (start + first * cluster, start + (first + count) * cluster, number)
        for first, count, number in places
    ]
    contents = [Piece(begin, end - begin) for begin, end, _ in units]
    return Coming(tuple(joined([*around, *inside, *contents])), units, is_done)


def joined(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Pieces in any order as those that do not touch, ascending."""
    start = end = 0
    for piece in sorted(pieces, key=lambda each: each.start):
        if piece.start > end:
            if end > start:
                yield Piece(start, end - start)
            start = piece.start
        end = max(end, piece.end)
    if end > start:
        yield Piece(start, end - start)


def _data(handle: int, start: int, end: int) -> Iterator[Piece]:
    for extent in sparse.extents_between(handle, start, end):
        if extent.offset is not None:
            yield Piece(extent.offset, extent.length)
