"""Contents in a WIM: where they are, how they are packed, and reading them.

The format is that of [MS-WIM] "Windows Imaging File Format"; libwim only unpacks chunks. A
:class:`Blobs` is used by one process; workers open their own.
"""

from __future__ import annotations

import ctypes
import hashlib
import mmap
import os
import struct
from ctypes import c_int, c_size_t, c_void_p
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from winimagetools.errors import MediaError
from winimagetools.host.linux import libwim

_HEADER = struct.Struct("<8xIIIIxxxxxxxxxxxxxxxxHHI")
_ENTRY = struct.Struct("<QQQHI20s")
_WORD56 = (1 << 56) - 1
_METADATA, _PACKED, _SOLID = 0x02, 0x04, 0x10
_COMPRESSED = 0x2
_KINDS = {0x20000: 1, 0x40000: 2, 0x200000: 1}
"""XPRESS and LZX, as header flags and as libwim numbers them; others are left to libwim."""
_VERSION = 0x10D00
_LARGE = 1 << 32
_WINDOW = 1 << 20
"""Bytes that are read at once."""


class Unsupported(Exception):
    """Something that this engine leaves to libwim, as a clause for the log."""


class Blob(NamedTuple):
    """A content of the WIM."""

    offset: int
    stored: int
    size: int
    packed: bool
    sha1: bytes


