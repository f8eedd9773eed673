"""A finished disk image, opened where it lies: table, Windows volume, EFI partition.

Any container can be looked at without a copy, without a mount and without another program;
not one byte of the file changes. A RAW image can be changed in place. Partitions are told by
what is in them, not by their number or type.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from winimagetools.errors import BuildError, MediaError, WinImageError
from winimagetools.formats import file_systems
from winimagetools.formats.fat32 import Fat32
from winimagetools.formats.images.image import Image
from winimagetools.formats.images.probe import open_image
from winimagetools.formats.mft import without_mirror
from winimagetools.formats.partition_table import (
    LARGE_SECTOR,
    TYPE_EFI,
    TYPE_MSR,
    check_sectors,
    has_large_sectors,
)
from winimagetools.formats.partitions import Entry, Table, read_table
from winimagetools.found import DiskFacts, PartitionFacts, VolumeFacts
from winimagetools.host.linux.libntfs import Range
from winimagetools.host.linux.ntfs import NtfsVolume
from winimagetools.host.linux.ntfs_tree import NtfsTree
from winimagetools.model import DiskFormat, DiskLayout

RECOVERY_TYPES = ("de94bba4-06d1-4d40-a16a-bfd50179d6ac", "27")
_WINDOWS_MARKS = ("Windows/System32/config/SYSTEM", "Windows/System32/ntdll.dll")
_EFI_STORE = "EFI/Microsoft/Boot/BCD"
_EFI_MANAGER = "EFI/Microsoft/Boot/bootmgfw.efi"
_BIOS_STORE = "Boot/BCD"
_MBR_EFI = "ef"


@dataclass(frozen=True)
class Found:
    """A partition and the file system in it."""

    entry: Entry
    file_system: str


class ExistingDisk:
    """A finished disk that is open; implements :class:`winimagetools.contract.Disk`.

    Args:
        path: the image; of any container when it is only read, RAW when it is changed.
        read_only: nothing is written to the file.

    Attributes:
        image: the open image.
        table: its partitions.
        windows: the one with Windows.
        volume: that, opened.

    Raises:
        MediaError: it holds no Windows that can be used; the message says why and what to do.
        ToolMissingError: libntfs-3g is not installed.
    """

    image: Image
    table: Table
    windows: Entry
    volume: NtfsVolume
    tree: NtfsTree

    def __init__(self, path: Path, *, read_only: bool) -> None:
        self._path = path
        self._read_only = read_only
        self._opened = ExitStack()
        self._open()

    def _open(self) -> None:
        with ExitStack() as opened:
            self.image = opened.enter_context(open_image(self._path))
            self.table, self._found = look_at_partitions(self.image)
            self.windows = find_windows(self.image, self._found)
            write = None
            if not self._read_only:
                write = opened.enter_context(_writer(self.image, self.windows))
                check_changeable(self.image, self.windows)
            place = range_of(self.image, self.windows, write)
            self.volume = opened.enter_context(NtfsVolume(place))
            self.tree = NtfsTree(self.volume)
            self._opened = opened.pop_all()

    def __enter__(self) -> ExistingDisk:
        return self

    def __exit__(self, *error: Any) -> None:
        self._opened.__exit__(*error)

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Let go of the image for as long as the context lasts, so that it can be replaced."""
        self._opened.close()
        yield
        self._open()

    @property
    def path(self) -> Path:
        """The image file."""
        return self._path

    @property
    def layout(self) -> DiskLayout:
        """How firmware starts the disk: Windows starts from a GPT with UEFI only."""
        mbr_efi = any(item.entry.type == _MBR_EFI for item in self._found)
        return DiskLayout.UEFI if self.table.gpt or mbr_efi else DiskLayout.BIOS

    def facts(self) -> DiskFacts:
        """Everything that is known of the disk itself."""
        table = self.table
        facts = DiskFacts(
            container=self.image.format,
            size=self.image.size,
            sector=table.sector,
            layout=self.layout,
            identifier=str(table.guid) if table.gpt else f"{table.signature:08x}",
            partitions=tuple(self._partition(item) for item in self._found),
            table_problems=table.problems,
            volume=self._volume_facts(),
        )
        return self._with_boot_files(facts)

    def _partition(self, item: Found) -> PartitionFacts:
        entry = item.entry
        return PartitionFacts(
            entry.number,
            entry.start,
            entry.size,
            entry.type,
            str(entry.guid or ""),
            entry.name,
            item.file_system,
            self._role(item),
            entry.active,
        )

    def _role(self, item: Found) -> str:
        entry = item.entry
        if entry == self.windows:
            return "Windows"
        if entry.type in RECOVERY_TYPES:
            return "recovery"
        by_type = {TYPE_EFI: "EFI", _MBR_EFI: "EFI", TYPE_MSR: "MSR"}
        return by_type.get(entry.type, "system" if entry.active else "data")

    def _volume_facts(self) -> VolumeFacts:
        beginning = self.image.read(self.windows.start, file_systems.PROBED)
        boot = file_systems.ntfs_boot(beginning)
        if boot is None:
            raise _unusable(self.path, "the boot sector of its Windows volume makes no sense")
        clusters = boot.size // boot.cluster
        bitmap = int.from_bytes(self.volume.bitmap(), "little")
        used = (bitmap & ((1 << clusters) - 1)).bit_count()
        return VolumeFacts(
            size=boot.size,
            free=(clusters - used) * boot.cluster,
            cluster=boot.cluster,
            partition_size=self.windows.size,
            clean=self.volume.is_clean(),
            hibernated=self.volume.is_hibernated(),
            hidden=boot.hidden,
        )

    def _with_boot_files(self, facts: DiskFacts) -> DiskFacts:
        try:
            if facts.layout is DiskLayout.UEFI:
                return self._with_efi_files(facts)
            return self._with_bios_files(facts)
        except WinImageError as error:
            return replace(facts, boot_problem=error.message)

    def _with_efi_files(self, facts: DiskFacts) -> DiskFacts:
        """The files of the EFI partition: the one with a BCD store, else the first."""
        candidates = [
            item.entry
            for item in self._found
            if item.file_system == file_systems.FAT or item.entry.type in (TYPE_EFI, _MBR_EFI)
        ]
        if not candidates:
            return replace(facts, boot_problem="There is no EFI system partition.")
        best = facts
        for entry in candidates:
            files = Fat32(part_of(self.image.read, entry))
            entries = {item.path: item for item in files.entries() if not item.is_dir}
            by_name = {path.casefold(): item for path, item in entries.items()}
            store = by_name.get(_EFI_STORE.casefold())
            manager = by_name.get(_EFI_MANAGER.casefold())
            if store or best is facts:
                best = replace(
                    facts,
                    boot_files=tuple(entries),
                    boot_store=files.content(store) if store else None,
                    boot_manager=files.content(manager) if manager else None,
                )
            if store:
                break
        return best

    def _with_bios_files(self, facts: DiskFacts) -> DiskFacts:
        """The boot files of the active partition, which may be a system partition of its own."""
        active = [item for item in self._found if item.entry.active]
        if not active:
            return replace(facts, boot_problem="No partition is active.")
        item = active[0]
        if item.entry == self.windows:
            return _look_at_bios_files(facts, self.tree)
        if item.file_system != file_systems.NTFS:
            return replace(
                facts,
                boot_problem=f"The active partition {item.entry.number} is not NTFS.",
            )
        with NtfsVolume(range_of(self.image, item.entry)) as volume:
            return _look_at_bios_files(facts, NtfsTree(volume))


