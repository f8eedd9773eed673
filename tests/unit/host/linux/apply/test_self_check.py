"""What is remembered of a layout, and the memory at the places of contents."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from winimagetools.host.linux.apply.self_check import LaidOut

CLUSTER = 4096


@pytest.fixture
def shadow() -> Iterator[int]:
    """A volume in memory with something in clusters 10 to 13 and 5000."""
    handle = os.memfd_create("volume")
    os.truncate(handle, 10_000 * CLUSTER)
    os.pwrite(handle, b"x" * 4 * CLUSTER, 10 * CLUSTER)
    os.pwrite(handle, b"y" * CLUSTER, 5000 * CLUSTER)
    yield handle
    os.close(handle)


def test_contents_that_follow_each_other_are_one_run(shadow: int) -> None:
    """In the order in which they were given."""
    laid = LaidOut(shadow, CLUSTER)
    for runs in [[(100, 5)], [(105, 1)], [(300, 2), (302, 3)], [(50, 1)]]:
        laid.give(runs)
    assert laid.contents == [(100, 6), (300, 5), (50, 1)]


def test_what_metadata_left_at_the_place_of_a_content_is_removed(shadow: int) -> None:
    """Only there: what is beside it stays."""
    laid = LaidOut(shadow, CLUSTER)
    laid.give([(11, 1)])
    laid.give([(12, 1), (400, 3)])
    laid.clear()
    found = os.pread(shadow, 4 * CLUSTER, 10 * CLUSTER)
    assert found == b"x" * CLUSTER + bytes(2 * CLUSTER) + b"x" * CLUSTER
    assert os.pread(shadow, CLUSTER, 5000 * CLUSTER) == b"y" * CLUSTER


def test_it_is_removed_soon(shadow: int) -> None:
    """What is written there later is not what was left, and has to be noticed."""
    laid = LaidOut(shadow, CLUSTER)
    for number in range(200):
        laid.give([(4900 + number, 1)])
    assert not any(os.pread(shadow, CLUSTER, 5000 * CLUSTER))
    os.pwrite(shadow, b"z", 5000 * CLUSTER)
    laid.clear()
    assert os.pread(shadow, 1, 5000 * CLUSTER) == b"z"
