"""SHA-256 of files that are read once, until they change.

A file counts as unchanged while its path, size, inode and the times of the last write and of the
last change of any kind are the same. One that was written to in the last seconds is read again
the next time, because a second write within the same tick of the clock of its file system would
not show.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from winimagetools.files.hash import sha256_beside
from winimagetools.files.small import read_json

_SETTLED = 3.0
"""Seconds after which a write shows in the time of a file; FAT counts in two."""
_Entry = tuple[int, int, int, int, str]
"""Size, times of the last write and the last change, inode and SHA-256."""


class DigestMemory:
    """Remembers them.

    Args:
        folder: where; it is made when needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(
        self,
        path: Path,
        files: Mapping[str, Path],
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> dict[str, str]:
        """SHA-256 of files in hexadecimal, by their names.

        Args:
            path: what they belong to, under which they are remembered together.
            files: by a name for each.
            on_progress: gets the bytes done so far of a file that is read.

        Raises:
            OSError: one cannot be read.
        """
        place = self._place(path)
        known = _read(place, path)
        now: dict[str, _Entry] = {}
        kept: dict[str, _Entry] = {}
        for name, file in files.items():
            began, status = time.time_ns(), file.stat()
            now[name] = entry = _look(file, status, known.get(name), on_progress)
            if began - status.st_mtime_ns > _SETTLED * 1e9:
                kept[name] = entry
        if kept != known:
            _write(place, path, kept)
        return {name: entry[-1] for name, entry in now.items()}

    def knows(self, path: Path, files: Mapping[str, Path]) -> bool:
        """Whether the SHA-256 of all files is known, so that none need be read.

        Raises:
            OSError: one is not there.
        """
        known = _read(self._place(path), path)
        return all(_is_known(file.stat(), known.get(name)) for name, file in files.items())

    def _place(self, path: Path) -> Path:
        return self._folder / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:32]}.json"


def _look(
    file: Path,
    status: os.stat_result,
    known: _Entry | None,
    on_progress: Callable[[int], None],
) -> _Entry:
    if known is not None and _is_known(status, known):
        return known
    return (*_identity(status), sha256_beside(file, on_progress))


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _is_known(status: os.stat_result, known: _Entry | None) -> bool:
    return known is not None and known[:-1] == _identity(status)


def _read(place: Path, path: Path) -> dict[str, _Entry]:
    try:
        record = read_json(place)
        files = record["files"] if record["path"] == str(path) else {}
        return {name: _entry(*fields) for name, fields in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _entry(size: int, written: int, changed: int, inode: int, sha256: str) -> _Entry:
    return int(size), int(written), int(changed), int(inode), str(sha256)


def _write(place: Path, path: Path, files: Mapping[str, _Entry]) -> None:
    """Remember them; where that is not possible they are computed again."""
    new = place.with_name(f".{place.name}-{uuid.uuid4().hex}")
    with suppress(OSError, ValueError):
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new.write_text(json.dumps({"path": str(path), "files": files}), encoding="utf-8")
        new.replace(place)
