"""Whether a disk image names other files, which QEMU would then open in its place.

An image that somebody else made could so bring any file of this machine into an image or into a
guest. What is looked at is where QEMU looks (``block/qcow2.c``, ``block/vmdk.c``, ``block/qed.c``),
which is not everywhere where the specification of the container says.
"""

from __future__ import annotations

import re
import struct

BEGINNING = 16 << 10
"""Bytes of a file that tell; the descriptor of a VMDK ends before."""
_QCOW = b"QFI\xfb"
_DATA_FILE = 1 << 2
_VMDK = (b"KDMV", b"COWD")
_EMBEDDED = slice(512, 512 + 20 * 512)
"""Where QEMU reads the descriptor of a VMDK, whatever its header says."""
_PARENT = re.compile(rb"parentCID\s*=(?!\s*f{8})", re.IGNORECASE)
_HINT = b"parentFileNameHint"
_QED = b"QED\0"
_DESCRIPTOR = re.compile(rb"\A(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*version[ \t]*=|\A# Disk Desc")
"""Comments and empty lines, then a version: so begins the text of a VMDK of several files."""


def describes_others(beginning: bytes) -> bool:
    """Whether a file is the text of a VMDK whose data are in other files.

    Args:
        beginning: its first :data:`BEGINNING` bytes.
    """
    return bool(_DESCRIPTOR.match(beginning[:4096]))


def names_others(beginning: bytes) -> bool:
    """Whether an image in one file has its data, or what it differs from, in another one.

    Args:
        beginning: its first :data:`BEGINNING` bytes.
    """
    if beginning.startswith(_QCOW):
        return _of_qcow(beginning.ljust(112, b"\0"))
    if beginning.startswith(_VMDK):
        return _of_vmdk(beginning.ljust(512, b"\0"))
    return beginning.startswith(_QED)


def _of_qcow(header: bytes) -> bool:
    version, backing = struct.unpack_from(">IQ", header, 4)
    features = struct.unpack_from(">Q", header, 72)[0] if version >= 3 else 0
    return bool(backing) or bool(features & _DATA_FILE)


def _of_vmdk(header: bytes) -> bool:
    """A growing VMDK without sectors is a descriptor for QEMU."""
    text, capacity = header[_EMBEDDED], struct.unpack_from("<Q", header, 12)[0]
    nothing = header.startswith(_VMDK[0]) and not capacity
    return nothing or _HINT in text or bool(_PARENT.search(text))
