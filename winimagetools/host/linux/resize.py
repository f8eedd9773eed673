"""The Windows volume and its disk made smaller or larger, and taken apart for it.

``ntfsresize`` works on a file that holds nothing but the volume. So a disk is taken apart into
what is in front of the Windows partition, its volume, and the partitions behind it, and put
together again with a table that keeps all identifiers.

The one rule for partitions behind Windows: on a GPT disk they move with the end of the Windows
partition, because everything that knows them knows their GUID (where Windows RE keeps an offset
too, in ``ReAgent.xml``, that is changed). On an MBR disk they are known by their offset, so the
disk is refused.
"""

from __future__ import annotations

import ctypes
import os
import re
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from winimagetools import log
from winimagetools.errors import BuildError, CommandError, MediaError
from winimagetools.files.space import room_for
from winimagetools.formats.images.image import Image
from winimagetools.formats.partitions import Entry, Table, table_writes
from winimagetools.host.linux.clusters import copy_used, used_ranges
from winimagetools.host.linux.existing_disk import part_of, range_of
from winimagetools.host.linux.ntfs import NtfsVolume
from winimagetools.host.linux.volume import check_clean
from winimagetools.model import MIB
from winimagetools.output.raw_disk import RawDisk
from winimagetools.run import Tool, run

NTFSRESIZE = Tool("ntfsresize", "ntfs-3g", "make the Windows volume smaller or larger")
NTFSFIX = Tool("ntfsfix", "ntfs-3g", "check the Windows volume after that")
RE_AGENT = "Windows/System32/Recovery/ReAgent.xml"
_MINIMUM = re.compile(r"You might resize at (\d+) bytes")
_OFFSET = re.compile(r'(\boffset=")(\d+)(")')
_CHUNK = 1 << 20
_COLLAPSE_RANGE = 8
"""FALLOC_FL_COLLAPSE_RANGE of linux/falloc.h."""
Place = tuple[Entry, int, int]
"""A partition with the start and size it is to have, in bytes."""


@dataclass(frozen=True)
class Apart:
    """A disk in pieces.

    Args:
        table: as it was.
        windows: the partition of the volume.
        front: file with everything in front of that.
        volume: file with the Windows volume.
        behind: partitions behind it, each with a file.
    """

    table: Table
    windows: Entry
    front: Path
    volume: Path
    behind: tuple[tuple[Entry, Path], ...]


def partitions_behind(path: Path, table: Table, windows: Entry) -> tuple[Entry, ...]:
    """The partitions that have to move when the Windows partition ends elsewhere.

    Raises:
        MediaError: they are known by their offset.
    """
    behind = sorted(
        (entry for entry in table.entries if entry.start > windows.start), key=lambda e: e.start
    )
    if behind and not table.gpt:
        raise MediaError(
            f"Behind the Windows partition of {path} lies partition {behind[0].number}, and on "
            "an MBR disk Windows knows partitions by where they are, so it cannot be moved.",
            "Turn Windows RE off (reagentc /disable), delete that partition, and try again.",
        )
    return tuple(behind)


def take_apart(image: Image, table: Table, windows: Entry, work: Path) -> Apart:
    """Copy a disk in pieces; clusters that NTFS does not use are left out.

    Args:
        image: the disk; not one byte of it changes.
        table: its partitions.
        windows: the one with Windows.
        work: a private folder.

    Raises:
        MediaError: see :func:`partitions_behind`.
        DiskFullError: no room for a copy.
    """
    moving = partitions_behind(image.path, table, windows)
    pieces = _save_surroundings(image, windows, moving, work)
    volume = work / "windows.ntfs"
    with NtfsVolume(range_of(image, windows)) as ntfs:
        ranges = used_ranges(ntfs, part_of(image.read, windows), windows.size)
    copy_used(image, windows, ranges, volume)
    return Apart(table, windows, pieces[0], volume, tuple(zip(moving, pieces[1:], strict=True)))


