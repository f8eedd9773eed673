from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from winimagetools.errors import MediaError, RequestError
from winimagetools.formats.partition_table import (
    MBR_LIMIT,
    Partition,
    PartitionPlan,
    check_sectors,
    minimum_size,
    plan_partitions,
    sfdisk_script,
    size_problem,
    table_differences,
)
from winimagetools.model import GIB, MIB, DiskLayout


def _counting() -> Callable[[int], bytes]:
    """A repeatable source of random bytes: 16 times 1, then 16 times 2, and so on."""
    calls = iter(range(1, 256))
    return lambda count: bytes([next(calls)]) * count


EFI_GUID = uuid.UUID("01010101-0101-4101-8101-010101010101")
MSR_GUID = uuid.UUID("02020202-0202-4202-8202-020202020202")
WINDOWS_GUID = uuid.UUID("03030303-0303-4303-8303-030303030303")
DISK_GUID = uuid.UUID("04040404-0404-4404-8404-040404040404")


def test_a_uefi_disk_has_the_three_partitions_of_the_powershell_tools() -> None:
    """200 MiB EFI at 1 MiB, 128 MiB MSR, Windows up to the last MiB, each of its type."""
    plan = plan_partitions(40 * GIB, DiskLayout.UEFI, random_bytes=_counting())
    assert plan == PartitionPlan(
        DiskLayout.UEFI,
        40 * GIB,
        (
            Partition("EFI", MIB, 200 * MIB, "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", EFI_GUID),
            Partition(
                "MSR", 201 * MIB, 128 * MIB, "e3c9e316-0b5c-4db8-817d-f92df00215ae", MSR_GUID
            ),
            Partition(
                "Windows",
                329 * MIB,
                40 * GIB - 330 * MIB,
                "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7",
                WINDOWS_GUID,
            ),
        ),
        disk_guid=DISK_GUID,
        signature=0,
    )


def test_a_bios_disk_has_one_ntfs_partition_to_the_end() -> None:
    """One partition of type 07 from 1 MiB to the end, and a disk signature."""
    plan = plan_partitions(40 * GIB, DiskLayout.BIOS, random_bytes=_counting())
    windows = Partition("Windows", MIB, 40 * GIB - MIB, "07")
    assert plan == PartitionPlan(DiskLayout.BIOS, 40 * GIB, (windows,), signature=0x01010101)


def test_a_disk_signature_is_never_zero() -> None:
    """Zero would mean "no signature" to Windows."""
    plan = plan_partitions(GIB, DiskLayout.BIOS, random_bytes=bytes)
    assert plan.signature == 1


@given(
    size=st.integers(minimum_size(DiskLayout.UEFI), MBR_LIMIT),
    layout=st.sampled_from(list(DiskLayout)),
)
@settings(max_examples=100)
def test_partitions_are_aligned_and_do_not_overlap(size: int, layout: DiskLayout) -> None:
    """Everything lies at whole MiB, one after the other, inside the disk; GUIDs differ."""
    plan = plan_partitions(size, layout)
    assert size - MIB < plan.size <= size
    end = MIB
    for part in plan.partitions:
        assert part.start == end
        assert part.start % MIB == part.size % MIB == 0
        end = part.start + part.size
    assert end == plan.size - (MIB if layout is DiskLayout.UEFI else 0)
    guids = [plan.disk_guid, *(part.guid for part in plan.partitions)]
    assert layout is DiskLayout.BIOS or len(set(guids)) == len(guids)


@pytest.mark.parametrize(
    ("layout", "minimum"), [(DiskLayout.UEFI, 394 * MIB), (DiskLayout.BIOS, 65 * MIB)]
)
def test_a_disk_that_is_too_small_is_refused_with_the_minimum(
    layout: DiskLayout, minimum: int
) -> None:
    """One byte below the minimum is an error that names it; the minimum itself works."""
    assert plan_partitions(minimum, layout).windows.size == 64 * MIB
    too_small = f"A disk of {minimum // MIB - 1} MiB is too small .* at least {minimum} bytes"
    with pytest.raises(RequestError, match=too_small):
        plan_partitions(minimum - 1, layout)


def test_a_bios_disk_beyond_two_tebibytes_is_refused() -> None:
    """An MBR cannot describe it; UEFI can."""
    for size in (2**41 - 511, 2**41, 2049 * GIB):
        with pytest.raises(RequestError, match="at most 2199023255040 bytes, or disk_layout to UE"):
            plan_partitions(size, DiskLayout.BIOS)
        assert size_problem(size, DiskLayout.UEFI) is None
    assert size_problem(2**41 - 512, DiskLayout.BIOS) is None
    assert plan_partitions(2**41 - 512, DiskLayout.BIOS).size == 2**41 - MIB
    assert plan_partitions(2049 * GIB, DiskLayout.UEFI).size == 2049 * GIB


def disk(**parts: bytes) -> Callable[[int, int], bytes]:
    """Reads a disk with ``bytes`` at the offsets ``at_...``."""
    data = bytearray(64 * 1024)
    for offset, part in parts.items():
        start = int(offset.removeprefix("at_"))
        data[start : start + len(part)] = part
    return lambda offset, length: bytes(data[offset : offset + length])


