"""What the partition table of an image looks like, before anything is written."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from winimagetools.model import DiskLayout


@dataclass(frozen=True)
class Partition:
    """One partition; ``start`` and ``size`` in bytes.

    Args:
        name: ``EFI``, ``MSR`` or ``Windows``.
        type: GPT type GUID in lower case, or the MBR type as two hexadecimal digits.
        guid: unique partition GUID; None on an MBR disk.
    """

    name: str
    start: int
    size: int
    type: str
    guid: uuid.UUID | None = None


@dataclass(frozen=True)
class PartitionPlan:
    """The whole disk; ``size`` in bytes.

    Args:
        disk_guid: GPT disk GUID; None on an MBR disk.
        signature: MBR disk signature; 0 on a GPT disk.
    """

    layout: DiskLayout
    size: int
    partitions: tuple[Partition, ...]
    disk_guid: uuid.UUID | None = None
    signature: int = 0

    @property
    def windows(self) -> Partition:
        """The partition Windows lives in: always the last one, so that it can grow."""
        return self.partitions[-1]
