"""libhivex through ctypes: raw access to the keys and values of a hive file.

The PyPI package ``hivex`` is unrelated, and ``python3-hivex`` loads only into the
system's own Python, so the C library (Debian ``libhivex0``, Fedora ``hivex-libs``; soname
0 since 2010) is called directly. Only :mod:`winimagetools.host.linux.hive_edit` uses this:
nothing here refuses a dirty hive or protects the file.

Every buffer the library returns is freed here at once; a :class:`Hivex` owns the handle
until :meth:`Hivex.close`.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_size_t, c_uint32, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from winimagetools.errors import BuildError, DiskFullError, ToolMissingError
from winimagetools.files.space import is_disk_full

LIBRARY = "libhivex.so.0"
PACKAGE = "libhivex0"
REASON = "edit the Windows registry and write the boot configuration"
_WRITE = 4


@dataclass(frozen=True)
class RawValue:
    """A registry value as stored: type number and bytes."""

    name: str
    type: int
    data: bytes


class _SetValue(Structure):
    _fields_ = (("key", c_char_p), ("type", c_uint32), ("len", c_size_t), ("value", c_char_p))


_NODE = c_size_t
_PROTOTYPES: dict[str, tuple[Any, list[Any]]] = {
    "hivex_open": (c_void_p, [c_char_p, c_int]),
    "hivex_close": (c_int, [c_void_p]),
    "hivex_commit": (c_int, [c_void_p, c_char_p, c_int]),
    "hivex_root": (_NODE, [c_void_p]),
    "hivex_node_get_child": (_NODE, [c_void_p, _NODE, c_char_p]),
    "hivex_node_add_child": (_NODE, [c_void_p, _NODE, c_char_p]),
    "hivex_node_values": (c_void_p, [c_void_p, _NODE]),
    "hivex_value_key": (c_void_p, [c_void_p, _NODE]),
    "hivex_value_value": (c_void_p, [c_void_p, _NODE, POINTER(c_uint32), POINTER(c_size_t)]),
    "hivex_node_set_value": (c_int, [c_void_p, _NODE, POINTER(_SetValue), c_int]),
}


def find_library() -> None:
    """Raise ToolMissingError when libhivex cannot be loaded on this machine."""
    _library()


@cache
def _library() -> Any:
    """The library with its prototypes. Raises ToolMissingError."""
    try:
        library = ctypes.CDLL(LIBRARY, use_errno=True)
    except OSError as error:
        raise ToolMissingError(LIBRARY, PACKAGE, REASON) from error
    for name, (result, arguments) in _PROTOTYPES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


@cache
def _free() -> Any:
    free = ctypes.CDLL(None).free
    free.restype, free.argtypes = None, [c_void_p]
    return free


def _encoded(name: str) -> bytes:
    if "\0" in name:
        raise BuildError(f"The registry name {name!r} contains a NUL character.")
    return name.encode()


class Hivex:
    """An open hive. Node numbers are offsets and stay valid.

    Args:
        path: the hive file; it must have passed ``check_hive``.
        write: load it for changes. They stay in memory until :meth:`commit`.
        name: what to call it in messages; its path when empty.

    Raises:
        ToolMissingError: the library is not installed.
        BuildError: the library cannot read the hive.
    """

    def __init__(self, path: Path, *, write: bool = False, name: str = "") -> None:
        self._name = name or str(path)
        self._library = _library()
        ctypes.set_errno(0)
        self._handle: int | None = self._library.hivex_open(
            os.fsencode(path), _WRITE if write else 0
        )
        if not self._handle:
            raise self._error("cannot be read")

    def close(self) -> None:
        """Give back the handle; changes that were not committed are lost."""
        if self._handle:
            self._library.hivex_close(self._handle)
        self._handle = None

    def commit(self, path: Path) -> None:
        """Write the changed hive to ``path``. Raises BuildError."""
        if self._call("hivex_commit", os.fsencode(path), 0) != 0:
            raise self._error(f"could not be written to {path}")

    def root(self) -> int:
        """The root key."""
        return self._node("hivex_root", what="has no root key")

    def child(self, node: int, name: str) -> int | None:
        """The sub-key of that name, compared without regard to case, or None."""
        found: int = self._call("hivex_node_get_child", node, _encoded(name))
        if not found and ctypes.get_errno():
            raise self._error(f"could not be searched for the key {name}")
        return found or None

    def add_child(self, node: int, name: str) -> int:
        """Make a sub-key with the security descriptor of its parent."""
        what = f"could not get the new key {name}"
        return self._node("hivex_node_add_child", node, _encoded(name), what=what)

    def values(self, node: int) -> list[RawValue]:
        """All values of a key."""
        buffer = self._call("hivex_node_values", node)
        if not buffer:
            raise self._error("has a key that cannot be listed")
        try:
            return [self._value(value) for value in _until_zero(buffer)]
        finally:
            _free()(buffer)

    def set_value(self, node: int, value: RawValue) -> None:
        """Create or replace one value; the library writes the others of the key anew."""
        if self._call("hivex_node_set_value", node, byref(_set_value(value)), 0) != 0:
            raise self._error("could not get a new value")

    def _value(self, value: int) -> RawValue:
        kind, length = c_uint32(), c_size_t()
        buffer = self._call("hivex_value_value", value, byref(kind), byref(length))
        if not buffer:
            raise self._error("has a value that cannot be read")
        data = _taken(buffer, length.value)
        return RawValue(self._text("hivex_value_key", value), kind.value, data)

    def _text(self, function: str, node: int) -> str:
        buffer = self._call(function, node)
        if not buffer:
            raise self._error("has a name that cannot be read")
        return _taken(buffer, len(ctypes.string_at(buffer))).decode()

    def _node(self, function: str, *arguments: object, what: str) -> int:
        node: int = self._call(function, *arguments)
        if not node:
            raise self._error(what)
        return node

    def _call(self, function: str, *arguments: object) -> Any:
        if self._handle is None:
            raise ValueError(f"{self._name} is already closed")
        ctypes.set_errno(0)
        return getattr(self._library, function)(self._handle, *arguments)

    def _error(self, what: str) -> BuildError:
        number = ctypes.get_errno()
        reason = f" ({os.strerror(number)})" if number else ""
        kind = DiskFullError if is_disk_full(OSError(number, reason)) else BuildError
        return kind(
            f"The registry hive {self._name} {what}{reason}.",
            "Use an undamaged image, and check that there is room on the disk.",
        )


def _set_value(value: RawValue) -> _SetValue:
    return _SetValue(_encoded(value.name), value.type, len(value.data), value.data)


def _taken(buffer: int, length: int) -> bytes:
    """Content of a buffer of the library, which is freed."""
    data = ctypes.string_at(buffer, length)
    _free()(buffer)
    return data


def _until_zero(buffer: int) -> Iterator[int]:
    array = ctypes.cast(buffer, POINTER(c_size_t))
    index = 0
    while array[index]:
        yield array[index]
        index += 1
