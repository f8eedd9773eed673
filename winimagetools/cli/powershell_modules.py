"""PowerShell modules for scripts that were written for the PowerShell tools.

They have the names, functions and parameters such scripts use and hand every call over to
``python -m winimagetools.builder``; :mod:`winimagetools.cli.words` takes it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from winimagetools.cli.output import write
from winimagetools.data import data_path
from winimagetools.errors import RequestError
from winimagetools.ini import write_atomically

PYTHON_RECORD = "python.txt"
"""Beside the modules: the Python that wrote them, which has this package."""
_OURS = b"# winimagetools"


def write_powershell_modules(folder: Path, python: str = sys.executable) -> list[Path]:
    """Write the modules into a folder, which is made when it does not exist.

    Args:
        folder: where scripts import ``WinImageBuilder.psm1`` from.
        python: the Python the modules call.

    Returns:
        The paths of the modules.

    Raises:
        RequestError: a module of somebody else is there, or the folder cannot be written to.
    """
    source = data_path("powershell")
    files = sorted(path for path in source.rglob("*.ps*1") if path.is_file())
    targets = [folder / path.relative_to(source) for path in files]
    for target in targets:
        _check_free(target)
    for path, target in zip(files, targets, strict=True):
        _write(target, path.read_bytes())
    _write(folder / PYTHON_RECORD, python.encode())
    _make_repository(folder)
    return [target for target in targets if target.suffix == ".psm1"]


def _make_repository(folder: Path) -> None:
    """Let ``git -C FOLDER submodule update --init`` succeed, with which such scripts begin.

    It takes a repository, and an empty one is these three names (gitrepository-layout(5)).
    Nothing is made in a folder that is part of a repository already.
    """
    if any((place / ".git").exists() for place in (folder.absolute(), *folder.absolute().parents)):
        return
    for name in ("objects", "refs"):
        (folder / ".git" / name).mkdir(parents=True)
    (folder / ".git/HEAD").write_text("ref: refs/heads/main\n", encoding="ascii", newline="\n")


def _check_free(target: Path) -> None:
    if target.exists() and not target.read_bytes().startswith(_OURS):
        raise RequestError(
            f"{target} is not a module of winimagetools and is not replaced.",
            "Move it away, or give another folder.",
        )


def _write(target: Path, data: bytes) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(
            f"The folder {target.parent} cannot be made: {error.strerror}.", "Give another one."
        ) from error
    write_atomically(target, data)


def powershell_modules(arguments: argparse.Namespace) -> int:
    """``powershell-modules``: prints the path of each module."""
    for path in write_powershell_modules(Path(arguments.folder)):
        write(str(path))
    return 0
