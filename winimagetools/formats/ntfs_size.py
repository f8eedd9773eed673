"""How large an NTFS volume has to be for given files, counted and not guessed.

Contents are only part of it: every file has a record of 1 KiB, contents that do not fit into
the record fill whole clusters, and every name stands in the index of its folder as well. The
sizes are those of the structures in "NTFS Documentation" (R. Russon, Y. Fledel) as ntfs-3g
writes them; a block of an index is half full, as it is when names come in their order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

CLUSTER = 4096
_MARGIN = 1.05
"""Measured with trees of all kinds, a volume takes up to this much more than is counted."""
_RECORD = 1024
_RECORD_HEAD = 56 + 8 + 96
"""Header with its fix-ups, mark of the end, standard information."""
_ATTRIBUTE = 24
_NAME = 66
_INDEX_ENTRY = 16
_INDEX_ROOT = 32 + 16 + 24
_INDEX_BLOCK = (CLUSTER - 64 - 24) // 2
_FAR = 72
"""An attribute whose content is elsewhere, with its list of clusters."""
_SMALLEST_LOG, _LARGEST_LOG = 2 * 1024 * 1024, 64 * 1024 * 1024
_FIXED = 512 * 1024
"""What every volume has: the first records, the table of capital letters, boot sectors."""


@dataclass(frozen=True)
class NtfsItem:
    """A name of a file or folder; a file with several names is several of these.

    Args:
        path: parts joined by ``/``; empty for the root.
        is_dir: whether it is a folder.
        streams: bytes of every stream of contents.
        short_name: its 8.3 name; empty when it has none.
        group: the same number for all names of a file; 0 when this is its only one.
    """

    path: str
    is_dir: bool
    streams: tuple[int, ...] = ()
    short_name: str = ""
    group: int = 0


def volume_bytes(items: Iterable[NtfsItem]) -> int:
    """Bytes the files, folders and names need on a volume, metadata of their own included.

    Args:
        items: all there is.
    """
    files: dict[object, list[NtfsItem]] = defaultdict(list)
    indexes: dict[str, int] = defaultdict(int)
    for item in items:
        files[item.group or item.path].append(item)
        indexes[item.path.rpartition("/")[0]] += sum(
            _rounded(_INDEX_ENTRY + size, 8) for size in _names(item)
        )
    return int(sum(_file_bytes(names, indexes) for names in files.values()) * _MARGIN)


def overhead_bytes(volume: int) -> int:
    """Bytes a volume of ``volume`` bytes takes for itself: log, map of clusters, first records."""
    log_file = min(max(volume // 200, _SMALLEST_LOG), _LARGEST_LOG)
    return _FIXED + log_file + _rounded(volume // CLUSTER // 8, CLUSTER)


def _names(item: NtfsItem) -> list[int]:
    """Bytes of the name and of the short name."""
    name = item.path.rpartition("/")[2]
    return [_NAME + 2 * _units(text) for text in (name, item.short_name) if text]


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _rounded(count: int, unit: int) -> int:
    return -(-count // unit) * unit


def _file_bytes(names: list[NtfsItem], indexes: dict[str, int]) -> int:
    """Record, clusters and index of one file or folder."""
    used, outside, first = _RECORD_HEAD, 0, names[0]
    for size in (_rounded(_ATTRIBUTE + size, 8) for item in names for size in _names(item)):
        if used + size <= _RECORD - _FAR:
            used += size
        else:  # each gets a record of its own, and the list of them moves out one more
            outside += _RECORD if outside else 2 * _RECORD
    if first.is_dir:
        index = indexes.get(first.path, 0)
        if used + _INDEX_ROOT + index <= _RECORD:
            used += _INDEX_ROOT + index
        else:
            used += _INDEX_ROOT + 2 * _FAR
            outside += -(-index // _INDEX_BLOCK) * CLUSTER
    for stream in first.streams:
        if used + _rounded(_ATTRIBUTE + stream, 8) <= _RECORD:
            used += _rounded(_ATTRIBUTE + stream, 8)
        else:
            used += _FAR
            outside += _rounded(stream, CLUSTER)
    return _RECORD + outside
