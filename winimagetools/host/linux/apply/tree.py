"""The files of an image as one tree, as its metadata have them."""

from __future__ import annotations

import struct
from pathlib import Path

from winimagetools.errors import MediaError
from winimagetools.host.linux.apply.blobs import Blob, Blobs, Unsupported

FOLDER, REPARSE = 0x10, 0x400
_LEFT_OUT = 0x4A00
"""Sparse, compressed, encrypted: left to libwim."""
_NOTHING = bytes(20)
_DENTRY = struct.Struct("<QIiQ16xQQQ20s4xQHHH")
_TIMES = struct.Struct("<QQQ")
_HEAD = 102
_EXTRA = struct.Struct("<Q8x20sH")
_OBJECT_ID = 1
_DEEPEST = 200
Source = Blob | Path
"""A content: of the WIM, or a file of this machine."""


class Inode:
    """What is the same under all names of a file.

    Attributes:
        attributes: Windows file attribute bits.
        descriptor: security descriptor; None where the image has none.
        times: creation, last write, last access, as NTFS has them.
        streams: names and contents that are not empty; the unnamed one has an empty name.
        reparse: tag and reserved field of a reparse point, and its content.
        object_id: 16 bytes, or nothing.
        home: the name that has the short name; None when there is none.
        record: where it was laid out; -1 before.
    """

    __slots__ = (
        "attributes",
        "descriptor",
        "home",
        "object_id",
        "record",
        "reparse",
        "streams",
        "times",
    )

    def __init__(self, attributes: int, descriptor: bytes | None, times: bytes) -> None:
        self.attributes, self.descriptor, self.times = attributes, descriptor, times
        self.streams: list[tuple[bytes, Source]] = []
        self.reparse: tuple[int, int, Blob] | None = None
        self.object_id = b""
        self.home: Node | None = None
        self.record = -1


class Node:
    """A name of a file, or a folder; names of one file share an :class:`Inode`.

    Attributes:
        name: in UTF-16.
        inode: the file.
        short: the name of eight letters and three; may be empty.
        children: what is in a folder; None for files, and for folders that lead elsewhere.
    """

    __slots__ = ("children", "inode", "name", "short")

    def __init__(
        self, name: bytes, inode: Inode, short: bytes = b"", children: list[Node] | None = None
    ) -> None:
        self.name, self.inode, self.short, self.children = name, inode, short, children


class ImageTree:
    """The tree of an image, read from its metadata.

    Args:
        blobs: the WIM.
        index: image index, from 1.

    Raises:
        Unsupported: there is something in it that is left to libwim.
        MediaError: it is damaged.
    """

    def __init__(self, blobs: Blobs, index: int) -> None:
        self._blobs = blobs
        self._groups: dict[int, tuple[Inode, object]] = {}
        try:
            self._data = blobs.whole(blobs.metadata[index - 1])
            self._descriptors = self._read_descriptors()
            length = struct.unpack_from("<I", self._data)[0]
            self.root, start, _ = self._entry(max(8, length + 7 & ~7))
            self.root.children = self._folder(start, 0)
        except (struct.error, IndexError) as error:
            raise MediaError(
                f"The metadata of image {index} in {blobs.path} are damaged."
            ) from error

    def _read_descriptors(self) -> list[bytes]:
        _, count = struct.unpack_from("<II", self._data)
        sizes = struct.unpack_from(f"<{count}Q", self._data, 8)
        at, found = 8 + 8 * count, []
        for size in sizes:
            found.append(self._data[at : at + size])
            at += size
        return found

    def _folder(self, at: int, depth: int) -> list[Node]:
        found: list[Node] = []
        if depth > _DEEPEST:
            raise Unsupported("its folders are too deep")
        while at and int.from_bytes(self._data[at : at + 8], "little") > 8:
            node, start, at = self._entry(at)
            if node.children is not None and start:
                node.children = self._folder(start, depth + 1)
            found.append(node)
        return found

    def _entry(self, at: int) -> tuple[Node, int, int]:
        data = self._data
        (length, bits, security, start, made, read, wrote, digest, link, extra, shorter, longer) = (
            _DENTRY.unpack_from(data, at)
        )
        if bits & _LEFT_OUT:
            raise Unsupported("it has sparse, compressed or encrypted files")
        place = at + _HEAD
        name = data[place : place + longer]
        place += longer + 2 if longer else 0
        short = data[place : place + shorter]
        place = (place + (shorter + 2 if shorter else 0)) + 7 & ~7
        end = at + (length + 7 & ~7)
        inode = Inode(
            bits,
            self._descriptors[security] if security >= 0 else None,
            _TIMES.pack(made, wrote, read),
        )
        if at + length - place >= 8:
            inode.object_id = _object_id(data[place : at + length])
        streams = [(b"", digest)] if digest != _NOTHING else []
        for _ in range(extra):
            size, digest, letters = _EXTRA.unpack_from(data, end)
            label = data[end + 38 : end + 38 + letters]
            if digest != _NOTHING or label:
                streams.append((label, digest))
            end += size + 7 & ~7
        if streams:
            self._add_streams(inode, streams, link)
        if bits & REPARSE:
            if inode.reparse is None:
                raise Unsupported("it has an empty reparse point")
        elif link and not bits & FOLDER:
            inode = self._linked(inode, link)
        is_folder = bits & FOLDER and not bits & REPARSE
        return Node(name, inode, short, [] if is_folder else None), start, end

    def _add_streams(self, inode: Inode, streams: list[tuple[bytes, bytes]], link: int) -> None:
        for label, digest in streams:
            blob = self._blobs.by_hash.get(digest)
            if blob is None:
                if digest != _NOTHING:
                    raise Unsupported("a content is not in it")
                blob = Blob(0, 0, 0, False, b"")
            if label or not inode.attributes & REPARSE:
                if label or blob.size:
                    inode.streams.append((label, blob))
            elif inode.reparse is not None:
                raise Unsupported("it has a reparse point with content of its own")
            else:
                inode.reparse = link & 0xFFFFFFFF, link >> 32 & 0xFFFF, blob

    def _linked(self, inode: Inode, group: int) -> Inode:
        """The file of a group of names, which all have to say the same of it."""
        said = (inode.attributes, inode.descriptor, inode.times, inode.streams, inode.object_id)
        known = self._groups.setdefault(group, (inode, said))
        if known[1] != said:
            raise Unsupported("names of one file differ in what they say of it")
        return known[0]


def _object_id(tagged: bytes) -> bytes:
    tag, length = struct.unpack_from("<II", tagged)
    if tag == _OBJECT_ID and length >= 16 and len(tagged) <= 8 + (length + 7 & ~7) + 7:
        return tagged[8:24]
    if any(tagged):
        raise Unsupported("it has extended attributes or the like")
    return b""


def size_of(source: Source) -> int:
    """Bytes of a content."""
    return source.stat().st_size if isinstance(source, Path) else source.size
