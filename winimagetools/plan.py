"""Records of what was decided: plain data that ``image`` makes and a host carries out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from winimagetools.model import (
    Architecture,
    DiskFormat,
    DiskLayout,
    WimImage,
    WindowsVersion,
    is_server_type,
)


class SourceTree(Protocol):
    """Files that only are read: the content of an ISO, or a folder of the host.

    Paths are relative, ``/``-separated, in the letter case the medium has; look-ups
    ignore case.
    """

    @property
    def name(self) -> str:
        """What to call it in messages: the path of the ISO or folder."""

    def files(self) -> Sequence[str]:
        """Paths of all files, sorted, directories excluded."""

    def find(self, path: str) -> str | None:
        """The path as the medium spells it, or None when there is no such file."""

    def size(self, path: str) -> int:
        """Size of a file in bytes. Raises MediaError when there is none."""

    def read_bytes(self, path: str) -> bytes:
        """Content of a file. Raises MediaError when it cannot be read."""

    def copy_out(self, path: str, destination: Path) -> None:
        """Stream a file into ``destination`` on the host. Raises MediaError, DiskFullError."""

    def local_folder(self, path: str) -> Path | None:
        """The folder as a path of the host, or None when files must be copied out first."""


@dataclass(frozen=True)
class DriverFile:
    """A boot-start driver binary and where it goes: ``source`` path in the SourceTree."""

    source: str
    destination: str


@dataclass(frozen=True)
class RegistryValue:
    """One value to write.

    Args:
        name: value name; empty for the default value of the key.
        kind: ``REG_SZ``, ``REG_EXPAND_SZ``, ``REG_MULTI_SZ``, ``REG_DWORD``, ``REG_QWORD``,
            ``REG_BINARY`` or ``REG_NONE``.
        data: text, texts, number or bytes, as the kind asks for.
    """

    name: str
    kind: str
    data: str | int | bytes | tuple[str, ...]


@dataclass(frozen=True)
class RegistryEdit:
    r"""A key to create and the values to set in it; ``hive`` such as ``SYSTEM``.

    Args:
        hive: file name below ``Windows\System32\config``.
        key: path below the root of the hive. ``CurrentControlSet`` as first part means
            the control set that ``Select\Current`` names.
        values: values to set; others in the key stay as they are.
    """

    hive: str
    key: str
    values: tuple[RegistryValue, ...] = ()


@dataclass(frozen=True)
class DriverPackage:
    """One INF and the files it needs, as chosen for an image.

    Args:
        inf: path of the INF in the source.
        name: short name for messages and folders, such as ``viostor``.
        version: ``DriverVer`` version text, may be empty.
        files: paths in the source, the INF and catalog included.
        boot_critical: whether Windows needs it to reach its own disk.
        devices: hardware and compatible ids of the devices it is for, as the INF has them.
    """

    inf: str
    name: str
    version: str
    files: tuple[str, ...]
    boot_critical: bool = False
    devices: tuple[str, ...] = ()


@dataclass(frozen=True)
class DriverPlan:
    r"""Drivers that were chosen for an image and what that means, before anything is done.

    Args:
        source: where the files are.
        folders: folders of the source, as ``DISM /Add-Driver /recurse`` takes them.
        packages: the same drivers one by one.
        boot_files: binaries of boot-critical drivers for ``System32\drivers``.
        registry: edits that make Windows load those at boot.
        notes: what was left out and why, one sentence each.
        warnings: what may keep the image from working, one sentence each.
        uefi_warnings: the same, but only where the disk starts with UEFI firmware.
    """

    source: SourceTree
    folders: tuple[str, ...] = ()
    packages: tuple[DriverPackage, ...] = ()
    boot_files: tuple[DriverFile, ...] = ()
    registry: tuple[RegistryEdit, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    uefi_warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImageInfo:
    """What the drivers and downloads need to know of an installed Windows.

    Port of the record that ``Get-ImageInformation`` returns.
    """

    version: WindowsVersion
    architecture: Architecture
    installation_type: str

    @classmethod
    def of(cls, image: WimImage) -> ImageInfo:
        """What an edition will be once it is installed."""
        return cls(image.version, image.architecture, image.installation_type)

    @property
    def is_server(self) -> bool:
        """Whether this is a server edition."""
        return is_server_type(self.installation_type)


@dataclass(frozen=True)
class VmRequest:
    """A virtual machine that runs the first boot until it powers off; sizes in bytes."""

    name: str
    disk: Path
    memory: int
    cpu_count: int
    switch: str
    generation: int
    disable_secure_boot: bool = False


@dataclass(frozen=True)
class InstalledDriver:
    """A third-party driver found in an image: its published name and its provider."""

    published_name: str
    provider: str


@dataclass(frozen=True)
class Requirements:
    """What a request needs of a host, so that missing tools are told before the first step.

    Args:
        layout: how firmware starts the disk.
        formats: containers to convert to.
        existing_disk: a finished disk is opened, not a new one made.
        vm: Windows is started in a virtual machine.
    """

    layout: DiskLayout
    formats: tuple[DiskFormat, ...] = ()
    existing_disk: bool = False
    vm: bool = False
