"""No time of day for libntfs-3g, so that it writes the same volume whenever it does.

It does not only write times into records: names of a file that lie in one folder are ordered by
the bytes of their times, and what does not fit into a record is moved by that order. Nothing
that is done to the finished volume undoes that. So while a volume is written the library asks
``clock_getres`` when it means ``clock_gettime``: both fill the same structure, and the resolution
of a clock is always the same, a nanosecond or a few milliseconds. Only the table through which
this one library calls others is changed, in the memory of this process, and put back.

Sources: "System V Application Binary Interface", chapter 5 (Dynamic Linking); ``link.h`` and
``elf.h`` of glibc; clock_getres(2), dl_iterate_phdr(3), mprotect(2).
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_size_t, c_void_p
from ctypes import c_uint16 as c_half
from ctypes import c_uint32 as c_word
from ctypes import c_uint64 as c_long_word

_CLOCK, _ALWAYS_THE_SAME = b"clock_gettime", "clock_getres"
_LOADED, _DYNAMIC = 1, 2
_STRINGS, _SYMBOLS = 5, 6
_TABLES = ((23, 2), (7, 8))
"""Tags of the tables of relocations: where one is, and how long."""
_SYMBOL, _RELOCATION = 24, 24
_READ, _WRITE = 1, 2


class _Segment(Structure):
    """``Elf64_Phdr``."""

    _fields_ = (
        ("type", c_word),
        ("flags", c_word),
        ("offset", c_long_word),
        ("address", c_long_word),
        ("physical", c_long_word),
        ("in_file", c_long_word),
        ("size", c_long_word),
        ("align", c_long_word),
    )


class _Loaded(Structure):
    """``struct dl_phdr_info``, up to what is needed."""

    _fields_ = (
        ("base", c_long_word),
        ("name", c_char_p),
        ("segments", POINTER(_Segment)),
        ("count", c_half),
    )


_Callback = CFUNCTYPE(c_int, POINTER(_Loaded), c_size_t, c_void_p)


@contextmanager
def frozen_clock(library: ctypes.CDLL) -> Iterator[bool]:
    """Let a library see no time pass, and another one than that of the day.

    Args:
        library: one that calls ``clock_gettime``.

    Yields:
        Whether that works on this machine.
    """
    slot = _slot(ctypes.cast(library.ntfs_mount, c_void_p).value or 0)
    before = c_void_p.from_address(slot).value if slot else None
    other = ctypes.cast(getattr(ctypes.CDLL(None), _ALWAYS_THE_SAME), c_void_p).value
    works = slot is not None and _put(slot, other)
    try:
        yield works
    finally:
        if slot is not None and works:
            _put(slot, before)


def obstacle(library: ctypes.CDLL) -> str:
    """Why the clock of a library cannot be stopped; empty when it can. Completes "because".

    Args:
        library: libntfs-3g.
    """
    with frozen_clock(library) as works:
        if works:
            return ""
    return (
        "the clock of libntfs-3g cannot be stopped on this machine, which takes a 64-bit Linux "
        "and a library that is linked dynamically"
    )


def _slot(inside: int) -> int | None:
    """Where the library that has an address keeps the one of ``clock_gettime``."""
    if ctypes.sizeof(c_void_p) != 8:
        return None
    found: list[int] = []

    def look(loaded: object, _size: int, _data: object) -> int:
        info = loaded.contents  # type: ignore[attr-defined]
        segments = [info.segments[number] for number in range(info.count)]
        if any(
            each.type == _LOADED and 0 <= inside - info.base - each.address < each.size
            for each in segments
        ):
            found.extend(_slots(info.base, segments))
            return 1
        return 0

    ctypes.CDLL(None).dl_iterate_phdr(_Callback(look), None)
    return found[0] if len(found) == 1 else None


def _slots(base: int, segments: list[_Segment]) -> Iterator[int]:
    dynamic = next(each.address + base for each in segments if each.type == _DYNAMIC)
    tags = dict(_tags(dynamic))

    def place(tag: int) -> int:
        """Glibc has made an address of it, other C libraries have not."""
        return tags[tag] if tags[tag] >= base else tags[tag] + base

    for table, length in _TABLES:
        if table not in tags:
            continue
        for at in range(place(table), place(table) + tags[length], _RELOCATION):
            offset, kind = _words(at)
            symbol = place(_SYMBOLS) + (kind >> 32) * _SYMBOL
            name = place(_STRINGS) + c_word.from_address(symbol).value
            if ctypes.string_at(name, len(_CLOCK) + 1) == _CLOCK + b"\0":
                yield base + offset


def _tags(at: int) -> Iterator[tuple[int, int]]:
    while (pair := _words(at))[0]:
        yield pair
        at += 16


def _words(at: int) -> tuple[int, int]:
    return c_long_word.from_address(at).value, c_long_word.from_address(at + 8).value


def _put(slot: int, value: int | None) -> bool:
    """Change an address in a page that may be for reading only once a library is loaded."""
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    protect.argtypes = (c_void_p, c_size_t, c_int)
    start, before = slot // mmap.PAGESIZE * mmap.PAGESIZE, _protection(slot)
    if protect(start, mmap.PAGESIZE, before | _READ | _WRITE) != 0:
        return False
    c_void_p.from_address(slot).value = value
    protect(start, mmap.PAGESIZE, before)
    return True


def _protection(address: int) -> int:
    """Rights of the page at an address: 1 to read, 2 to write, 4 to run."""
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:  # noqa: PTH123
        for line in maps:
            area, rights = line.split()[:2]
            start, end = (int(part, 16) for part in area.split("-"))
            if start <= address < end:
                return sum(1 << bit for bit, letter in enumerate("rwx") if letter in rights)
    return _READ
