r"""Disks on a Windows host: ``virtdisk.dll`` and the Storage cmdlets.

A disk stays attached for as long as its handle is open, so Windows takes it away by itself
should this process die.
"""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from winimagetools import log
from winimagetools.contract import Disk, RawVolume
from winimagetools.errors import BuildError, HostError, RequestError
from winimagetools.formats.partition_table import (
    EFI_SIZE,
    MSR_SIZE,
    TYPE_BASIC_DATA,
    TYPE_EFI,
    TYPE_MSR,
)
from winimagetools.found import DiskFacts
from winimagetools.host.mounted_tree import MountedTree
from winimagetools.host.windows import scripts, virtdisk
from winimagetools.host.windows.powershell import PowerShell
from winimagetools.model import GIB, MIB, DiskFormat, DiskLayout
from winimagetools.plan import (
    Delivery,
    DiskFile,
)
from winimagetools.retry import execute_retry
from winimagetools.stamp import Stamp

INCREASE = 100 * MIB
INCREMENTAL_TRIES = 10
BINARY_TRIES = 10
"""How often the PowerShell tools try each way of shrinking."""


@dataclass
class WindowsDisk:
    """An attached disk.

    Args:
        system: drive letter with colon of the partition firmware starts from.
        windows: drive letter with colon of the Windows partition; often the same.
    """

    path: Path
    layout: DiskLayout
    system: str
    windows: str
    tree: MountedTree = field(repr=False)

    @property
    def root(self) -> str:
        r"""The Windows volume as DISM takes it: ``E:\``."""
        return f"{self.windows}\\"


def sizes_to_try(minimum: int, free_space: int) -> list[int]:
    """Partition sizes in bytes for the first way of shrinking: whole GiB, then 100 MiB more.

    Rounding and adding one always leaves at least half a GiB above ``minimum`` and
    ``free_space``, so the PowerShell tools' question whether it does is not asked here.
    """
    whole = (round((minimum + free_space) / GIB) + 1) * GIB
    return [whole + INCREASE * step for step in range(INCREMENTAL_TRIES)]


def shrink_partition(
    resize: Callable[[int], Exception | None], minimum: int, maximum: int, free_space: int
) -> int | None:
    """Find the smallest size a partition can be given and give it.

    First steps upwards from the least size Windows names; when none of those works, ten
    steps of a binary search between the last one and the greatest size.

    Args:
        resize: tries a size in bytes; returns what went wrong, or None.
        minimum: least size Windows names, bytes.
        maximum: greatest size Windows names, bytes.
        free_space: bytes to leave spare.

    Returns:
        The size in bytes, or None when the partition stayed as it was.
    """
    tries = sizes_to_try(minimum, free_space)
    for size in tries:
        if resize(size) is None:
            return size
    low, high, done = tries[-1], maximum, None
    for _ in range(BINARY_TRIES):
        if low >= high:
            break
        middle = low + (high - low) // 2
        log.info(f"Trying to give the partition {log.size(middle)}")
        if resize(middle) is None:
            high = done = middle
        else:
            low = middle
    return done


