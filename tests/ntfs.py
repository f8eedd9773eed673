"""The check of an NTFS volume for tests, which have it in files of this machine."""

from __future__ import annotations

import os
from pathlib import Path

from winimagetools.checks.ntfs.report import Finding
from winimagetools.checks.ntfs.volume import check_volume


def check_file(
    path: Path, start: int = 0, size: int = 0, *, fresh: bool = False
) -> tuple[Finding, ...]:
    """What contradicts something else in a volume.

    Args:
        path: a volume, or a raw disk it is on.
        start: where it begins.
        size: bytes of its partition; 0 for the rest of the file.
        fresh: no Windows has written to it yet.
    """
    with path.open("rb", buffering=0) as file:
        length = size or os.fstat(file.fileno()).st_size - start
        return check_volume(
            lambda offset, count: os.pread(file.fileno(), count, start + offset),
            length,
            fresh=fresh,
        )