def take_apart_in_place(image: Image, table: Table, windows: Entry, work: Path) -> Apart:
    """The same of a raw disk that is not needed any more: nothing is copied where that works.

    Args:
        image: the disk; its file is gone afterwards.
        table: its partitions.
        windows: the one with Windows.
        work: a private folder.
    """
    moving = partitions_behind(image.path, table, windows)
    if windows.start % MIB or not _collapse(image.path, 0):
        apart = take_apart(image, table, windows, work)
        image.path.unlink()
        return apart
    pieces = _save_surroundings(image, windows, moving, work)
    os.truncate(image.path, windows.end)
    volume = work / "windows.ntfs"
    if not _collapse(image.path, windows.start):
        raise BuildError(f"{image.path} could not be taken apart.")
    image.path.rename(volume)
    return Apart(table, windows, pieces[0], volume, tuple(zip(moving, pieces[1:], strict=True)))


def _collapse(path: Path, length: int) -> bool:
    """Take ``length`` bytes off the beginning; whether it worked. 0 asks whether it would."""
    function = ctypes.CDLL(None, use_errno=True).fallocate
    function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long)
    if length:
        with path.open("r+b") as file:
            return bool(function(file.fileno(), _COLLAPSE_RANGE, 0, length) == 0)
    probe = path.with_name(f".{path.name}.probe")
    try:
        with probe.open("xb") as file:
            file.truncate(2 * MIB)
            return bool(function(file.fileno(), _COLLAPSE_RANGE, 0, MIB) == 0)
    finally:
        probe.unlink(missing_ok=True)


def _save_surroundings(
    image: Image, windows: Entry, moving: Sequence[Entry], work: Path
) -> list[Path]:
    """Files with what is in front of Windows, and with each partition behind it."""
    front = Entry(0, 0, windows.start, "")
    paths = []
    for entry in (front, *moving):
        path = work / f"{entry.number}.part"
        with room_for(path), path.open("xb") as file:
            for at, data in _filled(image, entry):
                file.seek(at)
                file.write(data)
            file.truncate(entry.size)
        paths.append(path)
    return paths


def _filled(image: Image, entry: Entry) -> Iterator[tuple[int, bytes]]:
    for at in range(0, entry.size, _CHUNK):
        data = image.read(entry.start + at, min(_CHUNK, entry.size - at))
        if data.count(0) != len(data):
            yield at, data


def minimum_size(volume: Path) -> int:
    """The smallest partition in bytes that a volume can be shrunk to.

    Raises:
        BuildError: the volume is damaged, or cannot be shrunk.
    """
    try:
        said = run(NTFSRESIZE, ["--info", "--force", "--no-progress-bar", volume])
    except CommandError as error:
        raise BuildError(
            f"The Windows volume cannot be made smaller: {error.output}",
            "Let Windows repair it (chkdsk /f), and try again.",
        ) from error
    found = _MINIMUM.search(said)
    if found is None:
        raise BuildError(f"ntfsresize does not say how small the volume can be:\n{said}")
    return int(found[1])


def resize_volume(volume: Path, size: int) -> None:
    """Give a volume in a file, and the file, another size.

    Args:
        volume: the file.
        size: bytes of the partition it is for.

    Raises:
        BuildError: it was not clean afterwards.
        CommandError: ntfsresize failed.
    """
    if size > volume.stat().st_size:
        os.truncate(volume, size)
    with log.step(f"Resize the Windows volume to {log.size(size)}"), room_for(volume):
        # Twice: once for a volume that is not mounted cleanly, once not to be asked.
        options = ["--force", "--force", "--no-progress-bar", "--size", str(size)]
        run(NTFSRESIZE, [*options, volume])
        os.truncate(volume, size)
        # ntfsresize asks Windows for a chkdsk; ntfsfix checks, puts the copy of the boot
        # sector where the volume ends now, and takes that back.
        run(NTFSFIX, ["--clear-dirty", volume])
        _settle_boot_sector(volume, size)
        check_clean(volume)


