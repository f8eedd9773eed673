"""Disks on Linux: staged while they are built, written in one pass when they are finished.

No root, no loop device, no mount: partition table, EFI system partition and boot code are
written into the disk file, and the Windows volume into its place in there.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from winimagetools import log
from winimagetools.contract import Disk, RawVolume
from winimagetools.errors import BuildError, MediaError, RequestError
from winimagetools.files.copy import copy_file
from winimagetools.files.space import room_for
from winimagetools.formats.containers.layout import Layout, Piece
from winimagetools.formats.partition_table import (
    PartitionPlan,
    plan_partitions,
    sfdisk_script,
    table_differences,
)
from winimagetools.found import DiskFacts
from winimagetools.host.linux import grub, libntfs, volume
from winimagetools.host.linux.apply.engine import write_inside
from winimagetools.host.linux.apply.with_libwim import extract_volume
from winimagetools.host.linux.disk import LinuxDisk
from winimagetools.host.linux.esp import write_esp
from winimagetools.host.linux.existing_disk import ExistingDisk, open_existing, part_of
from winimagetools.host.linux.finished import (
    enlarge_disk,
    extend_image,
    extend_windows,
    optimize_image,
    refuse_unusable,
    shrink_image,
)
from winimagetools.host.linux.frozen_clock import frozen_clock
from winimagetools.host.linux.room import check_room
from winimagetools.host.staged_tree import StagedTree
from winimagetools.model import ApplyEngine, DiskFormat, DiskLayout
from winimagetools.output import in_place
from winimagetools.output.become import make_copy, make_in_place, obstacle, wrap_at_once
from winimagetools.output.foretold import Foretell, Foretold, foretell
from winimagetools.output.raw_disk import RawDisk, copy_disk
from winimagetools.plan import Delivery, DiskFile
from winimagetools.run import Tool, run
from winimagetools.stamp import Stamp

SFDISK = Tool("sfdisk", "fdisk", "write the partition table")
Extract = Callable[[LinuxDisk, Path], None]
"""Writes the content of a disk into an empty NTFS volume in a plain file."""


class LinuxDisks:
    """The ``Disks`` of a Linux host; see :class:`winimagetools.contract.Disks`.

    Args:
        extract: how the Windows volume is filled.
    """

    def __init__(self, extract: Extract = extract_volume) -> None:
        self._extract = extract

    @contextmanager
    def create(
        self, path: Path, size: int, layout: DiskLayout, stamp: Stamp | None = None
    ) -> Iterator[LinuxDisk]:
        """Stage a disk; :meth:`finish` makes the file.

        Raises:
            RequestError: the size does not suit the layout, or ``path`` exists already.
        """
        if path.exists():
            raise RequestError(f"{path} exists already.", "Move it away or delete it.")
        stamp = stamp or Stamp.fresh()
        plan = plan_partitions(size, layout, random_bytes=stamp.source("partitions"))
        path = path.absolute()
        work = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            esp = work / "esp"
            esp.mkdir()
            yield LinuxDisk(path, plan, work, StagedTree(work / "overlay"), esp, stamp=stamp)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def shows_volumes(self) -> bool:
        return True

    def finish(
        self,
        disk: Disk,
        delivery: Delivery | None = None,
        verify: Callable[[RawVolume], None] | None = None,
    ) -> DiskFile:
        """Write the disk: volume, table, boot files, and the container around them.

        The volume is written into the disk, or else, by libwim, into a file of its own that is
        joined with what is around it without moving its data. Then the disk becomes the
        container that is wanted in the same go, where the file system can do that.

        Raises:
            RequestError: what was added since ``apply_image`` does not fit on the disk.
            DiskFullError: no room for it in the file system of this host.
            BuildError: something of it could not be written, or was not read back as planned.
        """
        if not isinstance(disk, LinuxDisk):
            raise BuildError(f"{disk.path} was not made here, so it cannot be finished.")
        check_room(disk)
        engine = delivery.apply_engine if delivery is not None else ApplyEngine.AUTO
        goal = _goal(disk.path, delivery)
        with room_for(disk.path):
            parts = foretold = None
            if engine is ApplyEngine.LIBWIM:
                log.info("libwim applies the image: apply_engine = libwim.")
            elif disk.source is not None:
                parts, foretold = _write_whole(disk, goal)
            if parts is None:
                parts = self._write_parts(disk)
            if verify is not None:
                windows = disk.plan.windows
                start = windows.start - parts.start
                with volume.shown(parts.main, start, windows.size) as written:
                    verify(written)
            if delivery is not None and delivery.compression:
                archive = wrap_at_once(parts, disk.path.parent, delivery, disk.stamp)
                if archive is not None:
                    return archive
            return _join(parts, disk, goal, foretold)

    def _write_parts(self, disk: LinuxDisk) -> RawDisk:
        """Write the volume into a file of its own, and what is around it into another one."""
        windows = disk.plan.windows
        filling, around = disk.work / "windows.ntfs", disk.work / "around.raw"
        volume.format_volume(filling, windows.start, windows.size)
        with frozen_clock(libntfs.load()):
            self._extract(disk, filling)
        volume.settle(filling, disk.stamp)
        with log.step("Writing partition table and boot files"):
            volume.check_clean(filling)
            _write_around(around, disk)
        return RawDisk(disk.plan.size, filling, windows.start, windows.size, around)

    def open(self, path: Path, *, read_only: bool = False) -> AbstractContextManager[Disk]:
        return open_existing(path, read_only=read_only)

    def opens(self, container: DiskFormat) -> bool:
        return True

    def changes(self, container: DiskFormat) -> bool:
        return container is DiskFormat.RAW

    def facts(self, disk: Disk) -> DiskFacts | None:
        return disk.facts() if isinstance(disk, ExistingDisk) else None

    def windows_volume(self, disk: Disk) -> RawVolume | None:
        if not isinstance(disk, ExistingDisk):
            return None
        return RawVolume(part_of(disk.image.read, disk.windows), disk.windows.size)

    def copy(self, source: Path, destination: Path) -> None:
        with room_for(destination):
            copy_file(source, destination)

    def refuse_unusable(self, path: Path, size: int) -> None:
        refuse_unusable(path, size)

    def resize(self, path: Path, size: int) -> None:
        enlarge_disk(path, size)

    def extend_windows(self, disk: Disk) -> None:
        if not isinstance(disk, ExistingDisk):
            raise BuildError(f"{disk.path} is not finished; its Windows partition fills it.")
        extend_windows(disk)

    def shrink(self, path: Path, free_space: int) -> None:
        shrink_image(path, free_space)

    def extend(self, path: Path, size: int) -> None:
        extend_image(path, size)

    def optimize(self, path: Path) -> None:
        optimize_image(path)


@dataclass(frozen=True)
class _Goal:
    """What a disk becomes before it is wrapped: its name, its container, with a checksum or not."""

    path: Path
    disk_format: DiskFormat = DiskFormat.RAW
    checksum: bool = False


def _goal(raw: Path, delivery: Delivery | None) -> _Goal:
    """The container that is wanted, if it can be made here, else a raw image."""
    if delivery is None or obstacle(
        delivery.disk_format, compress=delivery.compress_qcow2, fixed=delivery.fixed_vhd
    ):
        return _Goal(raw)
    path = raw.with_name(delivery.disk_name(delivery.disk_format))
    checksum = delivery.checksum and not delivery.compression
    return _Goal(path, delivery.disk_format, checksum)


def _write_whole(disk: LinuxDisk, goal: _Goal) -> tuple[RawDisk | None, Foretold | None]:
    """Write the disk into one file; no disk where libwim has to fill the volume."""
    windows, raw = disk.plan.windows, disk.work / "whole.raw"
    with log.step("Writing partition table and boot files"):
        _write_around(raw, disk)
    laid = write_inside(disk, raw, windows.start, windows.size, _foretelling(disk, raw, goal))
    if laid is not None:
        return RawDisk.of(raw), laid.foretold
    raw.unlink()
    return None, None


def _foretelling(disk: LinuxDisk, raw: Path, goal: _Goal) -> Foretell | None:
    """How the checksum is computed meanwhile; zeros of a whole disk would take too long."""
    if not goal.checksum or goal.disk_format in {DiskFormat.RAW, DiskFormat.VHD}:
        return None
    name, size, stamp = goal.path.name, disk.plan.size, disk.stamp

    def layout_of(data: Sequence[Piece]) -> Layout:
        return in_place.layout_of(size, data, goal.disk_format, name, stamp)

    return partial(foretell, raw, layout_of)


def _write_around(path: Path, disk: LinuxDisk) -> None:
    """Make a file as long as the disk with everything but the Windows volume."""
    path.touch(exist_ok=False)
    write_table(path, disk.plan)
    if disk.layout is DiskLayout.UEFI:
        write_esp(path, disk.plan.partitions[0], disk.esp, disk.stamp)
    else:
        grub.write_boot_code(path, disk.plan.windows.start, grub.make_core(disk.work))
    check_table(path, disk.plan)


def _join(parts: RawDisk, disk: LinuxDisk, goal: _Goal, foretold: Foretold | None) -> DiskFile:
    """Make one file of a disk: the container that is wanted, else a raw image."""
    path, disk_format, stamp = goal.path, goal.disk_format, disk.stamp
    found = make_in_place(
        parts, path, disk_format, checksum=goal.checksum, stamp=stamp, foretold=foretold
    )
    if found is None and path == disk.path:
        copy_disk(parts, path)
        return DiskFile(path)
    if found is None:
        found = make_copy(parts, path, disk_format, stamp, foretold)
    return DiskFile(path, found, converted=path != disk.path)


def write_table(raw: Path, plan: PartitionPlan) -> None:
    """Give a raw disk its full length and its partition table, nothing else.

    Args:
        raw: the disk; what is in the partitions stays.
        plan: the table.
    """
    with raw.open("r+b") as file:
        file.truncate(plan.size)
    options = ["--quiet", "--no-reread", "--no-tell-kernel"]
    keep = ["--wipe", "never", "--wipe-partitions", "never"]
    run(SFDISK, [*options, *keep, raw], input_text=sfdisk_script(plan))


def check_table(raw: Path, plan: PartitionPlan) -> None:
    """Read the partition table back. Raises BuildError when it is not as planned."""
    try:
        differences = table_differences(plan, run(SFDISK, ["--json", raw]))
    except MediaError as error:
        raise BuildError(f"{error.message} Was it written by {SFDISK.name}?") from error
    if differences:
        raise BuildError(
            f"The partition table of {raw.name} is not as planned: {' '.join(differences)}"
        )
