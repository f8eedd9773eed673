"""Whether an image fits on its disk, counted before anything is written."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from winimagetools import log
from winimagetools.errors import RequestError
from winimagetools.formats.ntfs_size import NtfsItem, overhead_bytes, volume_bytes
from winimagetools.formats.partition_table import PartitionPlan
from winimagetools.host.linux.disk import LinuxDisk, WimSource
from winimagetools.host.linux.wimlib import Wim, WimItem
from winimagetools.host.staged_tree import Changes
from winimagetools.model import GIB, MIB

_PLENTY = 4 * GIB
"""Beside twice the bytes of image and additions: so much room that nothing has to be counted."""


def check_room(disk: LinuxDisk) -> None:
    """Refuse a disk that the files of its image, and those added to it so far, do not fit on.

    Args:
        disk: with an image below its tree; one without an image has nothing to count.

    Raises:
        RequestError: naming the size that would do.
        MediaError: the image cannot be read.
    """
    if (source := disk.source) is None:
        return
    there, staged = disk.plan.windows.size, list(_staged(disk.tree.local))
    known = source.disk_bytes + sum(sum(item.streams) for item in staged)
    if source.disk_bytes and there >= 2 * known + _PLENTY:
        return
    kept = _kept(source, disk.tree.changes())
    needed = volume_bytes([*kept, *staged])
    if needed + overhead_bytes(there) > there:
        raise _too_small(disk.plan, source.name, len(kept), len(staged), needed)


def _too_small(plan: PartitionPlan, name: str, kept: int, staged: int, needed: int) -> RequestError:
    around = plan.size - plan.windows.size
    size = around + needed + overhead_bytes(needed + overhead_bytes(needed))
    return RequestError(
        f"A disk of {log.size(plan.size)} is too small for the {kept} files and folders of {name} "
        f"and the {staged} that are added, which need {log.size(needed)} on an NTFS volume.",
        f"Set disk_size to at least {-(-size // MIB) + 1}MB. To start, Windows needs some GB more.",
        option="disk_size",
    )


def _kept(source: WimSource, changes: Changes) -> list[NtfsItem]:
    """What of an image will be on the disk: neither removed nor replaced by a staged file."""
    gone = {*changes.removed, *changes.replaced}
    with Wim(source.path) as wim:
        items = [_item(item) for item in wim.iterate(source.index, "/", recursive=True)]
    return [item for item in items if not _is_below(item.path, gone)] if gone else items


def _is_below(path: str, marks: Collection[str]) -> bool:
    """Whether ``path`` is one of ``marks`` or in a folder that is one."""
    return path in marks or any(
        path[:place] in marks for place, letter in enumerate(path) if letter == "/"
    )


def _item(item: WimItem) -> NtfsItem:
    streams = item.named if item.is_dir else (item.size, *item.named)
    return NtfsItem(item.path.strip("/"), item.is_dir, streams, item.short_name, item.group)


def _staged(folder: Path) -> Iterator[NtfsItem]:
    for root, folders, names in os.walk(folder):
        place = Path(root).relative_to(folder)
        yield from (NtfsItem((place / name).as_posix(), is_dir=True) for name in folders)
        for name in names:
            size = (Path(root) / name).stat().st_size
            yield NtfsItem((place / name).as_posix(), is_dir=False, streams=(size,))
