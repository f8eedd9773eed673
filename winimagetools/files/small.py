"""Small files that are read whole: text and JSON.

Somebody else may have put an endless one, a pipe, or brackets in brackets without end in their
place; whoever reads them gets a ValueError, as for any other file that is none of its kind.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

from winimagetools.files.kind import read_small

LARGEST = 32 << 20
"""Bytes; the largest of them, the report of an image with thousands of drivers, has a tenth."""
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)


def read_text(path: Path) -> str:
    """The text of a file in UTF-8.

    Args:
        path: a file; a pipe too, such as a shell makes for ``<(...)``.

    Raises:
        OSError: it cannot be read.
        ValueError: it is too large, or not UTF-8.
    """
    data = read_small(path, LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"it has more than {LARGEST} bytes")
    return data.decode("utf-8")


def read_json(path: Path) -> Any:
    """What is in a file of JSON; nothing but a regular file is waited for.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON.
    """
    with open(path, "rb", opener=_open_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("it is no file")
    return parse_json(read_text(path))


def parse_json(text: str | bytes) -> Any:
    """What a text in JSON says. Raises ValueError, however deep it is nested."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | _NO_WAIT)
