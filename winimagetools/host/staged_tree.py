r"""The Windows volume of a build on Linux: an overlay folder above an image in a WIM.

Nothing is written to a disk until the end. Reading falls through to the image, editing
copies up first, removing leaves a mark. Names are kept as the image spells them. The
overlay belongs to the build; whoever made its folder removes it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from winimagetools.errors import BuildError
from winimagetools.files.names import split_file, split_path
from winimagetools.files.source_folder import source_is_dir, walk_source
from winimagetools.files.space import room_for
from winimagetools.files.upcase import fold
from winimagetools.files.whole import read_whole
from winimagetools.host.mounted_tree import copy_data, names_in

PRIVATE = ("UnattendResources", "Unattend.xml", "Windows/Panther/unattend.xml")
"""Paths that hold passwords or run as administrator: for SYSTEM and Administrators only."""

_Parts = tuple[str, ...]


@dataclass(frozen=True)
class LayerItem:
    """One name in a folder of the image below; ``is_link`` for reparse points."""

    name: str
    is_dir: bool
    is_link: bool = False


class Layer(Protocol):
    """An image below the overlay. Paths use ``/``; the root is the empty string."""

    def children(self, folder: str) -> Sequence[LayerItem]:
        """What is in a folder; nothing when there is no such folder."""

    def extract(self, path: str, destination: Path) -> None:
        """Extract a file or a folder as ``destination``, which does not exist yet."""

    def close(self) -> None:
        """Free what the layer holds."""


@dataclass(frozen=True)
class Changes:
    """What the overlay does to the image; ``/``-separated paths, parents first.

    Args:
        folders: folders the image does not have.
        added: files the image does not have.
        replaced: files the image has too.
        removed: files and folders of the image that go away.
    """

    folders: tuple[str, ...]
    added: tuple[str, ...]
    replaced: tuple[str, ...]
    removed: tuple[str, ...]


class StagedTree:
    """A WindowsTree whose changes are gathered in a folder of this host.

    Args:
        local: the overlay folder; made when it is missing.
        private: paths only SYSTEM and Administrators may read, folders with all they hold.
    """

    def __init__(self, local: Path, private: Sequence[str] = PRIVATE) -> None:
        self.local = local
        self.private = tuple(private)
        self._layer: Layer | None = None
        self._listings: dict[_Parts, dict[str, LayerItem]] = {}
        self._removed: dict[_Parts, str] = {}
        local.mkdir(parents=True, exist_ok=True)

    def attach(self, layer: Layer) -> None:
        """Put ``layer`` below; names staged before take the spelling of the image.

        Raises:
            BuildError: a file was staged where the image has a folder, or the reverse.
        """
        self.detach()
        self._layer = layer
        self._respell(())

    def detach(self) -> None:
        """Close the layer below, if there is one, and forget what it holds."""
        if self._layer is not None:
            self._layer.close()
        self._layer = None
        self._listings.clear()

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder."""
        return self._kind(self._spell(split_path(path))) is not None

    def is_dir(self, path: str) -> bool:
        """Whether there is a folder."""
        return self._kind(self._spell(split_path(path))) == "folder"

    def list_dir(self, path: str) -> Sequence[str]:
        """Names in a folder, sorted; empty when there is no such folder."""
        parts = self._spell(split_path(path))
        if self._kind(parts) != "folder":
            return []
        return sorted(self._names(parts).values())

    def read_bytes(self, path: str) -> bytes:
        """Content of a file. Raises FileNotFoundError, and MediaError beyond all reason."""
        with self._readable(path) as file:
            return read_whole(file, path)

    def write_bytes(self, path: str, data: bytes) -> None:
        """Create or replace a file, and its folders."""
        target = self._target(split_file(path))
        with room_for(target):
            target.write_bytes(data)

    def copy_in(self, source: Path, path: str) -> None:
        """Copy a file to exactly ``path``, or the *content* of a folder into ``path``."""
        if not source_is_dir(source):
            copy_data(source, self._target(split_file(path)))
            return
        base = self._spell(split_path(path))
        self._make_folder(base)
        folders = {"": base}
        known = {"": self._names(base)}
        for relative, item in walk_source(source):
            above, _, name = relative.rpartition("/")
            parts = (*folders[above], known[above].get(fold(name), name))
            if source_is_dir(item):
                self._make_folder(parts)
                folders[relative], known[relative] = parts, self._names(parts)
            else:
                copy_data(item, self._claim(parts))

    def copy_out(self, path: str, destination: Path) -> None:
        """Copy a file to exactly ``destination``, or the content of a folder into it.

        Raises:
            FileNotFoundError: there is nothing at ``path``.
        """
        split_file(path)
        if not self.is_dir(path):
            with self._readable(path) as file:
                copy_data(file, destination)
            return
        parts = self._spell(split_path(path))
        destination.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=destination, prefix=".copy-") as folder:
            whole = Path(folder) / "whole"
            if self._below(parts):
                self._extract(parts, whole)
            source = whole if whole.exists() else None
            self._merge_out(parts, source, destination)

    def remove(self, path: str) -> None:
        """Remove a file or a whole folder; nothing happens when there is none."""
        parts = self._spell(split_file(path))
        local = self._local(parts)
        if local.is_dir():
            shutil.rmtree(local)
        elif local.exists():
            local.unlink()
        if self._below(parts):
            key = _key(parts)
            for inner in [mark for mark in self._removed if mark[: len(key)] == key]:
                del self._removed[inner]
            self._removed[key] = "/".join(parts)

    @contextmanager
    def edit(self, path: str) -> Iterator[Path]:
        """A copy to work on that replaces the file on a clean exit.

        Raises:
            FileNotFoundError: there is no such file.
        """
        parts = self._spell(split_file(path))
        with self._readable(path) as original, _beside(self.local) as folder:
            copy = folder / parts[-1]
            copy_data(original, copy)
            yield copy
            copy.replace(self._target(parts))

    def is_private(self, path: str) -> bool:
        """Whether ``path`` is one of, or below one of, the private paths."""
        key = _key(split_path(path))
        marks = (_key(split_path(mark)) for mark in self.private)
        return any(key[: len(mark)] == mark for mark in marks)

    def changes(self) -> Changes:
        """What has to be done to the image so that it becomes this tree."""
        folders: list[str] = []
        added: list[str] = []
        replaced: list[str] = []
        for relative, item in walk_source(self.local):
            below = self._below(tuple(relative.split("/")))
            if item.is_dir():
                if below is None:
                    folders.append(relative)
            else:
                (added if below is None else replaced).append(relative)
        removed = tuple(sorted(self._removed.values()))
        return Changes(tuple(folders), tuple(added), tuple(replaced), removed)

    def _local(self, parts: Sequence[str]) -> Path:
        return self.local.joinpath(*parts)

    def _names(self, folder: _Parts) -> dict[str, str]:
        """All names in ``folder``, staged and below, by folded name."""
        key = _key(folder)
        below = {
            name: entry.name
            for name, entry in self._listing(folder).items()
            if (*key, name) not in self._removed
        }
        return names_in(self._local(folder)) | below

    def _listing(self, folder: _Parts) -> dict[str, LayerItem]:
        """What the image has in ``folder``, by folded name; nothing when it was removed."""
        key = _key(folder)
        if self._layer is None or any(key[: len(mark)] == mark for mark in self._removed):
            return {}
        if key not in self._listings:
            found = self._layer.children("/".join(folder))
            self._listings[key] = {fold(entry.name): entry for entry in found}
        return self._listings[key]

    def _below(self, parts: _Parts) -> LayerItem | None:
        if not parts:
            return LayerItem("", is_dir=True) if self._layer is not None else None
        if _key(parts) in self._removed:
            return None
        return self._listing(parts[:-1]).get(fold(parts[-1]))

    def _kind(self, parts: _Parts) -> str | None:
        local = self._local(parts)
        if local.exists():
            return "folder" if local.is_dir() else "file"
        below = self._below(parts)
        if below is None:
            return None
        return "folder" if below.is_dir else "file"

    def _spell(self, parts: Sequence[str]) -> _Parts:
        """``parts`` as the image spells them, or else the overlay, or else as given."""
        spelled: _Parts = ()
        for part in parts:
            spelled = (*spelled, self._spell_name(spelled, part))
        return spelled

    def _spell_name(self, folder: _Parts, name: str) -> str:
        below = self._below((*folder, name))
        if below is not None:
            return below.name
        if os.path.lexists(self._local((*folder, name))):
            return name
        return names_in(self._local(folder)).get(fold(name), name)

    def _respell(self, folder: _Parts) -> None:
        for name in names_in(self._local(folder)).values():
            below = self._below((*folder, name))
            local = self._local((*folder, name))
            if below is not None:
                if below.is_dir != local.is_dir():
                    raise BuildError(
                        f"{'/'.join((*folder, name))} was added to the image, "
                        f"which has a {'folder' if below.is_dir else 'file'} of that name."
                    )
                local = local.rename(local.with_name(below.name))
            if local.is_dir():
                self._respell((*folder, local.name))

    def _make_folder(self, parts: _Parts) -> Path:
        for depth in range(1, len(parts) + 1):
            if self._kind(parts[:depth]) == "file":
                raise BuildError(f"{'/'.join(parts[:depth])} is a file, not a folder.")
        local = self._local(parts)
        with room_for(local):
            local.mkdir(parents=True, exist_ok=True)
        return local

    def _target(self, parts: Sequence[str]) -> Path:
        return self._claim(self._spell(parts))

    def _claim(self, parts: _Parts) -> Path:
        """Where the file ``parts`` (spelled already) goes in the overlay; makes its folder."""
        if self._kind(parts) == "folder":
            raise BuildError(f"{'/'.join(parts)} is a folder and cannot become a file.")
        return self._make_folder(parts[:-1]) / parts[-1]

    @contextmanager
    def _readable(self, path: str) -> Iterator[Path]:
        parts = self._spell(split_path(path))
        if self._kind(parts) != "file":
            raise FileNotFoundError(f"There is no file {path} in the Windows volume.")
        local = self._local(parts)
        if local.exists():
            yield local
            return
        with _beside(self.local) as folder:
            self._extract(parts, folder / "content")
            yield folder / "content"

    def _extract(self, parts: _Parts, destination: Path) -> None:
        below = self._below(parts)
        if self._layer is None or below is None or below.is_link:
            raise FileNotFoundError(f"{'/'.join(parts)} is no plain file or folder of the image.")
        self._layer.extract("/".join(parts), destination)

    def _merge_out(self, folder: _Parts, extracted: Path | None, destination: Path) -> None:
        """Move what was extracted of ``folder`` and copy what is staged into ``destination``."""
        for name in self.list_dir("/".join(folder)):
            parts, target = (*folder, name), destination / name
            staged = self._local(parts)
            taken = extracted / name if extracted is not None else None
            if self._kind(parts) == "folder":
                target.mkdir(exist_ok=True)
                self._merge_out(parts, taken, target)
            elif staged.exists():
                copy_data(staged, target)
            elif taken is not None and taken.is_file() and not taken.is_symlink():
                shutil.move(taken, target)


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A private temporary folder on the file system of ``folder``, but outside of it."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".edit-") as temporary:
        yield Path(temporary)


def _key(parts: Sequence[str]) -> _Parts:
    return tuple(fold(part) for part in parts)
