"""QCOW2, version 3, with clusters of 64 KiB.

Source: "QCOW2 image format", docs/interop/qcow2.rst of QEMU. Everything but the data lies in
front of it: header, reference counts, L1 table, and one L2 table for each 512 MiB of the disk
that holds data.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import groupby

from winimagetools.formats.containers.layout import (
    SECTOR,
    Layout,
    Piece,
    Write,
    kept_bytes,
    pieces_of,
    round_up,
    units_of,
)

CLUSTER = 1 << 16
_CLUSTER_BITS = 16
_REFCOUNT_ORDER = 4
"""Reference counts have 2 to the power of 4 bits."""
_COUNTS_PER_BLOCK = CLUSTER // 2
_ENTRIES = CLUSTER // 8
"""Entries of one L2 table or of one cluster of another table."""
_COPIED = 1 << 63
"""The cluster has exactly one reference, so it may be written in place."""
_HEADER_LENGTH = 104
_GAP = 1 << 20


def qcow2_layout(size: int, data: Sequence[Piece]) -> Layout:
    """A QCOW2 of a raw disk.

    Args:
        size: bytes of the disk; the container rounds them up to whole sectors.
        data: what of it is not a hole, ascending.
    """
    virtual = round_up(size, SECTOR)
    pieces = pieces_of(data, CLUSTER, _GAP)
    l1_entries = -(-virtual // (CLUSTER * _ENTRIES))
    used = sorted({table for piece in pieces for table in _tables_of(piece)})
    l1_clusters = -(-l1_entries // _ENTRIES)
    fixed = 1 + l1_clusters + len(used) + kept_bytes(pieces) // CLUSTER
    table_clusters, blocks = _count_clusters(fixed)
    counts_at = CLUSTER * (1 + table_clusters)
    l1_at = counts_at + CLUSTER * blocks
    l2_at = l1_at + CLUSTER * l1_clusters
    room = l2_at + CLUSTER * len(used)
    total = fixed + table_clusters + blocks
    layout = Layout(room, pieces, (), total * CLUSTER)
    writes = [
        Write(0, _header(virtual, l1_at, l1_entries, table_clusters)),
        Write(CLUSTER, _table(range(counts_at, l1_at, CLUSTER))),
        *_counts(counts_at, total),
        Write(l1_at, _l1(used, l2_at)),
        *_l2(layout, l2_at),
    ]
    return Layout(room, pieces, tuple(writes), layout.size)


def _tables_of(piece: Piece) -> range:
    """Numbers of the L2 tables a piece has entries in."""
    covered = CLUSTER * _ENTRIES
    return range(piece.start // covered, (piece.end - 1) // covered + 1)


def _count_clusters(others: int) -> tuple[int, int]:
    """Clusters of the reference count table and its blocks, which count themselves too."""
    table, blocks = 1, 1
    while True:
        needed = -(-(others + table + blocks) // _COUNTS_PER_BLOCK)
        wide = -(-needed // _ENTRIES)
        if (wide, needed) == (table, blocks):
            return table, blocks
        table, blocks = max(table, wide), max(blocks, needed)


def _header(size: int, l1_at: int, l1_entries: int, table_clusters: int) -> bytes:
    """The header, and the end of its extensions; no backing file, encryption or snapshot."""
    return struct.pack(
        ">4sIQIIQIIQQIIQQQQII8x",
        b"QFI\xfb",
        3,
        0,
        0,
        _CLUSTER_BITS,
        size,
        0,
        l1_entries,
        l1_at,
        CLUSTER,
        table_clusters,
        0,
        0,
        0,
        0,
        0,
        _REFCOUNT_ORDER,
        _HEADER_LENGTH,
    )


def _table(offsets: Sequence[int]) -> bytes:
    return struct.pack(f">{len(offsets)}Q", *offsets)


def _counts(start: int, total: int) -> list[Write]:
    """Blocks that count one reference for every cluster of the container."""
    return [Write(start, struct.pack(">H", 1) * total)]


def _l1(used: Sequence[int], l2_at: int) -> bytes:
    entries = [0] * (used[-1] + 1 if used else 0)
    for index, number in enumerate(used):
        entries[number] = (l2_at + index * CLUSTER) | _COPIED
    return _table(entries)


def _l2(layout: Layout, start: int) -> list[Write]:
    """The L2 tables of all parts of the disk that hold data, one after the other."""
    writes = []
    units = units_of(layout.placed(), CLUSTER)
    for index, (_, entries) in enumerate(groupby(units, lambda unit: unit[0] // _ENTRIES)):
        table = bytearray(CLUSTER)
        for number, offset in entries:
            struct.pack_into(">Q", table, number % _ENTRIES * 8, offset | _COPIED)
        writes.append(Write(start + index * CLUSTER, bytes(table)))
    return writes
