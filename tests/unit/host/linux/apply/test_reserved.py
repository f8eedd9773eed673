"""Room for contents that is taken before they are written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from winimagetools.files.ranges import RangesUnsupportedError, reserve
from winimagetools.host.linux.apply.reserved import Reserved

CLUSTER = 4096
START, CLUSTERS = 16 * CLUSTER, 1000
SIZE = CLUSTERS * CLUSTER


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A disk that is one hole, with a volume that ends before it does."""
    path = tmp_path / "disk.raw"
    with path.open("wb") as file:
        file.truncate(START + SIZE + START)
        try:
            reserve(file.fileno(), 0, CLUSTER)
        except RangesUnsupportedError:
            pytest.skip("this file system takes no room beforehand")
        if not os.major(os.fstat(file.fileno()).st_dev):
            pytest.skip("this file system has no disk of its own")
    path.unlink()
    with path.open("wb") as file:
        file.truncate(START + SIZE + START)
    return path


def clusters(disk: Path) -> int:
    """How many the file has in its file system."""
    return disk.stat().st_blocks * 512 // CLUSTER


def test_room_is_taken_and_what_nobody_wrote_is_given_back(disk: Path) -> None:
    """The places of contents keep theirs, in any order; the length of the file is what it was."""
    length = disk.stat().st_size
    reserved = Reserved(disk, START, SIZE, CLUSTER)
    reserved.take(100, 500)
    assert clusters(disk) == 500
    reserved.give_back([(300, 100), (100, 50), (150, 20), (580, 40), (900, 10)])
    assert clusters(disk) == 50 + 20 + 100 + 20
    assert disk.stat().st_size == length


def test_room_with_gaps_is_where_contents_are_not(disk: Path) -> None:
    """What is given back lies between them and behind the last."""
    with disk.open("r+b") as file:
        file.seek(START + 110 * CLUSTER)
        file.write(b"content" * 1000)
    reserved = Reserved(disk, START, SIZE, CLUSTER)
    reserved.take(100, 50)
    reserved.give_back([(110, 2)])
    assert clusters(disk) == 2
    with disk.open("rb") as file:
        file.seek(START + 110 * CLUSTER)
        assert file.read(7000) == b"content" * 1000
        file.seek(START)
        assert not any(file.read(110 * CLUSTER))


def test_nothing_is_taken_behind_the_volume(disk: Path) -> None:
    """A full volume: its contents have less room than they ask for, behind it are other data."""
    reserved = Reserved(disk, START, SIZE, CLUSTER)
    reserved.take(CLUSTERS - 10, 500)
    assert clusters(disk) == 10
    reserved.give_back([])
    assert clusters(disk) == 0


def test_room_that_cannot_be_had_does_not_matter(tmp_path: Path) -> None:
    """No file is as long as this; whoever writes there is told what is wrong."""
    disk = tmp_path / "disk.raw"
    disk.write_bytes(b"")
    reserved = Reserved(disk, 1 << 62, 1 << 61, CLUSTER)
    reserved.take(0, 1 << 40)
    reserved.give_back([])
    assert (disk.stat().st_size, disk.stat().st_blocks) == (0, 0)


def test_no_memory_is_taken_beforehand(monkeypatch: pytest.MonkeyPatch, disk: Path) -> None:
    """A file system in memory has no device: taking room there is as slow as writing."""
    monkeypatch.setattr(os, "major", lambda _: 0)
    reserved = Reserved(disk, START, SIZE, CLUSTER)
    reserved.take(100, 500)
    reserved.give_back([])
    assert clusters(disk) == 0
