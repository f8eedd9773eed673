"""Two readers of registry hives that share no code with what writes them.

:func:`read_raw` reads everything a hive holds, quickly enough for the 11 MiB of a real
SYSTEM hive, and checks what Windows depends on: cells, order of sub-keys, hashes.
:func:`read_regipy` reads keys and values with regipy; a real hive would take it minutes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regipy import registry

_NONE = 0xFFFFFFFF
RegipyValues = dict[str, dict[str, tuple[str, Any]]]


@dataclass(frozen=True)
class RawKey:
    """All a hive holds of one key: values as type and bytes, the security descriptor too."""

    values: dict[str, tuple[int, bytes]]
    flags: int
    timestamp: int
    class_name: bytes
    security: bytes


def read_raw(data: bytes) -> dict[str, RawKey]:
    r"""Every key by its ``\``-separated path; the root is the empty path."""
    (root,) = struct.unpack_from("<I", data, 36)
    return dict(_walk(data, root, ""))


def _cell(data: bytes, offset: int) -> bytes:
    (size,) = struct.unpack_from("<i", data, 4096 + offset)
    assert size < 0, f"the cell at {offset} is free"
    return data[4096 + offset + 4 : 4096 + offset - size]


def _walk(data: bytes, offset: int, path: str) -> Iterator[tuple[str, RawKey]]:
    node = _cell(data, offset)
    assert node[:2] == b"nk"
    flags, timestamp = struct.unpack_from("<HQ", node, 2)
    count, _, children, _, value_count, value_list, security, name = struct.unpack_from(
        "<8I", node, 20
    )
    class_length = struct.unpack_from("<H", node, 74)[0]
    descriptor = _cell(data, security)
    assert descriptor[:2] == b"sk"
    yield (
        path,
        RawKey(
            dict(_values(data, value_list, value_count)),
            flags,
            timestamp,
            _cell(data, name)[:class_length] if class_length else b"",
            descriptor[20 : 20 + struct.unpack_from("<I", descriptor, 16)[0]],
        ),
    )
    found = list(_children(data, children)) if count else []
    names = [_key_name(_cell(data, child)) for child in found]
    assert len(found) == count
    assert names == sorted(names, key=str.upper), f"sub-keys of {path} are not sorted"
    for child, child_name in zip(found, names, strict=True):
        yield from _walk(data, child, f"{path}\\{child_name}".lstrip("\\"))


def _key_name(node: bytes) -> str:
    flags, length = struct.unpack_from("<H", node, 2)[0], struct.unpack_from("<H", node, 72)[0]
    return node[76 : 76 + length].decode("latin-1" if flags & 0x20 else "utf-16-le")


def _children(data: bytes, offset: int) -> Iterator[int]:
    block = _cell(data, offset)
    kind, count = struct.unpack_from("<2sH", block)
    step = 8 if kind in (b"lf", b"lh") else 4
    for index in range(count):
        (target,) = struct.unpack_from("<I", block, 4 + step * index)
        if kind == b"ri":
            yield from _children(data, target)
            continue
        if kind == b"lh":
            (found,) = struct.unpack_from("<I", block, 8 + step * index)
            assert found == _hash(_key_name(_cell(data, target)))
        yield target


def _hash(name: str) -> int:
    value = 0
    for character in name.upper():
        value = (value * 37 + ord(character)) & _NONE
    return value


def _values(data: bytes, offset: int, count: int) -> Iterator[tuple[str, tuple[int, bytes]]]:
    for (value,) in struct.iter_unpack("<I", _cell(data, offset)[: 4 * count] if count else b""):
        cell = _cell(data, value)
        magic, name_length, length, where, kind, flags = struct.unpack_from("<2sH3IH", cell)
        assert magic == b"vk"
        name = cell[20 : 20 + name_length].decode("latin-1" if flags & 1 else "utf-16-le")
        if length & 0x80000000:
            content = cell[8 : 8 + (length & 7)]
        else:
            content = _content(data, where, length) if length else b""
        yield name, (kind, content)


def _content(data: bytes, offset: int, length: int) -> bytes:
    cell = _cell(data, offset)
    if length > 16344 and cell[:2] == b"db":
        count, parts = struct.unpack_from("<HI", cell, 2)
        offsets = struct.unpack_from(f"<{count}I", _cell(data, parts))
        cell = b"".join(_cell(data, part)[:16344] for part in offsets)
    assert len(cell) >= length
    return cell[:length]


def read_regipy(path: Path, key: str = "\\") -> RegipyValues:
    """Keys below ``key`` with their values as regipy gives them: kind and data."""
    hive: Any = registry
    found: RegipyValues = {}

    def walk(node: Any, name: str) -> None:
        values = node.iter_values(trim_values=False)
        found[name] = {value.name: (value.value_type, value.value) for value in values}
        for child in node.iter_subkeys():
            walk(child, f"{name}\\{child.name}".lstrip("\\"))

    opened = hive.RegistryHive(str(path))
    walk(opened.root if key == "\\" else opened.get_key(f"\\{key}"), key.strip("\\"))
    return found
