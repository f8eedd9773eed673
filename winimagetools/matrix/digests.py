"""SHA-256 of what goes into a stage."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import Protocol

from winimagetools.files import sparse
from winimagetools.files.ahead import expect, read_into
from winimagetools.files.digests import DigestMemory

_BLOCK = 64 * 1024
_ZEROS = bytes(_BLOCK)
_READ = 16 * _BLOCK
_AHEAD = 8 * _READ


def digest_of(parts: Mapping[str, str]) -> str:
    """SHA-256 of named texts, whatever their order."""
    return hashlib.sha256(json.dumps(dict(parts), sort_keys=True).encode()).hexdigest()


def content_digest(path: Path) -> str:
    """SHA-256 of the size of a file and of its blocks that are not all zeros, with their places.

    It is the same however many of the zeros are holes, and no hole is read: a disk image of 40
    GB takes as long as what is in it.
    """
    digest = hashlib.sha256(str(path.stat().st_size).encode())
    with path.open("rb", buffering=0) as file:
        for position, data in _blocks(file):
            for start in range(0, len(data), _BLOCK):
                block = data[start : start + _BLOCK]
                if block[0] or block[-1] or bytes(block) != _ZEROS[: len(block)]:
                    digest.update(((position + start) // _BLOCK).to_bytes(8, "little"))
                    digest.update(block)
    return digest.hexdigest()


def _blocks(file: FileIO) -> Iterator[tuple[int, memoryview]]:
    """Whole blocks with all that is no hole, and their places; good until the next are asked for.

    They stay in the page cache, from where images are made of a disk soon.
    """
    buffer, done, expected = memoryview(bytearray(_READ)), 0, 0
    for extent in sparse.extents(file.fileno()):
        if extent.offset is None:
            continue
        end = extent.offset + extent.length
        position = max(extent.offset // _BLOCK * _BLOCK, done)
        while position < end:
            if expected < min(position + _AHEAD, end):
                expect(file, max(position, expected), position + 2 * _AHEAD)
                expected = position + 2 * _AHEAD
            wanted = buffer[: -(-(end - position) // _BLOCK) * _BLOCK]
            count = read_into(file, position, wanted)
            if not count:
                break
            yield position, buffer[:count]
            position = done = position + -(-count // _BLOCK) * _BLOCK


class Digests(Protocol):
    """Tells what stands for the content of files and folders."""

    def of(self, path: Path) -> str:
        """A text that is the same while the content is. Raises OSError."""


class PathDigests:
    """Takes a file for what its path says, without reading it: to plan what may be refused."""

    def of(self, path: Path) -> str:
        """The path."""
        return str(path)


class FileDigests:
    """SHA-256 of files and folders that are read, once until they change.

    Args:
        folder: where they are remembered; it is made when needed.
    """

    def __init__(self, folder: Path) -> None:
        self._memory = DigestMemory(folder)
        self._done: dict[Path, str] = {}

    def of(self, path: Path) -> str:
        """SHA-256 of a file, of all parts of a split WIM, or of the names and files of a folder.

        Raises:
            OSError: something cannot be read.
        """
        path = path.absolute()
        if path not in self._done:
            found = self._memory.of(path, dict(_files(path)))
            self._done[path] = found[""] if list(found) == [""] else digest_of(found)
        return self._done[path]

    def knows(self, path: Path) -> bool:
        """Whether the SHA-256 of a file is known, so that it need not be read."""
        path = path.absolute()
        try:
            return self._memory.knows(path, dict(_files(path)))
        except OSError:
            return False


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_dir():
        for root, _, names in os.walk(path):
            for name in names:
                file = Path(root, name)
                if file.is_file():
                    yield file.relative_to(path).as_posix(), file
    elif path.suffix.casefold() == ".swm":
        for part in path.parent.glob(f"{path.stem}*{path.suffix}"):
            yield part.name, part
    else:
        yield "", path


def sealed(key: bytes, text: str) -> str:
    """What stands for a secret in a digest: without the key it cannot be guessed at."""
    return hmac.new(key, text.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()
