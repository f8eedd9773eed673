"""A compound file of the kind a Windows Installer package is, made of nothing but sectors."""

from __future__ import annotations

import struct

from winimagetools.net.content import COMPOUND_MAGIC

_END, _FAT, _FREE = 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFF
_ENTRIES = 128


def compound_file(sectors: int) -> bytes:
    """A file with as many sectors of data, and behind them its allocation table ([MS-CFB])."""
    tables = 1
    while tables * _ENTRIES < sectors + tables:
        tables += 1
    numbers = list(range(sectors, sectors + tables))
    fields = (0x3E, 3, 0xFFFE, 9, 6)
    header = COMPOUND_MAGIC + bytes(16) + struct.pack("<5H", *fields) + bytes(6)
    header += struct.pack("<8I", 0, tables, 0, 0, 4096, _END, 0, _END) + struct.pack("<I", 0)
    header += struct.pack("<109I", *numbers, *[_FREE] * (109 - tables))
    entries = [*range(1, sectors), _END, *[_FAT] * tables]
    entries += [_FREE] * (tables * _ENTRIES - len(entries))
    data = b"".join(number.to_bytes(512, "little") for number in range(1, sectors + 1))
    return header + data + struct.pack(f"<{len(entries)}I", *entries)
