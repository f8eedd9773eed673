"""A raw disk as it is before it becomes something else: one file, or two that are to be joined."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from winimagetools import log
from winimagetools.files import sparse
from winimagetools.files.ahead import Stretch
from winimagetools.files.copy import copy_file
from winimagetools.formats.containers.layout import Piece


@dataclass(frozen=True)
class RawDisk:
    """Where the bytes of a raw disk are.

    Args:
        size: bytes of the disk.
        main: the file with most of it; what the disk becomes is made of this file.
        start: where on the disk ``main`` begins, in whole MiB.
        length: how much of the disk is in ``main``.
        rest: a file as long as the disk with all that is not in ``main``; None where that is
            nothing.
    """

    size: int
    main: Path
    start: int
    length: int
    rest: Path | None = None

    @classmethod
    def of(cls, path: Path) -> RawDisk:
        """The disk in a raw image."""
        size = path.stat().st_size
        return cls(size, path, 0, size)

    @property
    def end(self) -> int:
        """Where on the disk ``main`` ends."""
        return self.start + self.length

    def inside(self, piece: Piece) -> Piece:
        """The part of a piece of the disk that is in ``main``; it may be empty."""
        start = min(max(piece.start, self.start), self.end)
        return Piece(start, max(min(piece.end, self.end) - start, 0))

    def outside(self, piece: Piece) -> Iterator[Piece]:
        """The parts of a piece of the disk that are not in ``main``."""
        if piece.start < self.start:
            yield Piece(piece.start, min(piece.end, self.start) - piece.start)
        if piece.end > self.end:
            start = max(piece.start, self.end)
            yield Piece(start, piece.end - start)

    def data(self) -> list[Piece]:
        """What is not a hole, ascending."""
        everything = Piece(0, self.size)
        with self.main.open("rb", buffering=0) as main:
            found = [
                Piece(extent.offset + self.start, extent.length)
                for extent in sparse.extents(main.fileno())
                if extent.offset is not None
            ]
        if self.rest is not None:
            with self.rest.open("rb", buffering=0) as rest:
                for part in self.outside(everything):
                    found += _data(rest, part)
        return sorted(found, key=lambda piece: piece.start)

    def parts(self, piece: Piece) -> Iterator[Stretch | int]:
        """Where the bytes of a piece are, which may reach beyond the disk; a number is zeros."""
        parts = [*self.outside(piece), self.inside(piece)]
        for part in sorted(parts, key=lambda part: part.start):
            if part.start >= self.start and part.end <= self.end:
                yield from _stretches(self.main, part.start - self.start, part.length)
            elif self.rest is not None:
                yield from _stretches(self.rest, part.start, part.length)
            else:
                yield part.length

    def read(self, piece: Piece) -> Iterator[bytes | int]:
        """The bytes of a piece, which may reach beyond the disk; a number is so many zeros."""
        for part in self.parts(piece):
            if isinstance(part, int):
                yield part
                continue
            with part.path.open("rb", buffering=0) as file:
                yield from sparse.read_between(file, part.offset, part.offset + part.length)


def _data(file: BinaryIO, part: Piece) -> list[Piece]:
    return [
        Piece(extent.offset, extent.length)
        for extent in sparse.extents_between(file.fileno(), part.start, part.end)
        if extent.offset is not None
    ]


def _stretches(path: Path, start: int, length: int) -> Iterator[Stretch | int]:
    with path.open("rb", buffering=0) as file:
        end = min(start + length, os.fstat(file.fileno()).st_size)
        extents = list(sparse.extents_between(file.fileno(), start, end))
    for extent in extents:
        data = extent.offset is not None
        yield Stretch(path, extent.offset or 0, extent.length) if data else extent.length
    if start + length > end:
        yield start + length - max(start, end)


def copy_disk(disk: RawDisk, destination: Path) -> None:
    """Join the files of a disk by copying them, holes kept; they are gone afterwards.

    Args:
        disk: the disk.
        destination: the raw image to make.

    Raises:
        OSError: as the operating system says it; what was written by then stays.
    """
    with log.Progress("Copying the disk", disk.length) as progress:
        copy_file(disk.main, destination, offset=disk.start, on_progress=progress.update)
    with destination.open("r+b") as file:
        file.truncate(disk.size)
        for part in disk.outside(Piece(0, disk.size)):
            position = part.start
            for data in disk.read(part):
                if isinstance(data, bytes):
                    file.seek(position)
                    file.write(data)
                position += data if isinstance(data, int) else len(data)
    for used in filter(None, (disk.main, disk.rest)):
        used.unlink()
