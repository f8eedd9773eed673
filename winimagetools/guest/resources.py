r"""What goes into \UnattendResources and \curtin, besides what is downloaded."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from winimagetools.data import data_path
from winimagetools.guest import layout
from winimagetools.plan import Content, FileAddition, HostPath

HOOKS = (
    "RunBeforeWindowsUpdates.ps1",
    "RunAfterWindowsUpdates.ps1",
    "RunBeforeCloudbaseInitInstall.ps1",
    "RunAfterCloudbaseInitInstall.ps1",
    "RunBeforeSysprep.ps1",
    "RunAfterSysprep.ps1",
)
"""The scripts of the user that the guest runs, in this order."""
HOOKS_FOLDER = "windows-curtin-hooks"
"""Name of the repository whose hooks the PowerShell tools install."""


def unattend_resources(
    *,
    install_maas_hooks: bool = False,
    curtin_source: Path | None = None,
    vmware_tools: Path | None = None,
) -> tuple[FileAddition, ...]:
    """The guest scripts, and what MAAS and VMware need.

    The PowerShell tools fail without the windows-curtin-hooks submodule; here hooks of this
    project are used then. Port of ``Copy-UnattendResources``.

    Args:
        install_maas_hooks: whether MAAS is to deploy the image.
        curtin_source: the user's hooks, see :func:`find_curtin_hooks`; None for ours.
        vmware_tools: installer of VMware Tools.
    """
    additions = [FileAddition(layout.RESOURCES, (HostPath(data_path("guest")),))]
    if install_maas_hooks:
        hooks = HostPath(curtin_source or data_path("curtin"))
        additions.append(FileAddition(layout.CURTIN, (hooks,), "MAAS hooks"))
    if vmware_tools is not None:
        additions.append(FileAddition(layout.VMWARE_TOOLS, (HostPath(vmware_tools),)))
    return tuple(additions)


def find_curtin_hooks(folder: Path) -> Path | None:
    """The user's hooks beside a configuration file, or in the clone it lies in.

    ``windows-curtin-hooks/curtin``, or a ``windows-curtin-hooks`` that itself holds the hooks,
    beside the file or in an ``UnattendResources`` there or one folder above: where the
    PowerShell tools have their submodule. None when there are none.
    """
    for place in (folder, folder / layout.RESOURCES, folder.parent / layout.RESOURCES):
        repository = place / HOOKS_FOLDER
        for candidate in (repository / layout.CURTIN, repository):
            if any((candidate / name).is_file() for name in ("finalize", "curtin-hooks")):
                return candidate
    return None


def misnamed_hooks(folder: Path) -> list[tuple[str, str]]:
    """Scripts whose names are nearly one of a hook, and the name that was meant.

    Other files may lie beside the hooks; only what looks like one of the six is told.
    """
    known = {name.casefold(): name for name in HOOKS}
    names = [path.name for path in sorted(folder.iterdir()) if path.is_file()]
    nearly = (
        (name, difflib.get_close_matches(name.casefold(), known, n=1, cutoff=0.85))
        for name in names
        if name.casefold() not in known and name.casefold().endswith(".ps1")
    )
    return [(name, known[match[0]]) for name, match in nearly if match]


def custom_resources(
    resources: Sequence[Path] = (), scripts: Sequence[Path] = ()
) -> tuple[FileAddition, ...]:
    """The content of the user's folders, later ones over earlier ones.

    Port of ``Copy-CustomResources``.

    Args:
        resources: folders for ``CustomResources``.
        scripts: folders with hook scripts for ``CustomScripts``.
    """
    return tuple(
        FileAddition(target, (HostPath(folder),))
        for folders, target in (
            (resources, layout.CUSTOM_RESOURCES),
            (scripts, layout.CUSTOM_SCRIPTS),
        )
        for folder in folders
    )


def guest_config(text: str) -> FileAddition:
    """``config.ini`` for the guest scripts, as UTF-8 with CRLF.

    Port of ``Generate-ConfigFile``, which writes the values of a table; here they come as text.

    Args:
        text: the configuration without secrets that the guest does not need.
    """
    lines = "".join(f"{line}\r\n" for line in text.splitlines())
    return FileAddition(layout.GUEST_CONFIG, (Content(lines.encode("utf-8")),))
