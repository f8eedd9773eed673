"""Folders of this host that are copied into an image: everything in them, and what cannot be."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from winimagetools.errors import BuildError, Problem
from winimagetools.files.names import NAME_HINT, name_fault
from winimagetools.files.upcase import fold

_SHOWN = 20
"""Problems in one message; a folder of another system may have thousands."""
_Above = tuple[str, ...]
"""The real paths of the folders above one, to see links that lead back."""


def walk_source(source: Path) -> Iterator[tuple[str, Path]]:
    """Every folder and file below the host folder ``source``, parents first.

    Yields paths relative to ``source`` with ``/``, and the host paths. Links are followed.

    Raises:
        BuildError: something in it cannot be copied; names everything, see
            :func:`source_problems`.
    """
    walk = _Walk(source)
    if walk.problems:
        raise BuildError(_message(source, walk.problems), _hint(walk.problems))
    yield from walk.entries


def source_problems(source: Path) -> tuple[Problem, ...]:
    """Everything that keeps a file or folder of this host from being copied into an image.

    Names Windows cannot hold, names that differ in letter case only, links that lead nowhere
    or round in a circle, what is neither file nor folder, and what may not be read. Nothing
    is changed.
    """
    return tuple(_Walk(source).problems)


def source_is_dir(path: Path) -> bool:
    """Whether a host path is a folder rather than a plain file, links followed.

    Raises:
        BuildError: it is neither, or does not exist.
    """
    kind = _kind(path)
    if isinstance(kind, Problem):
        raise BuildError(kind.message, kind.hint)
    return kind


MOST_ENTRIES = 100_000
"""Files and folders that one folder may bring; a whole Windows has about as many."""


class _Walk:
    """One look at everything below a folder: what there is, and what is wrong with it."""

    def __init__(self, source: Path) -> None:
        self.entries: list[tuple[str, Path]] = []
        self.problems: list[Problem] = []
        self._waiting: list[tuple[Path, str, _Above]] = []
        if self._is_dir(source):
            self._open(source, "", (os.path.realpath(source),))
        while self._waiting and len(self.entries) < MOST_ENTRIES:
            self._enter(*self._waiting.pop())
        if self._waiting:
            self._add(
                f"{_shown(source)} has more than {MOST_ENTRIES} files and folders; that is more "
                "than anybody puts into an image.",
                "Name the folder with the files you want in the image.",
            )

    def _is_dir(self, path: Path) -> bool:
        kind = _kind(path)
        if isinstance(kind, Problem):
            self.problems.append(kind)
            return False
        return kind

    def _open(self, folder: Path, prefix: str, above: _Above) -> None:
        """Look at the names in a folder, and let them be entered in their order."""
        try:
            paths = sorted(folder.iterdir())
        except OSError as error:
            self._add(f"{_shown(folder)} cannot be read: {error.strerror}.", "Check its rights.")
            return
        seen: dict[str, str] = {}
        for path in paths:
            self._check_name(path, seen)
        self._waiting += [(path, prefix + path.name, above) for path in reversed(paths)]

    def _check_name(self, path: Path, seen: dict[str, str]) -> None:
        fault = name_fault(path.name)
        if fault:
            self._add(
                f"{_shown(path)} cannot be put into a Windows volume: its name {path.name!r} "
                f"{fault}.",
                NAME_HINT,
            )
        twin = seen.setdefault(fold(path.name), path.name)
        if twin != path.name:
            self._add(
                f"{_shown(path.parent)} has both {twin!r} and {path.name!r}, which are one name "
                "for Windows.",
                "Rename or remove one of them.",
            )

    def _enter(self, path: Path, relative: str, above: _Above) -> None:
        self.entries.append((relative, path))
        if not self._is_dir(path):
            return
        real = os.path.realpath(path)
        if real in above:
            self._add(f"The link {_shown(path)} leads back to a folder above it.", "Remove it.")
            return
        self._open(path, relative + "/", (*above, real))

    def _add(self, message: str, hint: str) -> None:
        self.problems.append(Problem(message, hint))


def _kind(path: Path) -> bool | Problem:
    """Whether it is a folder; a problem when it is neither folder nor file that can be read."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if path.is_symlink():
            return Problem(
                f"The link {_shown(path)} leads nowhere: {error.strerror}.",
                "Remove it, or put there what it should lead to.",
            )
        return Problem(f"{_shown(path)} cannot be copied: {error.strerror}.", "Check the path.")
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        return Problem(
            f"{_shown(path)} is neither a file nor a folder and cannot be copied.", "Remove it."
        )
    if not os.access(path, os.R_OK):
        return Problem(f"{_shown(path)} may not be read by this user.", "Check its rights.")
    return stat.S_ISDIR(mode)


def _shown(path: Path) -> str:
    """A path for a message; control characters never reach a terminal."""
    text = str(path)
    return text if text.isprintable() else repr(text)


def _message(source: Path, problems: list[Problem]) -> str:
    if len(problems) == 1:
        return problems[0].message
    lines = "".join(f"\n  - {problem.message}" for problem in problems[:_SHOWN])
    more = len(problems) - _SHOWN
    rest = f"\n  - and {more} more" if more > 0 else ""
    return f"{_shown(source)} cannot be copied into an image:{lines}{rest}"


def _hint(problems: list[Problem]) -> str:
    return " ".join(dict.fromkeys(problem.hint for problem in problems[:_SHOWN]))
