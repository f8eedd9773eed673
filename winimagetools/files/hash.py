"""SHA-256 of files, holes counted without being read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from winimagetools.files import sparse


def sha256_of(path: Path, on_progress: Callable[[int], None] = lambda _: None) -> str:
    """SHA-256 of a file in hexadecimal; holes count as the zeros they stand for.

    Args:
        path: the file.
        on_progress: gets the bytes done so far.
    """
    digest, done = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as file:
        for piece in sparse.read(file):
            if isinstance(piece, bytes):
                digest.update(piece)
                done += len(piece)
            else:
                _add_zeros(digest.update, piece)
                done += piece
            on_progress(done)
    return digest.hexdigest()


def _add_zeros(update: Callable[[bytes], object], count: int) -> None:
    whole, rest = divmod(count, sparse.CHUNK)
    for _ in range(whole):
        update(sparse.ZEROS)
    update(sparse.ZEROS[:rest])
