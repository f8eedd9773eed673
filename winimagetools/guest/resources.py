r"""What goes into \UnattendResources and \curtin, besides what is downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from winimagetools import log
from winimagetools.contract import WindowsTree
from winimagetools.data import data_path
from winimagetools.errors import RequestError
from winimagetools.guest.layout import RESOURCES

CUSTOM_RESOURCES = rf"{RESOURCES}\CustomResources"
CUSTOM_SCRIPTS = rf"{RESOURCES}\CustomScripts"
VMWARE_TOOLS = rf"{RESOURCES}\VMware-tools.exe"
GUEST_CONFIG = rf"{RESOURCES}\config.ini"
CURTIN = "curtin"
"""Folder in the root of the volume where curtin looks for hooks."""
HOOKS_FOLDER = "windows-curtin-hooks"
"""Name of the repository whose hooks the PowerShell tools install."""


def copy_unattend_resources(
    tree: WindowsTree,
    *,
    install_maas_hooks: bool = False,
    curtin_source: Path | None = None,
    vmware_tools: Path | None = None,
) -> None:
    """Put the guest scripts into the image, and what MAAS and VMware need.

    The PowerShell tools fail without the windows-curtin-hooks submodule; here hooks of this
    project are used then. Port of ``Copy-UnattendResources``.

    Args:
        tree: the image.
        install_maas_hooks: whether MAAS is to deploy the image.
        curtin_source: the user's hooks, see :func:`find_curtin_hooks`; None for ours.
        vmware_tools: installer of VMware Tools.

    Raises:
        RequestError: a file or folder does not exist.
    """
    tree.copy_in(data_path("guest"), RESOURCES)
    if install_maas_hooks:
        hooks = curtin_source or data_path("curtin")
        _check(hooks, folder=True, option="install_maas_hooks")
        log.info(f"MAAS hooks: {hooks if curtin_source else 'those of this project'}")
        tree.copy_in(hooks, CURTIN)
    if vmware_tools is not None:
        _check(vmware_tools, folder=False, option="vmware_tools_path")
        tree.copy_in(vmware_tools, VMWARE_TOOLS)


def find_curtin_hooks(folder: Path) -> Path | None:
    """The user's hooks beside a configuration file: ``windows-curtin-hooks/curtin``.

    A ``windows-curtin-hooks`` that itself holds ``finalize`` or ``curtin-hooks`` counts too.
    None when there are none.
    """
    repository = folder / HOOKS_FOLDER
    for candidate in (repository / CURTIN, repository):
        if any((candidate / name).is_file() for name in ("finalize", "curtin-hooks")):
            return candidate
    return None


def copy_custom_resources(
    tree: WindowsTree, resources: Sequence[Path] = (), scripts: Sequence[Path] = ()
) -> None:
    """Put the content of the user's folders into the image, later ones over earlier ones.

    Port of ``Copy-CustomResources``.

    Args:
        tree: the image.
        resources: folders for ``CustomResources``.
        scripts: folders with hook scripts for ``CustomScripts``.

    Raises:
        RequestError: a folder does not exist.
    """
    for folders, target, option in (
        (resources, CUSTOM_RESOURCES, "custom_resources_path"),
        (scripts, CUSTOM_SCRIPTS, "custom_scripts_path"),
    ):
        for folder in folders:
            _check(folder, folder=True, option=option)
        for folder in folders:
            tree.copy_in(folder, target)


def write_guest_config(tree: WindowsTree, text: str) -> None:
    """Put ``config.ini`` for the guest scripts into the image, as UTF-8 with CRLF.

    Port of ``Generate-ConfigFile``, which writes the values of a table; here they come as text.

    Args:
        tree: the image.
        text: the configuration without secrets that the guest does not need.
    """
    lines = "".join(f"{line}\r\n" for line in text.splitlines())
    tree.write_bytes(GUEST_CONFIG, lines.encode("utf-8"))


def _check(path: Path, *, folder: bool, option: str) -> None:
    if path.is_dir() if folder else path.is_file():
        return
    kind = "folder" if folder else "file"
    problem = f"is not a {kind}" if path.exists() else "does not exist"
    raise RequestError(f"The {kind} {path} {problem}.", f"Correct {option}.")
