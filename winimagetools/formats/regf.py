"""The regf file format, as far as it is needed around libhivex.

libhivex edits hives but neither makes a first one nor refuses one whose last changes are
still in its transaction logs; both happen here, on plain bytes. Layout: "Windows registry
file format specification" (msuhanov/regf) and ``[MS-DTYP]`` for the security descriptor.
"""

from __future__ import annotations

import struct
from functools import reduce
from operator import xor

from winimagetools.errors import MediaError

BLOCK = 4096
"""Size in bytes of the base block; hive bins are multiples of it."""
MAX_FLAT_VALUE = 16344
"""Longer value data must be split since hive version 1.4, which libhivex cannot do."""
_CHECKSUM = 508
_ROOT_CELL = 0x20
_NONE = 0xFFFFFFFF
_ROOT_FLAGS = 0x2C
"""Root of the hive, not deletable, name in single-byte characters."""
_KEY_ALL_ACCESS = 0xF003F
_CONTAINER_INHERIT = 2
_DIRTY_HINT = (
    "In a WIM: mount the image on Windows (dism /Mount-Image), load that hive and unload it "
    "(reg load, reg unload), which writes its logs into it, and unmount with /Commit. In a disk: "
    "start that Windows and shut it down. Or use an image that was captured after a shutdown."
)
_ADMINISTRATORS = struct.pack("<BB6s2I", 1, 2, b"\0\0\0\0\0\5", 32, 544)
_SYSTEM = struct.pack("<BB6sI", 1, 1, b"\0\0\0\0\0\5", 18)


def empty_hive(root_name: str = "NewStoreRoot") -> bytes:
    """An 8 KiB hive with nothing but its root key.

    Administrators and SYSTEM have full control, and so of every key made below it.
    Microsoft's boot managers read stores that began as such a hive (tried with 10.0.19041).

    Args:
        root_name: name of the root key in ASCII; ``bcdedit /createstore`` uses the default.
    """
    security = _security_descriptor()
    name = root_name.encode("ascii")
    root = _cell(_key_node(name, _ROOT_CELL + _cell_size(76 + len(name))))
    at = _ROOT_CELL + len(root)
    descriptor = _cell(struct.pack("<2sH4I", b"sk", 0, at, at, 1, len(security)) + security)
    cells = root + descriptor
    free = BLOCK - _ROOT_CELL - len(cells)
    header = struct.pack("<4s2I8xQI", b"hbin", 0, BLOCK, 0, 0)
    return _base_block(BLOCK) + header + cells + struct.pack("<i", free).ljust(free, b"\0")


def checksum(data: bytes) -> int:
    """The checksum that belongs to offset 508 of a base block: XOR of the words before it."""
    value: int = reduce(xor, struct.unpack_from("<127I", data))
    return {0: 1, _NONE: _NONE - 1}.get(value, value)


def minor_version(data: bytes) -> int:
    """Minor format version: 3 for BCD stores, 5 for the system hives."""
    return int.from_bytes(data[24:28], "little")


def check_hive(data: bytes, name: str) -> None:
    """Refuse what libhivex would take without a word, or crash on.

    A dirty hive is one whose latest changes still sit in its ``.LOG`` files; writing to it
    would throw them away.

    Args:
        data: the whole file.
        name: what to call it in messages.

    Raises:
        MediaError: not a hive, dirty, damaged or cut off.
    """
    if len(data) < BLOCK or data[:4] != b"regf":
        raise MediaError(f"{name} is not a registry hive.", "Check that the image is undamaged.")
    first, second = struct.unpack_from("<2I", data, 4)
    major, minor, kind, layout = struct.unpack_from("<4I", data, 20)
    if struct.unpack_from("<I", data, _CHECKSUM)[0] != checksum(data):
        raise _damaged(name, "the checksum of its header is wrong")
    if first != second:
        raise MediaError(
            f"The registry hive {name} was not closed cleanly (sequence numbers {first} and "
            f"{second}): changes to it are still in its log files.",
            _DIRTY_HINT,
        )
    if major != 1 or minor not in range(3, 7) or kind != 0 or layout != 1:
        raise MediaError(
            f"{name} is a registry file of an unknown kind (version {major}.{minor}, type {kind}).",
            "Only hives of Windows 2000 and later can be edited.",
        )
    _check_bins(data, name)


def _check_bins(data: bytes, name: str) -> None:
    root, length = struct.unpack_from("<2I", data, 36)
    if length % BLOCK:
        raise _damaged(name, f"its length is {length} bytes, not a multiple of {BLOCK}")
    if BLOCK + length > len(data):
        raise _damaged(name, f"it is cut off after {len(data)} of {BLOCK + length} bytes")
    if root + 6 > length or data[BLOCK + root + 4 : BLOCK + root + 6] != b"nk":
        raise _damaged(name, "it has no root key")
    offset = 0
    while offset < length:
        magic, own, size = struct.unpack_from("<4s2I", data, BLOCK + offset)
        if magic != b"hbin" or own != offset or size == 0 or size % BLOCK or offset + size > length:
            raise _damaged(name, f"the block at offset {BLOCK + offset} is not a hive bin")
        offset += size


def _damaged(name: str, reason: str) -> MediaError:
    return MediaError(
        f"The registry hive {name} is damaged: {reason}.", "Use an undamaged image or medium."
    )


def _base_block(bins: int) -> bytes:
    block = struct.pack("<4s2IQ7I", b"regf", 1, 1, 0, 1, 3, 0, 1, _ROOT_CELL, bins, 1)
    block = block.ljust(_CHECKSUM, b"\0")
    return (block + struct.pack("<I", checksum(block))).ljust(BLOCK, b"\0")


def _key_node(name: bytes, security: int) -> bytes:
    head = struct.pack("<2sHQ2I", b"nk", _ROOT_FLAGS, 0, 0, _NONE)
    lists = struct.pack("<8I", 0, 0, _NONE, _NONE, 0, _NONE, security, _NONE)
    return head + lists + struct.pack("<5I2H", 0, 0, 0, 0, 0, len(name), 0) + name


def _security_descriptor() -> bytes:
    entries = b"".join(
        struct.pack("<2BHI", 0, _CONTAINER_INHERIT, 8 + len(sid), _KEY_ALL_ACCESS) + sid
        for sid in (_ADMINISTRATORS, _SYSTEM)
    )
    acl = struct.pack("<2B3H", 2, 0, 8 + len(entries), 2, 0) + entries
    owner = 20 + len(acl)
    # 0x8004: self-relative, with a discretionary list.
    head = struct.pack("<2BH4I", 1, 0, 0x8004, owner, owner + len(_ADMINISTRATORS), 0, 20)
    return head + acl + _ADMINISTRATORS + _SYSTEM


def _cell_size(length: int) -> int:
    return (length + 4 + 7) // 8 * 8


def _cell(content: bytes) -> bytes:
    size = _cell_size(len(content))
    return (struct.pack("<i", -size) + content).ljust(size, b"\0")
