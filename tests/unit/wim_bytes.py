"""WIM files without image data: a header and the XML, enough for reading what they hold."""

from __future__ import annotations

import struct
from xml.sax.saxutils import escape

GUID = bytes(range(16))
MAGIC = b"MSWIM\0\0\0"
WIM, SOLID = 0x10D00, 0xE00


def image_xml(
    index: int,
    name: str,
    *,
    arch: str | None = "9",
    version: tuple[object, ...] | None = (10, 0, 20348, 587),
    windows: str = "",
    extra: str = "",
) -> str:
    """One IMAGE element; ``windows`` and ``extra`` are more XML inside WINDOWS and IMAGE."""
    inner = windows
    if arch is not None:
        inner += f"<ARCH>{arch}</ARCH>"
    if version is not None:
        tags = ("MAJOR", "MINOR", "BUILD", "SPBUILD")
        parts = "".join(f"<{tag}>{part}</{tag}>" for tag, part in zip(tags, version, strict=False))
        inner += f"<VERSION>{parts}</VERSION>"
    return (
        f'<IMAGE INDEX="{index}"><WINDOWS>{inner}</WINDOWS>'
        f"<NAME>{escape(name)}</NAME>{extra}</IMAGE>"
    )


def wim_bytes(
    *images: str,
    xml: bytes | None = None,
    magic: bytes = MAGIC,
    version: int = WIM,
    flags: int = 0x20082,
    part: int = 1,
    parts: int = 1,
    count: int | None = None,
    guid: bytes = GUID,
    xml_flags: int = 2,
    blob_end: int | None = None,
) -> bytes:
    """A WIM that holds ``images`` (see :func:`image_xml`); each argument spoils one field."""
    if xml is None:
        xml = ("\ufeff<WIM>" + "".join(images) + "</WIM>").encode("utf-16-le")
    header = struct.pack("<8sIIII16sHHI", magic, 208, version, flags, 32768, guid, part, parts,
                         len(images) if count is None else count)  # fmt: skip
    header += _resource(50 if blob_end is None else blob_end - 208, 2, 208)
    header += _resource(len(xml), xml_flags, 258)
    return header.ljust(208, b"\0") + bytes(50) + xml


def pipable(*images: str) -> bytes:
    """A WIM as wimlib writes it for a pipe: the header at its beginning knows no places."""
    whole = wim_bytes(*images, magic=b"WLPWM\0\0\0")
    return whole[:48] + bytes(160) + whole[208:] + whole[:208]


def _resource(size: int, flags: int, offset: int) -> bytes:
    return struct.pack("<QQQ", size | flags << 56, offset, size)
