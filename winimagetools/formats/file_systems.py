"""What lies in a partition, told by its first sectors."""

from __future__ import annotations

import struct
from dataclasses import dataclass

NTFS, BITLOCKER, REFS, EXFAT, FAT = "NTFS", "BitLocker", "ReFS", "exFAT", "FAT"
PROBED = 4096
"""Bytes that are looked at."""
_NAMES = {b"NTFS    ": NTFS, b"-FVE-FS-": BITLOCKER, b"ReFS\0\0\0\0": REFS, b"EXFAT   ": EXFAT}


@dataclass(frozen=True)
class NtfsBoot:
    """What the boot sector of an NTFS volume says.

    Args:
        cluster: bytes of a cluster.
        size: bytes of the volume, without the copy of the boot sector behind it.
        hidden: where the partition begins on the disk, in sectors; BIOS boot code needs it.
    """

    sector: int
    cluster: int
    size: int
    hidden: int


def file_system_of(beginning: bytes) -> str:
    """The file system of a partition; empty when it is none of those of Windows.

    Args:
        beginning: its first :data:`PROBED` bytes.
    """
    if found := _NAMES.get(beginning[3:11]):
        return found
    if beginning[510:512] == b"\x55\xaa" and (
        beginning[82:87] == b"FAT32" or beginning[54:57] == b"FAT"
    ):
        return FAT
    return ""


def ntfs_boot(beginning: bytes) -> NtfsBoot | None:
    """The boot sector of an NTFS volume; None when it makes no sense.

    Source: layout of ``NTFS_BOOT_SECTOR`` in ``layout.h`` of ntfs-3g.
    """
    if len(beginning) < 512 or file_system_of(beginning) != NTFS:
        return None
    sector, factor = struct.unpack_from("<HB", beginning, 11)
    hidden, sectors = (
        struct.unpack_from("<I", beginning, 28)[0],
        struct.unpack_from("<Q", beginning, 40)[0],
    )
    # More than 64 KiB are stored as a negative power of two.
    per_cluster = 1 << 256 - factor if factor > 0xF0 else factor
    if sector not in (256, 512, 1024, 2048, 4096) or not per_cluster or not sectors:
        return None
    return NtfsBoot(sector, sector * per_cluster, sectors * sector, hidden)
