"""The size of an NTFS volume, counted; tests/integration/linux/test_room.py compares it."""

from __future__ import annotations

import pytest

from winimagetools.formats import ntfs_size
from winimagetools.formats.ntfs_size import CLUSTER, NtfsItem, overhead_bytes, volume_bytes
from winimagetools.model import GIB, MIB

RECORD = 1024


@pytest.fixture(autouse=True)
def no_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count exactly."""
    monkeypatch.setattr(ntfs_size, "_MARGIN", 1)


def file(path: str, *streams: int, short: str = "", group: int = 0) -> NtfsItem:
    """A file."""
    return NtfsItem(path, is_dir=False, streams=streams, short_name=short, group=group)


@pytest.mark.parametrize(
    ("streams", "clusters"),
    [((), 0), ((0,), 0), ((700,), 0), ((800,), 1), ((4096,), 1), ((4097,), 2), ((5000, 600), 2)],
)
def test_contents_are_in_the_record_or_in_whole_clusters(
    streams: tuple[int, ...], clusters: int
) -> None:
    """A stream that fits into what is left of the record takes no cluster."""
    assert volume_bytes([file("a.txt", *streams)]) == RECORD + clusters * CLUSTER


def test_a_long_name_leaves_less_room_for_contents() -> None:
    """And a short name beside it takes some more."""
    long = "x" * 100
    assert volume_bytes([file(long, 540)]) == RECORD
    assert volume_bytes([file(long, 550)]) == RECORD + CLUSTER
    assert volume_bytes([file(long, 540, short="XXXXXX~1.XXX")]) == RECORD + CLUSTER


def test_names_of_one_file_share_its_contents() -> None:
    """Until they do not fit into its record any more."""
    names = [file(f"{number}/file.dll", 5000, group=7) for number in range(20)]
    assert volume_bytes(names[:2]) == RECORD + 2 * CLUSTER
    assert volume_bytes(names[:7]) == RECORD + 2 * CLUSTER
    assert volume_bytes(names[:8]) == 3 * RECORD + 2 * CLUSTER
    assert volume_bytes(names[:9]) == 4 * RECORD + 2 * CLUSTER


def test_the_names_in_a_folder_need_blocks_of_its_index() -> None:
    """A few are in its record; a block of many is half full."""
    folder = NtfsItem("d", is_dir=True)

    def index(count: int) -> int:
        names = [file(f"d/name-{number:05}") for number in range(count)]
        return volume_bytes([folder, *names]) - (count + 1) * RECORD

    assert index(6) == 0
    assert index(20) == 2 * CLUSTER
    assert index(1000) == 52 * CLUSTER


@pytest.mark.parametrize(
    ("volume", "clusters"),
    [
        (60 * MIB, 625),
        (399 * MIB, 626),
        (1023 * MIB, 1429),
        (20000 * MIB, 16653),
        (40 * GIB, 16816),
    ],
)
def test_what_a_volume_takes_for_itself(volume: int, clusters: int) -> None:
    """Within 32 clusters of what mkntfs took, measured."""
    assert clusters <= overhead_bytes(volume) // CLUSTER + 16
    assert overhead_bytes(volume) // CLUSTER <= clusters + 32