def _look_at_bios_files(facts: DiskFacts, tree: NtfsTree) -> DiskFacts:
    names = [name for name in ("bootmgr", _BIOS_STORE) if tree.exists(name)]
    store = tree.read_bytes(_BIOS_STORE) if _BIOS_STORE in names else None
    return replace(facts, boot_files=tuple(names), boot_store=store)


def open_existing(path: Path, *, read_only: bool) -> ExistingDisk:
    """Open a finished disk image; see :class:`ExistingDisk`, which is a context manager."""
    return ExistingDisk(path, read_only=read_only)


def look_at_partitions(image: Image) -> tuple[Table, list[Found]]:
    """The partition table of an image, and what is in each partition.

    Raises:
        MediaError: it has none, or is no disk at all.
    """
    beginning = image.read(0, file_systems.PROBED)
    if file_systems.file_system_of(beginning):
        raise _unusable(
            image.path,
            f"it is a {file_systems.file_system_of(beginning)} volume without a partition table",
        )
    try:
        large = LARGE_SECTOR if has_large_sectors(image.read) else 0
        table = read_table(image.read, image.size, image.sector or large)
    except MediaError as error:
        raise MediaError(f"{image.path}: {error.message}", error.hint) from error
    found = []
    for entry in table.entries:
        inside = 0 <= entry.start < image.size
        start = image.read(entry.start, file_systems.PROBED) if inside else b""
        found.append(Found(entry, file_systems.file_system_of(start)))
    return table, found


