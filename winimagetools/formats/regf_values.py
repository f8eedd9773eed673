"""Reads single texts out of a registry hive, without any library.

Enough to ask a Windows what it is; hives are edited with libhivex. Layout: "Windows registry
file format specification" (msuhanov/regf).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from winimagetools.errors import MediaError

_BASE_BLOCK = 4096
_INLINE = 0x80000000
_TEXT_KINDS = (1, 2)
_SINGLE_BYTE_KEY, _SINGLE_BYTE_VALUE = 0x20, 1
_LONGEST_TEXT = 65536


def read_text(hive: bytes, key: str, value: str) -> str | None:
    r"""A text in a hive.

    Args:
        hive: content of the hive file; what only its transaction logs hold is not seen.
        key: path below the root, such as ``Microsoft\Windows NT\CurrentVersion``.
        value: name of the value.

    Returns:
        None when there is no such key or value, or it is no text.

    Raises:
        MediaError: it is no hive, or a damaged one.
    """
    try:
        return _read_text(hive, key, value)
    except struct.error as error:
        raise _damaged() from error


def _read_text(hive: bytes, key: str, value: str) -> str | None:
    if hive[:4] != b"regf":
        raise _damaged()
    node: int | None = _number(hive, 36)
    for part in filter(None, key.split("\\")):
        node = _child(hive, node, part) if node is not None else None
    if node is None:
        return None
    count, values = struct.unpack_from("<2I", _cell(hive, node, b"nk"), 36)
    if not count:
        return None
    at = _place(values)
    for number in range(min(count, 65536)):
        record = _cell(hive, _number(hive, at + 4 * number), b"vk")
        if _name(record, 2, 16, 20, _SINGLE_BYTE_VALUE).casefold() == value.casefold():
            return _text(hive, record)
    return None


def _child(hive: bytes, node: int, name: str) -> int | None:
    record = _cell(hive, node, b"nk")
    count = _number(record, 20)
    for offset in _children(hive, _number(record, 28)) if count else ():
        found = _cell(hive, offset, b"nk")
        if _name(found, 72, 2, 76, _SINGLE_BYTE_KEY).casefold() == name.casefold():
            return offset
    return None


def _children(hive: bytes, offset: int, *, nested: bool = True) -> Iterator[int]:
    """Offsets in a list of subkeys; long lists are lists of lists."""
    at = _place(offset)
    signature, count = struct.unpack_from("<2sH", hive, at)
    step = {b"lf": 8, b"lh": 8, b"li": 4, b"ri": 4}.get(signature)
    if step is None or (signature == b"ri" and not nested):
        raise _damaged()
    for number in range(count):
        item = _number(hive, at + 4 + number * step)
        if signature == b"ri":
            yield from _children(hive, item, nested=False)
        else:
            yield item


def _text(hive: bytes, record: bytes) -> str | None:
    size, offset, kind = struct.unpack_from("<3I", record, 4)
    if kind not in _TEXT_KINDS:
        return None
    length = min(size & ~_INLINE, _LONGEST_TEXT)
    at = _place(offset)
    data = record[8:12][:length] if size & _INLINE else hive[at : at + length]
    return data.decode("utf-16-le", "replace").partition("\0")[0]


def _name(record: bytes, length_at: int, flags_at: int, at: int, single_byte: int) -> str:
    (length,), (flags,) = (
        struct.unpack_from("<H", record, place) for place in (length_at, flags_at)
    )
    codec = "latin-1" if flags & single_byte else "utf-16-le"
    return record[at : at + length].decode(codec, "replace")


def _cell(hive: bytes, offset: int, signature: bytes) -> bytes:
    at = _place(offset)
    size = abs(struct.unpack_from("<i", hive, at - 4)[0]) - 4
    record = hive[at : at + size]
    if not record.startswith(signature):
        raise _damaged()
    return record


def _place(offset: int) -> int:
    """Where the content of a cell begins in the file."""
    return _BASE_BLOCK + offset + 4


def _number(data: bytes, at: int) -> int:
    number: int = struct.unpack_from("<I", data, at)[0]
    return number


def _damaged() -> MediaError:
    return MediaError("The registry hive is damaged.", "Use another copy of the medium.")
