r"""How virtio drivers lie on their ISO, and which folders are for which Windows.

Three shapes are known; names are compared without regard to case:

* ``viostor/w10/amd64``: every ISO since 2015; the RPM has it below ``drivers/by-driver``.
* ``WIN7/AMD64``: everything for one Windows in one folder; ISOs before February 2015.
* ``by-os/amd64/w10``: the RPM's second tree. The ``amd64/w10`` in the root of newer ISOs,
  which Windows Setup looks into, repeats two drivers of the first shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from winimagetools.facts.architecture import NAMES
from winimagetools.facts.releases import WINDOWS_8_1, release_of
from winimagetools.image.drivers.index import file_name, folder_of
from winimagetools.model import Architecture, WindowsVersion

_ARCHITECTURES = {
    **{names.virtio.casefold(): item for item, names in NAMES.items() if names.virtio},
    "i386": Architecture.X86,
    "x64": Architecture.AMD64,
}
"""The folder names of today's ISOs, and two that Setup's tree and older ISOs use."""
_OLD_NAMES = {"vista": "2k8", "wlh": "2k8", "wnet": "2k3", "winxp": "xp"}
"""Folders of the ISOs before 2015, as what they are called since."""
_WINDOWS = re.compile(r"xp|w\d+(\.\d)?|2k\d+(r2)?")
_LONG_CLIENT = re.compile(r"win(\d{1,2}(\.\d)?)")
_LONG_SERVER = re.compile(r"win20(\d\d)(r2)?")


def folder_chain(version: WindowsVersion, *, server: bool) -> tuple[str, ...]:
    """The folders for a Windows, best first; empty before Vista.

    Args:
        version: its build decides.
        server: whether it is a server edition.
    """
    release = release_of(version, server=server)
    return release.virtio if release else ()


def last_resort(*, server: bool) -> tuple[str, ...]:
    """The folders to try when those of the chain hold nothing at all.

    The PowerShell tools take what is for 8.1 and 2012 R2 then.
    """
    return folder_chain(WINDOWS_8_1, server=server)


@dataclass(frozen=True)
class VirtioFolder:
    """A folder with drivers for one Windows and architecture.

    Args:
        path: in the source.
        driver: name of the driver in the letter case of the source.
        windows: folder name such as ``w10``, in lower case and today's spelling.
        infs: the INF files in it that belong to this driver.
    """

    path: str
    driver: str
    windows: str
    architecture: Architecture
    infs: tuple[str, ...]


def find_folders(infs: Iterable[str]) -> tuple[VirtioFolder, ...]:
    """Sort the INF files of a source into virtio folders; what is none is left out.

    Folders that only repeat others are left out too, so a driver is never added twice.
    """
    by_folder: dict[str, list[str]] = {}
    for path in infs:
        by_folder.setdefault(folder_of(path), []).append(path)
    named: list[VirtioFolder] = []
    flat: list[VirtioFolder] = []
    for path, found in by_folder.items():
        named += _named(path, found)
        flat += _flat(path, found)
    return tuple(named or flat)


def _named(path: str, infs: list[str]) -> list[VirtioFolder]:
    """``.../driver/os/arch``: the whole folder is one driver."""
    parts = path.split("/")
    if len(parts) < 3:
        return []
    driver, windows, machine = parts[-3:]
    architecture = _ARCHITECTURES.get(machine.casefold())
    name = _windows_name(windows)
    if architecture is None or not name:
        return []
    return [VirtioFolder(path, driver, name, architecture, tuple(infs))]


def _flat(path: str, infs: list[str]) -> list[VirtioFolder]:
    """``os/arch`` or ``arch/os``: every INF in the folder is a driver."""
    first, second = ["", *path.split("/")][-2:]
    if first.casefold() in _ARCHITECTURES:
        first, second = second, first
    architecture = _ARCHITECTURES.get(second.casefold())
    windows = _windows_name(first)
    if architecture is None or not windows:
        return []
    names = ((inf, file_name(inf)[: -len(".inf")]) for inf in infs)
    return [VirtioFolder(path, name, windows, architecture, (inf,)) for inf, name in names]


def _windows_name(folder: str) -> str:
    """``Win2012R2``, ``2k12R2`` → ``2k12r2``; empty when it is not the name of a Windows."""
    name = folder.casefold()
    if name in _OLD_NAMES:
        return _OLD_NAMES[name]
    if match := _LONG_SERVER.fullmatch(name):
        return f"2k{int(match[1])}{match[2] or ''}"
    if match := _LONG_CLIENT.fullmatch(name):
        return f"w{match[1]}"
    return name if _WINDOWS.fullmatch(name) else ""
