"""What is staged becomes part of the tree of an image: added, replaced, taken away."""

from __future__ import annotations

import struct
from pathlib import Path

from winimagetools.errors import BuildError
from winimagetools.files.upcase import fold
from winimagetools.formats.security_descriptor import inherited_descriptor, private_descriptor
from winimagetools.host.linux.apply.blobs import Unsupported
from winimagetools.host.linux.apply.tree import FOLDER, Inode, Node, Source
from winimagetools.host.linux.apply.with_libwim import BOOT_ATTRIBUTES, KEPT_ATTRIBUTES
from winimagetools.host.staged_tree import Changes, StagedTree

_EPOCH = 116444736000000000
"""1970 in 100 nanoseconds since 1601."""
_NORMAL = 0x80


class Merger:
    """Makes the tree of an image what a staged tree has become; changes it in place.

    Args:
        root: of the image.
        staged: what was staged.

    Attributes:
        bare: how many files and folders of the image have no security descriptor and stay.
    """

    def __init__(self, root: Node, staged: StagedTree) -> None:
        self._root, self._staged = root, staged
        self._known: dict[Node, dict[str, Node]] = {}
        self._new: set[Inode] = set()
        self._without: set[Inode] = set()
        self.bare = 0

    def merge(self, changes: Changes) -> None:
        """Take away, add and replace; what has no descriptor inherits one.

        Args:
            changes: what has to be done.

        Raises:
            Unsupported: libwim has to do it.
            BuildError: the tree and the changes do not fit.
        """
        if self._root.inode.descriptor is None:
            raise Unsupported("its root folder has no security descriptor")
        for path in changes.removed:
            self._remove(path)
        for path in (*changes.folders, *sorted((*changes.added, *changes.replaced))):
            self._add(path, self._staged.local / path)
        self._inherit(self._root)

    def _children(self, folder: Node) -> dict[str, Node]:
        if folder not in self._known:
            self._known[folder] = {
                fold(node.name.decode("utf-16-le", "surrogatepass")): node
                for node in folder.children or ()
            }
        return self._known[folder]

    def _folder(self, path: str) -> Node:
        node = self._root
        for part in filter(None, path.split("/")):
            found = self._children(node).get(fold(part))
            if found is None or found.children is None:
                raise BuildError(f"{path} is no folder of the image.")
            node = found
        return node

    def _remove(self, path: str) -> None:
        above, _, name = path.rpartition("/")
        folder = self._folder(above)
        node = self._children(folder).pop(fold(name), None)
        if node is not None and folder.children is not None:
            folder.children = [each for each in folder.children if each is not node]

    def _add(self, path: str, local: Path) -> None:
        above, _, name = path.rpartition("/")
        folder, is_dir = self._folder(above), local.is_dir()
        old = self._children(folder).get(fold(name))
        inode = _local_inode(local, BOOT_ATTRIBUTES.get(fold(path), 0), is_dir=is_dir)
        if self._staged.is_private(path):
            inode.descriptor = private_descriptor(is_dir=is_dir)
        elif old is not None:
            inode.descriptor = old.inode.descriptor
        if old is not None:
            inode.attributes |= old.inode.attributes & KEPT_ATTRIBUTES
            self._remove(path)
        spelled = old.name if old else name.encode("utf-16-le", "surrogatepass")
        node = Node(spelled, inode, b"", [] if is_dir else None)
        self._new.add(inode)
        if folder.children is not None:
            folder.children.append(node)
        self._children(folder)[fold(name)] = node

    def _inherit(self, folder: Node) -> None:
        given: dict[bool, bytes] = {}
        above = folder.inode.descriptor or b""
        for node in folder.children or ():
            inode = node.inode
            if inode.descriptor is None:
                is_dir = bool(inode.attributes & FOLDER)
                if is_dir not in given:
                    given[is_dir] = inherited_descriptor(above, is_dir=is_dir)
                inode.descriptor = given[is_dir]
                if inode not in self._new:
                    self._without.add(inode)
            self.bare += inode in self._without
            if node.children is not None:
                self._inherit(node)


def _local_inode(local: Path, bits: int, *, is_dir: bool) -> Inode:
    found = local.stat()
    wrote, read = (_EPOCH + time // 100 for time in (found.st_mtime_ns, found.st_atime_ns))
    times = struct.pack("<QQQ", wrote, wrote, read)
    inode = Inode(FOLDER | bits if is_dir else bits or _NORMAL, None, times)
    if not is_dir and found.st_size:
        source: Source = local
        inode.streams.append((b"", source))
    return inode
