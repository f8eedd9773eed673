"""Large files that are written past the page cache where that works."""

from __future__ import annotations

import errno
import mmap
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from winimagetools.files.large import LargeFile
from winimagetools.model import MIB

_BLOCKS = st.tuples(st.integers(0, 40), st.integers(1, 9), st.integers(0, 255))


def _mapped(data: bytes) -> memoryview:
    memory = mmap.mmap(-1, len(data))
    memory.write(data)
    return memoryview(memory)


@pytest.mark.parametrize("odd", [0, 512, 777])
@given(writes=st.lists(_BLOCKS, max_size=8))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_was_written(tmp_path: Path, odd: int, writes: list[tuple[int, int, int]]) -> None:
    """Blocks at their places and odd ones between them, in any order and from any memory."""
    path, expected = tmp_path / "file", bytearray(MIB)
    path.unlink(missing_ok=True)
    places: set[int] = set()
    with LargeFile(path) as file:
        for place, count, value in writes:
            blocks = set(range(place, place + count + 1))
            if blocks & places:
                continue
            places |= blocks
            data, at = bytes([value]) * (count * 4096), place * 4096 + odd
            expected[at : at + len(data)] = data
            file.write(_mapped(data) if value % 2 else data, at)
        file.truncate(MIB)
    assert (path.read_bytes() == bytes(expected)) is True
    assert path.stat().st_mode & 0o777 == 0o600


def test_zeros_are_holes(tmp_path: Path) -> None:
    """They take no room, and neither does nothing at all."""
    with LargeFile(tmp_path / "file") as file:
        file.write(_mapped(bytes(MIB)), 0)
        file.write(b"", 0)
        file.truncate(8 * MIB)
    assert (tmp_path / "file").stat().st_blocks == 0
    with pytest.raises(FileExistsError):
        LargeFile(tmp_path / "file")


@pytest.mark.parametrize("refused", ["open", "pwrite"])
def test_a_file_system_that_has_to_have_the_cache(
    tmp_path: Path, refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It refuses to open a file so, or to write what is too small for its disk."""
    real = os.open

    def refuse(*arguments: object, **more: object) -> int:
        if refused == "pwrite" or arguments[1] & os.O_DIRECT:  # type: ignore[operator]
            raise OSError(errno.EINVAL, "Invalid argument")
        return real(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, refused, refuse)
    with LargeFile(tmp_path / "file") as file:
        file.write(_mapped(b"a" * 8192), 0)
        file.write(_mapped(b"b" * 4096), 8192)
    monkeypatch.undo()
    assert (tmp_path / "file").read_bytes() == b"a" * 8192 + b"b" * 4096


def test_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is not taken for one that cannot write past the cache."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with LargeFile(tmp_path / "file") as file, pytest.raises(OSError, match="No space left"):
        file.write(_mapped(b"a" * 4096), 0)
