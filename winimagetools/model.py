"""Frozen records and closed sets of words that all parts of the project share."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


class DiskLayout(StrEnum):
    """How firmware starts the disk: ``disk_layout`` of the configuration."""

    BIOS = "BIOS"
    UEFI = "UEFI"


class ApplyEngine(StrEnum):
    """What writes the files of an image on Linux: ``apply_engine`` of the configuration."""

    AUTO = "auto"
    PARALLEL = "parallel"
    LIBWIM = "libwim"


class ImageType(StrEnum):
    """The platform an image is for: ``image_type`` of the configuration."""

    MAAS = "MAAS"
    KVM = "KVM"
    VMWARE = "VMware"
    HYPER_V = "HYPER-V"


class AgentSource(StrEnum):
    """Where the QEMU guest agent comes from: ``source`` of the configuration."""

    WEB = "web"
    ISO = "iso"
    AUTO = "auto"


class DiskFormat(StrEnum):
    """Disk image containers: ``virtual_disk_format`` of the configuration."""

    RAW = "RAW"
    QCOW2 = "QCOW2"
    VHD = "VHD"
    VHDX = "VHDX"
    VMDK = "VMDK"

    @property
    def extension(self) -> str:
        """File name extension without the dot, such as ``qcow2``."""
        return self.value.lower()

    @property
    def qemu_name(self) -> str:
        """The name ``qemu-img`` uses; VHD is called ``vpc`` there (qemu-img(1))."""
        return "vpc" if self is DiskFormat.VHD else self.extension


class Architecture(StrEnum):
    """Processor architectures, named as in an unattend file."""

    X86 = "x86"
    AMD64 = "amd64"
    ARM = "arm"
    ARM64 = "arm64"
    IA64 = "ia64"


@dataclass(frozen=True, order=True)
class WindowsVersion:
    """A Windows version: ``10.0.20348.587``.

    Args:
        major, minor, build: as Windows reports them.
        revision: service pack build (``SPBUILD`` of a WIM), 0 when unknown.
    """

    major: int
    minor: int
    build: int = 0
    revision: int = 0

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.build}.{self.revision}"

    @classmethod
    def parse(cls, text: str) -> WindowsVersion:
        """Read ``6.3.9600`` or ``10.0.20348.587``.

        Raises:
            ValueError: the text does not start with two to four numbers.
        """
        match = re.match(r"\s*(\d+)\.(\d+)(?:\.(\d+))?(?:\.(\d+))?", text)
        if match is None:
            raise ValueError(f"{text!r} is not a Windows version such as 10.0.20348.587")
        return cls(*(int(part) for part in match.groups() if part is not None))


@dataclass(frozen=True)
class WimImage:
    """One edition inside a WIM file: the fields of the PowerShell tools' ``WimImage`` class.

    Args:
        index: image index inside the WIM, starting at 1.
        name: ``/IMAGE/NAME``, what ``image_name`` of the configuration must equal.
        size: ``TOTALBYTES``, bytes of file data, a file with several names counted for each.
        hard_link_bytes: ``HARDLINKBYTES``, how much of that is counted again; a third of a
            real Windows.
        installation_type: ``Client``, ``Server``, ``Server Core`` and so on.
        modified: ``LASTMODIFICATIONTIME``, a FILETIME; 0 where the medium does not tell.
    """

    index: int
    name: str
    architecture: Architecture
    version: WindowsVersion
    installation_type: str = ""
    edition_id: str = ""
    flags: str = ""
    product_type: str = ""
    description: str = ""
    display_name: str = ""
    display_description: str = ""
    size: int = 0
    hard_link_bytes: int = 0
    default_language: str = ""
    languages: tuple[str, ...] = field(default=())
    modified: int = 0

    @property
    def disk_bytes(self) -> int:
        """Bytes of file data on a disk: each file once, whatever number of names it has."""
        return self.size - self.hard_link_bytes

    @property
    def is_server(self) -> bool:
        """Whether this is a server edition."""
        return is_server_type(self.installation_type)


def is_server_type(installation_type: str) -> bool:
    """Whether an installation type is one of a server.

    Port of ``Is-ServerInstallationType``: ``Server`` and ``Server Core``. Server Core
    App and Nano Server are servers too; the PowerShell tools did not know them.
    """
    return installation_type.casefold().startswith(("server", "nano server"))


@dataclass(frozen=True)
class OtherImage:
    """An image that is not an installation of Windows and so cannot be chosen.

    Args:
        index: image index inside the WIM, starting at 1.
        name: its name, may be empty.
        reason: why it cannot be chosen, completing "because it ...".
    """

    index: int
    name: str
    reason: str
