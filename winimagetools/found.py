"""Records of what was found by looking, without judging it: a finished disk, and this machine.

What was decided is in ``plan``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from winimagetools.errors import Problem
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
        boot_manager: what UEFI firmware starts; None where there is none.
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
    boot_manager: bytes | None = None
    boot_problem: str = ""

    @property
    def windows(self) -> PartitionFacts:
        """The partition Windows is in."""
        return next(part for part in self.partitions if part.role == "Windows")


@dataclass(frozen=True)
class MachineFacts:
    """The machine a build would run on.

    Args:
        system: name and release of its operating system, for people.
        memory: bytes it has; 0 when it does not tell.
        processors: how many a build may use.
        bridges: switches a virtual machine can be attached to.
        not_reproducible: why the same inputs give other bytes here; empty where they do not.
    """

    system: str
    memory: int = 0
    processors: int = 1
    bridges: tuple[str, ...] = ()
    not_reproducible: str = ""


@dataclass(frozen=True)
class Ability:
    """Something a machine can do, or what it lacks for it.

    Args:
        name: what it is, such as ``offline images with UEFI``.
        how: in which way it is done; empty where there is only one.
        lacking: what is missing for it; empty when it can be done.
        needed: without it hardly an image can be made, so its lack is a failure.
    """

    name: str
    how: str = ""
    lacking: tuple[Problem, ...] = field(default=())
    needed: bool = False
