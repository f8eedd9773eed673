"""Units of work: what belongs to one, and that they arrive as they were sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from winimagetools.host.linux.apply.blobs import Blob
from winimagetools.host.linux.apply.calls import LayoutError
from winimagetools.host.linux.apply.units import Pipe, Units, unpack
from winimagetools.model import MIB

CLUSTER = 4096


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A pipe."""
    made = Pipe()
    yield made
    made.close()


def blob(number: int, size: int, *, packed: bool = True) -> Blob:
    """A content like no other."""
    return Blob(1000 + number, size // 2, size, packed, bytes([number]) * 20)


def arrived(pipe: Pipe) -> list[tuple[list[tuple[int, int]], list[object]]]:
    """All units."""
    units = [unpack(message) for _, message in pipe.messages()]
    return [(runs, [source for source, _ in items]) for runs, items in units]


def test_contents_behind_each_other_are_one_unit(pipe: Pipe) -> None:
    """Of any kind; the next that lies elsewhere begins another one."""
    one, two, file = blob(1, 5000), blob(2, 4096, packed=False), Path("/größe/a \udcff.sys")
    units = Units(pipe, CLUSTER)
    units.add(one, 5000, [(100, 2)])
    units.add(two, 4096, [(102, 1)])
    units.add(file, 9000, [(103, 3)])
    units.add(one, 5000, [(50, 2)])
    units.finish()
    assert arrived(pipe) == [([(100, 6)], [one, two, file]), ([(50, 2)], [one])]


def test_a_unit_has_an_end(pipe: Pipe) -> None:
    """Once there is a mebibyte in it."""
    large, small = blob(1, 2 * MIB), blob(2, 2000)
    units = Units(pipe, CLUSTER)
    units.add(large, 2 * MIB, [(0, 512)])
    units.add(small, 2000, [(512, 1)])
    units.add(small, 2000, [(513, 1)])
    units.finish()
    assert arrived(pipe) == [([(0, 512)], [large]), ([(512, 2)], [small, small])]


def test_a_content_in_many_pieces(pipe: Pipe) -> None:
    """It is a unit of its own, with all of them."""
    runs = [(number * 10, 1) for number in range(3000)]
    units = Units(pipe, CLUSTER)
    units.add(blob(3, 3000 * CLUSTER), 3000 * CLUSTER, list(runs))
    units.finish()
    assert arrived(pipe) == [(runs, [blob(3, 3000 * CLUSTER)])]


def test_nobody_reads(pipe: Pipe) -> None:
    """Whoever writes is told, instead of waiting."""
    pipe.close_reader()
    units = Units(pipe, CLUSTER)
    units.add(blob(1, 5000), 5000, [(1, 2)])
    with pytest.raises(LayoutError, match="the processes that write the contents ended"):
        units.finish()


def test_a_unit_is_done_when_somebody_says_so(pipe: Pipe) -> None:
    """Each for itself; and whoever laid them out knows where they are."""
    units = Units(pipe, CLUSTER)
    units.add(blob(1, 5000), 5000, [(100, 2)])
    units.add(blob(2, 5000), 5000, [(7, 1), (9, 1)])
    units.finish()
    (first, _), (second, _) = pipe.messages()
    assert units.places == [(100, 2, first), (7, 1, second), (9, 1, second)]
    assert not pipe.is_settled(first)
    pipe.settle(second)
    assert [pipe.is_settled(each) for each in (first, second)] == [False, True]
    pipe.settle(first)
    assert pipe.is_settled(first)
