"""Whether Windows finished its image at its first start: by what the disk shows.

A power-off says nothing, and who caused it neither. The PowerShell tools take every power-off
for success, so an image that lost its sysprep went to customers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from winimagetools import log
from winimagetools.checks.subject import CLOUDBASE_INIT
from winimagetools.contract import Host, ReadOnlyTree
from winimagetools.errors import BuildError, HostError, MediaError
from winimagetools.formats.regf_values import read_text
from winimagetools.guest.reports import STAGE_DONE, judge, last_words
from winimagetools.model import DiskFormat

SOFTWARE = r"Windows\System32\config\SOFTWARE"
STATE_KEY = r"Microsoft\Windows\CurrentVersion\Setup\State"
GENERALIZED = "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE"
"""What sysprep leaves in ``ImageState`` ("Windows Setup Installation Process", Microsoft)."""
_UNUSABLE = "The virtual machine powered off and left a disk that cannot be used:"
_RESOURCES = "UnattendResources"
_ANSWERS = "Unattend.xml"
_PENDING = r"Windows\WinSxS\pending.xml"
"""Work that servicing left for the next start; an image with it does not generalize."""


def judge_first_boot(host: Host, disk: Path, reports: Mapping[str, str], *, gold: bool) -> None:
    """Decide whether an image is finished whose machine is off.

    Where the disk cannot be opened the reports decide.

    Args:
        host: opens the disk.
        disk: of the machine.
        reports: of the guest, by stage.
        gold: the image stays a golden one, which is not generalized.

    Raises:
        BuildError: it is not finished.
    """
    try:
        found = _look(host, disk, gold)
    except HostError as error:
        log.warning(f"{error.message} The image is judged by the reports of the guest alone.")
        judge(reports)
        return
    except (MediaError, BuildError) as error:
        raise BuildError(f"{_UNUSABLE} {error.message}", error.hint) from error
    except OSError as error:
        # A volume that Windows mounted although its structures are damaged.
        raise BuildError(f"{_UNUSABLE} {error}.") from error
    if found:
        raise BuildError(
            "The virtual machine powered off, but its image is not finished "
            f"({last_words(reports)}): {' '.join(found)}"
        )
    if STAGE_DONE not in reports:
        log.warning(
            f"The guest did not say that it was done ({last_words(reports)}), but its disk shows "
            "that it is."
        )


def _look(host: Host, disk: Path, gold: bool) -> list[str]:
    # A raw disk is opened as if it were to be changed: that refuses a volume that Windows did not
    # leave clean.
    raw = disk.suffix.lower() == f".{DiskFormat.RAW.extension}"
    with host.disks.open(disk, read_only=not raw) as opened:
        return unfinished(opened.tree, gold=gold)


def unfinished(tree: ReadOnlyTree, *, gold: bool) -> list[str]:
    """What shows that an image is not finished, a sentence each.

    Args:
        tree: its Windows volume.
        gold: it stays a golden image: it keeps its answer file and is not generalized.
    """
    found = []
    if tree.exists(_RESOURCES):
        found.append(rf"\{_RESOURCES} is still there.")
    if tree.exists(_PENDING):
        found.append("Updates or features wait for another restart.")
    if gold:
        return found
    if tree.exists(_ANSWERS):
        found.append(rf"\{_ANSWERS} is still there.")
    if not any(tree.exists(path) for path in CLOUDBASE_INIT):
        found.append("Cloudbase-Init is not installed.")
    state = image_state(tree)
    if state != GENERALIZED:
        found.append(f"Windows is not generalized (ImageState is {state or 'not set'}).")
    return found


def image_state(tree: ReadOnlyTree) -> str:
    """``ImageState`` of an image; empty when its registry does not tell."""
    try:
        return read_text(tree.read_bytes(SOFTWARE), STATE_KEY, "ImageState") or ""
    except (FileNotFoundError, MediaError):
        return ""