class Buffer:
    """Memory at a known address, a whole number of pages.

    Args:
        size: bytes.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.view = memoryview(mmap.mmap(-1, size))
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.view))


class Blobs:
    """An open WIM that is not split and not solid.

    Args:
        path: the WIM.
        inside: the file that holds the WIM, and where in there it begins; None when it is
            ``path``, which otherwise only is what to call it.
        table: whether to read what is in it; a worker is told.

    Raises:
        Unsupported: it is one that only libwim reads.
        MediaError: it is damaged.
    """

    def __init__(
        self, path: Path, inside: tuple[Path, int] | None = None, *, table: bool = True
    ) -> None:
        self.path = path
        holder, self._begin = inside or (path, 0)
        self.descriptor = os.open(holder, os.O_RDONLY | os.O_CLOEXEC)
        head = os.pread(self.descriptor, 208, self._begin)
        if len(head) < 208 or head[:8] != b"MSWIM\0\0\0":
            raise Unsupported("it is not an ordinary WIM")
        _, version, flags, self.chunk, _, parts, _ = _HEADER.unpack_from(head)
        if version != _VERSION or parts != 1:
            raise Unsupported("it is solid or split")
        self._kind = next((kind for bit, kind in _KINDS.items() if flags & bit), 0)
        if bool(flags & _COMPRESSED) != bool(self._kind):
            raise Unsupported("it is packed in a way only libwim knows")
        self.chunk = self.chunk if self._kind else _WINDOW
        if not 4096 <= self.chunk <= _WINDOW or self.chunk & self.chunk - 1:
            raise Unsupported("its chunks have an unusual size")
        self._library = libwim.load().handle
        self._unpacker = self._make_unpacker() if self._kind else c_void_p()
        self._packed = Buffer(_WINDOW)
        self._window = range(0)
        self._row_end = 0
        self._known: tuple[Blob, list[int]] | None = None
        self.metadata: list[Blob] = []
        self.by_hash: dict[bytes, Blob] = {}
        if table:
            self._read_table(*struct.unpack_from("<QQQ", head, 48))

    def _make_unpacker(self) -> c_void_p:
        library, unpacker = self._library, c_void_p()
        library.wimlib_create_decompressor.argtypes = (c_int, c_size_t, c_void_p)
        self._decompress = library.wimlib_decompress
        self._decompress.argtypes = (c_void_p, c_size_t, c_void_p, c_size_t, c_void_p)
        if library.wimlib_create_decompressor(self._kind, self.chunk, ctypes.byref(unpacker)):
            raise Unsupported("libwim does not unpack it piece by piece")
        return unpacker

    def _read_table(self, word: int, offset: int, size: int) -> None:
        table = self.whole(Blob(offset, word & _WORD56, size, bool(word >> 56 & _PACKED), b""))
        for stored, at, length, part, _, digest in _ENTRY.iter_unpack(
            table[: len(table) // 50 * 50]
        ):
            flags = stored >> 56
            if flags & _SOLID or part != 1:
                raise Unsupported("it is solid or split")
            blob = Blob(at, stored & _WORD56, length, bool(flags & _PACKED), digest)
            if flags & _METADATA:
                self.metadata.append(blob)
            else:
                self.by_hash[digest] = blob

    def whole(self, blob: Blob) -> bytes:
        """A content that fits into memory, compared with its SHA-1. Raises MediaError."""
        if not blob.size:
            return b""
        buffer = Buffer(blob.size)
        done = 0
        while done < blob.size:
            length = min(_WINDOW, blob.size - done)
            self.read(blob, done, length, buffer, done)
            done += length
        content = buffer.view.tobytes()
        if blob.sha1 and hashlib.sha1(content, usedforsecurity=False).digest() != blob.sha1:
            raise self._damaged()
        return content

    def expect(self, row_end: int) -> None:
        """Say that contents lie behind each other that will all be read.

        Args:
            row_end: where in the WIM the last of them ends; the next one that is read is the first.
        """
        self._row_end = row_end

    def read(self, blob: Blob, start: int, length: int, buffer: Buffer, at: int) -> None:
        """Unpack a range of a content.

        Args:
            blob: the content.
            start: where the range begins, a whole number of chunks.
            length: its bytes, whole chunks or up to the end.
            buffer: where they go.
            at: where in there.

        Raises:
            MediaError: it cannot be unpacked.
        """
        if not blob.packed:
            self._fetch(buffer.view[at : at + length], blob.offset + start)
        elif blob.size <= self.chunk:
            place = self._place(blob.offset, blob.stored)
            self._expand(place, blob.stored, buffer.address + at, length)
        else:
            self._read_chunks(blob, start, length, buffer.address + at)

    def _read_chunks(self, blob: Blob, start: int, length: int, target: int) -> None:
        starts = self._starts(blob)
        first, last = start // self.chunk, -(-(start + length) // self.chunk)
        while first < last:
            stop = first + 1
            while stop < last and starts[stop + 1] - starts[first] <= _WINDOW:
                stop += 1
            place = self._place(blob.offset + starts[first], starts[stop] - starts[first])
            for chunk in range(first, stop):
                whole, stored = min(self.chunk, length), starts[chunk + 1] - starts[chunk]
                self._expand(place, stored, target, whole)
                place, target, length = place + stored, target + whole, length - whole
            first = stop

    def _place(self, offset: int, length: int) -> int:
        """Where in memory a range of the WIM is, read together with what is read next."""
        window = self._window
        if offset < window.start or offset + length > window.stop:
            if length > _WINDOW:
                raise self._damaged()
            count = max(length, min(_WINDOW, self._row_end - offset))
            self._window = range(0)
            self._fetch(self._packed.view[:count], offset)
            self._window = window = range(offset, offset + count)
        return self._packed.address + offset - window.start

    def _expand(self, source: int, stored: int, target: int, length: int) -> None:
        if stored == length:
            ctypes.memmove(target, source, length)
        elif stored > length or self._decompress(source, stored, target, length, self._unpacker):
            raise self._damaged()

    def _fetch(self, view: memoryview, offset: int) -> None:
        offset += self._begin
        done = os.preadv(self.descriptor, [view], offset)
        while done < len(view):
            more = os.preadv(self.descriptor, [view[done:]], offset + done)
            if not more:
                raise self._damaged()
            done += more

    def _starts(self, blob: Blob) -> list[int]:
        """Where each chunk begins behind the offset of the content, and where the last ends."""
        if self._known is not None and self._known[0] is blob:
            return self._known[1]
        width, letter = (8, "Q") if blob.size > _LARGE else (4, "I")
        count = -(-blob.size // self.chunk) - 1
        data = os.pread(self.descriptor, count * width, self._begin + blob.offset)
        if len(data) != count * width or len(data) > blob.stored:
            raise self._damaged()
        starts = [len(data) + each for each in (0, *struct.unpack(f"<{count}{letter}", data))]
        starts.append(blob.stored)
        if any(not 0 < stop - at <= self.chunk for at, stop in pairwise(starts)):
            raise self._damaged()
        self._known = blob, starts
        return starts

    def _damaged(self) -> MediaError:
        return MediaError(f"{self.path} is damaged: a content cannot be unpacked as it was.")
