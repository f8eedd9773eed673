"""Contents that are read together: what lies behind each other in the WIM."""

from __future__ import annotations

from pathlib import Path

from winimagetools.host.linux.apply.blobs import Blob
from winimagetools.host.linux.apply.writer import row_ends


def content(offset: int, stored: int, *, packed: bool = True) -> tuple[Blob, int]:
    """A content at a place in the WIM."""
    return Blob(offset, stored, 5000, packed, bytes(20)), 5000


def test_a_row_ends_where_the_next_content_does_not_follow() -> None:
    """There is one end for each content, the same for all of a row."""
    row = [content(1000, 300), content(1300, 20), content(1320, 1)]
    apart = [content(2000, 50), content(1900, 100)]
    assert row_ends([*row, *apart]) == [1321, 1321, 1321, 2050, 2000]


def test_what_is_not_unpacked_is_in_no_row() -> None:
    """It goes where it belongs at once, so reading it with others would be in vain."""
    stored, local = content(1300, 5000, packed=False), (Path("/a"), 7)
    found = row_ends([content(1000, 300), stored, content(6300, 10), local, content(6310, 10)])
    assert (found[0], found[2], found[4]) == (1300, 6310, 6320)


def test_a_unit_without_contents_of_the_wim() -> None:
    """Files of this machine only."""
    assert len(row_ends([(Path("/a"), 7), (Path("/b"), 8)])) == 2
    assert row_ends([]) == []
