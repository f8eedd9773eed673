"""Reads registry hives of any size without holding them: keys and values, by path.

Pure Python, for looking only and on every host; hives are changed with libhivex. Layout:
"Windows registry file format specification" (msuhanov/regf). What only the transaction logs of
a hive hold is not seen; :attr:`HiveReader.dirty` says that there is such.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import lru_cache

from winimagetools.errors import MediaError
from winimagetools.formats.registry_values import decode
from winimagetools.plan import RegistryValue

Read = Callable[[int, int], bytes]
"""Reads from an offset, the first argument, so many bytes, the second; fewer at the end."""
_BASE = 4096
_BLOCK = 1 << 16
_BLOCKS_KEPT = 128
_INLINE = 0x80000000
_LISTS = {b"lf": 8, b"lh": 8, b"li": 4, b"ri": 4}
_ASCII_KEY, _ASCII_VALUE = 0x20, 1
_BIG_PIECE = 16344
_MOST = 1 << 20
"""No hive has more values in a key, keys in a key, or bytes in a value that is looked at."""


class HiveReader:
    r"""A hive. Keys are ``\``-separated paths below the root, compared without regard to case.

    Args:
        read: the hive file.
        name: what to call it in messages.

    Raises:
        MediaError: it is no hive, or a damaged one; also from every method.
    """

    def __init__(self, read: Read, name: str) -> None:
        self._file = read
        self._name = name
        self._block = lru_cache(_BLOCKS_KEPT)(lambda number: read(number * _BLOCK, _BLOCK))
        head = self._bytes(0, 48)
        if head[:4] != b"regf":
            raise self._damaged("it does not begin as one")
        first, second = struct.unpack_from("<2I", head, 4)
        self.dirty = first != second
        self._root: int = struct.unpack_from("<I", head, 36)[0]

    @classmethod
    def of(cls, data: bytes, name: str) -> HiveReader:
        """A hive that is in memory already."""
        return cls(lambda at, length: data[at : at + length], name)

    def exists(self, key: str) -> bool:
        """Whether there is such a key."""
        return self._find(key) is not None

    def subkeys(self, key: str) -> list[str]:
        """Names of the keys in a key; none when there is no such key."""
        node = self._find(key)
        return [] if node is None else [name for name, _ in self._children(node)]

    def values(self, key: str) -> dict[str, RegistryValue]:
        """The values of a key by lower-case name; none when there is no such key."""
        node = self._find(key)
        return {} if node is None else {item.name.lower(): item for item in self._values(node)}

    def get(self, key: str, name: str) -> str | int | bytes | tuple[str, ...] | None:
        """What a value holds; None when there is none."""
        found = self.values(key).get(name.lower())
        return None if found is None else found.data

    def text(self, key: str, name: str) -> str:
        """A value that is text; empty when there is none."""
        found = self.get(key, name)
        return found if isinstance(found, str) else ""

    def number(self, key: str, name: str) -> int | None:
        """A value that is a number; None when there is none."""
        found = self.get(key, name)
        return found if isinstance(found, int) else None

    def _find(self, key: str) -> int | None:
        node = self._root
        for part in filter(None, key.split("\\")):
            wanted = part.casefold()
            below = (at for name, at in self._children(node) if name.casefold() == wanted)
            found = next(below, None)
            if found is None:
                return None
            node = found
        return node

    def _children(self, node: int) -> Iterator[tuple[str, int]]:
        record = self._cell(node, b"nk")
        count, place = (
            struct.unpack_from("<I", record, 20)[0],
            struct.unpack_from("<I", record, 28)[0],
        )
        if not count:
            return
        for at in self._list(place, nested=True):
            child = self._cell(at, b"nk")
            yield self._name_in(child, 72, 76, child[2] & _ASCII_KEY), at

    def _list(self, place: int, *, nested: bool) -> Iterator[int]:
        record = self._cell(place, b"")
        step, count = _LISTS.get(record[:2]), struct.unpack_from("<H", record, 2)[0]
        if step is None or (record[:2] == b"ri" and not nested) or 4 + count * step > len(record):
            raise self._damaged("a list of keys makes no sense")
        for number in range(count):
            at: int = struct.unpack_from("<I", record, 4 + number * step)[0]
            if record[:2] == b"ri":
                yield from self._list(at, nested=False)
            else:
                yield at

    def _values(self, node: int) -> Iterator[RegistryValue]:
        count, place = struct.unpack_from("<2I", self._cell(node, b"nk"), 36)
        if not count:
            return
        record = self._cell(place, b"")
        if count * 4 > len(record):
            raise self._damaged("a list of values makes no sense")
        for at in struct.unpack_from(f"<{count}I", record):
            value = self._cell(at, b"vk")
            length, data_at, kind = struct.unpack_from("<3I", value, 4)
            name = self._name_in(value, 2, 20, value[16] & _ASCII_VALUE)
            yield decode(name, kind, self._data(value, length, data_at))

    def _data(self, value: bytes, length: int, place: int) -> bytes:
        if length & _INLINE:
            return value[8:12][: length & ~_INLINE]
        if not 0 < length <= _MOST:
            return b""
        record = self._cell(place, b"")
        if length > _BIG_PIECE and record[:2] == b"db":
            count, pieces_at = struct.unpack_from("<HI", record, 2)
            pieces = struct.unpack_from(f"<{count}I", self._cell(pieces_at, b""))
            record = b"".join(self._cell(at, b"")[:_BIG_PIECE] for at in pieces)
        return record[:length]

    def _name_in(self, record: bytes, length_at: int, at: int, ascii_only: int) -> str:
        length = struct.unpack_from("<H", record, length_at)[0]
        codec = "latin-1" if ascii_only else "utf-16-le"
        return record[at : at + length].decode(codec, "replace")

    def _cell(self, offset: int, signature: bytes) -> bytes:
        """The content of a cell, padded so that fixed fields can be read."""
        head = self._bytes(_BASE + offset, 4)
        size = abs(struct.unpack("<i", head.ljust(4, b"\0"))[0]) - 4
        if not 0 < size <= _MOST:
            raise self._damaged("a cell makes no sense")
        record = self._bytes(_BASE + offset + 4, size)
        if not record.startswith(signature) or len(record) < size:
            raise self._damaged("a cell is not what it should be")
        return record.ljust(80, b"\0")

    def _bytes(self, at: int, length: int) -> bytes:
        number, within = divmod(at, _BLOCK)
        if within + length <= _BLOCK:
            return self._block(number)[within : within + length]
        return self._file(at, length)

    def _damaged(self, reason: str) -> MediaError:
        return MediaError(
            f"The registry hive {self._name} is damaged: {reason}.",
            "Use another copy of the image.",
        )