class WindowsDisks:
    """Implements :class:`winimagetools.contract.Disks`.

    Args:
        shell: runs PowerShell.
        load: gives ``virtdisk.dll``.
    """

    work_format = DiskFormat.VHDX

    def __init__(self, shell: PowerShell, load: Callable[[], Any] = virtdisk.load_library) -> None:
        self._shell = shell
        self._load = load

    @contextmanager
    def create(
        self, path: Path, size: int, layout: DiskLayout, stamp: Stamp | None = None
    ) -> Iterator[Disk]:
        """Make, partition, format and attach a disk. Port of ``Create-ImageVirtualDisk``.

        It is detached on leaving, which the PowerShell tools do in another function.
        """
        finished = False
        try:
            with virtdisk.attached(virtdisk.create(path, size, self._load())) as device:
                yield self._partition(device.disk_number(), path, layout)
            finished = True
        finally:
            if not finished:
                path.unlink(missing_ok=True)

    def _partition(self, number: int, path: Path, layout: DiskLayout) -> WindowsDisk:
        script = scripts.PARTITION_UEFI if layout is DiskLayout.UEFI else scripts.PARTITION_BIOS
        letters = self._shell.invoke(
            script,
            number=number,
            label="OS",
            efi_size=EFI_SIZE,
            msr_size=MSR_SIZE,
            efi_type=f"{{{TYPE_EFI}}}",
            msr_type=f"{{{TYPE_MSR}}}",
            windows_type=f"{{{TYPE_BASIC_DATA}}}",
        )
        windows = f"{letters['windows']}:"
        tree = MountedTree(Path(f"{windows}\\"))
        return WindowsDisk(path, layout, f"{letters['system']}:", windows, tree)

    @contextmanager
    def open(self, path: Path, *, read_only: bool = False) -> Iterator[Disk]:
        """Attach a disk and find its Windows partition.

        With ``read_only`` a copy is attached: what is written to it is gone with it. (The
        reference makes a differencing disk for that, with a cmdlet of Hyper-V.)
        """
        # A name of its own: two may look at an image at once, and nothing else is replaced.
        copied = path.with_name(f".{path.stem}-{uuid.uuid4().hex}{path.suffix}")
        attached = copied if read_only else path
        try:
            if read_only:
                self.copy(path, attached)
            with virtdisk.attached(virtdisk.open_disk(attached, self._load())) as device:
                yield self._find_windows(device.disk_number(), attached)
        finally:
            if read_only:
                attached.unlink(missing_ok=True)

    def _find_windows(self, number: int, path: Path) -> WindowsDisk:
        # Drive letters appear some time after the disk does.
        found = execute_retry(
            lambda: self._shell.invoke(scripts.FIND_WINDOWS, number=number), retry_on=BuildError
        )
        letter = f"{found['windows']}:"
        layout = DiskLayout.UEFI if found["style"] == "GPT" else DiskLayout.BIOS
        return WindowsDisk(path, layout, letter, letter, MountedTree(Path(f"{letter}\\")))

    def opens(self, container: DiskFormat) -> bool:
        return container in (DiskFormat.VHD, DiskFormat.VHDX)

    def changes(self, container: DiskFormat) -> bool:
        return self.opens(container)

    def facts(self, disk: Disk) -> DiskFacts | None:
        return None  # Windows attaches volumes, and what it needs for that is sound

    def windows_volume(self, disk: Disk) -> RawVolume | None:
        return None

    def copy(self, source: Path, destination: Path) -> None:
        shutil.copyfile(source, destination)

    def shows_volumes(self) -> bool:
        return False  # a volume that is attached belongs to Windows

    def finish(
        self,
        disk: Disk,
        delivery: Delivery | None = None,
        verify: Callable[[RawVolume], None] | None = None,
    ) -> DiskFile:
        """Defragment and trim the volume, so that the container can be small."""
        self._shell.invoke(scripts.OPTIMIZE_VOLUME, letter=_letter(disk))
        return DiskFile(disk.path)

    def refuse_unusable(self, path: Path, size: int) -> None:
        """Nothing here: Windows looks at a disk by attaching it, which the copy is for."""

    def resize(self, path: Path, size: int) -> None:
        execute_retry(
            lambda: self._shell.invoke(scripts.RESIZE_DISK, path=path, size=size),
            retry_on=BuildError,
        )

    def extend_windows(self, disk: Disk) -> None:
        error = self._shell.attempt(scripts.EXTEND_PARTITION, letter=_letter(disk))
        if error is not None:
            log.info("The Windows partition has the size it can have.")

    def shrink(self, path: Path, free_space: int) -> None:
        """Shrink the largest volume, then the disk. Port of ``Resize-VHDImage``."""
        with virtdisk.attached(virtdisk.open_disk(path, self._load())) as device:
            number = device.disk_number()
            letter = execute_retry(
                lambda: self._shell.invoke(scripts.LARGEST_VOLUME, number=number),
                retry_on=BuildError,
            )
            self._shell.invoke(scripts.OPTIMIZE_VOLUME, letter=letter)
            limits = self._shell.invoke(scripts.PARTITION_LIMITS, letter=letter)
            size = shrink_partition(
                lambda size: self._shell.attempt(
                    scripts.RESIZE_PARTITION, letter=letter, size=size
                ),
                int(limits["minimum"]),
                int(limits["maximum"]),
                free_space,
            )
            log.info(
                "The partition keeps its size."
                if size is None
                else f"The partition has {log.size(size)} now."
            )
        final = int(self._shell.invoke(scripts.RESIZE_DISK_TO_MINIMUM, path=path))
        log.info(f"The disk has {log.size(final)} now.")

    def extend(self, path: Path, size: int) -> None:
        if size:
            raise HostError(
                "A Windows host extends a disk only within the size it has.",
                "Enlarge it with Resize-VHD first, and leave --size out.",
            )
        with self.open(path) as disk:
            self.extend_windows(disk)

    def optimize(self, path: Path) -> None:
        self._shell.invoke(scripts.OPTIMIZE_DISK, path=path)


def _letter(disk: Disk) -> str:
    return windows_disk(disk).windows.rstrip(":")


def volume(drive: str) -> WindowsDisk:
    r"""A Windows volume that is attached already, to service it.

    Args:
        drive: ``E``, ``E:`` or ``E:\``.

    Raises:
        RequestError: it is not a drive letter.
    """
    match = re.fullmatch(r"([A-Za-z])(?::[\\/]?)?", drive.strip())
    if match is None:
        raise RequestError(f"{drive!r} is not a drive letter.", "Write it as E: for example.")
    letter = f"{match[1].upper()}:"
    root = Path(f"{letter}\\")
    # How the disk starts is not known here, and servicing does not ask.
    return WindowsDisk(root, DiskLayout.BIOS, letter, letter, MountedTree(root))


def windows_disk(disk: Disk) -> WindowsDisk:
    """The disk as this host made it.

    Raises:
        BuildError: it is another host's.
    """
    if not isinstance(disk, WindowsDisk):
        raise BuildError(f"{disk.path} was not attached by the Windows host.")
    return disk
