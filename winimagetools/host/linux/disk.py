"""The disk a Linux build works on: nothing is written to it until it is finished."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from winimagetools.formats.partition_table import PartitionPlan
from winimagetools.host.staged_tree import StagedTree
from winimagetools.model import DiskLayout
from winimagetools.stamp import Stamp


@dataclass(frozen=True)
class WimSource:
    """The image that will be extracted: a WIM, ESD or first SWM part and an image index.

    Args:
        name: the edition, for the log.
        inside: the file that really holds the bytes of ``path``, and where in there they begin;
            None when that is ``path`` itself.
        disk_bytes: what the files of the image hold together; 0 where nobody knows.
    """

    path: Path
    index: int
    name: str = ""
    inside: tuple[Path, int] | None = None
    disk_bytes: int = 0


@dataclass
class LinuxDisk:
    """A disk under construction.

    Args:
        path: the raw disk image to make.
        plan: its partitions, GUIDs and signature included.
        work: private folder on the same file system, removed by whoever made it.
        tree: the Windows volume as it will be: an overlay above the WIM.
        esp: folder whose content goes to the EFI system partition (UEFI only).
        source: the image to extract; None until ``apply_image``.
        stamp: ids and times of what is made.
    """

    path: Path
    plan: PartitionPlan
    work: Path
    tree: StagedTree
    esp: Path
    source: WimSource | None = None
    stamp: Stamp = field(default_factory=Stamp.fresh)

    @property
    def layout(self) -> DiskLayout:
        """How firmware starts this disk."""
        return self.plan.layout
