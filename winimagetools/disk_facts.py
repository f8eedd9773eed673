"""Records of what is on a finished disk: what was found by looking, without judging it."""

from __future__ import annotations

from dataclasses import dataclass

from winimagetools.model import DiskFormat, DiskLayout


@dataclass(frozen=True)
class PartitionFacts:
    """One partition; ``start`` and ``size`` in bytes.

    Args:
        number: as Windows and Linux count, from 1.
        type: GPT type GUID in lower case, or the MBR type as two hexadecimal digits.
        guid: of the partition; empty on an MBR disk.
        file_system: ``NTFS``, ``FAT``, ``BitLocker`` ...; empty when it is none of Windows'.
        role: ``EFI``, ``MSR``, ``Windows``, ``recovery``, ``system`` or ``data``.
        active: BIOS starts from it.
    """

    number: int
    start: int
    size: int
    type: str
    guid: str = ""
    name: str = ""
    file_system: str = ""
    role: str = "data"
    active: bool = False


@dataclass(frozen=True)
class VolumeFacts:
    """The Windows volume.

    Args:
        size, free, cluster: bytes.
        partition_size: bytes of the partition; more than ``size`` when that was enlarged alone.
        clean: Windows would find nothing to repair.
        hibernated: a Windows sleeps in it.
        hidden: sectors in front of it as its boot sector has them.
    """

    size: int
    free: int
    cluster: int
    partition_size: int
    clean: bool
    hibernated: bool
    hidden: int


@dataclass(frozen=True)
class DiskFacts:
    """A finished disk.

    Args:
        container: of the image file.
        size: bytes of the disk.
        sector: bytes of a logical sector.
        identifier: GUID of a GPT disk, or the signature of an MBR disk in hexadecimal.
        table_problems: what is wrong with the partition table, a sentence each.
        boot_files: what is on the partition firmware starts from, paths with ``/``.
        boot_store: the BCD store firmware's boot manager reads; None where there is none.
        boot_problem: why the partition firmware starts from cannot be read; empty when it can.
    """

    container: DiskFormat
    size: int
    sector: int
    layout: DiskLayout
    identifier: str
    partitions: tuple[PartitionFacts, ...]
    table_problems: tuple[str, ...]
    volume: VolumeFacts
    boot_files: tuple[str, ...] = ()
    boot_store: bytes | None = None
    boot_problem: str = ""

    @property
    def windows(self) -> PartitionFacts:
        """The partition Windows is in."""
        return next(part for part in self.partitions if part.role == "Windows")
