"""Partitions that tests of the boot configuration take for granted."""

from __future__ import annotations

from uuid import UUID

from winimagetools.formats.partition_table import Partition, PartitionPlan
from winimagetools.model import GIB, MIB, DiskLayout

UEFI = PartitionPlan(
    DiskLayout.UEFI,
    20 * GIB,
    (
        Partition("EFI", MIB, 200 * MIB, "c12a7328", UUID(int=1)),
        Partition("Windows", 300 * MIB, 19 * GIB, "ebd0a0a2", UUID(int=2)),
    ),
    disk_guid=UUID(int=3),
)
BIOS = PartitionPlan(
    DiskLayout.BIOS, 20 * GIB, (Partition("Windows", MIB, 19 * GIB, "07"),), signature=0x12345678
)
