"""PowerShell modules for scripts that were written for the PowerShell tools.

They have the names, functions and parameters such scripts use and hand every call over to
``python -m winimagetools.builder``. This module writes them out and owns the Python end of
how values travel: each word of the command line as Base64 of its UTF-8 bytes, joined by
commas in an environment variable, because Windows PowerShell 5 damages quotes in the
arguments of programs.
"""

from __future__ import annotations

import base64
import binascii
import sys
from collections.abc import MutableMapping, Sequence
from pathlib import Path

from winimagetools.data import data_path
from winimagetools.errors import RequestError
from winimagetools.ini import write_atomically

ARGUMENTS_OPTION = "--arguments-from-env"
"""First word of a command line whose other words are in the environment variable it names."""
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


def expand_arguments(words: Sequence[str], environment: MutableMapping[str, str]) -> list[str]:
    """The words of a command line, taken from the environment where the first one says so.

    The variable is removed: programs that are started later do not see what was in it.

    Args:
        words: the command line.
        environment: variables of this process.

    Raises:
        RequestError: there is no such variable, or it does not hold what the modules write.
    """
    if list(words[:1]) != [ARGUMENTS_OPTION]:
        return list(words)
    name = words[1] if len(words) > 1 else ""
    if name not in environment:
        raise RequestError(
            f"{ARGUMENTS_OPTION} names {name!r}, which is no environment variable.",
            "It is meant for the PowerShell modules only.",
        )
    value = environment.pop(name)
    try:
        return [base64.b64decode(word, validate=True).decode() for word in value.split(",")]
    except (binascii.Error, UnicodeDecodeError) as error:
        raise RequestError(
            f"The environment variable {name} does not hold a command line: {error}.",
            "Write the PowerShell modules again with: winimagetools powershell-modules FOLDER",
        ) from error
