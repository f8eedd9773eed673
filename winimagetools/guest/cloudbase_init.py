r"""Cloudbase-Init: its installer and configuration files, put into \UnattendResources."""

from __future__ import annotations

from pathlib import Path

from winimagetools.errors import RequestError
from winimagetools.facts.architecture import NAMES, require
from winimagetools.guest import layout
from winimagetools.guest.layout import MSI_MAGIC
from winimagetools.model import Architecture
from winimagetools.plan import Download, FileAddition, HostPath

_MAGIC = (MSI_MAGIC,)
DOWNLOADS = "https://www.cloudbase.it/downloads"


def cloudbase_init_source(
    architecture: Architecture, *, beta: bool = False, msi_path: Path | None = None
) -> Path | str:
    """Where the installer comes from: a file of this machine, or a URL.

    Args:
        architecture: of the image.
        beta: the newest build instead of the last release.
        msi_path: the user's own installer; wins over everything else.

    Raises:
        RequestError: none is published for this architecture.
    """
    if msi_path is not None:
        return msi_path
    name = require(
        NAMES[architecture].cloudbase_init,
        architecture,
        "Cloudbase-Init installer to download",
        "Set msi_path to one of your own.",
    )
    release = "" if beta else "_Stable"
    return f"{DOWNLOADS}/CloudbaseInitSetup{release}_{name}.msi"


def cloudbase_init_files(
    architecture: Architecture,
    *,
    beta: bool = False,
    msi_path: Path | None = None,
    config_path: Path | None = None,
    unattended_config_path: Path | None = None,
) -> tuple[FileAddition, ...]:
    """The installer and the user's configuration files.

    Port of ``Download-CloudbaseInit``.

    Args:
        architecture: of the image.
        beta: see :func:`cloudbase_init_source`.
        msi_path: see :func:`cloudbase_init_source`; nothing is downloaded then.
        config_path: replaces ``cloudbase-init.conf`` of the installation.
        unattended_config_path: replaces ``cloudbase-init-unattend.conf``.

    Raises:
        RequestError: no installer is published for this architecture.
    """
    origin = cloudbase_init_source(architecture, beta=beta, msi_path=msi_path)
    configs = (
        (config_path, layout.CLOUDBASE_INIT_CONFIG),
        (unattended_config_path, layout.CLOUDBASE_INIT_UNATTENDED_CONFIG),
    )
    source = HostPath(origin) if isinstance(origin, Path) else Download(origin, magic=_MAGIC)
    return (
        *(FileAddition(target, (HostPath(path),)) for path, target in configs if path),
        FileAddition(layout.CLOUDBASE_INIT, (source,), "Cloudbase-Init"),
    )


def check_msi(path: Path) -> None:
    """Refuse a file that is no Windows installer package.

    Raises:
        RequestError: it does not exist, or is something else.
    """
    try:
        with path.open("rb") as stream:
            begin = stream.read(len(MSI_MAGIC))
    except OSError as error:
        raise RequestError(
            f"The Cloudbase-Init installer {path} cannot be read: {error.strerror}.",
            "Correct msi_path, or leave it empty to download one.",
        ) from error
    if begin != MSI_MAGIC:
        raise RequestError(
            f"{path} is not an MSI package.",
            "It may be an incomplete download or a web page; download it again.",
        )
