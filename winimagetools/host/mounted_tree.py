r"""Windows file trees on this host: names, copying, and the folder-backed tree.

NTFS compares names without regard to case; most file systems of a Linux host do not. What
is shared here keeps one spelling per name, refuses names that Windows cannot hold, and
never leaves the tree: no ``..``, no drive letters, no links that lead outside.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from winimagetools.errors import BuildError
from winimagetools.files.names import split_file, split_path
from winimagetools.files.source_folder import source_is_dir, walk_source
from winimagetools.files.space import room_for
from winimagetools.files.upcase import fold
from winimagetools.files.whole import read_whole


def copy_data(source: Path, destination: Path) -> None:
    """Copy the content of a file; one that exists keeps its security descriptor.

    Raises:
        DiskFullError: no room left.
    """
    with room_for(destination):
        shutil.copyfile(source, destination)


def names_in(folder: Path) -> dict[str, str]:
    """The names in a folder of this host by folded name; empty when it is no folder."""
    if not folder.is_dir():
        return {}
    return {fold(item.name): item.name for item in folder.iterdir()}


_OTHER_NAME = "Give the file another name, or take an image of Windows that has nothing there."


class MountedTree:
    """A Windows volume that is a folder of this host: a drive, a mount or a test folder.

    Links that lead out of the folder are treated as if they were not there: on a mounted
    volume ``Documents and Settings`` is a junction to a path of the *running* system.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._real_root = os.path.realpath(root)

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder."""
        return self._find(path) is not None

    def is_dir(self, path: str) -> bool:
        """Whether there is a folder."""
        found = self._find(path)
        return found is not None and found.is_dir()

    def list_dir(self, path: str) -> Sequence[str]:
        """Names in a folder, sorted; empty when there is no such folder."""
        found = self._find(path)
        return sorted(names_in(found).values()) if found is not None else []

    def read_bytes(self, path: str) -> bytes:
        """Content of a file. Raises FileNotFoundError, and MediaError beyond all reason."""
        return read_whole(self._file(path), path)

    def write_bytes(self, path: str, data: bytes) -> None:
        """Create a file and its folders, or change the content of one that exists."""
        target = self._target(path)
        with room_for(target):
            target.write_bytes(data)

    def copy_in(self, source: Path, path: str) -> None:
        """Copy a file to exactly ``path``, or the content of a folder into ``path``."""
        if not source_is_dir(source):
            copy_data(source, self._target(path))
            return
        folders = {"": self._folder(split_path(path))}
        known = {"": names_in(folders[""])}
        for relative, item in walk_source(source):
            above, _, name = relative.rpartition("/")
            target = folders[above] / known[above].get(fold(name), name)
            if source_is_dir(item):
                folders[relative] = self._make_folder(target)
                known[relative] = names_in(target)
            else:
                copy_data(item, self._writable(target))

    def remove(self, path: str) -> None:
        """Remove a file or a whole folder; nothing happens when there is none."""
        split_file(path)
        found = self._find(path)
        if found is None:
            return
        if found.is_dir():
            shutil.rmtree(found)
        else:
            found.unlink()

    @contextmanager
    def edit(self, path: str) -> Iterator[Path]:
        """A copy to work on; its content goes back into the file on a clean exit.

        The file itself stays, and with it its security descriptor.
        """
        original = self._file(path)
        with tempfile.TemporaryDirectory(prefix="winimagetools-") as folder:
            copy = Path(folder) / original.name
            copy_data(original, copy)
            yield copy
            copy_data(copy, original)

    def _find(self, path: str) -> Path | None:
        current = self.root
        for part in split_path(path):
            child = _child(current, part)
            if child is None or not self._inside(child):
                return None
            current = child
        return current

    def _file(self, path: str) -> Path:
        found = self._find(path)
        if found is None or not found.is_file():
            raise FileNotFoundError(f"There is no file {path} in {self.root}.")
        return found

    def _target(self, path: str) -> Path:
        *above, name = split_file(path)
        folder = self._folder(above)
        return self._writable(_child(folder, name) or folder / name)

    def _folder(self, parts: Sequence[str]) -> Path:
        current = self.root
        for part in parts:
            current = self._make_folder(_child(current, part) or current / part)
        return current

    def _make_folder(self, path: Path) -> Path:
        if not self._inside(path) or (path.exists() and not path.is_dir()):
            raise BuildError(f"{path} is in the way: it is a file or leads elsewhere.", _OTHER_NAME)
        with room_for(path):
            path.mkdir(exist_ok=True)
        return path

    def _writable(self, path: Path) -> Path:
        if not self._inside(path) or path.is_dir():
            raise BuildError(
                f"{path} cannot be written: it is a folder or leads elsewhere.", _OTHER_NAME
            )
        return path

    def _inside(self, path: Path) -> bool:
        return Path(os.path.realpath(path)).is_relative_to(self._real_root)


def _child(folder: Path, name: str) -> Path | None:
    """The entry of ``folder`` that Windows would call ``name``."""
    exact = folder / name
    if os.path.lexists(exact):
        return exact
    other = names_in(folder).get(fold(name))
    return folder / other if other is not None else None
