"""Devices in a boot configuration store, byte by byte as in genuine stores."""

from __future__ import annotations

import pytest

from tests.unit.formats.bcd.plans import UEFI
from winimagetools.errors import BuildError
from winimagetools.formats.bcd import elements as el
from winimagetools.formats.bcd.devices import locate_device, partition_device
from winimagetools.formats.partition_table import Partition, PartitionPlan
from winimagetools.model import GIB, MIB, DiskLayout


def test_gpt_partition_device() -> None:
    """Byte for byte what a real store has for its system partition."""
    assert partition_device(UEFI, UEFI.partitions[0]).hex() == (
        "00000000000000000000000000000000" + "06000000000000004800000000000000"
        "9cb86a1cbfbcbe4a8593618e4d2f5811" + "0000000000000000"
        "7de84155a5912b4fad43a0345c199e9b" + "00000000000000000000000000000000"
    )


@pytest.mark.parametrize(
    ("start", "signature", "where", "disk"),
    [
        (0x400000, 0x5A04B705, "0000400000000000", "05b7045a"),
        (0x100000, 0xDDBA6BBB, "0000100000000000", "bb6bbadd"),
    ],
)
def test_mbr_partition_device(start: int, signature: int, where: str, disk: str) -> None:
    """Byte for byte what real stores have: start in bytes and disk signature."""
    windows = Partition("Windows", start, GIB, "07")
    plan = PartitionPlan(DiskLayout.BIOS, 2 * GIB, (windows,), signature=signature)
    assert partition_device(plan, windows).hex() == (
        "00000000000000000000000000000000" + "06000000000000004800000000000000"
        f"{where}0000000000000000" + "0000000001000000"
        f"{disk}000000000000000000000000" + "00000000000000000000000000000000"
    )


def test_locate_devices() -> None:
    """Byte for byte what a real store has for ``device`` and ``osdevice`` set to locate."""
    head = "00000000000000000000000000000000" + "08000000000000001e00000000000000" + "00000000"
    assert locate_device(el.PATH).hex() == head + "02000012" + "00000000" + "0000"
    assert locate_device(el.SYSTEM_ROOT).hex() == head + "02000022" + "00000000" + "0000"


def test_gpt_device_needs_guids() -> None:
    """A plan without GUIDs cannot become a store that starts."""
    plan = PartitionPlan(DiskLayout.UEFI, GIB, (Partition("Windows", MIB, GIB, "x"),))
    with pytest.raises(BuildError, match="The Windows partition or its GPT disk has no GUID"):
        partition_device(plan, plan.windows)
