"""A raw disk image becomes another container by metadata alone, without a second copy.

Two ways, both of the file system and both without moving data: ranges without data are cut out
of the image and room for header and tables is put in front (ext4, XFS), or a new file shares
the ranges with data (Btrfs, XFS). The first one uses the image up.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from winimagetools.errors import BuildError
from winimagetools.files import ranges
from winimagetools.files.ahead import Part, read_ahead
from winimagetools.files.hash import add_zeros, sha256_of_parts
from winimagetools.files.large import LargeFile
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
from winimagetools.output.raw_disk import RawDisk
from winimagetools.stamp import Stamp

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
    make: Callable[[RawDisk, Path, Layout], None]
    probe: Callable[[int], None]


_PROBE = 1 << 16
"""The smallest range that is ever cut out or inserted."""
_LARGEST = {
    DiskFormat.VHD: LARGEST_VHD,
    DiskFormat.VHDX: LARGEST_VHDX,
    DiskFormat.VMDK: LARGEST_VMDK,
}


def plan(disk: RawDisk, disk_format: DiskFormat, name: str, stamp: Stamp) -> Layout:
    """How a raw disk becomes a container.

    Args:
        disk: the disk.
        disk_format: RAW, QCOW2, VHDX, VMDK or VHD, which is a fixed one.
        name: file name of the container.
        stamp: its identifier and time.

    Raises:
        BuildError: the container cannot hold a disk of this size.
    """
    return layout_of(disk.size, disk.data(), disk_format, name, stamp)


def layout_of(
    size: int, data: Sequence[Piece], disk_format: DiskFormat, name: str, stamp: Stamp
) -> Layout:
    """The same for a disk of ``size`` bytes, where ``data`` are what is not a hole."""
    if disk_format is DiskFormat.RAW:
        return Layout(0, (Piece(0, size),), (), size)
    largest = _LARGEST.get(disk_format, size)
    if size > largest:
        raise BuildError(
            f"A {disk_format} cannot hold a disk of {size} bytes, only up to {largest}.",
            "Make disk_size smaller, or choose another virtual_disk_format.",
        )
    identifier = stamp.uuid("container")
    if disk_format is DiskFormat.QCOW2:
        return qcow2_layout(size, data)
    if disk_format is DiskFormat.VHDX:
        return vhdx_layout(size, data, identifier)
    if disk_format is DiskFormat.VMDK:
        return vmdk_layout(size, data, name, identifier.fields[0] & 0x7FFFFFFF or 1)
    return fixed_vhd_layout(size, identifier, stamp.time)


def content(layout: Layout, disk: RawDisk) -> Iterator[bytes | int]:
    """The bytes of a container from its beginning, read ahead; a number is so many zeros.

    Args:
        layout: the container.
        disk: the raw disk it is made of.
    """
    for part in read_ahead(_where(layout, disk)):
        yield part if isinstance(part, (bytes, int)) else bytes(part)


def in_order(layout: Layout) -> Iterator[bytes | int | Piece]:
    """What a container consists of from its beginning; a number stands for so many zeros."""
    position = 0
    parts: list[tuple[int, bytes | Piece]] = [(write.offset, write.data) for write in layout.writes]
    parts += [(offset, piece) for piece, offset in layout.placed()]
    for offset, part in sorted(parts, key=lambda item: item[0]):
        if offset > position:
            yield offset - position
        yield part
        position = offset + (len(part) if isinstance(part, bytes) else part.length)
    if layout.size > position:
        yield layout.size - position


def digest(layout: Layout, disk: RawDisk, on_progress: OnProgress) -> str:
    """SHA-256 of a container that is about to be made, in hexadecimal.

    It is read before ranges are moved: what was just written through the page cache is still
    there, and is forgotten then. Meanwhile the disk is flushed, which has to be done before that.
    """
    with _flushing(disk.main):
        return sha256_of_parts(_where(layout, disk), on_progress)


def _where(layout: Layout, disk: RawDisk) -> Iterator[Part]:
    for part in in_order(layout):
        if isinstance(part, Piece):
            yield from disk.parts(part)
        else:
            yield part


def copy(
    layout: Layout,
    disk: RawDisk,
    destination: Path,
    on_progress: OnProgress,
    *,
    checksum: bool = False,
) -> str:
    """Write a container in one pass, where its data cannot stay in place; the disk stays.

    Args:
        layout: the container.
        disk: the raw disk it is made of.
        destination: the container to make.
        on_progress: gets the bytes done so far.
        checksum: compute the SHA-256 of what is written, meanwhile.

    Returns:
        The SHA-256 in hexadecimal; empty when it was not asked for.

    Raises:
        OSError: it failed; there is no destination.
    """
    digest, done = hashlib.sha256() if checksum else None, 0
    try:
        with LargeFile(destination) as file, ThreadPoolExecutor(1, "write") as beside:
            for part in read_ahead(_where(layout, disk)):
                if isinstance(part, int):
                    if digest is not None:
                        add_zeros(digest.update, part)
                    done += part
                else:
                    writing = beside.submit(file.write, part, done)
                    if digest is not None:
                        digest.update(part)
                    writing.result()
                    done += len(part)
                on_progress(done)
            file.truncate(done)
    except BaseException:
        destination.unlink(missing_ok=True)
        raise
    return digest.hexdigest() if digest is not None else ""


@contextmanager
def _flushing(path: Path) -> Iterator[None]:
    def flush() -> None:
        with suppress(OSError), path.open("rb+") as file:  # the flush that counts comes later
            os.fsync(file.fileno())

    thread = threading.Thread(target=flush)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def way_for(disk: RawDisk, layout: Layout) -> Way | None:
    """The fastest way that works for a disk; None when there is none.

    Args:
        disk: the disk.
        layout: what is to be made of it.
    """
    if disk.rest is None and layout.room == 0 and len(layout.pieces) == 1:
        return APPEND
    return next((way for way in (REBUILD, SHARE) if _works(way, disk.main.parent)), None)


def works_in(folder: Path) -> bool:
    """Whether the file system of a folder lets any container be made in place."""
    return any(_works(way, folder) for way in (REBUILD, SHARE))


def shares_in(folder: Path) -> bool:
    """Whether files in a folder can share data."""
    return _works(SHARE, folder)


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
        with suppress(OSError):  # a folder that may not be entered has none
            probe.unlink()
    return True


def _probe_moving(handle: int) -> None:
    ranges.collapse(handle, _PROBE, _PROBE)
    ranges.insert(handle, _PROBE, _PROBE)


def _probe_sharing(handle: int) -> None:
    os.pwrite(handle, bytes(_PROBE), 0)
    ranges.clone(handle, 0, _PROBE, handle, _PROBE)


def rebuild(disk: RawDisk, destination: Path, layout: Layout) -> None:
    """Turn the main file of a disk into the container.

    Args:
        disk: the raw disk; its main file is gone afterwards.
        destination: the container to make, on the same file system.
        layout: how.

    Raises:
        OSError: it failed; the disk is spoiled.
    """
    with disk.main.open("r+b", buffering=0) as file:
        handle = file.fileno()
        end = max(layout.pieces[-1].end - disk.start, 0) if layout.pieces else 0
        file.truncate(end)
        for start, stop in reversed(list(_holes(layout.pieces))):
            start = max(start, disk.start)
            if stop > start:
                ranges.collapse(handle, start - disk.start, stop - start)
        front = layout.room + sum(_before(piece, disk.start) for piece in layout.pieces)
        if front and end:
            ranges.insert(handle, 0, front)
        _complete(file, disk, layout)
    disk.main.rename(destination)


def share(disk: RawDisk, destination: Path, layout: Layout) -> None:
    """Make the container as a new file that shares the data of the disk, which stays.

    Args:
        disk: the raw disk; where it is one file, that may grow by a hole.
        destination: the container to make, on the same file system.
        layout: how.

    Raises:
        RangesUnsupportedError: files cannot share data here; nothing is left.
        OSError: it failed.
    """
    try:
        with (
            disk.main.open("r+b", buffering=0) as file,
            destination.open("xb", buffering=0) as made,
        ):
            if layout.pieces and disk.rest is None:
                file.truncate(max(disk.length, layout.pieces[-1].end))
            for piece, offset in layout.placed():
                part = piece if disk.rest is None else disk.inside(piece)
                if part.length:
                    target = offset + part.start - piece.start
                    start = part.start - disk.start
                    ranges.clone(file.fileno(), start, part.length, made.fileno(), target)
            _complete(made, disk, layout)
    except BaseException:
        destination.unlink(missing_ok=True)
        raise


def _before(piece: Piece, start: int) -> int:
    """How many bytes of a piece lie before a place on the disk."""
    return max(min(piece.end, start) - piece.start, 0)


def _holes(pieces: Sequence[Piece]) -> Iterator[tuple[int, int]]:
    """Where each range without data begins and ends, up to the last piece."""
    before = 0
    for piece in pieces:
        if piece.start > before:
            yield before, piece.start
        before = piece.end


def _complete(file: BinaryIO, disk: RawDisk, layout: Layout) -> None:
    """Add what the file system cannot move: the rest of the disk, header and tables."""
    file.truncate(layout.size)
    if disk.rest is not None:
        for piece, offset in layout.placed():
            for part in disk.outside(piece):
                _write(file, offset + part.start - piece.start, disk.read(part))
    for write in layout.writes:
        _write(file, write.offset, [write.data])


def _write(file: BinaryIO, offset: int, parts: Iterable[bytes | int]) -> None:
    for part in parts:
        if isinstance(part, int):
            offset += part
            continue
        file.seek(offset)
        view = memoryview(part)
        while view:
            view = view[file.write(view) :]
        offset += len(part)


APPEND = Way("all of the disk stays, with a footer behind it", rebuild, lambda _: None)
REBUILD = Way("what is empty was cut out, its tables are in front", rebuild, _probe_moving)
SHARE = Way("it shares the data of the raw disk", share, _probe_sharing)
