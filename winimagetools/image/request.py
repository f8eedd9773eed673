"""A configuration, read as a request: words checked, paths found, everything typed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from winimagetools.image.delivery import Output
from winimagetools.model import DiskLayout, ImageType
from winimagetools.settings.options import WindowsImageConfig


class Workflow(Enum):
    """The four ways to use a configuration, named after the reference's functions."""

    CLOUD = "New-WindowsCloudImage"
    ONLINE = "New-WindowsOnlineImage"
    GOLDEN = "New-WindowsFromGoldenImage"
    TEST = "Test-OfflineWindowsImage"


@dataclass(frozen=True)
class Request:
    """What a configuration asks for, once preflight has nothing to say against it.

    Paths are absolute and exist; None or empty where the option is not set. ``wim`` and
    ``golden`` are set in the workflows that start from them.

    Args:
        config: where the remaining plain options are read from.
        wim: installation medium: WIM, ESD, first SWM part or ISO.
        golden: finished disk to start from.
        virtio_iso: ISO with virtio drivers; also one given as ``virtio_base_path``.
        virtio_folder: folder with virtio drivers.
        drivers: folder with other drivers.
        unattend: the user's own answer file template; None for the one of this project.
    """

    config: WindowsImageConfig
    workflow: Workflow
    layout: DiskLayout
    image_type: ImageType
    output: Output
    wim: Path = Path()
    golden: Path = Path()
    virtio_iso: Path | None = None
    virtio_folder: Path | None = None
    drivers: Path | None = None
    unattend: Path | None = None
    custom_resources: tuple[Path, ...] = ()
    custom_scripts: tuple[Path, ...] = ()
    packages: tuple[Path, ...] = ()
    vmware_tools: Path | None = None
    wallpaper: Path | None = None
    msi: Path | None = None
    cloudbase_init_config: Path | None = None
    cloudbase_init_unattended_config: Path | None = None


def split_list(text: str) -> tuple[str, ...]:
    """Items of a comma separated option, trimmed, empty ones dropped."""
    return tuple(item.strip() for item in text.split(",") if item.strip())
