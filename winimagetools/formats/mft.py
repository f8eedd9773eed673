"""Records of the master file table of NTFS, as they lie on the disk.

Source: layout of ``MFT_RECORD`` in ``layout.h`` of ntfs-3g.
"""

from __future__ import annotations

import struct

_MAGIC = b"FILE"
_IN_USE = 1
_SECTOR = 512
_END = b"\xff\xff\xff\xff"


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
