"""A configuration, read as a request: words checked, paths found, everything typed."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from winimagetools.model import MIB, DiskLayout, ImageType
from winimagetools.plan import AddPackage, Delivery, VmRequest


class Workflow(Enum):
    """The ways to use a configuration; four named after the functions of the PowerShell tools."""

    CLOUD = "New-WindowsCloudImage"
    ONLINE = "New-WindowsOnlineImage"
    GOLDEN = "New-WindowsFromGoldenImage"
    TEST = "Test-OfflineWindowsImage"
    CONVERT = "convert"


@dataclass(frozen=True)
class DriverPaths:
    """Where drivers come from; None where the option is not set.

    Args:
        virtio_iso: ISO with virtio drivers; also one given as ``virtio_base_path``.
        virtio_folder: folder with virtio drivers.
        folder: folder with other drivers.
    """

    virtio_iso: Path | None = None
    virtio_folder: Path | None = None
    folder: Path | None = None


@dataclass(frozen=True)
class AgentOptions:
    """Whether and from where the QEMU guest agent is installed, as the options say it."""

    install: str = "False"
    source: str = "web"
    url: str = ""
    checksum: str = ""


@dataclass(frozen=True)
class CloudbaseInitOptions:
    """Cloudbase-Init: the beta instead of the release, and files of the user."""

    beta: bool = False
    msi: Path | None = None
    config: Path | None = None
    unattended_config: Path | None = None


@dataclass(frozen=True)
class WallpaperOptions:
    """The desktop background: a picture of the user, a colour, or that of this project."""

    enabled: bool = True
    picture: Path | None = None
    solid_color: str = ""


@dataclass(frozen=True)
class ServicingOptions:
    """What is added to Windows itself."""

    features: tuple[str, ...] = ()
    packages: tuple[AddPackage, ...] = ()
    capabilities: tuple[str, ...] = ()
    clean_updates: bool = False
    purge_updates: bool = False


@dataclass(frozen=True)
class Request:
    """What a configuration asks for, once preflight has nothing to say against it.

    Paths are absolute and exist; None or empty where the option is not set. ``wim`` and
    ``golden`` are set in the workflows that start from them.

    Args:
        wim: installation medium: WIM, ESD, first SWM part or ISO.
        edition: ``image_name``: the edition of the medium, or of the golden image.
        golden: finished disk to start from.
        disk_size: bytes.
        unattend: the user's own answer file template; None for the one of this project.
        product_key: a key, the word for a public one, or empty.
        guest_config: text of the ``config.ini`` for the scripts in the guest.
        hooks: the user's own curtin hooks; None for those of this project.
        machine: the virtual machine of the online stage; None when Windows is not started.
        boot_authority: ``auto``, ``2011`` or ``2023``.
    """

    workflow: Workflow
    layout: DiskLayout
    image_type: ImageType
    delivery: Delivery
    disk_size: int
    edition: str = ""
    wim: Path = Path()
    golden: Path = Path()
    unattend: Path | None = None
    product_key: str = field(default="", repr=False)
    administrator_password: str = field(default="", repr=False)
    guest_config: str = field(default="", repr=False)
    drivers: DriverPaths = DriverPaths()
    agent: AgentOptions = AgentOptions()
    cloudbase_init: CloudbaseInitOptions = CloudbaseInitOptions()
    wallpaper: WallpaperOptions = WallpaperOptions()
    servicing: ServicingOptions = ServicingOptions()
    custom_resources: tuple[Path, ...] = ()
    custom_scripts: tuple[Path, ...] = ()
    vmware_tools: Path | None = None
    install_maas_hooks: bool = False
    hooks: Path | None = None
    zero_unused_sectors: bool = False
    machine: VmRequest | None = None
    shrink: bool = False
    boot_authority: str = "auto"

    @property
    def whole_disk_size(self) -> int:
        """Bytes a disk that is there gets: whole MiB."""
        return self.disk_size - self.disk_size % MIB


def split_list(text: str) -> tuple[str, ...]:
    """Items of a comma separated option, trimmed, empty ones dropped."""
    return tuple(item.strip() for item in text.split(",") if item.strip())
