"""SHA-256 of files, holes counted without being read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from winimagetools.files import sparse


def sha256_of(path: Path, on_progress: Callable[[int], None] = lambda _: None) -> str:
    """SHA-256 of a file in hexadecimal; holes count as the zeros they stand for.

    Args:
        path: the file.
        on_progress: gets the bytes done so far.
    """
    with path.open("rb", buffering=0) as file:
        return sha256_of_parts(sparse.read(file), on_progress)


def sha256_of_parts(
    parts: Iterable[bytes | int], on_progress: Callable[[int], None] = lambda _: None
) -> str:
    """SHA-256 in hexadecimal of what comes in parts; a number stands for so many zeros."""
    digest, done = hashlib.sha256(), 0
    for part in parts:
        if isinstance(part, bytes):
            digest.update(part)
            done += len(part)
        else:
            _add_zeros(digest.update, part)
            done += part
        on_progress(done)
    return digest.hexdigest()


def _add_zeros(update: Callable[[bytes], object], count: int) -> None:
    whole, rest = divmod(count, sparse.CHUNK)
    for _ in range(whole):
        update(sparse.ZEROS)
    update(sparse.ZEROS[:rest])