def mbr(start: int) -> bytes:
    """A table with one NTFS partition at a sector."""
    entry = bytes([0x80, 0, 0, 0, 7, 0, 0, 0]) + start.to_bytes(4, "little") + bytes(4)
    return bytes(446) + bytes(16) + entry + bytes(32) + b"\x55\xaa"


def ntfs(sector: int) -> bytes:
    """The beginning of an NTFS volume."""
    return b"\xebR\x90NTFS    " + sector.to_bytes(2, "little") + b"\x08"


@pytest.mark.parametrize(
    "read",
    [
        disk(at_4096=b"EFI PART"),
        disk(at_0=mbr(2), at_8192=ntfs(4096)),
    ],
)
def test_large_sectors_are_refused(read: Callable[[int, int], bytes]) -> None:
    """Tables and volumes in sectors of 4096 bytes are told by where they lie."""
    with pytest.raises(MediaError, match=r"g\.vhdx has logical sectors of 4096 bytes"):
        check_sectors(read, "g.vhdx")


@pytest.mark.parametrize(
    "read",
    [
        disk(at_512=b"EFI PART"),
        disk(at_512=b"EFI PART", at_4096=b"EFI PART"),
        disk(at_0=mbr(2), at_1024=ntfs(512)),
        disk(at_0=mbr(16), at_8192=ntfs(512)),
        disk(at_0=mbr(2), at_8192=ntfs(512)),
        disk(at_0=mbr(1000)),
        disk(),
        lambda *_: b"",
    ],
)
def test_usual_sectors_pass(read: Callable[[int, int], bytes]) -> None:
    """Everything else is left to whoever opens the disk."""
    check_sectors(read, "disk")


def test_the_sfdisk_script_of_a_uefi_disk() -> None:
    """Everything is given explicitly: place, type, GUIDs and the names Windows uses."""
    plan = plan_partitions(GIB, DiskLayout.UEFI, random_bytes=_counting())
    assert sfdisk_script(plan).splitlines() == [
        "label: gpt",
        "label-id: 04040404-0404-4404-8404-040404040404",
        "first-lba: 34",
        "unit: sectors",
        "",
        "start=2048, size=409600, type=c12a7328-f81f-11d2-ba4b-00a0c93ec93b, "
        'uuid=01010101-0101-4101-8101-010101010101, name="EFI system partition"',
        "start=411648, size=262144, type=e3c9e316-0b5c-4db8-817d-f92df00215ae, "
        'uuid=02020202-0202-4202-8202-020202020202, name="Microsoft reserved partition"',
        "start=673792, size=1421312, type=ebd0a0a2-b9e5-4433-87c0-68b6b72699c7, "
        'uuid=03030303-0303-4303-8303-030303030303, name="Basic data partition"',
    ]


def test_the_sfdisk_script_of_a_bios_disk() -> None:
    """The partition is active, the signature is set."""
    plan = plan_partitions(GIB, DiskLayout.BIOS, random_bytes=_counting())
    assert sfdisk_script(plan).splitlines() == [
        "label: dos",
        "label-id: 0x01010101",
        "unit: sectors",
        "",
        "start=2048, size=2095104, type=07, bootable",
    ]


def _read_back(plan: PartitionPlan) -> dict[str, object]:
    """What sfdisk 2.38 prints for a plan."""
    gpt = plan.layout is DiskLayout.UEFI
    return {
        "partitiontable": {
            "label": "gpt" if gpt else "dos",
            "id": str(plan.disk_guid).upper() if gpt else f"0x{plan.signature:08x}",
            "device": "disk.raw",
            "unit": "sectors",
            "sectorsize": 512,
            "partitions": [
                {"start": part.start // 512, "size": part.size // 512}
                | (
                    {"type": part.type.upper(), "uuid": str(part.guid).upper()}
                    if gpt
                    else {"type": "7", "bootable": True}
                )
                for part in plan.partitions
            ],
        }
    }


@pytest.mark.parametrize("layout", list(DiskLayout))
def test_a_table_as_planned_has_no_differences(layout: DiskLayout) -> None:
    """Letter case and leading zeros do not matter."""
    plan = plan_partitions(GIB, layout)
    assert table_differences(plan, json.dumps(_read_back(plan))) == []


def test_each_difference_of_a_table_is_named() -> None:
    """A wrong size, a missing active flag and an extra partition are three sentences."""
    plan = plan_partitions(GIB, DiskLayout.BIOS, random_bytes=_counting())
    table: dict[str, object] = {
        "label": "dos",
        "id": "0x01010101",
        "partitions": [
            {"start": 2048, "size": 100, "type": "7"},
            {"start": 4096, "size": 5, "type": "83"},
        ],
    }
    assert table_differences(plan, json.dumps({"partitiontable": table})) == [
        "partition 1 bootable is missing instead of True.",
        "partition 1 size is 100 instead of 2095104.",
        "partition 2 size is 5 instead of absent.",
        "partition 2 start is 4096 instead of absent.",
        "partition 2 type is 83 instead of absent.",
    ]


@pytest.mark.parametrize("text", ["", "[]", '{"partitiontable": {"label": "dos"}}'])
def test_a_table_that_cannot_be_read_is_an_error(text: str) -> None:
    """What is not a table never counts as "no differences"."""
    plan = plan_partitions(GIB, DiskLayout.BIOS)
    with pytest.raises(MediaError, match="cannot be read back"):
        table_differences(plan, text)