def _settle_boot_sector(volume: Path, size: int) -> None:
    """Let a volume reach up to its copy of the boot sector, the last sector of the partition.

    ntfsresize counts whole clusters only; Windows and mkntfs count every sector but the last,
    and Windows looks for the copy where the volume ends.
    """
    with volume.open("r+b") as file:
        first = bytearray(file.read(512))
        sector = int.from_bytes(first[11:13], "little")
        struct.pack_into("<Q", first, 40, size // sector - 1)
        for at in (0, size - sector):
            file.seek(at)
            file.write(first)


def places_after(apart: Apart, windows_size: int) -> list[Place]:
    """Where partitions go when Windows ends elsewhere: behind it, in order, at whole MiB."""
    windows = apart.windows
    places = [(windows, windows.start, windows_size)]
    at = _up(windows.start + windows_size)
    for entry, _ in apart.behind:
        places.append((entry, at, entry.size))
        at = _up(at + entry.size)
    return places


def places_in(table: Table, windows: Entry, behind: Sequence[Entry], size: int) -> list[Place]:
    """Where partitions go so that Windows fills a disk of ``size`` bytes."""
    end = Table(
        table.gpt, table.sector, size, table.entries, table.guid, slots=table.slots
    ).usable_end
    places: list[Place] = []
    for entry in reversed(behind):
        start = (end - entry.size) // MIB * MIB
        places.insert(0, (entry, start, entry.size))
        end = start
    length = end // MIB * MIB - windows.start
    return [(windows, windows.start, length), *places]


def disk_size_for(table: Table, places: Sequence[Place]) -> int:
    """The smallest whole MiB that hold all partitions, and the backup of a GPT."""
    end = max(start + size for _, start, size in places)
    return _up(end + (MIB if table.gpt else 0))


def put_together(apart: Apart, places: Sequence[Place], size: int, around: Path) -> RawDisk:
    """Make the pieces fit to be joined: everything but the Windows volume in one file.

    Args:
        apart: the pieces; the volume already has the size its place has.
        places: where partitions go; those in front of Windows stay.
        size: bytes of the disk.
        around: the file to make, in the folder of the pieces.

    Returns:
        The disk, in two files.

    Raises:
        DiskFullError: no room for it.
    """
    moves = {entry.start: start for entry, start, _ in places if entry.start != start}
    if moves:
        _tell_recovery(apart.volume, moves)
    new = {entry.number: start for entry, start, _ in places}
    with room_for(around):
        apart.front.rename(around)
        os.truncate(around, size)
        with around.open("r+b") as file:
            for entry, piece in apart.behind:
                _restore(piece, file.fileno(), new.get(entry.number, entry.start))
                piece.unlink()
            for at, data in _table(apart, places, size, file.fileno()):
                os.pwrite(file.fileno(), data, at)
    length = apart.volume.stat().st_size
    return RawDisk(size, apart.volume, apart.windows.start, length, around)


def _table(
    apart: Apart, places: Sequence[Place], size: int, handle: int
) -> list[tuple[int, bytes]]:
    def read(at: int, length: int) -> bytes:
        return os.pread(handle, length, at)

    return table_writes(apart.table, places, size, read)


def _restore(piece: Path, handle: int, offset: int) -> None:
    with piece.open("rb") as file:
        at = offset
        while data := file.read(_CHUNK):
            if data.count(0) != len(data):
                os.pwrite(handle, data, at)
            at += len(data)


def _tell_recovery(volume: Path, moves: dict[int, int]) -> None:
    """Change the offsets of partitions that moved in the settings of Windows RE."""
    with NtfsVolume(volume) as ntfs, suppress(FileNotFoundError):
        with ntfs.reader(RE_AGENT) as (size, read):
            old = read(0, size)
        wide = old[:2] in (b"\xff\xfe", b"\xfe\xff")
        codec, errors = ("utf-16", "strict") if wide else ("utf-8", "surrogateescape")
        text = old.decode(codec, errors)
        new = _OFFSET.sub(lambda m: f"{m[1]}{moves.get(int(m[2]), int(m[2]))}{m[3]}", text)
        if new != text:
            ntfs.write(RE_AGENT, iter([new.encode(codec, errors)]))


def _up(value: int) -> int:
    return -(-value // MIB) * MIB
