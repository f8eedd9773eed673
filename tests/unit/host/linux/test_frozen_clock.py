"""Whether the clock of a library can be stopped is asked before anything is written."""

from __future__ import annotations

import ctypes
import sys
from types import SimpleNamespace

import pytest

from winimagetools.host.linux import frozen_clock

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="tables of ELF")


def a_library_without_a_clock() -> ctypes.CDLL:
    """The C library asks nobody for the time."""
    return SimpleNamespace(ntfs_mount=ctypes.CDLL(None).getpid)  # type: ignore[return-value]


def test_a_library_that_does_not_ask() -> None:
    """There is nothing to put another function into, which is said with what it takes."""
    with frozen_clock.frozen_clock(a_library_without_a_clock()) as works:
        assert works is False
    assert frozen_clock.obstacle(a_library_without_a_clock()) == (
        "the clock of libntfs-3g cannot be stopped on this machine, which takes a 64-bit Linux "
        "and a library that is linked dynamically"
    )
