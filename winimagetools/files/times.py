"""Times of files on this host, where what is made of the files takes them over."""

from __future__ import annotations

import os
from pathlib import Path


def set_times(folder: Path, seconds: int) -> None:
    """Give everything in a folder one time; links are not followed.

    Args:
        folder: it keeps its own time.
        seconds: since 1970.
    """
    for above, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.utime(os.path.join(above, name), (seconds, seconds), follow_symlinks=False)  # noqa: PTH118
