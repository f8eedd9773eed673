"""Laying a tree out on a mounted volume: names, descriptors, attributes, times, clusters.

Contents of some size only get their clusters here; somebody else writes them there. Never are
there two structures of one inode, and only the folder that is filled is open.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Callable

from winimagetools.host.linux.apply.blobs import Blob, Blobs, Unsupported
from winimagetools.host.linux.apply.calls import FILE, FOLDER, ROOT_RECORD, Calls, Runs
from winimagetools.host.linux.apply.self_check import LaidOut
from winimagetools.host.linux.apply.tree import Inode, Node, Source, size_of

_SHORT = 1024
"""Bytes of a content that the library writes itself."""
_CORNER, _NAME = 16 * 1024 * 1024, 256
"""Bytes kept free for blocks of indexes before the first content: in all, and for a name."""
_REPARSE = struct.Struct("<IHH")
_ARCHIVE = 0x20
Give = Callable[[Source, int, Runs], None]
"""Hands a content, its bytes and its places to whoever writes it."""


class Layout:
    """Lays a tree out.

    Args:
        calls: the volume.
        blobs: the WIM.
        give: for contents that are written by somebody else.
        table: first cluster of the master file table.
        laid: gets what there is without the root, and where contents are.
        foretell: gets the first cluster and how many there will be, before any content is given.

    Attributes:
        expected: bytes of each content that somebody else writes, by record, by name.
    """

    def __init__(
        self,
        calls: Calls,
        blobs: Blobs,
        give: Give,
        table: int,
        laid: LaidOut,
        foretell: Callable[[int, int], None] = lambda _first, _count: None,
    ) -> None:
        self._calls, self._blobs, self._give, self.laid = calls, blobs, give, laid
        self._foretell = foretell
        self._cluster = laid.cluster
        self._zone = calls.find_zone(table)
        self._corner = self._frontier = 0
        self._security: dict[bytes, int] = {}
        self._links: dict[Node, list[Node]] = defaultdict(list)
        self._short: list[tuple[Node, Node]] = []
        self.expected: dict[int, list[tuple[bytes, int]]] = {}

    @property
    def steered(self) -> bool:
        """Whether contents are laid behind each other."""
        return self._zone is not None

    def lay_out(self, root: Node) -> None:
        """All of it; the folders of the tree are empty afterwards.

        Raises:
            LayoutError: a call failed.
            Unsupported: there is something that libwim has to do.
        """
        self._prepare(root)
        self._fill_root(root)
        stack = [root]
        while stack:
            folder = stack.pop()
            self._fill(folder)
            stack += [node for node in reversed(folder.children or ()) if node.children is not None]
            folder.children = []  # what is laid out makes room for what is remembered of it
        self._add_short_names()  # the library refuses one where a file has two names
        self._add_links()
        self.laid.clear()
        self._short.clear()
        self._links.clear()

    def _prepare(self, root: Node) -> None:
        """Number the descriptors, find the name of each file that has a short one."""
        nodes = [root]
        for node in nodes:
            inode = node.inode
            if inode.descriptor is not None and inode.descriptor not in self._security:
                self._security[inode.descriptor] = self._calls.security_id(inode.descriptor)
            if node.short:
                if inode.home is not None:
                    raise Unsupported("a file has two short names")
                inode.home = node
            if node.children:
                nodes += node.children
        if self._zone is not None:
            corner = max(_CORNER, len(nodes) * _NAME)
            self._corner = self._zone.value
            self._frontier = self._corner + corner // self._cluster
            inodes = {node.inode for node in nodes}
            self._foretell(self._frontier, sum(map(self._clusters, inodes)))

    def _clusters(self, inode: Inode) -> int:
        """How many clusters of contents a file will have that somebody else writes."""
        sizes = [size_of(source) for _, source in inode.streams]
        return sum(-(-size // self._cluster) for size in sizes if size > _SHORT)

    def _fill_root(self, root: Node) -> None:
        root.inode.record = ROOT_RECORD
        inode = self._calls.open(ROOT_RECORD)
        if root.inode.descriptor is not None:
            self._calls.set_security(inode, root.inode.descriptor)
        self._calls.set_attributes(inode, root.inode.attributes)
        self._contents(inode, root.inode)
        self._calls.set_times(inode, root.inode.times, 24, 0)
        self._calls.close(inode)

    def _fill(self, folder: Node) -> None:
        """Make everything in a folder; further names of a file come later."""
        calls, security = self._calls, self._security
        create, set_times, close_in = calls.create, calls.set_times, calls.close_in
        place = calls.open(folder.inode.record)
        if self._zone is not None:
            self._zone.value = self._corner
        for node in folder.children or ():
            inode, name = node.inode, node.name
            if inode.record >= 0 or (inode.home is not None and inode.home is not node):
                self._links[folder].append(node)
                continue
            kind = FOLDER if inode.attributes & 0x10 else FILE
            number = security[inode.descriptor] if inode.descriptor is not None else 0
            made = create(place, number, name, len(name) // 2, kind)
            if not made:
                calls.fail("ntfs_create")
            inode.record = calls.record_of(made)
            if inode.streams or inode.reparse is not None or inode.object_id:
                self._contents(made, inode)
            if inode.attributes != _ARCHIVE:
                calls.set_attributes(made, inode.attributes)
            if set_times(made, inode.times, 24, 0):
                calls.fail("ntfs_inode_set_times")
            if close_in(made, place):
                calls.fail("ntfs_inode_close_in_dir")
            self.laid.files += 1
            self.laid.folders += kind == FOLDER
            if node.short:
                self._short.append((folder, node))
        calls.close(place)

    def _contents(self, made: int, inode: Inode) -> None:
        for name, source in inode.streams:
            size = source.size if isinstance(source, Blob) else size_of(source)
            if size <= _SHORT:
                self._calls.put(made, name, self._read(source))
            else:
                self._reserve(made, inode.record, name, source, size)
        if inode.reparse is not None:
            tag, reserved, blob = inode.reparse
            data = self._read(blob)
            self._calls.set_reparse_data(made, _REPARSE.pack(tag, len(data), reserved) + data)
        if inode.object_id:
            self._calls.set_object_id(made, inode.object_id)

    def _read(self, source: Source) -> bytes:
        return self._blobs.whole(source) if isinstance(source, Blob) else source.read_bytes()

    def _reserve(self, made: int, record: int, name: bytes, source: Source, size: int) -> None:
        zone = self._zone
        if zone is None:
            runs = self._calls.reserve(made, name, size)
        else:
            zone.value = self._frontier
            runs = self._calls.reserve(made, name, size)
            self._frontier = runs[-1][0] + runs[-1][1]
            zone.value = self._corner
        self.expected.setdefault(record, []).append((name, size))
        self.laid.give(runs)
        self._give(source, size, runs)

    def _add_links(self) -> None:
        """More names of files, folder by folder; their copies are written when none is open."""
        for folder, nodes in self._links.items():
            place = self._calls.open(folder.inode.record)
            opened: dict[int, int] = {}
            for node in nodes:
                record = node.inode.record
                if record not in opened:
                    opened[record] = self._calls.open(record)
                self._calls.link(opened[record], place, node.name)
            self._calls.close(place)
            for made in opened.values():
                self._calls.close(made)

    def _add_short_names(self) -> None:
        changed: dict[Inode, None] = {}
        for folder, node in self._short:
            name = node.short.decode("utf-16-le").encode()
            place = self._calls.open(folder.inode.record)
            self._calls.set_short_name(self._calls.open(node.inode.record), place, name)
            changed[folder.inode] = None
        for inode in changed:
            place = self._calls.open(inode.record)
            self._calls.set_times(place, inode.times, 24, 0)
            self._calls.close(place)
