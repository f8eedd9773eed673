"""Checks of the disk: partition table, Windows volume, free space, what lies behind it."""

from __future__ import annotations

from winimagetools import log
from winimagetools.checks.result import Result, bad, doubtful, good, skipped
from winimagetools.checks.subject import Subject
from winimagetools.formats.partition_table import SECTOR
from winimagetools.formats.partitions import ENLARGED
from winimagetools.found import DiskFacts
from winimagetools.model import GIB, MIB, DiskLayout

_FULL, _SCARCE = 200 * MIB, GIB
"""Below the first Windows does not come through its first start, below the second updates fail."""


def check_layout(subject: Subject) -> Result:
    """The firmware the disk is for, against the configuration."""
    facts, request = subject.facts, subject.request
    if facts is None:
        return _unknown("layout")
    if request is not None and request.layout is not facts.layout:
        return bad(
            "layout",
            f"The disk is for {facts.layout} firmware, not for {request.layout}.",
            "Set disk_layout to what the machines have, and make the image anew.",
        )
    if facts.sector != SECTOR:
        return doubtful(
            "layout",
            f"The disk is for {facts.layout} firmware, and has logical sectors of {facts.sector} "
            "bytes.",
            f"It starts only from a disk with such sectors; most machines have {SECTOR}.",
        )
    return good("layout", f"The disk is for {facts.layout} firmware.")


def check_table(subject: Subject) -> Result:
    """The partition table: sane, and with a backup that is valid."""
    if subject.facts is None:
        return _unknown("partitions")
    if subject.facts.table_problems == (ENLARGED,):
        return doubtful(
            "partitions", ENLARGED, "Windows puts it there when it extends its partition."
        )
    if subject.facts.table_problems:
        return bad(
            "partitions",
            " ".join(subject.facts.table_problems),
            "Repair it with sgdisk -e, or make the image anew.",
        )
    count = len(subject.facts.partitions)
    plural = "s" if count > 1 else ""
    return good("partitions", f"The partition table with {count} partition{plural} is sound.")


def check_volume(subject: Subject) -> Result:
    """NTFS: clean, not hibernated, as large as its partition, and sure of its place."""
    if subject.facts is None:
        return _unknown("volume")
    volume = subject.facts.volume
    if volume.hibernated:
        return bad(
            "volume",
            "Windows is hibernated, or was shut down for a fast start.",
            "Start it and shut it down with shutdown /s /t 0.",
        )
    if not volume.clean:
        return bad(
            "volume",
            "The Windows volume was not left clean.",
            "Start that Windows, let chkdsk repair it, and shut it down.",
        )
    return _place_of(subject.facts) or good("volume", "The Windows volume is clean.")


def _place_of(facts: DiskFacts) -> Result | None:
    volume, windows = facts.volume, facts.windows
    if volume.size > volume.partition_size:
        return bad(
            "volume",
            f"The Windows volume has {log.size(volume.size)}, its partition only "
            f"{log.size(volume.partition_size)}.",
            "Make the partition as large as it was.",
        )
    if facts.layout is DiskLayout.BIOS and volume.hidden != windows.start // facts.sector:
        return bad(
            "volume",
            f"The boot sector says that the volume begins at sector {volume.hidden}, but it "
            f"begins at sector {windows.start // facts.sector}: BIOS will not start it.",
            "The partition was moved; repair it with ntfsfix, or make the image anew.",
        )
    return None


def check_free_space(subject: Subject) -> Result:
    """Whether Windows has room to finish its start and to update itself."""
    if subject.facts is None:
        return _unknown("free space")
    free = subject.facts.volume.free
    text = f"{log.size(free)} of {log.size(subject.facts.volume.size)} are free."
    if free < _FULL:
        return bad("free space", text, "Make the image anew with a larger disk_size.")
    if free < _SCARCE:
        return doubtful(
            "free space", text, "Windows needs more for updates; give machines a larger disk."
        )
    return good("free space", text)


def check_growth(subject: Subject) -> Result:
    """Whether a cloud can let C: grow into a larger disk."""
    if subject.facts is None:
        return _unknown("growth")
    windows = subject.facts.windows
    behind = [part for part in subject.facts.partitions if part.start > windows.start]
    if behind:
        names = ", ".join(f"{part.number} ({part.role})" for part in behind)
        return doubtful(
            "growth",
            f"Behind the Windows partition lies partition {names}, so Windows cannot grow.",
            "Turn Windows RE off (reagentc /disable) and delete it, or make the image here.",
        )
    return good("growth", "The Windows partition is the last one and can grow.")


def _unknown(name: str) -> Result:
    return skipped(name, "This host cannot look at the disk itself.")
