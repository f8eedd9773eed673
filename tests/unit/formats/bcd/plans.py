"""Partitions and their GUIDs that the tests of the store take for granted."""

from __future__ import annotations

from uuid import UUID

from winimagetools.formats.partition_table import Partition, PartitionPlan
from winimagetools.model import GIB, MIB, DiskLayout

LOADER = UUID("11111111-2222-3333-4444-555555555555")


RESUME = UUID("66666666-7777-8888-9999-aaaaaaaaaaaa")


ESP_GUID = UUID("1c6ab89c-bcbf-4abe-8593-618e4d2f5811")


DISK_GUID = UUID("5541e87d-91a5-4f2b-ad43-a0345c199e9b")


WINDOWS_GUID = UUID("9d4a7cb0-ab9d-4d71-961f-50f1d9c9252f")


UEFI = PartitionPlan(
    DiskLayout.UEFI,
    20 * GIB,
    (
        Partition("EFI", MIB, 200 * MIB, "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", ESP_GUID),
        Partition("Windows", 300 * MIB, 19 * GIB, "ebd0a0a2", WINDOWS_GUID),
    ),
    disk_guid=DISK_GUID,
)


BIOS = PartitionPlan(
    DiskLayout.BIOS, 20 * GIB, (Partition("Windows", MIB, 19 * GIB, "07"),), signature=0xDDBA6BBB
)
