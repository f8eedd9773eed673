"""What the partition table of an image looks like, before anything is written."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from winimagetools.errors import MediaError, Problem, RequestError
from winimagetools.model import MIB, DiskLayout

SECTOR = 512
EFI_SIZE = 200 * MIB
MSR_SIZE = 128 * MIB
MINIMUM_WINDOWS = 64 * MIB
"""Below this an NTFS volume has no room for its own files and anything of Windows."""
MBR_LIMIT = 2**41 - SECTOR
"""An MBR counts sectors of 512 bytes in 32 bits, so one of exactly 2 TiB has one too many."""
LARGE_SECTOR = 4096
_MBR_PARTITIONS = 446

TYPE_EFI = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
TYPE_MSR = "e3c9e316-0b5c-4db8-817d-f92df00215ae"
TYPE_BASIC_DATA = "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7"
TYPE_MBR_NTFS = "07"

_GPT_LABELS = {
    "EFI": "EFI system partition",
    "MSR": "Microsoft reserved partition",
    "Windows": "Basic data partition",
}
"""Names Windows itself gives to partitions of these types."""


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


RandomBytes = Callable[[int], bytes]
"""A source of random bytes: ``os.urandom``, or something repeatable in a test."""


def minimum_size(layout: DiskLayout) -> int:
    """The smallest disk in bytes that can be partitioned in this way."""
    if layout is DiskLayout.UEFI:
        return MIB + EFI_SIZE + MSR_SIZE + MINIMUM_WINDOWS + MIB
    return MIB + MINIMUM_WINDOWS


def size_problem(size: int, layout: DiskLayout) -> Problem | None:
    """Why a disk of ``size`` bytes cannot have a layout; None when it can."""
    if size - size % MIB < minimum_size(layout):
        return Problem(
            f"A disk of {size // MIB} MiB is too small for a {layout} disk layout.",
            f"Set disk_size to at least {minimum_size(layout)} bytes and enough for the image.",
        )
    if layout is DiskLayout.BIOS and size > MBR_LIMIT:
        return Problem(
            f"A disk with BIOS layout has to be smaller than 2 TiB; {size} bytes are too many.",
            f"Set disk_size to at most {MBR_LIMIT} bytes, or disk_layout to UEFI.",
        )
    return None


def plan_partitions(
    size: int, layout: DiskLayout, *, random_bytes: RandomBytes = os.urandom
) -> PartitionPlan:
    """Lay out a new disk the way the PowerShell tools do, everything at whole MiB.

    UEFI: 200 MiB EFI system partition at 1 MiB, 128 MiB Microsoft reserved partition,
    Windows up to the last MiB, which holds the backup GPT. BIOS: one active NTFS partition
    from 1 MiB to the end of the disk; the MiB before it has room for boot code.

    Args:
        size: bytes of the whole disk; what exceeds a whole MiB is not used.
        layout: how firmware starts the disk.
        random_bytes: where GUIDs and the disk signature come from.

    Raises:
        RequestError: the disk is too small, or too large for an MBR.
    """
    problem = size_problem(size, layout)
    if problem is not None:
        raise RequestError(problem.message, problem.hint)
    size -= size % MIB
    if layout is DiskLayout.UEFI:
        return _plan_gpt(size, random_bytes)
    signature = int.from_bytes(random_bytes(4), "little") or 1
    windows = Partition("Windows", MIB, size - MIB, TYPE_MBR_NTFS)
    return PartitionPlan(DiskLayout.BIOS, size, (windows,), signature=signature)


def _plan_gpt(size: int, random_bytes: RandomBytes) -> PartitionPlan:
    def guid() -> uuid.UUID:
        return uuid.UUID(bytes=random_bytes(16), version=4)

    msr_start = MIB + EFI_SIZE
    windows_start = msr_start + MSR_SIZE
    partitions = (
        Partition("EFI", MIB, EFI_SIZE, TYPE_EFI, guid()),
        Partition("MSR", msr_start, MSR_SIZE, TYPE_MSR, guid()),
        Partition("Windows", windows_start, size - MIB - windows_start, TYPE_BASIC_DATA, guid()),
    )
    return PartitionPlan(DiskLayout.UEFI, size, partitions, disk_guid=guid())


ReadAt = Callable[[int, int], bytes]
"""Reads a disk: offset and length in bytes; less at its end."""


def check_sectors(read: ReadAt, name: str) -> None:
    """Refuse a disk that was partitioned in sectors of 4096 bytes.

    Images are made for disks with logical sectors of 512 bytes, which is what virtual machines
    have. Tables, boot sectors and boot configuration count in sectors, so such an image does
    not start from a disk with others, nor the other way round.

    Args:
        read: reads the disk; what a container such as VHDX holds, not the container.
        name: what to call it in messages.

    Raises:
        MediaError: a GPT, or an NTFS volume of an MBR disk, lies where larger sectors put it.
    """
    if has_large_sectors(read):
        raise MediaError(
            f"{name} has logical sectors of {LARGE_SECTOR} bytes.",
            f"Use a disk with logical sectors of {SECTOR} bytes (New-VHD "
            f"-LogicalSectorSizeBytes {SECTOR}); others are not supported.",
        )


def has_large_sectors(read: ReadAt) -> bool:
    """Whether a disk was partitioned in sectors of 4096 bytes, by where its table leads."""
    return read(SECTOR, 8) != b"EFI PART" and (
        read(LARGE_SECTOR, 8) == b"EFI PART" or _has_large_ntfs(read)
    )


def _has_large_ntfs(read: ReadAt) -> bool:
    """Whether the first NTFS partition of an MBR begins where 4096-byte sectors put it."""
    table = read(0, SECTOR)
    if len(table) < SECTOR or table[510:] != b"\x55\xaa":
        return False
    for entry in range(_MBR_PARTITIONS, 510, 16):
        start = int.from_bytes(table[entry + 8 : entry + 12], "little")
        boot = read(start * LARGE_SECTOR, 16) if start else b""
        if boot[3:7] == b"NTFS" and boot[11:13] == LARGE_SECTOR.to_bytes(2, "little"):
            return True
    return False


def sfdisk_script(plan: PartitionPlan) -> str:
    """The plan as ``sfdisk`` reads it from its standard input (sfdisk(8), "named fields")."""
    if plan.layout is DiskLayout.UEFI:
        header = ["label: gpt", f"label-id: {plan.disk_guid}", "first-lba: 34"]
    else:
        header = ["label: dos", f"label-id: 0x{plan.signature:08x}"]
    lines = [*header, "unit: sectors", "", *(_sfdisk_line(part) for part in plan.partitions)]
    return "\n".join(lines) + "\n"


def _sfdisk_line(part: Partition) -> str:
    place = f"start={part.start // SECTOR}, size={part.size // SECTOR}, type={part.type}"
    if part.guid is None:
        return f"{place}, bootable"
    return f'{place}, uuid={part.guid}, name="{_GPT_LABELS[part.name]}"'


def table_differences(plan: PartitionPlan, sfdisk_json: str) -> list[str]:
    """What ``sfdisk --json`` read from a disk that is not as planned, one sentence each.

    Raises:
        MediaError: the text is not what ``sfdisk --json`` prints.
    """
    try:
        table = json.loads(sfdisk_json)["partitiontable"]
        found = {"label": table["label"], "id": table["id"], **_found_fields(table["partitions"])}
    except (ValueError, KeyError, TypeError) as error:
        raise MediaError("The partition table of the disk cannot be read back.") from error
    wanted = dict(_wanted_fields(plan))
    return [
        f"{name} is {found.get(name, 'missing')} instead of {wanted.get(name, 'absent')}."
        for name in sorted(wanted.keys() | found.keys())
        if str(found.get(name)).lower() != str(wanted.get(name)).lower()
    ]


def _wanted_fields(plan: PartitionPlan) -> Iterator[tuple[str, object]]:
    gpt = plan.layout is DiskLayout.UEFI
    yield "label", "gpt" if gpt else "dos"
    yield "id", plan.disk_guid if gpt else f"0x{plan.signature:08x}"
    for number, part in enumerate(plan.partitions, 1):
        yield f"partition {number} start", part.start // SECTOR
        yield f"partition {number} size", part.size // SECTOR
        yield f"partition {number} type", part.type if gpt else part.type.lstrip("0")
        yield f"partition {number} {'uuid' if gpt else 'bootable'}", part.guid or True


def _found_fields(partitions: list[dict[str, object]]) -> dict[str, object]:
    return {
        f"partition {number} {key}": part[key]
        for number, part in enumerate(partitions, 1)
        for key in ("start", "size", "type", "uuid", "bootable")
        if key in part
    }
