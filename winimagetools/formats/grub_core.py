"""GRUB's core image for a BIOS, read back: which modules and commands are really in it.

``grub-mkimage`` puts in whatever it finds, an empty module too, and the disk then stops at its
start. A core image is one sector that loads the rest, a program that unpacks, and packed behind
it the kernel with its modules. The layout is that of ``include/grub/offsets.h`` and
``include/grub/kernel.h`` of GRUB 2; modules are ELF files that name themselves and what they
need.
"""

from __future__ import annotations

import lzma
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from winimagetools.errors import MediaError

SECTOR = 512
_SIZES = SECTOR + 8
"""Where the unpacker knows the sizes of what is packed and unpacked from."""
_FILTER = {"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16, "lc": 3, "lp": 0, "pb": 2}
_LARGEST = 16 * 1024 * 1024
_MAGIC = b"mimg"
"""GRUB_MODULE_MAGIC, in front of the modules."""
_MODULE, _SETTINGS = 0, 2
"""OBJ_TYPE_ELF and OBJ_TYPE_CONFIG."""
_ELF = b"\x7fELF\x01\x01"
"""An ELF file of 32 bits, the lowest byte first."""
_SECTION = 40


@dataclass(frozen=True)
class GrubModule:
    """A module.

    Args:
        name: what it is called, such as ``ntfs``.
        needs: names of the modules it needs.
        data: its bytes; inside a core image zeros may follow.
    """

    name: str
    needs: tuple[str, ...]
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class GrubCore:
    """What is in a core image.

    Args:
        modules: by name.
        settings: the commands it runs.
    """

    modules: Mapping[str, GrubModule]
    settings: str


def read_core(core: bytes) -> GrubCore:
    """Unpack a core image.

    Raises:
        MediaError: it is damaged, cut off or none, or a module in it is; the message
            completes "the core image of GRUB ...".
    """
    objects = list(_objects(_unpack(core)))
    modules = [read_module(data) for kind, data in objects if kind == _MODULE]
    settings = b"".join(data for kind, data in objects if kind == _SETTINGS)
    return GrubCore(
        {module.name: module for module in modules},
        settings.rstrip(b"\0").decode("utf-8", "replace"),
    )


def _unpack(core: bytes) -> bytes:
    if len(core) < _SIZES + 8:
        raise MediaError(f"has only {len(core)} bytes")
    packed, size = struct.unpack_from("<II", core, _SIZES)
    if not (0 < packed <= len(core) - _SIZES and 0 < size <= _LARGEST):
        raise MediaError("does not say how large it is")
    try:
        unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[_FILTER])
        data = unpacker.decompress(core[-packed:], size)
    except (lzma.LZMAError, EOFError) as error:
        raise MediaError("cannot be unpacked") from error
    if len(data) != size:
        raise MediaError("cannot be unpacked to its end")
    return data


def _objects(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and content of what follows the kernel."""
    place = data.rfind(_MAGIC)
    while place > 0:
        offset, size = struct.unpack_from("<II", data.ljust(place + 12, b"\0"), place + 4)
        if offset == 12 and size == len(data) - place:
            yield from _read_objects(data[place + offset :])
            return
        place = data.rfind(_MAGIC, 0, place)
    raise MediaError("has no modules")


def _read_objects(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 8:
        kind, size = struct.unpack_from("<II", data)
        if not 8 <= size <= len(data):
            raise MediaError("ends in the middle of a module")
        yield kind, data[8:size]
        data = data[size:]


def read_module(data: bytes) -> GrubModule:
    """Name and needs of a module.

    Raises:
        MediaError: it is empty, cut off or none; the message completes "it ...".
    """
    if not data.startswith(_ELF) or len(data) < 52:
        raise MediaError(f"holds a module that is none ({len(data)} bytes)")
    sections = dict(_sections(data))
    try:
        name = sections[".modname"].rstrip(b"\0").decode("ascii")
        needs = sections.get(".moddeps", b"").decode("ascii").split("\0")
    except (KeyError, UnicodeDecodeError) as error:
        raise MediaError("holds a module without a name") from error
    return GrubModule(name, tuple(need for need in needs if need), data)


def _sections(data: bytes) -> Iterator[tuple[str, bytes]]:
    (table,) = struct.unpack_from("<I", data, 32)
    size, count, names_index = struct.unpack_from("<HHH", data, 46)
    if size != _SECTION or names_index >= count or table + size * count > len(data):
        raise MediaError(f"holds a module that is cut off ({len(data)} bytes)")
    headers = [struct.unpack_from("<6I", data, table + number * size) for number in range(count)]
    names = _section(data, headers[names_index])
    for header in headers:
        name = names[header[0] :].split(b"\0")[0].decode("ascii", "replace")
        yield name, _section(data, header)


def _section(data: bytes, header: tuple[int, ...]) -> bytes:
    kind, offset, size = header[1], header[4], header[5]
    if kind == 8:  # SHT_NOBITS has no bytes in the file
        return b""
    if offset + size > len(data):
        raise MediaError(f"holds a module that is cut off ({len(data)} bytes)")
    return data[offset : offset + size]
