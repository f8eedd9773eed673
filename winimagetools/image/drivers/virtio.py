"""Drivers for the devices of KVM from a virtio-win ISO, RPM or folder.

Which folder is for which Windows is in :mod:`winimagetools.image.drivers.virtio_layout`; whether an
INF really is for the image, the INF itself says. What then happens with the drivers is the
business of :mod:`winimagetools.image.drivers.plan`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from winimagetools.contract import Disk, Host
from winimagetools.errors import MediaError
from winimagetools.formats.inf.target import Target
from winimagetools.image.drivers.index import DriverIndex, file_name, folder_of, join_names
from winimagetools.image.drivers.plan import add_drivers, plan_infs
from winimagetools.image.drivers.virtio_layout import (
    VirtioFolder,
    find_folders,
    folder_chain,
    last_resort,
)
from winimagetools.paths import is_iso
from winimagetools.plan import DriverPlan, ImageInfo, SourceTree

_SKIPPED = {"vioprot.inf": "sriov"}
"""The SR-IOV protocol driver takes network adapters away from netkvm (RHEL-56383)."""
_FWCFG = "fwcfg.inf"
_FWCFG_STUB = "qemufwcfg.inf"
"""Both are for ACPI\\\\QEMU0002; the stub has no driver behind it (RHBZ 2151752)."""


@dataclass(frozen=True)
class VirtioChoice:
    """One driver and where it was found.

    Args:
        driver: name of the driver, such as ``viostor``.
        windows: the folder name that was chosen, such as ``w10``.
        folder: path of the folder in the source.
        version: ``DriverVer`` of its INF.
        infs: the INF files to install.
    """

    driver: str
    windows: str
    folder: str
    version: str
    infs: tuple[str, ...]


@dataclass(frozen=True)
class VirtioSelection:
    """The drivers for an image, by name, and sentences about what was not taken."""

    choices: tuple[VirtioChoice, ...]
    notes: tuple[str, ...] = ()


def select_virtio_drivers(index: DriverIndex, image: ImageInfo) -> VirtioSelection:
    """Choose for each driver the folder that is closest to an image and has an INF for it.

    The PowerShell tools look for a list of eleven drivers; here every driver of the source counts,
    so that those added since (viofs, viogpudo, fwcfg, viomem, viosock) are not forgotten. They
    take the drivers of 8.1 and 2012 R2 when they find none at all; so does this, where their
    INF files allow it. Port of ``Get-VirtIODrivers``.

    Raises:
        MediaError: nothing fits; the message lists what there is.
    """
    folders = find_folders(index.infs)
    target = Target.of(image)
    server = image.is_server
    mine = [item for item in folders if item.architecture is image.architecture]
    notes: list[str] = []
    choices = _choose(index, mine, folder_chain(image.version, server=server), target, notes)
    if not choices:
        choices = _choose(index, mine, last_resort(server=server), target, notes)
        if choices:
            notes.append("Nothing is there for this Windows: drivers of an older one are used.")
    if not choices:
        raise _nothing_fits(index, folders, image)
    return VirtioSelection(tuple(_without_stub(choices)), tuple(notes))


def _choose(
    index: DriverIndex,
    folders: Iterable[VirtioFolder],
    chain: Sequence[str],
    target: Target,
    notes: list[str],
) -> list[VirtioChoice]:
    by_driver: dict[str, list[VirtioFolder]] = {}
    for item in folders:
        if item.windows in chain:
            by_driver.setdefault(item.driver.casefold(), []).append(item)
    found: list[VirtioChoice] = []
    for _, candidates in sorted(by_driver.items()):
        candidates.sort(key=lambda item: (chain.index(item.windows), item.path))
        choices = (_try_folder(index, item, target, notes) for item in candidates)
        choice = next((item for item in choices if item is not None), None)
        found += [choice] if choice else []
    return found


def _try_folder(
    index: DriverIndex, folder: VirtioFolder, target: Target, notes: list[str]
) -> VirtioChoice | None:
    infs: list[str] = []
    for path in folder.infs:
        if file_name(path).casefold() in _SKIPPED:
            continue
        try:
            if index.read(path).supports(target):
                infs.append(path)
            else:
                notes.append(f"{path} was left out: by its own word it is for another Windows.")
        except MediaError as error:
            notes.append(f"{path} was left out. {error.message}")
    if not infs:
        return None
    version = index.read(infs[0]).version
    return VirtioChoice(folder.driver, folder.windows, folder.path, version, tuple(infs))


def _without_stub(choices: list[VirtioChoice]) -> list[VirtioChoice]:
    """Drop the empty fwcfg driver when the real one is chosen."""
    names = {file_name(inf).casefold() for item in choices for inf in item.infs}
    if _FWCFG not in names:
        return choices
    return [
        dataclasses.replace(item, infs=kept)
        for item in choices
        if (kept := tuple(inf for inf in item.infs if file_name(inf).casefold() != _FWCFG_STUB))
    ]


def _nothing_fits(
    index: DriverIndex, folders: Sequence[VirtioFolder], image: ImageInfo
) -> MediaError:
    kind = "server" if image.is_server else "client"
    message = (
        f"{index.source.name} has no virtio drivers for Windows {image.version} "
        f"{image.architecture} ({kind})."
    )
    if not folders:
        hint = "There is no folder such as viostor/w10/amd64 in it"
        found = join_names(list(dict.fromkeys(folder_of(path) for path in index.infs)))
        hint += f"; INF files are in: {found}." if found else ", and no INF file at all."
        return MediaError(message, f"{hint} Use drivers_path for drivers in other folders.")
    by_architecture: dict[str, dict[str, None]] = {}
    for item in folders:
        by_architecture.setdefault(item.architecture, {})[item.windows] = None
    lists = (f"{name}: {', '.join(sorted(found))}" for name, found in by_architecture.items())
    return MediaError(message, f"It has drivers for {'; '.join(sorted(lists))}.")


def plan_virtio_drivers(source: SourceTree, image: ImageInfo) -> DriverPlan:
    """Choose the virtio drivers for an image and plan what is done with them.

    Raises:
        MediaError: nothing fits, or Windows could not start with one of them.
    """
    index = DriverIndex(source)
    selection = select_virtio_drivers(index, image)
    infs = [path for choice in selection.choices for path in choice.infs]
    plan = plan_infs(index, infs, image)
    return dataclasses.replace(plan, notes=(*selection.notes, *plan.notes))


def add_virtio_drivers(host: Host, disk: Disk, image: ImageInfo, source: SourceTree) -> None:
    """Add the virtio drivers of a folder or an opened ISO to an image.

    Port of ``Add-VirtIODrivers``.

    Raises:
        MediaError: nothing fits, or Windows could not start with one of them.
    """
    add_drivers(host, disk, plan_virtio_drivers(source, image))


def add_virtio_drivers_from_iso(
    host: Host, disk: Disk, image: ImageInfo, iso_path: Path | str
) -> None:
    """Add the virtio drivers of an ISO to an image.

    Port of ``Add-VirtIODriversFromISO``.

    Raises:
        MediaError: it is no ISO, nothing on it fits, or Windows could not start with it.
    """
    path = Path(iso_path)
    if not is_iso(path):
        raise MediaError(
            f"{path} is not the path of an .iso file.",
            "For a folder with virtio drivers use virtio_base_path.",
        )
    with host.media.open_source(path) as source:
        add_virtio_drivers(host, disk, image, source)
