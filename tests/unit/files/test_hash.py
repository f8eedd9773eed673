"""The SHA-256 of a large file with holes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from winimagetools.files import sparse
from winimagetools.files.hash import sha256_of


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
