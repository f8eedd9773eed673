"""Stand-ins for the files of GRUB: modules that are ELF files, and core images of them."""

from __future__ import annotations

import lzma
import struct
from collections.abc import Sequence

FILTER = {"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16, "lc": 3, "lp": 0, "pb": 2}
KERNEL = b"kernel with mimg in its code" * 40
UNPACKER = 2848


def make_module(name: str, needs: Sequence[str] = (), code: bytes = b"code") -> bytes:
    """A module as GRUB has them."""
    names = b"\0.modname\0.moddeps\0.names\0"
    parts = [b"", name.encode() + b"\0", b"".join(need.encode() + b"\0" for need in needs), names]
    place, body, headers = 52, b"", b""
    for title, part in zip((b"", b".modname", b".moddeps", b".names"), parts, strict=True):
        label = names.index(title + b"\0") if title else 0
        headers += struct.pack(
            "<6I16x", label, 1 if part else 0, 0, 0, place + len(body), len(part)
        )
        body += part
    body += code
    head = b"\x7fELF\x01\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIIII", 1, 3, 1, 0, 0, place + len(body)
    )
    return head + struct.pack("<IHHHHHH", 0, 52, 0, 0, 40, 4, 3) + body + headers


def make_core(modules: Sequence[bytes], settings: str, head: bytes = b"") -> bytes:
    """A core image as ``grub-mkimage`` makes it."""
    objects = [(0, module.ljust(-(-len(module) // 4) * 4, b"\0")) for module in modules]
    objects += [(2, settings.encode().ljust(200, b"\0")), (3, b"/boot/grub\0\0")]
    packed = b"".join(struct.pack("<II", kind, len(data) + 8) + data for kind, data in objects)
    whole = KERNEL + b"mimg" + struct.pack("<II", 12, len(packed) + 12) + packed
    pressed = lzma.compress(whole, lzma.FORMAT_RAW, filters=[FILTER])
    unpacker = bytes(8) + struct.pack("<II", len(pressed), len(whole))
    return head.ljust(512, b"\0") + unpacker.ljust(UNPACKER, b"\0") + pressed
