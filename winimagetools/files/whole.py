"""Reading a file whole, when it is not larger than a file of its kind can be."""

from __future__ import annotations

import os
from pathlib import Path

from winimagetools.errors import MediaError

LARGEST = 512 * 1024 * 1024
"""Bytes; the registry of a Windows that was used for years has half of it."""


def read_whole(path: Path, name: str = "", largest: int = LARGEST) -> bytes:
    """The content of a file.

    Args:
        path: the file.
        name: what to call it in messages; the path when empty.
        largest: bytes it may have.

    Raises:
        OSError: it cannot be read.
        MediaError: it is larger; not more than that is read, whatever its length says.
    """
    with path.open("rb") as stream:
        size = min(os.fstat(stream.fileno()).st_size, largest)
        data = stream.read(size + 1)
        if size < len(data) <= largest:  # a device, or a file that grows
            data += stream.read(largest + 1 - len(data))
    if len(data) > largest:
        raise MediaError(
            f"{name or path} has more than {largest} bytes; that is more than any file of its "
            "kind has.",
            "Check that it is what it should be.",
        )
    return data
