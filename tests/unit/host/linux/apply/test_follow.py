"""What will be in a file, and waiting for it."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path

from winimagetools.files import sparse
from winimagetools.formats.containers.layout import Piece
from winimagetools.host.linux.apply.follow import Coming, coming, joined
from winimagetools.model import MIB

CLUSTER = 4096


def test_pieces_that_touch_are_one() -> None:
    """In whichever order they come; also those that lie in each other."""
    pieces = [Piece(90, 10), Piece(0, 10), Piece(10, 5), Piece(30, 40), Piece(35, 5), Piece(69, 2)]
    assert list(joined(pieces)) == [Piece(0, 15), Piece(30, 41), Piece(90, 10)]
    assert list(joined([])) == []
    assert list(joined([Piece(5, 1)])) == [Piece(5, 1)]


def test_only_what_is_asked_for_is_waited_for() -> None:
    """All units that touch the range, and no other; they come in any order."""
    asked: list[int] = []

    def is_done(unit: int) -> bool:
        asked.append(unit)
        return True

    places = [(300, 400, 3), (0, 100, 1), (100, 200, 2), (700, 800, 1)]
    disk = Coming([], places, is_done)
    for piece, units in (
        (Piece(0, 100), [1]),
        (Piece(99, 2), [1, 2]),
        (Piece(200, 100), []),
        (Piece(150, 600), [2, 3, 1]),
        (Piece(800, 10), []),
    ):
        asked.clear()
        disk.wait(piece)
        assert asked == units


def test_it_waits() -> None:
    """Until somebody says that it is done."""
    done: set[int] = set()
    disk = Coming([], [(0, 10, 7)], done.__contains__)
    waiting = threading.Thread(target=disk.wait, args=[Piece(3, 1)])
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    done.add(7)
    waiting.join(10)
    assert not waiting.is_alive()


def test_what_will_be_in_a_file(tmp_path: Path) -> None:
    """What is around the volume, what its copy holds, and contents that are not written yet.

    It is what the file system says in the end.
    """
    target, copy = tmp_path / "target", tmp_path / "copy"
    start, size = 2 * MIB, 16 * MIB
    _fill(target, 20 * MIB, [Piece(0, CLUSTER), Piece(19 * MIB, 3 * CLUSTER)])
    metadata = [Piece(0, 5 * CLUSTER), Piece(8 * MIB, CLUSTER)]
    _fill(copy, size, metadata)
    places = [(5, 3, 1), (512, 100, 2), (612, 8, 3)]
    with copy.open("rb") as shadow:
        disk = coming(target, (shadow.fileno(), start, size), places, CLUSTER, lambda _: True)
    contents = [Piece(first * CLUSTER, count * CLUSTER) for first, count, _ in places]
    inside = [Piece(start + piece.start, piece.length) for piece in (*metadata, *contents)]
    _fill(target, 20 * MIB, inside)
    with target.open("rb") as file:
        found = [
            Piece(extent.offset, extent.length)
            for extent in sparse.extents(file.fileno())
            if extent.offset is not None
        ]
    assert list(disk.data) == found
    assert len(found) == 5


def _fill(path: Path, size: int, pieces: list[Piece]) -> None:
    """Write ranges of a file; what is in it already stays."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT)
    os.truncate(handle, size)
    for piece in pieces:
        os.pwrite(handle, random.Random(piece.start).randbytes(piece.length), piece.start)
    os.close(handle)
