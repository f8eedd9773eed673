"""The checksum of a container, computed while the disk it is made of is still written."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from winimagetools.formats.containers.layout import Layout, Piece
from winimagetools.model import MIB, DiskFormat
from winimagetools.output import in_place
from winimagetools.output.become import make_copy, make_in_place
from winimagetools.output.foretold import Foretold, foretell
from winimagetools.output.raw_disk import RawDisk
from winimagetools.stamp import Stamp

FORMATS = (DiskFormat.QCOW2, DiskFormat.VHDX, DiskFormat.VMDK)
STAMP = Stamp(1_700_000_000, b"seed")
BLOCK = 4096
NAME = "disk.x"


class Late:
    """A disk on which a range is only written when somebody waits for it.

    Args:
        path: the file; it is made with nothing but holes.
        size: bytes of the disk.
        data: what will be on it.
    """

    def __init__(self, path: Path, size: int, data: list[Piece]) -> None:
        self.data = data
        self._path = path
        with path.open("xb") as file:
            file.truncate(size)

    def wait(self, piece: Piece) -> None:
        """Write a range, which has to be one of those with data."""
        assert any(part.start <= piece.start and piece.end <= part.end for part in self.data)
        with self._path.open("r+b") as file:
            file.seek(piece.start)
            file.write(random.Random(piece.start).randbytes(piece.length))


def _foretold(path: Path, size: int, data: list[Piece], disk_format: DiskFormat) -> Foretold:
    def layout_of(data: Sequence[Piece]) -> Layout:
        return in_place.layout_of(size, data, disk_format, NAME, STAMP)

    return foretell(path, layout_of, Late(path, size, data))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@st.composite
def disks(draw: st.DrawFn) -> tuple[int, list[Piece]]:
    """A size, and ranges of blocks that do not touch."""
    data, end = [], 0
    for gap, length in draw(st.lists(st.tuples(st.integers(1, 700), st.integers(1, 300)))):
        data.append(Piece(end + gap * BLOCK, length * BLOCK))
        end = data[-1].end
    return max(end, BLOCK) + draw(st.integers(0, 9)) * 512, data


@pytest.mark.parametrize("disk_format", FORMATS)
@given(disk=disks())
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_is_that_of_what_is_made(
    tmp_path: Path, disk_format: DiskFormat, disk: tuple[int, list[Piece]]
) -> None:
    """Whatever lies where; each range is read when it is written, and not before."""
    raw, made = tmp_path / "disk.raw", tmp_path / NAME
    foretold = _foretold(raw, *disk, disk_format)
    layout = in_place.plan(RawDisk.of(raw), disk_format, NAME, STAMP)
    make_copy(RawDisk.of(raw), made, disk_format, STAMP)
    assert foretold == Foretold(layout, _sha256(made))
    made.unlink()


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A disk with data in two places."""
    path = tmp_path / "disk.raw"
    with path.open("xb") as file:
        for start in (0, 7 * MIB):
            file.seek(start)
            file.write(random.Random(start).randbytes(3 * MIB))
        file.truncate(20 * MIB)
    return path


@pytest.mark.parametrize("disk_format", FORMATS)
def test_what_is_known_is_not_computed_again(
    tmp_path: Path, raw: Path, disk_format: DiskFormat
) -> None:
    """In place or copied: the checksum of the very container is taken as it is."""
    layout = in_place.plan(RawDisk.of(raw), disk_format, NAME, STAMP)
    foretold, made = Foretold(layout, "known before"), tmp_path / NAME
    if in_place.way_for(RawDisk.of(raw), layout) is None:
        pytest.skip("needs a file system that moves or shares ranges of files")
    found = make_in_place(
        RawDisk.of(raw), made, disk_format, checksum=True, stamp=STAMP, foretold=foretold
    )
    assert found == "known before"


def test_a_copy_takes_it_too(tmp_path: Path, raw: Path) -> None:
    """Where nothing can be moved."""
    layout = in_place.plan(RawDisk.of(raw), DiskFormat.QCOW2, NAME, STAMP)
    foretold = Foretold(layout, "known before")
    made = make_copy(RawDisk.of(raw), tmp_path / NAME, DiskFormat.QCOW2, STAMP, foretold)
    assert made == "known before"


@pytest.mark.parametrize("disk_format", FORMATS)
def test_data_that_lie_elsewhere(tmp_path: Path, raw: Path, disk_format: DiskFormat) -> None:
    """Then it counts for nothing: the checksum is that of what was made."""
    expected = in_place.layout_of(20 * MIB, [Piece(0, 3 * MIB)], disk_format, NAME, STAMP)
    foretold, made = Foretold(expected, "of something else"), tmp_path / NAME
    if in_place.way_for(RawDisk.of(raw), expected) is None:
        pytest.skip("needs a file system that moves or shares ranges of files")
    found = make_in_place(
        RawDisk.of(raw), made, disk_format, checksum=True, stamp=STAMP, foretold=foretold
    )
    assert found == _sha256(made)


def test_a_copy_of_data_that_lie_elsewhere(tmp_path: Path, raw: Path) -> None:
    """Nothing is at hand then."""
    expected = in_place.layout_of(20 * MIB, [], DiskFormat.QCOW2, NAME, STAMP)
    foretold = Foretold(expected, "of something else")
    assert make_copy(RawDisk.of(raw), tmp_path / NAME, DiskFormat.QCOW2, STAMP, foretold) == ""