def find_windows(image: Image, found: Sequence[Found]) -> Entry:
    """The partition that Windows is in.

    Raises:
        MediaError: there is none that can be read, or more than one.
    """
    candidates, reasons = [], []
    for item in found:
        if item.file_system != file_systems.NTFS:
            continue
        try:
            with NtfsVolume(range_of(image, item.entry)) as volume:
                if all(volume.exists(mark) for mark in _WINDOWS_MARKS):
                    candidates.append(item.entry)
        except BuildError as error:
            reasons.append(f"partition {item.entry.number} is damaged ({error.message})")
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        numbers = " and ".join(str(entry.number) for entry in candidates)
        raise MediaError(
            f"{image.path} holds more than one Windows, on partitions {numbers}.",
            "Give an image with one.",
        )
    raise _no_windows(image.path, found, reasons)


def _no_windows(path: Path, found: Sequence[Found], reasons: Sequence[str]) -> MediaError:
    locked = [item.entry.number for item in found if item.file_system == file_systems.BITLOCKER]
    if locked:
        return MediaError(
            f"Partition {locked[0]} of {path} is encrypted with BitLocker.",
            "Decrypt it in its Windows (manage-bde -off C:) and shut that down.",
        )
    if reasons:
        return MediaError(
            f"No Windows could be read on {path}: {'; '.join(reasons)}.",
            "Let Windows repair the volume (chkdsk /f), or use another copy.",
        )
    systems = ", ".join(f"{item.entry.number}: {item.file_system or 'unknown'}" for item in found)
    return MediaError(
        f"There is no Windows on {path}; its partitions are {systems or 'none'}.",
        "Give a disk that Windows was installed on.",
    )


def check_changeable(image: Image, windows: Entry) -> None:
    """Refuse a disk that cannot be changed, or whose Windows would be surprised by changes.

    Raises:
        MediaError: it is hibernated, was not left clean, or has large logical sectors.
    """
    check_sectors(image.read, str(image.path))
    with NtfsVolume(range_of(image, windows)) as volume:
        if volume.is_hibernated():
            raise MediaError(
                f"The Windows in {image.path} is hibernated, or was shut down for a fast start.",
                "Start it and shut it down with shutdown /s /t 0.",
            )
        if not volume.is_clean():
            raise MediaError(
                f"The Windows volume in {image.path} was not left clean.",
                "Start that Windows, let chkdsk repair it, and shut it down.",
            )


@contextmanager
def _writer(image: Image, windows: Entry) -> Iterator[Callable[[int, bytes], None]]:
    """What writes into the Windows partition, and nowhere else."""
    if image.format is not DiskFormat.RAW:
        raise BuildError(
            f"{image.path} is {image.format}; only RAW images are changed in place.",
            "Work on a RAW copy of it.",
        )
    handle = os.open(image.path, os.O_RDWR)

    def write(at: int, data: bytes) -> None:
        view, place = memoryview(data), windows.start + at
        while view:
            done = os.pwrite(handle, view, place)
            view, place = view[done:], place + done

    try:
        yield write
        os.fsync(handle)
    finally:
        with suppress(OSError):
            os.close(handle)


def range_of(
    image: Image, entry: Entry, write: Callable[[int, bytes], None] | None = None
) -> Range:
    """A partition for libntfs-3g.

    Args:
        image: where it is.
        entry: the partition.
        write: what writes into it; None where nothing may be written.
    """
    read = part_of(image.read, entry)
    if write is None:
        read = without_mirror(read)
    return Range(f"{image.path}, partition {entry.number}", entry.size, read, write)


def part_of(read: Callable[[int, int], bytes], entry: Entry) -> Callable[[int, int], bytes]:
    """What reads a partition, of what reads its disk."""
    return lambda at, length: read(entry.start + at, min(length, entry.size - at))


def _unusable(path: Path, reason: str) -> MediaError:
    return MediaError(
        f"{path} cannot be used: {reason}.", "Give the image of a whole disk with Windows on it."
    )
