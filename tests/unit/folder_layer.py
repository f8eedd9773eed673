"""A lower layer for staged trees that is a plain folder instead of an image in a WIM."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from winimagetools.host.staged_tree import LayerItem


class FolderLayer:
    """Shows ``folder``; ``extracted`` lists what was taken out of it, ``closed`` the end."""

    def __init__(self, folder: Path, links: Sequence[str] = ()) -> None:
        self.folder = folder
        self.links = links
        self.extracted: list[str] = []
        self.closed = False

    def children(self, folder: str) -> Sequence[LayerItem]:
        """What is in a folder, spelled as the layer spells it and not otherwise."""
        path = self.folder / folder
        if not path.is_dir():
            return ()
        return [
            LayerItem(item.name, item.is_dir(), f"{folder}/{item.name}".lstrip("/") in self.links)
            for item in path.iterdir()
        ]

    def extract(self, path: str, destination: Path) -> None:
        """Copy a file or folder to a place that does not exist yet."""
        assert not destination.exists()
        self.extracted.append(path)
        source = self.folder / path
        if source.is_dir():
            shutil.copytree(source, destination)
        else:
            shutil.copyfile(source, destination)

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True
