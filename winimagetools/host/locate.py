"""Finding the installation medium a configuration names; the same on every host."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from winimagetools.errors import MediaError
from winimagetools.paths import is_windows_path


def locate_media(text: str, resolve: Callable[[str], Path]) -> Path:
    """Find the installation medium a configuration names.

    A name without a folder is looked for in ``PATH`` too, as the reference does.

    Args:
        text: ``wim_file_path`` of the configuration.
        resolve: makes an absolute path of a relative one.

    Raises:
        MediaError: there is no such file, or the path is one of Windows and this is not.
    """
    if not text.strip():
        raise MediaError("No installation medium is given.", "Set wim_file_path.")
    path = resolve(text)
    if path.exists():
        return path
    if is_windows_path(text) and not Path(text).drive:
        raise MediaError(
            f"{text} is a path of Windows, which this machine does not have.",
            "Give the path of the ISO or WIM on this machine, such as /srv/iso/windows.iso.",
        )
    if Path(text).name != text:
        raise MediaError(f"{path} does not exist.", "Check the path and its letter case.")
    if "\\" in text:
        raise MediaError(f"{path} does not exist.", "Write the path with / instead of \\.")
    return _in_path(text, path)


def _in_path(name: str, here: Path) -> Path:
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        found = Path(folder) / name
        if folder and found.is_file():
            return found
    raise MediaError(
        f"{here} does not exist, and no folder of PATH has {name}.",
        "Give the full path of the ISO or WIM.",
    )
