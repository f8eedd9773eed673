"""Small FAT32 volumes, and ways to spoil them."""

from __future__ import annotations

import struct
from collections.abc import Mapping

SECTOR = 512
RESERVED = 32
TABLE_SECTORS = 8
DATA = (RESERVED + 2 * TABLE_SECTORS) * SECTOR
"""Where cluster 2 begins."""
LAST = 0x0FFFFFFF


def make_fat(files: Mapping[str, bytes | None], hidden: int = 2048, total: int = 1024) -> bytes:
    """A volume with one sector per cluster.

    Args:
        files: content by ``/``-separated path, None for a folder; folders come before what is
            in them.
        hidden: sectors in front of the volume.
        total: sectors of the volume.
    """
    table = [0x0FFFFFF8, LAST, LAST]
    clusters: dict[int, bytes] = {2: b""}

    def store(data: bytes) -> int:
        """Put data into clusters, each second one first, so that chains jump."""
        if not data:
            return 0
        pieces = [data[at : at + SECTOR] for at in range(0, len(data), SECTOR)]
        ascending = list(range(len(table), len(table) + len(pieces)))
        numbers = ascending[::2] + ascending[1::2]
        table.extend([0] * len(pieces))
        for number, after, piece in zip(numbers, [*numbers[1:], LAST], pieces, strict=True):
            table[number], clusters[number] = after, piece
        return numbers[0]

    def folder(path: str) -> bytes:
        entries = b"" if not path else _entry(".", 0x10, 0, 0) + _entry("..", 0x10, 0, 0)
        for name, data in files.items():
            above, _, base = name.rpartition("/")
            if above == path:
                first = store(folder(name) if data is None else data)
                entries += _entry(base, 0x10 if data is None else 0x20, first, len(data or b""))
        return entries

    label = b"SYSTEM     \x08" + bytes(20)
    root = label + folder("")
    assert len(root) <= SECTOR
    clusters[2] = root
    return _join(table, clusters, hidden, total)


def _join(table: list[int], clusters: Mapping[int, bytes], hidden: int, total: int) -> bytes:
    boot = bytearray(SECTOR)
    struct.pack_into("<HBHB", boot, 11, SECTOR, 1, RESERVED, 2)
    struct.pack_into("<IIIII", boot, 28, hidden, total, TABLE_SECTORS, 0, 2)
    boot[82:90], boot[510:] = b"FAT32   ", b"\x55\xaa"
    packed = struct.pack(f"<{len(table)}I", *table).ljust(TABLE_SECTORS * SECTOR, b"\0")
    data = b"".join(clusters[number].ljust(SECTOR, b"\0") for number in sorted(clusters))
    return bytes(boot).ljust(RESERVED * SECTOR, b"\0") + 2 * packed + data


def _entry(name: str, kind: int, first: int, size: int) -> bytes:
    """A long name, unless the short one says it all, and the short one."""
    base, _, extension = ("", "", "") if name.startswith(".") else name.partition(".")
    case, long = 0, b""
    if name.startswith("."):
        short = name.ljust(11).encode()
    elif len(base) <= 8 and len(extension) <= 3 and base.upper() == base:
        short = base.ljust(8).encode() + extension.upper().ljust(3).encode()
        case = 0x10 if extension != extension.upper() else 0
    else:
        short, long = b"LONG~1     ", _long_entries(name)
    fields = struct.pack("<H4xHI", first >> 16, first & 0xFFFF, size)
    return long + short + bytes([kind, case]) + bytes(7) + fields


def _long_entries(name: str) -> bytes:
    units = name.encode("utf-16-le") + b"\0\0"
    pieces = [units[at : at + 26].ljust(26, b"\xff") for at in range(0, len(units), 26)]
    entries = []
    for number, piece in enumerate(pieces, 1):
        order = number | (0x40 if number == len(pieces) else 0)
        middle = piece[:10] + b"\x0f\0\0" + piece[10:22] + b"\0\0" + piece[22:]
        entries.append(bytes([order]) + middle)
    return b"".join(reversed(entries))
