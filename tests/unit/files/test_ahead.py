"""Data that is read ahead of whoever uses it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from winimagetools.files.ahead import CHUNK, Part, Stretch, _Cache, is_cached, read_ahead

_SIZE = 5 * CHUNK + 777


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of several chunks, all of them different."""
    path = tmp_path_factory.mktemp("ahead") / "file"
    path.write_bytes(b"".join(number.to_bytes(3, "big") for number in range(_SIZE // 3 + 1)))
    os.truncate(path, _SIZE)
    return path


def _joined(parts: Iterable[Part]) -> bytes:
    return b"".join(bytes(part) for part in read_ahead(parts))


_PLACES = st.tuples(st.integers(0, _SIZE), st.integers(0, 3 * CHUNK))


@given(st.lists(st.one_of(st.binary(max_size=99), st.integers(0, 9999), _PLACES), max_size=12))
@settings(max_examples=25, deadline=None)
def test_everything_comes_in_order(file: Path, wanted: list[bytes | int | tuple[int, int]]) -> None:
    """Bytes, zeros and ranges; what a range has beyond the end of the file is zeros."""
    content = file.read_bytes() + bytes(3 * CHUNK)
    expected = b"".join(
        content[part[0] : sum(part)] if isinstance(part, tuple) else bytes(part) for part in wanted
    )
    parts = [Stretch(file, *part) if isinstance(part, tuple) else part for part in wanted]
    assert _joined(parts) == expected


def test_what_is_not_in_the_page_cache_is_read_all_the_same(file: Path) -> None:
    """The cache is emptied before; where it cannot be, the test is that of the cache."""
    handle = os.open(file, os.O_RDWR)
    os.fsync(handle)
    os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(handle)
    assert _joined([Stretch(file, 0, _SIZE), Stretch(file, 4097, CHUNK)]) == (
        file.read_bytes() + file.read_bytes()[4097 : 4097 + CHUNK]
    )


def test_a_system_without_such_reads(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows and on some file systems."""
    monkeypatch.delattr(os, "O_DIRECT")
    assert _joined([Stretch(file, 0, _SIZE)]) == file.read_bytes()


def test_the_page_cache_tells_what_it_holds(file: Path) -> None:
    """What was just read is there; a part behind the end of the file is nowhere."""
    file.read_bytes()
    cache = _Cache(file)
    assert cache.holds(Stretch(file, 4097, CHUNK))
    assert not cache.holds(Stretch(file, _SIZE + 1, 1))
    cache.close()


def test_a_whole_file_in_the_cache(file: Path, tmp_path: Path) -> None:
    """What was just written is there; of nothing, and of what is too large, nobody knows."""
    assert is_cached(file)
    disk = tmp_path / "disk"
    disk.touch()
    assert not is_cached(disk)
    os.truncate(disk, 1 << 40)
    assert not is_cached(disk)


def test_a_disk_may_be_larger_than_the_memory(tmp_path: Path) -> None:
    """A map of all of it would be refused, since it could be written to."""
    disk = tmp_path / "disk"
    with disk.open("wb") as file:
        file.seek(4 << 40)
        file.write(b"end")
    parts = [Stretch(disk, 0, 5), Stretch(disk, (4 << 40) - 2, 5)]
    assert _joined(parts) == bytes(7) + b"end"
    cache = _Cache(disk)
    assert cache.holds(parts[1])
    cache.close()


def test_views_are_few(file: Path) -> None:
    """The memory it takes does not grow with the file."""
    parts = [Stretch(file, 0, _SIZE)] * 20
    addresses = {view.obj for view in read_ahead(parts) if isinstance(view, memoryview)}
    assert 0 < len(addresses) <= 14


def test_an_error_of_a_reader_is_raised(file: Path) -> None:
    """And no thread is left."""
    before = threading.active_count()
    with pytest.raises(FileNotFoundError):
        _joined([Stretch(file, 0, _SIZE), Stretch(file.with_name("missing"), 0, 10)])
    assert threading.active_count() == before


def test_giving_up_ends_the_readers(file: Path) -> None:
    """Ctrl-C while data is hashed."""
    before = threading.active_count()
    reading = read_ahead([Stretch(file, 0, _SIZE)] * 50)
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
