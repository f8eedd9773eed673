"""A raw disk image becomes another container by metadata alone, without a second copy.

Two ways, both of the file system and both without moving data: ranges without data are cut out
of the image and room for header and tables is put in front (ext4, XFS), or a new file shares
the ranges with data (Btrfs, XFS). The first one uses the image up.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from winimagetools.errors import BuildError
from winimagetools.files import ranges, sparse
from winimagetools.files.hash import sha256_of_parts
from winimagetools.files.ranges import RangesUnsupportedError
from winimagetools.formats.containers.layout import Layout, Piece
from winimagetools.formats.containers.qcow2 import qcow2_layout
from winimagetools.formats.containers.vhd import LARGEST as LARGEST_VHD
from winimagetools.formats.containers.vhd import fixed_vhd_layout
from winimagetools.formats.containers.vhdx import LARGEST as LARGEST_VHDX
from winimagetools.formats.containers.vhdx import vhdx_layout
from winimagetools.formats.containers.vmdk import LARGEST as LARGEST_VMDK
from winimagetools.formats.containers.vmdk import vmdk_layout
from winimagetools.model import DiskFormat

OnProgress = Callable[[int], None]


@dataclass(frozen=True)
class Way:
    """A way to make a container of an image without moving data.

    Args:
        description: what is done, for people.
        make: makes it of an image, under another name, as a layout says.
        probe: tries on an open file, four units long, whether the file system can do that;
            raises RangesUnsupportedError.
    """

    description: str
    make: Callable[[Path, Path, Layout], None]
    probe: Callable[[int], None]


_PROBE = 1 << 16
"""The smallest range that is ever cut out or inserted."""
_LARGEST = {
    DiskFormat.VHD: LARGEST_VHD,
    DiskFormat.VHDX: LARGEST_VHDX,
    DiskFormat.VMDK: LARGEST_VMDK,
}


def plan(source: BinaryIO, disk_format: DiskFormat, name: str) -> Layout:
    """How a raw image becomes a container.

    Args:
        source: the image, open for reading.
        disk_format: QCOW2, VHDX, VMDK or VHD, which is a fixed one.
        name: file name of the container.

    Raises:
        BuildError: the container cannot hold a disk of this size.
    """
    size = os.fstat(source.fileno()).st_size
    data = [
        Piece(extent.offset, extent.length)
        for extent in sparse.extents(source.fileno())
        if extent.offset is not None
    ]
    largest = _LARGEST.get(disk_format, size)
    if size > largest:
        raise BuildError(
            f"A {disk_format} cannot hold a disk of {size} bytes, only up to {largest}.",
            "Make disk_size smaller, or choose another virtual_disk_format.",
        )
    identifier = uuid.uuid4()
    if disk_format is DiskFormat.QCOW2:
        return qcow2_layout(size, data)
    if disk_format is DiskFormat.VHDX:
        return vhdx_layout(size, data, identifier)
    if disk_format is DiskFormat.VMDK:
        return vmdk_layout(size, data, name, identifier.fields[0] & 0x7FFFFFFF or 1)
    return fixed_vhd_layout(size, identifier, int(time.time()))


def content(layout: Layout, source: BinaryIO) -> Iterator[bytes | int]:
    """The bytes of a container from its beginning; a number stands for so many zeros.

    Args:
        layout: the container.
        source: the raw image it is made of.
    """
    position = 0
    parts: list[tuple[int, bytes | Piece]] = [(write.offset, write.data) for write in layout.writes]
    parts += [(offset, piece) for piece, offset in layout.placed()]
    for offset, part in sorted(parts, key=lambda item: item[0]):
        if offset > position:
            yield offset - position
        if isinstance(part, bytes):
            yield part
            position = offset + len(part)
        else:
            yield from _read(source, part)
            position = offset + part.length
    if layout.size > position:
        yield layout.size - position


def _read(source: BinaryIO, piece: Piece) -> Iterator[bytes | int]:
    """A piece of the image, which may reach beyond its end, with its holes."""
    end = min(piece.end, os.fstat(source.fileno()).st_size)
    yield from sparse.read_between(source, piece.start, end)
    if piece.end > end:
        yield piece.end - end


def digest(layout: Layout, source: BinaryIO, on_progress: OnProgress) -> str:
    """SHA-256 of a container that is about to be made, in hexadecimal.

    It is read before ranges are moved, while what was just written is in the page cache, which
    then forgets it. Meanwhile the image is flushed, which has to be done before that.
    """
    with _flushing(source):
        return sha256_of_parts(content(layout, source), on_progress)


@contextmanager
def _flushing(source: BinaryIO) -> Iterator[None]:
    def flush() -> None:
        with suppress(OSError):  # the flush that counts is done later
            os.fsync(source.fileno())

    thread = threading.Thread(target=flush)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def way_for(source: Path, layout: Layout) -> Way | None:
    """The fastest way that works for an image; None when there is none.

    Args:
        source: the image.
        layout: what is to be made of it.
    """
    if layout.room == 0 and len(layout.pieces) == 1:
        return APPEND
    return next((way for way in (REBUILD, SHARE) if _works(way, source.parent)), None)


def _works(way: Way, folder: Path) -> bool:
    """Whether the file system of a folder does what a way needs, in the smallest units."""
    probe = folder / f".ranges-{secrets.token_hex(8)}"
    try:
        with probe.open("x+b") as file:
            file.truncate(4 * _PROBE)
            way.probe(file.fileno())
    except (RangesUnsupportedError, OSError):
        return False
    finally:
        probe.unlink(missing_ok=True)
    return True


def _probe_moving(handle: int) -> None:
    ranges.collapse(handle, _PROBE, _PROBE)
    ranges.insert(handle, _PROBE, _PROBE)


def _probe_sharing(handle: int) -> None:
    os.pwrite(handle, bytes(_PROBE), 0)
    ranges.clone(handle, 0, _PROBE, handle, _PROBE)


def rebuild(source: Path, destination: Path, layout: Layout) -> None:
    """Turn the image itself into the container.

    Args:
        source: the raw image; it is gone afterwards.
        destination: the container to make, on the same file system.
        layout: how.

    Raises:
        OSError: it failed; the image is spoiled.
    """
    with source.open("r+b", buffering=0) as file:
        handle = file.fileno()
        end = layout.pieces[-1].end if layout.pieces else 0
        file.truncate(end)
        for before, piece in reversed(list(_holes(layout.pieces))):
            ranges.collapse(handle, before, piece.start - before)
        if layout.room and end:
            ranges.insert(handle, 0, layout.room)
        _complete(file, layout)
    source.rename(destination)


def share(source: Path, destination: Path, layout: Layout) -> None:
    """Make the container as a new file that shares the data of the image, which stays.

    Args:
        source: the raw image; it may grow by a hole.
        destination: the container to make, on the same file system.
        layout: how.

    Raises:
        RangesUnsupportedError: files cannot share data here; nothing is left.
        OSError: it failed.
    """
    try:
        with (
            source.open("r+b", buffering=0) as file,
            destination.open("xb", buffering=0) as made,
        ):
            if layout.pieces:
                file.truncate(max(os.fstat(file.fileno()).st_size, layout.pieces[-1].end))
            for piece, offset in layout.placed():
                ranges.clone(file.fileno(), piece.start, piece.length, made.fileno(), offset)
            _complete(made, layout)
    except BaseException:
        destination.unlink(missing_ok=True)
        raise


def _holes(pieces: Sequence[Piece]) -> Iterator[tuple[int, Piece]]:
    """Where each hole begins and the piece it ends at."""
    before = 0
    for piece in pieces:
        if piece.start > before:
            yield before, piece
        before = piece.end


def _complete(file: BinaryIO, layout: Layout) -> None:
    file.truncate(layout.size)
    for write in layout.writes:
        os.pwrite(file.fileno(), write.data, write.offset)


APPEND = Way("all of the disk stays, with a footer behind it", rebuild, lambda _: None)
REBUILD = Way("what is empty was cut out, its tables are in front", rebuild, _probe_moving)
SHARE = Way("it shares the data of the raw disk", share, _probe_sharing)
