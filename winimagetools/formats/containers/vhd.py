"""A fixed VHD: the disk itself and a footer.

Source: Microsoft, "Virtual Hard Disk Image Format Specification" 1.0. The disk has whole MiB,
which Azure asks for
(https://learn.microsoft.com/azure/virtual-machines/windows/prepare-for-upload-vhd-image).
"""

from __future__ import annotations

import struct
import uuid

from winimagetools.formats.containers.layout import SECTOR, Layout, Piece, Write, round_up

LARGEST = 2040 << 30
"""Bytes of the largest disk the specification allows."""
_WHOLE = 1 << 20
_NO_OFFSET = (1 << 64) - 1
_FIXED = 2
_COOKIE = b"conectix"
_RESERVED_FEATURE = 2
_CREATOR = b"qem2"
"""Whoever reads a VHD tells by its creator whether the size of the disk counts or its geometry,
which can only be about right; this is what qemu-img writes where the size counts."""
_EPOCH = 946684800
"""Times are counted from 2000-01-01, UTC."""


def fixed_vhd_layout(size: int, identifier: uuid.UUID, made: int) -> Layout:
    """A fixed VHD of a raw disk; nothing of the disk is cut out or moved.

    Args:
        size: bytes of the disk; the container rounds them up to whole MiB.
        identifier: a new UUID.
        made: time, in seconds since 1970.
    """
    whole = round_up(size, _WHOLE)
    footer = Write(whole, _footer(whole, identifier, made))
    return Layout(0, (Piece(0, whole),), (footer,), whole + SECTOR)


def _footer(size: int, identifier: uuid.UUID, made: int) -> bytes:
    cylinders, heads, sectors = geometry(size // SECTOR)
    fields = struct.pack(
        ">8sIIQI4sIIQQHBBI",
        _COOKIE,
        _RESERVED_FEATURE,
        0x00010000,
        _NO_OFFSET,
        max(made - _EPOCH, 0),
        _CREATOR,
        0x00010000,
        0x5769326B,
        size,
        size,
        cylinders,
        heads,
        sectors,
        _FIXED,
    )
    checksum = ~sum(fields + identifier.bytes) & 0xFFFFFFFF
    return (fields + struct.pack(">I", checksum) + identifier.bytes).ljust(SECTOR, b"\0")


def restamped(footer: bytes, identifier: uuid.UUID, made: int) -> bytes:
    """A footer with another identifier and time; see :func:`fixed_vhd_layout`."""
    when = struct.pack(">I", max(made - _EPOCH, 0))
    fields = footer[:24] + when + footer[28:64]
    rest = identifier.bytes + footer[84:]
    checksum = ~sum(fields + rest) & 0xFFFFFFFF
    return fields + struct.pack(">I", checksum) + rest


def geometry(sectors: int) -> tuple[int, int, int]:
    """Cylinders, heads and sectors of a track: the calculation of the specification's appendix."""
    sectors = min(sectors, 65535 * 16 * 255)
    if sectors >= 65535 * 16 * 63:
        return sectors // 255 // 16, 16, 255
    track = 17
    heads = max(-(-(sectors // track) // 1024), 4)
    if sectors // track >= heads * 1024 or heads > 16:
        track, heads = 31, 16
    if sectors // track >= heads * 1024:
        track, heads = 63, 16
    return sectors // track // heads, heads, track
