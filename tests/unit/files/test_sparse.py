from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.files import write_with_hole
from winimagetools.files import sparse

KIB64 = 64 * 1024


def _joined(path: Path) -> tuple[bytes, int]:
    """The content as :func:`sparse.read` gives it, and how much of it were holes."""
    content, holes = b"", 0
    with path.open("rb") as file:
        for piece in sparse.read(file):
            content += bytes(piece)  # of a number: so many zeros
            holes += piece if isinstance(piece, int) else 0
    return content, holes


def test_read_gives_all_bytes_and_does_not_read_holes(tmp_path: Path) -> None:
    """Data and holes together are the file."""
    content = write_with_hole(tmp_path / "file")
    read, holes = _joined(tmp_path / "file")
    assert read == content
    if hasattr(os, "SEEK_HOLE") and (tmp_path / "file").stat().st_blocks * 512 < KIB64:
        assert holes >= 5 * sparse.CHUNK - 2 * KIB64


def test_a_system_without_holes_reads_everything_as_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows has no SEEK_DATA: one extent."""
    monkeypatch.delattr(os, "SEEK_DATA", raising=False)
    monkeypatch.delattr(os, "SEEK_HOLE", raising=False)
    content = write_with_hole(tmp_path / "file")
    with (tmp_path / "file").open("rb") as file:
        assert list(sparse.extents(file.fileno())) == [sparse.Extent(0, len(content))]
    assert _joined(tmp_path / "file") == (content, 0)


def test_an_empty_file_has_no_extents(tmp_path: Path) -> None:
    """Nothing in, nothing out."""
    (tmp_path / "file").touch()
    assert _joined(tmp_path / "file") == (b"", 0)


@given(
    st.lists(
        st.one_of(st.binary(max_size=50), st.integers(0, 3 * KIB64), st.just(bytes(500))),
        max_size=8,
    )
)
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes | int]
) -> None:
    """Any mixture of data and zeros, zeros at the end included."""
    path = tmp_path_factory.mktemp("sparse") / "file"
    with path.open("wb") as file:
        writer = sparse.SparseWriter(file)
        for piece in pieces:
            if isinstance(piece, int):
                writer.write_zeros(piece)
            else:
                writer.write(piece)
        writer.close()
    content = b"".join(bytes(piece) for piece in pieces)
    assert path.read_bytes() == content
    assert writer.size == len(content)


def test_written_zeros_take_no_room(tmp_path: Path) -> None:
    """A chunk of zeros becomes a hole where the file system has holes."""
    path = tmp_path / "file"
    with path.open("wb") as file:
        writer = sparse.SparseWriter(file)
        for _ in range(16):
            writer.write(sparse.ZEROS)
        writer.close()
    assert path.stat().st_size == 16 * sparse.CHUNK
    assert getattr(path.stat(), "st_blocks", 0) * 512 < sparse.CHUNK
