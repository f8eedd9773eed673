"""Records of the master file table of NTFS, as they lie on the disk.

Source: layout of ``MFT_RECORD`` in ``layout.h`` of ntfs-3g.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

_MAGIC = b"FILE"
_IN_USE = 1
_SECTOR = 512
_END = b"\xff\xff\xff\xff"
_NTFS = b"NTFS    "
_MIRRORED = 4
"""Records that there is a copy of, more where more fill the first cluster."""
Read = Callable[[int, int], bytes]


def wiped(record: bytes) -> bytes:
    """A record without what a deleted file left in it; any other record as it is.

    Args:
        record: all of it, with the update sequence in the last bytes of each sector.
    """
    if record[:4] != _MAGIC or len(record) % _SECTOR or len(record) < 2 * _SECTOR:
        return record
    sequence_at, count = struct.unpack_from("<2H", record, 4)
    first, flags = struct.unpack_from("<2H", record, 20)
    ends = sequence_at + 2 * count
    if (
        flags & _IN_USE
        or not 48 <= first <= len(record) - 8
        or not 42 <= sequence_at < ends <= first
    ):
        return record
    if count != len(record) // _SECTOR + 1:
        return record
    sequence = record[sequence_at : sequence_at + 2]
    new = bytearray(record[:first].ljust(len(record), b"\0"))
    new[sequence_at + 2 : ends] = bytes(ends - sequence_at - 2)
    new[first : first + 4] = _END
    struct.pack_into("<I", new, 24, first + 8)
    for end in range(_SECTOR, len(new) + 1, _SECTOR):
        new[end - 2 : end] = sequence
    return bytes(new)


def without_mirror(read: Read) -> Read:
    """What reads a volume so that the copy of its first records is never older than they are.

    A machine that is ended in the middle has not always written the copy out, and libntfs-3g
    does not open a volume whose copy differs (``ntfs_device_mount``). The records themselves
    are what counts.

    Args:
        read: reads from an offset, the first argument, so many bytes, the second.
    """
    boot = read(0, _SECTOR)
    if boot[3:11] != _NTFS:
        return read
    sector, sectors = struct.unpack_from("<HB", boot, 11)
    cluster = sector * (sectors if sectors < 0x80 else 1 << 0x100 - sectors)
    table, mirror, size = struct.unpack_from("<2Qb", boot, 48)
    record = size * cluster if size > 0 else 1 << -size
    begin, length = mirror * cluster, max(_MIRRORED * record, cluster)

    def patched(at: int, count: int) -> bytes:
        data = read(at, count)
        first, last = max(at, begin), min(at + len(data), begin + length)
        if first >= last:
            return data
        original = read(table * cluster + first - begin, last - first)
        return data[: first - at] + original + data[first - at + len(original) :]

    return patched
