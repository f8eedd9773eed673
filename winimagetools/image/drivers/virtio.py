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

from winimagetools import log
from winimagetools.contract import Disk, Host
from winimagetools.errors import HostError, MediaError, Problem
from winimagetools.formats.inf.target import Target
from winimagetools.image.drivers.index import (
    DriverIndex,
    describe_folder,
    file_name,
    folder_of,
    join_names,
)
from winimagetools.image.drivers.plan import LeftOut, describe_plan, plan_infs, unreadable
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
_STORAGE = ("vioscsi", "viostor")
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
    """The drivers for an image, by name, and what was found of the others."""

    choices: tuple[VirtioChoice, ...]
    left_out: LeftOut


def virtio_sources(iso: Path | None, base: Path | None) -> tuple[Path, ...]:
    """The ISOs and folders with virtio drivers that a configuration names, each once.

    ``virtio_base_path`` may be an ISO too; that never takes the place of ``virtio_iso_path``.
    Whatever is looked for on virtio media, the guest agent too, is looked for in all of them.

    Args:
        iso: ``virtio_iso_path``.
        base: ``virtio_base_path``.
    """
    found: list[Path] = []
    for path in (iso, base):
        if path is not None and not any(_is_same(path, known) for known in found):
            found.append(path)
    return tuple(found)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one == other or one.samefile(other)
    except OSError:
        return False


def select_virtio_drivers(index: DriverIndex, image: ImageInfo) -> VirtioSelection:
    """Choose for each driver the folder that is closest to an image and has an INF for it.

    The PowerShell tools look for a list of eleven drivers; here every driver of the source
    counts, so that those added since (viofs, viogpudo, fwcfg, viomem, viosock) are not
    forgotten. They take the drivers of 8.1 and 2012 R2 when they find none at all; so does
    this, where their INF files allow it. Port of ``Get-VirtIODrivers``.

    Raises:
        MediaError: nothing fits; the message lists what there is.
    """
    folders = find_folders(index.infs)
    mine = [item for item in folders if item.architecture is image.architecture]
    server = image.is_server
    search = _Search(index, Target.of(image))
    choices = search.choose(mine, folder_chain(image.version, server=server))
    if not choices and not search.problems:
        choices = search.choose(mine, last_resort(server=server))
        if choices:
            search.warnings.append(
                "Nothing is there for this Windows: drivers of an older one are used."
            )
    if not choices and not search.problems:
        raise _nothing_fits(index, folders, image)
    return VirtioSelection(tuple(_without_stub(choices)), search.left_out())


class _Search:
    """A search for the best folder of each driver, and what it meets on the way."""

    def __init__(self, index: DriverIndex, target: Target) -> None:
        self._index = index
        self._target = target
        self.problems: list[Problem] = []
        self.warnings: list[str] = []
        self.notes: list[str] = []

    def left_out(self) -> LeftOut:
        """What was met."""
        return LeftOut(tuple(self.problems), tuple(self.warnings), tuple(self.notes))

    def choose(self, folders: Iterable[VirtioFolder], chain: Sequence[str]) -> list[VirtioChoice]:
        """For each driver the first folder of ``chain`` that has an INF for the target."""
        by_driver: dict[str, list[VirtioFolder]] = {}
        for item in folders:
            if item.windows in chain:
                by_driver.setdefault(item.driver.casefold(), []).append(item)
        found: list[VirtioChoice] = []
        for name, candidates in sorted(by_driver.items()):
            candidates.sort(key=lambda item: (chain.index(item.windows), item.path))
            choice = next(filter(None, map(self._try_folder, candidates)), None)
            if choice is not None:
                found.append(choice)
            elif name in _STORAGE:
                self.warnings.append(
                    f"Nothing of {name} is used: where the disk is a device of that driver, "
                    "Windows does not start."
                )
        return found

    def _try_folder(self, folder: VirtioFolder) -> VirtioChoice | None:
        infs = tuple(path for path in folder.infs if self._fits(path))
        if not infs:
            return None
        version = self._index.read(infs[0]).version
        return VirtioChoice(folder.driver, folder.windows, folder.path, version, infs)

    def _fits(self, path: str) -> bool:
        if file_name(path).casefold() in _SKIPPED:
            return False
        try:
            fits = self._index.read(path).supports(self._target)
        except MediaError as error:
            self._cannot_read(path, error)
            return False
        if not fits:
            self.notes.append(f"{path} was left out: by its own word it is for another Windows.")
        return fits

    def _cannot_read(self, path: str, error: MediaError) -> None:
        if self._index.may_be_storage(path):
            self.problems.append(unreadable(path, error))
        else:
            self.warnings.append(f"{path} was left out. {error.message}")


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
        places = dict.fromkeys(describe_folder(folder_of(path)) for path in index.infs)
        found = join_names(list(places))
        hint += f"; INF files are in: {found}." if found else ", and no INF file at all."
        return MediaError(
            message,
            f"{hint} Give the ISO itself, or a folder with its content as it is; for any other "
            "folder of drivers use drivers_path.",
        )
    by_architecture: dict[str, dict[str, None]] = {}
    for item in folders:
        by_architecture.setdefault(item.architecture, {})[item.windows] = None
    lists = (f"{name}: {', '.join(sorted(found))}" for name, found in by_architecture.items())
    return MediaError(message, f"It has drivers for {'; '.join(sorted(lists))}.")


def plan_virtio_drivers(source: SourceTree, image: ImageInfo) -> DriverPlan:
    """Choose the virtio drivers for an image and plan what is done with them.

    Raises:
        MediaError: nothing fits, Windows could not start with one of them, or one lacks
            files.
    """
    index = DriverIndex(source)
    selection = select_virtio_drivers(index, image)
    infs = [path for choice in selection.choices for path in choice.infs]
    return plan_infs(index, infs, image, selection.left_out)


def add_virtio_drivers(host: Host, disk: Disk, image: ImageInfo, source: SourceTree) -> None:
    """Add the virtio drivers of a folder or an opened ISO to an attached volume.

    Port of ``Add-VirtIODrivers``.

    Raises:
        MediaError: nothing fits, or Windows could not start with one of them.
        HostError: this host cannot service an image that does not run.
    """
    if host.offline is None:
        raise HostError(f"Drivers cannot be added to an attached volume on {host.name}.")
    plan = plan_virtio_drivers(source, image)
    for line in describe_plan(plan):
        log.info(line)
    host.offline.add_drivers(disk, plan)


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
