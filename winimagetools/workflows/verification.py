"""``--verify``: whether a Windows volume is sound, asked before its disk becomes anything else."""

from __future__ import annotations

from pathlib import Path

from winimagetools import log
from winimagetools.checks.ntfs.check import verify_volume
from winimagetools.contract import Host, RawVolume
from winimagetools.errors import Problem
from winimagetools.settings.findings import Findings

STEP = "Verify the Windows volume"


def refuse_unverifiable(host: Host, found: Findings) -> None:
    """Find that a host cannot compare what it writes."""
    if not host.disks.shows_volumes():
        found.problems.append(
            Problem(
                "--verify compares everything in the NTFS volume, which this host does not show.",
                "Leave it out, and check the image on Linux: winimagetools test-image "
                "--strict-ntfs IMAGE",
                host=True,
            )
        )


def verify_written(image: Path, volume: RawVolume) -> None:
    """Compare everything in a volume no Windows has written to yet.

    Args:
        image: what the disk is to become.
        volume: the volume.

    Raises:
        BuildError: something contradicts something else.
    """
    with log.step(STEP):
        verify_volume(image.name, volume, fresh=True)


def verify_disk(host: Host, disk: Path, image: Path) -> None:
    """The same for a finished disk that somebody gave, in which a Windows may have run.

    Args:
        host: one that shows volumes.
        disk: a private copy.
        image: as above.

    Raises:
        BuildError: something contradicts something else.
        MediaError: there is no Windows volume.
    """
    with log.step(STEP), host.disks.open(disk, read_only=True) as opened:
        volume = host.disks.windows_volume(opened)
        if volume is not None:
            verify_volume(image.name, volume, fresh=False)
