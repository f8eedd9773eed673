r"""Cloudbase-Init: its installer and configuration files, put into \UnattendResources."""

from __future__ import annotations

from pathlib import Path

from winimagetools import log
from winimagetools.contract import Fetcher, WindowsTree
from winimagetools.errors import RequestError
from winimagetools.facts.architecture import NAMES, require
from winimagetools.guest.layout import MSI_MAGIC, RESOURCES
from winimagetools.model import Architecture

INSTALLER = rf"{RESOURCES}\CloudbaseInit.msi"
CONFIG = rf"{RESOURCES}\cloudbase-init.conf"
UNATTENDED_CONFIG = rf"{RESOURCES}\cloudbase-init-unattend.conf"
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


def download_cloudbase_init(
    tree: WindowsTree,
    fetcher: Fetcher,
    architecture: Architecture,
    *,
    beta: bool = False,
    msi_path: Path | None = None,
    config_path: Path | None = None,
    unattended_config_path: Path | None = None,
) -> None:
    """Put the installer and the user's configuration files into the image.

    Port of ``Download-CloudbaseInit``.

    Args:
        tree: the image.
        fetcher: the network; not used with ``msi_path``.
        architecture: of the image.
        beta: see :func:`cloudbase_init_source`.
        msi_path: see :func:`cloudbase_init_source`.
        config_path: replaces ``cloudbase-init.conf`` of the installation.
        unattended_config_path: replaces ``cloudbase-init-unattend.conf``.

    Raises:
        RequestError: a file is missing or is no installer.
        DownloadError: the download failed.
    """
    source = cloudbase_init_source(architecture, beta=beta, msi_path=msi_path)
    _put_config(tree, config_path, CONFIG, "cloudbase_init_config_path")
    _put_config(
        tree, unattended_config_path, UNATTENDED_CONFIG, "cloudbase_init_unattended_config_path"
    )
    log.info(f"Cloudbase-Init: {source}")
    if isinstance(source, Path):
        check_msi(source)
        tree.copy_in(source, INSTALLER)
    else:
        tree.copy_in(fetcher.fetch(source, magic=(MSI_MAGIC,)), INSTALLER)


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


def _put_config(tree: WindowsTree, path: Path | None, target: str, option: str) -> None:
    if path is None:
        return
    if not path.is_file():
        raise RequestError(
            f"The Cloudbase-Init configuration {path} does not exist.", f"Correct {option}."
        )
    tree.copy_in(path, target)
