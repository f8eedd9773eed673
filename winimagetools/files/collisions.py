"""An image must not be written over, or into, what it is made of.

Files are compared as the system knows them, so it does not matter whether an input has
another name, is a link or a hard link, or is written with other letters on a file system
that does not tell them apart.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from winimagetools.files.build_folder import build_folder_of

_SPLIT = ".swm"


@dataclass(frozen=True)
class Input:
    """Something an image is made of.

    Args:
        option: the option that names it; empty for the configuration itself.
        path: a file, or a folder whose content is copied.
    """

    option: str
    path: Path


@dataclass(frozen=True)
class Collision:
    """An input that a build would overwrite or copy into itself.

    Args:
        option: the option that names the input.
        message: what is wrong with the target, as a whole sentence.
        hint: what to do.
    """

    option: str
    message: str
    hint: str = "Let image_path name another file."


def collisions(target: Path, inputs: Iterable[Input]) -> tuple[Collision, ...]:
    """The inputs that ``target`` must not be put over or into.

    Args:
        target: the final name of the image; it need not exist.
        inputs: what is read; what does not exist is left out.
    """
    found = ((item, _collision(target, item.path)) for item in inputs)
    return tuple(
        Collision(item.option, f"{target} {what}, which {_source(item)}.")
        for item, what in found
        if what
    )


def _source(item: Input) -> str:
    return f"{item.option} names" if item.option else "is read by this build"


def _collision(target: Path, path: Path) -> str:
    """What the target is to an input, completing "the target ..."; empty for nothing."""
    if _is_same(target, path):
        return f"is the same {'folder' if path.is_dir() else 'file'} as {path}"
    if _lies_in(path, build_folder_of(target)):
        return f"is built in the folder of {path}"
    if path.is_dir():
        if _lies_in(target, path):
            return f"lies in {path}"
        return f"is a file of {path}" if _holds(path, target) else ""
    if any(_is_same(target, part) for part in _parts(path)):
        return f"is a part of {path}"
    return ""


def _is_same(one: Path, other: Path) -> bool:
    """Whether two names mean one file; a file that does not exist has its path only."""
    try:
        return one.samefile(other)
    except OSError:
        return _resolved(one) == _resolved(other) and os.path.lexists(other)


def _resolved(path: Path) -> Path:
    """A path with the links in its folders resolved, and not one that is the file itself."""
    try:
        return path.absolute().parent.resolve() / path.name
    except (OSError, RuntimeError):
        return path.absolute()


def _lies_in(path: Path, folder: Path) -> bool:
    """Whether a path leads through a folder, by whatever name."""
    return any(_is_same(parent, folder) for parent in _resolved(path).parents)


def _parts(path: Path) -> Iterator[Path]:
    """The other parts of a split WIM: ``install2.swm`` beside ``install.swm``."""
    if path.suffix.casefold() != _SPLIT or not path.is_file():
        return
    stem = path.stem.casefold()
    for other in path.parent.iterdir():
        number = other.stem.casefold().removeprefix(stem)
        if other.suffix.casefold() == _SPLIT and number.isdecimal():
            yield other


def _holds(folder: Path, target: Path) -> bool:
    """Whether a folder has a link to the target, as the content of links is copied."""
    try:
        wanted = target.stat()
    except OSError:
        return False
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                if os.path.samestat((Path(root) / name).stat(), wanted):
                    return True
            except OSError:
                continue
    return False
