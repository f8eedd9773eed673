"""The SHA-256 of a large file with holes."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from winimagetools.files import hash as hash_module
from winimagetools.files import sparse
from winimagetools.files.hash import Sha256Beside, sha256_beside, sha256_of


def test_the_hash_of_a_sparse_file_counts_zeros(tmp_path: Path) -> None:
    """Holes are part of the content; progress ends at the size."""
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.write(b"begin")
        file.seek(3 * sparse.CHUNK + 17)
        file.write(b"end")
        file.truncate(5 * sparse.CHUNK + 1)
    reached: list[int] = []
    assert sha256_of(path, reached.append) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert reached[-1] == 5 * sparse.CHUNK + 1


@pytest.mark.parametrize("cached", [True, False])
def test_the_hash_taken_beside_a_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cached: bool
) -> None:
    """It is the same, whether the file is in the page cache, has holes, or nothing in it."""
    monkeypatch.setattr(hash_module, "is_cached", lambda _: cached)
    path, reached = tmp_path / "file", list[int]()
    with path.open("wb") as file:
        file.write(bytes(range(256)) * 3000)
        file.truncate(2 * sparse.CHUNK + 1)
    assert sha256_beside(path, reached.append) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert reached == sorted(reached)
    assert reached[-1] == 2 * sparse.CHUNK + 1
    path.write_bytes(b"")
    assert sha256_beside(path) == hashlib.sha256(b"").hexdigest()


@given(st.lists(st.one_of(st.binary(max_size=3000), st.integers(0, 3 << 20)), max_size=12))
@settings(max_examples=25, deadline=None)
def test_sha256_beside(pieces: list[bytes | int]) -> None:
    """The order is kept, and zeros count as if they had been written."""
    with Sha256Beside() as digest:
        for piece in pieces:
            if isinstance(piece, int):
                digest.update_zeros(piece)
            else:
                digest.update(piece)
    assert digest.hexdigest() == hashlib.sha256(b"".join(map(bytes, pieces))).hexdigest()


def test_sha256_beside_ends_after_a_failure() -> None:
    """No thread is left."""
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt), Sha256Beside() as digest:
        digest.update(bytes(5 << 20))
        raise KeyboardInterrupt
    assert threading.active_count() == before
