"""The check of the NTFS volume of an image: a glance, or everything."""

from __future__ import annotations

from collections.abc import Sequence

from winimagetools import log
from winimagetools.checks.ntfs.glance import glance_at_volume
from winimagetools.checks.ntfs.report import Finding
from winimagetools.checks.ntfs.volume import check_volume
from winimagetools.checks.result import Result, bad, good, skipped
from winimagetools.checks.subject import Subject
from winimagetools.contract import RawVolume
from winimagetools.errors import BuildError

_SHOWN = 3
_TOLD_ELSEWHERE = ("volume flags", "log")
"""What a volume that was not left clean has, which the check of the volume says."""


def check_ntfs(subject: Subject) -> Result:
    """Whether the metadata of the Windows volume contradict themselves."""
    volume = subject.volume
    if volume is None:
        return skipped("NTFS", "This host cannot read the volume itself.")
    if not subject.thorough:
        found = glance_at_volume(volume.read, volume.size)
        text = "Every record of the volume is whole; --strict-ntfs compares them all."
    else:
        found = check_volume(volume.read, volume.size)
        text = "Files, folders, clusters and security of the volume agree."
    if subject.facts is not None and not subject.facts.volume.clean:
        found = tuple(item for item in found if item.kind not in _TOLD_ELSEWHERE)
    if not found:
        return good("NTFS", text)
    return bad(
        "NTFS",
        _sentence(found),
        "Start that Windows and let chkdsk C: /f repair it, or make the image anew.",
    )


def verify_volume(image: str, volume: RawVolume, *, fresh: bool) -> None:
    """Refuse a volume whose metadata contradict themselves.

    Args:
        image: the image it is for, in the message.
        volume: the volume.
        fresh: no Windows has written to it yet.

    Raises:
        BuildError: they do.
    """
    found = check_volume(volume.read, volume.size, fresh=fresh)
    if found:
        raise BuildError(
            f"{image} was not made. {_sentence(found)}",
            "Build it again with apply_engine = libwim; when that fails as well, test the memory "
            "and the disk of this machine.",
        )
    log.info("files, folders, clusters and security of the volume agree")


def _sentence(found: Sequence[Finding]) -> str:
    """The first finding of each kind; of a damaged volume nobody reads all."""
    texts = list({item.kind: item.text for item in reversed(found)}.values())[::-1]
    more = len(found) - min(len(texts), _SHOWN)
    end = [f"({more} more)"] if more > 0 else []
    return " ".join(["The NTFS volume is damaged.", *texts[:_SHOWN], *end])
