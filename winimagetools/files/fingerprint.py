"""SHA-256 of what a build reads, computed beside the build; of folders too."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from winimagetools.files.digests import DigestMemory
from winimagetools.files.hash import sha256_beside

LARGE = 64 << 20
"""Bytes from which on a file is worth remembering: it takes 40 ms to read them."""


@dataclass(frozen=True)
class Fingerprint:
    """What a file or a folder holds.

    Args:
        size: bytes; those of all files of a folder.
        sha256: in hexadecimal; of a folder that of the lines ``sha256sum`` writes for its files,
            sorted by path.
    """

    size: int
    sha256: str


class _StoppedError(Exception):
    """The build has failed, and nobody wants to know any more."""


class Fingerprints:
    """Takes fingerprints in a thread of its own; a context manager.

    Args:
        paths: files and folders.
        memory: of large files; None reads them all.

    :meth:`results` waits for them. Leaving the context stops what is not done.
    """

    def __init__(self, paths: Sequence[Path], memory: DigestMemory | None = None) -> None:
        self._paths, self._memory = paths, memory
        self._stopped = threading.Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="fingerprints")
        self._futures: list[Future[Fingerprint]] = []

    def __enter__(self) -> Fingerprints:
        self._futures = [self._pool.submit(self._of, path) for path in self._paths]
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._pool.shutdown(cancel_futures=True)

    def results(self) -> list[Fingerprint]:
        """The fingerprints in the order of the paths.

        Raises:
            OSError: a file cannot be read any more.
        """
        return [future.result() for future in self._futures]

    def _of(self, path: Path) -> Fingerprint:
        if not path.is_dir():
            return self._of_file(path)
        lines, size = hashlib.sha256(), 0
        for file in _files_in(path):
            name = file.relative_to(path).as_posix()
            line = f"{sha256_beside(file, self._go_on)}  {name}\n"
            lines.update(line.encode("utf-8", "surrogateescape"))
            size += file.stat().st_size
        return Fingerprint(size, lines.hexdigest())

    def _of_file(self, path: Path) -> Fingerprint:
        size = path.stat().st_size
        if self._memory is None or size < LARGE:
            return Fingerprint(size, sha256_beside(path, self._go_on))
        path = path.absolute()
        return Fingerprint(size, self._memory.of(path, {"": path}, self._go_on)[""])

    def _go_on(self, _done: int) -> None:
        if self._stopped.is_set():
            raise _StoppedError


def _files_in(folder: Path) -> Iterator[Path]:
    found = [Path(root, name) for root, _, names in os.walk(folder) for name in names]
    yield from sorted(path for path in found if path.is_file())
