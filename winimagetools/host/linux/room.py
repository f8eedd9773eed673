"""Whether an image fits on its disk, counted from the medium before anything is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from winimagetools import log
from winimagetools.errors import RequestError
from winimagetools.formats.ntfs_size import NtfsItem, overhead_bytes, volume_bytes
from winimagetools.formats.partition_table import PartitionPlan
from winimagetools.host.linux.wimlib import Wim, WimItem
from winimagetools.model import GIB, MIB, WimImage

_PLENTY = 4 * GIB
"""Beside twice the bytes of the image: so much room that nothing has to be counted."""


def check_room(wim: Wim, image: WimImage, staged: Path, plan: PartitionPlan) -> None:
    """Refuse a disk that the files of an image, and those added to it so far, do not fit on.

    Args:
        wim: the opened medium.
        image: what will be applied.
        staged: folder of the files that are added.
        plan: the disk.

    Raises:
        RequestError: naming the size that would do.
        MediaError: the image cannot be read.
    """
    there = plan.windows.size
    if there >= 2 * image.disk_bytes + _PLENTY:
        return
    names = [_item(item) for item in wim.iterate(image.index, "/", recursive=True)]
    needed = volume_bytes([*names, *_staged(staged)])
    if needed + overhead_bytes(there) <= there:
        return
    size = plan.size - there + needed + overhead_bytes(needed + overhead_bytes(needed))
    raise RequestError(
        f"A disk of {log.size(plan.size)} is too small for the {len(names)} files and folders "
        f"of {image.name}, which need {log.size(needed)} on an NTFS volume.",
        f"Set disk_size to at least {-(-size // MIB) + 1}MB. To start, Windows needs some GB more.",
        option="disk_size",
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
